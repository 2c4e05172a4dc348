/* The vector rows of binary; see kernels/simd.h. */
#include "kernels/binary/binary.h"
#include "kernels/simd.h"

static void axpby(float *y, const float *a, const float *b, int64_t n, vf alpha, vf beta) {
    int64_t i = 0;
    for (; i + VW <= n; i += VW)
        vstore(y + i, vfma(alpha, vload(a + i), beta * vload(b + i)));
    if (i < n) {
        const vmask m = vfirst(n - i);
        vstore_m(y + i, vfma(alpha, vload_m(a + i, m), beta * vload_m(b + i, m)), m);
    }
}

static void mul(float *y, const float *a, const float *b, int64_t n, vf alpha) {
    int64_t i = 0;
    for (; i + VW <= n; i += VW)
        vstore(y + i, alpha * vload(a + i) * vload(b + i));
    if (i < n) {
        const vmask m = vfirst(n - i);
        vstore_m(y + i, alpha * vload_m(a + i, m) * vload_m(b + i, m), m);
    }
}

int SORAK_NAME(binary)(const void *args, const sorak_env *env) {
    const sorak_binary_args *a = args;
    const vf alpha = vset(a->alpha), beta = vset(a->beta);
    int64_t i = env->begin * SORAK_BLOCK, end = sorak_min_i64(env->end * SORAK_BLOCK, a->n);
    int64_t at = i < end ? i % a->nb : 0;
    while (i < end) { /* up to the end of one repetition of b */
        const int64_t n = sorak_min_i64(end - i, a->nb - at);
        if (a->kind == SORAK_BINARY_MUL)
            mul(a->y + i, a->a + i, a->b + at, n, alpha);
        else
            axpby(a->y + i, a->a + i, a->b + at, n, alpha, beta);
        i += n;
        at = 0;
    }
    return 0;
}
