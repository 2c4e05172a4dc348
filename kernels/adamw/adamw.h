/* Optimiser steps over n elements. A unit of each is a block of SORAK_BLOCK elements.
 * adamw: g' = grad_scale * g;  m = beta1 m + (1 - beta1) g';  v = beta2 v + (1 - beta2) g'^2;
 *        p = p (1 - lr decay) - lr (m / bias1) / (sqrt(v / bias2) + eps);  ema = ema_decay ema + (1 - ema_decay) p (ema may be NULL)
 *        with bias1 = 1 - beta1^t, bias2 = 1 - beta2^t from the caller.
 * sumsq: partial[unit] = sum of squares of the unit's elements. */
#ifndef SORAK_ADAMW_H
#define SORAK_ADAMW_H

#include "kernels/block.h"

typedef struct sorak_adamw_args {
    float *p, *m, *v, *ema;
    const float *g;
    int64_t n;
    double lr, beta1, beta2, eps, decay, bias1, bias2, grad_scale, ema_decay;
} sorak_adamw_args;

static inline int64_t sorak_adamw_units(const sorak_adamw_args *a) { return sorak_blocks(a->n); }

typedef struct sorak_sumsq_args {
    const float *x;
    int64_t n;
    double *partial;
} sorak_sumsq_args;

static inline int64_t sorak_sumsq_units(const sorak_sumsq_args *a) { return sorak_blocks(a->n); }

#endif
