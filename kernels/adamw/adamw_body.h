/* The vector rows of adamw and sumsq; see kernels/simd.h. */
#include <math.h>

#include "kernels/adamw/adamw.h"
#include "kernels/simd.h"

int SORAK_NAME(adamw)(const void *args, const sorak_env *env) {
    const sorak_adamw_args *a = args;
    const vf b1 = vset((float)a->beta1), c1 = vset((float)((1 - a->beta1) * a->grad_scale)), b2 = vset((float)a->beta2);
    const vf c2 = vset((float)((1 - a->beta2) * a->grad_scale * a->grad_scale)), keep = vset((float)(1 - a->lr * a->decay));
    const vf step = vset((float)(a->lr / a->bias1)), root = vset((float)(1 / sqrt(a->bias2))), eps = vset((float)a->eps);
    const vf e0 = vset((float)a->ema_decay), e1 = vset((float)(1 - a->ema_decay));
    const int64_t end = sorak_min_i64(env->end * SORAK_BLOCK, a->n);
    for (int64_t i = env->begin * SORAK_BLOCK; i < end; i += VW) {
        const int64_t n = end - i;
        const vf g = vload_n(a->g + i, n);
        const vf m = vfma(b1, vload_n(a->m + i, n), c1 * g), v = vfma(b2, vload_n(a->v + i, n), c2 * g * g);
        const vf p = vfnma(step, m / vfma(vsqrt(v), root, eps), keep * vload_n(a->p + i, n));
        vstore_n(a->m + i, m, n);
        vstore_n(a->v + i, v, n);
        vstore_n(a->p + i, p, n);
        if (a->ema)
            vstore_n(a->ema + i, vfma(e0, vload_n(a->ema + i, n), e1 * p), n);
    }
    return 0;
}

int SORAK_NAME(sumsq)(const void *args, const sorak_env *env) {
    const sorak_sumsq_args *a = args;
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        const int64_t end = sorak_min_i64((unit + 1) * SORAK_BLOCK, a->n);
        int64_t i = unit * SORAK_BLOCK;
        vf s0 = vset(0.0f), s1 = s0, s2 = s0, s3 = s0;
        for (; i + 4 * VW <= end; i += 4 * VW) {
            const vf x0 = vload(a->x + i), x1 = vload(a->x + i + VW);
            const vf x2 = vload(a->x + i + 2 * VW), x3 = vload(a->x + i + 3 * VW);
            s0 = vfma(x0, x0, s0);
            s1 = vfma(x1, x1, s1);
            s2 = vfma(x2, x2, s2);
            s3 = vfma(x3, x3, s3);
        }
        for (; i < end; i += VW) {
            const vf x = vload_n(a->x + i, end - i);
            s0 = vfma(x, x, s0);
        }
        a->partial[unit] = (vsum_f64(s0) + vsum_f64(s1)) + (vsum_f64(s2) + vsum_f64(s3));
    }
    return 0;
}
