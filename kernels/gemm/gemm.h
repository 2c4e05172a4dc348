/* Matrix products: gemm_pack lays one factor out for the register blocks, gemm multiplies by it.
 *
 * The packed form is part of the operation, the same for every row of the table: panels of 32 columns (16 when n <= 16), and in a panel
 * one group of 32 x 4 bytes for every step along k. A step is one k in f32, and a pair of neighbouring k in bf16 (what VDPBF16PS and
 * TDPBF16PS take):
 *     f32  [panels][segments][k][32]        bf16 [panels][segments][ceil(k / 2)][32][2]
 *     int8 [panels][k / 64 rounded up * 16][32][4], then scale f32 [panels][32], then sums i32 [k / SORAK_I8_BLOCK rounded up][panels][32]
 * with zeros for columns past n and for k past the end. Segments (mostly 1) let k be cut into equal pieces that each begin with a
 * step of their own; convolutions need that. */
#ifndef SORAK_GEMM_H
#define SORAK_GEMM_H

#include "kernels/kernel.h"

/* Columns of a panel. */
static inline int64_t sorak_panel(int64_t n) { return n <= 16 ? 16 : 32; }
static inline int64_t sorak_panels(int64_t n) { return (n + 31) / 32; }
/* Steps of k along the packed form, and its size. dtype: SK_DT_f32, SK_DT_bf16, or SK_DT_i8 with one segment. */
#define SORAK_I8_BLOCK 512
static inline int64_t sorak_i8_blocks(int64_t k) { return (k + SORAK_I8_BLOCK - 1) / SORAK_I8_BLOCK; }
static inline int64_t sorak_steps(int dtype, int64_t k) {
    return dtype == SK_DT_bf16 ? (k + 1) / 2 : dtype == SK_DT_i8 ? (k + 63) / 64 * 16 : k;
}
static inline size_t sorak_gemm_packed_bytes(int dtype, int64_t n, int64_t k, int64_t segments) {
    const int64_t more = dtype == SK_DT_i8 ? 1 + sorak_i8_blocks(k) : 0;
    return (size_t)(sorak_panels(n) * sorak_panel(n) * (segments * sorak_steps(dtype, k) + more)) * 4;
}

/* A panel packed in int8. scale: of each column; sums: of its bytes in each block of k, for products that move a to 0..255. */
typedef struct sorak_i8_panel {
    int64_t width, steps, sums_step;
    const int8_t *b;
    const float *scale;
    const int32_t *sums;
} sorak_i8_panel;
static inline sorak_i8_panel sorak_i8_panel_of(const void *packed, int64_t n, int64_t k, int64_t panel) {
    sorak_i8_panel p = {.width = sorak_panel(n), .steps = sorak_steps(SK_DT_i8, k)};
    const int8_t *const end = (const int8_t *)packed + sorak_panels(n) * p.width * p.steps * 4;
    p.sums_step = sorak_panels(n) * p.width;
    p.b = (const int8_t *)packed + panel * p.width * p.steps * 4;
    p.scale = (const float *)(const void *)end + panel * p.width;
    p.sums = (const int32_t *)(const void *)end + p.sums_step + panel * p.width;
    return p;
}

/* What int8 makes of values whose largest is `most` (NaN if one is): whole numbers within +-127 times a step, ties to even. What is not
 * finite is not lost: its step is NaN. */
static inline float sorak_i8_step(float most) { return most < 1e-30f ? 0.0f : most <= 3.402823466e38f ? most / 127.0f : most - most; }
static inline float sorak_i8_inverse(float most) { return most >= 1e-30f && most <= 3.402823466e38f ? 127.0f / most : 0.0f; }

/* dst = packed b, where b(s, k, n) is src[(s * k_count + k) * k_stride + n * n_stride], times scale[n * scale_step] if there is one. The
 * row's dtype is that of the packed form; src is f32, or anything of kernels/stored.h: what is in blocks has one segment, k_stride 1 and an
 * n_stride of whole blocks. A unit is one panel of one segment, or of SORAK_PACK_STEPS steps where segments are longer. */
#define SORAK_PACK_STEPS 512
typedef struct sorak_gemm_pack_args {
    const void *src;
    void *dst;
    int64_t n, k, segments;
    int64_t n_stride, k_stride; /* in elements */
    int32_t src_dtype;          /* enum sorak_dtype */
    const float *scale;         /* NULL: none; scale_step 0: one for all, 1: one for each n */
    int64_t scale_step;
} sorak_gemm_pack_args;

static inline int64_t sorak_gemm_pack_blocks(int64_t k) { return (k + 2 * SORAK_PACK_STEPS - 1) / (2 * SORAK_PACK_STEPS); }
static inline int64_t sorak_gemm_pack_units(const sorak_gemm_pack_args *a) {
    return sorak_panels(a->n) * a->segments * sorak_gemm_pack_blocks(a->k);
}

/* c[m, n] = act(scale * a b (+ bias)) (+ c). a f32 with strides (rows of a row-major matrix, or a transposed one), rounded to bf16 by the
 * bf16 rows, and by those of int8 to bytes for each row and each SORAK_I8_BLOCK of k, as the weights are for each column (sorak_i8_step),
 * whose products are summed exactly within a block; b packed with one segment; sums in f32. Of bf16 and int8 rows a may be bf16 already (not
 * transposed), and c may be rounded to it. A unit is a block of SORAK_GEMM_ROWS x SORAK_GEMM_COLS, columns
 * running faster. */
#define SORAK_GEMM_ROWS 256
#define SORAK_GEMM_COLS 64
enum sorak_gemm_act { SORAK_GEMM_PLAIN, SORAK_GEMM_SILU, SORAK_GEMM_GELU_TANH, SORAK_GEMM_GELU };
typedef struct sorak_gemm_args {
    const void *a;     /* f32, or bf16 with a_bf16 */
    const void *b;
    const float *bias; /* [n] or NULL */
    void *c;           /* f32, or bf16 with c_bf16 */
    int64_t m, n, k;
    int64_t a_row, a_col; /* strides of a in elements; one of them is 1 */
    int64_t ldc;
    float scale;
    int32_t accumulate; /* 1: adds to c, which is f32 then; no act */
    int32_t act, a_bf16, c_bf16;
} sorak_gemm_args;

static inline int64_t sorak_gemm_units(const sorak_gemm_args *a) {
    return ((a->m + SORAK_GEMM_ROWS - 1) / SORAK_GEMM_ROWS) * ((a->n + SORAK_GEMM_COLS - 1) / SORAK_GEMM_COLS);
}

/* c[m, n] = act(a w^T (+ bias)) with w read as it is stored, rows of k values of any type of kernels/stored.h (whole blocks to a row), times its scale if there
 * is one, rounded to the row's dtype as gemm_pack does. a is the factor that is laid out: packed with one segment, its rows as columns. The same bits as gemm gives
 * with w packed; better where a has few rows, as w then goes through memory once and as it is. A unit is a block of SORAK_STORED_ROWS rows of w and
 * SORAK_STORED_COLS of a, rows of w running faster. */
#define SORAK_STORED_ROWS 64
#define SORAK_STORED_COLS 512
typedef struct sorak_gemm_stored_args {
    const void *w, *a;
    const float *bias; /* [n] or NULL */
    void *c;           /* f32, or bf16 with c_bf16 (bf16 rows) */
    int64_t m, n, k;
    int64_t ldc;
    int32_t w_dtype;   /* enum sorak_dtype */
    int32_t act, c_bf16;
    const float *scale; /* of w: NULL: none; scale_step 0: one for all, 1: one for each row */
    int64_t scale_step;
} sorak_gemm_stored_args;

static inline int64_t sorak_gemm_stored_units(const sorak_gemm_stored_args *a) {
    return ((a->n + SORAK_STORED_ROWS - 1) / SORAK_STORED_ROWS) * ((a->m + SORAK_STORED_COLS - 1) / SORAK_STORED_COLS);
}

#endif
