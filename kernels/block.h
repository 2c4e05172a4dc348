/* How work is cut into units. The cut depends on shapes alone, never on the number of threads, because sums are kept per unit. */
#ifndef SORAK_BLOCK_H
#define SORAK_BLOCK_H

#include "kernels/kernel.h"

#define SORAK_BLOCK 4096      /* elements of a unit */
#define SORAK_MAX_CHUNKS 128  /* of rows, where each chunk keeps a sum of its own */

static inline int64_t sorak_min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t sorak_max_i64(int64_t a, int64_t b) { return a > b ? a : b; }

/* n elements in blocks of SORAK_BLOCK. */
static inline int64_t sorak_blocks(int64_t n) { return (n + SORAK_BLOCK - 1) / SORAK_BLOCK; }

/* Rows in blocks of about SORAK_BLOCK elements. */
static inline int64_t sorak_unit_rows(int64_t cols) { return cols >= SORAK_BLOCK ? 1 : SORAK_BLOCK / sorak_max_i64(cols, 1); }
static inline int64_t sorak_row_units(int64_t rows, int64_t cols) {
    int64_t per = sorak_unit_rows(cols);
    return (rows + per - 1) / per;
}

/* Number of chunks that rows are summed in; chunk i holds rows sorak_chunk_begin(rows, n, i) .. sorak_chunk_begin(rows, n, i + 1). */
static inline int64_t sorak_chunks(int64_t rows, int64_t cols) {
    int64_t n = sorak_min_i64(sorak_row_units(rows, sorak_max_i64(cols, 64)), SORAK_MAX_CHUNKS);
    return sorak_max_i64(n, 1);
}
static inline int64_t sorak_chunk_begin(int64_t rows, int64_t chunks, int64_t i) {
    return rows / chunks * i + sorak_min_i64(i, rows % chunks);
}

#endif
