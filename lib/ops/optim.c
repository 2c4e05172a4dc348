#include "lib/ops/optim.h"

#include <math.h>

#include "kernels/adamw/adamw.h"
#include "lib/ops/util.h"

static int sizes_ok(sorai_exec *x, const sora_tensor *p, const sora_tensor *t) {
    if (sorai_tensor_count(p) == sorai_tensor_count(t) && p->dtype == SORA_DTYPE_F32 && t->dtype == SORA_DTYPE_F32)
        return 1;
    sorai_exec_fail(x, SORA_E_INTERNAL, "an optimiser's tensors differ in size or type");
    return 0;
}

void sorai_optim_adamw(sorai_exec *x, const sorai_adamw *o, sora_tensor *p, const sora_tensor *g, sora_tensor *m, sora_tensor *v,
                       sora_tensor *ema) {
    if (!sorai_ready(x, p) || !sorai_ready(x, g) || !sorai_ready(x, m) || !sorai_ready(x, v) || !sizes_ok(x, p, g) ||
        !sizes_ok(x, p, m) || !sizes_ok(x, p, v) || (ema && !sizes_ok(x, p, ema)))
        return;
    const double t = (double)(o->step > 0 ? o->step : 1);
    const sorak_adamw_args args = {
        .p = p->data, .m = m->data, .v = v->data, .ema = ema ? ema->data : NULL, .g = g->data, .n = sorai_tensor_count(p),
        .lr = o->lr, .beta1 = o->beta1, .beta2 = o->beta2, .eps = o->eps, .decay = o->decay,
        .bias1 = 1 - pow(o->beta1, t), .bias2 = 1 - pow(o->beta2, t), .grad_scale = o->grad_scale, .ema_decay = o->ema_decay,
    };
    sorai_run(x, SK_OP_adamw, SK_DT_f32, &args, sorak_adamw_units(&args));
}

void sorai_optim_ema(sorai_exec *x, sora_tensor *ema, const sora_tensor *p, double decay) {
    if (!sorai_ready(x, ema) || !sorai_ready(x, p) || !sizes_ok(x, p, ema))
        return;
    const int64_t n = sorai_tensor_count(p);
    sorai_run_axpby(x, ema->data, decay, ema->data, 1 - decay, p->data, n, n);
}

double sorai_optim_sumsq(sorai_exec *x, sora_tensor *const *tensors, size_t count) {
    const sorai_exec_mark mark = sorai_exec_here(x);
    int64_t blocks = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        blocks += tensors[i] ? sorak_blocks(sorai_tensor_count(tensors[i])) : 0;
    double sum = 0, *partial = x->status == SORA_OK && blocks > 0 ? sorai_temp_bytes(x, (size_t)blocks * sizeof *partial) : NULL;
    double *host = partial ? sorai_arena_alloc(&x->meta, (size_t)blocks * sizeof *host) : NULL;
    if (partial && !host)
        sorai_exec_fail(x, SORA_E_NOMEM, "no memory for %lld sums", (long long)blocks);
    if (!host) {
        sorai_exec_rewind(x, mark);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!tensors[i])
            continue;
        const sorak_sumsq_args args = {tensors[i]->data, sorai_tensor_count(tensors[i]), partial + at};
        sorai_run(x, SK_OP_sumsq, SK_DT_f32, &args, sorak_sumsq_units(&args));
        at += sorak_sumsq_units(&args);
    }
    if (x->status == SORA_OK && (x->device->sync(x->device) != SORA_OK ||
                                 x->device->download(x->device, host, partial, (size_t)blocks * sizeof *host) != SORA_OK))
        sorai_exec_fail(x, SORA_E_BACKEND, "the device could not give data");
    for (int64_t i = 0; x->status == SORA_OK && i < blocks; i++)
        sum += host[i];
    sorai_exec_rewind(x, mark);
    return sum;
}
