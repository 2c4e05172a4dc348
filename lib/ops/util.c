#include "lib/ops/util.h"

#include "kernels/convert/convert.h"
#include "kernels/reduce/reduce.h"

int sorai_ready(const sorai_exec *x, const sora_tensor *in) {
    return in && x->status == SORA_OK;
}

int sorai_same_shape(const sora_tensor *a, const sora_tensor *b) {
    if (a->rank != b->rank)
        return 0;
    for (int32_t i = 0; i < a->rank; i++)
        if (a->shape[i] != b->shape[i])
            return 0;
    return 1;
}

int sorai_rows_cols(sorai_exec *x, const sora_tensor *t, int64_t *rows, int64_t *cols) {
    if (t->rank < 1 || t->shape[t->rank - 1] < 1) {
        sorai_exec_fail(x, SORA_E_INVALID, "an operation over the last axis needs one that is not empty");
        return 0;
    }
    *cols = t->shape[t->rank - 1];
    *rows = sorai_tensor_count(t) / *cols;
    return 1;
}

const float *sorai_param_f32(sorai_exec *x, const sorai_param *p) {
    const sora_tensor *t = p ? sorai_param_value(x, p) : NULL;
    return t ? t->data : NULL;
}

int sorai_stored_dt(int32_t dtype) {
    switch (dtype) {
    case SORA_DTYPE_F32: return SK_DT_f32;
    case SORA_DTYPE_BF16: return SK_DT_bf16;
    case SORA_DTYPE_F16: return SK_DT_f16;
    case SORA_DTYPE_I8: return SK_DT_i8;
    default: return sorai_dtype_stored(dtype) ? SK_DT_f8e4m3 + dtype - SORAI_DTYPE_F8_E4M3 : -1;
    }
}

const float *sorai_scale_of(const sora_tensor *weight, int64_t first, int64_t *step) {
    *step = weight->scale && sorai_tensor_count(weight->scale) > 1;
    return weight->scale ? (const float *)weight->scale->data + first * *step : NULL;
}

sora_tensor *sorai_param_value(sorai_exec *x, const sorai_param *p) {
    if (!sorai_ready(x, p ? p->value : NULL))
        return NULL;
    const sora_tensor *v = p->value;
    if (v->dtype == SORA_DTYPE_F32) {
        sora_tensor *view = sorai_arena_alloc(&x->meta, sizeof *view);
        if (!view)
            return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for a tensor");
        *view = (sora_tensor){.dtype = v->dtype, .rank = v->rank, .data = v->data, .device = v->device};
        for (int32_t i = 0; i < v->rank; i++)
            view->shape[i] = v->shape[i];
        return view;
    }
    if (sorai_stored_dt(v->dtype) < 0 || v->up)
        return sorai_exec_fail(x, SORA_E_UNSUPPORTED, "%s: a weight of type %s is not supported here", p->name,
                               sorai_dtype_name(v->dtype));
    sora_tensor *t = sorai_temp(x, v->rank, v->shape);
    if (!t)
        return NULL;
    int64_t step;
    sorak_convert_args args = {.x = v->data, .y = t->data, .n = sorai_tensor_count(v), .from = sorai_stored_dt(v->dtype)};
    args.scale = sorai_scale_of(v, 0, &step);
    args.scale_step = (int32_t)step;
    args.cols = v->rank > 0 && v->shape[0] > 0 ? args.n / v->shape[0] : 1;
    sorai_run(x, SK_OP_convert, SK_DT_f32, &args, sorak_convert_units(&args));
    return t;
}

sora_tensor *sorai_sum_middle(sorai_exec *x, const float *data, int64_t outer, int64_t n, int64_t inner, double scale) {
    const int64_t shape[2] = {outer, inner};
    sora_tensor *out = sorai_temp(x, 2, shape);
    if (!out)
        return NULL;
    int64_t chunks = sorak_chunks(n, inner);
    if (chunks > 1) {
        const int64_t parts[3] = {outer, chunks, inner};
        sora_tensor *part = sorai_temp(x, 3, parts);
        if (!part)
            return NULL;
        const sorak_reduce_args first = {data, part->data, outer, n, inner, chunks, 1.0f};
        sorai_run(x, SK_OP_reduce, SK_DT_f32, &first, sorak_reduce_units(&first));
        data = part->data;
        n = chunks;
    }
    const sorak_reduce_args last = {data, out->data, outer, n, inner, 1, (float)scale};
    sorai_run(x, SK_OP_reduce, SK_DT_f32, &last, sorak_reduce_units(&last));
    return out;
}

void sorai_run_axpby(sorai_exec *x, float *y, double alpha, const float *a, double beta, const float *b, int64_t n, int64_t nb) {
    const sorak_binary_args args = {SORAK_BINARY_AXPBY, (float)alpha, (float)beta, a, b, y, n, nb};
    sorai_run(x, SK_OP_binary, SK_DT_f32, &args, sorak_binary_units(&args));
}

void sorai_run_unary(sorai_exec *x, int kind, double p0, double p1, const float *in, float *y, int64_t n) {
    const sorak_unary_args args = {.kind = kind, .p0 = (float)p0, .p1 = (float)p1, .x = in, .y = y, .n = n};
    sorai_run(x, SK_OP_unary, SK_DT_f32, &args, sorak_unary_units(&args));
}

void sorai_run_copy(sorai_exec *x, sorak_copy_args *args) {
    sorak_copy_simplify(args);
    sorai_run(x, SK_OP_copy, SK_DT_f32, args, sorak_copy_units(args));
}
