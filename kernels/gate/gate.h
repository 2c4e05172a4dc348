/* Gated residual: out = x + gate * y, where group i, the rows i * group_rows .. (i + 1) * group_rows - 1, uses row i of gate.
 * x NULL: out = gate * y, which is also the gradient of y. gate: a unit is a block of rows.
 * gate_bwd: dgate = sum over the rows of a group of dout * y. Groups are cut into sorak_chunks(group_rows, cols) chunks; a unit is one chunk
 * of one group and writes its row of dgate [groups, chunks, cols], and dy = gate * dout for its rows when dy is not NULL. */
#ifndef SORAK_GATE_H
#define SORAK_GATE_H

#include "kernels/block.h"

typedef struct sorak_gate_args {
    const float *x, *y, *gate;
    float *out;
    int64_t rows, cols, group_rows;
    /* gate_bwd only; x and out are not used there */
    const float *dout;
    float *dy, *dgate;
} sorak_gate_args;

static inline int64_t sorak_gate_units(const sorak_gate_args *a) { return sorak_row_units(a->rows, a->cols); }
static inline int64_t sorak_gate_bwd_units(const sorak_gate_args *a) {
    return a->rows / a->group_rows * sorak_chunks(a->group_rows, a->cols);
}

#endif
