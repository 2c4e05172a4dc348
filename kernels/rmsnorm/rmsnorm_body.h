/* The vector rows of rmsnorm and rmsnorm_bwd; see kernels/simd.h. */
#include <math.h>
#include <string.h>

#include "kernels/rmsnorm/rmsnorm.h"
#include "kernels/simd.h"

static inline float sum_squares(const float *x, int64_t n) {
    vf s0 = vset(0.0f), s1 = s0, s2 = s0, s3 = s0;
    int64_t i = 0;
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

static inline float factor(const sorak_rmsnorm_args *a, float sum, float root) {
    return a->l2 ? root / fmaxf(sqrtf(sum), a->eps) : 1.0f / sqrtf(sum / (float)a->cols + a->eps);
}

int SORAK_NAME(rmsnorm)(const void *args, const sorak_env *env) {
    const sorak_rmsnorm_args *a = args;
    const int64_t per = sorak_unit_rows(a->cols);
    const float root = sqrtf((float)a->cols);
    for (int64_t row = env->begin * per; row < sorak_min_i64(env->end * per, a->rows); row++) {
        const float *x = a->x + row * a->cols;
        float *y = a->y + row * a->cols;
        const vf r = vset(factor(a, sum_squares(x, a->cols), root));
        for (int64_t c = 0; c < a->cols; c += VW) {
            const int64_t n = a->cols - c;
            vf z = vload_n(x + c, n) * r;
            if (a->gamma)
                z = z * vload_n(a->gamma + c, n);
            if (a->silu)
                z = z / (vset(1.0f) + vexp(vset(0.0f) - z));
            vstore_n(y + c, z, n);
        }
    }
    return 0;
}

int SORAK_NAME(rmsnorm_bwd)(const void *args, const sorak_env *env) {
    const sorak_rmsnorm_args *a = args;
    if (a->cols > (int64_t)(SORAK_SCRATCH / (2 * sizeof(float))))
        return -1;
    const int64_t chunks = sorak_rmsnorm_bwd_units(a);
    const float root = sqrtf((float)a->cols);
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        const int64_t end = sorak_chunk_begin(a->rows, chunks, unit + 1);
        float *g = env->scratch, *dgamma = a->dgamma ? a->dgamma + unit * a->cols : g + a->cols;
        memset(dgamma, 0, (size_t)a->cols * sizeof *dgamma);
        for (int64_t row = sorak_chunk_begin(a->rows, chunks, unit); row < end; row++) {
            const float *x = a->x + row * a->cols, *dy = a->dy + row * a->cols;
            float *dx = a->dx + row * a->cols;
            const float sum = sum_squares(x, a->cols), r = factor(a, sum, root);
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
            const int held = a->l2 && sqrtf(sum) < a->eps;
            const vf k = vset(held ? 0.0f : r * (r / (float)a->cols * vsum(dot)));
            for (int64_t c = 0; c < a->cols; c += VW) {
                const int64_t n = a->cols - c;
                vstore_n(dx + c, vset(r) * vfnma(vload_n(x + c, n), k, vload_n(g + c, n)), n);
            }
        }
    }
    return 0;
}
