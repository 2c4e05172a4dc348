/* Layer norm over rows, affine or modulated.
 *   y = (x - mean) / sqrt(var + eps) * (plus + scale) + shift
 * Group i, the rows i * group_rows .. (i + 1) * group_rows - 1, uses row i of scale and shift; group_rows divides rows. Affine: one
 * group of all rows, plus = 0. Modulated: plus = 1. scale NULL: factor 1 (whatever plus is); shift NULL: 0.
 * layernorm: a unit is a block of rows. layernorm_bwd: each group is cut into sorak_chunks(group_rows, cols) chunks; a unit is one
 * chunk of one group. It writes dx of its rows and its row of dscale and dshift [groups, chunks, cols] (each may be NULL). */
#ifndef SORAK_LAYERNORM_H
#define SORAK_LAYERNORM_H

#include "kernels/block.h"

typedef struct sorak_layernorm_args {
    const float *x, *scale, *shift;
    void *y; /* f32, or bf16 with y_bf16 */
    int64_t rows, cols, group_rows;
    float eps, plus;
    int32_t y_bf16;
    /* layernorm_bwd only; y and shift are not used there */
    const float *dy;
    float *dx, *dscale, *dshift;
} sorak_layernorm_args;

static inline int64_t sorak_layernorm_units(const sorak_layernorm_args *a) { return sorak_row_units(a->rows, a->cols); }
static inline int64_t sorak_layernorm_bwd_units(const sorak_layernorm_args *a) {
    return a->rows / a->group_rows * sorak_chunks(a->group_rows, a->cols);
}

#endif
