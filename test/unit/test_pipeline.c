/* Pipelines through the public API, on the tests' tiny model: parameters, steps, frames, cancel, slots, memory. */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/pipeline/pipeline.h"
#include "test/unit/rig.h"

START_TEST(every_parameter_is_bounded) {
    rig r;
    open_rig(&r, 1, 0);
    sora_param_desc d = {.struct_size = sizeof d}, same = {.struct_size = sizeof same};
    uint32_t seen = 0, n = 0;
    for (; sora_param_at(n, &d) == SORA_OK; n++) {
        ck_assert_msg(d.id > 0 && d.id < 32 && !(seen >> d.id & 1u), "%s has a number of its own", d.name);
        seen |= 1u << d.id;
        ck_assert(d.name && *d.name && d.help && *d.help && d.unit);
        ck_assert_int_eq(sora_param_info(d.id, &same), SORA_OK);
        ck_assert_str_eq(same.name, d.name);
        switch (d.kind) {
        case SORA_KIND_TEXT:
            ck_assert_int_eq(sora_pipeline_set_text(r.p, d.id, "x", (size_t)-1), SORA_OK);
            ck_assert_int_eq(sora_pipeline_set_text(r.p, d.id, "", 0), SORA_OK);
            ck_assert_int_eq(sora_pipeline_set_text(r.p, d.id, NULL, 0), SORA_E_INVALID);
            ck_assert_int_eq(sora_pipeline_set_i64(r.p, d.id, 1), SORA_E_INVALID);
            break;
        case SORA_KIND_F64:
            ck_assert(d.lowest <= d.initial && d.initial <= d.highest);
            ck_assert_int_eq(sora_pipeline_set_f64(r.p, d.id, d.lowest), SORA_OK);
            ck_assert_int_eq(sora_pipeline_set_f64(r.p, d.id, d.highest), SORA_OK);
            ck_assert_int_eq(sora_pipeline_set_f64(r.p, d.id, d.lowest - 0.001), SORA_E_INVALID);
            ck_assert_int_eq(sora_pipeline_set_f64(r.p, d.id, d.highest * 1.001), SORA_E_INVALID);
            ck_assert_int_eq(sora_pipeline_set_f64(r.p, d.id, (double)NAN), SORA_E_INVALID);
            ck_assert_int_eq(sora_pipeline_set_f64(r.p, d.id, d.initial), SORA_OK);
            ck_assert_int_eq(sora_pipeline_set_i64(r.p, d.id, 1), SORA_E_INVALID);
            break;
        default:
            ck_assert(d.lowest <= d.initial && d.initial <= d.highest);
            ck_assert_int_eq(sora_pipeline_set_i64(r.p, d.id, (int64_t)d.lowest), SORA_OK);
            ck_assert_int_eq(sora_pipeline_set_i64(r.p, d.id, (int64_t)d.highest), SORA_OK);
            ck_assert_int_eq(sora_pipeline_set_i64(r.p, d.id, (int64_t)d.lowest - 1), SORA_E_INVALID);
            ck_assert_int_eq(sora_pipeline_set_i64(r.p, d.id, (int64_t)d.highest + 1), SORA_E_INVALID);
            ck_assert_int_eq(sora_pipeline_set_i64(r.p, d.id, INT64_MAX), SORA_E_INVALID);
            ck_assert_int_eq(sora_pipeline_set_i64(r.p, d.id, INT64_MIN), SORA_E_INVALID);
            ck_assert_int_eq(sora_pipeline_set_i64(r.p, d.id, (int64_t)d.initial), SORA_OK);
            ck_assert_int_eq(sora_pipeline_set_f64(r.p, d.id, 1.0), SORA_E_INVALID);
            if (d.kind == SORA_KIND_ENUM) {
                int words = 1;
                for (const char *c = d.values; *c; c++) words += *c == '|';
                ck_assert_int_eq(words, (int)d.highest + 1);
            }
            break;
        }
    }
    ck_assert_uint_ge(n, 11);
    ck_assert_int_eq(sora_param_info(0, &d), SORA_E_NOTFOUND);
    ck_assert_int_eq(sora_param_info(31, &d), SORA_E_NOTFOUND);
    ck_assert_int_eq(sora_param_at(n + 1000, &d), SORA_E_NOTFOUND);
    ck_assert_int_eq(sora_pipeline_set_i64(r.p, 31, 0), SORA_E_NOTFOUND);
    ck_assert_int_eq(sora_pipeline_set_f64(r.p, -1, 0), SORA_E_NOTFOUND);
    ck_assert_int_eq(sora_pipeline_set_text(r.p, 0, "x", 1), SORA_E_NOTFOUND);
    close_rig(&r);
}
END_TEST

typedef struct watcher {
    int64_t next;
    int32_t width, height;
    uint8_t *rgb; /* copies of all frames */
    double fraction;
    int calls, stop_at; /* stop_at: the call that says stop; 0: none */
} watcher;

static int on_frame(void *user, int64_t index, const uint8_t *rgb, int32_t width, int32_t height) {
    watcher *w = user;
    const size_t size = (size_t)width * (size_t)height * 3;
    ck_assert_int_eq(index, w->next);
    w->width = width;
    w->height = height;
    w->rgb = realloc(w->rgb, size * (size_t)(index + 1));
    memcpy(w->rgb + size * (size_t)index, rgb, size);
    w->next++;
    return 0;
}

static int on_progress(void *user, const sora_progress *p) {
    watcher *w = user;
    ck_assert(p->fraction >= w->fraction && p->fraction <= 1.0);
    ck_assert(p->step >= 1 && p->step <= p->steps && p->phase >= SORA_PHASE_TEXT && p->phase <= SORA_PHASE_DECODE);
    w->fraction = p->fraction;
    w->calls++;
    return w->stop_at && w->calls == w->stop_at;
}

START_TEST(what_is_asked_for_is_made) {
    static const int sizes[][3] = {{32, 32, 5}, {16, 16, 1}, {17, 31, 2}, {50, 37, 7},
                                   {1, 1, 1},   {33, 16, 3}, {16, 48, 9}, {15, 64, 6}};
    rig r;
    const int *s = sizes[_i];
    open_rig(&r, 2, 0);
    watcher w = {0};
    sora_pipeline_set_i64(r.p, SORA_PARAM_WIDTH, s[0]);
    sora_pipeline_set_i64(r.p, SORA_PARAM_HEIGHT, s[1]);
    sora_pipeline_set_i64(r.p, SORA_PARAM_FRAMES, s[2]);
    sora_pipeline_set_f64(r.p, SORA_PARAM_FPS, 12.5);
    sora_pipeline_set_frame_callback(r.p, on_frame, &w);
    sora_pipeline_set_progress(r.p, on_progress, &w);
    ck_assert_msg(sora_pipeline_run(r.p, &r.err) == SORA_OK, "%s", r.err.message);
    int32_t width, height;
    int64_t frames;
    double fps;
    size_t size;
    ck_assert_int_eq(sora_pipeline_video_info(r.p, &width, &height, &frames, &fps), SORA_OK);
    ck_assert(width == s[0] && height == s[1] && frames == s[2] && fps == 12.5);
    ck_assert(w.next == frames && w.width == width && w.height == height && w.fraction == 1.0);
    uint8_t *rgb = frames_of(&r, &size);
    ck_assert_mem_eq(rgb, w.rgb, size);
    /* One at a time, and what is not there. */
    const size_t one = size / (size_t)frames;
    for (int64_t f = 0; f < frames; f++) {
        ck_assert_int_eq(sora_pipeline_read_frames(r.p, f, 1, w.rgb, one), SORA_OK);
        ck_assert_mem_eq(w.rgb, rgb + one * (size_t)f, one);
    }
    ck_assert_int_eq(sora_pipeline_read_frames(r.p, 0, frames, rgb, size - 1), SORA_E_INVALID);
    ck_assert_int_eq(sora_pipeline_read_frames(r.p, 1, frames, rgb, size), SORA_E_INVALID);
    ck_assert_int_eq(sora_pipeline_read_frames(r.p, -1, 1, rgb, size), SORA_E_INVALID);
    ck_assert_int_eq(sora_pipeline_read_frames(r.p, frames, 0, NULL, 0), SORA_OK);
    free(rgb);
    free(w.rgb);
    close_rig(&r);
}
END_TEST

START_TEST(steps_are_a_run) {
    rig r;
    size_t a, b;
    int count = 0, status;
    open_rig(&r, 2, 0);
    ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_E_STATE);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    uint8_t *whole = frames_of(&r, &a);
    ck_assert_int_eq(sora_pipeline_begin(r.p, &r.err), SORA_OK);
    ck_assert_int_eq(sora_pipeline_begin(r.p, &r.err), SORA_E_STATE);
    ck_assert_int_eq(sora_pipeline_set_i64(r.p, SORA_PARAM_SEED, 3), SORA_E_STATE);
    ck_assert_int_eq(sora_pipeline_set_text(r.p, SORA_PARAM_PROMPT, "x", 1), SORA_E_STATE);
    ck_assert_int_eq(sora_pipeline_set_tensor(r.p, SORA_SLOT_NOISE, NULL), SORA_E_STATE);
    sora_tensor *text = NULL;
    ck_assert_int_eq(sora_encode_text(r.p, "x", 1, &text, NULL, &r.err), SORA_E_STATE);
    while ((status = sora_pipeline_step(r.p, &r.err)) == SORA_MORE) count++;
    ck_assert_int_eq(status, SORA_OK);
    ck_assert_int_eq(count + 1, 1 + 2 + 2); /* text, two denoising steps, two pieces of video */
    uint8_t *sliced = frames_of(&r, &b);
    ck_assert_uint_eq(a, b);
    ck_assert_mem_eq(whole, sliced, a);
    ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_E_STATE);
    /* Another seed gives another video; the first one gives the first again. */
    free(sliced);
    sora_pipeline_set_i64(r.p, SORA_PARAM_SEED, 3);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    sliced = frames_of(&r, &b);
    ck_assert_int_ne(memcmp(whole, sliced, a), 0);
    free(sliced);
    sora_pipeline_set_i64(r.p, SORA_PARAM_SEED, 0);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    sliced = frames_of(&r, &b);
    ck_assert_mem_eq(whole, sliced, a);
    free(sliced);
    free(whole);
    close_rig(&r);
}
END_TEST

/* The callback stops at its k-th call, wherever that is; the pipeline is as new. */
START_TEST(stopping_anywhere_leaves_it_usable) {
    rig r;
    size_t a, b;
    open_rig(&r, 2, 0);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    uint8_t *whole = frames_of(&r, &a);
    for (int k = 1; k <= 5; k++) {
        watcher w = {.stop_at = k};
        sora_pipeline_set_progress(r.p, on_progress, &w);
        ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_E_CANCELLED);
        ck_assert_int_eq(w.calls, k);
        ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_E_STATE);
        sora_pipeline_set_progress(r.p, NULL, NULL);
        ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
        uint8_t *again = frames_of(&r, &b);
        ck_assert_uint_eq(a, b);
        ck_assert_mem_eq(whole, again, a);
        free(again);
    }
    free(whole);
    close_rig(&r);
}
END_TEST

static void *cancel_soon(void *user) {
    rig *r = user;
    static unsigned turn;
    const struct timespec moment = {0, (long)(turn++ * 137 % 4000) * 1000};
    nanosleep(&moment, NULL);
    sora_pipeline_cancel(r->p);
    return NULL;
}

/* Whenever it comes, a cancel stops either the run under way or the next. */
START_TEST(cancel_is_never_lost) {
    rig r;
    int stopped = 0, late = 0;
    open_rig(&r, 2, 0);
    sora_pipeline_cancel(r.p);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_E_CANCELLED);
    ck_assert_int_eq(r.err.code, SORA_E_CANCELLED);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    for (int k = 0; k < 60; k++) {
        pthread_t thread;
        sora_pipeline_set_i64(r.p, SORA_PARAM_STEPS, 1 + k % 4);
        ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, &r), 0);
        const int status = sora_pipeline_run(r.p, &r.err);
        pthread_join(thread, NULL);
        ck_assert(status == SORA_OK || status == SORA_E_CANCELLED);
        if (status == SORA_OK) {
            ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_E_CANCELLED);
            late++;
        } else {
            stopped++;
        }
        sora_pipeline_set_i64(r.p, SORA_PARAM_STEPS, 1);
        ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    }
    ck_assert_int_eq(stopped + late, 60);
    /* A stage that it stops uses it up as well. */
    sora_tensor *text = NULL;
    sora_pipeline_cancel(r.p);
    ck_assert_int_eq(sora_encode_text(r.p, "a cat", (size_t)-1, &text, NULL, &r.err), SORA_E_CANCELLED);
    ck_assert_ptr_null(text);
    ck_assert_int_eq(sora_encode_text(r.p, "a cat", (size_t)-1, &text, NULL, &r.err), SORA_OK);
    sora_tensor_unref(&text);
    sora_pipeline_cancel(NULL);
    close_rig(&r);
}
END_TEST

/* What a run does is what its stages do, and what it made can be given back to it. */
START_TEST(a_run_is_its_stages) {
    rig r;
    size_t a, b;
    open_rig(&r, 2, 0);
    sora_tensor *text = NULL, *negative = NULL, *latent = NULL, *made = NULL, *ids = NULL, *video = NULL, *noise = NULL,
                *sampled = NULL;
    ck_assert_int_eq(sora_pipeline_get_tensor(r.p, SORA_SLOT_LATENT, &made), SORA_E_NOTFOUND);
    ck_assert_int_eq(sora_encode_text(r.p, "a cat", (size_t)-1, &text, &ids, &r.err), SORA_OK);
    ck_assert_int_eq(sora_encode_text(r.p, "", 0, &negative, NULL, &r.err), SORA_OK);
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_F32, 4, 0, {4, 2, 4, 4}};
    ck_assert_int_eq(sora_tensor_create(&noise, r.ctx, &shape, &r.err), SORA_OK);
    for (int i = 0; i < 128; i++) ((float *)sora_tensor_data(noise))[i] = (float)(i * 37 % 64) / 20.0f - 1.6f;
    ck_assert_int_eq(sora_pipeline_set_tensor(r.p, SORA_SLOT_NOISE, noise), SORA_OK);
    ck_assert_msg(sora_pipeline_run(r.p, &r.err) == SORA_OK, "%s", r.err.message);
    uint8_t *whole = frames_of(&r, &a);
    ck_assert_int_eq(sora_pipeline_get_tensor(r.p, SORA_SLOT_TEXT, &made), SORA_OK);
    ck_assert_uint_eq(sora_tensor_bytes(made), sora_tensor_bytes(text));
    ck_assert_mem_eq(sora_tensor_data(made), sora_tensor_data(text), sora_tensor_bytes(text));
    ck_assert_int_eq(sora_pipeline_get_tensor(r.p, SORA_SLOT_LATENT, &latent), SORA_OK);
    ck_assert_msg(sora_sample(r.p, noise, text, negative, &sampled, &r.err) == SORA_OK, "%s", r.err.message);
    ck_assert_mem_eq(sora_tensor_data(sampled), sora_tensor_data(latent), sora_tensor_bytes(latent));
    ck_assert_int_eq(sora_decode_video(r.p, latent, &video, &r.err), SORA_OK);
    const float *v = sora_tensor_data(video);
    for (int f = 0; f < 5; f++)
        for (int i = 0; i < 32 * 32 * 3; i++) {
            const float want = (v[(i % 3 * 5 + f) * 1024 + i / 3] + 1.0f) * 127.5f;
            ck_assert(whole[f * 3072 + i] >= want - 0.51f && whole[f * 3072 + i] <= want + 0.51f);
        }
    /* With the texts given, no prompt is needed. */
    sora_pipeline_set_text(r.p, SORA_PARAM_PROMPT, "something else", (size_t)-1);
    sora_pipeline_set_tensor(r.p, SORA_SLOT_TEXT, text);
    sora_pipeline_set_tensor(r.p, SORA_SLOT_NEGATIVE, negative);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    uint8_t *again = frames_of(&r, &b);
    ck_assert_mem_eq(whole, again, a);
    /* A tensor that does not fit is refused at begin. */
    sora_pipeline_set_i64(r.p, SORA_PARAM_WIDTH, 48);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_E_INVALID);
    ck_assert_int_eq(sora_pipeline_set_tensor(r.p, SORA_SLOT_LATENT, noise), SORA_E_INVALID);
    free(whole);
    free(again);
    sora_tensor *all[] = {text, negative, latent, made, ids, video, noise, sampled};
    close_rig(&r); /* before the tensors: the order is free */
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) sora_tensor_unref(&all[i]);
}
END_TEST

static void denoised(rig *r, const float *x, float timestep, const sora_tensor *text, float *velocity) {
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_F32, 4, 0, {4, 2, 4, 4}}, one = {sizeof one, SORA_DTYPE_F32, 1, 0, {1}};
    sora_tensor *latent = NULL, *t = NULL, *v = NULL;
    ck_assert_int_eq(sora_tensor_create(&latent, r->ctx, &shape, &r->err), SORA_OK);
    ck_assert_int_eq(sora_tensor_create(&t, r->ctx, &one, &r->err), SORA_OK);
    memcpy(sora_tensor_data(latent), x, 128 * sizeof *x);
    *(float *)sora_tensor_data(t) = timestep;
    ck_assert_msg(sora_denoise(r->p, latent, t, text, &v, &r->err) == SORA_OK, "%s", r->err.message);
    memcpy(velocity, sora_tensor_data(v), 128 * sizeof *velocity);
    sora_tensor_unref(&latent);
    sora_tensor_unref(&t);
    sora_tensor_unref(&v);
}

/* Guidance 4 down to a noise level, Euler from 1 to 0.4 to 0: against its formula, each step guided or not. */
START_TEST(guidance_ends_at_a_level) {
    static const double until[4] = {-1.0, 0.4, 0.41, 1.0}; /* steps that begin at a level count, also where it is the bound itself */
    static const int guided[4] = {2, 2, 1, 1};
    rig r;
    float noise[128], x[128], c[128], u[128];
    open_rig(&r, 2, 0);
    sora_tensor *text = NULL, *negative = NULL, *start = NULL, *latent = NULL;
    ck_assert_int_eq(sora_encode_text(r.p, "a cat", (size_t)-1, &text, NULL, &r.err), SORA_OK);
    ck_assert_int_eq(sora_encode_text(r.p, "", 0, &negative, NULL, &r.err), SORA_OK);
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_F32, 4, 0, {4, 2, 4, 4}};
    ck_assert_int_eq(sora_tensor_create(&start, r.ctx, &shape, &r.err), SORA_OK);
    for (int i = 0; i < 128; i++) ((float *)sora_tensor_data(start))[i] = noise[i] = (float)(i * 37 % 64) / 20.0f - 1.6f;
    sora_pipeline_set_f64(r.p, SORA_PARAM_GUIDANCE, 4.0);
    sora_pipeline_set_i64(r.p, SORA_PARAM_SAMPLER, SORA_SAMPLER_EULER);
    sora_pipeline_set_text(r.p, SORA_PARAM_TIMESTEPS, "1000,400", (size_t)-1);
    for (int k = 0; k < 4; k++) {
        ck_assert_int_eq(sora_pipeline_set_f64(r.p, SORA_PARAM_GUIDANCE_UNTIL, until[k]), SORA_OK);
        ck_assert_msg(sora_sample(r.p, start, text, negative, &latent, &r.err) == SORA_OK, "%s", r.err.message);
        memcpy(x, noise, sizeof x);
        for (int step = 0; step < 2; step++) {
            denoised(&r, x, step ? 400.0f : 1000.0f, text, c);
            denoised(&r, x, step ? 400.0f : 1000.0f, negative, u);
            for (int i = 0; i < 128; i++) x[i] -= (step ? 0.4f : 0.6f) * (step < guided[k] ? u[i] + 4.0f * (c[i] - u[i]) : c[i]);
        }
        for (int i = 0; i < 128; i++) ck_assert_float_eq_tol(((const float *)sora_tensor_data(latent))[i], x[i], 1e-4f);
        sora_tensor_unref(&latent);
    }
    ck_assert_int_eq(sora_pipeline_set_f64(r.p, SORA_PARAM_GUIDANCE_UNTIL, 1.1), SORA_E_INVALID);
    sora_tensor_unref(&text);
    sora_tensor_unref(&negative);
    sora_tensor_unref(&start);
    close_rig(&r);
}
END_TEST

/* Saved after any step and resumed in another pipeline, a run gives the same bits, with every solver, with a condition too. */
START_TEST(saved_runs_go_on) {
    rig r, other;
    size_t a, b;
    char path[96];
    open_rig(&r, 2, 0);
    snprintf(path, sizeof path, "%s/run.safetensors", rig_model());
    sora_condition c;
    sora_condition_init(&c);
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 4, 0, {1, 32, 32, 3}};
    ck_assert_int_eq(sora_tensor_create(&c.frames, r.ctx, &shape, &r.err), SORA_OK);
    memset(sora_tensor_data(c.frames), 90, 3072);
    const int sampler = 1 + _i / 2;
    sora_pipeline_set_i64(r.p, SORA_PARAM_SAMPLER, sampler);
    sora_pipeline_set_i64(r.p, SORA_PARAM_STEPS, 4);
    if (_i & 1) ck_assert_int_eq(sora_pipeline_add_condition(r.p, &c, &r.err), SORA_OK);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    uint8_t *whole = frames_of(&r, &a);
    ck_assert_int_eq(sora_pipeline_save(r.p, path, &r.err), SORA_E_STATE);
    for (int k = 0; k < 4; k++) {
        ck_assert_int_eq(sora_pipeline_begin(r.p, &r.err), SORA_OK);
        for (int i = 0; i < 1 + 3 * (_i & 1) + k; i++) /* a condition is laid, and encoded in two steps */
            ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_MORE);
        ck_assert_msg(sora_pipeline_save(r.p, path, &r.err) == SORA_OK, "%s", r.err.message);
        sora_pipeline_cancel(r.p);
        ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_E_CANCELLED);
        open_rig(&other, 1, 0);
        ck_assert_int_eq(sora_pipeline_resume(other.p, path, &other.err), SORA_E_INVALID); /* another request */
        sora_pipeline_set_i64(other.p, SORA_PARAM_SAMPLER, sampler);
        sora_pipeline_set_i64(other.p, SORA_PARAM_STEPS, 4);
        if (_i & 1) ck_assert_int_eq(sora_pipeline_add_condition(other.p, &c, &other.err), SORA_OK);
        ck_assert_msg(sora_pipeline_resume(other.p, path, &other.err) == SORA_OK, "%s", other.err.message);
        ck_assert_int_eq(sora_pipeline_begin(other.p, &other.err), SORA_E_STATE);
        int steps = 1, status;
        while ((status = sora_pipeline_step(other.p, &other.err)) == SORA_MORE) steps++;
        ck_assert_int_eq(status, SORA_OK);
        ck_assert_int_eq(steps, 4 - k + 2); /* what was left of denoising, and two pieces of video */
        uint8_t *rest = frames_of(&other, &b);
        ck_assert_uint_eq(a, b);
        ck_assert_mem_eq(whole, rest, a);
        free(rest);
        /* A file cut short is refused, and the pipeline can be used. */
        ck_assert_int_eq(truncate(path, 700), 0);
        ck_assert_int_lt(sora_pipeline_resume(other.p, path, &other.err), 0);
        ck_assert_int_eq(sora_pipeline_run(other.p, &other.err), SORA_OK);
        close_rig(&other);
    }
    ck_assert_int_eq(sora_pipeline_resume(r.p, "no/such/file", &r.err), SORA_E_NOTFOUND);
    ck_assert_int_eq(sora_pipeline_resume(r.p, rig_model(), &r.err) < 0, 1);
    free(whole);
    sora_tensor_unref(&c.frames);
    close_rig(&r);
}
END_TEST

static void set_cache(rig *r, double threshold, int steps, double guidance) {
    ck_assert_int_eq(sora_pipeline_set_f64(r->p, SORA_PARAM_STEP_CACHE, threshold), SORA_OK);
    sora_pipeline_set_i64(r->p, SORA_PARAM_STEPS, steps);
    sora_pipeline_set_f64(r->p, SORA_PARAM_GUIDANCE, guidance);
}

/* Frames of a run; *left_out: steps without blocks; unbatched: guidance's passes one after the other. */
static uint8_t *cached_frames(rig *r, double threshold, double guidance, int unbatched, size_t *size, int *left_out) {
    int status;
    set_cache(r, threshold, 6, guidance);
    *left_out = 0;
    ck_assert_msg(sora_pipeline_begin(r->p, &r->err) == SORA_OK, "%s", r->err.message);
    r->p->plan.unbatched = unbatched;
    while ((status = sora_pipeline_step(r->p, &r->err)) == SORA_MORE)
        if (r->p->state == SORAI_RUN_DENOISE && r->p->loop.sampler.index == 1)
            for (int i = 0; r->p->loop.reuses && i < 6; i++) {
                ck_assert(!r->p->loop.reuses[i] || (i > 0 && i < 5));
                *left_out += r->p->loop.reuses[i];
            }
    ck_assert_msg(status == SORA_OK, "%s", r->err.message);
    return frames_of(r, size);
}

static void open_tiny(rig *r) { open_rig(r, 2, 0); }
static void open_ltx(rig *r) { open_kind(r, "ltx"); }

/* Step caching: so little that every step is computed gives the bits of none; more leaves out more steps; the most all but first and last. With
 * guidance in one pass and in two, and saved between two steps that it leaves out. */
START_TEST(steps_are_cached) {
    const double guidance = _i == 1 ? 1.0 : 4.0;
    void (*const open)(rig *) = _i < 2 ? open_tiny : open_ltx;
    rig r, other;
    size_t n, m;
    int none, few, all, before = 0;
    char path[96];
    open(&r);
    uint8_t *const off = cached_frames(&r, 0.0, guidance, 0, &n, &none), *const tiny = cached_frames(&r, 1e-12, guidance, 0, &m, &few);
    ck_assert_int_eq(none + few, 0);
    ck_assert_mem_eq(off, tiny, n);
    for (double threshold = 0.001; threshold < 10; threshold *= 3) {
        free(cached_frames(&r, threshold, guidance, 0, &m, &few));
        ck_assert_int_ge(few, before);
        before = few;
    }
    uint8_t *const most = cached_frames(&r, 100.0, guidance, 0, &m, &all), *const two = cached_frames(&r, 100.0, guidance, 1, &m, &all);
    ck_assert_int_eq(all, 4);
    ck_assert_mem_eq(most, two, n);
    free(two);
    ck_assert(memcmp(off, most, n) != 0);
    snprintf(path, sizeof path, "%s/run.safetensors", rig_model());
    for (int k = 1; k < 6; k += 2) { /* behind the first, between two that are left out, before the last */
        ck_assert_int_eq(sora_pipeline_begin(r.p, &r.err), SORA_OK);
        for (int i = 0; i < 1 + k; i++) ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_MORE);
        ck_assert_msg(sora_pipeline_save(r.p, path, &r.err) == SORA_OK, "%s", r.err.message);
        sora_pipeline_cancel(r.p);
        ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_E_CANCELLED);
        open(&other);
        set_cache(&other, 100.0, 6, guidance);
        ck_assert_msg(sora_pipeline_resume(other.p, path, &other.err) == SORA_OK, "%s", other.err.message);
        while (sora_pipeline_step(other.p, &other.err) == SORA_MORE) {}
        uint8_t *const rest = frames_of(&other, &m);
        ck_assert_mem_eq(most, rest, n);
        free(rest);
        close_rig(&other);
    }
    free(off);
    free(tiny);
    free(most);
    close_rig(&r);
}
END_TEST

/* Two experts: what is kept between steps is never carried over the switch, not in a run and not in one that is resumed there. What the last
 * expert left is spoilt, which shows wherever it is taken over. */
START_TEST(an_expert_begins_without_a_cache) {
    enum { STEPS = 8 };
    rig r;
    size_t n, m;
    uint8_t *frames[3];
    char path[96];
    int at = 0, spoilt = 0, first = 0;
    open_kind(&r, "a14b");
    sora_pipeline_set_i64(r.p, SORA_PARAM_SAMPLER, SORA_SAMPLER_EULER);
    set_cache(&r, 100.0, STEPS, _i ? 4.0 : 1.0);
    snprintf(path, sizeof path, "%s/run.safetensors", rig_model());
    for (int run = 0; run < 3; run++) { /* as it is; spoilt at the switch; spoilt where it is taken over */
        int status = sora_pipeline_begin(r.p, &r.err);
        ck_assert_msg(status == SORA_OK, "%s", r.err.message);
        enum sorai_model_net net = SORAI_NET_COUNT;
        for (status = SORA_MORE; status == SORA_MORE; status = sora_pipeline_step(r.p, &r.err)) {
            sorai_loop *const l = &r.p->loop;
            if (r.p->state != SORAI_RUN_DENOISE) continue;
            const int32_t i = l->sampler.index;
            const int next = sorai_model_expert(r.model, (double)l->sampler.timesteps[i]);
            const int turns = l->residual && next != (int)net;
            if (turns) {
                at = i;
                if (run == 0) ck_assert_msg(sora_pipeline_save(r.p, path, &r.err) == SORA_OK, "%s", r.err.message);
            }
            if (l->residual && (run == 1 ? turns : run == 2 && i == at + 1)) {
                for (int64_t k = 0; k < sorai_tensor_count(l->residual); k++) ((float *)l->residual->data)[k] = 1e6f;
                spoilt++;
            }
            if (run == 0 && i == 1) first = l->reuses[1];
            if (run == 0 && i == at + 1 && at) ck_assert(!l->reuses[at] && l->reuses[at + 1]);
            net = (enum sorai_model_net)next;
        }
        ck_assert_msg(status == SORA_OK, "%s", r.err.message);
        frames[run] = frames_of(&r, &n);
    }
    ck_assert_msg(at > 1 && at < STEPS - 2 && spoilt == 2 && first, "switch at %d, spoilt %d", at, spoilt);
    ck_assert_mem_eq(frames[0], frames[1], n);
    ck_assert(memcmp(frames[0], frames[2], n) != 0); /* it would have shown */
    ck_assert_msg(sora_pipeline_resume(r.p, path, &r.err) == SORA_OK, "%s", r.err.message);
    while (sora_pipeline_step(r.p, &r.err) == SORA_MORE) {}
    uint8_t *const rest = frames_of(&r, &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(frames[0], rest, n);
    free(rest);
    for (int run = 0; run < 3; run++) free(frames[run]);
    close_rig(&r);
}
END_TEST

/* The estimate is never too low and at most a tenth too high. */
START_TEST(estimate_against_peak) {
    static const int sizes[][4] = {{32, 32, 5, 3}, {128, 128, 17, 3}, {96, 160, 9, 1}, {256, 256, 1, 3}, {512, 512, 1, 3}}; /* the last with cached steps */
    rig r;
    const int *s = sizes[_i];
    open_rig(&r, 2, 0);
    sora_memory before = {.struct_size = sizeof before}, after = before, estimate = before;
    sora_pipeline_set_i64(r.p, SORA_PARAM_WIDTH, s[0]);
    sora_pipeline_set_i64(r.p, SORA_PARAM_HEIGHT, s[1]);
    sora_pipeline_set_i64(r.p, SORA_PARAM_FRAMES, s[2]);
    sora_pipeline_set_f64(r.p, SORA_PARAM_GUIDANCE, s[3]);
    sora_pipeline_set_f64(r.p, SORA_PARAM_STEP_CACHE, _i == 4 ? 0.1 : 0);
    ck_assert_msg(sora_pipeline_estimate(r.p, &estimate, &r.err) == SORA_OK, "%s", r.err.message);
    sora_context_memory(r.ctx, &before);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    sora_context_memory(r.ctx, &after);
    const double taken = (double)(after.peak - before.used);
    ck_assert_msg((double)estimate.peak >= taken && (double)estimate.peak <= 1.10 * taken + 65536,
                  "estimate %.3f MiB, taken %.3f MiB", (double)estimate.peak / 1048576, taken / 1048576);
    close_rig(&r);
}
END_TEST

START_TEST(a_limit_is_kept) {
    rig r;
    const uint64_t limit = 24u << 20;
    open_rig(&r, 2, limit);
    sora_memory m = {.struct_size = sizeof m};
    sora_pipeline_set_i64(r.p, SORA_PARAM_WIDTH, 512);
    sora_pipeline_set_i64(r.p, SORA_PARAM_HEIGHT, 512);
    sora_pipeline_set_i64(r.p, SORA_PARAM_FRAMES, 33);
    const int status = sora_pipeline_run(r.p, &r.err);
    ck_assert_msg(status == SORA_E_LIMIT || status == SORA_E_NOMEM, "%d %s", status, r.err.message);
    sora_pipeline_set_i64(r.p, SORA_PARAM_WIDTH, 100000000); /* refused: the old value stays */
    sora_pipeline_set_i64(r.p, SORA_PARAM_WIDTH, 32);
    sora_pipeline_set_i64(r.p, SORA_PARAM_HEIGHT, 32);
    sora_pipeline_set_i64(r.p, SORA_PARAM_FRAMES, 5);
    ck_assert_msg(sora_pipeline_run(r.p, &r.err) == SORA_OK, "%s", r.err.message);
    sora_context_memory(r.ctx, &m);
    ck_assert_uint_le(m.peak, limit);
    close_rig(&r);
}
END_TEST

/* Under ever lower limits the same frames come out, by other ways, until it is said that it can't be done. */
START_TEST(limits_change_no_bit) {
    static const int sizes[][3] = {{320, 192, 9}, {64, 64, 1}};
    const int *s = sizes[_i];
    rig r;
    sora_memory m = {.struct_size = sizeof m};
    size_t size, n;
    open_rig(&r, 2, 0);
    if (_i == 1) set_cache(&r, 100.0, 4, 4.0);
    for (int i = 0; i < 3; i++)
        sora_pipeline_set_i64(r.p, i == 0 ? SORA_PARAM_WIDTH : i == 1 ? SORA_PARAM_HEIGHT : SORA_PARAM_FRAMES, s[i]);
    ck_assert_msg(sora_pipeline_run(r.p, &r.err) == SORA_OK, "%s", r.err.message);
    sora_context_memory(r.ctx, &m);
    const double peak = (double)m.peak;
    uint8_t *want = frames_of(&r, &size);
    close_rig(&r);
    int done = 0, status = SORA_OK;
    for (double share = 0.95; status == SORA_OK && share > 0.05; share -= 0.1) {
        open_rig(&r, 2, (uint64_t)(share * peak));
        if (_i == 1) set_cache(&r, 100.0, 4, 4.0);
        for (int i = 0; i < 3; i++)
            sora_pipeline_set_i64(r.p, i == 0 ? SORA_PARAM_WIDTH : i == 1 ? SORA_PARAM_HEIGHT : SORA_PARAM_FRAMES, s[i]);
        sora_memory told = {.struct_size = sizeof told};
        const int estimated = sora_pipeline_estimate(r.p, &told, &r.err);
        sora_context_memory(r.ctx, &m);
        const double before = (double)m.used;
        status = sora_pipeline_run(r.p, &r.err);
        sora_context_memory(r.ctx, &m);
        ck_assert_uint_le(m.peak, (uint64_t)(share * peak));
        if (status == SORA_OK) {
            uint8_t *got = frames_of(&r, &n);
            ck_assert_uint_eq(n, size);
            ck_assert_mem_eq(got, want, size);
            free(got);
            const double taken = (double)m.peak - before;
            ck_assert_int_eq(estimated, SORA_OK);
            ck_assert_msg((double)told.peak >= taken && (double)told.peak <= 1.10 * taken + 65536, "%.2f: estimate %.3f MiB, taken %.3f MiB", share,
                          (double)told.peak / 1048576, taken / 1048576);
            done++;
        } else {
            ck_assert_msg(status == SORA_E_LIMIT || status == SORA_E_NOMEM, "%d %s", status, r.err.message);
        }
        close_rig(&r);
    }
    ck_assert_int_lt(status, 0);
    ck_assert_msg(done >= (_i ? 0 : 4), "only %d", done);
    free(want);
}
END_TEST

/* The stage keeps a limit in the same way. */
START_TEST(decoding_keeps_a_limit) {
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_F32, 4, 0, {4, 3, 24, 40}};
    sora_tensor *want = NULL;
    double peak = 0;
    int done = 0;
    for (double share = 1.0; share > 0.3; share -= 0.1) {
        rig r;
        sora_memory m = {.struct_size = sizeof m};
        sora_tensor *latent = NULL, *got = NULL;
        open_rig(&r, 2, (uint64_t)(share * peak));
        ck_assert_int_eq(sora_tensor_create(&latent, r.ctx, &shape, &r.err), SORA_OK);
        for (int64_t i = 0; i < 4 * 3 * 24 * 40; i++)
            ((float *)sora_tensor_data(latent))[i] = (float)(i * 7919 % 401 - 200) * 0.01f;
        const int status = sora_decode_video(r.p, latent, &got, &r.err);
        ck_assert_msg(status == SORA_OK || (want && status == SORA_E_NOMEM), "%d %s", status, r.err.message);
        sora_context_memory(r.ctx, &m);
        if (!want) {
            peak = (double)m.peak;
            want = got;
            got = NULL;
        } else if (got) {
            ck_assert_mem_eq(sora_tensor_data(got), sora_tensor_data(want), sora_tensor_bytes(want));
            done++;
        }
        sora_tensor_unref(&got);
        sora_tensor_unref(&latent);
        close_rig(&r);
    }
    ck_assert_msg(done >= 3, "only %d", done);
    sora_tensor_unref(&want);
}
END_TEST

START_TEST(wrong_use_is_refused) {
    rig r;
    sora_tensor *t = NULL, *small = NULL, *out = NULL;
    open_rig(&r, 1, 0);
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_F32, 4, 0, {4, 2, 3, 4}},
                           video = {sizeof video, SORA_DTYPE_F32, 4, 0, {3, 4, 16, 16}};
    ck_assert_int_eq(sora_tensor_create(&t, r.ctx, &shape, &r.err), SORA_OK);
    ck_assert_int_eq(sora_tensor_create(&small, r.ctx, &video, &r.err), SORA_OK);
    ck_assert_int_eq(sora_denoise(r.p, t, NULL, NULL, &out, &r.err),
                     SORA_E_INVALID); /* 3 is no multiple of the patch */
    ck_assert_ptr_null(out);
    ck_assert_int_eq(sora_encode_video(r.p, small, &out, &r.err), SORA_E_INVALID); /* 4 frames */
    ck_assert_int_eq(sora_decode_video(r.p, NULL, &out, &r.err), SORA_E_INVALID);
    ck_assert_int_eq(sora_classify(r.p, t, &out, NULL, &r.err), SORA_E_NOTFOUND); /* no probe */
    ck_assert_int_eq(sora_pipeline_run(NULL, &r.err), SORA_E_INVALID);
    sora_pipeline_destroy(&r.p);
    ck_assert_int_eq(sora_pipeline_create(&r.p, NULL, &r.err), SORA_E_INVALID);
    ck_assert_ptr_null(r.p);
    sora_tensor_unref(&t);
    sora_tensor_unref(&small);
    sora_pipeline_destroy(&r.p);
    sora_pipeline_destroy(NULL);
    close_rig(&r);
}
END_TEST

Suite *suite_pipeline(void) {
    Suite *s = suite_create("pipeline");
    TCase *c = tcase_create("pipeline");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, NULL, remove_model);
    tcase_add_test(c, every_parameter_is_bounded);
    tcase_add_loop_test(c, what_is_asked_for_is_made, 0, 8);
    tcase_add_test(c, steps_are_a_run);
    tcase_add_test(c, stopping_anywhere_leaves_it_usable);
    tcase_add_test(c, cancel_is_never_lost);
    tcase_add_test(c, a_run_is_its_stages);
    tcase_add_test(c, guidance_ends_at_a_level);
    tcase_add_loop_test(c, saved_runs_go_on, 0, 8);
    tcase_add_loop_test(c, estimate_against_peak, 0, 5);
    tcase_add_loop_test(c, steps_are_cached, 0, 3);
    tcase_add_loop_test(c, an_expert_begins_without_a_cache, 0, 2);
    tcase_add_test(c, a_limit_is_kept);
    tcase_add_loop_test(c, limits_change_no_bit, 0, 2);
    tcase_add_test(c, decoding_keeps_a_limit);
    tcase_add_test(c, wrong_use_is_refused);
    suite_add_tcase(s, c);
    return s;
}
