/* Softmax over the last axis, alone or with the cross-entropy loss.
 *
 * softmax      y = exp(x - max) / sum. With labels also row_loss[r] = log sum exp(x) - x[label], 0 where the label is negative.
 * softmax_bwd  without labels: dx = y (dy - sum dy y). With labels: dx = (y - [column = label]) * grad[0] * scale, a row of zeros
 *              where the label is negative.
 * One unit = one row. */
#ifndef SORAK_SOFTMAX_H
#define SORAK_SOFTMAX_H

#include "kernels/kernel.h"

typedef struct sorak_softmax_args {
    const float *x; /* [rows, cols] */
    float *y;       /* [rows, cols]; may be x */
    const int32_t *labels; /* [rows], each below cols, or NULL */
    float *row_loss;       /* [rows] with labels */
    int64_t rows, cols;    /* cols >= 1 */
} sorak_softmax_args;

typedef struct sorak_softmax_bwd_args {
    const float *y;        /* [rows, cols], of the forward kernel */
    const float *dy;       /* [rows, cols] without labels */
    const int32_t *labels; /* [rows] or NULL */
    const float *grad;     /* [1] with labels */
    float scale;           /* with labels */
    float *dx;             /* [rows, cols]; may be dy */
    int64_t rows, cols;
} sorak_softmax_bwd_args;

static inline int64_t sorak_softmax_units(const sorak_softmax_args *a) { return a->rows; }
static inline int64_t sorak_softmax_bwd_units(const sorak_softmax_bwd_args *a) { return a->rows; }

#endif
