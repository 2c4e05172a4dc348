#include "tools/operations/clip.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/options.h"
#include "tools/video/scale.h"
#include "tools/video/video.h"

#define MOST_BYTES ((size_t)4 << 30) /* of pixels of one clip */

void clip_free(clip *c) {
    free(c->rgb);
    memset(c, 0, sizeof *c);
}

int clip_grow(clip *c, int64_t frames, int in_front) {
    const size_t size = clip_frame_bytes(c);
    const int64_t want = c->frames + frames;
    if (frames < 0 || (uint64_t)want > MOST_BYTES / (size ? size : 1))
        return complain(EXIT_FAILED, "a clip of %lld frames of %dx%d is too long to hold", (long long)want, c->width, c->height);
    if (want > c->capacity) {
        uint8_t *grown = realloc(c->rgb, (size_t)want * size);
        if (!grown) return complain(EXIT_FAILED, "no memory for %lld frames", (long long)want);
        c->rgb = grown;
        c->capacity = want;
    }
    if (in_front) memmove(c->rgb + (size_t)frames * size, c->rgb, (size_t)c->frames * size);
    c->frames = want;
    return EXIT_DONE;
}

int clip_size(const char *path, int *width, int *height) {
    sora_error err = {.struct_size = sizeof err};
    video_clip v = {0};
    const int status = video_read(&v, path, 1, MOST_BYTES, &err);
    *width = v.width;
    *height = v.height;
    video_clip_free(&v);
    return status == SORA_OK ? EXIT_DONE : complain(EXIT_FAILED, "%s", err.message);
}

/* The frame that is shown at time k / fps. */
static int64_t frame_at(const video_clip *v, int64_t k, double fps) {
    const int64_t f = v->fps > 0 && fps > 0 ? (int64_t)floor((double)k * v->fps / fps + 1e-6) : k;
    return f < v->frames ? f : v->frames - 1;
}

int clip_read(clip *out, const char *path, double fps, int width, int height) {
    sora_error err = {.struct_size = sizeof err};
    video_clip v = {0};
    memset(out, 0, sizeof *out);
    int status = video_read(&v, path, 0, MOST_BYTES, &err);
    if (status != SORA_OK) return complain(EXIT_FAILED, "%s", err.message);
    out->width = width ? width : v.width;
    out->height = width ? height : v.height;
    const double seconds = v.fps > 0 ? (double)v.frames / v.fps : 0;
    const int64_t n = v.fps > 0 && fps > 0 && v.frames > 1 ? (int64_t)fmax(1, floor(seconds * fps + 0.5)) : v.frames;
    int code = clip_grow(out, n, 0);
    for (int64_t k = 0; k < n && code == EXIT_DONE; k++) {
        const uint8_t *from = v.rgb + (size_t)frame_at(&v, k, fps) * (size_t)v.width * (size_t)v.height * 3;
        if (video_fit(from, v.width, v.height, clip_frame(out, k), out->width, out->height) != SORA_OK)
            code = complain(EXIT_FAILED, "no memory for %s", path);
    }
    video_clip_free(&v);
    if (code != EXIT_DONE) clip_free(out);
    return code;
}

int clip_write(const clip *c, sora_context *ctx, const char *path, double fps) {
    sora_error err = {.struct_size = sizeof err};
    video_writer *w = NULL;
    int status = video_writer_open(&w, ctx, path, c->width, c->height, fps, &err);
    for (int64_t f = 0; f < c->frames && status == SORA_OK; f++)
        status = interrupted() ? SORA_E_CANCELLED : video_writer_add(w, clip_frame(c, f), &err);
    if (status == SORA_OK) {
        status = video_writer_commit(&w, &err);
    } else {
        video_writer_abandon(&w);
        if (interrupted()) return complain(EXIT_FAILED, "interrupted; %s was not written", path);
    }
    return status == SORA_OK ? EXIT_DONE : complain(EXIT_FAILED, "%s", err.message);
}
