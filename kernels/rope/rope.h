/* Rotation of adjacent pairs by angles that depend on the row's place in its sequence:
 *   y[2i] = x[2i] cos - x[2i+1] sin        y[2i+1] = x[2i] sin + x[2i+1] cos
 * One unit = one row of x [rows, heads, d]; row r uses table[r % length]. */
#ifndef SORAK_ROPE_H
#define SORAK_ROPE_H

#include "kernels/kernel.h"

typedef struct sorak_rope_args {
    const float *x;
    float *y;           /* may be x */
    const float *table; /* [length, d / 2, 2]: cos, sin */
    int64_t rows, length, heads, d; /* d even */
    int32_t inverse;    /* 1: rotate back, which is the gradient */
} sorak_rope_args;

static inline int64_t sorak_rope_units(const sorak_rope_args *a) { return a->rows; }

#endif
