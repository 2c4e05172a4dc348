#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/layernorm/layernorm.h"

sorak_case_fn sorak_cases_layernorm, sorak_cases_layernorm_bwd;

static int make(sorak_maker *m, sorak_case *c, int bench, int64_t index, int bwd) {
    static const int64_t models[][3] = {{8, 320, 256}, {40, 64, 320}, {1, 1280, 1536}}; /* groups, rows, columns */
    if (index >= (bench ? 3 : 32))
        return 0;
    sorak_layernorm_args *a = sorak_make_args(m, sizeof *a);
    int64_t groups = sorak_make_int(m, 1, 4);
    a->group_rows = index % 3 ? sorak_make_int(m, 1, 30) : 1;
    /* rows of two have no gradient but rounding errors */
    a->cols = index < 20 ? 2 + index * 3 + 5 * bwd : sorak_make_int(m, 60, 5000);
    if (bench) {
        groups = models[index][0];
        a->group_rows = models[index][1];
        a->cols = models[index][2];
    }
    a->rows = groups * a->group_rows;
    a->eps = index % 2 ? 1e-6f : 1e-5f;
    a->plus = (float)(index % 2);
    const int64_t n = a->rows * a->cols;
    /* a mean far from zero, as in the residual stream of a deep network */
    a->x = index % 4 == 3 ? sorak_make_f32_range(m, n, 2, 6) : sorak_make_values(m, bench, n);
    a->scale = index % 5 == 4 ? NULL : sorak_make_values(m, bench, groups * a->cols);
    c->args = a;
    c->tol_scale = 4;
    if (bwd) {
        const int64_t parts = sorak_layernorm_bwd_units(a) * a->cols;
        a->dy = sorak_make_values(m, bench, n);
        a->dx = sorak_make_out_f32(m, n);
        a->dscale = index % 6 == 5 ? NULL : sorak_make_out_f32(m, parts);
        a->dshift = index % 6 == 4 ? NULL : sorak_make_out_f32(m, parts);
        c->units = sorak_layernorm_bwd_units(a);
        c->bytes = 4.0 * (double)(3 * n);
    } else {
        a->shift = index % 7 == 4 ? NULL : sorak_make_values(m, bench, groups * a->cols);
        a->y_bf16 = !bench && index % 8 == 2;
        a->y = a->y_bf16 ? (void *)sorak_make_out_bf16(m, n) : (void *)sorak_make_out_f32(m, n);
        if (a->y_bf16) /* what lies beside a tie may be rounded the other way */
            c->tol_scale = 2e4;
        c->units = sorak_layernorm_units(a);
        c->bytes = 4.0 * (double)(2 * n);
    }
    snprintf(c->text, sizeof c->text, "groups=%lld rows=%lld cols=%lld%s", (long long)groups, (long long)a->group_rows,
             (long long)a->cols, a->scale ? "" : " plain");
    return 1;
}

int sorak_cases_layernorm(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    return make(m, c, bench, index, 0);
}

int sorak_cases_layernorm_bwd(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    return make(m, c, bench, index, 1);
}
