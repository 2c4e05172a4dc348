#include "lib/ops/step_cache.h"

#include "lib/ops/ops.h"

static void keep(sorai_exec *x, sora_tensor *to, const sora_tensor *from) {
    if (from && x->device->copy(x->device, to->data, from->data, sorai_tensor_bytes(to)) != SORA_OK)
        sorai_exec_fail(x, SORA_E_BACKEND, "the device could not copy");
}

sora_tensor *sorai_step_cache_begin(sorai_exec *x, const sorai_step_cache *cache, sora_tensor *in) {
    if (!cache || !in)
        return in;
    if (!cache->residual || x->tape || sorai_tensor_count(cache->residual) != sorai_tensor_count(in))
        return sorai_exec_fail(x, SORA_E_INTERNAL, "what is kept between steps does not fit the transformer");
    if (cache->reuse)
        return sorai_add(x, in, cache->residual);
    keep(x, cache->residual, in);
    return in;
}

void sorai_step_cache_end(sorai_exec *x, const sorai_step_cache *cache, sora_tensor *out) {
    if (!cache || !out || cache->reuse)
        return;
    const sorai_exec_mark here = sorai_exec_here(x);
    keep(x, cache->residual, sorai_axpby(x, 1.0, out, -1.0, cache->residual));
    sorai_exec_rewind(x, here);
}
