#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/copy/copy.h"

sorak_case_fn sorak_cases_copy;

/* A random permutation of a random box, written into a larger one or read from it, repeated, or cleared. */
static void random_box(sorak_maker *m, sorak_copy_args *a, int64_t index) {
    int32_t order[8];
    a->rank = (int32_t)(1 + index % 8);
    for (int32_t i = 0; i < a->rank; i++) {
        order[i] = i;
        a->shape[i] = sorak_make_int(m, 1, a->rank == 1 ? 9000 : a->rank < 4 ? 40 : 5);
    }
    if (index % 3)
        for (int32_t i = a->rank - 1; i > 0; i--) {
            const int32_t j = (int32_t)sorak_make_int(m, 0, i), was = order[i];
            order[i] = order[j];
            order[j] = was;
        }
    int64_t from = 1, to = 1;
    for (int32_t i = a->rank - 1; i >= 0; i--) {
        a->dst_stride[i] = to;
        to *= a->shape[i] + (index % 5 == 4 ? 1 : 0);
        a->src_stride[order[i]] = from;
        from *= a->shape[order[i]] + (index % 5 == 3 ? 2 : 0);
    }
    if (index % 7 == 6)
        a->src_stride[sorak_make_int(m, 0, a->rank - 1)] = 0;
    a->src = index % 11 == 10 ? NULL : sorak_make_f32(m, from);
    a->dst = sorak_make_out_f32(m, to);
}

int sorak_cases_copy(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    if (index >= (bench ? 4 : 48))
        return 0;
    sorak_copy_args *a = sorak_make_args(m, sizeof *a);
    const char *what = "box";
    if (!bench) {
        random_box(m, a, index);
    } else {
        /* whole run; heads before tokens; channels last from channels first; a slice of columns */
        static const sorak_copy_args models[] = {
            {NULL, NULL, 1, {1 << 20}, {1}, {1}},
            {NULL, NULL, 4, {2, 4, 320, 64}, {81920, 64, 256, 1}, {81920, 20480, 64, 1}},
            {NULL, NULL, 2, {1280, 16}, {1, 1280}, {16, 1}},
            {NULL, NULL, 2, {2560, 256}, {1536, 1}, {256, 1}},
        };
        static const char *const names[] = {"run", "heads", "channels", "slice"};
        *a = models[index];
        what = names[index];
        a->src = sorak_make_values(m, bench, index == 3 ? 2560 * 1536 : sorak_copy_count(a));
        a->dst = sorak_make_out_f32(m, sorak_copy_count(a));
    }
    if (index % 2)
        sorak_copy_simplify(a);
    c->args = a;
    c->units = sorak_copy_units(a);
    c->bytes = 8.0 * (double)sorak_copy_count(a);
    snprintf(c->text, sizeof c->text, "%s rank=%d n=%lld%s", what, (int)a->rank, (long long)sorak_copy_count(a), a->src ? "" : " zeros");
    return 1;
}
