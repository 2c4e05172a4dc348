/* The optimiser of a training: moments and averaged weights for every parameter of a store, learning rate by schedule, clipping. */
#ifndef SORAI_TRAIN_OPTIMIZER_H
#define SORAI_TRAIN_OPTIMIZER_H

#include "lib/ops/ops.h"

typedef struct sorai_optimizer_config {
    int32_t muon;               /* 1: Muon for hidden matrices and convolutions, AdamW for the rest; 0: AdamW for all */
    double rate, rate_last;     /* peak, and at the end of the cosine */
    double muon_scale;          /* rate of Muon's parameters relative to `rate` */
    double beta1, beta2, eps, decay, momentum;
    double clip;                /* of the global gradient norm; 0: none */
    double ema;                 /* decay of the averaged weights; warms up as (1 + step) / (10 + step) */
    uint64_t warmup, steps;
} sorai_optimizer_config;

typedef struct sorai_moments {
    sora_tensor *m, *v, *ema; /* v NULL for Muon's parameters */
} sorai_moments;

typedef struct sorai_optimizer {
    sorai_mem *mem;
    sorai_store *store;
    sorai_moments *moments; /* one for each parameter of the store, in its order */
    int32_t rehearsed;      /* the exec has the memory that a step takes */
    int32_t averaged;       /* the store's values are the averages just now: see sorai_optimizer_swap */
} sorai_optimizer;

/* After all parameters of `store` are bound. */
int sorai_optimizer_init(sorai_optimizer *o, sorai_mem *mem, sorai_store *store, const sorai_optimizer_config *config, sora_error *err);
void sorai_optimizer_release(sorai_optimizer *o);

/* Learning rate of step `step` (0 is the first): linear warm-up, then half a cosine from rate to rate_last. */
double sorai_optimizer_rate(const sorai_optimizer_config *config, uint64_t step);
/* One step with the gradients in the store, multiplied by grad_scale. Raises the parameters' versions. Without memory nothing is changed. */
void sorai_optimizer_step(sorai_exec *x, sorai_optimizer *o, const sorai_optimizer_config *config, uint64_t step, double grad_scale);
/* Exchanges values and averages: networks then run with the averages; again to go back. */
void sorai_optimizer_swap(sorai_optimizer *o);

/* Which parameters Muon takes: matrices and convolutions that are neither the first or last layer nor an embedding. */
int sorai_optimizer_is_muon(const sorai_optimizer_config *config, const sorai_param *p);

#endif
