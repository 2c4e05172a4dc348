#include "tools/operations/making.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/operations/saving.h"

static int on_progress(void *user, const sora_progress *p) {
    making *m = user;
    static const char *const phases[] = {"", "text", "denoising", "frames", "conditions"};
    char note[128], part[64] = "";
    if (m->total > 1) snprintf(part, sizeof part, "part %lld of %lld, ", (long long)m->done + 1, (long long)m->total);
    snprintf(note, sizeof note, "%s%s %d/%d", part, p->phase >= 1 && p->phase <= 4 ? phases[p->phase] : "", (int)p->step, (int)p->steps);
    progress_show(&m->bar, ((double)m->done + p->fraction) / (double)(m->total > m->done ? m->total : m->done + 1), note);
    return interrupted();
}

static int wrap(sora_tensor **out, sora_context *ctx, const uint8_t *data, int32_t rank, const int64_t *shape, sora_error *err) {
    sora_tensor_desc d = {sizeof d, SORA_DTYPE_U8, rank, 0, {0}};
    memcpy(d.shape, shape, (size_t)rank * sizeof *shape);
    return sora_tensor_wrap(out, ctx, &d, (void *)(uintptr_t)data, NULL, NULL, err); /* only read */
}

static int add_condition(making *m, const placed *g, int width, int height, int32_t fit, sora_error *err) {
    const int64_t shape[4] = {g->frames, height, width, 3};
    sora_condition c;
    sora_condition_init(&c);
    c.at_frame = g->at;
    c.strength = g->strength;
    c.fit = fit;
    int status = wrap(&c.frames, m->s.ctx, g->rgb, 4, shape, err);
    if (status == SORA_OK && g->mask) status = wrap(&c.mask, m->s.ctx, g->mask, 3, shape, err);
    if (status == SORA_OK) status = sora_pipeline_add_condition(m->s.pipeline, &c, err);
    sora_tensor_unref(&c.frames);
    sora_tensor_unref(&c.mask);
    return status;
}

/* The draft lies under what is given. */
static int add_draft(making *m, int64_t frames, sora_error *err) {
    const clip *d = m->draft;
    if (!d || m->at >= d->frames) return SORA_OK;
    const placed under = {clip_frame(d, m->at), NULL, d->frames - m->at < frames ? d->frames - m->at : frames, 0, m->draft_strength};
    return add_condition(m, &under, d->width, d->height, SORA_FIT_STRETCH, err);
}

/* Those of the whole video's shots that this window shows. */
static int add_shots(making *m, int64_t frames, sora_error *err) {
    int status = m->shots ? sora_pipeline_clear_shots(m->s.pipeline) : SORA_OK;
    for (int i = 0; i < m->shot_count && status == SORA_OK; i++) {
        const int gone = i + 1 < m->shot_count && m->shots[i + 1].at <= m->at;
        if (!gone && m->shots[i].at < m->at + frames)
            status = sora_pipeline_add_shot(m->s.pipeline, m->shots[i].at - m->at, m->shots[i].text, (size_t)-1, err);
    }
    return status;
}

static uint8_t *room(const making *m, int64_t frames) {
    uint8_t *p = malloc((size_t)frames * (size_t)m->width * (size_t)m->height * 3);
    if (!p) complain(EXIT_FAILED, "no memory for %lld frames", (long long)frames);
    return p;
}

static int say(making *m, int status, const sora_error *err) {
    if (status == SORA_OK) return EXIT_DONE;
    progress_clear(&m->bar);
    if (!interrupted()) return complain(EXIT_FAILED, "%s", err->message);
    return m->save ? complain(EXIT_FAILED, "interrupted; the same command goes on from where it was")
                   : complain(EXIT_FAILED, "interrupted; nothing was written");
}

/* The run itself. */
static int run_pipeline(making *m, const placed *given, int count, int64_t frames, sora_error *err) {
    sora_pipeline *p = m->s.pipeline;
    int status = sora_pipeline_clear_conditions(p);
    if (status == SORA_OK) status = add_draft(m, frames, err);
    for (int i = 0; i < count && status == SORA_OK; i++)
        if (given[i].frames > 0) status = add_condition(m, &given[i], m->width, m->height, SORA_FIT_EXACT, err);
    if (status == SORA_OK) status = add_shots(m, frames, err);
    sora_pipeline_set_i64(p, SORA_PARAM_WIDTH, m->width);
    sora_pipeline_set_i64(p, SORA_PARAM_HEIGHT, m->height);
    sora_pipeline_set_i64(p, SORA_PARAM_FRAMES, frames);
    sora_pipeline_set_i64(p, SORA_PARAM_SEED, m->seed + m->part * 1000003);
    sora_pipeline_set_progress(p, on_progress, m);
    sora_pipeline_set_frame_callback(p, m->frame, m->frame_user);
    if (status == SORA_OK) {
        interrupt_watch(p);
        status = m->save ? saving_run(m->save, p, m->done, err) : sora_pipeline_run(p, err);
        interrupt_watch(NULL);
    }
    sora_pipeline_set_frame_callback(p, NULL, NULL);
    (void)sora_pipeline_clear_conditions(p); /* the frames are the caller's */
    return status == SORA_OK && interrupted() ? SORA_E_CANCELLED : status;
}

/* A window, made or as it was saved; its frames go to `out`, where it is not NULL, and by way of m->frame. An exit code: whoever refuses a frame has
 * said why. */
int making_window(making *m, const placed *given, int count, int64_t frames, uint8_t *out) {
    sora_error err = {.struct_size = sizeof err};
    const int64_t shape[4] = {frames, m->height, m->width, 3};
    const size_t size = (size_t)m->width * (size_t)m->height * 3;
    uint8_t *const own = !out && m->save ? room(m, frames) : NULL, *const rgb = out ? out : own;
    int found = 0, status = SORA_OK, code = !rgb && m->save ? EXIT_FAILED : saving_take(m->save, m->s.ctx, m->done, shape, rgb, &found);
    for (int64_t f = 0; f < frames && found && m->frame && status == SORA_OK; f++)
        if (m->frame(m->frame_user, f, rgb + (size_t)f * size, m->width, m->height) != 0) status = SORA_E_CANCELLED;
    if (code == EXIT_DONE && !found) {
        status = run_pipeline(m, given, count, frames, &err);
        if (status == SORA_OK && rgb) status = sora_pipeline_read_frames(m->s.pipeline, 0, frames, rgb, size * (size_t)frames);
        if (status == SORA_OK && m->save) status = saving_put(m->save, m->s.ctx, m->done, shape, rgb, &err);
    }
    free(own);
    m->part++;
    m->done++;
    if (status == SORA_E_CANCELLED && !interrupted()) return EXIT_FAILED;
    return code == EXIT_DONE ? say(m, status, &err) : code;
}

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* What lies between two clips begins as a cross-fade, of which so much stays: docs/conditions.md has the table. */
#define FADE_STRENGTH 0.4

/* New frames of a window that begins or ends with `context` given ones. */
static int64_t step_of(const making *m) { return m->window - m->context; }

/* A window's frames on their way out; what the next one begins with stays behind. */
typedef struct way {
    frame_sink *sink;
    void *user;
    uint8_t *tail; /* the last `room` frames, of which `held` are there */
    size_t size;
    int64_t room, held, known; /* known: first frames of the window, which have left already */
} way;

static void keep_frame(way *w, const uint8_t *rgb) {
    if (w->held == w->room) memmove(w->tail, w->tail + w->size, w->size * (size_t)--w->held);
    memcpy(w->tail + w->size * (size_t)w->held++, rgb, w->size);
}

static int on_frame(void *user, int64_t index, const uint8_t *rgb, int32_t width, int32_t height) {
    way *w = user;
    (void)width;
    (void)height;
    if (index < w->known) return interrupted();
    keep_frame(w, rgb);
    return w->sink(w->user, rgb) != 0 || interrupted();
}

int64_t making_parts(const making *m, int64_t known, int64_t frames) {
    const int64_t first = m->window - smaller(m->context, known);
    return frames <= first ? frames > 0 : 1 + (frames - first + step_of(m) - 1) / step_of(m);
}

int making_on(making *m, const uint8_t *begin, int64_t known, int64_t frames, frame_sink *sink, void *user) {
    way w = {sink, user, room(m, m->context), (size_t)m->width * (size_t)m->height * 3, m->context, 0, 0};
    uint8_t *const given = room(m, m->context);
    const int64_t start = m->at;
    int code = w.tail && given ? EXIT_DONE : EXIT_FAILED;
    for (int64_t i = known > m->context ? known - m->context : 0; i < known && code == EXIT_DONE; i++) keep_frame(&w, begin + (size_t)i * w.size);
    m->frame = on_frame;
    m->frame_user = &w;
    for (int64_t ready = 0; ready < frames && code == EXIT_DONE;) {
        const placed seam = {given, NULL, w.held, 0, 1.0};
        w.known = w.held;
        const int64_t n = smaller(frames - ready, m->window - w.known);
        memcpy(given, w.tail, (size_t)w.held * w.size);
        m->at = start + ready - w.known;
        code = making_window(m, &seam, 1, w.known + n, NULL);
        ready += n;
    }
    m->frame = NULL;
    m->at = start;
    free(w.tail);
    free(given);
    return code;
}

static int into_clip(void *user, const uint8_t *rgb) {
    clip *c = user;
    if (clip_grow(c, 1, 0) != EXIT_DONE) return 1;
    memcpy(clip_frame(c, c->frames - 1), rgb, clip_frame_bytes(c));
    return 0;
}

int making_after(making *m, clip *c, int64_t frames) {
    const int64_t known = smaller(m->context, c->frames);
    uint8_t *const begin = room(m, known);
    if (!begin) return EXIT_FAILED;
    if (known) memcpy(begin, clip_frame(c, c->frames - known), (size_t)known * clip_frame_bytes(c));
    const int code = making_on(m, begin, known, frames, into_clip, c); /* the clip moves while it grows */
    free(begin);
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

int making_gap(making *m, const uint8_t *a, int64_t left, const uint8_t *b, int64_t right, int64_t frames, uint8_t *out) {
    const size_t size = (size_t)m->width * (size_t)m->height * 3;
    const int both = left > 0 && right > 0;
    uint8_t *const fade = both ? room(m, frames) : NULL;
    if (both && !fade) return EXIT_FAILED;
    for (int64_t f = 0; both && f < frames; f++)
        for (size_t i = 0; i < size; i++)
            fade[(size_t)f * size + i] = (uint8_t)((a[(size_t)(left - 1) * size + i] * (frames - f) + b[i] * (f + 1) + (frames + 1) / 2) / (frames + 1));
    const placed given[3] = {{fade, NULL, both ? frames : 0, left, FADE_STRENGTH}, {a, NULL, left, 0, 1.0}, {b, NULL, right, left + frames, 1.0}};
    const int code = making_window(m, given, 3, left + frames + right, out);
    free(fade);
    return code;
}

int making_between(making *m, const clip *a, const clip *b, int64_t frames, clip *out) {
    const size_t size = clip_frame_bytes(a);
    const int64_t left = smaller(m->context, a->frames), right = smaller(m->context, b->frames);
    uint8_t *made = room(m, left + frames + right);
    *out = (clip){.width = a->width, .height = a->height};
    int code = made ? making_gap(m, clip_frame(a, a->frames - left), left, b->rgb, right, frames, made) : EXIT_FAILED;
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
        const placed given[3] = {{clip_frame(c, ready), NULL, n, known, strength},
                                 {clip_frame(c, ready), mask ? mask + (size_t)ready * plane : NULL, mask ? n : 0, known, 1.0},
                                 {clip_frame(c, ready - known), NULL, known, 0, 1.0}};
        code = making_window(m, given, 3, known + n, out);
        if (code == EXIT_DONE) memcpy(clip_frame(c, ready), out + (size_t)known * size, (size_t)n * size);
        ready += n;
    }
    free(out);
    return code;
}
