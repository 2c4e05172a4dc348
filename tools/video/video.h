/* Video files, through libav* and libwebp: frames in and out. RGB bytes, [height][width][3], top row first. */
#ifndef SORA_TOOLS_VIDEO_VIDEO_H
#define SORA_TOOLS_VIDEO_VIDEO_H

#include <stddef.h>
#include <stdint.h>

#include <sora/sora.h>

/* What a file name asks for: mp4, webm, gif, webp, y4m and png by extension, a folder of PNG files without one or with
 * a slash at the end. */
enum video_format { VIDEO_UNKNOWN, VIDEO_MP4, VIDEO_WEBM, VIDEO_GIF, VIDEO_WEBP, VIDEO_Y4M, VIDEO_PNG, VIDEO_FOLDER };
enum video_format video_format_of(const char *path);

/* Whether a video can be put there: known extension, a folder that may be written, nothing there but a regular file (or
 * an empty folder for VIDEO_FOLDER). SORA_OK, SORA_E_UNSUPPORTED or SORA_E_IO with a message. */
int video_check(const char *path, sora_error *err);

/* Writes a video, whole or not at all: what is under way has another name. One thread. fps: frames a second, above 0.
 */
typedef struct video_writer video_writer;
int video_writer_open(video_writer **out, sora_context *ctx, const char *path, int width, int height, double fps,
                      sora_error *err);
int video_writer_add(video_writer *w, const uint8_t *rgb, sora_error *err); /* the next frame; copied */
int video_writer_commit(video_writer **w, sora_error *err);                 /* frees *w, also on failure */
void video_writer_abandon(video_writer **w);                                /* leaves nothing behind; NULL is fine */

/* A decoded clip. */
typedef struct video_clip {
    int width, height;
    int64_t frames;
    double fps;     /* mean; 0: the file does not say */
    double seconds; /* how long it is shown; 0: the file does not say */
    uint8_t *rgb;
    double *at; /* seconds at which each frame is shown first, from 0 on, rising; NULL: the file does not say */
} video_clip;

/* The frame that is shown at a time; only with `at`. */
int64_t video_frame_at(const video_clip *c, double seconds);

/* Decodes the first frames of a video, an image, or a folder of PNG (in the order of their names, without a rate), at most max_frames (0: all) and max_bytes of pixels (SORA_E_LIMIT).
 * Pictures come out upright, with square pixels, over white, in sRGB: tools/video/convert.h. A damaged file gives SORA_E_FORMAT; frames before a damage are not given. video_clip_free afterwards, also of a
 * zeroed one. */
int video_read(video_clip *out, const char *path, int64_t max_frames, size_t max_bytes, sora_error *err);
void video_clip_free(video_clip *clip);

/* The same, one frame after the other, of which only one is held: rgb is valid during the call, `at` the seconds at which it is shown first (below 0: the
 * file does not say). Return 0 to go on; else SORA_E_CANCELLED. seconds: how long the whole is shown, 0 when the file does not say. */
typedef int (*video_frame_fn)(void *user, const uint8_t *rgb, int width, int height, double at);
int video_each(const char *path, video_frame_fn each, void *user, double *seconds, sora_error *err);

#endif
