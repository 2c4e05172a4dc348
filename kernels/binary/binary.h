/* Element by element, two inputs: y = alpha a + beta b, or y = alpha a b. b has nb elements and repeats over a's leading axes (nb
 * divides n; nb == n: same shape). A unit is a block of SORAK_BLOCK elements. y may be a, or b when nb == n. */
#ifndef SORAK_BINARY_H
#define SORAK_BINARY_H

#include "kernels/block.h"

enum sorak_binary_kind { SORAK_BINARY_AXPBY, SORAK_BINARY_MUL };

typedef struct sorak_binary_args {
    int32_t kind;
    float alpha, beta; /* beta is not used by MUL */
    const float *a, *b;
    float *y;
    int64_t n, nb;
} sorak_binary_args;

static inline int64_t sorak_binary_units(const sorak_binary_args *a) { return sorak_blocks(a->n); }

#endif
