/* Muon, whole steps for matrices that one core can keep in its cache. A unit is a matrix: it is read as [rows, cols], u is its transpose
 * when rows > cols, [r, c] with r <= c:
 *     m = momentum m + (1 - momentum) grad_scale g
 *     u = momentum m + (1 - momentum) grad_scale g when nesterov, else m;   x = u / max(|u|, 1e-7)
 *     `steps` times (Newton-Schulz):  s = x x^T,  x = (A + s (B + C s)) x   with A, B, C below
 *     p = p (1 - lr decay) - lr size x,  size = 0.2 sqrt(c) when match_rms, else sqrt(max(1, rows / cols))
 *     ema = ema_decay ema + (1 - ema_decay) p (ema may be NULL)
 * The bf16 rows round x, s, B + C s and A + s (B + C s) to bf16 where they are factors; sums are f32. */
#ifndef SORAK_MUON_H
#define SORAK_MUON_H

#include "kernels/block.h"

#define SORAK_MUON_A 3.4445
#define SORAK_MUON_B (-4.7750)
#define SORAK_MUON_C 2.0315

typedef struct sorak_muon_matrix {
    float *p, *m, *ema;
    const float *g;
    int64_t rows, cols; /* sorak_muon_fits(dtype, rows, cols) must hold */
} sorak_muon_matrix;

typedef struct sorak_muon_args {
    const sorak_muon_matrix *matrix; /* [count] */
    int64_t count;
    double lr, momentum, decay, grad_scale, ema_decay;
    int32_t nesterov, steps, match_rms;
} sorak_muon_args;

static inline int64_t sorak_muon_units(const sorak_muon_args *a) { return a->count; }

/* Whether a matrix fits in a call's scratch: x laid out in three ways, the three factors of [r, r], a panel of sums. */
static inline int sorak_muon_fits(int dtype, int64_t rows, int64_t cols) {
    const int64_t r = (sorak_min_i64(rows, cols) + 31) / 32 * 32, c = (sorak_max_i64(rows, cols) + 31) / 32 * 32;
    const int64_t value = dtype == SK_DT_bf16 ? 2 : 4, limit = (int64_t)SORAK_SCRATCH;
    return r >= 1 && r <= 4096 && c <= limit / 64 && 3 * value * r * (c + r) + 256 * r + r * 128 <= limit;
}

#endif
