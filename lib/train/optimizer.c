#include "lib/train/optimizer.h"

#include <math.h>
#include <string.h>

#include "lib/ops/optim.h"

static int state_tensor(sora_tensor **out, sorai_optimizer *o, const sora_tensor *like, int copy, sora_error *err) {
    sorai_device *dev = o->store->device;
    SORA_TRY(sorai_device_tensor(out, o->mem, dev, SORA_DTYPE_F32, like->rank, like->shape, err));
    if (copy && dev->copy(dev, (*out)->data, like->data, sorai_tensor_bytes(like)) != SORA_OK)
        return sorai_fail(err, SORA_E_BACKEND, "the device could not copy");
    return SORA_OK;
}

int sorai_optimizer_is_muon(const sorai_optimizer_config *config, const sorai_param *p) {
    if (!config->muon || p->value->rank < 2)
        return 0;
    /* An orthogonal direction makes no sense for rows that are looked up, and costs sharpness where pixels or latents enter and leave. */
    static const char *const others[] = {"embed", "shared", "conv_in",  "conv_out", "proj_out", "scale_shift_table",
                                         "head",  "patch",  "relative", "stages.0.down"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strstr(p->name, others[i]))
            return 0;
    const int64_t rows = p->value->shape[0], cols = sorai_tensor_count(p->value) / (rows ? rows : 1);
    return rows >= 8 && cols >= 8;
}

int sorai_optimizer_init(sorai_optimizer *o, sorai_mem *mem, sorai_store *store, const sorai_optimizer_config *config, sora_error *err) {
    memset(o, 0, sizeof *o);
    o->mem = mem;
    o->store = store;
    o->moments = sorai_calloc(mem, store->count, sizeof *o->moments);
    if (!o->moments)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the optimiser");
    for (size_t i = 0; i < store->count; i++) {
        const sorai_param *p = store->params[i];
        SORA_TRY(state_tensor(&o->moments[i].m, o, p->value, 0, err));
        if (!sorai_optimizer_is_muon(config, p))
            SORA_TRY(state_tensor(&o->moments[i].v, o, p->value, 0, err));
        SORA_TRY(state_tensor(&o->moments[i].ema, o, p->value, 1, err));
    }
    return SORA_OK;
}

void sorai_optimizer_release(sorai_optimizer *o) {
    for (size_t i = 0; o->moments && i < o->store->count; i++) {
        sorai_tensor_unref(&o->moments[i].m);
        sorai_tensor_unref(&o->moments[i].v);
        sorai_tensor_unref(&o->moments[i].ema);
    }
    if (o->mem)
        sorai_free(o->mem, o->moments);
    o->moments = NULL;
}

double sorai_optimizer_rate(const sorai_optimizer_config *c, uint64_t step) {
    if (step < c->warmup)
        return c->rate * (double)(step + 1) / (double)c->warmup;
    const double span = c->steps > c->warmup ? (double)(c->steps - c->warmup) : 1.0;
    double done = (double)(step - c->warmup) / span;
    done = done < 1.0 ? done : 1.0;
    return c->rate_last + 0.5 * (c->rate - c->rate_last) * (1.0 + cos(3.14159265358979324 * done));
}

/* Muon's step for all parameters that have no second moment. Half a step would be a damage, so the first one is preceded by a rehearsal,
 * which changes nothing: afterwards the exec holds the memory, which it never gives back, and no later step can run out of it. */
static void muon_step(sorai_exec *x, sorai_optimizer *o, const sorai_muon *muon) {
    const sorai_exec_mark mark = sorai_exec_here(x);
    sorai_muon_item *items = sorai_arena_alloc(&x->meta, (o->store->count + 1) * sizeof *items);
    size_t count = 0;
    if (!items)
        sorai_exec_fail(x, SORA_E_NOMEM, "no memory for the optimiser");
    for (size_t i = 0; items && i < o->store->count; i++) {
        const sorai_moments *s = &o->moments[i];
        const sorai_param *p = o->store->params[i];
        if (p->trainable && !s->v)
            items[count++] = (sorai_muon_item){p->value, p->grad, s->m, s->ema};
    }
    if (!o->rehearsed) {
        sorai_muon harmless = *muon;
        harmless.rehearse = 1;
        sorai_optim_muon(x, &harmless, items, count);
    }
    if (x->status == SORA_OK) {
        o->rehearsed = 1;
        sorai_optim_muon(x, muon, items, count);
    }
    sorai_exec_rewind(x, mark);
}

void sorai_optimizer_step(sorai_exec *x, sorai_optimizer *o, const sorai_optimizer_config *c, uint64_t step, double grad_scale) {
    const double rate = sorai_optimizer_rate(c, step);
    const double early = (1.0 + (double)step) / (10.0 + (double)step), ema = early < c->ema ? early : c->ema;
    const sorai_adamw adamw = {rate, c->beta1, c->beta2, c->eps, c->decay, (int64_t)step + 1, grad_scale, ema};
    const sorai_muon muon = {rate * c->muon_scale, c->momentum, c->decay, grad_scale, ema, 1, 0, 1, 0};
    muon_step(x, o, &muon);
    for (size_t i = 0; i < o->store->count && x->status == SORA_OK; i++) {
        sorai_param *p = o->store->params[i];
        const sorai_moments *s = &o->moments[i];
        if (!p->trainable)
            continue;
        if (s->v) {
            sorai_adamw own = adamw;
            /* Norms, biases and tables are not pulled towards zero. */
            own.decay = p->value->rank > 1 ? c->decay : 0.0;
            sorai_optim_adamw(x, &own, p->value, p->grad, s->m, s->v, s->ema);
        }
        p->version++;
    }
}

void sorai_optimizer_swap(sorai_optimizer *o) {
    for (size_t i = 0; i < o->store->count; i++) {
        sorai_param *p = o->store->params[i];
        sora_tensor *t = p->value;
        p->value = o->moments[i].ema;
        o->moments[i].ema = t;
        p->version++;
    }
    o->averaged = !o->averaged;
}
