#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/convert/convert.h"

sorak_case_fn sorak_cases_convert;

int sorak_cases_convert(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    static const int64_t sizes[] = {1, 5, 8, 31, 4096, 4099, 9000};
    static const double ranges[] = {1, 1e-7, 1e-5, 70000, 1e30}; /* f16 denormals, their border, f16 overflow */
    static const char *const names[] = {"f32", "bf16", "f16", "f8e4m3", "f8e5m2"};
    if (index >= (bench ? 4 : dtype == SK_DT_f16 ? 35 : 49)) /* the last 14 from eight bits, every finite value of which is there */
        return 0;
    sorak_convert_args *a = sorak_make_args(m, sizeof *a);
    a->n = bench ? 1 << 20 : sizes[index % 7];
    a->from = dtype == SK_DT_f32 ? (index % 2 ? SK_DT_f16 : SK_DT_bf16) : index % 6 == 5 ? SK_DT_bf16 : SK_DT_f32;
    if (index >= 35 || (bench && index >= 2))
        a->from = index % 2 ? SK_DT_f8e4m3 : SK_DT_f8e5m2;
    if (bench && dtype != SK_DT_f32 && index > 0)
        return 0;
    const double range = bench || index >= 35 ? 1 : ranges[index / 7];
    if (a->from == SK_DT_f8e4m3 || a->from == SK_DT_f8e5m2) {
        uint8_t *x = sorak_make_bytes(m, (size_t)a->n);
        for (int64_t i = 0; i < a->n; i++) {
            x[i] = (uint8_t)(i < 4096 ? i : sorak_make_int(m, 0, 255));
            if ((x[i] & 0x7f) == 0x7f || (a->from == SK_DT_f8e5m2 && (x[i] & 0x7c) == 0x7c)) /* the checker wants finite ones */
                x[i] ^= 0x70;
        }
        sorak_make_input_done(m, x);
        a->x = x;
    } else if (a->from == SK_DT_bf16)
        a->x = sorak_make_bf16(m, a->n);
    else if (a->from == SK_DT_f16)
        a->x = sorak_make_f16(m, a->n);
    else
        a->x = range > 0.5 && range < 2 ? sorak_make_f32(m, a->n) : sorak_make_f32_range(m, a->n, -range, range);
    if (dtype == SK_DT_f32)
        a->y = sorak_make_out_f32(m, a->n);
    else
        a->y = dtype == SK_DT_bf16 ? sorak_make_out_bf16(m, a->n) : sorak_make_out_f16(m, a->n);
    c->args = a;
    c->units = sorak_convert_units(a);
    c->bytes = (double)a->n * ((a->from == SK_DT_f32 ? 4 : a->from >= SK_DT_f8e4m3 ? 1 : 2) + (dtype == SK_DT_f32 ? 4 : 2));
    snprintf(c->text, sizeof c->text, "from %s n=%lld range=%g", names[a->from], (long long)a->n, range);
    return 1;
}
