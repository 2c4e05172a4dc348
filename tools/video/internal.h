/* Between the writers of the formats. */
#ifndef SORA_TOOLS_VIDEO_INTERNAL_H
#define SORA_TOOLS_VIDEO_INTERNAL_H

#include "tools/video/video.h"

/* A format: begin may fail after filling in part of the state, end is called in any case (keep 0: the file is thrown
 * away). */
typedef struct video_target {
    const char *path;  /* temporary file */
    const char *shown; /* for messages */
    int width, height;
    double fps;
    int64_t frames; /* so far */
    void *state;
} video_target;

int video_av_begin(video_target *t, enum video_format format, sora_error *err);
int video_av_add(video_target *t, const uint8_t *rgb, sora_error *err);
int video_av_end(video_target *t, int keep, sora_error *err);

int video_webp_begin(video_target *t, sora_error *err);
int video_webp_add(video_target *t, const uint8_t *rgb, sora_error *err);
int video_webp_end(video_target *t, int keep, sora_error *err);

/* 256 colours for a picture, and the picture in them: palette of 256 x 0xffRRGGBB, indices of `stride` bytes a row. */
void video_quantize(const uint8_t *rgb, int width, int height, uint32_t *palette, uint8_t *indices, int stride);

#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
int video_fail(sora_error *err, int code, const char *format, ...);

#endif
