#include <immintrin.h>

#include "test/bench/kernels/ceiling.h"

double bench_peak_i8_avx512vnni(int64_t rounds) {
    __m512i a[24], x = _mm512_set1_epi8(1);
    BENCH_UNROLL
    for (int i = 0; i < 24; i++)
        a[i] = _mm512_set1_epi32(i);
    for (int64_t r = 0; r < rounds; r++) {
        BENCH_UNROLL
        for (int i = 0; i < 24; i++)
            __asm__ volatile("vpdpbusd %1, %1, %0" : "+v"(a[i]) : "v"(x)); /* of the intrinsic gcc 12 makes copies too */
    }
    __m512i sum = a[0];
    BENCH_UNROLL
    for (int i = 1; i < 24; i++)
        sum = _mm512_add_epi32(sum, a[i]);
    __asm__ volatile("" : : "v"(sum));
    return (double)rounds * 24 * 128;
}
