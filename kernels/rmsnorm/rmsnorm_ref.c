#include <math.h>
#include <string.h>

#include "kernels/rmsnorm/rmsnorm.h"

static double factor(const sorak_rmsnorm_args *a, double sum) {
    if (!a->l2)
        return 1 / sqrt(sum / (double)a->cols + (double)a->eps);
    return sqrt((double)a->cols) / fmax(sqrt(sum), (double)a->eps);
}

static double sum_squares(const float *x, int64_t n) {
    double sum = 0;
    for (int64_t c = 0; c < n; c++)
        sum += (double)x[c] * (double)x[c];
    return sum;
}

int sorak_rmsnorm_f32_ref(const void *args, const sorak_env *env) {
    const sorak_rmsnorm_args *a = args;
    int64_t per = sorak_unit_rows(a->cols);
    for (int64_t row = env->begin * per; row < sorak_min_i64(env->end * per, a->rows); row++) {
        const float *x = a->x + row * a->cols;
        double r = factor(a, sum_squares(x, a->cols));
        for (int64_t c = 0; c < a->cols; c++) {
            double z = (double)x[c] * r * (a->gamma ? (double)a->gamma[c] : 1.0);
            a->y[row * a->cols + c] = (float)(a->silu ? z / (1 + exp(-z)) : z);
        }
    }
    return 0;
}

/* With z = x r gamma and g = dz gamma: dx = r (g - x k sum(g x)), where k = r^2 / cols, and 0 where the norm is held at eps. */
int sorak_rmsnorm_bwd_f32_ref(const void *args, const sorak_env *env) {
    const sorak_rmsnorm_args *a = args;
    if (a->cols > (int64_t)(SORAK_SCRATCH / (2 * sizeof(double))))
        return -1;
    int64_t chunks = sorak_rmsnorm_bwd_units(a);
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        double *dgamma = env->scratch, *g = dgamma + a->cols;
        memset(dgamma, 0, (size_t)a->cols * sizeof(double));
        for (int64_t row = sorak_chunk_begin(a->rows, chunks, unit); row < sorak_chunk_begin(a->rows, chunks, unit + 1); row++) {
            const float *x = a->x + row * a->cols, *dy = a->dy + row * a->cols;
            double sum = sum_squares(x, a->cols), r = factor(a, sum), dot = 0;
            int held = a->l2 && sqrt(sum) < (double)a->eps;
            for (int64_t c = 0; c < a->cols; c++) {
                double gamma = a->gamma ? (double)a->gamma[c] : 1.0, n = (double)x[c] * r, dz = (double)dy[c];
                if (a->silu) {
                    double s = 1 / (1 + exp(-n * gamma));
                    dz *= s * (1 + n * gamma * (1 - s));
                }
                dgamma[c] += dz * n;
                g[c] = dz * gamma;
                dot += g[c] * (double)x[c];
            }
            double k = held ? 0 : r * r / (double)a->cols * dot;
            for (int64_t c = 0; c < a->cols; c++)
                a->dx[row * a->cols + c] = (float)(r * (g[c] - (double)x[c] * k));
        }
        for (int64_t c = 0; a->dgamma && c < a->cols; c++)
            a->dgamma[unit * a->cols + c] = (float)dgamma[c];
    }
    return 0;
}
