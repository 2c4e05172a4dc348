#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/softmax/softmax.h"

sorak_case_fn sorak_cases_softmax, sorak_cases_softmax_bwd;

static const int64_t models[][2] = {{320, 320}, {2048, 20}, {512, 4096}};

static int make_size(sorak_maker *m, int bench, int64_t index, int64_t *rows, int64_t *cols) {
    if (index >= (bench ? 3 : 40))
        return 0;
    *rows = bench ? models[index][0] : sorak_make_int(m, 1, 9);
    *cols = bench ? models[index][1] : index < 20 ? 1 + index : sorak_make_int(m, 1, 400);
    return 1;
}

int sorak_cases_softmax(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    int64_t rows, cols;
    if (!make_size(m, bench, index, &rows, &cols))
        return 0;
    sorak_softmax_args *const a = sorak_make_args(m, sizeof *a);
    const double range = index % 5 == 4 ? 80 : index % 5 == 3 ? 0.01 : 5; /* wide enough for results that are denormal */
    a->rows = rows;
    a->cols = cols;
    if (index % 7 == 6) {
        a->y = sorak_make_inout_f32(m, rows * cols);
        a->x = a->y;
    } else {
        a->x = sorak_make_f32_range(m, rows * cols, -range, range);
        a->y = sorak_make_out_f32(m, rows * cols);
        if (index % 2) {
            a->labels = sorak_make_i32(m, rows, -1, (int32_t)cols - 1);
            a->row_loss = sorak_make_out_f32(m, rows);
        }
    }
    c->args = a;
    c->units = sorak_softmax_units(a);
    c->bytes = 8.0 * (double)(rows * cols);
    snprintf(c->text, sizeof c->text, "rows=%d cols=%d%s", (int)rows, (int)cols, a->labels ? " labels" : "");
    return 1;
}

int sorak_cases_softmax_bwd(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    int64_t rows, cols;
    if (!make_size(m, bench, index, &rows, &cols))
        return 0;
    sorak_softmax_bwd_args *const a = sorak_make_args(m, sizeof *a);
    a->rows = rows;
    a->cols = cols;
    a->y = sorak_make_f32_range(m, rows * cols, 0, 2.0 / (double)cols);
    if (index % 2) {
        a->labels = sorak_make_i32(m, rows, -1, (int32_t)cols - 1);
        a->grad = sorak_make_f32_range(m, 1, 0.5, 2);
        a->scale = (float)sorak_make_real(m, 0.1, 1);
        a->dx = sorak_make_out_f32(m, rows * cols);
    } else if (index % 7 == 6) {
        a->dx = sorak_make_inout_f32(m, rows * cols);
        a->dy = a->dx;
    } else {
        a->dy = sorak_make_f32(m, rows * cols);
        a->dx = sorak_make_out_f32(m, rows * cols);
    }
    c->args = a;
    c->units = sorak_softmax_bwd_units(a);
    c->bytes = (a->labels ? 8.0 : 12.0) * (double)(rows * cols);
    snprintf(c->text, sizeof c->text, "rows=%d cols=%d%s", (int)rows, (int)cols, a->labels ? " labels" : "");
    return 1;
}
