/* Root-mean-square norm over rows, with an optional SiLU on its result.
 *   y = act(x * r * gamma),  r = 1 / sqrt(mean(x^2) + eps)              (l2 == 0)
 *                            r = sqrt(cols) / max(|x|, eps)              (l2 == 1: the channel norm of the Wan autoencoder)
 * rmsnorm: a unit is a block of rows. rmsnorm_bwd: a unit is one of sorak_chunks(rows, cols) fixed chunks of rows; each writes
 * the rows' dx and, when dgamma is not NULL, the chunk's sum for gamma: dgamma [chunks, cols], to be summed by `reduce`. */
#ifndef SORAK_RMSNORM_H
#define SORAK_RMSNORM_H

#include "kernels/block.h"

typedef struct sorak_rmsnorm_args {
    const float *x, *gamma; /* gamma [cols], or NULL: ones */
    float *y;
    int64_t rows, cols;
    float eps;
    int32_t l2, silu;
    /* rmsnorm_bwd only; y is not used there */
    const float *dy;
    float *dx, *dgamma;
} sorak_rmsnorm_args;

static inline int64_t sorak_rmsnorm_units(const sorak_rmsnorm_args *a) { return sorak_row_units(a->rows, a->cols); }
static inline int64_t sorak_rmsnorm_bwd_units(const sorak_rmsnorm_args *a) { return sorak_chunks(a->rows, a->cols); }

#endif
