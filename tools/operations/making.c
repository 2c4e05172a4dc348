#include "tools/operations/making.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"

static int on_progress(void *user, const sora_progress *p) {
    making *m = user;
    char note[64];
    snprintf(note, sizeof note, "part %lld of %lld", (long long)m->done + 1, (long long)m->total);
    progress_show(&m->bar, ((double)m->done + p->fraction) / (double)(m->total > m->done ? m->total : m->done + 1), m->total > 1 ? note : "");
    return interrupted();
}

static int wrap(sora_tensor **out, sora_context *ctx, const uint8_t *data, int32_t rank, const int64_t *shape, sora_error *err) {
    sora_tensor_desc d = {sizeof d, SORA_DTYPE_U8, rank, 0, {0}};
    memcpy(d.shape, shape, (size_t)rank * sizeof *shape);
    return sora_tensor_wrap(out, ctx, &d, (void *)(uintptr_t)data, NULL, NULL, err); /* only read */
}

static int add_condition(making *m, const placed *g, sora_error *err) {
    const int64_t shape[4] = {g->frames, m->height, m->width, 3};
    sora_condition c;
    sora_condition_init(&c);
    c.at_frame = g->at;
    c.strength = g->strength;
    c.fit = SORA_FIT_EXACT;
    int status = wrap(&c.frames, m->s.ctx, g->rgb, 4, shape, err);
    if (status == SORA_OK && g->mask) status = wrap(&c.mask, m->s.ctx, g->mask, 3, shape, err);
    if (status == SORA_OK) status = sora_pipeline_add_condition(m->s.pipeline, &c, err);
    sora_tensor_unref(&c.frames);
    sora_tensor_unref(&c.mask);
    return status;
}

int making_window(making *m, const placed *given, int count, int64_t frames, uint8_t *out) {
    sora_error err = {.struct_size = sizeof err};
    sora_pipeline *p = m->s.pipeline;
    int status = sora_pipeline_clear_conditions(p);
    for (int i = 0; i < count && status == SORA_OK; i++)
        if (given[i].frames > 0) status = add_condition(m, &given[i], &err);
    sora_pipeline_set_i64(p, SORA_PARAM_WIDTH, m->width);
    sora_pipeline_set_i64(p, SORA_PARAM_HEIGHT, m->height);
    sora_pipeline_set_i64(p, SORA_PARAM_FRAMES, frames);
    sora_pipeline_set_i64(p, SORA_PARAM_SEED, m->seed + m->done);
    sora_pipeline_set_progress(p, on_progress, m);
    if (status == SORA_OK) {
        interrupt_watch(p);
        status = sora_pipeline_run(p, &err);
        interrupt_watch(NULL);
    }
    if (status == SORA_OK)
        status = sora_pipeline_read_frames(p, 0, frames, out, (size_t)frames * (size_t)m->width * (size_t)m->height * 3);
    (void)sora_pipeline_clear_conditions(p); /* the frames are the caller's */
    m->done++;
    if (status == SORA_OK) return EXIT_DONE;
    progress_clear(&m->bar);
    return interrupted() ? complain(EXIT_FAILED, "interrupted; nothing was written") : complain(EXIT_FAILED, "%s", err.message);
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static uint8_t *room(const making *m, int64_t frames) {
    uint8_t *p = malloc((size_t)frames * (size_t)m->width * (size_t)m->height * 3);
    if (!p) complain(EXIT_FAILED, "no memory for %lld frames", (long long)frames);
    return p;
}

/* New frames of a window that begins or ends with `context` given ones. */
static int64_t step_of(const making *m) { return m->window - m->context; }

int making_after(making *m, clip *c, int64_t frames) {
    const size_t size = clip_frame_bytes(c);
    uint8_t *out = room(m, m->window + m->context);
    int code = out ? EXIT_DONE : EXIT_FAILED;
    while (frames > 0 && code == EXIT_DONE) {
        const int64_t known = smaller(m->context, c->frames), n = smaller(frames, step_of(m));
        const placed given = {clip_frame(c, c->frames - known), NULL, known, 0, 1.0};
        code = making_window(m, &given, 1, known + n, out);
        if (code == EXIT_DONE) code = clip_grow(c, n, 0);
        if (code == EXIT_DONE) memcpy(clip_frame(c, c->frames - n), out + (size_t)known * size, (size_t)n * size);
        frames -= n;
    }
    free(out);
    return code;
}

int making_before(making *m, clip *c, int64_t frames) {
    const size_t size = clip_frame_bytes(c);
    uint8_t *out = room(m, m->window + m->context);
    int code = out ? EXIT_DONE : EXIT_FAILED;
    while (frames > 0 && code == EXIT_DONE) {
        const int64_t known = smaller(m->context, c->frames), n = smaller(frames, step_of(m));
        const placed given = {c->rgb, NULL, known, n, 1.0};
        code = making_window(m, &given, 1, n + known, out);
        if (code == EXIT_DONE) code = clip_grow(c, n, 1);
        if (code == EXIT_DONE) memcpy(c->rgb, out, (size_t)n * size);
        frames -= n;
    }
    free(out);
    return code;
}

int making_between(making *m, const clip *a, const clip *b, int64_t frames, clip *out) {
    const size_t size = clip_frame_bytes(a);
    const int64_t left = smaller(m->context, a->frames), right = smaller(m->context, b->frames);
    const placed given[2] = {{clip_frame(a, a->frames - left), NULL, left, 0, 1.0}, {b->rgb, NULL, right, left + frames, 1.0}};
    uint8_t *made = room(m, left + frames + right);
    *out = (clip){.width = a->width, .height = a->height};
    int code = made ? making_window(m, given, 2, left + frames + right, made) : EXIT_FAILED;
    if (code == EXIT_DONE) code = clip_grow(out, frames, 0);
    if (code == EXIT_DONE) memcpy(out->rgb, made + (size_t)left * size, (size_t)frames * size);
    free(made);
    return code;
}

int making_again(making *m, clip *c, const uint8_t *mask, double strength) {
    const size_t size = clip_frame_bytes(c), plane = (size_t)c->width * (size_t)c->height;
    uint8_t *out = room(m, m->window);
    int code = out ? EXIT_DONE : EXIT_FAILED;
    /* Windows overlap by what is made already, so that the next one goes on from it. */
    for (int64_t ready = 0; ready < c->frames && code == EXIT_DONE;) {
        const int64_t known = ready ? smaller(m->context, ready) : 0, n = smaller(c->frames - ready, m->window - known);
        const placed given[2] = {{clip_frame(c, ready), mask ? mask + (size_t)ready * plane : NULL, n, known, strength},
                                 {clip_frame(c, ready - known), NULL, known, 0, 1.0}};
        code = making_window(m, given, 2, known + n, out);
        if (code == EXIT_DONE) memcpy(clip_frame(c, ready), out + (size_t)known * size, (size_t)n * size);
        ready += n;
    }
    free(out);
    return code;
}
