/* The kernel table. One row (kernels/<op>/<op>.inc) registers, tests and benchmarks a variant of an operation.
 *
 * A kernel computes units [begin, end) of the work that its args describe; what a unit is stands in the operation's header,
 * with a function sorak_<op>_units(args) that counts them. Units are independent: any split, any order, any number of threads
 * gives the same bits. Kernels never allocate, lock, log or do I/O; they get scratch memory of SORAK_SCRATCH bytes of their own.
 * The row named "ref" (scalar, double accumulation, boring) defines the operation; others are compared with it.
 *
 * Activations, gradients, biases and norms are always f32 in memory. The dtype of a row is the type of the matrix products
 * (inputs rounded to bf16, sums in f32) or, for packers and converters, that of the output. */
#ifndef SORAK_KERNEL_H
#define SORAK_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#define SORAK_SCRATCH ((size_t)4 << 20) /* bytes of scratch per call, 64-byte aligned */

/* Operations: one line per folder. */
#define SORAK_OPS(X)                                                                                                  \
    X(gemm_pack) X(gemm) X(gemm_stored) X(conv3d_pack) X(conv3d_prep) X(conv3d) X(conv3d_dw)                          \
    X(attention) X(attention_bwd_dq) X(attention_bwd_dkv)                                                             \
    X(rmsnorm) X(rmsnorm_bwd) X(layernorm) X(layernorm_bwd) X(gate) X(gate_bwd) X(rope)                               \
    X(unary) X(unary_bwd) X(binary) X(softmax) X(softmax_bwd)                                                         \
    X(copy) X(reduce) X(resample) X(embed) X(embed_bwd) X(convert)                                    \
    X(loss) X(adamw) X(sumsq) X(muon)

enum sorak_op {
#define SORAK_OP_ENUM(name) SK_OP_##name,
    SORAK_OPS(SORAK_OP_ENUM)
#undef SORAK_OP_ENUM
    SK_OP_COUNT
};

/* Types behind i8 have no rows of their own: they are what weights are stored in (kernels/stored.h), and others convert from. */
enum sorak_dtype {
    SK_DT_f32, SK_DT_bf16, SK_DT_f16, SK_DT_i8, SK_DT_f8e4m3, SK_DT_f8e5m2,
    SK_DT_q4_0, SK_DT_q4_1, SK_DT_q5_0, SK_DT_q5_1, SK_DT_q8_0,             /* blocks of 32 values */
    SK_DT_q2_k, SK_DT_q3_k, SK_DT_q4_k, SK_DT_q5_k, SK_DT_q6_k, SK_DT_COUNT /* of 256 */
};
enum sorak_dev { SK_DEV_cpu, SK_DEV_cuda };

/* What a row needs of the processor: sets of feature bits, never names of processors. */
#define SK_CPU_AVX2 1u       /* AVX2 + FMA + F16C */
#define SK_CPU_AVX512 2u     /* F, BW, DQ, VL */
#define SK_CPU_AVX512BF16 4u /* VDPBF16PS */
#define SK_CPU_AMXBF16 8u    /* tiles with bf16 and int8, permission granted by the kernel */
#define SK_CPU_AVX512VNNI 16u /* VPDPBUSD */
#define SK_NEED_ref 0u
#define SK_NEED_avx2 SK_CPU_AVX2
#define SK_NEED_avx512 (SK_CPU_AVX2 | SK_CPU_AVX512)
#define SK_NEED_avx512bf16 (SK_NEED_avx512 | SK_CPU_AVX512BF16)
#define SK_NEED_avx512vnni (SK_NEED_avx512 | SK_CPU_AVX512VNNI)
#define SK_NEED_amx (SK_NEED_avx512bf16 | SK_CPU_AMXBF16)

typedef struct sorak_env {
    int64_t begin, end; /* units */
    void *scratch;      /* SORAK_SCRATCH bytes; contents undefined */
} sorak_env;

/* Returns 0, or -1 when this variant does not take these arguments (asked with begin == end too; then it touches nothing). */
typedef int sorak_fn(const void *args, const sorak_env *env);

/* Comparison with the reference: |d| <= atol + rtol * |ref| for every element, and sum d^2 <= nmse * sum ref^2. */
typedef struct sorak_tol {
    double atol, rtol, nmse;
} sorak_tol;

typedef struct sorak_row {
    const char *name; /* "gemm_bf16_amx" */
    int op, dtype, dev;
    uint32_t need;
    int prio; /* 0 for the reference; higher wins */
    sorak_fn *fn;
    sorak_tol tol;
} sorak_row;

#define SORA_KERNEL(op, dt, isa, dev, prio, atol, rtol, nmse) sorak_fn sorak_##op##_##dt##_##isa;
#include "kernels/kernels.inc"
#undef SORA_KERNEL

extern const sorak_row sorak_table[];
extern const size_t sorak_table_len;

const char *sorak_op_name(int op);

/* The row of highest priority for (op, dtype, dev) whose needs are in `flags` and that takes `args` (NULL: any); NULL if none. */
const sorak_row *sorak_pick(int op, int dtype, int dev, uint32_t flags, const void *args);

/* bf16 <-> f32: round to nearest even; NaN stays NaN. */
static inline float sorak_bf16_to_f32(uint16_t v) {
    union {
        uint32_t u;
        float f;
    } x = {(uint32_t)v << 16};
    return x.f;
}
static inline uint16_t sorak_f32_to_bf16(float f) {
    union {
        float f;
        uint32_t u;
    } x = {f};
    if ((x.u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((x.u >> 16) | 0x40u);
    return (uint16_t)((x.u + 0x7fffu + ((x.u >> 16) & 1u)) >> 16);
}

#endif
