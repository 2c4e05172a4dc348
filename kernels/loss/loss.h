/* Losses over n elements; w_i = weight[i / weight_run], or 1 when weight is NULL.
 *   MSE:  w (a - b)^2            L1: w |a - b|            KL: 0.5 (a^2 + exp(b) - 1 - b)     (a mean, b log variance)
 *   DIFF: |(a[i+1] - a[i]) - (b[i+1] - b[i])| along the middle axis of [outer, len, inner]; the last index has none
 * mode VALUE: partial[unit] = the sum over the unit's elements. Then mode TOTAL: *total = scale * sum of partial[0 .. n-1], one unit.
 * mode GRAD: da = scale * *dout * d(sum)/da, and db the same for KL (for the others b gets no gradient; db is not used).
 * A unit is a block of SORAK_BLOCK elements, except for TOTAL. */
#ifndef SORAK_LOSS_H
#define SORAK_LOSS_H

#include "kernels/block.h"

enum sorak_loss_kind { SORAK_LOSS_MSE, SORAK_LOSS_L1, SORAK_LOSS_DIFF, SORAK_LOSS_KL, SORAK_LOSS_KINDS };
enum sorak_loss_mode { SORAK_LOSS_VALUE, SORAK_LOSS_TOTAL, SORAK_LOSS_GRAD };

typedef struct sorak_loss_args {
    int32_t kind, mode;
    const float *a, *b, *weight;
    int64_t n, weight_run;
    int64_t len, inner; /* DIFF */
    double scale;
    double *partial;
    float *total;
    const float *dout;
    float *da, *db;
} sorak_loss_args;

static inline int64_t sorak_loss_units(const sorak_loss_args *a) { return a->mode == SORAK_LOSS_TOTAL ? 1 : sorak_blocks(a->n); }

#endif
