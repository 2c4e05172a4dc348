#include <string.h>

#include "lib/vision/vision.h"

void sorai_vision_prepare_init(sorai_vision_prepare *p) {
    *p = (sorai_vision_prepare){.resize = 1,
                                .crop = 1,
                                .rescale = 1,
                                .normalize = 1,
                                .shortest = 224,
                                .crop_height = 224,
                                .crop_width = 224,
                                .filter = SORAI_FILTER_BICUBIC,
                                .factor = 1.0 / 255.0,
                                .mean = {0.48145466f, 0.4578275f, 0.40821073f},
                                .std = {0.26862954f, 0.26130258f, 0.27577711f}};
}

/* The size after the first step. */
static void resized(const sorai_vision_prepare *p, int32_t width, int32_t height, int64_t *to_width,
                    int64_t *to_height) {
    *to_width = width;
    *to_height = height;
    if (!p->resize) return;
    *to_width = p->width;
    *to_height = p->height;
    if (!p->shortest) return;
    const int32_t less = width <= height ? width : height, more = width <= height ? height : width;
    const int64_t longer = (int64_t)((double)p->shortest * (double)more / (double)less);
    *to_width = width <= height ? p->shortest : longer;
    *to_height = width <= height ? longer : p->shortest;
}

static int64_t floor_half(int64_t v) { return v >= 0 ? v / 2 : -((1 - v) / 2); }

int sorai_vision_pixels(sora_tensor **out, sorai_mem *mem, const sorai_vision_prepare *p, const uint8_t *rgb,
                        int32_t width, int32_t height, int32_t size, sora_error *err) {
    int64_t w, h;
    *out = NULL;
    if (width < 1 || height < 1 || width > 65536 || height > 65536)
        return sorai_fail(err, SORA_E_INVALID, "a picture of %d x %d pixels can't be prepared", (int)width,
                          (int)height);
    resized(p, width, height, &w, &h);
    const int64_t out_w = p->crop ? p->crop_width : w, out_h = p->crop ? p->crop_height : h;
    if (out_w != size || out_h != size)
        return sorai_fail(err, SORA_E_INVALID,
                          "the picture becomes %lld x %lld pixels, the image encoder takes %d x %d", (long long)out_w,
                          (long long)out_h, (int)size, (int)size);
    if (w < 1 || h < 1 || w > 65536 * 16 || h > 65536 * 16)
        return sorai_fail(err, SORA_E_INVALID, "a picture of %d x %d pixels is too long to be prepared", (int)width,
                          (int)height);
    size_t bytes;
    uint8_t *scaled = NULL;
    const uint8_t *from = rgb;
    if (p->resize) {
        scaled = sorai_mul_ok((size_t)w * 3, (size_t)h, &bytes) ? sorai_alloc(mem, bytes) : NULL;
        if (!scaled) return sorai_fail(err, SORA_E_NOMEM, "no memory for a picture");
        const int status = sorai_resize_rgb(mem, rgb, width, height, scaled, (int32_t)w, (int32_t)h, p->filter, err);
        if (status != SORA_OK) {
            sorai_free(mem, scaled);
            return status;
        }
        from = scaled;
    }
    const int64_t shape[3] = {3, size, size};
    const int status = sorai_tensor_new(out, mem, SORA_DTYPE_F32, 3, shape, err);
    /* Cut out of the middle; where the picture is smaller, zeros (before scaling) stand around it, the larger part of
     * an odd rest in front. */
    const int64_t top = floor_half(h - size), left = floor_half(w - size);
    for (int64_t c = 0; c < 3 && status == SORA_OK; c++) {
        float *plane = (float *)(*out)->data + c * size * size;
        for (int64_t y = 0; y < size; y++)
            for (int64_t x = 0; x < size; x++) {
                const int64_t sy = y + top, sx = x + left;
                const int inside = sy >= 0 && sy < h && sx >= 0 && sx < w;
                const double raw = inside ? from[(sy * w + sx) * 3 + c] : 0.0;
                float v = (float)(p->rescale ? raw * p->factor : raw);
                if (p->normalize) v = (v - p->mean[c]) / p->std[c];
                plane[y * size + x] = v;
            }
    }
    sorai_free(mem, scaled);
    return status;
}
