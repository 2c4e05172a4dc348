#include <immintrin.h>

#include "test/bench/kernels/ceiling.h"

double bench_peak_f32_avx512(int64_t rounds) {
    __m512 a[24], x = _mm512_set1_ps(1e-3f);
    BENCH_UNROLL
    for (int i = 0; i < 24; i++)
        a[i] = _mm512_set1_ps((float)i);
    for (int64_t r = 0; r < rounds; r++) {
        BENCH_UNROLL
        for (int i = 0; i < 24; i++)
            a[i] = _mm512_fmadd_ps(x, x, a[i]);
        __asm__ volatile("" : "+v"(x));
    }
    float sum = 0;
    BENCH_UNROLL
    for (int i = 0; i < 24; i++)
        sum += _mm512_cvtss_f32(a[i]);
    __asm__ volatile("" : : "v"(sum));
    return (double)rounds * 24 * 32;
}
