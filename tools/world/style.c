/* Styles are made from the finished picture: clay, charcoal, pixel art, an old film. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/world/internal.h"

static uint8_t byte(double v) { return (uint8_t)(v <= 0 ? 0 : v >= 255 ? 255 : v + .5); }

static double grain(uint64_t seed, int x, int y) {
    return (double)(world_hash(seed, (uint64_t)y * 8192u + (uint64_t)x) >> 40) / 16777216.0;
}

static double luma(const uint8_t *p) { return .299 * p[0] + .587 * p[1] + .114 * p[2]; }

/* Box blur of a plane with radius r, in place; tmp as long as a row or column. */
static void blur(float *v, int w, int h, int r, float *tmp) {
    if (r < 1) return;
    for (int pass = 0; pass < 2; pass++) {
        int n = pass ? h : w, lines = pass ? w : h;
        size_t step = pass ? (size_t)w : 1, jump = pass ? 1 : (size_t)w;
        for (int l = 0; l < lines; l++) {
            float *q = v + (size_t)l * jump;
            float sum = 0;
            for (int i = -r; i <= r; i++) sum += q[(size_t)(i < 0 ? 0 : i >= n ? n - 1 : i) * step];
            for (int i = 0; i < n; i++) {
                tmp[i] = sum / (float)(2 * r + 1);
                int in = i + r + 1, out = i - r;
                sum += q[(size_t)(in >= n ? n - 1 : in) * step] - q[(size_t)(out < 0 ? 0 : out) * step];
            }
            for (int i = 0; i < n; i++) q[(size_t)i * step] = tmp[i];
        }
    }
}

static float *plane(const uint8_t *rgb, int w, int h, float **tmp) {
    size_t n = (size_t)w * (size_t)h;
    float *v = malloc((n + (size_t)(w > h ? w : h)) * sizeof *v);
    if (!v) return NULL;
    for (size_t i = 0; i < n; i++) v[i] = (float)luma(rgb + 3 * i);
    *tmp = v + n;
    return v;
}

/* Clay: shapes swell at their edges, lit from above left; colours turn matt, with the dents of fingers. */
static int clay(const world_frame *f, uint8_t *rgb) {
    int w = f->width, h = f->height, r = h / 60 > 1 ? h / 60 : 1;
    float *tmp, *v = plane(rgb, w, h, &tmp);
    if (!v) return -1;
    blur(v, w, h, r, tmp);
    uint64_t seed = world_hash(f->seed, 601);
    double cell = h / 22.0;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int x0 = x - r < 0 ? 0 : x - r, x1 = x + r >= w ? w - 1 : x + r, y0 = y - r < 0 ? 0 : y - r,
                y1 = y + r >= h ? h - 1 : y + r;
            double slope = v[(size_t)y1 * (size_t)w + (size_t)x1] - v[(size_t)y0 * (size_t)w + (size_t)x0];
            double u = x / cell, q = y / cell;
            double bump = 7 * world_noise(seed, u + 1.4 * world_noise(seed + 1, q * .7)) +
                          7 * world_noise(seed + 2, q + 1.4 * world_noise(seed + 3, u * .7)) +
                          7 * (grain(seed, x / 2, y / 2) - .5);
            double lit = .62 * slope + bump - 9.0 * (double)y / h + 6;
            uint8_t *p = rgb + 3 * ((size_t)y * (size_t)w + (size_t)x);
            double l = luma(p);
            for (int c = 0; c < 3; c++) {
                double matt = l + (p[c] - l) * .88;
                p[c] = byte(matt * .86 + 22 + lit);
            }
        }
    free(v);
    return 0;
}

/* Charcoal: paper, edges drawn dark, tones smeared and hatched. */
static int charcoal(const world_frame *f, uint8_t *rgb) {
    int w = f->width, h = f->height;
    float *tmp, *v = plane(rgb, w, h, &tmp);
    if (!v) return -1;
    double mean = 0;
    for (size_t i = 0; i < (size_t)w * (size_t)h; i++) mean += v[i];
    mean /= (double)w * h;
    double gain = fmin(1.6, fmax(1, (f->palette.dark > .5 ? 105 : 150) / fmax(1, mean))),
           lift = mean < 110 ? 12 : 0; /* night still leaves paper to see */
    if (f->condition == WORLD_RAIN || f->condition == WORLD_SNOWSTORM) gain *= .78, lift = 0; /* what falls is white */
    uint64_t seed = world_hash(f->seed, 610), boil = world_hash(seed, (uint64_t)(f->time * 8));
    int e = h / 128 > 1 ? h / 128 : 1, e2 = h / 64 > 1 ? h / 64 : 1; /* of lines, of the paper's grain */
    double drawn = h < 128 ? 70 + 60.0 * h / 128 : 130; /* in a small picture lines would cover the shapes */
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int x0 = x - e < 0 ? 0 : x - e, x1 = x + e >= w ? w - 1 : x + e, y0 = y - e < 0 ? 0 : y - e,
                y1 = y + e >= h ? h - 1 : y + e;
            double gx = v[(size_t)y * (size_t)w + (size_t)x1] - v[(size_t)y * (size_t)w + (size_t)x0];
            double gy = v[(size_t)y1 * (size_t)w + (size_t)x] - v[(size_t)y0 * (size_t)w + (size_t)x];
            double edge = pow(fmin(1, sqrt(gx * gx + gy * gy) / 150), 1.3);
            double l = v[(size_t)y * (size_t)w + (size_t)x] * gain + lift;
            double tone = 48 + .80 * fmin(250, l);
            double rough = grain(seed, x / e2, y / e2) * .7 + grain(boil, x / e2, y / e2) * .3 - .5;
            double hatch = sin((x * .8 + y) * 2 * WORLD_PI / (h / 26.0 + 2)) * fmax(0, 1 - l / 150) * 16;
            double out = tone + rough * (10 + 10 * (1 - tone / 255)) - edge * drawn + hatch;
            uint8_t *p = rgb + 3 * ((size_t)y * (size_t)w + (size_t)x);
            p[0] = p[1] = p[2] = byte(out);
        }
    free(v);
    return 0;
}

/* Pixel art: coarse blocks of few colours with a little ordered dither. */
static int pixels(const world_frame *f, uint8_t *rgb) {
    static const int bayer[4][4] = {{0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}};
    int w = f->width, h = f->height, b = (int)(h / 44.0 + .5);
    if (b < 2) b = 2;
    for (int by = 0; by * b < h; by++)
        for (int bx = 0; bx * b < w; bx++) {
            int x1 = (bx + 1) * b < w ? (bx + 1) * b : w, y1 = (by + 1) * b < h ? (by + 1) * b : h;
            double sum[3] = {0, 0, 0};
            int n = 0;
            for (int y = by * b; y < y1; y++)
                for (int x = bx * b; x < x1; x++, n++)
                    for (int c = 0; c < 3; c++) sum[c] += rgb[3 * ((size_t)y * (size_t)w + (size_t)x) + (size_t)c];
            double dither = (bayer[by & 3][bx & 3] - 7.5) / 16.0;
            uint8_t q[3];
            double l = (.299 * sum[0] + .587 * sum[1] + .114 * sum[2]) / n;
            for (int c = 0; c < 3; c++) {
                double v = l + (sum[c] / n - l) * 1.18, level = 36.43; /* eight levels a channel, as old consoles had */
                q[c] = byte(floor((v + dither * level * .12) / level + .5) * level);
            }
            for (int y = by * b; y < y1; y++)
                for (int x = bx * b; x < x1; x++) memcpy(rgb + 3 * ((size_t)y * (size_t)w + (size_t)x), q, 3);
        }
    return 0;
}

/* A film of the 1920s: sepia, hard contrast, dark corners, flicker, scratches and dust. */
static int film(const world_frame *f, uint8_t *rgb) {
    int w = f->width, h = f->height;
    uint64_t frame = (uint64_t)(f->time * 16 + .5), seed = world_hash(world_hash(f->seed, 620), frame);
    double mean = 0;
    for (size_t i = 0; i < (size_t)w * (size_t)h; i++) mean += luma(rgb + 3 * i);
    mean /= 255.0 * w * h;
    double gamma =
        fmin(1, fmax(.45, log(.30) / log(fmax(.02, fmin(.9, mean))))); /* dark scenes were lit for the camera */
    double flicker = 1 + .07 * (world_unit(seed, 1) - .5);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            uint8_t *p = rgb + 3 * ((size_t)y * (size_t)w + (size_t)x);
            double l = pow(luma(p) / 255, gamma);
            l = l + .9 * (l - .5) * l * (1 - l) * 2;
            double dx = (x + .5) / w - .5, dy = (y + .5) / h - .5, r2 = dx * dx + dy * dy;
            double dark = fmax(.12, 1 - 1.9 * fmax(0, r2 - .06));
            l = (l * .90 + .03 + .04 * (grain(seed, x, y) - .5)) * dark * flicker;
            p[0] = byte(255 * (l * 1.04 + .012));
            p[1] = byte(255 * l * .90);
            p[2] = byte(255 * l * .66);
        }
    int scratches = (int)(world_hash(seed, 2) % 3);
    for (int i = 0; i < scratches; i++) {
        int x = (int)(world_unit(seed, (uint64_t)(10 + i)) * w), thick = h / 200 + 1;
        for (int y = 0; y < h; y++)
            for (int k = 0; k < thick && x + k < w; k++) {
                uint8_t *p = rgb + 3 * ((size_t)y * (size_t)w + (size_t)(x + k));
                for (int c = 0; c < 3; c++) p[c] = byte(p[c] * .55 + (c == 2 ? 80 : 105));
            }
    }
    for (int i = 0; i < 3; i++) {
        int cx = (int)(world_unit(seed, (uint64_t)(30 + i)) * w), cy = (int)(world_unit(seed, (uint64_t)(40 + i)) * h),
            r = h / 90 + 1;
        for (int y = cy - r; y <= cy + r; y++)
            for (int x = cx - r; x <= cx + r; x++)
                if (x >= 0 && y >= 0 && x < w && y < h && (x - cx) * (x - cx) + (y - cy) * (y - cy) <= r * r / 2) {
                    uint8_t *p = rgb + 3 * ((size_t)y * (size_t)w + (size_t)x);
                    p[0] = 36;
                    p[1] = 30;
                    p[2] = 22;
                }
    }
    return 0;
}

int world_style(const world_frame *f, uint8_t *rgb) {
    switch (f->scene->attr[WORLD_STYLE]) {
    case WORLD_CLAY:
        return clay(f, rgb);
    case WORLD_CHARCOAL:
        return charcoal(f, rgb);
    case WORLD_PIXEL:
        return pixels(f, rgb);
    case WORLD_FILM:
        return film(f, rgb);
    default:
        return 0;
    }
}
