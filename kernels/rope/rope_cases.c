#include <math.h>
#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/rope/rope.h"

sorak_case_fn sorak_cases_rope;

int sorak_cases_rope(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    static const int64_t models[][4] = {{2, 320, 5, 64}, {1, 1280, 12, 128}, {8, 80, 4, 64}}; /* batch, length, heads, d */
    (void)dtype;
    if (index >= (bench ? 3 : 24))
        return 0;
    sorak_rope_args *const a = sorak_make_args(m, sizeof *a);
    int64_t batch = sorak_make_int(m, 1, 3);
    a->length = sorak_make_int(m, 1, 20);
    a->heads = sorak_make_int(m, 1, 4);
    a->d = 2 * (index < 10 ? 1 + index : sorak_make_int(m, 1, 70));
    if (bench) {
        batch = models[index][0];
        a->length = models[index][1];
        a->heads = models[index][2];
        a->d = models[index][3];
    }
    a->rows = batch * a->length;
    a->inverse = (int32_t)(index % 2);
    const int64_t count = a->rows * a->heads * a->d;
    float *const table = sorak_make_bytes(m, (size_t)(a->length * a->d) * sizeof *table);
    for (int64_t i = 0; i < a->length * a->d; i += 2) {
        const double angle = sorak_make_real(m, -100, 100);
        table[i] = (float)cos(angle);
        table[i + 1] = (float)sin(angle);
    }
    sorak_make_input_done(m, table);
    a->table = table;
    if (index % 4 == 3) {
        a->y = sorak_make_inout_f32(m, count);
        a->x = a->y;
    } else {
        a->x = bench ? sorak_make_f32_range(m, count, -1, 1) : sorak_make_f32(m, count);
        a->y = sorak_make_out_f32(m, count);
    }
    c->args = a;
    c->units = sorak_rope_units(a);
    c->bytes = 4.0 * (double)(2 * count + a->length * a->d);
    snprintf(c->text, sizeof c->text, "b=%d l=%d h=%d d=%d%s%s", (int)batch, (int)a->length, (int)a->heads, (int)a->d,
             a->inverse ? " inverse" : "", a->x == a->y ? " in place" : "");
    return 1;
}
