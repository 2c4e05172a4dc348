/* libsora: PNG images in and out. Since 0.1. */
#ifndef SORA_IMAGE_H
#define SORA_IMAGE_H

#include "sora/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a PNG of any kind as u8 [height, width, 3]; transparency is laid over white. SORA_E_FORMAT for a damaged one. */
SORA_API SORA_WUR int sora_image_read(sora_tensor **out, sora_context *ctx, const char *path, sora_error *err);
/* Writes RGB bytes [height, width, 3]; whole or not at all. */
SORA_API SORA_WUR int sora_image_write(sora_context *ctx, const char *path, const uint8_t *rgb, int32_t width, int32_t height,
                                       sora_error *err);

#ifdef __cplusplus
}
#endif
#endif
