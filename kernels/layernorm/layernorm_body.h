/* The vector rows of layernorm and layernorm_bwd; see kernels/simd.h. */
#include <math.h>
#include <string.h>

#include "kernels/layernorm/layernorm.h"
#include "kernels/simd.h"

static inline void moments(const sorak_layernorm_args *a, const float *x, float *mean, float *r) {
    vf s0 = vset(0.0f), s1 = s0;
    int64_t i = 0, n = a->cols;
    for (; i + 2 * VW <= n; i += 2 * VW) {
        s0 = s0 + vload(x + i);
        s1 = s1 + vload(x + i + VW);
    }
    for (; i < n; i += VW)
        s0 = s0 + vload_n(x + i, n - i);
    *mean = vsum(s0 + s1) / (float)n;
    const vf m = vset(*mean);
    s0 = s1 = vset(0.0f);
    for (i = 0; i + 2 * VW <= n; i += 2 * VW) {
        const vf d0 = vload(x + i) - m, d1 = vload(x + i + VW) - m;
        s0 = vfma(d0, d0, s0);
        s1 = vfma(d1, d1, s1);
    }
    for (; i + VW <= n; i += VW) {
        const vf d = vload(x + i) - m;
        s0 = vfma(d, d, s0);
    }
    if (i < n) {
        const vmask rest = vfirst(n - i);
        const vf d = vpick(rest, vload_m(x + i, rest) - m, vset(0.0f));
        s1 = vfma(d, d, s1);
    }
    *r = 1.0f / sqrtf(vsum(s0 + s1) / (float)n + a->eps);
}

int SORAK_NAME(layernorm)(const void *args, const sorak_env *env) {
    const sorak_layernorm_args *a = args;
    const int64_t per = sorak_unit_rows(a->cols);
    for (int64_t row = env->begin * per; row < sorak_min_i64(env->end * per, a->rows); row++) {
        const float *x = a->x + row * a->cols;
        const int64_t group = row / a->group_rows * a->cols;
        float mean, r;
        moments(a, x, &mean, &r);
        for (int64_t c = 0; c < a->cols; c += VW) {
            const int64_t n = a->cols - c;
            vf z = (vload_n(x + c, n) - vset(mean)) * vset(r);
            if (a->scale)
                z = z * (vset(a->plus) + vload_n(a->scale + group + c, n));
            if (a->shift)
                z = z + vload_n(a->shift + group + c, n);
            if (a->y_bf16)
                vstore_bf16_n((uint16_t *)a->y + row * a->cols + c, z, n);
            else
                vstore_n((float *)a->y + row * a->cols + c, z, n);
        }
    }
    return 0;
}

int SORAK_NAME(layernorm_bwd)(const void *args, const sorak_env *env) {
    const sorak_layernorm_args *a = args;
    if (a->cols > (int64_t)(SORAK_SCRATCH / (3 * sizeof(float))))
        return -1;
    const int64_t chunks = sorak_chunks(a->group_rows, a->cols);
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        const int64_t group = unit / chunks, chunk = unit % chunks, first = group * a->group_rows;
        const int64_t end = first + sorak_chunk_begin(a->group_rows, chunks, chunk + 1);
        const float *scale = a->scale ? a->scale + group * a->cols : NULL;
        float *g = env->scratch;
        float *dscale = a->dscale ? a->dscale + unit * a->cols : g + a->cols;
        float *dshift = a->dshift ? a->dshift + unit * a->cols : g + 2 * a->cols;
        memset(dscale, 0, (size_t)a->cols * sizeof *dscale);
        memset(dshift, 0, (size_t)a->cols * sizeof *dshift);
        for (int64_t row = first + sorak_chunk_begin(a->group_rows, chunks, chunk); row < end; row++) {
            const float *x = a->x + row * a->cols, *dy = a->dy + row * a->cols;
            float *dx = a->dx + row * a->cols, mean, r;
            moments(a, x, &mean, &r);
            vf sum = vset(0.0f), dot = sum;
            for (int64_t c = 0; c < a->cols; c += VW) {
                const int64_t n = a->cols - c;
                const vf v = (vload_n(x + c, n) - vset(mean)) * vset(r);
                vf d = vload_n(dy + c, n);
                vstore_n(dscale + c, vfma(d, v, vload_n(dscale + c, n)), n);
                vstore_n(dshift + c, d + vload_n(dshift + c, n), n);
                if (scale)
                    d = d * (vset(a->plus) + vload_n(scale + c, n));
                vstore_n(g + c, d, n);
                sum = sum + d;
                dot = vfma(d, v, dot);
            }
            const vf mean_g = vset(vsum(sum) / (float)a->cols), mean_gn = vset(vsum(dot) / (float)a->cols);
            for (int64_t c = 0; c < a->cols; c += VW) {
                const int64_t n = a->cols - c;
                const vf v = (vload_n(x + c, n) - vset(mean)) * vset(r);
                vstore_n(dx + c, vset(r) * vfnma(v, mean_gn, vload_n(g + c, n) - mean_g), n);
            }
        }
    }
    return 0;
}
