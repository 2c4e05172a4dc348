/* One spelling for AVX2 (8 lanes) and AVX-512 (16 lanes), so that a kernel's body is written once and compiled per instruction set:
 *
 *     #define ISA avx2
 *     #include "kernels/<op>/<op>_body.h"          with functions named SORAK_NAME(op), e.g. sorak_unary_f32_avx2
 *
 * Plain + - * / work on the vectors. Nothing is contracted: fused products are written vfma. Tails use masks (vload_n, vstore_n),
 * whose lanes past the end are 0 and never touched in memory. Sums over lanes have a fixed order. */
#ifndef SORAK_SIMD_H
#define SORAK_SIMD_H

#include <immintrin.h>
#include <stdint.h>

#define SORAK_NAME3(op, isa) sorak_##op##_f32_##isa
#define SORAK_NAME2(op, isa) SORAK_NAME3(op, isa)
#define SORAK_NAME(op) SORAK_NAME2(op, ISA)

#if defined(__AVX512F__)

#define VW 16
typedef __m512 vf;
typedef __mmask16 vmask;

static inline vf vset(float v) { return _mm512_set1_ps(v); }
static inline vf vload(const float *p) { return _mm512_loadu_ps(p); }
static inline void vstore(float *p, vf v) { _mm512_storeu_ps(p, v); }
static inline vmask vfirst(int64_t n) { return (vmask)(n > 0 ? (1u << n) - 1u : 0u); } /* n up to VW */
static inline vf vload_m(const float *p, vmask m) { return _mm512_maskz_loadu_ps(m, p); }
static inline void vstore_m(float *p, vf v, vmask m) { _mm512_mask_storeu_ps(p, m, v); }
static inline vf vfma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
static inline vf vfnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a b */
static inline vf vfms(vf a, vf b, vf c) { return _mm512_fmsub_ps(a, b, c); } /* a b - c */
static inline vf vmin(vf a, vf b) { return _mm512_min_ps(a, b); }              /* b when one is NaN */
static inline vf vmax(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf vsqrt(vf a) { return _mm512_sqrt_ps(a); }
static inline vf vabs(vf a) { return _mm512_abs_ps(a); }
static inline vf vround(vf a) { return _mm512_roundscale_ps(a, 8); } /* nearest even, quiet */
static inline vmask vless(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline vf vpick(vmask m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }
static inline vf vscale2(vf a, vf n) { return _mm512_scalef_ps(a, n); } /* a 2^n, n whole */
/* 1 / a to about 1 ulp, for a of at least 1 and finite: an estimate and a Newton step, as division keeps the unit busy for long */
static inline vf vrecip(vf a) {
    const vf r = _mm512_rcp14_ps(a);
    return vfma(r, vfnma(a, r, vset(1.0f)), r);
}
static inline __m256 vhalf(vf a) { return _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1)); }
/* the sum in double */
static inline double vsum_f64(vf a) {
    __m512d s = _mm512_add_pd(_mm512_cvtps_pd(_mm512_castps512_ps256(a)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)));
    __m256d q = _mm256_add_pd(_mm512_castpd512_pd256(s), _mm512_extractf64x4_pd(s, 1));
    __m128d d = _mm_add_pd(_mm256_castpd256_pd128(q), _mm256_extractf128_pd(q, 1));
    return _mm_cvtsd_f64(_mm_add_sd(d, _mm_unpackhi_pd(d, d)));
}

/* Rounded to the nearest bf16, even on ties, still as f32; NaN stays NaN. */
static inline vf vround_bf16(vf a) {
    const __m512i u = _mm512_castps_si512(a);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    const __m512i r = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const vf rounded = _mm512_castsi512_ps(_mm512_and_si512(r, _mm512_set1_epi32(-65536)));
    return _mm512_mask_mov_ps(rounded, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), a);
}

/* VW vectors as a square: rows become columns. */
static inline void vtranspose(vf r[VW]) {
    vf t[VW];
    for (int i = 0; i < VW; i += 4) {
        const vf a = _mm512_unpacklo_ps(r[i], r[i + 1]), b = _mm512_unpackhi_ps(r[i], r[i + 1]);
        const vf c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
        t[i] = _mm512_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm512_shuffle_ps(b, d, 0xee);
    }
    for (int i = 0; i < 4; i++) {
        const vf a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
        const vf c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88), d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
        r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        r[i + 4] = _mm512_shuffle_f32x4(b, d, 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        r[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
}

#else

#define VW 8
typedef __m256 vf;
typedef __m256i vmask;

static inline vf vset(float v) { return _mm256_set1_ps(v); }
static inline vf vload(const float *p) { return _mm256_loadu_ps(p); }
static inline void vstore(float *p, vf v) { _mm256_storeu_ps(p, v); }
static inline vmask vfirst(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline vf vload_m(const float *p, vmask m) { return _mm256_maskload_ps(p, m); }
static inline void vstore_m(float *p, vf v, vmask m) { _mm256_maskstore_ps(p, m, v); }
static inline vf vfma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
static inline vf vfnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
static inline vf vfms(vf a, vf b, vf c) { return _mm256_fmsub_ps(a, b, c); }
static inline vf vmin(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf vmax(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vf vsqrt(vf a) { return _mm256_sqrt_ps(a); }
static inline vf vabs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline vf vround(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline vmask vless(vf a, vf b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
static inline vf vpick(vmask m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, _mm256_castsi256_ps(m)); }
/* In two factors, because 2^n alone may be out of range where the result is not. n within +-250. */
static inline vf vscale2(vf a, vf n) {
    __m256i i = _mm256_cvtps_epi32(n), h = _mm256_srai_epi32(i, 1), bias = _mm256_set1_epi32(127);
    __m256i one = _mm256_slli_epi32(_mm256_add_epi32(h, bias), 23);
    __m256i two = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(i, h), bias), 23);
    return _mm256_mul_ps(_mm256_mul_ps(a, _mm256_castsi256_ps(one)), _mm256_castsi256_ps(two));
}
static inline vf vrecip(vf a) { return vset(1.0f) / a; }
static inline __m256 vhalf(vf a) { return a; }
static inline double vsum_f64(vf a) {
    __m256d q = _mm256_add_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(a)), _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)));
    __m128d d = _mm_add_pd(_mm256_castpd256_pd128(q), _mm256_extractf128_pd(q, 1));
    return _mm_cvtsd_f64(_mm_add_sd(d, _mm_unpackhi_pd(d, d)));
}

/* Rounded to the nearest bf16, even on ties, still as f32; NaN stays NaN. */
static inline vf vround_bf16(vf a) {
    const __m256i u = _mm256_castps_si256(a);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    const __m256i r = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const vf rounded = _mm256_castsi256_ps(_mm256_and_si256(r, _mm256_set1_epi32(-65536)));
    return _mm256_blendv_ps(rounded, a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}

static inline void vtranspose(vf r[VW]) {
    vf t[VW];
    for (int i = 0; i < VW; i += 4) {
        const vf a = _mm256_unpacklo_ps(r[i], r[i + 1]), b = _mm256_unpackhi_ps(r[i], r[i + 1]);
        const vf c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
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

static inline vf vload_n(const float *p, int64_t n) { return n >= VW ? vload(p) : vload_m(p, vfirst(n)); }
static inline void vstore_n(float *p, vf v, int64_t n) {
    if (n >= VW)
        vstore(p, v);
    else
        vstore_m(p, v, vfirst(n));
}

/* The first n lanes (or all) as bf16. */
static inline void vstore_bf16_n(uint16_t *p, vf v, int64_t n) {
#if VW == 16
    const __m256i all = _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(vround_bf16(v)), 16));
    _mm256_mask_storeu_epi16(p, vfirst(n < VW ? n : VW), all);
#else
    const __m256i x = _mm256_srli_epi32(_mm256_castps_si256(vround_bf16(v)), 16);
    uint16_t all[VW];
    _mm_storeu_si128((__m128i *)(void *)all, _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi32(x, x), 0xd8)));
    for (int64_t i = 0; i < VW && i < n; i++)
        p[i] = all[i];
#endif
}

static inline float vsum(vf a) {
    __m256 h = vhalf(a);
    __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    q = _mm_add_ps(q, _mm_movehl_ps(q, q));
    return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

/* exp, to about 1.2e-7 of the result, down to denormals; overflow gives infinity, NaN stays. */
static inline vf vexp(vf x) {
    const vf clamped = vmin(vset(89.0f), vmax(vset(-105.0f), x));
    const vf n = vround(clamped * vset(1.44269504f));
    vf r = vfnma(n, vset(0.693145752f), clamped); /* ln 2 in two parts, the first with few bits */
    r = vfnma(n, vset(1.42860677e-6f), r);
    vf p = vset(1.38145161e-3f);
    p = vfma(p, r, vset(8.36875569e-3f));
    p = vfma(p, r, vset(4.16683927e-2f));
    p = vfma(p, r, vset(1.66665196e-1f));
    p = vfma(p, r, vset(4.99999940e-1f));
    p = vfma(p, r * r, r) + vset(1.0f);
    return vscale2(p, n);
}

/* 1 / (1 + exp(-x)); 0 below -87, and no denormals above 87, which cost a hundred times more */
static inline vf vsigmoid(vf x) { return vrecip(vset(1.0f) + vexp(vmax(vset(-87.0f), vmin(vset(87.0f), vset(0.0f) - x)))); }

/* Distribution function of the normal distribution, 0.5 erfc(-x / sqrt(2)), and its density times sqrt(2 pi) in *e. The upper tail is
 * exp(-x^2 / 2) times a polynomial in 1 / (1 + 0.4 z), fitted to exp(z^2) erfc(z) on 0..11 with relative error 4e-8. */
static inline vf vnormal_cdf(vf x, vf *e) {
    const vf size = vmin(vset(15.0f), vabs(x)), z = size * vset(0.707106781f);
    *e = vexp(vset(-0.5f) * size * size);
    const vf t = vrecip(vfma(vset(0.4f), z, vset(1.0f)));
    vf p = vset(3.16929221e-2f);
    p = vfma(p, t, vset(-9.06259418e-2f));
    p = vfma(p, t, vset(-2.73531433e-2f));
    p = vfma(p, t, vset(2.28749484e-1f));
    p = vfma(p, t, vset(-3.06838192e-2f));
    p = vfma(p, t, vset(2.48999372e-1f));
    p = vfma(p, t, vset(1.83955863e-1f));
    p = vfma(p, t, vset(2.30008572e-1f));
    p = vfma(p, t, vset(2.25237966e-1f));
    p = vfma(p, t, vset(1.87539063e-5f));
    const vf tail = vset(0.5f) * *e * p;
    return vpick(vless(x, vset(0.0f)), tail, vset(1.0f) - tail);
}

#endif
