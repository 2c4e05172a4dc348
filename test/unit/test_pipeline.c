/* Pipelines through the public API, on the tests' tiny model: parameters, steps, frames, cancel, slots, memory. */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
    if (_i == 1) rig_steps(&r, 100.0, 4, 4.0);
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
        if (_i == 1) rig_steps(&r, 100.0, 4, 4.0);
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
    tcase_add_loop_test(c, estimate_against_peak, 0, 5);
    tcase_add_test(c, a_limit_is_kept);
    tcase_add_loop_test(c, limits_change_no_bit, 0, 2);
    tcase_add_test(c, decoding_keeps_a_limit);
    tcase_add_test(c, wrong_use_is_refused);
    suite_add_tcase(s, c);
    return s;
}
