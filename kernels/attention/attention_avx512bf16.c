#include "kernels/attention/pairs.h"

#define PAIR 1
#define LANE_VECS 4
#define TILE 6
#define TILED 0
#define BLOCK 96
#define NAME(x) x##_bf16
#define IN_PLACE 0

static inline vf v_dot(vf acc, vf a, vf b) {
    return _mm512_dpbf16_ps(acc, (__m512bh)_mm512_castps_si512(a), (__m512bh)_mm512_castps_si512(b));
}

#define v_power(t) vexp2_rough(t)
#include "kernels/attention/attention_simd.h"

int sorak_attention_bf16_avx512bf16(const void *args, const sorak_env *env) { return forward_bf16(args, env); }
int sorak_attention_bwd_dq_bf16_avx512bf16(const void *args, const sorak_env *env) { return backward_dq_bf16(args, env); }
int sorak_attention_bwd_dkv_bf16_avx512bf16(const void *args, const sorak_env *env) { return backward_dkv_bf16(args, env); }
