#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/convert/convert.h"
#include "kernels/stored.h"

sorak_case_fn sorak_cases_convert;

int sorak_cases_convert(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    static const int64_t sizes[] = {1, 5, 8, 31, 4096, 4099, 9000};
    static const double ranges[] = {1, 1e-7, 1e-5, 70000, 1e30}; /* f16 denormals, their border, f16 overflow */
    const int stored = index >= (bench ? 2 : 35); /* every type that weights are stored in, some with scales */
    if (index >= (bench ? 2 : 35) + (dtype == SK_DT_f32 ? (bench ? 1 : 3) : dtype == SK_DT_bf16 && !bench ? 1 : 0) * SK_DT_COUNT)
        return 0;
    sorak_convert_args *a = sorak_make_args(m, sizeof *a);
    a->n = bench ? 1 << 20 : sizes[index % 7];
    a->from = dtype == SK_DT_f32 ? (index % 2 ? SK_DT_f16 : SK_DT_bf16) : index % 6 == 5 ? SK_DT_bf16 : SK_DT_f32;
    if (bench && dtype != SK_DT_f32 && index > 0)
        return 0;
    const double range = bench || stored ? 1 : ranges[index / 7];
    if (stored) {
        a->from = (int32_t)((index - (bench ? 2 : 35)) % SK_DT_COUNT);
        const int64_t values = sorak_block_values(a->from);
        a->x = sorak_make_stored(m, a->from, (a->n + values - 1) / values * values);
        a->cols = sorak_make_int(m, 1, 300);
        if (!bench && index % 3 == 0)
            a->scale = sorak_make_f32(m, a->n / a->cols + 1);
        a->scale_step = (int32_t)(index % 2);
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
    c->bytes = (double)a->n * ((double)sorak_block_bytes(a->from) / (double)sorak_block_values(a->from) + (dtype == SK_DT_f32 ? 4 : 2));
    snprintf(c->text, sizeof c->text, "from %s n=%lld range=%g%s", sorak_stored_name(a->from), (long long)a->n, range, a->scale ? " scaled" : "");
    return 1;
}
