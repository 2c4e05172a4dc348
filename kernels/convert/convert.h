/* Converts n elements from dtype `from` (anything of kernels/stored.h) to that of the row; round to nearest even, NaN stays NaN. With a scale
 * (of eight-bit weights) value i is multiplied by scale[i / cols * scale_step] first. A unit is a block of SORAK_BLOCK. */
#ifndef SORAK_CONVERT_H
#define SORAK_CONVERT_H

#include "kernels/block.h"

typedef struct sorak_convert_args {
    const void *x;
    void *y;
    int64_t n;
    int32_t from; /* enum sorak_dtype */
    int32_t scale_step;
    const float *scale; /* NULL: none */
    int64_t cols;
} sorak_convert_args;

static inline int64_t sorak_convert_units(const sorak_convert_args *a) { return sorak_blocks(a->n); }

#endif
