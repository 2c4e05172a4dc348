#include <math.h>

#include "lib/ops/ops.h"
#include "lib/ops/optim.h"
#include "lib/ops/util.h"

/* Newton-Schulz: x <- a x + (b x x^T + c (x x^T)^2) x drives the singular values to about 1 (0.7 .. 1.2), with products only. */
static sora_tensor *orthogonalise(sorai_exec *x, sora_tensor *u, int32_t steps) {
    static const double A = 3.4445, B = -4.7750, C = 2.0315;
    static const int32_t swap[2] = {1, 0};
    const int tall = u->shape[0] > u->shape[1]; /* x x^T should be the smaller square */
    if (tall)
        u = sorai_permute(x, u, swap);
    for (int32_t i = 0; i < steps; i++) {
        sora_tensor *gram = sorai_matmul(x, u, u, 1, 1.0);
        sora_tensor *poly = sorai_axpby(x, B, gram, C, sorai_matmul(x, gram, gram, 0, 1.0));
        u = sorai_axpby(x, A, u, 1.0, sorai_matmul(x, poly, u, 0, 1.0));
        if (!u)
            return NULL;
    }
    return tall ? sorai_permute(x, u, swap) : u;
}

void sorai_optim_muon(sorai_exec *x, const sorai_muon *o, sora_tensor *p, const sora_tensor *g, sora_tensor *m, sora_tensor *ema) {
    if (!sorai_ready(x, p) || !sorai_ready(x, g) || !sorai_ready(x, m))
        return;
    const int64_t n = sorai_tensor_count(p);
    if (p->rank < 2 || n < 1 || n != sorai_tensor_count(g) || n != sorai_tensor_count(m) || (ema && n != sorai_tensor_count(ema))) {
        sorai_exec_fail(x, SORA_E_INTERNAL, "Muon takes matrices, and gradient and momentum of the same size");
        return;
    }
    const sorai_exec_mark mark = sorai_exec_here(x);
    const int64_t rows = p->shape[0], cols = n / rows, shape[2] = {rows, cols};
    sora_tensor *u = sorai_temp(x, 2, shape);
    if (!u)
        return;
    if (!o->rehearse)
        sorai_run_axpby(x, m->data, o->momentum, m->data, (1 - o->momentum) * o->grad_scale, g->data, n, n);
    if (o->nesterov)
        sorai_run_axpby(x, u->data, o->momentum, m->data, (1 - o->momentum) * o->grad_scale, g->data, n, n);
    else
        sorai_run_unary(x, SORAK_UNARY_AFFINE, 1, 0, m->data, u->data, n);
    const double norm = sqrt(sorai_optim_sumsq(x, &u, 1));
    if (x->status == SORA_OK)
        sorai_run_unary(x, SORAK_UNARY_AFFINE, 1 / fmax(norm, 1e-7), 0, u->data, u->data, n);
    sora_tensor *step = orthogonalise(x, u, o->steps > 0 ? o->steps : 5);
    if (step && !o->rehearse) {
        const double size = o->match_rms ? 0.2 * sqrt((double)(rows > cols ? rows : cols))
                                         : sqrt(fmax(1, (double)rows / (double)cols));
        sorai_run_axpby(x, p->data, 1 - o->lr * o->decay, p->data, -o->lr * size, step->data, n, n);
        if (ema)
            sorai_optim_ema(x, ema, p, o->ema_decay);
    }
    sorai_exec_rewind(x, mark);
}
