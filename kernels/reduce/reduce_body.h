/* The vector rows of reduce; see kernels/simd.h. Sums are kept over RUN rows first, then of those sums: long sums lose less. */
#include "kernels/reduce/reduce.h"
#include "kernels/simd.h"

#define RUN 32

/* y[0..cols) = scale * sum of n rows; `wide` vectors side by side. */
static inline void columns(const float *x, float *y, int64_t n, int64_t pitch, int64_t cols, int wide, vf scale) {
    vf total[4], sum[4];
    for (int k = 0; k < wide; k++)
        total[k] = vset(0.0f);
    const vmask m = vfirst(cols < VW ? cols : VW);
    for (int64_t i = 0; i < n; i += RUN) {
        for (int k = 0; k < wide; k++)
            sum[k] = vset(0.0f);
        for (int64_t r = i; r < sorak_min_i64(i + RUN, n); r++)
            for (int k = 0; k < wide; k++)
                sum[k] = sum[k] + (cols < VW ? vload_m(x + r * pitch, m) : vload(x + r * pitch + k * VW));
        for (int k = 0; k < wide; k++)
            total[k] = total[k] + sum[k];
    }
    for (int k = 0; k < wide; k++)
        vstore_m(y + k * VW, total[k] * scale, m);
}

static float contiguous(const float *x, int64_t n) {
    vf total = vset(0.0f);
    int64_t i = 0;
    for (; i + 4 * VW <= n;) {
        const int64_t end = sorak_min_i64(i + RUN * 4 * VW, n / (4 * VW) * (4 * VW));
        vf s0 = vset(0.0f), s1 = s0, s2 = s0, s3 = s0;
        for (; i < end; i += 4 * VW) {
            s0 = s0 + vload(x + i);
            s1 = s1 + vload(x + i + VW);
            s2 = s2 + vload(x + i + 2 * VW);
            s3 = s3 + vload(x + i + 3 * VW);
        }
        total = total + ((s0 + s1) + (s2 + s3));
    }
    for (; i < n; i += VW)
        total = total + vload_n(x + i, n - i);
    return vsum(total);
}

int SORAK_NAME(reduce)(const void *args, const sorak_env *env) {
    const sorak_reduce_args *a = args;
    const int64_t wide = (a->inner + SORAK_REDUCE_COLS - 1) / SORAK_REDUCE_COLS;
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        int64_t col = unit % wide * SORAK_REDUCE_COLS, part = unit / wide;
        int64_t outer = part / a->chunks, chunk = part % a->chunks;
        int64_t begin = sorak_chunk_begin(a->n, a->chunks, chunk), n = sorak_chunk_begin(a->n, a->chunks, chunk + 1) - begin;
        const float *x = a->x + (outer * a->n + begin) * a->inner;
        float *y = a->y + part * a->inner;
        if (a->inner == 1) {
            *y = contiguous(x, n) * a->scale;
            continue;
        }
        const int64_t end = sorak_min_i64(col + SORAK_REDUCE_COLS, a->inner);
        for (; col + 4 * VW <= end; col += 4 * VW)
            columns(x + col, y + col, n, a->inner, VW, 4, vset(a->scale));
        for (; col < end; col += VW)
            columns(x + col, y + col, n, a->inner, sorak_min_i64(end - col, VW), 1, vset(a->scale));
    }
    return 0;
}
