#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/resample/resample.h"

sorak_case_fn sorak_cases_resample;

int sorak_cases_resample(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    (void)dtype;
    if (index >= (bench ? 4 : 30))
        return 0;
    sorak_resample_args *a = sorak_make_args(m, sizeof *a);
    a->kind = (int32_t)(index % 2);
    a->b = sorak_make_int(m, 1, 2);
    a->t = sorak_make_int(m, 1, 3);
    a->h = sorak_make_int(m, 1, 5);
    a->w = sorak_make_int(m, 1, 6);
    a->c = index % 4 == 3 ? sorak_make_int(m, 64, 200) : sorak_make_int(m, 1, 40);
    a->ft = (int32_t)sorak_make_int(m, 1, 2);
    a->fh = (int32_t)sorak_make_int(m, 1, 3);
    a->fw = (int32_t)sorak_make_int(m, 1, 3);
    if (bench) { /* doubling of height and width at the two ends of a decoder */
        a->b = 1;
        a->t = 5;
        a->h = a->w = index < 2 ? 64 : 16;
        a->c = index < 2 ? 32 : 128;
        a->ft = 1;
        a->fh = a->fw = 2;
    }
    const int64_t f = (int64_t)a->ft * a->fh * a->fw, small = a->b * a->t * a->h * a->w * a->c;
    a->scale = index % 3 ? 1.0f : 1.0f / (float)f;
    a->x = sorak_make_values(m, bench, a->kind == SORAK_RESAMPLE_UP ? small : small * f);
    a->y = sorak_make_out_f32(m, a->kind == SORAK_RESAMPLE_UP ? small * f : small);
    c->args = a;
    c->units = sorak_resample_units(a);
    c->bytes = 4.0 * (double)(small * (f + 1));
    snprintf(c->text, sizeof c->text, "%s %lldx%lldx%lldx%lldx%lld by %d %d %d", a->kind == SORAK_RESAMPLE_UP ? "up" : "pool",
             (long long)a->b, (long long)a->t, (long long)a->h, (long long)a->w, (long long)a->c, (int)a->ft, (int)a->fh, (int)a->fw);
    return 1;
}
