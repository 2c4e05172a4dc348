#include "tools/eval/measures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double measure_mse(const uint8_t *a, const uint8_t *b, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) {
        const int d = a[i] - b[i];
        sum += d * d;
    }
    return count ? sum / (double)count : 0.0;
}

double measure_psnr(double mse) { return 10 * log10(255.0 * 255.0 / fmax(mse, 1e-6)); }

static double brightness(const uint8_t *p) { return 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]; }

double measure_ssim(const uint8_t *a, const uint8_t *b, int64_t frames, int height, int width) {
    const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
    double sum = 0.0;
    int64_t windows = 0;
    for (int64_t f = 0; f < frames; f++)
        for (int y = 0; y + 8 <= height; y += 4)
            for (int x = 0; x + 8 <= width; x += 4, windows++) {
                double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
                for (int i = 0; i < 64; i++) {
                    const int64_t at = ((f * height + y + i / 8) * width + x + i % 8) * 3;
                    const double u = brightness(a + at), v = brightness(b + at);
                    ma += u;
                    mb += v;
                    aa += u * u;
                    bb += v * v;
                    ab += u * v;
                }
                ma /= 64;
                mb /= 64;
                const double va = aa / 64 - ma * ma, vb = bb / 64 - mb * mb, cov = ab / 64 - ma * mb;
                sum += (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
            }
    return windows ? sum / (double)windows : 1.0;
}

double measure_flicker(const uint8_t *rgb, int64_t frames, int height, int width) {
    const int64_t plane = (int64_t)height * width;
    double sum = 0.0;
    for (int64_t f = 1; f + 1 < frames; f++)
        for (int64_t i = 0; i < plane; i++)
            sum += fabs(brightness(rgb + ((f - 1) * plane + i) * 3) - 2 * brightness(rgb + (f * plane + i) * 3) +
                        brightness(rgb + ((f + 1) * plane + i) * 3)) /
                   2;
    return frames > 2 ? sum / (double)((frames - 2) * plane) : 0.0;
}

/* Means, and the covariance [dim, dim]. */
static void moments(const double *x, int n, int dim, double *mean, double *cov) {
    memset(mean, 0, (size_t)dim * sizeof *mean);
    memset(cov, 0, (size_t)dim * (size_t)dim * sizeof *cov);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < dim; k++) mean[k] += x[(size_t)i * (size_t)dim + (size_t)k] / n;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < dim; k++) {
            const double d = (x[(size_t)i * (size_t)dim + (size_t)k] - mean[k]) / (n > 1 ? n - 1 : 1);
            for (int j = 0; j <= k; j++) cov[k * dim + j] += d * (x[(size_t)i * (size_t)dim + (size_t)j] - mean[j]);
        }
    for (int k = 0; k < dim; k++)
        for (int j = k + 1; j < dim; j++) cov[k * dim + j] = cov[j * dim + k];
}

/* In place: the lower triangle L of a = L L'; directions without variance give a column of zeroes. */
static void cholesky(double *a, int n) {
    double most = 0.0;
    for (int i = 0; i < n; i++) most = fmax(most, a[i * n + i]);
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < k; j++) a[k * n + k] -= a[k * n + j] * a[k * n + j];
        const double d = a[k * n + k] > 1e-12 * most ? sqrt(a[k * n + k]) : 0.0;
        a[k * n + k] = d;
        for (int i = k + 1; i < n; i++) {
            for (int j = 0; j < k; j++) a[i * n + k] -= a[i * n + j] * a[k * n + j];
            a[i * n + k] = d > 0.0 ? a[i * n + k] / d : 0.0;
            a[k * n + i] = 0.0;
        }
    }
}

/* Sum of the square roots of the eigenvalues of a symmetric matrix, by Jacobi's rotations; a is used up. */
static double root_trace(double *a, int n) {
    for (int sweep = 0; sweep < 30; sweep++) {
        double off = 0.0, on = 0.0, sum = 0.0;
        for (int i = 0; i < n; i++) {
            on += a[i * n + i] * a[i * n + i];
            for (int j = 0; j < i; j++) off += a[i * n + j] * a[i * n + j];
        }
        if (off <= 1e-20 * on || sweep == 29) {
            for (int i = 0; i < n; i++) sum += a[i * n + i] > 0.0 ? sqrt(a[i * n + i]) : 0.0;
            return sum;
        }
        for (int p = 0; p < n; p++)
            for (int q = p + 1; q < n; q++) {
                const double apq = a[p * n + q];
                if (apq * apq <= 1e-24 * fabs(a[p * n + p] * a[q * n + q])) continue;
                const double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
                const double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1)),
                             c = 1 / sqrt(t * t + 1), s = t * c;
                for (int k = 0; k < n; k++) {
                    const double u = a[p * n + k], v = a[q * n + k];
                    a[p * n + k] = c * u - s * v;
                    a[q * n + k] = s * u + c * v;
                }
                for (int k = 0; k < n; k++) {
                    const double u = a[k * n + p], v = a[k * n + q];
                    a[k * n + p] = c * u - s * v;
                    a[k * n + q] = s * u + c * v;
                }
            }
    }
    return 0.0;
}

double measure_frechet(const double *a, int na, const double *b, int nb, int dim) {
    const size_t square = (size_t)dim * (size_t)dim;
    double *memory = malloc((4 * square + 2 * (size_t)dim) * sizeof *memory);
    if (!memory || na < 1 || nb < 1) {
        free(memory);
        return -1.0;
    }
    double *ca = memory, *cb = ca + square, *t = cb + square, *m = t + square, *ma = m + square, *mb = ma + dim,
           distance = 0.0;
    moments(a, na, dim, ma, ca);
    moments(b, nb, dim, mb, cb);
    for (int i = 0; i < dim; i++) distance += (ma[i] - mb[i]) * (ma[i] - mb[i]) + ca[i * dim + i] + cb[i * dim + i];
    /* tr (A B)^1/2 = tr (L' B L)^1/2 with A = L L'. */
    cholesky(ca, dim);
    for (int i = 0; i < dim; i++)
        for (int j = 0; j < dim; j++) {
            double sum = 0.0;
            for (int k = j; k < dim; k++) sum += cb[i * dim + k] * ca[k * dim + j];
            t[i * dim + j] = sum;
        }
    for (int i = 0; i < dim; i++)
        for (int j = 0; j < dim; j++) {
            double sum = 0.0;
            for (int k = i; k < dim; k++) sum += ca[k * dim + i] * t[k * dim + j];
            m[i * dim + j] = sum;
        }
    distance -= 2 * root_trace(m, dim);
    free(memory);
    return distance > 0.0 ? distance : 0.0;
}
