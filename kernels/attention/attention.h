/* Attention of many heads without a stored score matrix, forward and backward.
 *
 *   s[b,h,i,j] = scale * sum_c q[b,i,h,c] k[b,j,h,c] + bias[h,i,j]        j < k_lengths[b]
 *   out[b,i,h,:] = sum_j softmax_j(s) v[b,j,h,:]        lse[b,h,i] = log sum_j exp(s)
 *
 * Rows of type bf16 round q, k, v and the gradient of out to bf16 before the products, and may round the probabilities and score
 * gradients too; sums, maxima, lse and delta stay f32. The reference rounds the inputs only.
 *
 * attention         one unit = one block of queries of one head and sample.
 * attention_bwd_dq  writes delta, dq and dbias. One unit = one block of queries of one head and sample; with dbias one block of
 *                   queries of one head, for all samples in order, so that the sum over the batch is always the same.
 * attention_bwd_dkv needs delta of the former; writes dk, dv. One unit = one block of keys of one head and sample. */
#ifndef SORAK_ATTENTION_H
#define SORAK_ATTENTION_H

#include "kernels/kernel.h"

#define SORAK_ATTENTION_MAX_D 1024

typedef struct sorak_attention_args {
    const float *q, *k, *v;
    int64_t q_stride[3], k_stride[3], v_stride[3]; /* in floats: batch, row, head; the last axis is dense */
    int64_t batch, heads, lq, lk, d;               /* lk >= 1, 1 <= d <= SORAK_ATTENTION_MAX_D */
    float scale;
    const float *bias;        /* [heads, lq, lk] or NULL */
    const int32_t *k_lengths; /* [batch] or NULL; each is read as if clamped to 1..lk */
    void *out;                /* [batch, lq, heads, d], f32 or with out_bf16 bf16; f32 in the backward kernels */
    int32_t out_bf16;
    float *lse;               /* [batch, heads, lq] or NULL; an input of the backward kernels */
} sorak_attention_args;

typedef struct sorak_attention_bwd_args {
    sorak_attention_args fwd; /* as in the forward call; out and lse are inputs now */
    const float *dout;        /* [batch, lq, heads, d] */
    float *delta;             /* [batch, heads, lq]: sum over c of dout out */
    float *dq;                /* [batch, lq, heads, d] */
    float *dbias;             /* [heads, lq, lk] or NULL */
    float *dk, *dv;           /* [batch, lk, heads, d]; zero past k_lengths */
} sorak_attention_bwd_args;

/* Queries (keys, for dkv) of a unit: keys and values are converted once per unit, and scratch is limited. */
#define SORAK_ATTENTION_BLOCK 512 /* at most */
static inline int64_t sorak_attention_block(int64_t d) {
    return d <= 128 ? SORAK_ATTENTION_BLOCK : d <= 256 ? SORAK_ATTENTION_BLOCK / 2 : SORAK_ATTENTION_BLOCK / 8;
}
static inline int64_t sorak_attention_blocks(int64_t rows, int64_t d) {
    const int64_t block = sorak_attention_block(d);
    return (rows + block - 1) / block;
}
static inline int64_t sorak_attention_units(const sorak_attention_args *a) {
    return a->batch * a->heads * sorak_attention_blocks(a->lq, a->d);
}
static inline int64_t sorak_attention_bwd_dq_units(const sorak_attention_bwd_args *a) {
    return (a->dbias ? 1 : a->fwd.batch) * a->fwd.heads * sorak_attention_blocks(a->fwd.lq, a->fwd.d);
}
static inline int64_t sorak_attention_bwd_dkv_units(const sorak_attention_bwd_args *a) {
    return a->fwd.batch * a->fwd.heads * sorak_attention_blocks(a->fwd.lk, a->fwd.d);
}

/* What a unit covers. */
typedef struct sorak_attention_part {
    int64_t b, h, begin, end;
} sorak_attention_part;
static inline sorak_attention_part sorak_attention_unit(int64_t unit, int64_t heads, int64_t rows, int64_t d) {
    const int64_t block = sorak_attention_block(d), blocks = sorak_attention_blocks(rows, d);
    const int64_t begin = unit % blocks * block;
    const sorak_attention_part p = {unit / blocks / heads, unit / blocks % heads, begin,
                                    begin + block < rows ? begin + block : rows};
    return p;
}
static inline int64_t sorak_attention_keys(const sorak_attention_args *a, int64_t b) {
    const int64_t n = a->k_lengths ? a->k_lengths[b] : a->lk;
    return n < 1 ? 1 : n > a->lk ? a->lk : n;
}

#endif
