/* Optimiser steps, for the trainer. They change parameters in place and are never recorded: call them with no tape active, and raise
 * sorai_param.version afterwards, so that packed copies are made again. */
#ifndef SORAI_OPS_OPTIM_H
#define SORAI_OPS_OPTIM_H

#include "lib/ops/exec.h"

typedef struct sorai_adamw {
    double lr, beta1, beta2, eps, decay; /* decay is decoupled: p loses lr * decay of itself */
    int64_t step;                        /* 1 for the first: bias correction */
    double grad_scale;                   /* gradients are multiplied by it (clipping, accumulation) */
    double ema_decay;
} sorai_adamw;

/* One AdamW step on p with gradient g and moments m, v (f32, same size, m and v zero at the beginning); then, when ema is not NULL,
 * ema = ema_decay * ema + (1 - ema_decay) * p. */
void sorai_optim_adamw(sorai_exec *x, const sorai_adamw *o, sora_tensor *p, const sora_tensor *g, sora_tensor *m, sora_tensor *v,
                       sora_tensor *ema);

typedef struct sorai_muon {
    double lr, momentum, decay;
    double grad_scale;
    double ema_decay;
    int32_t nesterov;
    int32_t steps;     /* Newton-Schulz iterations; 0 is read as 5 */
    int32_t match_rms; /* size of the step: 0: sqrt(max(1, rows / cols)); 1: 0.2 sqrt(max(rows, cols)), which suits AdamW's lr and decay */
    int32_t rehearse;  /* 1: everything but the changes, so that the exec has the memory for the step itself */
} sorai_muon;

typedef struct sorai_muon_item {
    sora_tensor *p;       /* read as the matrix [first axis, product of the others]; at least two axes */
    const sora_tensor *g; /* p, g, m, ema: f32, same size */
    sora_tensor *m;       /* momentum, zero at the beginning */
    sora_tensor *ema;     /* NULL: no average is kept */
} sorai_muon_item;

/* One Muon step for each of `count` matrices: momentum m = momentum m + (1 - momentum) g, then the nearest orthogonal matrix of it as the
 * direction; then ema = ema_decay ema + (1 - ema_decay) p. Matrices that one core can hold are worked on side by side, larger ones after
 * them, by all threads together. Temporaries come from the exec and are given back. */
void sorai_optim_muon(sorai_exec *x, const sorai_muon *o, const sorai_muon_item *items, size_t count);

/* ema = decay * ema + (1 - decay) * p. */
void sorai_optim_ema(sorai_exec *x, sora_tensor *ema, const sora_tensor *p, double decay);

/* Sum of the squares of all elements of `count` f32 tensors, in double and in a fixed order; NULL tensors are left out. Waits for the
 * device. 0 when the exec has failed. */
double sorai_optim_sumsq(sorai_exec *x, sora_tensor *const *tensors, size_t count);

#endif
