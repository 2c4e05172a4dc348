#include "tools/video/scale.h"

#include <libswscale/swscale.h>
#include <string.h>

int video_fit(const uint8_t *from, int from_width, int from_height, uint8_t *to, int width, int height) {
    /* The largest part of the shape that is wanted, in the middle. */
    int64_t w = from_width, h = from_height;
    if (w * height > h * width)
        w = (h * width + height / 2) / height;
    else
        h = (w * height + width / 2) / width;
    w = w < 1 ? 1 : w;
    h = h < 1 ? 1 : h;
    const uint8_t *part = from + ((from_height - h) / 2 * from_width + (from_width - w) / 2) * 3;
    if (w == width && h == height) {
        for (int64_t y = 0; y < h; y++)
            memcpy(to + y * width * 3, part + y * from_width * 3, (size_t)width * 3);
        return SORA_OK;
    }
    const int kernel = w > width ? SWS_AREA : SWS_BICUBIC;
    struct SwsContext *s = sws_getContext((int)w, (int)h, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_RGB24,
                                          kernel | SWS_ACCURATE_RND | SWS_BITEXACT, NULL, NULL, NULL);
    if (!s)
        return SORA_E_NOMEM;
    const uint8_t *const planes[1] = {part};
    uint8_t *const made[1] = {to};
    const int strides[1] = {from_width * 3}, made_strides[1] = {width * 3};
    sws_scale(s, planes, strides, 0, (int)h, made, made_strides);
    sws_freeContext(s);
    return SORA_OK;
}
