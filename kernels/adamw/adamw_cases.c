#include <math.h>
#include <stdio.h>

#include "kernels/adamw/adamw.h"
#include "kernels/cases.h"

sorak_case_fn sorak_cases_adamw, sorak_cases_sumsq;

int sorak_cases_adamw(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    if (index >= (bench ? 1 : 20))
        return 0;
    sorak_adamw_args *a = sorak_make_args(m, sizeof *a);
    a->n = bench ? 1 << 20 : index % 3 ? sorak_make_int(m, 1, 9000) : 1 + index;
    const double step = (double)(1 + index * index * 10);
    a->lr = 1e-2;
    a->beta1 = 0.9;
    a->beta2 = index % 2 ? 0.999 : 0.95;
    a->eps = 1e-8;
    a->decay = index % 4 ? 0.1 : 0;
    a->bias1 = 1 - pow(a->beta1, step);
    a->bias2 = 1 - pow(a->beta2, step);
    a->grad_scale = index % 3 ? 1.0 : 0.125;
    a->ema_decay = 0.999;
    a->g = sorak_make_values(m, bench, a->n);
    a->p = sorak_make_inout_f32(m, a->n);
    a->m = sorak_make_inout_f32(m, a->n);
    a->v = sorak_make_inout_f32(m, a->n);
    /* second moments are not negative, and not less than a step's worth, so that the result is well conditioned */
    sorak_block *v = m->blocks;
    for (int64_t i = 0; i < a->n; i++)
        ((float *)(void *)v->initial)[i] = a->v[i] = 0.01f + fabsf(a->v[i]);
    a->ema = index % 5 == 4 ? NULL : sorak_make_inout_f32(m, a->n);
    c->args = a;
    c->units = sorak_adamw_units(a);
    c->bytes = (a->ema ? 36.0 : 28.0) * (double)a->n;
    snprintf(c->text, sizeof c->text, "n=%lld%s", (long long)a->n, a->ema ? " ema" : "");
    return 1;
}

int sorak_cases_sumsq(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    if (index >= (bench ? 1 : 12))
        return 0;
    sorak_sumsq_args *a = sorak_make_args(m, sizeof *a);
    a->n = bench ? 1 << 20 : index % 3 ? sorak_make_int(m, 1, 20000) : 1 + index;
    a->x = sorak_make_values(m, bench, a->n);
    c->args = a;
    c->units = sorak_sumsq_units(a);
    a->partial = sorak_make_out_f64(m, c->units);
    c->bytes = 4.0 * (double)a->n;
    snprintf(c->text, sizeof c->text, "n=%lld", (long long)a->n);
    return 1;
}
