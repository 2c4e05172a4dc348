#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/reduce/reduce.h"

sorak_case_fn sorak_cases_reduce;

int sorak_cases_reduce(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    static const int64_t models[][3] = {{1, 65536, 16}, {1, 2560, 1536}, {1, 1 << 20, 1}}; /* outer, n, inner */
    (void)dtype;
    if (index >= (bench ? 3 : 30))
        return 0;
    sorak_reduce_args *a = sorak_make_args(m, sizeof *a);
    a->outer = sorak_make_int(m, 1, 4);
    a->n = index % 5 ? sorak_make_int(m, 1, 200) : 1;
    a->inner = index % 3 == 0 ? 1 : index % 3 == 1 ? sorak_make_int(m, 1, 40) : sorak_make_int(m, 200, 700);
    if (bench) {
        a->outer = models[index][0];
        a->n = models[index][1];
        a->inner = models[index][2];
    }
    a->chunks = bench || index % 2 ? sorak_chunks(a->n, a->inner) : sorak_make_int(m, 1, 5);
    a->scale = index % 4 ? 1.0f : 0.125f;
    a->x = sorak_make_values(m, bench, a->outer * a->n * a->inner);
    a->y = sorak_make_out_f32(m, a->outer * a->chunks * a->inner);
    c->args = a;
    c->units = sorak_reduce_units(a);
    c->bytes = 4.0 * (double)(a->outer * a->n * a->inner);
    c->tol_scale = bench ? 50 : 10; /* sums of numbers that cancel */
    snprintf(c->text, sizeof c->text, "outer=%lld n=%lld inner=%lld chunks=%lld", (long long)a->outer, (long long)a->n,
             (long long)a->inner, (long long)a->chunks);
    return 1;
}
