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
