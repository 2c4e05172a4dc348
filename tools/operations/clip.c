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

int clip_rate(const char *path, double *fps) {
    sora_error err = {.struct_size = sizeof err};
    video_clip v = {0};
    const int status = video_read(&v, path, 1, MOST_BYTES, &err);
    *fps = v.fps;
    video_clip_free(&v);
    return status == SORA_OK ? EXIT_DONE : complain(EXIT_FAILED, "%s", err.message);
}

/* Frames on their way into a clip of another size and rate. */
typedef struct intake {
    clip *out;
    double fps;
    int64_t ready;    /* frames of the clip that are settled; the one at `ready` is the last that came */
    int width, height;
    int code;         /* of the failure that stopped it */
} intake;

/* The last frame that came goes on up to frame `until` (not included). */
static int go_on(intake *in, int64_t until) {
    const size_t size = clip_frame_bytes(in->out);
    for (; in->ready < until && in->code == EXIT_DONE; in->ready++) {
        in->code = clip_grow(in->out, in->ready + 2 - in->out->frames, 0);
        if (in->code == EXIT_DONE) memcpy(clip_frame(in->out, in->ready + 1), clip_frame(in->out, in->ready), size);
    }
    return in->code;
}

static int take_in(void *user, const uint8_t *rgb, int width, int height, double at) {
    intake *in = user;
    clip *c = in->out;
    if (c->frames == 0) {
        c->width = in->width ? in->width : width;
        c->height = in->width ? in->height : height;
        in->code = clip_grow(c, 1, 0);
    } else { /* the frame before is shown until this one comes */
        go_on(in, at >= 0 && in->fps > 0 ? (int64_t)ceil(at * in->fps - 1e-6) : in->ready + 1);
    }
    if (in->code == EXIT_DONE && video_fit(rgb, width, height, clip_frame(c, in->ready), c->width, c->height) != SORA_OK)
        in->code = complain(EXIT_FAILED, "no memory for a frame");
    if (in->code == EXIT_DONE && interrupted()) in->code = complain(EXIT_FAILED, "interrupted");
    return in->code;
}

int clip_read(clip *out, const char *path, double fps, int width, int height) {
    sora_error err = {.struct_size = sizeof err};
    intake in = {.out = out, .fps = fps, .width = width, .height = height};
    double seconds = 0;
    memset(out, 0, sizeof *out);
    const int status = video_each(path, take_in, &in, &seconds, &err);
    int code = in.code != EXIT_DONE ? in.code : status == SORA_OK ? EXIT_DONE : complain(EXIT_FAILED, "%s", err.message);
    if (code == EXIT_DONE && seconds > 0 && fps > 0) { /* as long as the file, to the next frame */
        const int64_t n = (int64_t)fmax(1, floor(seconds * fps + 0.5));
        code = go_on(&in, n - 1);
        out->frames = n;
    }
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
