/* The vector rows of rmsnorm and rmsnorm_bwd; see kernels/simd.h. */
#include <math.h>
#include <string.h>

#include "kernels/rmsnorm/rmsnorm.h"
#include "kernels/simd.h"

static inline float sum_squares(const float *x, int64_t n) {
    vf s0 = vset(0.0f), s1 = s0, s2 = s0, s3 = s0;
    int64_t i = 0;
    if (n <= VW) { /* the channels of an autoencoder's widest layers: many and short rows */
        const vf a = vload_n(x, n);
        return vsum(a * a);
    }
    for (; i + 4 * VW <= n; i += 4 * VW) {
        const vf a = vload(x + i), b = vload(x + i + VW), c = vload(x + i + 2 * VW), d = vload(x + i + 3 * VW);
        s0 = vfma(a, a, s0);
        s1 = vfma(b, b, s1);
        s2 = vfma(c, c, s2);
        s3 = vfma(d, d, s3);
    }
    for (; i < n; i += VW) {
        const vf a = vload_n(x + i, n - i);
        s0 = vfma(a, a, s0);
    }
    return vsum((s0 + s1) + (s2 + s3));
}

/* Factors of up to VW rows from their sums of squares: square root and division once for all of them. */
static inline void factors(const sorak_rmsnorm_args *a, float *r) {
    const vf sum = vload(r);
    if (a->l2)
        vstore(r, vset(sqrtf((float)a->cols)) / vmax(vsqrt(sum), vset(a->eps)));
    else
        vstore(r, vset(1.0f) / vsqrt(vfma(sum, vset(1.0f / (float)a->cols), vset(a->eps))));
}

/* Rows that are handled together: few enough to stay in the first cache. */
static inline int64_t together(int64_t cols) { return sorak_max_i64(1, sorak_min_i64(VW, 2048 / cols)); }

static inline void apply(const sorak_rmsnorm_args *a, int64_t row, vf r) {
    const float *x = a->x + row * a->cols;
    float *y = a->y + row * a->cols;
    for (int64_t c = 0; c < a->cols; c += VW) {
        const int64_t n = a->cols - c;
        vf z = vload_n(x + c, n) * r;
        if (a->gamma)
            z = z * vload_n(a->gamma + c, n);
        if (a->silu)
            z = z * vsigmoid(z);
        vstore_n(y + c, z, n);
    }
}

int SORAK_NAME(rmsnorm)(const void *args, const sorak_env *env) {
    const sorak_rmsnorm_args *a = args;
    const int64_t per = sorak_unit_rows(a->cols), some = together(a->cols), end = sorak_min_i64(env->end * per, a->rows);
    for (int64_t row = env->begin * per; row < end; row += some) {
        const int64_t n = sorak_min_i64(some, end - row);
        float r[VW] = {0};
        for (int64_t i = 0; i < n; i++)
            r[i] = sum_squares(a->x + (row + i) * a->cols, a->cols);
        factors(a, r);
        for (int64_t i = 0; i < n; i++)
            apply(a, row + i, vset(r[i]));
    }
    return 0;
}

/* dx of one row; adds to dgamma. g: scratch of a row. */
static inline void backward(const sorak_rmsnorm_args *a, int64_t row, float r, int held, float *g, float *dgamma) {
    const float *x = a->x + row * a->cols, *dy = a->dy + row * a->cols;
    float *dx = a->dx + row * a->cols;
    vf dot = vset(0.0f);
    for (int64_t c = 0; c < a->cols; c += VW) {
        const int64_t n = a->cols - c;
        const vf v = vload_n(x + c, n), unit_v = v * vset(r), gamma = a->gamma ? vload_n(a->gamma + c, n) : vset(1.0f);
        vf dz = vload_n(dy + c, n);
        if (a->silu) {
            const vf z = unit_v * gamma, s = vsigmoid(z);
            dz = dz * s * vfma(z, vset(1.0f) - s, vset(1.0f));
        }
        vstore_n(dgamma + c, vfma(dz, unit_v, vload_n(dgamma + c, n)), n);
        dz = dz * gamma;
        vstore_n(g + c, dz, n);
        dot = vfma(dz, v, dot);
    }
    /* in this order: r^2 alone may overflow where the norm is held at eps */
    const vf k = vset(held ? 0.0f : r * (r / (float)a->cols * vsum(dot)));
    for (int64_t c = 0; c < a->cols; c += VW) {
        const int64_t n = a->cols - c;
        vstore_n(dx + c, vset(r) * vfnma(vload_n(x + c, n), k, vload_n(g + c, n)), n);
    }
}

int SORAK_NAME(rmsnorm_bwd)(const void *args, const sorak_env *env) {
    const sorak_rmsnorm_args *a = args;
    if (a->cols > (int64_t)(SORAK_SCRATCH / (2 * sizeof(float))))
        return -1;
    const int64_t chunks = sorak_rmsnorm_bwd_units(a), some = together(a->cols);
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        const int64_t end = sorak_chunk_begin(a->rows, chunks, unit + 1);
        float *g = env->scratch, *dgamma = a->dgamma ? a->dgamma + unit * a->cols : g + a->cols;
        memset(dgamma, 0, (size_t)a->cols * sizeof *dgamma);
        for (int64_t row = sorak_chunk_begin(a->rows, chunks, unit); row < end; row += some) {
            const int64_t n = sorak_min_i64(some, end - row);
            float sum[VW] = {0}, r[VW];
            for (int64_t i = 0; i < n; i++)
                sum[i] = sum_squares(a->x + (row + i) * a->cols, a->cols);
            memcpy(r, sum, sizeof r);
            factors(a, r);
            for (int64_t i = 0; i < n; i++)
                backward(a, row + i, r[i], a->l2 && sqrtf(sum[i]) < a->eps, g, dgamma);
        }
    }
    return 0;
}
