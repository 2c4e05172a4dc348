/* The vector rows of copy; see kernels/simd.h. */
#include <string.h>

#include "kernels/copy/copy.h"
#include "kernels/simd.h"

static inline void run_copy(float *dst, const float *src, int64_t n) {
    if (n > 256) {
        memcpy(dst, src, (size_t)n * sizeof *dst);
        return;
    }
    for (; n >= VW; n -= VW, dst += VW, src += VW)
        vstore(dst, vload(src));
    if (n > 0) {
        const vmask m = vfirst(n);
        vstore_m(dst, vload_m(src, m), m);
    }
}

static inline void run_fill(float *dst, float value, int64_t n) {
    const vf v = vset(value);
    for (; n >= VW; n -= VW, dst += VW)
        vstore(dst, v);
    if (n > 0)
        vstore_m(dst, v, vfirst(n));
}

int SORAK_NAME(copy)(const void *args, const sorak_env *env) {
    const sorak_copy_args *a = args;
    const int32_t last = a->rank - 1;
    int64_t i = env->begin * SORAK_BLOCK, end = sorak_min_i64(env->end * SORAK_BLOCK, sorak_copy_count(a));
    int64_t index[8] = {0}, from = 0, to = 0, rest = i;
    if (i >= end)
        return 0;
    for (int32_t k = last; k >= 0; k--) {
        index[k] = rest % a->shape[k];
        rest /= a->shape[k];
        from += index[k] * a->src_stride[k];
        to += index[k] * a->dst_stride[k];
    }
    const int64_t s = a->src_stride[last], d = a->dst_stride[last];
    while (i < end) {
        const int64_t n = sorak_min_i64(end - i, a->shape[last] - index[last]);
        if (d == 1 && (!a->src || s == 0))
            run_fill(a->dst + to, a->src ? a->src[from] : 0.0f, n);
        else if (d == 1 && s == 1)
            run_copy(a->dst + to, a->src + from, n);
        else
            for (int64_t k = 0; k < n; k++)
                a->dst[to + k * d] = a->src ? a->src[from + k * s] : 0.0f;
        i += n;
        from += n * s;
        to += n * d;
        index[last] += n;
        for (int32_t k = last; k > 0 && index[k] == a->shape[k]; k--) { /* carry */
            from += a->src_stride[k - 1] - a->shape[k] * a->src_stride[k];
            to += a->dst_stride[k - 1] - a->shape[k] * a->dst_stride[k];
            index[k] = 0;
            index[k - 1]++;
        }
    }
    return 0;
}
