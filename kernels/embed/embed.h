/* Rows of a table by index, and the sum of gradients back into the table.
 *
 * embed      out[i, :] = table[ids[i], :] as f32, times the row's scale if there is one; the table may be anything of kernels/stored.h, in
 *            rows of whole blocks. One unit = one output row.
 * embed_bwd  dtable[r, :] = sum of dout[i, :] over ids[i] = r, in f32 and in ascending i, so that the order of additions is part of
 *            the definition; rows that no id names become zero. One unit = SORAK_EMBED_COLS columns. */
#ifndef SORAK_EMBED_H
#define SORAK_EMBED_H

#include "kernels/kernel.h"

#define SORAK_EMBED_COLS 16

typedef struct sorak_embed_args {
    const void *table; /* [rows, cols] */
    int32_t dtype;     /* of the table: SK_DT_* */
    const int32_t *ids; /* [count], each in 0..rows-1 */
    float *out;        /* [count, cols] */
    int64_t rows, cols, count;
    const float *scale; /* of the table: NULL, or scale[row * scale_step] */
    int64_t scale_step;
} sorak_embed_args;

typedef struct sorak_embed_bwd_args {
    const float *dout; /* [count, cols] */
    const int32_t *ids;
    float *dtable; /* [rows, cols] */
    int64_t rows, cols, count;
} sorak_embed_bwd_args;

static inline int64_t sorak_embed_units(const sorak_embed_args *a) { return a->count; }
static inline int64_t sorak_embed_bwd_units(const sorak_embed_bwd_args *a) {
    return (a->cols + SORAK_EMBED_COLS - 1) / SORAK_EMBED_COLS;
}

#endif
