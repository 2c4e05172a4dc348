#include "tools/video/convert.h"

#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/video/internal.h"

#define MAX_SIDE 16384
#define WHITE    203.0 /* cd/m2 of white in HDR (BT.2408) */

/* ---- the way a picture stands ------------------------------------------------------------------------------------------------ */

typedef struct turn {
    int swap, left, up; /* rows become columns; then columns, then rows, in reverse */
} turn;

/* x' = a x + c y, y' = b x + d y, y downwards. Other angles than multiples of 90 degrees are rounded to the next. */
static turn turn_of(const AVFrame *frame, const int32_t *matrix) {
    const AVFrameSideData *own = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
    const int32_t *m = own && own->size >= 9 * sizeof *m ? (const int32_t *)(const void *)own->data : matrix;
    if (!m) return (turn){0, 0, 0};
    const double a = m[0], b = m[1], c = m[3], d = m[4];
    return fabs(a) + fabs(d) >= fabs(b) + fabs(c) ? (turn){0, a < 0, d < 0} : (turn){1, c < 0, b < 0};
}

static void put_upright(const uint8_t *flat, int w, int h, turn t, uint8_t *rgb) {
    const int width = t.swap ? h : w, height = t.swap ? w : h;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, rgb += 3) {
            const int u = t.left ? width - 1 - x : x, v = t.up ? height - 1 - y : y;
            memcpy(rgb, flat + ((size_t)(t.swap ? u : v) * (size_t)w + (size_t)(t.swap ? v : u)) * 3, 3);
        }
}

/* ---- colours ----------------------------------------------------------------------------------------------------------------- */

static int is_hdr(const AVFrame *f) { return f->color_trc == AVCOL_TRC_SMPTE2084 || f->color_trc == AVCOL_TRC_ARIB_STD_B67; }

static int has_alpha(const AVFrame *f) {
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get((enum AVPixelFormat)f->format);
    return d && d->flags & AV_PIX_FMT_FLAG_ALPHA;
}

static int coefficients_of(const AVFrame *f) {
    switch (f->colorspace) {
    case AVCOL_SPC_BT709: return SWS_CS_ITU709;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return SWS_CS_BT2020;
    case AVCOL_SPC_SMPTE240M: return SWS_CS_SMPTE240M;
    case AVCOL_SPC_FCC: return SWS_CS_FCC;
    case AVCOL_SPC_UNSPECIFIED: return is_hdr(f) ? SWS_CS_BT2020 : f->height >= 720 ? SWS_CS_ITU709 : SWS_CS_ITU601;
    default: return SWS_CS_ITU601;
    }
}

/* Linear light of a code 0..65535, 1 is white. */
static double pq_light(double v) {
    const double m1 = 2610.0 / 16384, m2 = 2523.0 / 32, c1 = 3424.0 / 4096, c2 = 2413.0 / 128, c3 = 2392.0 / 128;
    const double p = pow(v, 1 / m2);
    return 10000.0 / WHITE * pow(fmax(p - c1, 0) / (c2 - c3 * p), 1 / m1);
}

static double hlg_light(double v) {
    const double a = 0.17883277, b = 1 - 4 * a, c = 0.5 - a * log(4 * a);
    return v <= 0.5 ? v * v / 3 : (exp((v - c) / a) + b) / 12; /* of the scene: the display's follows from all channels */
}

static int make_light(video_converter *c, int transfer) {
    if (c->light && c->transfer == transfer) return 0;
    if (!c->light && !(c->light = malloc(65536 * sizeof *c->light))) return -1;
    c->transfer = transfer;
    for (int i = 0; i < 65536; i++) c->light[i] = (float)(transfer == AVCOL_TRC_SMPTE2084 ? pq_light(i / 65535.0) : hlg_light(i / 65535.0));
    return 0;
}

static uint8_t srgb(double x) {
    x = x <= 0 ? 0 : x >= 1 ? 1 : x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055;
    return (uint8_t)(x * 255 + 0.5);
}

/* from: 16-bit RGB of BT.2020. */
static void map_hdr(const video_converter *c, const uint16_t *from, int wide, int64_t pixels, uint8_t *to) {
    for (int64_t i = 0; i < pixels; i++) {
        double r = (double)c->light[from[i * 3]], g = (double)c->light[from[i * 3 + 1]], b = (double)c->light[from[i * 3 + 2]];
        if (c->transfer == AVCOL_TRC_ARIB_STD_B67) { /* a display of 1000 cd/m2 */
            const double s = 1000.0 / WHITE * pow(fmax(0.2627 * r + 0.6780 * g + 0.0593 * b, 1e-9), 0.2);
            r *= s;
            g *= s;
            b *= s;
        }
        double v[3] = {r, g, b};
        if (wide) {
            v[0] = 1.660491 * r - 0.587641 * g - 0.072850 * b;
            v[1] = -0.124550 * r + 1.132900 * g - 0.008349 * b;
            v[2] = -0.018151 * r - 0.100579 * g + 1.118730 * b;
        }
        /* The brightest channel is rolled off from 0.8 on, the others go along so that the hue stays. */
        const double most = fmax(v[0], fmax(v[1], v[2])), s = most > 0.8 ? (1 - 0.2 / (1 + (most - 0.8) / 0.2)) / most : 1;
        for (int k = 0; k < 3; k++) to[i * 3 + k] = srgb(v[k] * s);
    }
}

/* In place: RGBA over white becomes RGB. */
static void over_white(uint8_t *p, int64_t pixels) {
    for (int64_t i = 0; i < pixels; i++) {
        const int a = p[i * 4 + 3], r = p[i * 4], g = p[i * 4 + 1], b = p[i * 4 + 2];
        p[i * 3] = (uint8_t)((r * a + 255 * (255 - a) + 127) / 255);
        p[i * 3 + 1] = (uint8_t)((g * a + 255 * (255 - a) + 127) / 255);
        p[i * 3 + 2] = (uint8_t)((b * a + 255 * (255 - a) + 127) / 255);
    }
}

/* ---- a picture --------------------------------------------------------------------------------------------------------------- */

int video_convert_begin(video_converter *c, const AVFrame *f, const int32_t *matrix, const char *path, sora_error *err) {
    double w = f->width, h = f->height;
    const AVRational shape = f->sample_aspect_ratio;
    if (shape.num > 0 && shape.den > 0 && shape.num > shape.den) w = floor(w * shape.num / shape.den + 0.5);
    if (shape.num > 0 && shape.den > 0 && shape.num < shape.den) h = floor(h * shape.den / shape.num + 0.5);
    if (w < 1 || h < 1 || w > MAX_SIDE || h > MAX_SIDE)
        return video_fail(err, SORA_E_FORMAT, "%.300s: sides of up to %d pixels are read", path, MAX_SIDE);
    const turn t = turn_of(f, matrix);
    c->flat[0] = (int)w;
    c->flat[1] = (int)h;
    c->width = t.swap ? (int)h : (int)w;
    c->height = t.swap ? (int)w : (int)h;
    c->pixels = malloc((size_t)w * (size_t)h * 8);
    return c->pixels ? SORA_OK : video_fail(err, SORA_E_NOMEM, "%.300s: no memory for a picture", path);
}

/* fresh: scale has its defaults, by which kinds such as YUVJ and grey have the full range whatever the picture says. */
static void set_colours(video_converter *c, const AVFrame *f, int fresh) {
    int *inverse, *forward, from, to, brightness, contrast, saturation;
    if (sws_getColorspaceDetails(c->scale, &inverse, &from, &forward, &to, &brightness, &contrast, &saturation) < 0) return; /* RGB has none */
    if (fresh) c->full = from;
    const int coefficients = coefficients_of(f), full = c->full || f->color_range == AVCOL_RANGE_JPEG;
    const int64_t details = (int64_t)coefficients * 2 + full;
    if (!fresh && details == c->details) return;
    c->details = details;
    const int *const table = sws_getCoefficients(coefficients);
    sws_setColorspaceDetails(c->scale, table, full, table, 1, brightness, contrast, saturation);
}

int video_convert(video_converter *c, const AVFrame *f, const int32_t *matrix, const char *path, uint8_t *rgb, sora_error *err) {
    const int w = c->flat[0], h = c->flat[1], hdr = is_hdr(f), alpha = !hdr && has_alpha(f);
    const turn t = turn_of(f, matrix);
    const enum AVPixelFormat kind = hdr ? AV_PIX_FMT_RGB48 : alpha ? AV_PIX_FMT_RGBA : AV_PIX_FMT_RGB24;
    struct SwsContext *const before = c->scale;
    if (f->width < 1 || f->height < 1 || f->width > MAX_SIDE || f->height > MAX_SIDE)
        return video_fail(err, SORA_E_FORMAT, "%.300s: sides of up to %d pixels are read", path, MAX_SIDE);
    c->scale = sws_getCachedContext(c->scale, f->width, f->height, (enum AVPixelFormat)f->format, w, h, kind,
                                    SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
    if (!c->scale) return video_fail(err, SORA_E_UNSUPPORTED, "%.300s: pixels of an unknown kind", path);
    if (hdr && make_light(c, (int)f->color_trc) != 0) return video_fail(err, SORA_E_NOMEM, "%.300s: no memory for a picture", path);
    set_colours(c, f, c->scale != before);
    const int upright = !t.swap && !t.left && !t.up, direct = upright && kind == AV_PIX_FMT_RGB24;
    uint8_t *const planes[1] = {direct ? rgb : c->pixels};
    const int strides[1] = {w * (hdr ? 6 : alpha ? 4 : 3)};
    sws_scale(c->scale, (const uint8_t *const *)f->data, f->linesize, 0, f->height, planes, strides);
    if (direct) return SORA_OK;
    /* HDR shrinks from six bytes to three in place: what is read lies ahead of what is written. */
    if (hdr) map_hdr(c, (const uint16_t *)(const void *)c->pixels, f->color_primaries == AVCOL_PRI_BT2020 || f->color_primaries == AVCOL_PRI_UNSPECIFIED,
                     (int64_t)w * h, c->pixels);
    if (alpha) over_white(c->pixels, (int64_t)w * h);
    /* A later picture that stands otherwise keeps the size of the first only when it has the same shape. */
    if (t.swap != (c->width != w) && w != h)
        return video_fail(err, SORA_E_UNSUPPORTED, "%.300s: is turned around in the middle", path);
    put_upright(c->pixels, w, h, t, rgb);
    return SORA_OK;
}

void video_convert_end(video_converter *c) {
    sws_freeContext(c->scale);
    free(c->pixels);
    free(c->light);
    memset(c, 0, sizeof *c);
}
