/* Resampling of RGB bytes with the results of Pillow, to the bit: the checkpoints were trained behind it. */
#include <math.h>
#include <string.h>

#include "lib/vision/vision.h"

#define BITS 22 /* of the weights behind the point */
#define PI   3.14159265358979323846

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

static double bilinear(double x) {
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double hamming(double x) {
    x = fabs(x);
    if (x == 0.0) return 1.0;
    if (x >= 1.0) return 0.0;
    x *= PI;
    return sin(x) / x * (0.54 + 0.46 * cos(x));
}

/* Keys' cubic with a = -1/2. */
static double bicubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

static double sinc(double x) {
    if (x == 0.0) return 1.0;
    x *= PI;
    return sin(x) / x;
}

static double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }

/* For each element of a resampled line: the first element that it takes, how many, and their weights. */
typedef struct weights {
    sorai_mem *mem;
    int32_t most;    /* weights per element */
    int32_t *first;  /* [to], then [to] counts */
    int32_t *weight; /* [to, most] */
} weights;

static void release(weights *w) {
    sorai_free(w->mem, w->first);
    sorai_free(w->mem, w->weight);
}

static int make(weights *w, sorai_mem *mem, int32_t from, int32_t to, double reach, double (*filter)(double),
                sora_error *err) {
    const double scale = (double)from / (double)to, wide = scale < 1.0 ? 1.0 : scale, support = reach * wide;
    *w = (weights){.mem = mem, .most = (int32_t)ceil(support) * 2 + 1};
    size_t n;
    double *row = sorai_calloc(mem, (size_t)w->most, sizeof *row);
    w->first = sorai_calloc(mem, (size_t)to, 2 * sizeof *w->first);
    w->weight = sorai_mul_ok((size_t)to, (size_t)w->most, &n) ? sorai_calloc(mem, n, sizeof *w->weight) : NULL;
    if (!row || !w->first || !w->weight) {
        sorai_free(mem, row);
        release(w);
        return sorai_fail(err, SORA_E_NOMEM, "no memory to resize a picture");
    }
    for (int32_t i = 0; i < to; i++) {
        const double center = ((double)i + 0.5) * scale;
        int32_t first = (int32_t)(center - support + 0.5), end = (int32_t)(center + support + 0.5);
        first = first < 0 ? 0 : first;
        end = end > from ? from : end;
        const int32_t count = end - first;
        double sum = 0.0;
        for (int32_t k = 0; k < count; k++) {
            row[k] = filter(((double)(k + first) - center + 0.5) * (1.0 / wide));
            sum += row[k];
        }
        for (int32_t k = 0; k < count; k++) {
            const double v = (sum != 0.0 ? row[k] / sum : row[k]) * (double)(1 << BITS);
            w->weight[(size_t)i * (size_t)w->most + (size_t)k] = (int32_t)(v < 0.0 ? v - 0.5 : v + 0.5);
        }
        w->first[i] = first;
        w->first[to + i] = count;
    }
    sorai_free(mem, row);
    return SORA_OK;
}

static uint8_t byte_of(int32_t sum) {
    /* Halves were added before; negative sums and those above 255 are cut. */
    return sum <= 0 ? 0 : sum >> BITS > 255 ? 255 : (uint8_t)(sum >> BITS);
}

/* Resamples one axis: `lines` lines, each `from` elements `step` apart, lines `line` apart; the same for `out`. */
static void along(const weights *w, const uint8_t *in, size_t in_line, size_t in_step, uint8_t *out, size_t out_line,
                  size_t out_step, int32_t lines, int32_t to) {
    for (int32_t y = 0; y < lines; y++)
        for (int32_t i = 0; i < to; i++) {
            const int32_t *k = w->weight + (size_t)i * (size_t)w->most;
            const uint8_t *from = in + (size_t)y * in_line + (size_t)w->first[i] * in_step;
            for (size_t c = 0; c < 3; c++) {
                int32_t sum = 1 << (BITS - 1);
                for (int32_t n = 0; n < w->first[to + i]; n++) sum += from[(size_t)n * in_step + c] * k[n];
                out[(size_t)y * out_line + (size_t)i * out_step + c] = byte_of(sum);
            }
        }
}

/* Places are added up, not multiplied: where they fall on the edge of a pixel, rounding decides. */
static int nearest(sorai_mem *mem, const uint8_t *rgb, int32_t width, int32_t height, uint8_t *out, int32_t to_width,
                   int32_t to_height, sora_error *err) {
    const double sx = (double)width / (double)to_width, sy = (double)height / (double)to_height;
    size_t *column = sorai_calloc(mem, (size_t)to_width, sizeof *column);
    if (!column) return sorai_fail(err, SORA_E_NOMEM, "no memory to resize a picture");
    double place = sx * 0.5;
    for (int32_t x = 0; x < to_width; x++, place += sx)
        column[x] = 3 * (size_t)(place < (double)width ? place : (double)(width - 1));
    place = sy * 0.5;
    for (int32_t y = 0; y < to_height; y++, place += sy) {
        const uint8_t *line = rgb + (size_t)(place < (double)height ? place : (double)(height - 1)) * (size_t)width * 3;
        for (int32_t x = 0; x < to_width; x++, out += 3) memcpy(out, line + column[x], 3);
    }
    sorai_free(mem, column);
    return SORA_OK;
}

typedef struct size {
    int32_t w, h;
} size;

/* One axis of a picture of size `from`. */
static int pass(sorai_mem *mem, const uint8_t *rgb, size from, uint8_t *out, size to, int vertical, double reach,
                double (*filter)(double), sora_error *err) {
    weights w;
    const size_t line = (size_t)from.w * 3, to_line = (size_t)to.w * 3;
    SORA_TRY(make(&w, mem, vertical ? from.h : from.w, vertical ? to.h : to.w, reach, filter, err));
    if (vertical)
        along(&w, rgb, 3, line, out, 3, to_line, from.w, to.h);
    else
        along(&w, rgb, line, 3, out, to_line, 3, from.h, to.w);
    release(&w);
    return SORA_OK;
}

int sorai_resize_rgb(sorai_mem *mem, const uint8_t *rgb, int32_t width, int32_t height, uint8_t *out, int32_t to_width,
                     int32_t to_height, enum sorai_filter filter, sora_error *err) {
    static double (*const filters[])(double) = {NULL, lanczos, bilinear, bicubic, box, hamming};
    static const double reach[] = {0.0, 3.0, 1.0, 2.0, 0.5, 1.0};
    const size from = {width, height}, to = {to_width, to_height};
    if (width == to_width && height == to_height) {
        memcpy(out, rgb, (size_t)width * (size_t)height * 3);
        return SORA_OK;
    }
    if (filter == SORAI_FILTER_NEAREST) return nearest(mem, rgb, width, height, out, to_width, to_height, err);
    if (width == to_width || height == to_height)
        return pass(mem, rgb, from, out, to, width == to_width, reach[filter], filters[filter], err);
    /* Both axes, with bytes between, so that the order shows: the columns come first where the height shrinks by more
     * than twice what the width does. */
    const int down = height > to_height && (int64_t)height - to_height > 2 * ((int64_t)width - to_width);
    const size half = down ? (size){width, to_height} : (size){to_width, height};
    size_t bytes;
    uint8_t *between = sorai_mul_ok((size_t)half.w * 3, (size_t)half.h, &bytes) ? sorai_alloc(mem, bytes) : NULL;
    if (!between) return sorai_fail(err, SORA_E_NOMEM, "no memory to resize a picture");
    int status = pass(mem, rgb, from, between, half, down, reach[filter], filters[filter], err);
    if (status == SORA_OK) status = pass(mem, between, half, out, to, !down, reach[filter], filters[filter], err);
    sorai_free(mem, between);
    return status;
}
