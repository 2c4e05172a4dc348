/* Element by element: y = f(x). unary_bwd: dx = dy * f'(x). A unit is a block of SORAK_BLOCK elements. y may be x, dx may be dy. */
#ifndef SORAK_UNARY_H
#define SORAK_UNARY_H

#include "kernels/block.h"

enum sorak_unary_kind {
    SORAK_UNARY_SILU,      /* x / (1 + exp(-x)) */
    SORAK_UNARY_GELU_TANH, /* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
    SORAK_UNARY_GELU,      /* 0.5 x (1 + erf(x / sqrt(2))) */
    SORAK_UNARY_RELU,
    SORAK_UNARY_EXP,
    SORAK_UNARY_CLAMP,     /* to p0 .. p1; the gradient passes inside, bounds included */
    SORAK_UNARY_AFFINE,    /* p0 x + p1 */
    SORAK_UNARY_FILL,      /* p0; x is not read */
    SORAK_UNARY_KINDS
};

typedef struct sorak_unary_args {
    int32_t kind;
    float p0, p1;
    const float *x;
    float *y;
    int64_t n;
    /* unary_bwd only; y is not used there */
    const float *dy;
    float *dx;
} sorak_unary_args;

static inline int64_t sorak_unary_units(const sorak_unary_args *a) { return sorak_blocks(a->n); }
static inline int64_t sorak_unary_bwd_units(const sorak_unary_args *a) { return sorak_blocks(a->n); }

#endif
