/* Step caching: what a stack of blocks added to its input, kept from one step of a sampler for the next. */
#ifndef SORAI_OPS_STEP_CACHE_H
#define SORAI_OPS_STEP_CACHE_H

#include "lib/ops/exec.h"

typedef struct sorai_step_cache {
    sora_tensor *residual; /* as large as what the blocks are given; read and written */
    int reuse;             /* 1: it is added in place of running the blocks, 0: they run, and it is what they added */
} sorai_step_cache;

/* Before the blocks and behind them, which do not run when it is reused. `in`: what the blocks are given; gives what they begin with, or their result.
 * A NULL cache does nothing; one of another size, or while a tape is active, is SORA_E_INTERNAL. */
sora_tensor *sorai_step_cache_begin(sorai_exec *x, const sorai_step_cache *cache, sora_tensor *in);
void sorai_step_cache_end(sorai_exec *x, const sorai_step_cache *cache, sora_tensor *out);

#endif
