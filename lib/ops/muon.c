#include <math.h>
#include <stdlib.h>

#include "kernels/muon/muon.h"
#include "lib/ops/ops.h"
#include "lib/ops/optim.h"
#include "lib/ops/util.h"

/* Newton-Schulz: x <- a x + (b x x^T + c (x x^T)^2) x drives the singular values to about 1 (0.7 .. 1.2), with products only. */
static sora_tensor *orthogonalise(sorai_exec *x, sora_tensor *u, int32_t steps) {
    static const int32_t swap[2] = {1, 0};
    const int tall = u->shape[0] > u->shape[1]; /* x x^T should be the smaller square */
    if (tall)
        u = sorai_permute(x, u, swap);
    for (int32_t i = 0; i < steps; i++) {
        sora_tensor *gram = sorai_matmul(x, u, u, 1, 1.0);
        sora_tensor *poly = sorai_axpby(x, SORAK_MUON_B, gram, SORAK_MUON_C, sorai_matmul(x, gram, gram, 0, 1.0));
        u = sorai_axpby(x, SORAK_MUON_A, u, 1.0, sorai_matmul(x, poly, u, 0, 1.0));
        if (!u)
            return NULL;
    }
    return tall ? sorai_permute(x, u, swap) : u;
}

static int32_t rounds(const sorai_muon *o) {
    return o->steps > 0 ? o->steps : 5;
}

/* A matrix that is too large for one core's cache, product by product. */
static void large_step(sorai_exec *x, const sorai_muon *o, const sorai_muon_item *item) {
    sora_tensor *const p = item->p, *const m = item->m;
    const int64_t n = sorai_tensor_count(p), rows = p->shape[0], cols = n / rows, shape[2] = {rows, cols};
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *u = sorai_temp(x, 2, shape);
    if (!u)
        return;
    if (!o->rehearse)
        sorai_run_axpby(x, m->data, o->momentum, m->data, (1 - o->momentum) * o->grad_scale, item->g->data, n, n);
    if (o->nesterov)
        sorai_run_axpby(x, u->data, o->momentum, m->data, (1 - o->momentum) * o->grad_scale, item->g->data, n, n);
    else
        sorai_run_unary(x, SORAK_UNARY_AFFINE, 1, 0, m->data, u->data, n);
    const double norm = sqrt(sorai_optim_sumsq(x, &u, 1));
    if (x->status == SORA_OK)
        sorai_run_unary(x, SORAK_UNARY_AFFINE, 1 / fmax(norm, 1e-7), 0, u->data, u->data, n);
    sora_tensor *step = orthogonalise(x, u, rounds(o));
    if (step && !o->rehearse) {
        const double size = o->match_rms ? 0.2 * sqrt((double)(rows > cols ? rows : cols))
                                         : sqrt(fmax(1, (double)rows / (double)cols));
        sorai_run_axpby(x, p->data, 1 - o->lr * o->decay, p->data, -o->lr * size, step->data, n, n);
        if (item->ema)
            sorai_optim_ema(x, item->ema, p, o->ema_decay);
    }
    sorai_exec_rewind(x, mark);
}

static int64_t columns(const sora_tensor *t) {
    return sorai_tensor_count(t) / t->shape[0];
}

static int item_ok(sorai_exec *x, const sorai_muon_item *item) {
    const sora_tensor *const p = item->p;
    if (!sorai_ready(x, p) || !sorai_ready(x, item->g) || !sorai_ready(x, item->m))
        return 0;
    const int64_t n = sorai_tensor_count(p);
    if (p->rank >= 2 && n >= 1 && n == sorai_tensor_count(item->g) && n == sorai_tensor_count(item->m) &&
        (!item->ema || n == sorai_tensor_count(item->ema)))
        return 1;
    sorai_exec_fail(x, SORA_E_INTERNAL, "Muon takes matrices, and gradient and momentum of the same size");
    return 0;
}

static double work(const sorak_muon_matrix *w) {
    return (double)w->rows * (double)w->cols * (double)(w->rows < w->cols ? w->rows : w->cols);
}

/* The most work first, so that threads end at about the same time. */
static int by_work(const void *a, const void *b) {
    const double one = work(a), other = work(b);
    return one < other ? 1 : one > other ? -1 : 0;
}

void sorai_optim_muon(sorai_exec *x, const sorai_muon *o, const sorai_muon_item *items, size_t count) {
    const sorai_exec_mark mark = sorai_exec_here(x);
    sorak_muon_matrix *list = sorai_arena_alloc(&x->meta, (count ? count : 1) * sizeof *list);
    void *const matrices = list ? sorai_temp_bytes(x, (count ? count : 1) * sizeof *list) : NULL;
    if (!list)
        sorai_exec_fail(x, SORA_E_NOMEM, "no memory for a list of %zu matrices", count);
    sorak_muon_args args = {.matrix = matrices, .lr = o->lr, .momentum = o->momentum, .decay = o->decay, .grad_scale = o->grad_scale,
                            .ema_decay = o->ema_decay, .nesterov = o->nesterov, .steps = rounds(o), .match_rms = o->match_rms};
    for (size_t i = 0; i < count && matrices && item_ok(x, &items[i]); i++) {
        const sorai_muon_item *const t = &items[i];
        if (sorak_muon_fits(sorai_product_dt(x), t->p->shape[0], columns(t->p)))
            list[args.count++] = (sorak_muon_matrix){t->p->data, t->m->data, t->ema ? t->ema->data : NULL, t->g->data, t->p->shape[0],
                                                     columns(t->p)};
    }
    if (x->status == SORA_OK && args.count && !o->rehearse) {
        qsort(list, (size_t)args.count, sizeof *list, by_work);
        if (x->device->upload(x->device, matrices, list, (size_t)args.count * sizeof *list) != SORA_OK)
            sorai_exec_fail(x, SORA_E_BACKEND, "the device could not take data");
        sorai_run(x, SK_OP_muon, sorai_product_dt(x), &args, sorak_muon_units(&args));
    }
    for (size_t i = 0; i < count && x->status == SORA_OK; i++)
        if (!sorak_muon_fits(sorai_product_dt(x), items[i].p->shape[0], columns(items[i].p)))
            large_step(x, o, &items[i]);
    sorai_exec_rewind(x, mark);
}
