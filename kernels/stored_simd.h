/* sorak_stored_f32 in vectors for what compilers make none of: eight-bit numbers. For rows of AVX2 and AVX-512, behind kernels/simd.h. The same values, but
 * for the payload of a NaN. */
#ifndef SORAK_STORED_SIMD_H
#define SORAK_STORED_SIMD_H

#include <string.h>

#include "kernels/simd.h"
#include "kernels/stored.h"

/* VW eight-bit numbers, of which 16 bytes may be read. e5m2 is the upper half of a half float; e4m3 fits into one as 2^-8 times itself, but for its NaN. */
static inline vf vload_eight(const void *p, int dtype) {
#if VW == 16
    const __m128i bytes = _mm_loadu_si128((const __m128i *)p);
    if (dtype == SK_DT_i8)
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
    const __m256i v = _mm256_cvtepu8_epi16(bytes);
    if (dtype == SK_DT_f8e5m2)
        return _mm512_cvtph_ps(_mm256_slli_epi16(v, 8));
    const __m256i rest = _mm256_and_si256(v, _mm256_set1_epi16(0x7f)), sign = _mm256_slli_epi16(_mm256_srli_epi16(v, 7), 15);
    const __m512 f = _mm512_mul_ps(_mm512_cvtph_ps(_mm256_or_si256(sign, _mm256_slli_epi16(rest, 7))), _mm512_set1_ps(256.0f));
    const __m512i nan = _mm512_cvtepi16_epi32(_mm256_cmpeq_epi16(rest, _mm256_set1_epi16(0x7f)));
    return _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(f), _mm512_and_si512(nan, _mm512_set1_epi32(0x7fc00000))));
#else
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)p);
    if (dtype == SK_DT_i8)
        return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    const __m128i v = _mm_cvtepu8_epi16(bytes);
    if (dtype == SK_DT_f8e5m2)
        return _mm256_cvtph_ps(_mm_slli_epi16(v, 8));
    const __m128i rest = _mm_and_si128(v, _mm_set1_epi16(0x7f)), sign = _mm_slli_epi16(_mm_srli_epi16(v, 7), 15);
    const __m256 f = _mm256_mul_ps(_mm256_cvtph_ps(_mm_or_si128(sign, _mm_slli_epi16(rest, 7))), _mm256_set1_ps(256.0f));
    const __m256i nan = _mm256_cvtepi16_epi32(_mm_cmpeq_epi16(rest, _mm_set1_epi16(0x7f)));
    return _mm256_or_ps(f, _mm256_castsi256_ps(_mm256_and_si256(nan, _mm256_set1_epi32(0x7fc00000))));
#endif
}

/* The values first .. first + n of src times `scale`, if there is one, as f32; first begins a block. */
static inline void vstored_f32(int dtype, const void *src, int64_t first, int64_t n, const float *scale, float *y) {
    const float by = scale ? *scale : 1.0f;
    if (dtype != SK_DT_i8 && dtype != SK_DT_f8e4m3 && dtype != SK_DT_f8e5m2) {
        sorak_stored_f32(dtype, src, first, n, y);
        for (int64_t i = 0; scale && i < n; i++)
            y[i] *= by;
        return;
    }
    const uint8_t *const p = (const uint8_t *)src + first;
    int64_t i = 0;
    for (; i + VW <= n; i += VW)
        vstore(y + i, vload_eight(p + i, dtype) * vset(by));
    if (i < n) {
        uint8_t rest[VW] = {0};
        memcpy(rest, p + i, (size_t)(n - i));
        vstore_n(y + i, vload_eight(rest, dtype) * vset(by), n - i);
    }
}

#endif
