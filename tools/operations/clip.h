/* Clips in memory, and their way in and out of files. */
#ifndef SORA_TOOLS_OPERATIONS_CLIP_H
#define SORA_TOOLS_OPERATIONS_CLIP_H

#include <stdint.h>

#include <sora/sora.h>

#include "tools/progress.h"

typedef struct clip {
    int width, height;
    int64_t frames, capacity;
    uint8_t *rgb; /* [frames, height, width, 3] */
} clip;

void clip_free(clip *c);
static inline size_t clip_frame_bytes(const clip *c) { return (size_t)c->width * (size_t)c->height * 3; }
static inline uint8_t *clip_frame(const clip *c, int64_t f) { return c->rgb + (size_t)f * clip_frame_bytes(c); }

/* Room for `frames` more behind the last, or before the first; the new frames are not set. Prints a line and returns an exit code on
 * failure, as all of these do. */
int clip_grow(clip *c, int64_t frames, int in_front);

/* Reads a video, an image or a folder's frames. fps 0: frames as they come; else frame k is the one that is shown at k / fps. width 0: the
 * picture's own size; else fitted (the middle, filled). */
int clip_read(clip *out, const char *path, double fps, int width, int height);
/* The picture's own size, without its frames. */
int clip_size(const char *path, int *width, int *height);
/* Frames a second that the file states, 0 when it does not. */
int clip_rate(const char *path, double *fps);
int clip_write(const clip *c, sora_context *ctx, const char *path, double fps);

#endif
