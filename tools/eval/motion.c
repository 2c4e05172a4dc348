#include "tools/eval/motion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double motion_difference(const uint8_t *a, const uint8_t *b, int height, int width) {
    const int64_t n = (int64_t)height * width * 3;
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += abs(a[i] - b[i]);
    return n ? (double)sum / (double)n : 0.0;
}

/* ---- flow -------------------------------------------------------------------------------------------------------------------- */

#define WINDOW 16   /* side of what is compared around a square */
#define FLAT   9.0  /* variance of brightness below which nothing can be followed */
#define PAY    0.01 /* correlation that a pixel of way must gain */
#define SAME   1e-4 /* 1 - correlation of what is found again as it was */
#define LOST   0.5  /* 1 - correlation above which it was not found */

/* Brightness at a size of at most SIDE, each value the mean of a square of pixels, softened. */
typedef struct plane {
    float *v, *soft;
    int height, width;
} plane;

static int shrink_of(int height, int width) { return ((height < width ? height : width) + MOTION_SIDE - 1) / MOTION_SIDE; }

int64_t motion_vectors(int height, int width) {
    const int s = shrink_of(height, width);
    return s < 1 ? 0 : (int64_t)(height / s / MOTION_SQUARE) * (width / s / MOTION_SQUARE);
}

static int plane_new(plane *p, int height, int width) {
    const int s = shrink_of(height, width);
    p->height = s ? height / s : 0;
    p->width = s ? width / s : 0;
    p->v = malloc(((size_t)p->height * (size_t)p->width + 1) * 2 * sizeof *p->v);
    p->soft = p->v ? p->v + (size_t)p->height * (size_t)p->width : NULL;
    return p->v ? 0 : -1;
}

static void plane_fill(plane *p, const uint8_t *rgb, int height, int width) {
    const int s = shrink_of(height, width);
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            int sum = 0;
            for (int i = 0; i < s * s; i++) {
                const uint8_t *c = rgb + ((int64_t)(y * s + i / s) * width + x * s + i % s) * 3;
                sum += 77 * c[0] + 150 * c[1] + 29 * c[2];
            }
            p->v[(size_t)y * (size_t)p->width + (size_t)x] = (float)sum / (256.0f * (float)(s * s));
        }
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            float sum = 0.0f;
            for (int i = -1; i <= 1; i++)
                for (int k = -1; k <= 1; k++) {
                    const int v = y + i < 0 ? 0 : y + i < p->height ? y + i : p->height - 1, u = x + k < 0 ? 0 : x + k < p->width ? x + k : p->width - 1;
                    sum += (i ? 1.0f : 2.0f) * (k ? 1.0f : 2.0f) * p->v[(size_t)v * (size_t)p->width + (size_t)u];
                }
            p->soft[(size_t)y * (size_t)p->width + (size_t)x] = sum / 16.0f;
        }
}

/* 1 - correlation of the window at x, y in a and the one moved by u, v in b: light and contrast do not count. 2 where there is none. */
static double unlike(const plane *a, const plane *b, int x, int y, int side, int u, int v) {
    double sa = 0, sb = 0, aa = 0, bb = 0, ab = 0;
    if (x + u < 0 || y + v < 0 || x + u + side > a->width || y + v + side > a->height) return 2.0;
    for (int i = 0; i < side; i++) {
        const float *p = a->soft + (size_t)(y + i) * (size_t)a->width + x, *q = b->soft + (size_t)(y + v + i) * (size_t)b->width + x + u;
        float ra = 0, rb = 0, raa = 0, rbb = 0, rab = 0;
        for (int k = 0; k < side; k++) {
            const float f = p[k], g = q[k];
            ra += f;
            rb += g;
            raa += f * f;
            rbb += g * g;
            rab += f * g;
        }
        sa += (double)ra;
        sb += (double)rb;
        aa += (double)raa;
        bb += (double)rbb;
        ab += (double)rab;
    }
    const double n = side * side, va = aa / n - sa / n * (sa / n), vb = bb / n - sb / n * (sb / n);
    return va < FLAT || vb < FLAT ? 2.0 : 1.0 - (ab / n - sa / n * (sb / n)) / sqrt(va * vb);
}

/* The lowest point of a parabola through the values at -1, 0 and 1. */
static float fraction(double before, double here, double after) {
    const double bend = before - 2 * here + after;
    if (before >= 2.0 || after >= 2.0 || bend <= 1e-9) return 0.0f;
    const double f = 0.5 * (before - after) / bend;
    return (float)(f < -0.5 ? -0.5 : f > 0.5 ? 0.5 : f);
}

static void follow(const plane *a, const plane *b, int x, int y, int side, float flow[2]) {
    double best = unlike(a, b, x, y, side, 0, 0), worth = best;
    int bu = 0, bv = 0;
    flow[0] = flow[1] = 0.0f;
    if (best >= 2.0) return;
    /* A longer way must pay, so that noise does not wander. */
    for (int v = -MOTION_REACH; v <= MOTION_REACH && best > SAME; v++)
        for (int u = -MOTION_REACH; u <= MOTION_REACH; u++) {
            const double c = unlike(a, b, x, y, side, u, v), w = c + PAY * sqrt(u * u + v * v);
            if (w < worth) {
                worth = w;
                best = c;
                bu = u;
                bv = v;
            }
        }
    if (best > LOST) return;
    flow[0] = (float)bu;
    flow[1] = (float)bv;
    if (best <= SAME) return;
    flow[0] += fraction(unlike(a, b, x, y, side, bu - 1, bv), best, unlike(a, b, x, y, side, bu + 1, bv));
    flow[1] += fraction(unlike(a, b, x, y, side, bu, bv - 1), best, unlike(a, b, x, y, side, bu, bv + 1));
}

static float middle(float *v, int n) {
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && v[k] < v[k - 1]; k--) {
            const float x = v[k];
            v[k] = v[k - 1];
            v[k - 1] = x;
        }
    return v[n / 2];
}

/* raw: room for as many vectors. Each vector is the median of its neighbours', so that single errors do not count. */
static void flow_of(const plane *a, const plane *b, float *raw, float *flow) {
    const int rows = a->height / MOTION_SQUARE, columns = a->width / MOTION_SQUARE;
    int side = a->height < a->width ? a->height : a->width;
    side = side < WINDOW ? side : WINDOW;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) {
            int x = c * MOTION_SQUARE + (MOTION_SQUARE - side) / 2, y = r * MOTION_SQUARE + (MOTION_SQUARE - side) / 2;
            x = x < 0 ? 0 : x + side > a->width ? a->width - side : x;
            y = y < 0 ? 0 : y + side > a->height ? a->height - side : y;
            follow(a, b, x, y, side, raw + (r * columns + c) * 2);
        }
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++)
            for (int k = 0; k < 2; k++) {
                float near[9];
                int n = 0;
                for (int i = 0; i < 9; i++) {
                    const int v = r + i / 3 - 1, u = c + i % 3 - 1;
                    if (v >= 0 && u >= 0 && v < rows && u < columns) near[n++] = raw[(v * columns + u) * 2 + k];
                }
                flow[(r * columns + c) * 2 + k] = middle(near, n);
            }
}

/* flows: [frames - 1, vectors, 2]; NULL without memory. */
static float *all_flows(const uint8_t *rgb, int64_t frames, int height, int width) {
    const int64_t size = (int64_t)height * width * 3, vectors = motion_vectors(height, width);
    plane two[2] = {{0}, {0}};
    float *flows = malloc((size_t)(frames > 0 ? frames : 1) * (size_t)(vectors + 1) * 2 * sizeof *flows), *raw = flows ? flows + (frames - 1) * vectors * 2 : NULL;
    if (flows && (plane_new(&two[0], height, width) != 0 || plane_new(&two[1], height, width) != 0)) {
        free(flows);
        flows = NULL;
    }
    if (flows) plane_fill(&two[0], rgb, height, width);
    for (int64_t f = 1; flows && f < frames; f++) {
        plane_fill(&two[f & 1], rgb + f * size, height, width);
        flow_of(&two[~f & 1], &two[f & 1], raw, flows + (f - 1) * vectors * 2);
    }
    free(two[0].v);
    free(two[1].v);
    return flows;
}

int motion_flow(const uint8_t *a, const uint8_t *b, int height, int width, float *flow) {
    const size_t size = (size_t)height * (size_t)width * 3, bytes = (size_t)motion_vectors(height, width) * 2 * sizeof *flow;
    uint8_t *both = malloc(2 * size + 1);
    if (both) {
        memcpy(both, a, size);
        memcpy(both + size, b, size);
    }
    float *flows = both ? all_flows(both, 2, height, width) : NULL;
    if (flows) memcpy(flow, flows, bytes);
    free(both);
    free(flows);
    return flows ? 0 : -1;
}

/* Step `at` is from frame at - 1 to frame at: flows[at - 1]. */
static double jump_of(const float *flows, int64_t frames, int64_t vectors, int64_t at) {
    const float *here = flows + (at - 1) * vectors * 2, *before = at > 1 ? here - vectors * 2 : NULL,
                *after = at + 1 < frames ? here + vectors * 2 : NULL;
    double sum = 0.0;
    if (!before && !after) return 0.0;
    before = before ? before : after;
    after = after ? after : before;
    for (int64_t i = 0; i < vectors; i++) {
        const double u = (double)here[i * 2] - 0.5 * ((double)before[i * 2] + (double)after[i * 2]);
        const double v = (double)here[i * 2 + 1] - 0.5 * ((double)before[i * 2 + 1] + (double)after[i * 2 + 1]);
        sum += sqrt(u * u + v * v);
    }
    return vectors ? sum / (double)vectors : 0.0;
}

int motion_step_at(const uint8_t *rgb, int64_t frames, int height, int width, int64_t at, motion_step *out) {
    const int64_t size = (int64_t)height * width * 3, first = at > 1 ? at - 2 : 0, last = at + 1 < frames ? at + 1 : at;
    float *flows = all_flows(rgb + first * size, last - first + 1, height, width);
    if (!flows) return -1;
    out->difference = motion_difference(rgb + (at - 1) * size, rgb + at * size, height, width);
    out->jump = jump_of(flows, last - first + 1, motion_vectors(height, width), at - first);
    free(flows);
    return 0;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int motion_inside(const uint8_t *rgb, int64_t frames, int height, int width, motion_step *mean, double *median) {
    const int64_t size = (int64_t)height * width * 3, n = frames - 1;
    *mean = (motion_step){0, 0};
    *median = 0.0;
    if (n < 1) return 0;
    float *flows = all_flows(rgb, frames, height, width);
    double *differences = malloc((size_t)n * sizeof *differences);
    for (int64_t f = 1; flows && differences && f < frames; f++) {
        differences[f - 1] = motion_difference(rgb + (f - 1) * size, rgb + f * size, height, width);
        mean->difference += differences[f - 1] / (double)n;
        mean->jump += jump_of(flows, frames, motion_vectors(height, width), f) / (double)n;
    }
    const int status = flows && differences ? 0 : -1;
    if (status == 0) {
        qsort(differences, (size_t)n, sizeof *differences, by_size);
        *median = 0.5 * (differences[(n - 1) / 2] + differences[n / 2]);
    }
    free(flows);
    free(differences);
    return status;
}

int motion_alike(const uint8_t *a, const uint8_t *b, int64_t frames, int height, int width, double *both, double *each) {
    const int64_t n = (frames - 1) * motion_vectors(height, width) * 2;
    float *fa = all_flows(a, frames, height, width), *fb = all_flows(b, frames, height, width);
    double aa = 0, bb = 0;
    *both = 0;
    for (int64_t i = 0; fa && fb && i < n; i++) {
        aa += (double)fa[i] * (double)fa[i];
        bb += (double)fb[i] * (double)fb[i];
        *both += (double)fa[i] * (double)fb[i];
    }
    *each = sqrt(aa * bb);
    const int status = fa && fb ? 0 : -1;
    free(fa);
    free(fb);
    return status;
}

static double pearson(const double *x, const double *y, int64_t n) {
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < n; i++) {
        mx += x[i] / (double)n;
        my += y[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx <= 1e-12 || yy <= 1e-12 ? 0.0 : xy / sqrt(xx * yy);
}

double motion_rising(const double *x, int n) {
    double rank[4096], order[4096];
    if (n < 2 || n > 4096) return 0.0;
    for (int i = 0; i < n; i++) {
        int below = 0, same = 0;
        for (int k = 0; k < n; k++) {
            below += x[k] < x[i];
            same += k != i && !(x[k] < x[i]) && !(x[k] > x[i]);
        }
        rank[i] = below + 0.5 * same;
        order[i] = i;
    }
    return pearson(order, rank, n);
}

double motion_drift(const uint8_t *a, const uint8_t *b, int64_t frames, int height, int width) {
    const int64_t n = frames * height * width;
    double worst = 0.0;
    for (int c = 0; c < 3 && n > 0; c++) {
        double mean[2] = {0, 0}, square[2] = {0, 0};
        for (int k = 0; k < 2; k++) {
            const uint8_t *p = k ? b : a;
            for (int64_t i = 0; i < n; i++) {
                mean[k] += p[i * 3 + c];
                square[k] += (double)p[i * 3 + c] * p[i * 3 + c];
            }
            mean[k] /= (double)n;
            square[k] = sqrt(fmax(0.0, square[k] / (double)n - mean[k] * mean[k]));
        }
        worst = fmax(worst, fmax(fabs(mean[0] - mean[1]), fabs(square[0] - square[1])));
    }
    return worst;
}
