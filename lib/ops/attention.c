#include <math.h>
#include <string.h>

#include "kernels/attention/attention.h"
#include "kernels/rope/rope.h"
#include "lib/ops/ops.h"

static int any_needs_grad(const sora_tensor *a, const sora_tensor *b, const sora_tensor *c, const sora_tensor *d) {
    return a->needs_grad || b->needs_grad || c->needs_grad || (d && d->needs_grad);
}

/* The kernel's arguments for contiguous [batch, rows, heads, d] tensors. */
static sorak_attention_args attention_args(const sora_tensor *q, const sora_tensor *k, const sora_tensor *v, double scale,
                                           const sora_tensor *bias, const sora_tensor *lengths, sora_tensor *out,
                                           sora_tensor *lse) {
    sorak_attention_args a;
    memset(&a, 0, sizeof a);
    a.batch = q->shape[0];
    a.lq = q->shape[1];
    a.lk = k->shape[1];
    a.heads = q->shape[2];
    a.d = q->shape[3];
    a.q = q->data;
    a.k = k->data;
    a.v = v->data;
    a.q_stride[0] = a.lq * a.heads * a.d;
    a.k_stride[0] = a.v_stride[0] = a.lk * a.heads * a.d;
    a.q_stride[1] = a.k_stride[1] = a.v_stride[1] = a.heads * a.d;
    a.q_stride[2] = a.k_stride[2] = a.v_stride[2] = a.d;
    a.scale = (float)scale;
    a.bias = bias ? bias->data : NULL;
    a.k_lengths = lengths ? lengths->data : NULL;
    a.out = out->data;
    a.out_bf16 = out->dtype == SORA_DTYPE_BF16;
    a.lse = lse ? lse->data : NULL;
    return a;
}

enum { Q, K, V, BIAS, LENGTHS, LSE };

static void attention_backward(sorai_exec *x, const sorai_node *node) {
    sora_tensor *const q = node->in[Q], *const k = node->in[K], *const v = node->in[V], *const bias = node->in[BIAS];
    const int64_t rows[] = {q->shape[0], q->shape[2], q->shape[1]};
    sora_tensor *const delta = sorai_temp(x, 3, rows), *const dq = sorai_temp_like(x, q);
    sora_tensor *dk = NULL, *dv = NULL, *dbias = NULL;
    if (k->needs_grad || v->needs_grad) {
        dk = sorai_temp_like(x, k);
        dv = sorai_temp_like(x, v);
    }
    if (bias && bias->needs_grad)
        dbias = sorai_temp_like(x, bias);
    if (x->status != SORA_OK)
        return;
    sorak_attention_bwd_args g;
    memset(&g, 0, sizeof g);
    g.fwd = attention_args(q, k, v, node->f[0], bias, node->in[LENGTHS], node->out, node->in[LSE]);
    g.dout = node->out->grad->data;
    g.delta = delta->data;
    g.dq = dq->data;
    g.dbias = dbias ? dbias->data : NULL;
    const int dtype = (int)node->i[0];
    sorai_run(x, SK_OP_attention_bwd_dq, dtype, &g, sorak_attention_bwd_dq_units(&g));
    if (dk) {
        g.dk = dk->data;
        g.dv = dv->data;
        sorai_run(x, SK_OP_attention_bwd_dkv, dtype, &g, sorak_attention_bwd_dkv_units(&g));
        sorai_tape_add_grad(x, k, dk);
        sorai_tape_add_grad(x, v, dv);
    }
    sorai_tape_add_grad(x, q, dq);
    if (dbias)
        sorai_tape_add_grad(x, bias, dbias);
}

static sora_tensor *attention(sorai_exec *x, sora_tensor *q, sora_tensor *k, sora_tensor *v, double scale, sora_tensor *bias,
                              const int32_t *k_lengths, int32_t dtype) {
    if (x->status != SORA_OK || !q || !k || !v)
        return NULL;
    if (q->rank != 4 || k->rank != 4 || v->rank != 4 || q->dtype != SORA_DTYPE_F32 || k->dtype != SORA_DTYPE_F32 ||
        v->dtype != SORA_DTYPE_F32)
        return sorai_exec_fail(x, SORA_E_INVALID, "attention: q, k and v must be f32 of rank 4");
    const int64_t batch = q->shape[0], lq = q->shape[1], lk = k->shape[1], heads = q->shape[2], d = q->shape[3];
    if (memcmp(k->shape, v->shape, 4 * sizeof *k->shape) != 0 || k->shape[0] != batch || k->shape[2] != heads ||
        k->shape[3] != d || lk < 1 || d < 1 || d > SORAK_ATTENTION_MAX_D)
        return sorai_exec_fail(x, SORA_E_INVALID, "attention: q [%lld, %lld, %lld, %lld] does not fit k [%lld, %lld, %lld, %lld]",
                               (long long)batch, (long long)lq, (long long)heads, (long long)d, (long long)k->shape[0],
                               (long long)lk, (long long)k->shape[2], (long long)k->shape[3]);
    if (bias && (bias->rank != 3 || bias->dtype != SORA_DTYPE_F32 || bias->shape[0] != heads || bias->shape[1] != lq ||
                 bias->shape[2] != lk))
        return sorai_exec_fail(x, SORA_E_INVALID, "attention: the bias is not [heads, queries, keys]");
    sora_tensor *lengths = NULL;
    if (k_lengths) {
        for (int64_t b = 0; b < batch; b++)
            if (k_lengths[b] < 1 || k_lengths[b] > lk)
                return sorai_exec_fail(x, SORA_E_INVALID, "attention: %d keys of %lld", k_lengths[b], (long long)lk);
        lengths = sorai_upload(x, SORA_DTYPE_I32, 1, &batch, k_lengths);
    }
    const int record = x->tape && any_needs_grad(q, k, v, bias);
    const int64_t rows[] = {batch, heads, lq};
    sora_tensor *const out = sorai_temp_typed(x, dtype, 4, q->shape), *const lse = record ? sorai_temp(x, 3, rows) : NULL;
    if (x->status != SORA_OK)
        return NULL;
    const sorak_attention_args a = attention_args(q, k, v, scale, bias, lengths, out, lse);
    sorai_run(x, SK_OP_attention, sorai_product_dt(x), &a, sorak_attention_units(&a));
    if (record) {
        sorai_node *const node = sorai_tape_record(x, attention_backward, out);
        if (!node)
            return NULL;
        node->in[Q] = q;
        node->in[K] = k;
        node->in[V] = v;
        node->in[BIAS] = bias;
        node->in[LENGTHS] = lengths;
        node->in[LSE] = lse;
        node->i[0] = sorai_product_dt(x);
        node->f[0] = scale;
    }
    return x->status == SORA_OK ? out : NULL;
}

sora_tensor *sorai_attention(sorai_exec *x, sora_tensor *q, sora_tensor *k, sora_tensor *v, double scale, sora_tensor *bias,
                             const int32_t *k_lengths) {
    return attention(x, q, k, v, scale, bias, k_lengths, SORA_DTYPE_F32);
}

sora_tensor *sorai_attention_factor(sorai_exec *x, sora_tensor *q, sora_tensor *k, sora_tensor *v, double scale, sora_tensor *bias,
                                    const int32_t *k_lengths) {
    return attention(x, q, k, v, scale, bias, k_lengths, sorai_factor_dtype(x));
}

/* y = x rotated by the table, or rotated back. */
static sora_tensor *rotate(sorai_exec *x, sora_tensor *in, const sora_tensor *table, int32_t inverse) {
    sora_tensor *const out = sorai_temp_like(x, in);
    if (!out)
        return NULL;
    sorak_rope_args a;
    memset(&a, 0, sizeof a);
    a.x = in->data;
    a.y = out->data;
    a.table = table->data;
    a.rows = in->shape[0] * in->shape[1];
    a.length = in->shape[1];
    a.heads = in->shape[2];
    a.d = in->shape[3];
    a.inverse = inverse;
    sorai_run(x, SK_OP_rope, SK_DT_f32, &a, sorak_rope_units(&a));
    return x->status == SORA_OK ? out : NULL;
}

static void rope_backward(sorai_exec *x, const sorai_node *node) {
    sorai_tape_add_grad(x, node->in[0], rotate(x, node->out->grad, node->in[1], 1));
}

sora_tensor *sorai_rope(sorai_exec *x, sora_tensor *in, sora_tensor *table) {
    if (x->status != SORA_OK || !in || !table)
        return NULL;
    if (in->rank != 4 || in->shape[3] < 2 || in->shape[3] % 2 != 0 || table->rank != 3 || table->shape[0] != in->shape[1] ||
        table->shape[1] != in->shape[3] / 2 || table->shape[2] != 2 || in->dtype != SORA_DTYPE_F32 || table->dtype != SORA_DTYPE_F32)
        return sorai_exec_fail(x, SORA_E_INVALID, "rope: the input is not [batch, rows, heads, even] or the table does not fit it");
    sora_tensor *const out = rotate(x, in, table, 0);
    if (out && x->tape && in->needs_grad) {
        sorai_node *const node = sorai_tape_record(x, rope_backward, out);
        if (!node)
            return NULL;
        node->in[0] = in;
        node->in[1] = table;
    }
    return out;
}

/* (cos, sin) of position * 10000^(-2i / dim), for `count` positions from `first`, `step` apart. */
static void rope_axis(float *to, int64_t first, int64_t count, int64_t dim, double step) {
    for (int64_t p = 0; p < count; p++)
        for (int64_t i = 0; i < dim / 2; i++) {
            const double angle = step * (double)(first + p) / pow(10000.0, (double)(2 * i) / (double)dim);
            to[p * dim + 2 * i] = (float)cos(angle);
            to[p * dim + 2 * i + 1] = (float)sin(angle);
        }
}

sora_tensor *sorai_rope_table(sorai_exec *x, int64_t t, int64_t h, int64_t w, int64_t d, int64_t t0, double step) {
    if (x->status != SORA_OK)
        return NULL;
    if (t < 1 || h < 1 || w < 1 || d < 2 || d % 2 != 0 || d > SORAK_ATTENTION_MAX_D)
        return sorai_exec_fail(x, SORA_E_INVALID, "rope: a grid of %lld x %lld x %lld for heads of %lld", (long long)t, (long long)h,
                               (long long)w, (long long)d);
    const int64_t side = 2 * (d / 6), time = d - 2 * side;
    int64_t area, length;
    if (__builtin_mul_overflow(h, w, &area) || __builtin_mul_overflow(t, area, &length) || length > (INT64_C(1) << 40))
        return sorai_exec_fail(x, SORA_E_INVALID, "rope: the grid is too large");
    const int64_t shape[] = {length, d / 2, 2};
    const size_t row = (size_t)d * sizeof(float);
    size_t bytes;
    sora_tensor *out = NULL;
    float *values = NULL, *axes = NULL;
    if (!sorai_mul_ok((size_t)length, row, &bytes) || !(values = sorai_alloc(x->mem, bytes)) ||
        !(axes = sorai_alloc(x->mem, (size_t)(t + h + w) * row))) {
        sorai_exec_fail(x, SORA_E_NOMEM, "rope: no memory for a table of %lld rows", (long long)length);
        goto done;
    }
    float *const at = axes, *const ah = at + t * time, *const aw = ah + h * side;
    rope_axis(at, t0, t, time, 1.0);
    rope_axis(ah, 0, h, side, step);
    rope_axis(aw, 0, w, side, step);
    float *to = values;
    for (int64_t i = 0; i < t; i++)
        for (int64_t j = 0; j < h; j++)
            for (int64_t k = 0; k < w; k++, to += d) {
                memcpy(to, at + i * time, (size_t)time * sizeof *to);
                memcpy(to + time, ah + j * side, (size_t)side * sizeof *to);
                memcpy(to + time + side, aw + k * side, (size_t)side * sizeof *to);
            }
    out = sorai_upload(x, SORA_DTYPE_F32, 3, shape, values);
done:
    sorai_free(x->mem, axes);
    sorai_free(x->mem, values);
    return out;
}
