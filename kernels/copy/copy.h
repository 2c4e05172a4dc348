/* Strided copy of 32-bit elements: dst[sum i_k dst_stride_k] = src[sum i_k src_stride_k] over all indices i of `shape`. src NULL: zeros.
 * Strides in elements; a src stride of 0 repeats. rank 1..8, last axis fastest. A unit is a block of SORAK_BLOCK elements in the order
 * of `shape`. No overlap. For speed merge axes first: sorak_copy_simplify. */
#ifndef SORAK_COPY_H
#define SORAK_COPY_H

#include "kernels/block.h"

typedef struct sorak_copy_args {
    const float *src;
    float *dst;
    int32_t rank;
    int64_t shape[8], src_stride[8], dst_stride[8];
} sorak_copy_args;

static inline int64_t sorak_copy_count(const sorak_copy_args *a) {
    int64_t n = 1;
    for (int32_t i = 0; i < a->rank; i++)
        n *= a->shape[i];
    return n;
}
static inline int64_t sorak_copy_units(const sorak_copy_args *a) { return sorak_blocks(sorak_copy_count(a)); }

/* Puts the longest axis that is contiguous in source or destination last where the last one is short: its loop has no carries. */
static inline void sorak_copy_turn(sorak_copy_args *a) {
    const int32_t last = a->rank - 1;
    int32_t best = last;
    if (a->shape[last] >= 16)
        return;
    for (int32_t i = 0; i < last; i++)
        if ((a->src_stride[i] == 1 || a->dst_stride[i] == 1) && a->shape[i] > a->shape[best])
            best = i;
    const int64_t n = a->shape[best], s = a->src_stride[best], d = a->dst_stride[best];
    for (int32_t i = best; i < last; i++) {
        a->shape[i] = a->shape[i + 1];
        a->src_stride[i] = a->src_stride[i + 1];
        a->dst_stride[i] = a->dst_stride[i + 1];
    }
    a->shape[last] = n;
    a->src_stride[last] = s;
    a->dst_stride[last] = d;
}

/* Drops axes of extent 1 and merges neighbours that are one run in both, so that the inner runs are as long as they can be. */
static inline void sorak_copy_simplify(sorak_copy_args *a) {
    int32_t rank = 0;
    for (int32_t i = 0; i < a->rank; i++) {
        if (a->shape[i] == 1)
            continue;
        int64_t n = a->shape[i], s = a->src_stride[i], d = a->dst_stride[i];
        if (rank > 0 && a->src_stride[rank - 1] == s * n && a->dst_stride[rank - 1] == d * n) {
            a->shape[rank - 1] *= n;
            a->src_stride[rank - 1] = s;
            a->dst_stride[rank - 1] = d;
            continue;
        }
        a->shape[rank] = n;
        a->src_stride[rank] = s;
        a->dst_stride[rank++] = d;
    }
    if (rank == 0) {
        a->shape[0] = 1;
        a->src_stride[0] = a->dst_stride[0] = 1;
        rank = 1;
    }
    a->rank = rank;
    sorak_copy_turn(a);
}

#endif
