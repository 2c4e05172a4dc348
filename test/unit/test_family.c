/* The relatives of the base model through the public API, on the parity fixtures: what they ask for, what they refuse,
 * what they take. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sora/sora.h>

typedef struct rig {
    sora_context *ctx;
    sora_model *model;
    sora_pipeline *p;
    sora_error err;
} rig;

static void open_limited(rig *r, const char *name, uint64_t limit) {
    char path[128];
    sora_context_opts opts;
    memset(r, 0, sizeof *r);
    r->err.struct_size = sizeof r->err;
    sora_context_opts_init(&opts);
    opts.threads = 2;
    opts.mem_limit = limit;
    ck_assert_int_eq(sora_context_create(&r->ctx, &opts, &r->err), SORA_OK);
    snprintf(path, sizeof path, "test/parity/fixtures/%s", name);
    ck_assert_msg(sora_model_open(&r->model, r->ctx, path, NULL, &r->err) == SORA_OK, "%s", r->err.message);
    ck_assert_int_eq(sora_pipeline_create(&r->p, r->model, &r->err), SORA_OK);
}

static void open_rig(rig *r, const char *name) { open_limited(r, name, 0); }

static void close_rig(rig *r) {
    sora_pipeline_destroy(&r->p);
    sora_model_unref(&r->model);
    sora_context_unref(&r->ctx);
}

/* A tensor with something in it; dtype U8 or F32. */
static sora_tensor *tensor(rig *r, int32_t dtype, int32_t rank, const int64_t *shape) {
    sora_tensor_desc d = {.struct_size = sizeof d, .dtype = dtype, .rank = rank};
    sora_tensor *t = NULL;
    memcpy(d.shape, shape, (size_t)rank * sizeof *shape);
    ck_assert_int_eq(sora_tensor_create(&t, r->ctx, &d, &r->err), SORA_OK);
    const size_t bytes = sora_tensor_bytes(t);
    for (size_t i = 0; i < bytes / (dtype == SORA_DTYPE_U8 ? 1 : 4); i++) {
        if (dtype == SORA_DTYPE_U8)
            ((uint8_t *)sora_tensor_data(t))[i] = (uint8_t)(i * 37 % 251);
        else
            ((float *)sora_tensor_data(t))[i] = (float)(i * 29 % 97) / 97.0f - 0.5f;
    }
    return t;
}

static int give(rig *r, sora_slot slot, int32_t dtype, int32_t rank, const int64_t *shape) {
    sora_tensor *t = tensor(r, dtype, rank, shape);
    const int status = sora_pipeline_set_tensor(r->p, slot, t);
    sora_tensor_unref(&t);
    return status;
}

static void give_picture(rig *r, sora_slot slot, int64_t h, int64_t w) {
    const int64_t shape[3] = {h, w, 3};
    ck_assert_int_eq(give(r, slot, SORA_DTYPE_U8, 3, shape), SORA_OK);
}

static void give_texts(rig *r) {
    const int64_t shape[2] = {512, 6};
    ck_assert_int_eq(give(r, SORA_SLOT_TEXT, SORA_DTYPE_F32, 2, shape), SORA_OK);
    ck_assert_int_eq(give(r, SORA_SLOT_NEGATIVE, SORA_DTYPE_F32, 2, shape), SORA_OK);
}

static void set_size(rig *r, int w, int h, int frames, int steps) {
    sora_pipeline_set_i64(r->p, SORA_PARAM_WIDTH, w);
    sora_pipeline_set_i64(r->p, SORA_PARAM_HEIGHT, h);
    sora_pipeline_set_i64(r->p, SORA_PARAM_FRAMES, frames);
    sora_pipeline_set_i64(r->p, SORA_PARAM_STEPS, steps);
}

static void give_all(rig *r, const char *name) {
    static const int64_t clip[4] = {9, 40, 50, 3}, mask[3] = {9, 40, 50};
    give_texts(r);
    if (strstr(name, "i2v") || strstr(name, "flf")) give_picture(r, SORA_SLOT_IMAGE, 70, 50);
    if (strstr(name, "flf")) give_picture(r, SORA_SLOT_LAST_IMAGE, 30, 50);
    if (strstr(name, "vace")) {
        ck_assert_int_eq(give(r, SORA_SLOT_VIDEO, SORA_DTYPE_U8, 4, clip), SORA_OK);
        ck_assert_int_eq(give(r, SORA_SLOT_MASK, SORA_DTYPE_U8, 3, mask), SORA_OK);
        give_picture(r, SORA_SLOT_REFERENCE + 3, 33, 47);
    }
}

static const char *const models[] = {"loop_t2v",  "loop_a14b",     "loop_i2v",  "loop_flf",
                                     "loop_ti2v", "loop_i2v_a14b", "loop_vace", "loop_fast"};

/* Any size is made, whole clips come out; the estimate is never too low, and not far off. */
START_TEST(every_relative_runs) {
    rig r;
    open_rig(&r, models[_i]);
    give_all(&r, models[_i]);
    set_size(&r, 130, 100, 8, 2);
    sora_memory before = {.struct_size = sizeof before}, after = before, estimate = before;
    ck_assert_msg(sora_pipeline_estimate(r.p, &estimate, &r.err) == SORA_OK, "%s", r.err.message);
    sora_context_memory(r.ctx, &before);
    ck_assert_msg(sora_pipeline_run(r.p, &r.err) == SORA_OK, "%s", r.err.message);
    sora_context_memory(r.ctx, &after);
    const double taken = (double)(after.peak - before.used);
    ck_assert_msg((double)estimate.peak >= taken && (double)estimate.peak <= 1.15 * taken + 131072,
                  "%s: estimate %.3f MiB, taken %.3f MiB", models[_i], (double)estimate.peak / 1048576,
                  taken / 1048576);
    int32_t w = 0, h = 0;
    int64_t n = 0;
    sora_pipeline_video_info(r.p, &w, &h, &n, NULL);
    ck_assert(w == 130 && h == 100 && n == 8);
    /* Again, without anything that was there before. */
    ck_assert_msg(sora_pipeline_run(r.p, &r.err) == SORA_OK, "%s", r.err.message);
    close_rig(&r);
}
END_TEST

/* Another family behind the same calls. */
START_TEST(ltx_runs) {
    static const int64_t text[2] = {128, 8};
    rig r;
    open_rig(&r, "loop_ltx");
    sora_model_desc d = {.struct_size = sizeof d};
    ck_assert_int_eq(sora_model_info(r.model, &d), SORA_OK);
    ck_assert_str_eq(d.family, "ltx");
    ck_assert(d.text_length == 128 && d.spatial_factor == 8 && d.temporal_factor == 2 && d.latent_channels == 6);
    set_size(&r, 50, 30, 4, 2);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_E_NOTFOUND); /* no text encoder here */
    give(&r, SORA_SLOT_TEXT, SORA_DTYPE_F32, 2, text);
    give(&r, SORA_SLOT_NEGATIVE, SORA_DTYPE_F32, 2, text);
    ck_assert_msg(sora_pipeline_run(r.p, &r.err) == SORA_OK, "%s", r.err.message);
    int32_t w = 0, h = 0;
    int64_t n = 0;
    double fps = 0;
    sora_pipeline_video_info(r.p, &w, &h, &n, &fps);
    ck_assert(w == 50 && h == 30 && n == 4 && fps == 25.0);
    sora_tensor *latent = NULL;
    ck_assert_int_eq(sora_pipeline_get_tensor(r.p, SORA_SLOT_LATENT, &latent), SORA_OK);
    ck_assert_uint_eq(sora_tensor_bytes(latent), 6 * 3 * 4 * 7 * sizeof(float));
    sora_tensor_unref(&latent);
    /* Stopped in the middle, then whole again. */
    ck_assert_int_eq(sora_pipeline_begin(r.p, &r.err), SORA_OK);
    for (int i = 0; i < 2; i++) ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_MORE);
    sora_pipeline_cancel(r.p);
    ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_E_CANCELLED);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    sora_pipeline_set_i64(r.p, SORA_PARAM_SAMPLER, SORA_SAMPLER_LCM);
    ck_assert_msg(sora_pipeline_run(r.p, &r.err) == SORA_OK, "%s", r.err.message);
    give_picture(&r, SORA_SLOT_LAST_IMAGE, 20, 20);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_E_INVALID);
    ck_assert_int_eq(sora_pipeline_set_tensor(r.p, SORA_SLOT_LAST_IMAGE, NULL), SORA_OK);
    ck_assert_int_eq(sora_pipeline_add_shot(r.p, 2, "something else", (size_t)-1, &r.err), SORA_OK);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_E_UNSUPPORTED);
    close_rig(&r);
}
END_TEST

/* An autoencoder that gives another size than it takes: the decoder's own is given. */
START_TEST(ltx_decoders_have_their_own_factors) {
    static const int64_t shape[4] = {6, 2, 2, 1};
    rig r;
    sora_tensor *latent, *video = NULL;
    sora_tensor_desc d = {.struct_size = sizeof d};
    open_rig(&r, "ltx095");
    latent = tensor(&r, SORA_DTYPE_F32, 4, shape);
    ck_assert_msg(sora_decode_video(r.p, latent, &video, &r.err) == SORA_OK, "%s", r.err.message);
    sora_tensor_info(video, &d);
    ck_assert(d.shape[0] == 3 && d.shape[1] == 9 && d.shape[2] == 64 && d.shape[3] == 32); /* it takes 4 k + 1 frames, 16 pixels */
    sora_tensor_unref(&video);
    sora_tensor_unref(&latent);
    close_rig(&r);
}
END_TEST

/* The stage keeps a limit by decoding in parts, with the bits of the whole: padding at the ends, both ways or one way in time, levels that join
 * channels or not, timesteps, copies past the upsampler. */
START_TEST(ltx_parts_are_the_whole) {
    static const char *const names[] = {"ltx", "ltxodd", "ltx095"};
    static const int64_t channels[] = {7, 5, 6};
    sora_tensor *want = NULL;
    uint64_t peak = 0;
    int done = 0, status = SORA_OK;
    for (int share = 100; status == SORA_OK && share > 5; share -= 5) {
        const int64_t shape[4] = {channels[_i], 7, 5, 6};
        rig r;
        sora_memory m = {.struct_size = sizeof m};
        sora_tensor *got = NULL;
        open_limited(&r, names[_i], peak * (uint64_t)share / 100);
        sora_tensor *latent = tensor(&r, SORA_DTYPE_F32, 4, shape);
        status = sora_decode_video(r.p, latent, &got, &r.err);
        ck_assert_msg(status == SORA_OK || (want && status == SORA_E_NOMEM), "%d %s", status, r.err.message);
        sora_context_memory(r.ctx, &m);
        if (status == SORA_OK && want) {
            ck_assert_uint_eq(sora_tensor_bytes(got), sora_tensor_bytes(want));
            ck_assert_msg(memcmp(sora_tensor_data(got), sora_tensor_data(want), sora_tensor_bytes(want)) == 0, "%s at %d%%", names[_i], share);
            done++;
        }
        peak = peak ? peak : m.peak;
        sora_tensor_unref(&latent);
        if (want) sora_tensor_unref(&got);
        want = want ? want : got;
        close_rig(&r);
    }
    ck_assert_msg(done >= 5, "only %d", done);
    sora_tensor_unref(&want);
}
END_TEST

/* Never less than is taken, and at most a tenth more; under ever lower limits the same frames, until it is said that it can't be done. */
START_TEST(ltx_memory) {
    static const int sizes[][7] = {{64, 32, 5, 3, 0, 0, 1}, {256, 192, 17, 3, 0, 0, 2}, {200, 120, 9, 1, 0, 0, 4}, {256, 256, 1, 3, 0, 0, 1},
                                   {256, 128, 9, 3, 1, 0, 1}, {128, 128, 9, 3, 0, 1, 1}};
    /* width, height, frames, guidance, a picture, cached steps, how many limits at least are kept */
    static const int64_t text[2] = {128, 8};
    const int *s = sizes[_i];
    uint8_t *want = NULL;
    uint64_t peak = 0;
    int done = 0, status = SORA_OK;
    for (int limit = 100; status == SORA_OK && limit > 5; limit -= 10) {
        rig r;
        const uint64_t bound = peak * (uint64_t)limit / 100;
        open_limited(&r, "loop_ltx", bound);
        give(&r, SORA_SLOT_TEXT, SORA_DTYPE_F32, 2, text);
        give(&r, SORA_SLOT_NEGATIVE, SORA_DTYPE_F32, 2, text);
        if (s[4]) give_picture(&r, SORA_SLOT_IMAGE, 70, 50);
        set_size(&r, s[0], s[1], s[2], 3);
        sora_pipeline_set_f64(r.p, SORA_PARAM_GUIDANCE, s[3]);
        sora_pipeline_set_f64(r.p, SORA_PARAM_STEP_CACHE, s[5] ? 100.0 : 0.0);
        sora_memory before = {.struct_size = sizeof before}, after = before, estimate = before;
        const int estimated = sora_pipeline_estimate(r.p, &estimate, &r.err);
        sora_context_memory(r.ctx, &before);
        status = sora_pipeline_run(r.p, &r.err);
        sora_context_memory(r.ctx, &after);
        ck_assert_msg(!peak || after.peak <= bound, "a limit of %llu was not kept", (unsigned long long)bound);
        if (status == SORA_OK) {
            const double taken = (double)(after.peak - before.used), said = (double)estimate.peak;
            ck_assert_int_eq(estimated, SORA_OK);
            ck_assert_msg(said >= taken && said <= 1.10 * taken + 65536, "%d%%: estimate %.3f MiB, taken %.3f MiB", limit, said / 1048576,
                          taken / 1048576);
            const size_t size = (size_t)s[0] * (size_t)s[1] * (size_t)s[2] * 3;
            uint8_t *got = malloc(size);
            ck_assert_int_eq(sora_pipeline_read_frames(r.p, 0, s[2], got, size), SORA_OK);
            if (want) ck_assert_mem_eq(got, want, size);
            free(want);
            want = got;
            done++;
            peak = peak ? peak : after.peak;
        } else {
            ck_assert_msg(status == SORA_E_LIMIT, "%d %s", status, r.err.message);
            ck_assert_msg(strstr(r.err.message, "MiB") != NULL, "%s", r.err.message);
        }
        close_rig(&r);
    }
    ck_assert_int_lt(status, 0);
    ck_assert_msg(done >= s[6], "only %d", done);
    free(want);
}
END_TEST

static void refused(rig *r, const char *word) {
    const int status = sora_pipeline_run(r->p, &r->err);
    ck_assert_msg(status == SORA_E_INVALID, "%s: %s", word, sora_status_name(status));
    ck_assert_msg(strstr(r->err.message, word) != NULL, "%s does not speak of %s", r->err.message, word);
}

START_TEST(what_a_relative_refuses) {
    static const int64_t wrong[3] = {20, 20, 4}, clip[4] = {5, 30, 30, 3}, floats[4] = {3, 5, 30, 30},
                         mask[3] = {5, 8, 8};
    static const int64_t embeds[2] = {10, 9}, condition[4] = {6, 2, 4, 4}, one[1] = {3}, control[4] = {70, 1, 4, 4};
    rig r;
    open_rig(&r, "loop_i2v");
    give_texts(&r);
    set_size(&r, 32, 32, 5, 1);
    refused(&r, "image");
    give(&r, SORA_SLOT_IMAGE, SORA_DTYPE_U8, 3, wrong);
    refused(&r, "image");
    give(&r, SORA_SLOT_IMAGE, SORA_DTYPE_F32, 3, wrong);
    refused(&r, "image");
    give_picture(&r, SORA_SLOT_IMAGE, 20, 20);
    give(&r, SORA_SLOT_IMAGE_EMBEDS, SORA_DTYPE_F32, 2, embeds);
    refused(&r, "embeddings");
    ck_assert_int_eq(sora_pipeline_set_tensor(r.p, SORA_SLOT_IMAGE_EMBEDS, NULL), SORA_OK);
    give(&r, SORA_SLOT_CONDITION, SORA_DTYPE_F32, 4, condition);
    refused(&r, "condition");
    ck_assert_int_eq(sora_pipeline_set_tensor(r.p, SORA_SLOT_CONDITION, NULL), SORA_OK);
    give(&r, SORA_SLOT_VIDEO, SORA_DTYPE_U8, 4, clip);
    refused(&r, "control");
    sora_pipeline_set_tensor(r.p, SORA_SLOT_VIDEO, NULL);
    set_size(&r, 32, 32, 1, 1);
    give_picture(&r, SORA_SLOT_LAST_IMAGE, 20, 20);
    refused(&r, "last");
    close_rig(&r);

    open_rig(&r, "loop_vace");
    give_texts(&r);
    set_size(&r, 32, 32, 5, 1);
    give(&r, SORA_SLOT_MASK, SORA_DTYPE_U8, 3, mask);
    refused(&r, "video");
    give(&r, SORA_SLOT_VIDEO, SORA_DTYPE_F32, 4, floats);
    refused(&r, "video");
    give(&r, SORA_SLOT_VIDEO, SORA_DTYPE_U8, 4, clip);
    give(&r, SORA_SLOT_MASK, SORA_DTYPE_F32, 3, mask);
    refused(&r, "mask");
    sora_pipeline_set_tensor(r.p, SORA_SLOT_MASK, NULL);
    give_picture(&r, SORA_SLOT_REFERENCE + 1, 5, 40);
    refused(&r, "reference");
    sora_pipeline_set_tensor(r.p, SORA_SLOT_REFERENCE + 1, NULL);
    give(&r, SORA_SLOT_CONTROL_SCALE, SORA_DTYPE_F32, 1, one);
    refused(&r, "scale");
    sora_pipeline_set_tensor(r.p, SORA_SLOT_CONTROL_SCALE, NULL);
    give(&r, SORA_SLOT_CONTROL, SORA_DTYPE_F32, 4, control);
    refused(&r, "control");
    sora_pipeline_set_tensor(r.p, SORA_SLOT_CONTROL, NULL);
    give_picture(&r, SORA_SLOT_IMAGE, 20, 20);
    refused(&r, "image");
    close_rig(&r);

    open_rig(&r, "loop_t2v");
    give_texts(&r);
    set_size(&r, 32, 32, 5, 1);
    give_picture(&r, SORA_SLOT_IMAGE, 20, 20);
    refused(&r, "image");
    sora_pipeline_set_tensor(r.p, SORA_SLOT_IMAGE, NULL);
    ck_assert_int_eq(sora_pipeline_set_tensor(r.p, SORA_SLOT_REFERENCE + SORA_MAX_REFERENCES, NULL), SORA_E_INVALID);
    ck_assert_int_eq(sora_pipeline_set_tensor(r.p, 14, NULL), SORA_E_INVALID);
    sora_pipeline_set_text(r.p, SORA_PARAM_TIMESTEPS, "10,20", (size_t)-1);
    refused(&r, "timesteps");
    close_rig(&r);
}
END_TEST

/* Two pipelines of one model, one in each half of its run: both experts are there then, and right. */
START_TEST(two_pipelines_of_two_experts) {
    rig r;
    sora_pipeline *second = NULL;
    sora_tensor *a = NULL, *b = NULL, *c = NULL;
    open_rig(&r, "loop_a14b");
    give_texts(&r);
    set_size(&r, 32, 32, 5, 4);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    ck_assert_int_eq(sora_pipeline_get_tensor(r.p, SORA_SLOT_LATENT, &a), SORA_OK);
    ck_assert_int_eq(sora_pipeline_begin(r.p, &r.err), SORA_OK);
    for (int i = 0; i < 2; i++) ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_MORE); /* in the first expert */

    rig other = r;
    ck_assert_int_eq(sora_pipeline_create(&second, r.model, &r.err), SORA_OK);
    other.p = second;
    give_texts(&other);
    set_size(&other, 32, 32, 5, 4);
    ck_assert_int_eq(sora_pipeline_run(second, &r.err), SORA_OK);
    ck_assert_int_eq(sora_pipeline_get_tensor(second, SORA_SLOT_LATENT, &b), SORA_OK);
    int status;
    do status = sora_pipeline_step(r.p, &r.err);
    while (status == SORA_MORE);
    ck_assert_int_eq(status, SORA_OK);
    ck_assert_int_eq(sora_pipeline_get_tensor(r.p, SORA_SLOT_LATENT, &c), SORA_OK);
    ck_assert_mem_eq(sora_tensor_data(a), sora_tensor_data(b), sora_tensor_bytes(a));
    ck_assert_mem_eq(sora_tensor_data(a), sora_tensor_data(c), sora_tensor_bytes(a));
    sora_pipeline_destroy(&second);
    sora_tensor_unref(&a);
    sora_tensor_unref(&b);
    sora_tensor_unref(&c);
    close_rig(&r);
}
END_TEST

/* A cancelled run of two experts leaves nothing that stands in the way of the next. */
START_TEST(cancelled_between_experts) {
    rig r;
    open_rig(&r, "loop_a14b");
    give_texts(&r);
    set_size(&r, 32, 32, 5, 4);
    for (int stop = 1; stop < 6; stop++) {
        ck_assert_int_eq(sora_pipeline_begin(r.p, &r.err), SORA_OK);
        for (int i = 0; i < stop; i++) ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_MORE);
        sora_pipeline_cancel(r.p);
        ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_E_CANCELLED);
    }
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    close_rig(&r);
}
END_TEST

Suite *suite_family(void) {
    Suite *s = suite_create("family");
    TCase *c = tcase_create("all");
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, every_relative_runs, 0, (int)(sizeof models / sizeof *models));
    tcase_add_test(c, ltx_runs);
    tcase_add_test(c, ltx_decoders_have_their_own_factors);
    tcase_add_loop_test(c, ltx_memory, 0, 6);
    tcase_add_loop_test(c, ltx_parts_are_the_whole, 0, 3);
    tcase_add_test(c, what_a_relative_refuses);
    tcase_add_test(c, two_pipelines_of_two_experts);
    tcase_add_test(c, cancelled_between_experts);
    suite_add_tcase(s, c);
    return s;
}
