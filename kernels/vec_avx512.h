/* Sixteen floats: what the templates of attention and softmax are written in. */
#ifndef SORAK_VEC_AVX512_H
#define SORAK_VEC_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#define VL 16
typedef __m512 vec;

static inline __mmask16 v_mask(int64_t n) { return (__mmask16)(n >= VL ? 0xffff : n <= 0 ? 0 : (1 << n) - 1); }
static inline vec v_zero(void) { return _mm512_setzero_ps(); }
static inline vec v_set1(float f) { return _mm512_set1_ps(f); }
static inline vec v_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void v_store(float *p, vec v) { _mm512_storeu_ps(p, v); }
/* The first n (any number) of VL, others read as zero or left alone. */
static inline vec v_load_n(const float *p, int64_t n) { return _mm512_maskz_loadu_ps(v_mask(n), p); }
static inline void v_store_n(float *p, int64_t n, vec v) { _mm512_mask_storeu_ps(p, v_mask(n), v); }
static inline vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
static inline vec v_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
static inline vec v_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
static inline vec v_div(vec a, vec b) { return _mm512_div_ps(a, b); }
static inline vec v_max(vec a, vec b) { return _mm512_max_ps(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }  /* a b + c */
static inline vec v_fms(vec a, vec b, vec c) { return _mm512_fmsub_ps(a, b, c); }  /* a b - c */
static inline float v_sum(vec a) { return _mm512_reduce_add_ps(a); }
static inline float v_top(vec a) { return _mm512_reduce_max_ps(a); }

/* 2^t for t <= 127, relative error below 1e-7; 0 far below. */
static inline vec v_exp2(vec t) {
    const vec n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), f = _mm512_sub_ps(t, n);
    vec p = v_fma(v_set1(0x1.41d332p-13f), f, v_set1(0x1.5f456ap-10f));
    p = v_fma(p, f, v_set1(0x1.3b2dbcp-7f));
    p = v_fma(p, f, v_set1(0x1.c6aed4p-5f));
    p = v_fma(p, f, v_set1(0x1.ebfbdap-3f));
    p = v_fma(p, f, v_set1(0x1.62e43p-1f));
    p = v_fma(p, f, v_set1(1.0f));
    return _mm512_scalef_ps(p, n);
}

/* Relative error below 3e-6: enough before a rounding to bf16. */
static inline vec v_exp2_rough(vec t) {
    const vec n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), f = _mm512_sub_ps(t, n);
    vec p = v_fma(v_set1(0x1.3997d4p-7f), f, v_set1(0x1.ca1440p-5f));
    p = v_fma(p, f, v_set1(0x1.ec06dap-3f));
    p = v_fma(p, f, v_set1(0x1.62e0dcp-1f));
    p = v_fma(p, f, v_set1(0x1.ffffe8p-1f));
    return _mm512_scalef_ps(p, n);
}

/* Rounded to the nearest bf16, even on ties; NaN stays NaN. */
static inline vec v_round_bf16(vec a) {
    const __m512i u = _mm512_castps_si512(a);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    const __m512i r = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const vec rounded = _mm512_castsi512_ps(_mm512_and_si512(r, _mm512_set1_epi32(-65536)));
    return _mm512_mask_mov_ps(rounded, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), a);
}

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

#endif
