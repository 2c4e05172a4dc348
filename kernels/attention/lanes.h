/* What attention needs beyond kernels/simd.h: powers of two. */
#ifndef SORAK_ATTENTION_LANES_H
#define SORAK_ATTENTION_LANES_H

#include "kernels/simd.h"

#if defined(__AVX512F__)

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

#else

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

#endif
#endif
