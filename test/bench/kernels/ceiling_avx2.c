#include <immintrin.h>

#include "test/bench/kernels/ceiling.h"

double bench_peak_f32_avx2(int64_t rounds) {
    __m256 a[12], x = _mm256_set1_ps(1e-3f);
    BENCH_UNROLL
    for (int i = 0; i < 12; i++)
        a[i] = _mm256_set1_ps((float)i);
    for (int64_t r = 0; r < rounds; r++) {
        BENCH_UNROLL
        for (int i = 0; i < 12; i++)
            a[i] = _mm256_fmadd_ps(x, x, a[i]);
        __asm__ volatile("" : "+x"(x));
    }
    float sum = 0;
    BENCH_UNROLL
    for (int i = 0; i < 12; i++)
        sum += _mm256_cvtss_f32(a[i]);
    __asm__ volatile("" : : "x"(sum));
    return (double)rounds * 12 * 16;
}
