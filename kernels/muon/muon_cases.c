#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/muon/muon.h"

sorak_case_fn sorak_cases_muon;

int sorak_cases_muon(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    static const int64_t sizes[][2] = {{256, 256}, {256, 768}, {768, 256}, {64, 1728}, {512, 512}};
    if (index >= (bench ? (int64_t)(sizeof sizes / sizeof *sizes) : 24))
        return 0;
    sorak_muon_args *const a = sorak_make_args(m, sizeof *a);
    a->count = bench ? 1 : 1 + index % 2;
    a->lr = 1;
    a->momentum = index % 3 ? 0.95 : 0;
    a->decay = index % 4 ? 0.5 : 0;
    a->grad_scale = index % 5 ? 1 : 0.125;
    a->ema_decay = 0.75;
    a->nesterov = index % 2 == 0;
    /* Small singular values, and what rounding makes of them, grow by A in every round: few rounds can be compared closely. */
    a->steps = bench ? 5 : 1 + (int32_t)(index % 3);
    a->match_rms = index % 2 != 0;
    sorak_muon_matrix *const w = sorak_make_bytes(m, (size_t)a->count * sizeof *w);
    for (int64_t i = 0; i < a->count; i++) {
        w[i].rows = bench ? sizes[index][0] : index < 3 ? 1 + index : sorak_make_int(m, 1, 70);
        w[i].cols = bench ? sizes[index][1] : index == 3 ? 1 : sorak_make_int(m, 1, 70);
        const int64_t n = w[i].rows * w[i].cols;
        if (!sorak_muon_fits(dtype, w[i].rows, w[i].cols))
            return 0;
        w[i].g = sorak_make_values(m, bench, n);
        w[i].p = sorak_make_inout_f32(m, n);
        w[i].m = sorak_make_inout_f32(m, n);
        w[i].ema = index % 2 ? sorak_make_inout_f32(m, n) : NULL;
        const double r = (double)(w[i].rows < w[i].cols ? w[i].rows : w[i].cols);
        c->flops += 2.0 * a->steps * r * (2.0 * (double)n + r * r);
    }
    sorak_make_input_done(m, w);
    a->matrix = w;
    c->args = a;
    c->units = sorak_muon_units(a);
    snprintf(c->text, sizeof c->text, "%lldx%lld%s, %lld in all, %d rounds", (long long)w->rows, (long long)w->cols, a->nesterov ? " nesterov" : "",
             (long long)a->count, a->steps);
    return 1;
}
