/* Conditions: the rules of the timeline, and what a run makes of them, on a model with random weights. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pipeline/pipeline.h"
#include "test/unit/rig.h"

#define SIDE 32
#define SIZE (SIDE * SIDE)

/* Host u8 frames that vary in place and time. */
static sora_tensor *clip(rig *r, int64_t n, int64_t h, int64_t w, int start) {
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 4, 0, {n, h, w, 3}};
    sora_tensor *t = NULL;
    ck_assert_int_eq(sora_tensor_create(&t, r->ctx, &shape, &r->err), SORA_OK);
    uint8_t *rgb = sora_tensor_data(t);
    for (int64_t i = 0; i < n * h * w * 3; i++) {
        const int64_t f = i / (h * w * 3), y = i / (w * 3) % h, x = i / 3 % w;
        rgb[i] = (uint8_t)(start + 40 * f + 5 * (i % 3) + 4 * x + 2 * y);
    }
    return t;
}

static sora_tensor *mask_of(rig *r, int64_t n, int64_t h, int64_t w, int64_t left) { /* given left of column `left` */
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 3, 0, {n, h, w}};
    sora_tensor *t = NULL;
    ck_assert_int_eq(sora_tensor_create(&t, r->ctx, &shape, &r->err), SORA_OK);
    for (int64_t i = 0; i < n * h * w; i++) ((uint8_t *)sora_tensor_data(t))[i] = i % w < left ? 255 : 0;
    return t;
}

static sora_tensor *latent_of_run(rig *r) {
    sora_tensor *t = NULL;
    ck_assert_msg(sora_pipeline_run(r->p, &r->err) == SORA_OK, "%s", r->err.message);
    ck_assert_int_eq(sora_pipeline_get_tensor(r->p, SORA_SLOT_LATENT, &t), SORA_OK);
    return t;
}

/* The latent that the encoder makes of frames. */
static sora_tensor *encoded(rig *r, const sora_tensor *frames) {
    sora_tensor_desc d = {.struct_size = sizeof d};
    sora_tensor *video = NULL, *latent = NULL;
    sora_tensor_info(frames, &d);
    const int64_t n = d.shape[0], size = d.shape[1] * d.shape[2];
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_F32, 4, 0, {3, n, d.shape[1], d.shape[2]}};
    ck_assert_int_eq(sora_tensor_create(&video, r->ctx, &shape, &r->err), SORA_OK);
    const uint8_t *rgb = sora_tensor_data(frames);
    for (int64_t i = 0; i < 3 * n * size; i++)
        ((float *)sora_tensor_data(video))[i] = (float)rgb[(i % (n * size)) * 3 + i / (n * size)] / 127.5f - 1.0f;
    ck_assert_msg(sora_encode_video(r->p, video, &latent, &r->err) == SORA_OK, "%s", r->err.message);
    sora_tensor_unref(&video);
    return latent;
}

/* Largest difference in latent frame t of [4, 2, 4, 4]. */
static double apart(const sora_tensor *a, const sora_tensor *b, int t) {
    const float *x = sora_tensor_data(a), *y = sora_tensor_data(b);
    double worst = 0;
    for (int c = 0; c < 4; c++)
        for (int i = 0; i < 16; i++) worst = fmax(worst, fabs((double)(x[(c * 2 + t) * 16 + i] - y[(c * 2 + t) * 16 + i])));
    return worst;
}

/* A whole clip that is given comes out as it went in, through every solver, told of or replaced. */
START_TEST(what_is_given_comes_out) {
    rig r;
    size_t size;
    open_rig(&r, 2, 0);
    r.model->expand_timesteps = _i & 1;
    sora_tensor *frames = clip(&r, 5, SIDE, SIDE, 10), *want = encoded(&r, frames);
    sora_pipeline_set_i64(r.p, SORA_PARAM_SAMPLER, 1 + _i / 2);
    sora_pipeline_set_i64(r.p, SORA_PARAM_STEPS, 5);
    ck_assert_int_eq(rig_condition(&r, frames, NULL, 0, 1.0), SORA_OK);
    sora_tensor *latent = latent_of_run(&r);
    ck_assert_double_lt(apart(latent, want, 0), 2e-5);
    ck_assert_double_lt(apart(latent, want, 1), 2e-5);
    uint8_t *rgb = frames_of(&r, &size);
    ck_assert_mem_eq(rgb, sora_tensor_data(frames), size);
    /* Without keeping, it is the autoencoder's round trip. */
    sora_tensor *video = NULL;
    sora_pipeline_set_i64(r.p, SORA_PARAM_KEEP, 0);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    free(rgb);
    rgb = frames_of(&r, &size);
    ck_assert_int_eq(sora_decode_video(r.p, want, &video, &r.err), SORA_OK);
    const float *v = sora_tensor_data(video);
    for (int i = 0; i < 5 * SIZE * 3; i++)
        ck_assert_float_le(fabsf((v[i % 3 * 5 * SIZE + i / 3] + 1.0f) * 127.5f - (float)rgb[i]), 0.6f);
    free(rgb);
    sora_tensor *all[] = {frames, want, latent, video};
    for (size_t i = 0; i < 4; i++) sora_tensor_unref(&all[i]);
    close_rig(&r);
}
END_TEST

START_TEST(strength_zero_is_nothing) {
    rig r;
    open_rig(&r, 2, 0);
    r.model->expand_timesteps = _i;
    sora_tensor *frames = clip(&r, 5, SIDE, SIDE, 10), *free_run = latent_of_run(&r);
    ck_assert_int_eq(rig_condition(&r, frames, NULL, 0, 0.0), SORA_OK);
    sora_tensor *latent = latent_of_run(&r);
    ck_assert_mem_eq(sora_tensor_data(latent), sora_tensor_data(free_run), sora_tensor_bytes(latent));
    sora_tensor_unref(&latent);
    ck_assert_int_eq(sora_pipeline_clear_conditions(r.p), SORA_OK);
    ck_assert_int_eq(rig_condition(&r, frames, NULL, 0, 1.0), SORA_OK);
    latent = latent_of_run(&r);
    ck_assert_double_gt(apart(latent, free_run, 0), 0.01);
    sora_tensor_unref(&latent);
    ck_assert_int_eq(sora_pipeline_clear_conditions(r.p), SORA_OK);
    latent = latent_of_run(&r);
    ck_assert_mem_eq(sora_tensor_data(latent), sora_tensor_data(free_run), sora_tensor_bytes(latent));
    sora_tensor *all[] = {frames, free_run, latent};
    for (size_t i = 0; i < 3; i++) sora_tensor_unref(&all[i]);
    close_rig(&r);
}
END_TEST

/* An image at the first frame: that frame of the latent is held, the other is made, and made otherwise for another image. */
START_TEST(an_image_begins_the_video) {
    rig r;
    size_t size;
    open_rig(&r, 2, 0);
    r.model->expand_timesteps = _i;
    sora_tensor *a = clip(&r, 1, SIDE, SIDE, 10), *b = clip(&r, 1, SIDE, SIDE, 90), *want = encoded(&r, a), *run[3], *all[6];
    for (int k = 0; k < 3; k++) {
        ck_assert_int_eq(sora_pipeline_clear_conditions(r.p), SORA_OK);
        if (k) ck_assert_int_eq(rig_condition(&r, k == 1 ? a : b, NULL, 0, 1.0), SORA_OK);
        run[k] = latent_of_run(&r);
    }
    const float *one = sora_tensor_data(want), *got = sora_tensor_data(run[1]);
    for (int c = 0; c < 4; c++)
        for (int i = 0; i < 16; i++) ck_assert_float_le(fabsf(one[c * 16 + i] - got[c * 32 + i]), 2e-5f);
    ck_assert_double_gt(apart(run[0], run[1], 1), 1e-4);
    ck_assert_double_gt(apart(run[1], run[2], 1), 1e-4);
    uint8_t *rgb = frames_of(&r, &size);
    ck_assert_mem_eq(rgb, sora_tensor_data(b), SIZE * 3);
    ck_assert_int_ne(memcmp(rgb + SIZE * 3, sora_tensor_data(b), SIZE * 3), 0);
    free(rgb);
    memcpy(all, run, sizeof run);
    all[3] = a, all[4] = b, all[5] = want;
    for (size_t i = 0; i < 6; i++) sora_tensor_unref(&all[i]);
    close_rig(&r);
}
END_TEST

/* The held places of a latent that is given as such, at frame 1: the second latent frame. */
START_TEST(latents_can_be_given) {
    rig r;
    open_rig(&r, 2, 0);
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_F32, 4, 0, {4, 1, 4, 4}};
    sora_condition c;
    sora_condition_init(&c);
    ck_assert_int_eq(sora_tensor_create(&c.latent, r.ctx, &shape, &r.err), SORA_OK);
    for (int i = 0; i < 64; i++) ((float *)sora_tensor_data(c.latent))[i] = (float)(i % 7) / 5.0f - 0.4f;
    c.at_frame = 1;
    ck_assert_int_eq(sora_pipeline_add_condition(r.p, &c, &r.err), SORA_OK);
    sora_tensor *run = latent_of_run(&r);
    for (int i = 0; i < 64; i++)
        ck_assert_float_le(fabsf(((float *)sora_tensor_data(run))[(i / 16 * 2 + 1) * 16 + i % 16] - ((float *)sora_tensor_data(c.latent))[i]), 2e-5f);
    sora_pipeline_clear_conditions(r.p);
    c.at_frame = 2; /* inside of a latent frame */
    ck_assert_int_eq(sora_pipeline_add_condition(r.p, &c, &r.err), SORA_OK);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_E_INVALID);
    sora_pipeline_clear_conditions(r.p);
    c.at_frame = 0;
    sora_pipeline_set_i64(r.p, SORA_PARAM_WIDTH, 48); /* of another size */
    ck_assert_int_eq(sora_pipeline_add_condition(r.p, &c, &r.err), SORA_OK);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_E_INVALID);
    sora_tensor_unref(&c.latent);
    sora_tensor_unref(&run);
    close_rig(&r);
}
END_TEST

/* The levels of a run that has begun and taken up its conditions. */
static const sorai_held *held_of(rig *r) {
    ck_assert_msg(sora_pipeline_begin(r->p, &r->err) == SORA_OK, "%s", r->err.message);
    while (r->p->state != SORAI_RUN_DENOISE) ck_assert_msg(sora_pipeline_step(r->p, &r->err) == SORA_MORE, "%s", r->err.message);
    ck_assert_ptr_nonnull(r->p->held);
    return r->p->held;
}

static void stop(rig *r) {
    sora_pipeline_cancel(r->p);
    ck_assert_int_eq(sora_pipeline_step(r->p, &r->err), SORA_E_CANCELLED);
    ck_assert_ptr_null(r->p->held);
    sora_pipeline_clear_conditions(r->p);
}

/* 32x32, 5 frames: two latent frames of 2x2 tokens, each 16x16 pixels. */
START_TEST(levels_are_shares) {
    static const struct { int64_t n, at; double strength; int64_t left; float want[8]; } cases[] = {
        {1, 0, 1.0, 32, {0, 0, 0, 0, 1, 1, 1, 1}},           /* an image at the start */
        {5, 0, 1.0, 32, {0, 0, 0, 0, 0, 0, 0, 0}},           /* all of it */
        {4, -3, 1.0, 32, {0, 0, 0, 0, 1, 1, 1, 1}},          /* begins before the video: one frame is left */
        {9, 3, 1.0, 32, {1, 1, 1, 1, .5, .5, .5, .5}},       /* ends behind it: frames 3 and 4 of 1..4 */
        {1, 2, 1.0, 32, {1, 1, 1, 1, .75, .75, .75, .75}},   /* one frame of four */
        {1, 0, 0.25, 32, {.75, .75, .75, .75, 1, 1, 1, 1}},  /* strength */
        {1, 0, 1.0, 16, {0, 1, 0, 1, 1, 1, 1, 1}},           /* the left half */
        {1, 0, 1.0, 24, {0, .5, 0, .5, 1, 1, 1, 1}},         /* through the middle of tokens */
        {1, 0, 0.5, 24, {.5, .75, .5, .75, 1, 1, 1, 1}},
    };
    rig r;
    open_rig(&r, 1, 0);
    sora_tensor *frames = clip(&r, cases[_i].n, SIDE, SIDE, 10), *mask = mask_of(&r, 1, SIDE, SIDE, cases[_i].left);
    ck_assert_int_eq(rig_condition(&r, frames, cases[_i].left < 32 ? mask : NULL, cases[_i].at, cases[_i].strength), SORA_OK);
    const sorai_held *h = held_of(&r);
    ck_assert(h->tokens[0] == 2 && h->tokens[1] == 2 && h->tokens[2] == 2);
    for (int i = 0; i < 8; i++)
        ck_assert_msg(fabsf(h->level[i] - cases[_i].want[i]) < 0.003f, "token %d: %f", i, (double)h->level[i]);
    stop(&r);
    sora_tensor_unref(&frames);
    sora_tensor_unref(&mask);
    close_rig(&r);
}
END_TEST

/* What the network is shown: given places at their level and told so while the noise is above it, then those of the sampler. */
START_TEST(the_network_sees_levels) {
    rig r;
    open_rig(&r, 1, 0);
    sora_tensor *frames = clip(&r, 1, SIDE, SIDE, 10);
    r.model->expand_timesteps = 1;
    sora_pipeline_set_i64(r.p, SORA_PARAM_STEPS, 4);
    ck_assert_int_eq(rig_condition(&r, frames, NULL, 0, 0.4), SORA_OK);
    const sorai_held *h = held_of(&r);
    int held = 0, open = 0;
    for (int step = 0; step < 4; step++) {
        sorai_sampler *s = &r.p->loop.sampler;
        const sorai_exec_mark mark = sorai_exec_here(&r.p->exec);
        sora_tensor *in = sorai_held_input(&r.p->exec, h, s);
        ck_assert(sorai_held_told(h));
        const int on = 0.5f * (s->sigmas[s->index] + s->sigmas[s->index + 1]) > 0.6f; /* most of the step is above the level */
        ck_assert_float_le(fabsf(sorai_held_time(h, s, 0) - (on ? 600.0f : s->timesteps[s->index])), 1.0f);
        ck_assert_float_le(fabsf(sorai_held_time(h, s, 7) - s->timesteps[s->index]), 0.001f);
        const float *a = in->data, *x = s->x->data;
        ck_assert_int_eq(memcmp(a, x, 64 * sizeof *a) != 0, on);
        ck_assert_mem_eq(a + 64, x + 64, 64 * sizeof *a);
        held += on;
        open += !on;
        sorai_exec_rewind(&r.p->exec, mark);
        ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_MORE);
    }
    ck_assert(held > 0 && open > 0);
    stop(&r);
    sora_tensor_unref(&frames);
    close_rig(&r);
}
END_TEST

/* Later conditions over earlier ones; masks let what is below through; what nothing lies on is not there. */
START_TEST(overlaps_have_an_order) {
    rig r;
    sorai_timeline t;
    open_rig(&r, 1, 0);
    sora_tensor *a = clip(&r, 3, SIDE, SIDE, 0), *b = clip(&r, 1, SIDE, SIDE, 100), *mask = mask_of(&r, 1, SIDE, SIDE, 10);
    ck_assert_int_eq(rig_condition(&r, a, NULL, 0, 1.0), SORA_OK);
    ck_assert_int_eq(rig_condition(&r, b, mask, 1, 0.5), SORA_OK);
    sorai_plan plan = {.width = SIDE, .height = SIDE, .frames = 5};
    ck_assert_int_eq(sorai_timeline_make(&t, r.p->mem, &r.p->conditions, &plan, NULL, &r.err), SORA_OK);
    const uint8_t *first = sora_tensor_data(a), *second = sora_tensor_data(b);
    for (int i = 0; i < SIZE; i++) {
        const int over = i % SIDE < 10;
        ck_assert_mem_eq(t.rgb + i * 3, first + i * 3, 3);
        ck_assert_mem_eq(t.rgb + (SIZE + i) * 3, over ? second + i * 3 : first + (SIZE + i) * 3, 3);
        ck_assert_int_eq(t.known[i], 255);
        ck_assert_int_eq(t.known[SIZE + i], over ? 128 : 255);
        ck_assert_int_eq(t.keep[SIZE + i], over ? 0 : 255);
        ck_assert_int_eq(t.known[3 * SIZE + i], 0);
    }
    ck_assert(t.there[0] && t.there[1] && t.there[2] && !t.there[3] && !t.there[4]);
    sorai_timeline_release(&t);
    sora_tensor_unref(&a);
    sora_tensor_unref(&b);
    sora_tensor_unref(&mask);
    close_rig(&r);
}
END_TEST

/* A 40x20 picture on a 20x20 video: where it lies, for each way of fitting. */
START_TEST(pictures_are_fitted) {
    rig r;
    sorai_timeline t;
    open_rig(&r, 1, 0);
    sora_condition c;
    sora_condition_init(&c);
    sorai_plan plan = {.width = 20, .height = 20, .frames = 1};
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 4, 0, {1, 20, 40, 3}};
    ck_assert_int_eq(sora_tensor_create(&c.frames, r.ctx, &shape, &r.err), SORA_OK);
    uint8_t *rgb = sora_tensor_data(c.frames);
    for (int i = 0; i < 20 * 40 * 3; i++) rgb[i] = i / 3 % 40 < 20 ? 200 : 50; /* left light, right dark */
    for (c.fit = SORA_FIT_FILL; c.fit <= SORA_FIT_STRETCH; c.fit++) {
        ck_assert_int_eq(sora_pipeline_clear_conditions(r.p), SORA_OK);
        ck_assert_int_eq(sora_pipeline_add_condition(r.p, &c, &r.err), SORA_OK);
        ck_assert_int_eq(sorai_timeline_make(&t, r.p->mem, &r.p->conditions, &plan, NULL, &r.err), SORA_OK);
        int64_t known = 0;
        for (int i = 0; i < 400; i++) known += t.known[i] == 255;
        ck_assert_int_eq(known, c.fit == SORA_FIT_INSIDE ? 200 : 400);
        ck_assert_int_eq(t.known[2 * 20 + 10], c.fit == SORA_FIT_INSIDE ? 0 : 255);
        ck_assert(t.rgb[(10 * 20 + 5) * 3] > 190 && t.rgb[(10 * 20 + 15) * 3] < 60);
        sorai_timeline_release(&t);
    }
    c.fit = SORA_FIT_EXACT;
    sora_pipeline_clear_conditions(r.p);
    ck_assert_int_eq(sora_pipeline_add_condition(r.p, &c, &r.err), SORA_OK);
    ck_assert_int_eq(sorai_timeline_make(&t, r.p->mem, &r.p->conditions, &plan, NULL, &r.err), SORA_E_INVALID);
    sora_tensor_unref(&c.frames);
    close_rig(&r);
}
END_TEST

/* Odd sizes and counts: what is asked for is made, and what is given is in it. */
START_TEST(odd_sizes_keep_what_is_given) {
    static const int sizes[][4] = {{33, 17, 6, 5}, {50, 30, 2, 1}, {16, 48, 9, 8}, {31, 32, 1, 0}}; /* width, height, frames, at */
    rig r;
    size_t size;
    const int *s = sizes[_i];
    open_rig(&r, 2, 0);
    sora_pipeline_set_i64(r.p, SORA_PARAM_WIDTH, s[0]);
    sora_pipeline_set_i64(r.p, SORA_PARAM_HEIGHT, s[1]);
    sora_pipeline_set_i64(r.p, SORA_PARAM_FRAMES, s[2]);
    sora_tensor *frames = clip(&r, 1, s[1], s[0], 60);
    ck_assert_int_eq(rig_condition(&r, frames, NULL, s[3], 1.0), SORA_OK);
    ck_assert_msg(sora_pipeline_run(r.p, &r.err) == SORA_OK, "%s", r.err.message);
    uint8_t *rgb = frames_of(&r, &size);
    ck_assert_uint_eq(size, (size_t)(s[0] * s[1] * s[2] * 3));
    ck_assert_mem_eq(rgb + (size_t)s[3] * sora_tensor_bytes(frames), sora_tensor_data(frames), sora_tensor_bytes(frames));
    free(rgb);
    sora_tensor_unref(&frames);
    close_rig(&r);
}
END_TEST

START_TEST(wrong_conditions_are_refused) {
    rig r;
    open_rig(&r, 1, 0);
    sora_tensor *frames = clip(&r, 2, SIDE, SIDE, 0), *mask = mask_of(&r, 2, SIDE, SIDE, 4), *small = mask_of(&r, 2, 8, 8, 4);
    sora_condition c;
    sora_condition_init(&c);
    sora_condition_init(NULL);
    ck_assert_int_eq(sora_pipeline_add_condition(r.p, &c, &r.err), SORA_E_INVALID); /* nothing */
    ck_assert_int_eq(sora_pipeline_add_condition(NULL, &c, &r.err), SORA_E_INVALID);
    ck_assert_int_eq(sora_pipeline_add_condition(r.p, NULL, &r.err), SORA_E_INVALID);
    ck_assert_int_eq(rig_condition(&r, mask, NULL, 0, 1.0), SORA_E_INVALID);
    ck_assert_int_eq(rig_condition(&r, frames, small, 0, 1.0), SORA_E_INVALID);
    ck_assert_int_eq(rig_condition(&r, frames, frames, 0, 1.0), SORA_E_INVALID);
    ck_assert_int_eq(rig_condition(&r, frames, NULL, 0, 1.1), SORA_E_INVALID);
    ck_assert_int_eq(rig_condition(&r, frames, NULL, 0, (double)NAN), SORA_E_INVALID);
    ck_assert_int_eq(rig_condition(&r, frames, NULL, INT64_MIN, 1.0), SORA_E_INVALID);
    c.frames = frames;
    c.latent = frames;
    ck_assert_int_eq(sora_pipeline_add_condition(r.p, &c, &r.err), SORA_E_INVALID);
    c.latent = NULL;
    c.fit = 4;
    ck_assert_int_eq(sora_pipeline_add_condition(r.p, &c, &r.err), SORA_E_INVALID);
    /* Outside of the video: refused when the length is known. */
    static const int64_t places[] = {5, -2, 1000000};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(rig_condition(&r, frames, NULL, places[i], 1.0), SORA_OK);
        ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_E_INVALID);
        ck_assert_int_eq(sora_pipeline_clear_conditions(r.p), SORA_OK);
    }
    /* Not during a run. */
    ck_assert_int_eq(rig_condition(&r, frames, mask, 0, 1.0), SORA_OK);
    ck_assert_int_eq(sora_pipeline_begin(r.p, &r.err), SORA_OK);
    ck_assert_int_eq(rig_condition(&r, frames, mask, 0, 1.0), SORA_E_STATE);
    ck_assert_int_eq(sora_pipeline_clear_conditions(r.p), SORA_E_STATE);
    ck_assert_int_eq(sora_pipeline_clear_conditions(NULL), SORA_E_INVALID);
    sora_tensor_unref(&frames);
    sora_tensor_unref(&mask);
    sora_tensor_unref(&small);
    close_rig(&r);
}
END_TEST

/* What conditions take is part of the estimate: never too low, at most a tenth too high. */
START_TEST(memory_is_estimated) {
    static const int sizes[][3] = {{32, 32, 5}, {96, 160, 9}};
    rig r;
    const int *s = sizes[_i];
    open_rig(&r, 2, 0);
    sora_pipeline_set_i64(r.p, SORA_PARAM_WIDTH, s[0]);
    sora_pipeline_set_i64(r.p, SORA_PARAM_HEIGHT, s[1]);
    sora_pipeline_set_i64(r.p, SORA_PARAM_FRAMES, s[2]);
    sora_tensor *frames = clip(&r, 3, s[1], s[0], 0);
    ck_assert_int_eq(rig_condition(&r, frames, NULL, 0, 1.0), SORA_OK);
    run_as_estimated(&r, 0.10, 65536, "a condition");
    sora_tensor_unref(&frames);
    close_rig(&r);
}
END_TEST

Suite *suite_conditions(void);
Suite *suite_conditions(void) {
    Suite *s = suite_create("conditions");
    TCase *c = tcase_create("conditions");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, NULL, remove_model);
    tcase_add_loop_test(c, what_is_given_comes_out, 0, 6);
    tcase_add_loop_test(c, strength_zero_is_nothing, 0, 2);
    tcase_add_loop_test(c, an_image_begins_the_video, 0, 2);
    tcase_add_test(c, latents_can_be_given);
    tcase_add_loop_test(c, levels_are_shares, 0, 9);
    tcase_add_test(c, the_network_sees_levels);
    tcase_add_test(c, overlaps_have_an_order);
    tcase_add_test(c, pictures_are_fitted);
    tcase_add_loop_test(c, odd_sizes_keep_what_is_given, 0, 4);
    tcase_add_test(c, wrong_conditions_are_refused);
    tcase_add_loop_test(c, memory_is_estimated, 0, 2);
    suite_add_tcase(s, c);
    return s;
}
