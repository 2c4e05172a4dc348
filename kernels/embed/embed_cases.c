#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/embed/embed.h"
#include "kernels/stored.h"

sorak_case_fn sorak_cases_embed, sorak_cases_embed_bwd;

static int make_size(sorak_maker *m, int bench, int64_t index, int64_t *rows, int64_t *cols, int64_t *count) {
    if (index >= (bench ? 1 : 24))
        return 0;
    *rows = bench ? 4096 : sorak_make_int(m, 1, 30);
    *cols = bench ? 256 : sorak_make_int(m, 1, 80);
    *count = bench ? 2048 : sorak_make_int(m, 1, 60);
    return 1;
}

int sorak_cases_embed(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    int64_t rows, cols, count;
    if (!make_size(m, bench, index, &rows, &cols, &count))
        return 0;
    sorak_embed_args *const a = sorak_make_args(m, sizeof *a);
    a->dtype = (int32_t)(index % SK_DT_COUNT);
    cols = (cols + sorak_block_values(a->dtype) - 1) / sorak_block_values(a->dtype) * sorak_block_values(a->dtype);
    a->rows = rows;
    a->cols = cols;
    a->count = count;
    a->table = sorak_make_stored(m, a->dtype, rows * cols);
    a->scale = index % 4 == 3 ? sorak_make_f32(m, rows) : NULL;
    a->scale_step = index % 8 == 3;
    a->ids = sorak_make_i32(m, count, 0, (int32_t)rows - 1);
    a->out = sorak_make_out_f32(m, count * cols);
    c->args = a;
    c->units = sorak_embed_units(a);
    c->bytes = 8.0 * (double)(count * cols);
    snprintf(c->text, sizeof c->text, "rows=%d cols=%d count=%d dtype=%d", (int)rows, (int)cols, (int)count, (int)a->dtype);
    return 1;
}

int sorak_cases_embed_bwd(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    int64_t rows, cols, count;
    if (!make_size(m, bench, index, &rows, &cols, &count))
        return 0;
    sorak_embed_bwd_args *const a = sorak_make_args(m, sizeof *a);
    a->rows = rows;
    a->cols = cols;
    a->count = count;
    a->dout = sorak_make_f32(m, count * cols);
    a->ids = sorak_make_i32(m, count, 0, (int32_t)rows - 1);
    a->dtable = sorak_make_out_f32(m, rows * cols);
    c->args = a;
    c->units = sorak_embed_bwd_units(a);
    c->bytes = 4.0 * (double)(rows * cols + 2 * count * cols);
    snprintf(c->text, sizeof c->text, "rows=%d cols=%d count=%d", (int)rows, (int)cols, (int)count);
    return 1;
}
