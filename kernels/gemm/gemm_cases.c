#include <math.h>
#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/gemm/gemm.h"
#include "kernels/stored.h"

sorak_case_fn sorak_cases_gemm_pack, sorak_cases_gemm, sorak_cases_gemm_stored;

int sorak_cases_gemm_pack(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    /* n, k, segments, k runs slower, stored type */
    static const int64_t sizes[][5] = {{320, 1280, 1, 0, SK_DT_f32}, {320, 1280, 1, 1, SK_DT_f32}, {32, 128, 544, 1, SK_DT_f32},
                                       {320, 1280, 1, 0, SK_DT_bf16}, {320, 1280, 1, 0, SK_DT_f16}, {320, 1280, 1, 0, SK_DT_i8},
                                       {320, 1280, 1, 0, SK_DT_f8e4m3}, {320, 1280, 1, 0, SK_DT_q8_0}, {320, 1280, 1, 0, SK_DT_q4_0},
                                       {320, 1280, 1, 0, SK_DT_q5_1}, {320, 1280, 1, 0, SK_DT_q2_k}, {320, 1280, 1, 0, SK_DT_q3_k},
                                       {320, 1280, 1, 0, SK_DT_q4_k}, {320, 1280, 1, 0, SK_DT_q5_k}, {320, 1280, 1, 0, SK_DT_q6_k}};
    sorak_gemm_pack_args *a = sorak_make_args(m, sizeof *a);
    int rows_of_k; /* 1: n runs faster in memory (rows of k), 0: k does */
    if (bench) {
        if (index >= (int64_t)(sizeof sizes / sizeof *sizes))
            return 0;
        a->n = sizes[index][0];
        a->k = sizes[index][1];
        a->segments = sizes[index][2];
        rows_of_k = (int)sizes[index][3];
        a->src_dtype = (int32_t)sizes[index][4];
    } else {
        if (index >= 40 + 3 * SK_DT_COUNT)
            return 0;
        a->n = index % 5 == 0 ? 1 : sorak_make_int(m, 1, 100);
        a->k = index % 7 == 0 ? sorak_make_int(m, 1100, 2200) : sorak_make_int(m, 1, 90);
        a->segments = index % 3 == 0 ? sorak_make_int(m, 2, 5) : 1;
        a->src_dtype = (int32_t)(index % 3);
        rows_of_k = (int)(index / 3 % 2);
        if (index >= 40) { /* every type that weights are stored in, k of whole blocks or one block cut short */
            a->src_dtype = (int32_t)(index % SK_DT_COUNT);
            rows_of_k = 0;
            a->segments = sorak_block_values(a->src_dtype) > 1 ? 1 : a->segments;
            if (index % 3 == 0)
                a->scale = sorak_make_f32(m, a->n);
            a->scale_step = index % 2;
        }
    }
    a->segments = dtype == SK_DT_i8 ? 1 : a->segments;
    const int64_t values = sorak_block_values(a->src_dtype), rows = (a->segments * a->k + values - 1) / values * values;
    const int64_t extra = bench ? 0 : sorak_make_int(m, 0, 3) * values;
    a->n_stride = rows_of_k ? 1 : rows + extra;
    a->k_stride = rows_of_k ? a->n + extra : 1;
    a->src = sorak_make_stored(m, a->src_dtype, rows_of_k ? rows * (a->n + extra) : a->n * (rows + extra));
    const size_t size = sorak_gemm_packed_bytes(dtype, a->n, a->k, a->segments);
    a->dst = dtype == SK_DT_bf16 ? (void *)sorak_make_out_bf16(m, (int64_t)size / 2) : (void *)sorak_make_out_f32(m, (int64_t)size / 4);
    c->args = a;
    c->units = sorak_gemm_pack_units(a);
    c->bytes = (double)(a->n * rows / values * sorak_block_bytes(a->src_dtype)) + (double)size;
    snprintf(c->text, sizeof c->text, "n=%lld k=%lld x %lld%s from %s", (long long)a->n, (long long)a->k, (long long)a->segments,
             rows_of_k ? " rows" : " columns", sorak_stored_name(a->src_dtype));
    return 1;
}

/* Values for n columns of k, as gemm_pack lays them out. */
static const void *packed_factor(sorak_maker *m, int dtype, int bench, int64_t n, int64_t k) {
    sorak_gemm_pack_args *p = sorak_make_args(m, sizeof *p);
    p->src = sorak_make_values(m, bench, n * k);
    p->n = n;
    p->k = k;
    p->segments = 1;
    p->n_stride = k;
    p->k_stride = 1;
    p->dst = sorak_make_bytes(m, sorak_gemm_packed_bytes(dtype, n, k, 1));
    sorak_make_run_ref(SK_OP_gemm_pack, dtype, p, sorak_gemm_pack_units(p));
    sorak_make_input_done(m, p->dst);
    return p->dst;
}

/* Errors of sums of k products. To bf16, a sum beside a tie is rounded the other way. */
static double tolerance(int64_t k, int32_t c_bf16) {
    return c_bf16 ? 500 * sqrt((double)k) : k > 64 ? sqrt((double)k) / 8 : 1;
}

int sorak_cases_gemm(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    static const int64_t sizes[][4] = {{320, 1024, 256, 0}, {320, 256, 1024, 0}, {1280, 320, 320, 0}, {320, 320, 5120, 1},
                                       {1024, 1536, 1536, 0}, {1280, 8960, 1536, 0}, {1280, 1536, 8960, 0}, {1, 1920, 320, 0}, {16, 320, 320, 0}}; /* m, n, k, transposed */
    sorak_gemm_args *a = sorak_make_args(m, sizeof *a);
    int64_t pad_a = 0, pad_c = 0;
    int transposed;
    a->scale = 1;
    if (bench) {
        if (index >= (int64_t)(sizeof sizes / sizeof *sizes))
            return 0;
        a->m = sizes[index][0];
        a->n = sizes[index][1];
        a->k = sizes[index][2];
        transposed = (int)sizes[index][3];
    } else {
        if (index >= 64)
            return 0;
        static const int64_t odd_m[] = {1, 2, 5, 11, 12, 13, 23, 47, 48, 49, 97};
        a->m = index < 11 ? odd_m[index] : sorak_make_int(m, 1, 70);
        a->n = index % 4 == 0 ? sorak_make_int(m, 1, 17) : sorak_make_int(m, 1, 150);
        a->k = index % 9 == 0 ? 1 : index % 16 == 5 ? sorak_make_int(m, 2040, 2100) : sorak_make_int(m, 1, 200);
        if (dtype == SK_DT_i8 && (index == 22 || index == 38)) { /* more than a piece of k, and more columns than a strip */
            a->m = index == 22 ? 70 : 3;
            a->n = index == 22 ? 45 : 2100;
            a->k = index == 22 ? 8500 : 4300;
        }
        transposed = (int)(index & 1);
        pad_a = sorak_make_int(m, 0, 3);
        pad_c = sorak_make_int(m, 0, 3);
        a->accumulate = index % 3 == 0;
        a->scale = index % 5 == 2 ? 0.37f : 1.0f;
        a->act = a->accumulate ? 0 : (int32_t)(index / 3 % 4);
        a->a_bf16 = dtype != SK_DT_f32 && !transposed && index % 4 < 2;
        a->c_bf16 = dtype != SK_DT_f32 && !a->accumulate && index % 8 == 4;
    }
    if (bench && index >= 5 && dtype != SK_DT_f32) {
        a->a_bf16 = a->c_bf16 = 1;
        a->act = index == 5 ? SORAK_GEMM_GELU_TANH : 0;
    }
    a->a_row = transposed ? 1 : a->k + pad_a;
    a->a_col = transposed ? a->m + pad_a : 1;
    /* Denormals slow the processor down; they are not what is timed. */
    const int64_t count = transposed ? a->k * (a->m + pad_a) : a->m * (a->k + pad_a);
    a->a = a->a_bf16 ? (const void *)sorak_make_bf16(m, count) : bench ? sorak_make_f32_range(m, count, -1, 1) : sorak_make_f32(m, count);
    a->ldc = a->n + pad_c;
    a->bias = bench || index % 2 ? sorak_make_f32(m, a->n) : NULL;
    a->c = a->c_bf16 ? (void *)sorak_make_out_bf16(m, a->m * a->ldc) : a->accumulate ? sorak_make_inout_f32(m, a->m * a->ldc) : sorak_make_out_f32(m, a->m * a->ldc);

    a->b = packed_factor(m, dtype, bench, a->n, a->k);

    c->args = a;
    c->units = sorak_gemm_units(a);
    c->flops = 2.0 * (double)a->m * (double)a->n * (double)a->k;
    c->bytes = 4.0 * (double)(a->m * a->k + a->m * a->n) + (double)sorak_gemm_packed_bytes(dtype, a->n, a->k, 1);
    c->tol_scale = tolerance(a->k, a->c_bf16);
    snprintf(c->text, sizeof c->text, "m=%lld n=%lld k=%lld%s%s%s%s", (long long)a->m, (long long)a->n, (long long)a->k,
             transposed ? " a^T" : a->a_bf16 ? " a bf16" : "", a->accumulate ? " +=" : "", a->c_bf16 ? " c bf16" : "", a->act ? " act" : "");
    return 1;
}

int sorak_cases_gemm_stored(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    static const int64_t sizes[][4] = {{40, 4096, 4096, SK_DT_bf16}, {40, 10240, 4096, SK_DT_bf16}, {40, 4096, 10240, SK_DT_bf16},
                                       {512, 4096, 4096, SK_DT_bf16}, {1280, 1536, 1536, SK_DT_bf16}, {40, 4096, 4096, SK_DT_f32},
                                       {40, 4096, 4096, SK_DT_f8e4m3}, {40, 4096, 4096, SK_DT_q8_0}, {40, 4096, 4096, SK_DT_q4_k}}; /* m, n, k, stored type */
    sorak_gemm_stored_args *a = sorak_make_args(m, sizeof *a);
    int64_t pad_c = 0;
    if (bench) {
        if (index >= (int64_t)(sizeof sizes / sizeof *sizes))
            return 0;
        a->m = sizes[index][0];
        a->n = sizes[index][1];
        a->k = sizes[index][2];
        a->w_dtype = (int32_t)sizes[index][3];
    } else {
        if (index >= 4 * SK_DT_COUNT)
            return 0;
        a->w_dtype = (int32_t)(index % SK_DT_COUNT);
        const int64_t values = sorak_block_values(a->w_dtype);
        a->m = index == 17 ? sorak_make_int(m, 513, 530) : index % 4 == 0 ? sorak_make_int(m, 1, 17) : sorak_make_int(m, 1, 100);
        a->n = index % 5 == 0 ? sorak_make_int(m, 1, 17) : sorak_make_int(m, 1, 150);
        a->k = values > 1 ? values * sorak_make_int(m, 1, 512 / values) : index % 3 ? sorak_make_int(m, 1, 300) : 32 * sorak_make_int(m, 1, 8);
        if (index == 48 || index == 49 || index == 52 || index == 58) /* more than one piece of k */
            a->k = values > 1 ? 2304 : sorak_make_int(m, 2040, 2200);
        if (index >= 60 && index < 62) /* and such that a piece begins within a block: of bf16 rows, of f32 rows */
            a->k = index == 60 ? 2304 : 2560;
        pad_c = sorak_make_int(m, 0, 3);
        a->act = (int32_t)(index / 3 % 4);
        a->c_bf16 = dtype == SK_DT_bf16 && index % 8 == 4;
        if (index >= 3 * SK_DT_COUNT || index % 5 == 2) { /* every type, for each row or for all */
            a->scale = sorak_make_f32(m, a->n);
            a->scale_step = index % 3 > 0;
        }
    }
    a->ldc = a->n + pad_c;
    a->w = sorak_make_stored(m, a->w_dtype, a->n * a->k);
    a->bias = bench || index % 2 ? sorak_make_f32(m, a->n) : NULL;
    a->c = a->c_bf16 ? (void *)sorak_make_out_bf16(m, a->m * a->ldc) : (void *)sorak_make_out_f32(m, a->m * a->ldc);

    a->a = packed_factor(m, dtype, bench, a->m, a->k);

    c->args = a;
    c->units = sorak_gemm_stored_units(a);
    c->flops = 2.0 * (double)a->m * (double)a->n * (double)a->k;
    c->bytes = (double)(a->n * a->k / sorak_block_values(a->w_dtype) * sorak_block_bytes(a->w_dtype)) + 4.0 * (double)(a->m * a->n);
    c->tol_scale = tolerance(a->k, a->c_bf16);
    c->tol_scale *= a->w_dtype == SK_DT_f8e5m2 ? 4096 : a->w_dtype == SK_DT_i8 || a->w_dtype == SK_DT_f8e4m3 ? 64 : 1; /* larger values */
    snprintf(c->text, sizeof c->text, "m=%lld n=%lld k=%lld from %s%s%s%s", (long long)a->m, (long long)a->n, (long long)a->k,
             sorak_stored_name(a->w_dtype), a->scale ? " scaled" : "", a->c_bf16 ? " c bf16" : "", a->act ? " act" : "");
    return 1;
}
