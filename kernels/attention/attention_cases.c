#include <math.h>
#include <stdio.h>

#include "kernels/attention/attention.h"
#include "kernels/cases.h"

sorak_case_fn sorak_cases_attention, sorak_cases_attention_bwd_dq, sorak_cases_attention_bwd_dkv;

typedef struct shape {
    int64_t batch, heads, lq, lk, d;
    int bias, lengths, fused, hot, bench; /* fused: q, k, v are slices of wider rows; hot: scores far apart */
} shape;

static const shape edges[] = {
    {1, 1, 1, 1, 1, 0, 0, 0, 0, 0},      {1, 1, 1, 1, 64, 1, 0, 0, 0, 0},    {1, 2, 3, 2, 5, 0, 0, 1, 0, 0},
    {2, 1, 16, 16, 64, 0, 0, 0, 0, 0},  {1, 2, 17, 33, 64, 1, 0, 0, 0, 0},  {2, 2, 64, 64, 32, 0, 1, 1, 0, 0},
    {1, 1, 65, 127, 63, 0, 0, 0, 0, 0}, {1, 1, 63, 129, 96, 1, 1, 0, 1, 0}, {2, 4, 40, 40, 64, 0, 0, 1, 1, 0},
    {1, 1, 130, 257, 128, 0, 0, 0, 0, 0}, {3, 1, 31, 300, 17, 1, 1, 1, 0, 0}, {1, 1, 20, 24, 384, 0, 0, 0, 0, 0},
    {1, 1, 70, 20, 1024, 0, 0, 0, 0, 0}, {1, 1, 1030, 35, 8, 0, 0, 0, 0, 0}, {1, 1, 9, 1041, 6, 0, 0, 0, 1, 0},
    {2, 3, 80, 64, 64, 0, 1, 0, 0, 0},
};
#define EDGES ((int64_t)(sizeof edges / sizeof *edges))
#define RANDOM 24

/* Training of a small model, its text, and the published models. The last ones are timed only. */
static const shape models[] = {
    {8, 4, 80, 80, 64, 0, 0, 0, 0, 0},      {2, 5, 320, 320, 64, 0, 0, 0, 0, 0},   {1, 5, 640, 640, 64, 0, 0, 0, 0, 0},
    {2, 5, 320, 48, 64, 0, 1, 0, 0, 0},     {8, 4, 32, 32, 64, 1, 1, 0, 0, 0},     {1, 4, 1280, 1280, 64, 0, 0, 0, 0, 0},
    {1, 12, 1280, 1280, 128, 0, 0, 0, 0, 0}, {1, 1, 1024, 1024, 384, 0, 0, 0, 0, 0}, {1, 1, 4096, 4096, 128, 0, 0, 0, 0, 0},
};
#define MODELS ((int64_t)(sizeof models / sizeof *models))

static int make_shape(sorak_maker *m, shape *s, int bench, int64_t index) {
    if (bench) {
        if (index >= MODELS)
            return 0;
        *s = models[index];
        s->bench = 1;
        return 1;
    }
    if (index >= EDGES + RANDOM)
        return 0;
    if (index < EDGES) {
        *s = edges[index];
        return 1;
    }
    s->bench = 0;
    s->batch = sorak_make_int(m, 1, 3);
    s->heads = sorak_make_int(m, 1, 3);
    s->lq = sorak_make_int(m, 1, 90);
    s->lk = sorak_make_int(m, 1, 160);
    s->d = sorak_make_int(m, 0, 1) ? sorak_make_int(m, 1, 100) : 8 * sorak_make_int(m, 1, 12);
    s->bias = (int)sorak_make_int(m, 0, 1);
    s->lengths = (int)sorak_make_int(m, 0, 1);
    s->fused = (int)sorak_make_int(m, 0, 1);
    s->hot = sorak_make_int(m, 0, 3) == 0;
    return 1;
}

/* Denormal inputs stall the processor: they belong to the checks, not to the times. */
static float *make_values(sorak_maker *m, const shape *s, int64_t count) {
    return s->bench ? sorak_make_f32_range(m, count, -1, 1) : sorak_make_f32(m, count);
}

/* A tensor [batch, rows, heads, d] that lies in rows of `parts` times its width. */
static const float *make_input(sorak_maker *m, const shape *s, int64_t rows, int64_t stride[3]) {
    const int64_t parts = s->fused ? 3 : 1, part = s->fused ? sorak_make_int(m, 0, 2) : 0;
    stride[2] = s->d;
    stride[1] = s->heads * s->d * parts;
    stride[0] = rows * stride[1];
    return make_values(m, s, s->batch * stride[0]) + part * s->heads * s->d;
}

static void make_forward(sorak_maker *m, const shape *s, sorak_attention_args *a) {
    a->batch = s->batch;
    a->heads = s->heads;
    a->lq = s->lq;
    a->lk = s->lk;
    a->d = s->d;
    a->q = make_input(m, s, s->lq, a->q_stride);
    a->k = make_input(m, s, s->lk, a->k_stride);
    a->v = make_input(m, s, s->lk, a->v_stride);
    a->scale = (float)((s->hot ? 20.0 : 2.0) / sqrt((double)s->d));
    if (s->bias)
        a->bias = sorak_make_f32_range(m, s->heads * s->lq * s->lk, -3, 3);
    if (s->lengths)
        a->k_lengths = sorak_make_i32(m, s->batch, 1, (int32_t)s->lk);
}

static void describe(sorak_case *c, const shape *s, const sorak_attention_args *a, double products, double tensors) {
    const double b = (double)s->batch, h = (double)s->heads, lq = (double)s->lq, lk = (double)s->lk, d = (double)s->d;
    for (int64_t i = 0; i < s->batch; i++)
        c->flops += 2 * products * h * lq * (double)sorak_attention_keys(a, i) * d;
    c->bytes = 4 * tensors * b * h * (lq + lk) * d;
    /* An error of the score is multiplied by the exponential; and a single delta may be the difference of large numbers. */
    c->tol_scale = s->hot || s->batch * s->lq < 8 ? 4 : 1;
    snprintf(c->text, sizeof c->text, "b=%d h=%d lq=%d lk=%d d=%d%s%s%s%s", (int)s->batch, (int)s->heads, (int)s->lq, (int)s->lk,
             (int)s->d, s->bias ? " bias" : "", s->lengths ? " lengths" : "", s->fused ? " fused" : "", s->hot ? " hot" : "");
}

int sorak_cases_attention(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    shape s;
    if (!make_shape(m, &s, bench, index))
        return 0;
    sorak_attention_args *const a = sorak_make_args(m, sizeof *a);
    make_forward(m, &s, a);
    a->out_bf16 = !bench && dtype == SK_DT_bf16 && index % 4 == 1;
    a->out = a->out_bf16 ? (void *)sorak_make_out_bf16(m, s.batch * s.lq * s.heads * s.d)
                         : (void *)sorak_make_out_f32(m, s.batch * s.lq * s.heads * s.d);
    if (index % 3 != 1)
        a->lse = sorak_make_out_f32(m, s.batch * s.heads * s.lq);
    c->args = a;
    c->units = sorak_attention_units(a);
    describe(c, &s, a, 2, 2);
    return 1;
}

/* `out` is any tensor here, so that the score gradients are no differences of equal numbers; lse is the true one, or near it where
 * that takes long. */
static sorak_attention_bwd_args *make_backward(sorak_maker *m, const shape *s, int dtype) {
    sorak_attention_bwd_args *const g = sorak_make_args(m, sizeof *g);
    const int64_t queries = s->batch * s->heads * s->lq;
    make_forward(m, s, &g->fwd);
    float *const lse = sorak_make_bytes(m, (size_t)queries * sizeof *lse);
    g->fwd.lse = lse;
    if (s->bench) {
        for (int64_t i = 0; i < queries; i++)
            lse[i] = (float)(log((double)s->lk) + sorak_make_real(m, 0, 0.3));
    } else {
        g->fwd.out = sorak_make_bytes(m, (size_t)(queries * s->d) * sizeof(float));
        sorak_make_run_ref(SK_OP_attention, dtype, &g->fwd, sorak_attention_units(&g->fwd));
    }
    sorak_make_input_done(m, lse);
    g->fwd.out = make_values(m, s, queries * s->d);
    g->dout = make_values(m, s, queries * s->d);
    return g;
}

int sorak_cases_attention_bwd_dq(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    shape s;
    if (!make_shape(m, &s, bench, index))
        return 0;
    sorak_attention_bwd_args *const g = make_backward(m, &s, dtype);
    g->delta = sorak_make_out_f32(m, s.batch * s.heads * s.lq);
    g->dq = sorak_make_out_f32(m, s.batch * s.lq * s.heads * s.d);
    if (s.bias)
        g->dbias = sorak_make_out_f32(m, s.heads * s.lq * s.lk);
    c->args = g;
    c->units = sorak_attention_bwd_dq_units(g);
    describe(c, &s, &g->fwd, 3, 3);
    return 1;
}

int sorak_cases_attention_bwd_dkv(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    shape s;
    if (!make_shape(m, &s, bench, index))
        return 0;
    sorak_attention_bwd_args *const g = make_backward(m, &s, dtype);
    g->delta = sorak_make_f32_range(m, s.batch * s.heads * s.lq, -0.5, 0.5);
    g->dk = sorak_make_out_f32(m, s.batch * s.lk * s.heads * s.d);
    g->dv = sorak_make_out_f32(m, s.batch * s.lk * s.heads * s.d);
    c->args = g;
    c->units = sorak_attention_bwd_dkv_units(g);
    describe(c, &s, &g->fwd, 4, 3);
    return 1;
}
