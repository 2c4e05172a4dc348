/* The front of all formats: names, temporary files, PNG pictures. */
#define _XOPEN_SOURCE 700
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/video/internal.h"

struct video_writer {
    sora_context *ctx;
    enum video_format format;
    char *path, *part; /* where it goes; what is written until then */
    video_target target;
    int began;
};

int video_fail(sora_error *err, int code, const char *format, ...) {
    if (err) {
        va_list args;
        va_start(args, format);
        if (vsnprintf(err->message, sizeof err->message, format, args) < 0) err->message[0] = 0;
        va_end(args);
        err->code = code;
    }
    return code;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

enum video_format video_format_of(const char *path) {
    static const struct {
        const char *extension;
        enum video_format format;
    } known[] = {{".mp4", VIDEO_MP4},   {".webm", VIDEO_WEBM}, {".gif", VIDEO_GIF},
                 {".webp", VIDEO_WEBP}, {".y4m", VIDEO_Y4M},   {".png", VIDEO_PNG}};
    const char *name = base_name(path), *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof known / sizeof *known; i++)
        if (strcasecmp(dot, known[i].extension) == 0) return known[i].format;
    if (!*path) return VIDEO_UNKNOWN;
    return !dot || !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? VIDEO_FOLDER : VIDEO_UNKNOWN;
}

/* The path without slashes at its end, links followed where there is something. */
static char *real_path(const char *path) {
    char *real = realpath(path, NULL);
    if (real) return real;
    real = strdup(path);
    for (size_t n = real ? strlen(real) : 0; n > 1 && real[n - 1] == '/'; n--) real[n - 1] = 0;
    return real;
}

static int check_place(const char *path, enum video_format format, sora_error *err) {
    struct stat st;
    char parent[4096];
    const char *slash = strrchr(path, '/');
    if (strlen(path) + 64 > sizeof parent) return video_fail(err, SORA_E_IO, "%.200s: the name is too long", path);
    if (stat(path, &st) == 0) {
        if (format != VIDEO_FOLDER && !S_ISREG(st.st_mode))
            return video_fail(err, SORA_E_IO, "%.300s: is not a regular file", path);
        if (format == VIDEO_FOLDER && !S_ISDIR(st.st_mode))
            return video_fail(err, SORA_E_IO, "%.300s: is there and no folder; files have an extension, e.g. clip.mp4",
                              path);
        if (format == VIDEO_FOLDER && st.st_nlink > 2)
            return video_fail(err, SORA_E_IO, "%.300s: the folder is not empty", path);
    } else if (errno != ENOENT) {
        return video_fail(err, SORA_E_IO, "%.300s: %s", path, strerror(errno));
    }
    snprintf(parent, sizeof parent, "%.*s", slash == path ? 1 : slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (stat(parent, &st) != 0 || !S_ISDIR(st.st_mode))
        return video_fail(err, SORA_E_IO, "%.300s: there is no folder %.150s", path, parent);
    if (access(parent, W_OK | X_OK) != 0) return video_fail(err, SORA_E_IO, "%.300s: %s", path, strerror(errno));
    return SORA_OK;
}

/* An empty folder gives way to the new one; rmdir refuses any other. Asked before the work, so that it is not in vain.
 */
static int check_empty(const char *path, sora_error *err) {
    struct stat st;
    if (stat(path, &st) != 0) return SORA_OK;
    if (rmdir(path) != 0) return video_fail(err, SORA_E_IO, "%.300s: the folder is not empty", path);
    return mkdir(path, st.st_mode & 0777) == 0 ? SORA_OK
                                               : video_fail(err, SORA_E_IO, "%.300s: %s", path, strerror(errno));
}

int video_check(const char *path, sora_error *err) {
    const enum video_format format = video_format_of(path);
    if (format == VIDEO_UNKNOWN)
        return video_fail(err, SORA_E_UNSUPPORTED, "%.300s: files are written as mp4, webm, gif, webp, y4m or png",
                          path);
    char *real = real_path(path);
    int status = real ? check_place(real, format, err) : video_fail(err, SORA_E_NOMEM, "no memory for a path");
    if (status == SORA_OK && format == VIDEO_FOLDER) status = check_empty(real, err);
    free(real);
    return status;
}

static void frame_name(const video_writer *w, int64_t index, char *out, size_t size) {
    snprintf(out, size, "%s/frame-%04lld.png", w->part, (long long)index);
}

static void remove_parts(video_writer *w) {
    if (w->format != VIDEO_FOLDER) {
        unlink(w->part);
        return;
    }
    char name[4200];
    for (int64_t i = 0; i < w->target.frames; i++) {
        frame_name(w, i, name, sizeof name);
        unlink(name);
    }
    rmdir(w->part);
}

static int make_part(video_writer *w, sora_error *err) {
    const char *name = base_name(w->path);
    const size_t room = strlen(w->path) + 48;
    w->part = malloc(room);
    if (!w->part) return video_fail(err, SORA_E_NOMEM, "no memory for a path");
    snprintf(w->part, room, "%.*s.%s.%ld.part", (int)(name - w->path), w->path, name, (long)getpid());
    if (w->format == VIDEO_FOLDER)
        return mkdir(w->part, 0777) == 0 ? SORA_OK : video_fail(err, SORA_E_IO, "%.300s: %s", w->path, strerror(errno));
    if (w->format == VIDEO_PNG) /* written at once, by way of a temporary file of its own */
        return SORA_OK;
    FILE *f = fopen(w->part, "wb");
    if (!f) return video_fail(err, SORA_E_IO, "%.300s: %s", w->path, strerror(errno));
    fclose(f);
    return SORA_OK;
}

static void free_writer(video_writer *w) {
    free(w->path);
    free(w->part);
    free(w);
}

int video_writer_open(video_writer **out, sora_context *ctx, const char *path, int width, int height, double fps,
                      sora_error *err) {
    *out = NULL;
    const int status = video_check(path, err);
    if (status != SORA_OK) return status;
    video_writer *w = calloc(1, sizeof *w);
    if (!w) return video_fail(err, SORA_E_NOMEM, "no memory for a video");
    w->ctx = ctx;
    w->format = video_format_of(path);
    w->path = real_path(path);
    int code = w->path ? make_part(w, err) : video_fail(err, SORA_E_NOMEM, "no memory for a path");
    if (code != SORA_OK) {
        free_writer(w);
        return code;
    }
    w->target = (video_target){w->part, w->path, width, height, fps, 0, NULL};
    if (w->format == VIDEO_WEBP)
        code = video_webp_begin(&w->target, err);
    else if (w->format != VIDEO_PNG && w->format != VIDEO_FOLDER)
        code = video_av_begin(&w->target, w->format, err);
    w->began = 1;
    if (code != SORA_OK) video_writer_abandon(&w);
    *out = w;
    return code;
}

int video_writer_add(video_writer *w, const uint8_t *rgb, sora_error *err) {
    int status;
    char name[4200];
    switch (w->format) {
    case VIDEO_WEBP:
        status = video_webp_add(&w->target, rgb, err);
        break;
    case VIDEO_FOLDER:
        frame_name(w, w->target.frames, name, sizeof name);
        status = sora_image_write(w->ctx, name, rgb, w->target.width, w->target.height, err);
        break;
    case VIDEO_PNG:
        status = w->target.frames ? video_fail(err, SORA_E_UNSUPPORTED, "%.300s: a PNG holds one frame", w->path)
                                  : sora_image_write(w->ctx, w->path, rgb, w->target.width, w->target.height, err);
        break;
    default:
        status = video_av_add(&w->target, rgb, err);
        break;
    }
    if (status == SORA_OK) w->target.frames++;
    return status;
}

static int finish(video_writer *w, int keep, sora_error *err) {
    if (!w->began || w->format == VIDEO_PNG || w->format == VIDEO_FOLDER) return SORA_OK;
    return w->format == VIDEO_WEBP ? video_webp_end(&w->target, keep, err) : video_av_end(&w->target, keep, err);
}

int video_writer_commit(video_writer **writer, sora_error *err) {
    video_writer *w = *writer;
    *writer = NULL;
    if (!w) return SORA_OK;
    int status = finish(w, 1, err);
    if (status == SORA_OK && w->format == VIDEO_FOLDER) rmdir(w->path);
    if (status == SORA_OK && w->format != VIDEO_PNG && rename(w->part, w->path) != 0)
        status = video_fail(err, SORA_E_IO, "%.300s: %s", w->path, strerror(errno));
    if (status != SORA_OK) remove_parts(w);
    free_writer(w);
    return status;
}

void video_writer_abandon(video_writer **writer) {
    video_writer *w = *writer;
    *writer = NULL;
    if (!w) return;
    finish(w, 0, NULL);
    remove_parts(w);
    free_writer(w);
}
