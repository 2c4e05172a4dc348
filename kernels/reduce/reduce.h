/* Sums over the middle axis: x [outer, n, inner] -> y [outer, chunks, inner], y = scale * (sum over the chunk's part of n).
 * chunks = 1 gives the sum; long sums over few columns go through many chunks first (sorak_chunks(n, inner)), then through one, so that
 * threads have something to share and the result does not depend on them. Chunk i holds sorak_chunk_begin(n, chunks, i) .. (i + 1).
 * A unit is one chunk of one outer index, SORAK_REDUCE_COLS columns wide. */
#ifndef SORAK_REDUCE_H
#define SORAK_REDUCE_H

#include "kernels/block.h"

#define SORAK_REDUCE_COLS 256

typedef struct sorak_reduce_args {
    const float *x;
    float *y;
    int64_t outer, n, inner, chunks;
    float scale;
} sorak_reduce_args;

static inline int64_t sorak_reduce_units(const sorak_reduce_args *a) {
    return a->outer * a->chunks * ((a->inner + SORAK_REDUCE_COLS - 1) / SORAK_REDUCE_COLS);
}

#endif
