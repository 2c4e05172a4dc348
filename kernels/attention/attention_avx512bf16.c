#include "kernels/attention/lanes.h"

#define PAIR 1
#define LANE_VECS 4
#define TILE 6
#define BLOCK 96
#define NAME(x) x##_bf16
#define IN_PLACE 0

/* Two vectors of floats as bf16: those of `low` in the lower half of the register. */
static inline __m512i narrow(vf low, vf high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

static inline vf v_elements(const float *p, int64_t n) {
    return _mm512_castsi512_ps(narrow(vload_n(p, n), n > VW ? vload_n(p + VW, n - VW) : vset(0.0f)));
}

static inline vf v_join(vf p0, vf p1) {
    const __m512i pairs = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4,
                                           19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(pairs, narrow(p0, p1)));
}

static inline vf v_dot(vf acc, vf a, vf b) {
    return _mm512_dpbf16_ps(acc, (__m512bh)_mm512_castps_si512(a), (__m512bh)_mm512_castps_si512(b));
}

#define v_power(t) vexp2_rough(t)
#include "kernels/attention/attention_simd.h"

int sorak_attention_bf16_avx512bf16(const void *args, const sorak_env *env) { return forward_bf16(args, env); }
int sorak_attention_bwd_dq_bf16_avx512bf16(const void *args, const sorak_env *env) { return backward_dq_bf16(args, env); }
int sorak_attention_bwd_dkv_bf16_avx512bf16(const void *args, const sorak_env *env) { return backward_dkv_bf16(args, env); }
