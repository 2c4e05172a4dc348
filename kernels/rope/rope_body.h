/* The vector form of rope, for ISA. Pairs stay where they are: cosines and sines are spread over both places of a pair, and the partner
 * comes from swapping neighbours. */
#include "kernels/rope/rope.h"
#include "kernels/simd.h"

#if defined(__AVX512F__)
#define swap_pairs(v) _mm512_permute_ps(v, 0xb1)
#define first_twice(v) _mm512_moveldup_ps(v)
#define second_twice(v) _mm512_movehdup_ps(v)
#define cross(x, c, t) _mm512_fmaddsub_ps(x, c, t) /* even places: x c - t, odd places: x c + t */
#define cross_back(x, c, t) _mm512_fmsubadd_ps(x, c, t)
#else
#define swap_pairs(v) _mm256_permute_ps(v, 0xb1)
#define first_twice(v) _mm256_moveldup_ps(v)
#define second_twice(v) _mm256_movehdup_ps(v)
#define cross(x, c, t) _mm256_fmaddsub_ps(x, c, t)
#define cross_back(x, c, t) _mm256_fmsubadd_ps(x, c, t)
#endif

int SORAK_NAME(rope)(const void *args, const sorak_env *env) {
    const sorak_rope_args *a = args;
    if (a->d < 2 || a->d % 2)
        return -1;
    for (int64_t r = env->begin; r < env->end; r++) {
        const float *const angles = a->table + r % a->length * a->d;
        for (int64_t i = 0; i < a->d; i += VW) {
            const vf angle = vload_n(angles + i, a->d - i), c = first_twice(angle), s = second_twice(angle);
            for (int64_t h = 0; h < a->heads; h++) {
                const int64_t at = (r * a->heads + h) * a->d + i;
                const vf x = vload_n(a->x + at, a->d - i), t = swap_pairs(x) * s;
                vstore_n(a->y + at, a->inverse ? cross_back(x, c, t) : cross(x, c, t), a->d - i);
            }
        }
    }
    return 0;
}
