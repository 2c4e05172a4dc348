/* Animated WebP through libwebpmux. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include "tools/video/internal.h"

int video_webp_begin(video_target *t, sora_error *err) {
    WebPAnimEncoderOptions options;
    if (t->width > WEBP_MAX_DIMENSION || t->height > WEBP_MAX_DIMENSION)
        return video_fail(err, SORA_E_UNSUPPORTED, "%.300s: WebP has sides of up to %d pixels", t->shown,
                          WEBP_MAX_DIMENSION);
    if (!WebPAnimEncoderOptionsInit(&options))
        return video_fail(err, SORA_E_UNSUPPORTED, "%.300s: this libwebp is another version", t->shown);
    options.anim_params.loop_count = 0;
    options.minimize_size = 0;
    t->state = WebPAnimEncoderNew(t->width, t->height, &options);
    return t->state ? SORA_OK : video_fail(err, SORA_E_NOMEM, "no memory for a video");
}

static int at(const video_target *t, int64_t frame) { return (int)((double)frame * 1000.0 / t->fps + 0.5); }

int video_webp_add(video_target *t, const uint8_t *rgb, sora_error *err) {
    WebPConfig config;
    WebPPicture picture;
    if (!WebPConfigInit(&config) || !WebPPictureInit(&picture))
        return video_fail(err, SORA_E_UNSUPPORTED, "%.300s: this libwebp is another version", t->shown);
    config.quality = 90;
    config.method = 4;
    picture.use_argb = 1;
    picture.width = t->width;
    picture.height = t->height;
    const int done = WebPPictureImportRGB(&picture, rgb, t->width * 3) &&
                     WebPAnimEncoderAdd((WebPAnimEncoder *)t->state, &picture, at(t, t->frames), &config);
    WebPPictureFree(&picture);
    return done ? SORA_OK
                : video_fail(err, SORA_E_IO, "%.300s: %s", t->shown,
                             WebPAnimEncoderGetError((WebPAnimEncoder *)t->state));
}

int video_webp_end(video_target *t, int keep, sora_error *err) {
    WebPAnimEncoder *encoder = t->state;
    WebPData data;
    int status = SORA_OK;
    t->state = NULL;
    if (!encoder) return SORA_OK;
    WebPDataInit(&data);
    if (keep &&
        (!WebPAnimEncoderAdd(encoder, NULL, at(t, t->frames), NULL) || !WebPAnimEncoderAssemble(encoder, &data)))
        status = video_fail(err, SORA_E_IO, "%.300s: %s", t->shown, WebPAnimEncoderGetError(encoder));
    if (keep && status == SORA_OK) {
        FILE *f = fopen(t->path, "wb");
        int bad = !f || fwrite(data.bytes, 1, data.size, f) != data.size;
        if (f && fclose(f) != 0) bad = 1;
        if (bad) status = video_fail(err, SORA_E_IO, "%.300s: %s", t->shown, strerror(errno));
    }
    WebPDataClear(&data);
    WebPAnimEncoderDelete(encoder);
    return status;
}
