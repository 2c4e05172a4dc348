/* The register block that all matrix products and convolutions run on.
 *
 * It computes c = scale * a b + bias (+ c) for any number of rows and up to one panel of columns. Rows of `a` lie a_row bytes apart. The
 * sum runs over segments of `steps` steps of 4 bytes (one f32, or a pair of bf16); segment s begins offset[s] bytes after `a`, and in b
 * all steps follow each other, b_step bytes apart. Any split into rows and columns gives the same bits. */
#ifndef SORAK_GEMM_BLOCK_H
#define SORAK_GEMM_BLOCK_H

#include <stdint.h>

#define SORAK_BLOCK_COLS (2 * VW) /* of a template that has included kernels/simd.h */

typedef struct sorak_block_args {
    const char *a, *b;
    int64_t a_row, b_step;      /* bytes */
    const int64_t *offset;
    int64_t segments, steps;
    const float *init;          /* NULL: sums begin at zero; else at [row * init_ld + column] */
    int64_t init_ld;
    float *c;
    int64_t ldc, cols;          /* cols: 1 .. SORAK_BLOCK_COLS of the instruction set */
    const float *bias;          /* NULL or [cols] */
    const char *next;           /* NULL, or what the next call takes for b: may be fetched meanwhile */
    float scale;
    int accumulate;
    int rare;                   /* rows of a come from memory, and may be fetched before they are read */
    int stream;                 /* c may be written past the caches; the caller fences */
} sorak_block_args;

typedef void sorak_block_fn(const sorak_block_args *args, int64_t rows);
sorak_block_fn sorak_block_f32_avx2, sorak_block_bf16_avx2;             /* up to 16 columns */
sorak_block_fn sorak_block_f32_avx512, sorak_block_bf16_avx512bf16;     /* up to 32 */
sorak_block_fn sorak_block_bf16_amx; /* up to 32; reads whole tiles: 60 bytes past the end of the rows of a, which must be finite */

#endif
