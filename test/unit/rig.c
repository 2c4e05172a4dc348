#define _POSIX_C_SOURCE 200809L
#include "test/unit/rig.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[64];

/* The tiny model, made once per process. */
const char *rig_model(void) {
    if (!folder[0]) {
        char command[160];
        strcpy(folder, "/tmp/sora-test-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
        snprintf(command, sizeof command, "sh test/tiny/make.sh %s", folder);
        ck_assert_int_eq(system(command), 0);
    }
    return folder;
}

void open_rig(rig *r, int threads, uint64_t mem_limit) {
    sora_context_opts opts;
    memset(r, 0, sizeof *r);
    r->err.struct_size = sizeof r->err;
    sora_context_opts_init(&opts);
    opts.threads = threads;
    opts.mem_limit = mem_limit;
    ck_assert_int_eq(sora_context_create(&r->ctx, &opts, &r->err), SORA_OK);
    ck_assert_msg(sora_model_open(&r->model, r->ctx, rig_model(), NULL, &r->err) == SORA_OK, "%s", r->err.message);
    ck_assert_int_eq(sora_pipeline_create(&r->p, r->model, &r->err), SORA_OK);
    sora_pipeline_set_text(r->p, SORA_PARAM_PROMPT, "a cat", (size_t)-1);
    sora_pipeline_set_i64(r->p, SORA_PARAM_STEPS, 2);
}

void rig_steps(rig *r, double cache, int steps, double guidance) {
    ck_assert_int_eq(sora_pipeline_set_f64(r->p, SORA_PARAM_STEP_CACHE, cache), SORA_OK);
    sora_pipeline_set_i64(r->p, SORA_PARAM_STEPS, steps);
    sora_pipeline_set_f64(r->p, SORA_PARAM_GUIDANCE, guidance);
}

sora_tensor *rig_tensor(rig *r, int32_t dtype, int32_t rank, const int64_t *shape, int start) {
    sora_tensor_desc d = {.struct_size = sizeof d, .dtype = dtype, .rank = rank};
    sora_tensor *t = NULL;
    memcpy(d.shape, shape, (size_t)rank * sizeof *shape);
    ck_assert_int_eq(sora_tensor_create(&t, r->ctx, &d, &r->err), SORA_OK);
    const size_t n = sora_tensor_bytes(t) / (dtype == SORA_DTYPE_U8 ? 1 : 4);
    for (size_t i = 0; i < n; i++) {
        if (dtype == SORA_DTYPE_U8)
            ((uint8_t *)sora_tensor_data(t))[i] = (uint8_t)((size_t)start + i * 5 % 241 + i / (KIND_WIDTH * KIND_HEIGHT));
        else
            ((float *)sora_tensor_data(t))[i] = (float)((i + (size_t)start) * 29 % 97) / 97.0f - 0.5f;
    }
    return t;
}

void open_kind(rig *r, const char *name) {
    open_kind_limited(r, name, 0);
}

void open_kind_limited(rig *r, const char *name, uint64_t mem_limit) {
    char path[128];
    sora_context_opts context;
    memset(r, 0, sizeof *r);
    r->err.struct_size = sizeof r->err;
    sora_context_opts_init(&context);
    context.mem_limit = mem_limit;
    ck_assert_int_eq(sora_context_create(&r->ctx, &context, &r->err), SORA_OK);
    snprintf(path, sizeof path, "test/parity/fixtures/loop_%s", name);
    sora_model_opts opts;
    sora_model_opts_init(&opts);
    opts.dtype = SORA_DTYPE_F32;
    ck_assert_msg(sora_model_open(&r->model, r->ctx, path, &opts, &r->err) == SORA_OK, "%s", r->err.message);
    ck_assert_int_eq(sora_pipeline_create(&r->p, r->model, &r->err), SORA_OK);
    sora_model_desc d = {.struct_size = sizeof d};
    ck_assert_int_eq(sora_model_info(r->model, &d), SORA_OK);
    for (sora_slot slot = SORA_SLOT_TEXT; slot <= SORA_SLOT_NEGATIVE; slot++) {
        sora_tensor *t = rig_tensor(r, SORA_DTYPE_F32, 2, (const int64_t[]){d.text_length, strcmp(d.family, "ltx") == 0 ? 8 : 6 /* of the fixtures */}, slot);
        ck_assert_int_eq(sora_pipeline_set_tensor(r->p, slot, t), SORA_OK);
        sora_tensor_unref(&t);
    }
    sora_pipeline_set_i64(r->p, SORA_PARAM_WIDTH, KIND_WIDTH);
    sora_pipeline_set_i64(r->p, SORA_PARAM_HEIGHT, KIND_HEIGHT);
    sora_pipeline_set_i64(r->p, SORA_PARAM_FRAMES, KIND_FRAMES);
    sora_pipeline_set_i64(r->p, SORA_PARAM_STEPS, 2);
}

int rig_condition(rig *r, sora_tensor *frames, sora_tensor *mask, int64_t at, double strength) {
    sora_condition c;
    sora_condition_init(&c);
    c.frames = frames;
    c.mask = mask;
    c.at_frame = at;
    c.strength = strength;
    return sora_pipeline_add_condition(r->p, &c, &r->err);
}

void run_as_estimated(rig *r, double share, double small, const char *what) {
    sora_memory before = {.struct_size = sizeof before}, after = before, estimate = before;
    ck_assert_msg(sora_pipeline_estimate(r->p, &estimate, &r->err) == SORA_OK, "%s", r->err.message);
    sora_context_memory(r->ctx, &before);
    ck_assert_msg(sora_pipeline_run(r->p, &r->err) == SORA_OK, "%s", r->err.message);
    sora_context_memory(r->ctx, &after);
    const double taken = (double)(after.peak - before.used), said = (double)estimate.peak;
    ck_assert_msg(said >= taken && said <= (1.0 + share) * taken + small, "%s: estimate %.3f MiB, taken %.3f MiB", what, said / 1048576,
                  taken / 1048576);
}

void close_rig(rig *r) {
    sora_pipeline_destroy(&r->p);
    sora_model_unref(&r->model);
    sora_memory m = {.struct_size = sizeof m};
    ck_assert_int_eq(sora_context_memory(r->ctx, &m), SORA_OK);
    sora_context_unref(&r->ctx);
}

void remove_model(void) {
    if (folder[0]) {
        char command[160];
        snprintf(command, sizeof command, "rm -rf %s", folder);
        ck_assert_int_eq(system(command), 0);
        folder[0] = 0;
    }
}

/* All frames of the last run (malloc). */
uint8_t *frames_of(rig *r, size_t *size) {
    int32_t w = 0, h = 0;
    int64_t n = 0;
    sora_pipeline_video_info(r->p, &w, &h, &n, NULL);
    *size = (size_t)w * (size_t)h * 3 * (size_t)n;
    uint8_t *rgb = malloc(*size + 1);
    ck_assert_ptr_nonnull(rgb);
    ck_assert_int_eq(sora_pipeline_read_frames(r->p, 0, n, rgb, *size), SORA_OK);
    return rgb;
}
