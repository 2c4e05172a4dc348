/* Encoding in windows: they give the bits of the whole, and a limit of memory is kept by them before anything is refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/backend/context.h"
#include "lib/pipeline/pipeline.h"
#include "lib/vae/vae.h"
#include "test/unit/rig.h"

/* ---- the network ---------------------------------------------------------------------------------------------------------------- */

#define PLAIN .in_channels = 3, .out_channels = 3
#define JOINED .is_residual = 1, .patch_size = 2, .in_channels = 12, .out_channels = 12
static const struct {
    sorai_vae_config vae;
    int64_t size[2]; /* of the latent */
} nets[] = {
    {{PLAIN, .base_dim = 8, .z_dim = 3, .levels = 3, .dim_mult = {1, 2, 2}, .num_res_blocks = 1, .temperal_downsample = {0, 1}}, {7, 10}},
    {{PLAIN, .base_dim = 6, .z_dim = 3, .levels = 3, .dim_mult = {1, 1, 2}, .num_res_blocks = 2, .temperal_downsample = {1, 1}}, {9, 12}},
    {{JOINED, .base_dim = 8, .z_dim = 3, .levels = 3, .dim_mult = {1, 2, 2}, .num_res_blocks = 1, .temperal_downsample = {0, 1}}, {6, 11}},
    {{JOINED, .base_dim = 4, .z_dim = 3, .levels = 4, .dim_mult = {1, 1, 2, 2}, .num_res_blocks = 2, .temperal_downsample = {1, 0, 1}}, {6, 9}},
    {{PLAIN, .base_dim = 5, .z_dim = 3, .levels = 1, .dim_mult = {1}, .num_res_blocks = 1}, {7, 5}},
    {{PLAIN, .base_dim = 4, .z_dim = 3, .levels = 2, .dim_mult = {1, 1}, .num_res_blocks = 1, .temperal_downsample = {1}, .attn_scale_count = 1, .attn_scales = {0.5}}, {5, 6}},
    {{PLAIN, .base_dim = 96, .z_dim = 16, .levels = 3, .dim_mult = {1, 2, 4}, .num_res_blocks = 1, .temperal_downsample = {0, 1}}, {6, 8}}, /* Wan 2.1's widths */
};
enum { NETS = sizeof nets / sizeof *nets, WIDE = NETS - 1 };

typedef struct world {
    sora_context *context;
    sorai_store store;
    sorai_vae vae;
    sorai_vae_stream stream;
    sorai_exec x;
    const int64_t *size;
    int64_t pieces;
    float *video; /* [1, frames, height, width, 3] */
} world;

static void start(world *w, int net, int32_t product) {
    const sorai_context_config config = {.threads = 2};
    sorai_vae_config vae = nets[net].vae;
    sora_error err = {0};
    memset(w, 0, sizeof *w);
    for (int i = 0; i < vae.z_dim; i++)
        vae.latents_std[i] = 1.0f;
    ck_assert_int_eq(sorai_context_create(&w->context, &config, &err), SORA_OK);
    sorai_device *device = sorai_context_device(w->context, NULL);
    ck_assert_int_eq(sorai_store_init(&w->store, &w->context->mem, device), SORA_OK);
    w->store.seed = 5;
    ck_assert_msg(sorai_vae_bind(&w->vae, &w->store, &vae, SORAI_VAE_ENCODER, &err) == SORA_OK, "%s", err.message);
    ck_assert_int_eq(sorai_exec_init(&w->x, device, &w->context->mem, product, &err), SORA_OK);
    w->size = nets[net].size;
    w->pieces = net == WIDE ? 2 : 3;
    const int64_t space = sorai_vae_space_factor(&vae), frames = 1 + (w->pieces - 1) * sorai_vae_time_factor(&vae);
    const size_t n = (size_t)(frames * w->size[0] * w->size[1] * space * space * 3);
    w->video = malloc(n * sizeof *w->video);
    uint32_t s = 1;
    for (size_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        w->video[i] = (float)(s >> 8) / (float)(1 << 23) - 1.0f;
    }
}

static void finish(world *w) {
    sorai_vae_stream_release(&w->stream);
    sorai_exec_release(&w->x);
    sorai_store_release(&w->store);
    free(w->video);
    sorai_context_unref(&w->context);
}

/* Piece i of the clip, `at` of its pixels. */
static sora_tensor *piece_of(world *w, int64_t i, const sorai_vae_window *at) {
    const int64_t space = sorai_vae_space_factor(&w->vae.config), time = sorai_vae_time_factor(&w->vae.config), n = i ? time : 1;
    const int64_t shape[5] = {1, n, w->size[0] * space, w->size[1] * space, 3}, first = i ? 1 + (i - 1) * time : 0;
    sora_tensor *t = sorai_upload(&w->x, SORA_DTYPE_F32, 5, shape, w->video + first * shape[2] * shape[3] * 3);
    t = sorai_slice(&w->x, t, 2, at->y, at->y + at->h);
    return sorai_slice(&w->x, t, 3, at->x, at->x + at->w);
}

/* What a window gives, all pieces one behind the other (malloc). split 1: each frame by itself. */
static float *window_values(world *w, const sorai_vae_window *at, int64_t split, size_t *count) {
    sorai_exec *x = &w->x;
    const sorai_exec_mark mark = sorai_exec_here(x);
    const sorai_vae_window reach = sorai_vae_encode_reach(&w->vae, w->size, at);
    sora_tensor *parts[3];
    sorai_vae_stream_begin(&w->stream, &w->context->mem);
    w->stream.split_bytes = split;
    for (int64_t i = 0; i < w->pieces; i++)
        parts[i] = sorai_vae_encode_window(x, &w->vae, &w->stream, piece_of(w, i, &reach), w->size, at);
    sora_tensor *all = sorai_concat(x, parts, (int32_t)w->pieces, 1);
    ck_assert_msg(all != NULL, "%s", x->error.message);
    *count = (size_t)sorai_tensor_count(all);
    float *values = malloc(*count * sizeof *values);
    ck_assert_int_eq(sorai_download(x, all, values), SORA_OK);
    sorai_exec_rewind(x, mark);
    return values;
}

static void compare(world *w, const float *whole, const int64_t windows[2]) {
    const int64_t c = w->vae.encoder.level[w->vae.config.levels - 1].in_dim;
    for (int64_t i = 0; i < windows[0] * windows[1]; i++) {
        const sorai_vae_window at = sorai_window_of(windows, w->size[0], w->size[1], i);
        size_t count;
        float *got = window_values(w, &at, i % 2, &count);
        ck_assert_uint_eq(count, (size_t)(w->pieces * at.h * at.w * c));
        for (int64_t row = 0; row < w->pieces * at.h; row++) {
            const int64_t from = (row / at.h * w->size[0] + at.y + row % at.h) * w->size[1] + at.x;
            ck_assert_msg(memcmp(got + row * at.w * c, whole + from * c, (size_t)(at.w * c) * sizeof *got) == 0,
                          "%lld x %lld windows: row %lld of window %lld differs", (long long)windows[0], (long long)windows[1],
                          (long long)(row % at.h), (long long)i);
        }
        free(got);
    }
}

/* However a frame is cut, a window gives the bits that the whole has in its place; frames one after the other or together. */
START_TEST(windows_are_the_whole) {
    static const int64_t cuts[][2] = {{1, 2}, {2, 1}, {3, 4}};
    const int net = _i / 2;
    world w;
    start(&w, net, _i % 2 ? SORA_DTYPE_BF16 : SORA_DTYPE_F32);
    const sorai_vae_window all = {0, 0, w.size[0], w.size[1]};
    size_t count;
    float *whole = window_values(&w, &all, 0, &count);
    for (size_t i = 0; i < (net == WIDE ? 1 : sizeof cuts / sizeof *cuts); i++)
        compare(&w, whole, cuts[i]);
    free(whole);
    finish(&w);
}
END_TEST

START_TEST(wrong_windows_are_refused) {
    static const sorai_vae_window wrong[] = {{-1, 0, 2, 2}, {0, 0, 0, 2}, {6, 0, 2, 2}, {0, 9, 1, 2}};
    world w;
    start(&w, 0, SORA_DTYPE_F32);
    const sorai_vae_window all = {0, 0, 28, 40}, part = {0, 0, 3, 3};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_ptr_null(sorai_vae_encode_window(&w.x, &w.vae, NULL, piece_of(&w, 0, &all), w.size, &wrong[i]));
        ck_assert_int_eq(sorai_exec_finish(&w.x, NULL), SORA_E_INVALID);
    }
    ck_assert_ptr_null(sorai_vae_encode_window(&w.x, &w.vae, NULL, piece_of(&w, 0, &all), w.size, &part)); /* more pixels than its reach */
    ck_assert_int_eq(sorai_exec_finish(&w.x, NULL), SORA_E_INVALID);
    /* A level with attention of its own, behind which windows would differ. */
    w.vae.config.attn_scale_count = 1;
    w.vae.config.attn_scales[0] = 0.5;
    const sorai_vae_window reach = sorai_vae_encode_reach(&w.vae, w.size, &part);
    ck_assert_ptr_null(sorai_vae_encode_window(&w.x, &w.vae, NULL, piece_of(&w, 0, &reach), w.size, &part));
    ck_assert_int_eq(sorai_exec_finish(&w.x, NULL), SORA_E_UNSUPPORTED);
    finish(&w);
}
END_TEST

/* ---- the stage ------------------------------------------------------------------------------------------------------------------ */

/* Ever lower limits: the same latent by other ways, until it is said that it can't be done. */
START_TEST(encoding_keeps_a_limit) {
    static const int64_t shape[4] = {3, 5, 96, 160};
    sora_tensor *want = NULL;
    uint64_t peak = 0;
    int done = 0, status = SORA_OK;
    for (int share = 100; status == SORA_OK && share > 2; share -= 9) {
        rig r;
        sora_memory m = {.struct_size = sizeof m};
        sora_tensor *got = NULL;
        const uint64_t limit = peak * (uint64_t)share / 100;
        open_rig(&r, 2, limit);
        sora_tensor *video = rig_tensor(&r, SORA_DTYPE_F32, 4, shape, 3);
        status = sora_encode_video(r.p, video, &got, &r.err);
        sora_context_memory(r.ctx, &m);
        ck_assert_msg(!limit || m.peak <= limit, "a limit of %llu was not kept", (unsigned long long)limit);
        if (status == SORA_OK && want) {
            ck_assert_uint_eq(sora_tensor_bytes(got), sora_tensor_bytes(want));
            ck_assert_msg(memcmp(sora_tensor_data(got), sora_tensor_data(want), sora_tensor_bytes(want)) == 0, "at %d%%", share);
            sora_tensor_unref(&got);
            done++;
        } else if (status == SORA_OK) {
            want = got;
        } else {
            ck_assert_msg(status == SORA_E_LIMIT && strstr(r.err.message, "MiB"), "%d %s", status, r.err.message);
            ck_assert_ptr_null(got);
        }
        peak = peak ? peak : m.peak;
        sora_tensor_unref(&video);
        close_rig(&r);
    }
    ck_assert_int_lt(status, 0);
    ck_assert_msg(done >= 3, "only %d", done);
    sora_tensor_unref(&want);
}
END_TEST

/* ---- runs ----------------------------------------------------------------------------------------------------------------------- */

static int watch(void *user, const sora_progress *p) {
    int32_t *steps = user;
    if (p->phase == SORA_PHASE_CONDITION && p->steps > *steps)
        *steps = p->steps;
    return 0;
}

/* What is encoded in a run of each kind. */
static void give(rig *r, const char *name) {
    if (strcmp(name, "t2v") == 0) {
        sora_tensor *clip = rig_tensor(r, SORA_DTYPE_U8, 4, (const int64_t[]){9, 60, 90, 3}, 1);
        ck_assert_int_eq(rig_condition(r, clip, NULL, 0, 1.0), SORA_OK);
        sora_tensor_unref(&clip);
    } else if (strcmp(name, "vace") == 0) {
        sora_tensor *clip = rig_tensor(r, SORA_DTYPE_U8, 4, (const int64_t[]){9, 60, 90, 3}, 1);
        ck_assert_int_eq(sora_pipeline_set_tensor(r->p, SORA_SLOT_VIDEO, clip), SORA_OK);
        sora_tensor_unref(&clip);
        sora_tensor *picture = rig_tensor(r, SORA_DTYPE_U8, 3, (const int64_t[]){60, 90, 3}, 1);
        ck_assert_int_eq(sora_pipeline_set_tensor(r->p, SORA_SLOT_REFERENCE, picture), SORA_OK);
        sora_tensor_unref(&picture);
    } else {
        sora_tensor *picture = rig_tensor(r, SORA_DTYPE_U8, 3, (const int64_t[]){60, 90, 3}, 1);
        ck_assert_int_eq(sora_pipeline_set_tensor(r->p, SORA_SLOT_IMAGE, picture), SORA_OK);
        sora_tensor_unref(&picture);
    }
}

/* Whatever encodes pixels in a run: the estimate is never too low and at most a tenth too high, the limit is kept, by windows too, and no bit of
 * the frames changes, until it is refused. */
START_TEST(runs_encode_in_windows) {
    static const char *const names[] = {"t2v", "i2v", "vace", "ti2v"};
    static const int sizes[][3] = {{192, 128, 5}, {192, 128, 5}, {192, 128, 5}, {256, 192, 5}};
    const int *s = sizes[_i];
    uint8_t *want = NULL;
    uint64_t peak = 0;
    int32_t fewest = 0, most = 0;
    int done = 0, status = SORA_OK;
    for (int share = 100; status == SORA_OK && share > 4; share -= 14) {
        rig r;
        int32_t steps = 0;
        size_t size;
        sora_memory before = {.struct_size = sizeof before}, after = before, estimate = before;
        const uint64_t limit = peak * (uint64_t)share / 100;
        open_kind_limited(&r, names[_i], limit);
        for (int i = 0; i < 3; i++)
            sora_pipeline_set_i64(r.p, i == 0 ? SORA_PARAM_WIDTH : i == 1 ? SORA_PARAM_HEIGHT : SORA_PARAM_FRAMES, s[i]);
        give(&r, names[_i]);
        sora_pipeline_set_progress(r.p, watch, &steps);
        const int estimated = sora_pipeline_estimate(r.p, &estimate, &r.err);
        sora_context_memory(r.ctx, &before);
        status = sora_pipeline_run(r.p, &r.err);
        sora_context_memory(r.ctx, &after);
        ck_assert_msg(!limit || after.peak <= limit, "a limit of %llu was not kept", (unsigned long long)limit);
        if (status == SORA_OK) {
            const double taken = (double)(after.peak - before.used), said = (double)estimate.peak;
            ck_assert_int_eq(estimated, SORA_OK);
            ck_assert_msg(said >= taken && said <= 1.10 * taken + 65536, "%s at %d%%: estimate %.3f MiB, taken %.3f MiB", names[_i], share,
                          said / 1048576, taken / 1048576);
            uint8_t *got = frames_of(&r, &size);
            if (want)
                ck_assert_mem_eq(got, want, size);
            free(want);
            want = got;
            peak = peak ? peak : after.peak;
            fewest = fewest ? fewest : steps;
            most = steps > most ? steps : most;
            done++;
        } else {
            ck_assert_msg(status == SORA_E_LIMIT && strstr(r.err.message, "MiB"), "%d %s", status, r.err.message);
        }
        close_rig(&r);
    }
    ck_assert_int_lt(status, 0);
    ck_assert_msg(done >= 3 && most >= 3 * fewest, "%s: %d limits, %d steps became %d", names[_i], done, fewest, most);
    free(want);
}
END_TEST

/* Weights that an earlier run laid out are there while the next one encodes. */
START_TEST(a_second_run_is_estimated) {
    rig r;
    open_kind(&r, "i2v");
    sora_pipeline_set_i64(r.p, SORA_PARAM_WIDTH, 96);
    sora_pipeline_set_i64(r.p, SORA_PARAM_HEIGHT, 64);
    give(&r, "i2v");
    run_as_estimated(&r, 0.10, 65536, "first");
    rig again = r;
    ck_assert_int_eq(sora_pipeline_create(&again.p, again.model, &again.err), SORA_OK);
    for (sora_slot slot = SORA_SLOT_TEXT; slot <= SORA_SLOT_NEGATIVE; slot++) {
        sora_tensor *t = rig_tensor(&again, SORA_DTYPE_F32, 2, (const int64_t[]){512, 6}, slot);
        ck_assert_int_eq(sora_pipeline_set_tensor(again.p, slot, t), SORA_OK);
        sora_tensor_unref(&t);
    }
    sora_pipeline_destroy(&r.p);
    sora_pipeline_set_i64(again.p, SORA_PARAM_WIDTH, 192);
    sora_pipeline_set_i64(again.p, SORA_PARAM_HEIGHT, 128);
    sora_pipeline_set_i64(again.p, SORA_PARAM_FRAMES, 9);
    sora_pipeline_set_i64(again.p, SORA_PARAM_STEPS, 2);
    give(&again, "i2v");
    run_as_estimated(&again, 0.10, 65536, "second");
    close_rig(&again);
}
END_TEST

Suite *suite_encode(void);
Suite *suite_encode(void) {
    Suite *s = suite_create("encode");
    TCase *c = tcase_create("encode");
    tcase_set_timeout(c, 240);
    tcase_add_checked_fixture(c, NULL, remove_model);
    tcase_add_loop_test(c, windows_are_the_whole, 0, 2 * NETS);
    tcase_add_test(c, wrong_windows_are_refused);
    tcase_add_test(c, encoding_keeps_a_limit);
    tcase_add_loop_test(c, runs_encode_in_windows, 0, 4);
    tcase_add_test(c, a_second_run_is_estimated);
    suite_add_tcase(s, c);
    return s;
}
