#include "kernels/attention/lanes.h"

#define PAIR 0
#define LANE_VECS 2
#define TILE 6
#define TILED 0
#define BLOCK 96
#define v_dot(acc, a, b) vfma(a, b, acc)

#define NAME(x) x##_f32
#define IN_PLACE 1
#define v_elements(p, n) vload_n(p, n)
#define v_join(p0, p1) ((void)(p1), (p0))
#define v_power(t) vexp2(t)
#include "kernels/attention/attention_simd.h"
#undef NAME
#undef IN_PLACE
#undef v_elements
#undef v_join
#undef v_power

/* Without bf16 products the inputs are rounded and multiplied as floats. */
#define NAME(x) x##_bf16
#define IN_PLACE 0
#define v_elements(p, n) vround_bf16(vload_n(p, n))
#define v_join(p0, p1) ((void)(p1), vround_bf16(p0))
#define v_power(t) vexp2_rough(t)
#include "kernels/attention/attention_simd.h"

int sorak_attention_f32_avx2(const void *args, const sorak_env *env) { return forward_f32(args, env); }
int sorak_attention_bf16_avx2(const void *args, const sorak_env *env) { return forward_bf16(args, env); }
int sorak_attention_bwd_dq_f32_avx2(const void *args, const sorak_env *env) { return backward_dq_f32(args, env); }
int sorak_attention_bwd_dq_bf16_avx2(const void *args, const sorak_env *env) { return backward_dq_bf16(args, env); }
int sorak_attention_bwd_dkv_f32_avx2(const void *args, const sorak_env *env) { return backward_dkv_f32(args, env); }
int sorak_attention_bwd_dkv_bf16_avx2(const void *args, const sorak_env *env) { return backward_dkv_bf16(args, env); }
