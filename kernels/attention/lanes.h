/* What attention needs beyond kernels/simd.h: powers of two, rounding to bf16, transposition. */
#ifndef SORAK_ATTENTION_LANES_H
#define SORAK_ATTENTION_LANES_H

#include "kernels/simd.h"

#if defined(__AVX512F__)

static inline vf vfms(vf a, vf b, vf c) { return _mm512_fmsub_ps(a, b, c); } /* a b - c */

/* 2^t for t <= 127, relative error below 1e-7; 0 far below. */
static inline vf vexp2(vf t) {
    const vf n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), f = _mm512_sub_ps(t, n);
    vf p = vfma(vset(0x1.41d332p-13f), f, vset(0x1.5f456ap-10f));
    p = vfma(p, f, vset(0x1.3b2dbcp-7f));
    p = vfma(p, f, vset(0x1.c6aed4p-5f));
    p = vfma(p, f, vset(0x1.ebfbdap-3f));
    p = vfma(p, f, vset(0x1.62e43p-1f));
    p = vfma(p, f, vset(1.0f));
    return _mm512_scalef_ps(p, n);
}

/* Relative error below 3e-6: enough before a rounding to bf16. */
static inline vf vexp2_rough(vf t) {
    const vf n = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), f = _mm512_sub_ps(t, n);
    vf p = vfma(vset(0x1.3997d4p-7f), f, vset(0x1.ca1440p-5f));
    p = vfma(p, f, vset(0x1.ec06dap-3f));
    p = vfma(p, f, vset(0x1.62e0dcp-1f));
    p = vfma(p, f, vset(0x1.ffffe8p-1f));
    return _mm512_scalef_ps(p, n);
}

/* Rounded to the nearest bf16, even on ties; NaN stays NaN. */
static inline vf vround_bf16(vf a) {
    const __m512i u = _mm512_castps_si512(a);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    const __m512i r = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const vf rounded = _mm512_castsi512_ps(_mm512_and_si512(r, _mm512_set1_epi32(-65536)));
    return _mm512_mask_mov_ps(rounded, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), a);
}

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

static inline vf vfms(vf a, vf b, vf c) { return _mm256_fmsub_ps(a, b, c); }

/* 2^t for t <= 127, relative error below 1e-7; what would be denormal is 0. NaN stays NaN. */
static inline vf vexp2(vf t) {
    const vf low = _mm256_set1_ps(-126.0f), kept = _mm256_cmp_ps(t, low, _CMP_NLT_UQ);
    const vf n = _mm256_round_ps(_mm256_max_ps(low, t), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const vf f = _mm256_sub_ps(_mm256_max_ps(low, t), n);
    vf p = vfma(vset(0x1.41d332p-13f), f, vset(0x1.5f456ap-10f));
    p = vfma(p, f, vset(0x1.3b2dbcp-7f));
    p = vfma(p, f, vset(0x1.c6aed4p-5f));
    p = vfma(p, f, vset(0x1.ebfbdap-3f));
    p = vfma(p, f, vset(0x1.62e43p-1f));
    p = vfma(p, f, vset(1.0f));
    const __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_and_ps(kept, _mm256_mul_ps(p, _mm256_castsi256_ps(power)));
}
static inline vf vexp2_rough(vf t) { return vexp2(t); }

/* Rounded to the nearest bf16, even on ties; NaN stays NaN. */
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
#endif
