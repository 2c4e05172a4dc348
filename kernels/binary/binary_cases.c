#include <stdio.h>

#include "kernels/binary/binary.h"
#include "kernels/cases.h"

sorak_case_fn sorak_cases_binary;

int sorak_cases_binary(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    static const int64_t models[][2] = {{1, 1 << 20}, {65536, 16}, {1280, 1536}}; /* repetitions, nb */
    (void)dtype;
    if (index >= (bench ? 3 : 30))
        return 0;
    sorak_binary_args *a = sorak_make_args(m, sizeof *a);
    int64_t nb = sorak_make_int(m, 1, 40), times = sorak_make_int(m, 1, 300);
    if (index % 3 == 0) {
        nb = sorak_make_int(m, 1, 9000);
        times = 1;
    } else if (index % 3 == 1) {
        nb = sorak_make_int(m, 1, 5000);
        times = sorak_make_int(m, 1, 4);
    }
    if (bench) {
        times = models[index][0];
        nb = models[index][1];
    }
    a->nb = nb;
    a->n = nb * times;
    a->kind = (int32_t)(index / 3 % 2);
    a->alpha = index % 2 ? 1.0f : -0.75f;
    a->beta = index % 4 < 2 ? 1.0f : 2.5f;
    const int in_place = !bench && index % 5 == 4;
    a->b = sorak_make_values(m, bench, nb);
    a->y = in_place ? sorak_make_inout_f32(m, a->n) : sorak_make_out_f32(m, a->n);
    a->a = in_place ? a->y : sorak_make_values(m, bench, a->n);
    c->args = a;
    c->units = sorak_binary_units(a);
    c->bytes = 4.0 * (double)(2 * a->n + nb);
    snprintf(c->text, sizeof c->text, "%s n=%lld nb=%lld%s", a->kind == SORAK_BINARY_MUL ? "mul" : "axpby", (long long)a->n,
             (long long)nb, in_place ? " in place" : "");
    return 1;
}
