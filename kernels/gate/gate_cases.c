#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/gate/gate.h"

sorak_case_fn sorak_cases_gate, sorak_cases_gate_bwd;

static int make(sorak_maker *m, sorak_case *c, int bench, int64_t index, int bwd) {
    static const int64_t models[][3] = {{8, 320, 256}, {40, 64, 320}, {2, 1280, 1536}}; /* groups, rows, columns */
    if (index >= (bench ? 3 : 24))
        return 0;
    sorak_gate_args *a = sorak_make_args(m, sizeof *a);
    int64_t groups = sorak_make_int(m, 1, 4);
    a->group_rows = index % 3 ? sorak_make_int(m, 1, 30) : 1;
    a->cols = index % 4 ? sorak_make_int(m, 1, 70) : sorak_make_int(m, 500, 5000);
    if (bench) {
        groups = models[index][0];
        a->group_rows = models[index][1];
        a->cols = models[index][2];
    }
    a->rows = groups * a->group_rows;
    const int64_t n = a->rows * a->cols;
    a->y = sorak_make_values(m, bench, n);
    a->gate = sorak_make_values(m, bench, groups * a->cols);
    c->args = a;
    if (bwd) {
        const int64_t parts = sorak_gate_bwd_units(a) * a->cols;
        a->dout = sorak_make_values(m, bench, n);
        a->dy = index % 5 == 4 ? NULL : sorak_make_out_f32(m, n);
        a->dgate = index % 5 == 3 ? NULL : sorak_make_out_f32(m, parts);
        c->units = sorak_gate_bwd_units(a);
        c->bytes = 4.0 * (double)(3 * n);
    } else {
        a->x = index % 5 == 4 ? NULL : sorak_make_values(m, bench, n);
        a->out = sorak_make_out_f32(m, n);
        c->units = sorak_gate_units(a);
        c->bytes = 4.0 * (double)(3 * n);
    }
    snprintf(c->text, sizeof c->text, "groups=%lld rows=%lld cols=%lld", (long long)groups, (long long)a->group_rows, (long long)a->cols);
    return 1;
}

int sorak_cases_gate(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    return make(m, c, bench, index, 0);
}

int sorak_cases_gate_bwd(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    return make(m, c, bench, index, 1);
}
