#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/loss/loss.h"

sorak_case_fn sorak_cases_loss;

int sorak_cases_loss(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    static const char *const names[] = {"mse", "l1", "diff", "kl"}, *const modes[] = {"value", "total", "grad"};
    (void)dtype;
    if (index >= (bench ? 8 : 72))
        return 0;
    sorak_loss_args *a = sorak_make_args(m, sizeof *a);
    a->kind = (int32_t)(index % 4);
    a->mode = index / 4 % 2 ? SORAK_LOSS_GRAD : SORAK_LOSS_VALUE;
    if (!bench && index % 12 == 11)
        a->mode = SORAK_LOSS_TOTAL;
    a->n = bench ? 1 << 20 : index % 3 ? sorak_make_int(m, 1, 9000) : sorak_make_int(m, 1, 40);
    a->weight_run = a->len = a->inner = 1;
    c->args = a;
    if (a->mode == SORAK_LOSS_TOTAL) {
        float *values = sorak_make_values(m, bench, a->n);
        double *partial = sorak_make_bytes(m, (size_t)a->n * sizeof *partial);
        for (int64_t i = 0; i < a->n; i++)
            partial[i] = (double)values[i];
        sorak_make_input_done(m, partial);
        a->partial = partial;
        a->scale = 0.25;
        a->total = sorak_make_out_f32(m, 1);
        c->units = 1;
    } else {
        if (a->kind == SORAK_LOSS_DIFF) {
            static const int64_t inners[] = {1, 3, 16, 100};
            a->inner = bench ? 3 : inners[index / 4 % 4];
            a->len = bench ? 128 : sorak_make_int(m, 2, 20);
            const int64_t slab = a->len * a->inner;
            a->n = (a->n + slab - 1) / slab * slab;
        }
        if (a->kind < SORAK_LOSS_DIFF && index / 4 % 3) {
            a->weight_run = index / 4 % 3 == 1 ? 1 : sorak_make_int(m, 2, 100);
            if (bench)
                a->weight_run = 2048;
            a->n = (a->n + a->weight_run - 1) / a->weight_run * a->weight_run;
            a->weight = sorak_make_values(m, bench, a->n / a->weight_run);
        }
        a->a = sorak_make_f32_range(m, a->n, -2, 2);
        a->b = sorak_make_values(m, bench, a->n);
        a->scale = 0.75;
        c->units = sorak_loss_units(a);
        c->bytes = 8.0 * (double)a->n;
        if (a->mode == SORAK_LOSS_VALUE) {
            a->partial = sorak_make_out_f64(m, c->units);
            c->tol_scale = 500; /* a sum of up to 4096 terms */
        } else {
            float *dout = sorak_make_f32_range(m, 1, 0.5, 2);
            a->dout = dout;
            a->da = sorak_make_out_f32(m, a->n);
            c->bytes += 4.0 * (double)a->n;
            if (a->kind == SORAK_LOSS_KL) {
                a->db = sorak_make_out_f32(m, a->n);
                c->bytes += 4.0 * (double)a->n;
            }
        }
    }
    snprintf(c->text, sizeof c->text, "%s %s n=%lld run=%lld len=%lld inner=%lld", names[a->kind], modes[a->mode], (long long)a->n,
             (long long)a->weight_run, (long long)a->len, (long long)a->inner);
    return 1;
}
