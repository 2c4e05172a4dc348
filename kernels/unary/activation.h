/* Activations as vectors, for the rows of unary and for products that end in one. */
#ifndef SORAK_ACTIVATION_H
#define SORAK_ACTIVATION_H

#include "kernels/simd.h"

#define GELU_A 1.59576912f /* 2 sqrt(2 / pi): 0.5 (1 + tanh(u)) = sigmoid(2 u) */
#define GELU_B 0.044715f

static inline vf f_silu(vf x, vf p0, vf p1) {
    (void)p0, (void)p1;
    return x * vsigmoid(x);
}
static inline vf f_gelu_tanh(vf x, vf p0, vf p1) {
    (void)p0, (void)p1;
    const vf u = x * vset(GELU_A) * vfma(x * x, vset(GELU_B), vset(1.0f));
    return x * vsigmoid(u);
}
static inline vf f_gelu(vf x, vf p0, vf p1) {
    (void)p0, (void)p1;
    vf e;
    return x * vnormal_cdf(x, &e);
}

#endif
