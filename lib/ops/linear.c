/* Linear layers and plain matrix products. */
#include "kernels/gemm/gemm.h"
#include "lib/ops/ops.h"
#include "lib/ops/product.h"
#include "lib/ops/util.h"

/* Scratch with b(k, n) = src[k * k_stride + n * n_stride] packed; NULL on failure. */
static const void *pack_temp(sorai_exec *x, const void *src, int src_dtype, int64_t k, int64_t n, int64_t k_stride, int64_t n_stride) {
    const int dt = sorai_product_dt(x);
    void *const dst = sorai_temp_bytes(x, sorak_gemm_packed_bytes(dt, n, k, 1));
    if (!dst)
        return NULL;
    const sorak_gemm_pack_args args = {.src = src, .dst = dst, .n = n, .k = k, .segments = 1, .n_stride = n_stride, .k_stride = k_stride,
                                       .src_dtype = src_dtype};
    sorai_run(x, SK_OP_gemm_pack, dt, &args, sorak_gemm_pack_units(&args));
    return x->status == SORA_OK ? dst : NULL;
}

static void run_gemm(sorai_exec *x, int dt, const sorak_gemm_args *args) {
    if (args->b)
        sorai_run(x, SK_OP_gemm, dt, args, sorak_gemm_units(args));
}

static void unsupported(sorai_exec *x, const sorai_param *p) {
    sorai_exec_fail(x, SORA_E_UNSUPPORTED, "%s: a weight of type %s is not supported here", p->name, sorai_dtype_name(p->value->dtype));
}

/* Rows first..first+n-1 of w [.., k], as they are stored, as factor of y = x w^T: k runs along them. */
static void pack_rows(sorai_exec *x, int dt, const sorai_param *p, int64_t first, int64_t n, int64_t k, void *dst) {
    const sora_tensor *const w = p->value;
    const int stored = sorai_stored_dt(w->dtype);
    if (stored < 0) {
        unsupported(x, p);
        return;
    }
    sorak_gemm_pack_args args = {.src = (const char *)w->data + sorai_dtype_bytes(w->dtype, first * k), .dst = dst, .n = n,
                                 .k = k, .segments = 1, .n_stride = k, .k_stride = 1, .src_dtype = stored};
    args.scale = sorai_scale_of(w, first, &args.scale_step);
    if (dst)
        sorai_run(x, SK_OP_gemm_pack, dt, &args, sorak_gemm_pack_units(&args));
}

/* All of w [n, k]; transposed, as factor of dx = dy w: n runs along its rows. */
static void pack_weight(sorai_exec *x, const sorai_param *p, int form, const void *how, void *dst) {
    (void)how;
    const int64_t n = p->value->shape[0], k = sorai_tensor_count(p->value) / n;
    if (form != SORAI_FORM_TRANSPOSED) {
        pack_rows(x, form == SORAI_FORM_INT8 ? SK_DT_i8 : sorai_product_dt(x), p, 0, n, k, dst);
        return;
    }
    const sorak_gemm_pack_args args = {.src = sorai_param_f32(x, p), .dst = dst, .n = k, .k = n, .segments = 1, .n_stride = 1, .k_stride = k,
                                       .src_dtype = SK_DT_f32};
    if (args.src)
        sorai_run(x, SK_OP_gemm_pack, sorai_product_dt(x), &args, sorak_gemm_pack_units(&args));
}

/* A weight that is not kept is packed this many bytes at a time: some hundred columns, as the other factor is laid out for each time anew. */
#define STREAMED_BYTES ((size_t)16 << 20)

/* The product of args with a weight that is packed on the way, columns by columns: the same bits as with one packed whole. */
static void run_streamed(sorai_exec *x, int dt, const sorai_param *w, const sorak_gemm_args *all) {
    const int64_t k = all->k, fit = (int64_t)(STREAMED_BYTES / sorak_gemm_packed_bytes(dt, SORAK_GEMM_COLS, k, 1));
    const int64_t step = (fit > 1 ? fit : 1) * SORAK_GEMM_COLS;
    const sorai_exec_mark mark = sorai_exec_here(x);
    for (int64_t j = 0; j < all->n && x->status == SORA_OK; j += step) {
        sorak_gemm_args args = *all;
        args.n = all->n - j < step ? all->n - j : step;
        args.c = (char *)all->c + j * (all->c_bf16 ? 2 : 4);
        args.bias = all->bias ? all->bias + j : NULL;
        void *const packed = sorai_temp_bytes(x, sorak_gemm_packed_bytes(dt, args.n, k, 1));
        pack_rows(x, dt, w, j, args.n, k, packed);
        args.b = packed;
        run_gemm(x, dt, &args);
        sorai_drop_scratch(x, mark);
    }
}

/* Up to so many rows, a weight that is not kept packed is read as it is stored, once, and the other factor is packed. With more, packing it pays. */
#define FEW_ROWS 512

static void run_stored(sorai_exec *x, const sorai_param *w, const sorak_gemm_args *all) {
    const int stored = sorai_stored_dt(w->value->dtype);
    sorak_gemm_stored_args args = {.w = w->value->data, .bias = all->bias, .c = all->c, .m = all->m, .n = all->n, .k = all->k, .ldc = all->ldc,
                                   .w_dtype = stored, .act = all->act, .c_bf16 = all->c_bf16};
    if (stored < 0) {
        unsupported(x, w);
        return;
    }
    args.scale = sorai_scale_of(w->value, 0, &args.scale_step);
    args.a = pack_temp(x, all->a, all->a_bf16 ? SK_DT_bf16 : SK_DT_f32, all->k, all->m, 1, all->a_row);
    if (args.a)
        sorai_run(x, SK_OP_gemm_stored, sorai_product_dt(x), &args, sorak_gemm_stored_units(&args));
}

/* To c comes up (down a), the factors of w's LoRAs, which are small: packed for each product anew. */
static void add_factors(sorai_exec *x, const sorai_param *w, const sorak_gemm_args *all) {
    const sora_tensor *const down = w->value->down, *const up = w->value->up;
    const int64_t m = all->m, rank = down->shape[0], shape[2] = {m, rank};
    const int dt = sorai_product_dt(x);
    sora_tensor *const t = sorai_temp_typed(x, sorai_factor_dtype(x), 2, shape);
    if (!t)
        return;
    const int half = t->dtype == SORA_DTYPE_BF16;
    const sorak_gemm_args first = {.a = all->a, .b = pack_temp(x, down->data, sorai_stored_dt(down->dtype), all->k, rank, 1, all->k), .c = t->data,
                                   .m = m, .n = rank, .k = all->k, .a_row = all->a_row, .a_col = all->a_col, .ldc = rank, .scale = 1.0f,
                                   .a_bf16 = all->a_bf16, .c_bf16 = half};
    run_gemm(x, dt, &first);
    const sorak_gemm_args second = {.a = t->data, .b = pack_temp(x, up->data, sorai_stored_dt(up->dtype), rank, all->n, 1, rank), .c = all->c,
                                    .m = m, .n = all->n, .k = rank, .a_row = rank, .a_col = 1, .ldc = all->ldc, .scale = 1.0f, .accumulate = 1,
                                    .a_bf16 = half};
    run_gemm(x, dt, &second);
}

static void linear_backward(sorai_exec *x, const sorai_node *node) {
    sora_tensor *const in = node->in[0];
    sorai_param *const w = node->param[0];
    const int64_t m = node->i[0], n = node->i[1], k = node->i[2];
    const float *const dy = node->out->grad->data;
    if (sorai_wants(in)) {
        sora_tensor *const own = sorai_tape_own_grad(in), *const dx = own ? own : sorai_temp_like(x, in);
        if (!dx)
            return;
        const void *const b = sorai_packed(x, w, SORAI_FORM_TRANSPOSED, sorak_gemm_packed_bytes(sorai_product_dt(x), k, n, 1), pack_weight, NULL);
        const sorak_gemm_args args = {.a = dy, .b = b, .c = dx->data, .m = m, .n = k, .k = n, .a_row = n, .a_col = 1, .ldc = k,
                                      .scale = 1.0f, .accumulate = own != NULL};
        run_gemm(x, sorai_product_dt(x), &args);
        if (!own)
            sorai_tape_add_grad(x, in, dx);
    }
    if (sorai_wants_param(w)) {
        const sorai_exec_mark mark = sorai_exec_here(x);
        const sorak_gemm_args args = {.a = dy, .b = pack_temp(x, in->data, SK_DT_f32, m, k, k, 1), .c = w->grad->data, .m = n, .n = k, .k = m,
                                      .a_row = 1, .a_col = n, .ldc = k, .scale = 1.0f, .accumulate = 1};
        run_gemm(x, sorai_product_dt(x), &args);
        sorai_drop_scratch(x, mark);
    }
    sorai_bias_grad(x, node->param[1], dy, m, n);
}

static const int32_t product_acts[] = {[SORAI_ACT_NONE] = SORAK_GEMM_PLAIN, [SORAI_ACT_SILU] = SORAK_GEMM_SILU,
                                       [SORAI_ACT_GELU_TANH] = SORAK_GEMM_GELU_TANH, [SORAI_ACT_GELU] = SORAK_GEMM_GELU};

static sora_tensor *linear(sorai_exec *x, sora_tensor *in, sorai_param *w, sorai_param *b, enum sorai_act act, int factor) {
    int64_t m, k;
    if (!sorai_ready(x, in) || !w || !sorai_rows_cols(x, in, &m, &k))
        return NULL;
    const int64_t n = w->value->rank > 0 ? w->value->shape[0] : 0, count = sorai_tensor_count(w->value);
    /* Products in f32 leave the activation to a pass of its own: backends need not know it. */
    const int fused = !x->tape && x->product == SORA_DTYPE_BF16 && act != SORAI_ACT_RELU && !w->value->up;
    if ((in->dtype != SORA_DTYPE_F32 && (x->tape || in->dtype != x->product)) || n < 1 || count != n * k)
        return sorai_exec_fail(x, SORA_E_INVALID, "%s: a weight of %lld values does not fit %lld columns", w->name, (long long)count,
                               (long long)k);
    if (b && sorai_tensor_count(b->value) != n)
        return sorai_exec_fail(x, SORA_E_INVALID, "%s: a bias needs %lld values", b->name, (long long)n);
    int64_t shape[SORA_MAX_RANK];
    for (int32_t i = 0; i < in->rank; i++)
        shape[i] = i < in->rank - 1 ? in->shape[i] : n;
    sora_tensor *const out = sorai_temp_typed(x, factor && fused ? sorai_factor_dtype(x) : SORA_DTYPE_F32, in->rank, shape);
    if (!out)
        return NULL;
    const sorai_exec_mark mark = sorai_exec_here(x);
    const int eight = x->eight && w->eight && !x->tape, dt = eight ? SK_DT_i8 : sorai_product_dt(x);
    const int form = eight ? SORAI_FORM_INT8 : SORAI_FORM_FORWARD;
    sorak_gemm_args args = {.a = in->data, .bias = sorai_param_f32(x, b), .c = out->data, .m = m, .n = n, .k = k, .a_row = k, .a_col = 1,
                            .ldc = n, .scale = 1.0f, .act = fused ? product_acts[act] : SORAK_GEMM_PLAIN,
                            .a_bf16 = in->dtype == SORA_DTYPE_BF16, .c_bf16 = out->dtype == SORA_DTYPE_BF16};
    /* What is stored in less than 16 bits stays so: laid out for this product only. What is packed in int8 is small enough to be kept. */
    const int small = sorai_dtype_small(w->value->dtype) && form == SORAI_FORM_FORWARD && !x->tape;
    if (small || sorai_streamed(x, w, form)) {
        if (m <= FEW_ROWS && !eight)
            run_stored(x, w, &args);
        else
            run_streamed(x, dt, w, &args);
    } else {
        args.b = sorai_packed(x, w, form, sorak_gemm_packed_bytes(dt, n, k, 1), pack_weight, NULL);
        run_gemm(x, dt, &args);
    }
    if (w->value->up && x->tape)
        return sorai_exec_fail(x, SORA_E_UNSUPPORTED, "%s: a weight with a LoRA can't be trained through", w->name);
    if (w->value->up)
        add_factors(x, w, &args);
    sorai_drop_scratch(x, mark);
    sorai_node *node = NULL;
    if (x->tape && x->status == SORA_OK && (sorai_wants(in) || sorai_wants_param(w) || sorai_wants_param(b)))
        node = sorai_tape_record(x, linear_backward, out);
    if (node) {
        node->in[0] = in;
        node->param[0] = w;
        node->param[1] = b;
        node->i[0] = m;
        node->i[1] = n;
        node->i[2] = k;
    }
    if (x->status != SORA_OK)
        return NULL;
    return act == SORAI_ACT_NONE || fused ? out : sorai_act(x, out, act);
}

sora_tensor *sorai_linear(sorai_exec *x, sora_tensor *in, sorai_param *w, sorai_param *b, enum sorai_act act) {
    return linear(x, in, w, b, act, 0);
}

sora_tensor *sorai_linear_factor(sorai_exec *x, sora_tensor *in, sorai_param *w, sorai_param *b, enum sorai_act act) {
    return linear(x, in, w, b, act, 1);
}

/* One factor of a batched product: [rows, cols] read row by row, or as its transpose. */
typedef struct factor {
    const float *data;
    int64_t row, col, step; /* strides in elements; step: to the next of the batch */
} factor;

static factor factor_of(const sora_tensor *t, int transposed) {
    const int64_t rows = t->shape[t->rank - 2], cols = t->shape[t->rank - 1];
    return transposed ? (factor){t->data, 1, cols, rows * cols} : (factor){t->data, cols, 1, rows * cols};
}

/* c[i] = scale a[i] b[i] for each i of the batch, c [m, n]. */
static void batched(sorai_exec *x, int64_t batch, int64_t m, int64_t n, int64_t k, factor a, factor b, double scale, float *c) {
    const sorai_exec_mark mark = sorai_exec_here(x);
    for (int64_t i = 0; i < batch && x->status == SORA_OK; i++) {
        const sorak_gemm_args args = {.a = a.data + i * a.step, .b = pack_temp(x, b.data + i * b.step, SK_DT_f32, k, n, b.row, b.col),
                                      .c = c + i * m * n, .m = m, .n = n, .k = k, .a_row = a.row, .a_col = a.col, .ldc = n,
                                      .scale = (float)scale};
        run_gemm(x, sorai_product_dt(x), &args);
        sorai_drop_scratch(x, mark);
    }
}

static void matmul_backward(sorai_exec *x, const sorai_node *node) {
    sora_tensor *const a = node->in[0], *const b = node->in[1], *const dc = node->out->grad;
    const int64_t batch = node->i[0], m = node->i[1], n = node->i[2], k = node->i[3];
    const int transpose_b = (int)node->i[4];
    const factor d = {dc->data, n, 1, m * n}, dt = {dc->data, 1, n, m * n};
    if (sorai_wants(a)) { /* da = scale dc b^T */
        sora_tensor *const da = sorai_temp_like(x, a);
        if (da)
            batched(x, batch, m, k, n, d, factor_of(b, !transpose_b), node->f[0], da->data);
        sorai_tape_add_grad(x, a, da);
    }
    if (sorai_wants(b)) { /* db = scale a^T dc, or its transpose */
        sora_tensor *const db = sorai_temp_like(x, b);
        if (db && transpose_b)
            batched(x, batch, n, k, m, dt, factor_of(a, 0), node->f[0], db->data);
        else if (db)
            batched(x, batch, k, n, m, factor_of(a, 1), d, node->f[0], db->data);
        sorai_tape_add_grad(x, b, db);
    }
}

sora_tensor *sorai_matmul(sorai_exec *x, sora_tensor *a, sora_tensor *b, int transpose_b, double scale) {
    if (!sorai_ready(x, a) || !sorai_ready(x, b))
        return NULL;
    const int32_t r = a->rank;
    int fits = r >= 2 && b->rank == r && a->dtype == SORA_DTYPE_F32 && b->dtype == SORA_DTYPE_F32;
    int64_t shape[SORA_MAX_RANK], batch = 1;
    for (int32_t i = 0; fits && i < r - 2; i++) {
        fits = a->shape[i] == b->shape[i];
        shape[i] = a->shape[i];
        batch *= a->shape[i];
    }
    if (!fits || a->shape[r - 1] != b->shape[transpose_b ? r - 1 : r - 2])
        return sorai_exec_fail(x, SORA_E_INVALID, "matmul: the shapes do not fit");
    const int64_t m = shape[r - 2] = a->shape[r - 2], k = a->shape[r - 1], n = shape[r - 1] = b->shape[transpose_b ? r - 2 : r - 1];
    sora_tensor *const out = sorai_temp(x, r, shape);
    if (!out)
        return NULL;
    batched(x, batch, m, n, k, factor_of(a, 0), factor_of(b, transpose_b), scale, out->data);
    if (x->tape && x->status == SORA_OK && (sorai_wants(a) || sorai_wants(b))) {
        sorai_node *const node = sorai_tape_record(x, matmul_backward, out);
        if (node) {
            node->in[0] = a;
            node->in[1] = b;
            node->i[0] = batch;
            node->i[1] = m;
            node->i[2] = n;
            node->i[3] = k;
            node->i[4] = transpose_b;
            node->f[0] = scale;
        }
    }
    return x->status == SORA_OK ? out : NULL;
}
