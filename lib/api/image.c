#include "sora/image.h"

#include "lib/backend/context.h"
#include "lib/io/png.h"
#include "sora/tensor.h"

/* Lays RGBA over white. */
static void over_white(uint8_t *rgb, const uint8_t *rgba, int64_t pixels) {
    for (int64_t i = 0; i < pixels; i++)
        for (int c = 0; c < 3; c++)
            rgb[i * 3 + c] = (uint8_t)((rgba[i * 4 + c] * rgba[i * 4 + 3] + 255 * (255 - rgba[i * 4 + 3]) + 127) / 255);
}

int sora_image_read(sora_tensor **out, sora_context *ctx, const char *path, sora_error *err) {
    if (!out) return sorai_fail(err, SORA_E_INVALID, "sora_image_read: out is NULL");
    *out = NULL;
    if (!ctx || !path) return sorai_fail(err, SORA_E_INVALID, "sora_image_read: context and path are needed");
    sorai_source *source = NULL;
    sora_tensor *image = NULL;
    SORA_TRY(sorai_source_open(&source, &ctx->mem, path, err));
    int status = sorai_png_read(&ctx->mem, source, 4, &image, err);
    sorai_source_unref(&source);
    if (status == SORA_OK) {
        const sora_tensor_desc desc = {sizeof desc, SORA_DTYPE_U8, 3, 0, {image->shape[0], image->shape[1], 3}};
        status = sora_tensor_create(out, ctx, &desc, err);
    }
    if (status == SORA_OK) over_white((*out)->data, image->data, image->shape[0] * image->shape[1]);
    sorai_tensor_unref(&image);
    return status;
}

int sora_image_write(sora_context *ctx, const char *path, const uint8_t *rgb, int32_t width, int32_t height,
                     sora_error *err) {
    if (!ctx || !path || !rgb)
        return sorai_fail(err, SORA_E_INVALID, "sora_image_write: context, path and pixels are needed");
    if (width < 1 || height < 1 || width > (int32_t)SORAI_PNG_MAX_SIDE || height > (int32_t)SORAI_PNG_MAX_SIDE)
        return sorai_fail(err, SORA_E_INVALID, "%.300s: sides of an image are 1..%u pixels", path, SORAI_PNG_MAX_SIDE);
    const int64_t shape[3] = {height, width, 3};
    sora_tensor *image = NULL;
    /* Only read: the tensor has no way to say so. */
    SORA_TRY(
        sorai_tensor_wrap(&image, &ctx->mem, SORA_DTYPE_U8, 3, shape, (void *)(uintptr_t)rgb, NULL, NULL, NULL, err));
    const int status = sorai_png_write(&ctx->mem, path, image, err);
    sorai_tensor_unref(&image);
    return status;
}
