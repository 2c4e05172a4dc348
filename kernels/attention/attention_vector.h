/* The rows of instruction sets without bf16 products. ATTENTION_ISA and LANE_VECS (vectors of queries at a time) come first. */
#include "kernels/attention/lanes.h"

#define PAIR 0
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

#define ROW__(op, isa) sorak_##op##_##isa
#define ROW_(op, isa) ROW__(op, isa)
#define ROW(op) ROW_(op, ATTENTION_ISA)
int ROW(attention_f32)(const void *args, const sorak_env *env) { return forward_f32(args, env); }
int ROW(attention_bf16)(const void *args, const sorak_env *env) { return forward_bf16(args, env); }
int ROW(attention_bwd_dq_f32)(const void *args, const sorak_env *env) { return backward_dq_f32(args, env); }
int ROW(attention_bwd_dq_bf16)(const void *args, const sorak_env *env) { return backward_dq_bf16(args, env); }
int ROW(attention_bwd_dkv_f32)(const void *args, const sorak_env *env) { return backward_dkv_f32(args, env); }
int ROW(attention_bwd_dkv_bf16)(const void *args, const sorak_env *env) { return backward_dkv_bf16(args, env); }
