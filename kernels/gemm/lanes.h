/* Vectors of floats for the templates of products and convolutions: 16 lanes with AVX-512, else 8. Any n: the first n lanes, at most VL. */
#ifndef SORAK_GEMM_LANES_H
#define SORAK_GEMM_LANES_H

#include <immintrin.h>
#include <stdint.h>

#if defined(__AVX512F__)

#define VL 16
typedef __m512 vec;

static inline __mmask16 v_mask(int64_t n) { return (__mmask16)(n >= VL ? 0xffff : n <= 0 ? 0 : (1 << n) - 1); }
static inline vec v_zero(void) { return _mm512_setzero_ps(); }
static inline vec v_set1(float f) { return _mm512_set1_ps(f); }
static inline vec v_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void v_store(float *p, vec v) { _mm512_storeu_ps(p, v); }
static inline vec v_load_n(const float *p, int64_t n) { return _mm512_maskz_loadu_ps(v_mask(n), p); }
static inline void v_store_n(float *p, int64_t n, vec v) { _mm512_mask_storeu_ps(p, v_mask(n), v); }
static inline vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); } /* a b + c */

static inline void v_transpose(vec r[VL]) {
    vec t[VL];
    for (int i = 0; i < VL; i += 4) {
        const vec a = _mm512_unpacklo_ps(r[i], r[i + 1]), b = _mm512_unpackhi_ps(r[i], r[i + 1]);
        const vec c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
        t[i] = _mm512_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
    }
    for (int i = 0; i < 4; i++) {
        const vec a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
        const vec c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88), d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
        r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        r[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        r[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
}

#else

#define VL 8
typedef __m256 vec;

static inline __m256i v_mask(int64_t n) {
    const int count = (int)(n >= VL ? VL : n <= 0 ? 0 : n);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vec v_zero(void) { return _mm256_setzero_ps(); }
static inline vec v_set1(float f) { return _mm256_set1_ps(f); }
static inline vec v_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void v_store(float *p, vec v) { _mm256_storeu_ps(p, v); }
static inline vec v_load_n(const float *p, int64_t n) { return _mm256_maskload_ps(p, v_mask(n)); }
static inline void v_store_n(float *p, int64_t n, vec v) { _mm256_maskstore_ps(p, v_mask(n), v); }
static inline vec v_add(vec a, vec b) { return _mm256_add_ps(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); } /* a b + c */

/* Rounded to the nearest bf16, even on ties, still as f32; NaN stays NaN. */
static inline vec v_round_bf16(vec a) {
    const __m256i u = _mm256_castps_si256(a);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    const __m256i r = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const vec rounded = _mm256_castsi256_ps(_mm256_and_si256(r, _mm256_set1_epi32(-65536)));
    return _mm256_blendv_ps(rounded, a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}

static inline void v_transpose(vec r[VL]) {
    vec t[VL];
    for (int i = 0; i < VL; i += 4) {
        const vec a = _mm256_unpacklo_ps(r[i], r[i + 1]), b = _mm256_unpackhi_ps(r[i], r[i + 1]);
        const vec c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
        t[i] = _mm256_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
    }
}

#endif

#define SORAK_BLOCK_COLS (2 * VL)

#endif
