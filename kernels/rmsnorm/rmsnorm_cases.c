#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/rmsnorm/rmsnorm.h"

sorak_case_fn sorak_cases_rmsnorm, sorak_cases_rmsnorm_bwd;

static int make(sorak_maker *m, sorak_case *c, int bench, int64_t index, int bwd) {
    static const int64_t models[][2] = {{65536, 16}, {16384, 64}, {2560, 320}, {1280, 1536}}; /* the first two with SiLU */
    if (index >= (bench ? 4 : 32))
        return 0;
    sorak_rmsnorm_args *a = sorak_make_args(m, sizeof *a);
    a->rows = index % 3 ? sorak_make_int(m, 1, 90) : 1;
    /* a row of one has no gradient but rounding errors */
    a->cols = index < 20 ? 1 + index * 2 + 2 * bwd : sorak_make_int(m, 40, 5000);
    a->l2 = index % 2 != 0;
    a->silu = index % 4 > 1;
    if (bench) {
        a->rows = models[index][0];
        a->cols = models[index][1];
        a->l2 = a->silu = index < 2;
    }
    a->eps = a->l2 ? 1e-12f : 1e-6f;
    const int64_t n = a->rows * a->cols;
    float *x = sorak_make_bytes(m, (size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) /* rows of very different size; one of zeros */
        x[i] = i / a->cols == 2 ? 0.0f : (float)(sorak_make_real(m, -1, 1) * (i / a->cols % 7 == 5 ? 1e4 : i / a->cols % 7 == 6 ? 1e-2 : 1));
    sorak_make_input_done(m, x);
    a->x = x;
    a->gamma = index % 5 == 4 ? NULL : sorak_make_values(m, bench, a->cols);
    c->args = a;
    if (bwd) {
        a->dy = sorak_make_values(m, bench, n);
        a->dx = sorak_make_out_f32(m, n);
        a->dgamma = index % 6 == 5 ? NULL : sorak_make_out_f32(m, sorak_rmsnorm_bwd_units(a) * a->cols);
        c->units = sorak_rmsnorm_bwd_units(a);
        c->bytes = 4.0 * (double)(3 * n);
        c->tol_scale = 10; /* small rows have large gradients */
    } else {
        a->y = sorak_make_out_f32(m, n);
        c->units = sorak_rmsnorm_units(a);
        c->bytes = 4.0 * (double)(2 * n);
    }
    snprintf(c->text, sizeof c->text, "rows=%lld cols=%lld%s%s%s", (long long)a->rows, (long long)a->cols, a->l2 ? " l2" : "",
             a->silu ? " silu" : "", a->gamma ? "" : " plain");
    return 1;
}

int sorak_cases_rmsnorm(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    return make(m, c, bench, index, 0);
}

int sorak_cases_rmsnorm_bwd(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    return make(m, c, bench, index, 1);
}
