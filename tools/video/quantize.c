/* 256 colours for a picture: median cut over a histogram of 5 bits a channel, then a light ordered dither against
 * banding. */
#include <stdlib.h>
#include <string.h>

#include "tools/video/internal.h"

#define CELLS 32768

typedef struct box {
    int lo[3], hi[3]; /* cells, inclusive */
    uint32_t count;
} box;

typedef struct histogram {
    uint32_t count[CELLS], sum[3][CELLS];
} histogram;

static int cell(int r, int g, int b) { return r << 10 | g << 5 | b; }

/* Shrinks a box to the cells that are used and counts them. */
static void tighten(const histogram *h, box *b) {
    int lo[3] = {31, 31, 31}, hi[3] = {0, 0, 0};
    b->count = 0;
    for (int r = b->lo[0]; r <= b->hi[0]; r++)
        for (int g = b->lo[1]; g <= b->hi[1]; g++)
            for (int v = b->lo[2]; v <= b->hi[2]; v++) {
                const uint32_t n = h->count[cell(r, g, v)];
                const int at[3] = {r, g, v};
                for (int c = 0; n && c < 3; c++) {
                    lo[c] = at[c] < lo[c] ? at[c] : lo[c];
                    hi[c] = at[c] > hi[c] ? at[c] : hi[c];
                }
                b->count += n;
            }
    if (b->count) {
        memcpy(b->lo, lo, sizeof lo);
        memcpy(b->hi, hi, sizeof hi);
    }
}

static int longest(const box *b) {
    int best = 0;
    for (int c = 1; c < 3; c++) best = b->hi[c] - b->lo[c] > b->hi[best] - b->lo[best] ? c : best;
    return best;
}

/* Cuts a along its longest side where half of its pixels lie on either side. */
static void cut(const histogram *h, box *a, box *b) {
    const int axis = longest(a);
    uint32_t seen = 0;
    int at = a->lo[axis];
    for (; at < a->hi[axis] - 1; at++) {
        box slice = *a;
        slice.lo[axis] = slice.hi[axis] = at;
        for (int r = slice.lo[0]; r <= slice.hi[0]; r++)
            for (int g = slice.lo[1]; g <= slice.hi[1]; g++)
                for (int v = slice.lo[2]; v <= slice.hi[2]; v++) seen += h->count[cell(r, g, v)];
        if (seen * 2 >= a->count) break;
    }
    *b = *a;
    a->hi[axis] = at;
    b->lo[axis] = at + 1;
    tighten(h, a);
    tighten(h, b);
}

static uint32_t mean_colour(const histogram *h, const box *b) {
    uint64_t sum[3] = {0}, n = 0;
    for (int r = b->lo[0]; r <= b->hi[0]; r++)
        for (int g = b->lo[1]; g <= b->hi[1]; g++)
            for (int v = b->lo[2]; v <= b->hi[2]; v++) {
                const int at = cell(r, g, v);
                n += h->count[at];
                for (int c = 0; c < 3; c++) sum[c] += h->sum[c][at];
            }
    n = n ? n : 1;
    return 0xff000000u | (uint32_t)((sum[0] + n / 2) / n) << 16 | (uint32_t)((sum[1] + n / 2) / n) << 8 |
           (uint32_t)((sum[2] + n / 2) / n);
}

static uint8_t nearest(const uint32_t *palette, int count, int r, int g, int b) {
    int best = 0, least = 1 << 30;
    for (int i = 0; i < count; i++) {
        const int dr = (int)(palette[i] >> 16 & 255) - r, dg = (int)(palette[i] >> 8 & 255) - g,
                  db = (int)(palette[i] & 255) - b;
        const int d = 3 * dr * dr + 5 * dg * dg + 2 * db * db;
        if (d < least) {
            least = d;
            best = i;
        }
    }
    return (uint8_t)best;
}

static int clamp(int v) { return v < 0 ? 0 : v > 255 ? 255 : v; }

void video_quantize(const uint8_t *rgb, int width, int height, uint32_t *palette, uint8_t *indices, int stride) {
    static const int bayer[16] = {0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5};
    histogram *h = calloc(1, sizeof *h);
    int16_t *known = malloc(CELLS * 8 * sizeof *known); /* 6 bits a channel -> index */
    box boxes[256] = {{{0, 0, 0}, {31, 31, 31}, 0}};
    int count = 1;
    memset(palette, 0, 256 * sizeof *palette);
    for (int y = 0; y < height; y++) memset(indices + (ptrdiff_t)y * stride, 0, (size_t)width);
    if (!h || !known) {
        free(h);
        free(known);
        return;
    }
    for (int64_t i = 0; i < (int64_t)width * height; i++) {
        const uint8_t *p = rgb + i * 3;
        const int at = cell(p[0] >> 3, p[1] >> 3, p[2] >> 3);
        h->count[at]++;
        for (int c = 0; c < 3; c++) h->sum[c][at] += p[c];
    }
    tighten(h, boxes);
    while (count < 256) {
        int best = -1;
        double most = 0;
        for (int i = 0; i < count; i++) {
            const int axis = longest(&boxes[i]), side = boxes[i].hi[axis] - boxes[i].lo[axis];
            const double weight = (double)boxes[i].count * side * side; /* error that a cut may save */
            if (side > 0 && weight > most) {
                most = weight;
                best = i;
            }
        }
        if (best < 0) break;
        cut(h, &boxes[best], &boxes[count]);
        count++;
    }
    for (int i = 0; i < count; i++) palette[i] = mean_colour(h, &boxes[i]);
    for (int i = count; i < 256; i++) palette[i] = 0xff000000u;
    for (int i = 0; i < CELLS * 8; i++) known[i] = -1;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const uint8_t *p = rgb + ((ptrdiff_t)y * width + x) * 3;
            const int d = (bayer[(y & 3) * 4 + (x & 3)] - 8) / 2;
            const int r = clamp(p[0] + d), g = clamp(p[1] + d), b = clamp(p[2] + d);
            int16_t *k = &known[(r >> 2) << 12 | (g >> 2) << 6 | b >> 2];
            if (*k < 0) *k = nearest(palette, count, r, g, b);
            indices[(ptrdiff_t)y * stride + x] = (uint8_t)*k;
        }
    free(h);
    free(known);
}
