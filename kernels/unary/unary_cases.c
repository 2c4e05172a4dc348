#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/unary/unary.h"

sorak_case_fn sorak_cases_unary, sorak_cases_unary_bwd;

static const char *const names[SORAK_UNARY_KINDS] = {"silu", "gelu_tanh", "gelu", "relu", "exp", "clamp", "affine", "fill"};

static int make(sorak_maker *m, sorak_case *c, int bench, int64_t index, int bwd) {
    static const int64_t sizes[] = {1, 7, 16, 63, 4096, 4097, 12301};
    static const double ranges[] = {1, 6, 30, 1e30}; /* ordinary, the bends, the tails, what may overflow inside */
    const int64_t kinds = SORAK_UNARY_KINDS, count = (int64_t)(sizeof sizes / sizeof *sizes);
    if (index >= (bench ? kinds : kinds * count))
        return 0;
    sorak_unary_args *a = sorak_make_args(m, sizeof *a);
    a->kind = (int32_t)(index % kinds);
    a->n = bench ? 1 << 20 : sizes[index / kinds];
    double range = bench ? 4 : ranges[index / kinds % 4];
    if (a->kind == SORAK_UNARY_EXP && range > 80)
        range = 80;
    a->p0 = a->kind == SORAK_UNARY_CLAMP ? -0.5f : 1.75f;
    a->p1 = a->kind == SORAK_UNARY_CLAMP ? 0.75f : -0.25f;
    const int in_place = !bench && index / kinds % 3 == 2;
    if (range > 1)
        a->x = sorak_make_f32_range(m, a->n, -range, a->kind == SORAK_UNARY_EXP ? 10 : range);
    else
        a->x = sorak_make_values(m, bench, a->n);
    if (bwd) {
        a->dx = in_place ? sorak_make_inout_f32(m, a->n) : sorak_make_out_f32(m, a->n);
        a->dy = in_place ? a->dx : sorak_make_values(m, bench, a->n);
    } else {
        a->y = in_place ? sorak_make_inout_f32(m, a->n) : sorak_make_out_f32(m, a->n);
        if (in_place)
            a->x = a->y;
    }
    c->args = a;
    c->units = bwd ? sorak_unary_bwd_units(a) : sorak_unary_units(a);
    c->bytes = (bwd ? 12.0 : 8.0) * (double)a->n;
    snprintf(c->text, sizeof c->text, "%s n=%lld range=%g%s", names[a->kind], (long long)a->n, range, in_place ? " in place" : "");
    return 1;
}

int sorak_cases_unary(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    return make(m, c, bench, index, 0);
}

int sorak_cases_unary_bwd(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    return make(m, c, bench, index, 1);
}
