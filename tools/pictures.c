#include "tools/pictures.h"

#include <string.h>

#include "tools/video/video.h"

#define MOST_BYTES  ((size_t)1 << 31)
#define MOST_FRAMES 1024

/* The first `frames` frames of a file (0: all there are) as u8 [frames, h, w, channels]; rank 3 drops the first axis.
 */
static int read_slot(sora_context *ctx, sora_pipeline *p, const char *path, int64_t frames, sora_slot slot) {
    video_clip clip = {0};
    sora_error err = {.struct_size = sizeof err};
    sora_tensor *t = NULL;
    const int grey = slot == SORA_SLOT_MASK;
    int status = video_read(&clip, path, frames ? frames : MOST_FRAMES, MOST_BYTES, &err);
    if (status != SORA_OK) {
        video_clip_free(&clip);
        return complain(EXIT_FAILED, "%s", err.message);
    }
    sora_tensor_desc d = {.struct_size = sizeof d, .dtype = SORA_DTYPE_U8};
    int64_t *shape = d.shape;
    if (frames != 1) shape[d.rank++] = clip.frames;
    shape[d.rank++] = clip.height;
    shape[d.rank++] = clip.width;
    if (!grey) shape[d.rank++] = 3;
    status = sora_tensor_create(&t, ctx, &d, &err);
    if (status == SORA_OK) {
        uint8_t *to = sora_tensor_data(t);
        const size_t n = sora_tensor_bytes(t);
        if (grey)
            for (size_t i = 0; i < n; i++) {
                const uint8_t *rgb = clip.rgb + 3 * i;
                to[i] = (uint8_t)((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000);
            }
        else
            memcpy(to, clip.rgb, n);
        status = sora_pipeline_set_tensor(p, slot, t);
    }
    sora_tensor_unref(&t);
    video_clip_free(&clip);
    return status == SORA_OK ? EXIT_DONE : complain(EXIT_FAILED, "%s: %s", path, err.message);
}

int picture_options_apply(const picture_opts *o, sora_context *ctx, sora_pipeline *p) {
    const struct {
        const char *path;
        int64_t frames;
        sora_slot slot;
    } files[] = {{o->image, 1, SORA_SLOT_IMAGE},
                 {o->last_image, 1, SORA_SLOT_LAST_IMAGE},
                 {o->video, 0, SORA_SLOT_VIDEO},
                 {o->mask, 0, SORA_SLOT_MASK}};
    int code = EXIT_DONE;
    for (size_t i = 0; i < sizeof files / sizeof *files && code == EXIT_DONE; i++)
        if (files[i].path) code = read_slot(ctx, p, files[i].path, files[i].frames, files[i].slot);
    if (o->references.count > SORA_MAX_REFERENCES)
        return complain(EXIT_USAGE, "option --reference: more than %d", SORA_MAX_REFERENCES);
    for (int i = 0; i < o->references.count && code == EXIT_DONE; i++)
        code = read_slot(ctx, p, o->references.items[i], 1, SORA_SLOT_REFERENCE + i);
    return code;
}
