#include <math.h>
#include <stdio.h>

#include "kernels/cases.h"
#include "kernels/conv3d/conv3d.h"

sorak_case_fn sorak_cases_conv3d_prep, sorak_cases_conv3d_pack, sorak_cases_conv3d, sorak_cases_conv3d_dw;

static void *packed_out(sorak_maker *m, int dtype, size_t bytes) {
    return dtype == SK_DT_bf16 ? (void *)sorak_make_out_bf16(m, (int64_t)bytes / 2) : (void *)sorak_make_out_f32(m, (int64_t)bytes / 4);
}

int sorak_cases_conv3d_prep(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    sorak_conv3d_prep_args *a = sorak_make_args(m, sizeof *a);
    if (bench) {
        static const int64_t sizes[][6] = {{9, 64, 64, 64, 0}, {9, 64, 64, 64, 1}, {9, 128, 128, 16, 0}, {9, 128, 128, 16, 1}};
        if (index >= 4)
            return 0;
        a->b = 1;
        a->t = sizes[index][0];
        a->h = sizes[index][1];
        a->w = sizes[index][2];
        a->c = sizes[index][3];
        a->planar = sizes[index][4];
        a->front_t = 2;
        a->front_h = a->front_w = 1;
        a->tp = a->t + 2;
        a->hp = a->h + 2;
        a->wp = a->planar ? sorak_conv3d_dw_width(a->w + 2, a->w, 3, 1) : a->w + 2;
    } else {
        if (index >= 48)
            return 0;
        a->b = sorak_make_int(m, 1, 2);
        a->t = sorak_make_int(m, 1, 3);
        a->h = sorak_make_int(m, 1, 4);
        a->w = index % 4 == 1 ? sorak_make_int(m, 30, 50) : sorak_make_int(m, 1, 20);
        a->c = index % 3 == 0 ? sorak_make_int(m, 1, 5) : index % 3 == 1 ? sorak_make_int(m, 6, 70) : 16 * sorak_make_int(m, 1, 3);
        a->planar = index & 1 ? sorak_make_int(m, 1, 3) : 0;
        a->front_t = sorak_make_int(m, 0, 2);
        a->front_h = sorak_make_int(m, -1, 2);
        a->front_w = sorak_make_int(m, -1, 3);
        a->history_t = index % 5 == 3 ? a->front_t : 0;
        a->tp = a->front_t + a->t + sorak_make_int(m, 0, 1);
        a->hp = 1 + sorak_make_int(m, 0, 1) + a->h;
        a->wp = 1 + sorak_make_int(m, 0, 3) + a->w;
    }
    if (a->planar)
        a->wp = (a->wp + a->planar - 1) / a->planar * a->planar;
    a->cp = sorak_conv_channels(dtype, a->c);
    a->x = sorak_make_f32(m, a->b * a->t * a->h * a->w * a->c);
    a->history = a->history_t ? sorak_make_f32(m, a->b * a->history_t * a->h * a->w * a->c) : NULL;
    const size_t bytes = sorak_conv3d_prep_bytes(dtype, a);
    a->y = packed_out(m, dtype, bytes);
    c->args = a;
    c->units = sorak_conv3d_prep_units(a);
    c->bytes = (double)(a->b * a->t * a->h * a->w * a->c) * 4 + (double)bytes;
    snprintf(c->text, sizeof c->text, "%lldx%lldx%lldx%lld%s%s", (long long)a->t, (long long)a->h, (long long)a->w, (long long)a->c,
             a->planar ? " planar" : "", a->planar > 1 ? " by phases" : "");
    return 1;
}

int sorak_cases_conv3d_pack(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    sorak_conv3d_pack_args *a = sorak_make_args(m, sizeof *a);
    if (bench) {
        if (index >= 2)
            return 0;
        a->co = a->ci = 128;
        a->k[0] = a->k[1] = a->k[2] = 3;
        a->flip = (int32_t)index;
    } else {
        if (index >= 24)
            return 0;
        a->co = sorak_make_int(m, 1, 70);
        a->ci = sorak_make_int(m, 1, 40);
        for (int i = 0; i < 3; i++) {
            a->k[i] = sorak_make_int(m, 1, 4);
            a->every[i] = index % 4 < 2 ? 0 : sorak_make_int(m, 1, 3);
            a->from[i] = a->every[i] && a->k[i] > 1 ? sorak_make_int(m, 0, 1) : 0;
        }
        a->flip = (int32_t)(index & 1);
        a->src_dtype = (int32_t)(index % 3);
    }
    const int64_t count = a->co * a->ci * a->k[0] * a->k[1] * a->k[2];
    a->src = a->src_dtype == SK_DT_f32 ? (const void *)sorak_make_f32(m, count)
                                       : (const void *)(a->src_dtype == SK_DT_bf16 ? sorak_make_bf16(m, count) : sorak_make_f16(m, count));
    const size_t bytes = sorak_conv3d_packed_bytes(dtype, a);
    a->dst = packed_out(m, dtype, bytes);
    c->args = a;
    c->units = sorak_conv3d_pack_units(a);
    c->bytes = (double)count * 4 + (double)bytes;
    snprintf(c->text, sizeof c->text, "%lld -> %lld, %lldx%lldx%lld%s", (long long)a->ci, (long long)a->co, (long long)a->k[0],
             (long long)a->k[1], (long long)a->k[2], a->flip ? " flipped" : "");
    return 1;
}

/* Random geometry of a convolution: fills all but x, w, y of both structs. */
static void geometry(sorak_maker *m, int dtype, int64_t index, sorak_conv3d_args *a, int64_t *ci) {
    a->b = sorak_make_int(m, 1, 2);
    a->to = sorak_make_int(m, 1, 3);
    a->ho = sorak_make_int(m, 1, 5);
    a->wo = index % 3 == 0 ? sorak_make_int(m, 20, 60) : sorak_make_int(m, 1, 20);
    a->co = index % 4 == 0 ? sorak_make_int(m, 1, 16) : index % 4 == 1 ? 16 * sorak_make_int(m, 1, 6) : sorak_make_int(m, 17, 80);
    *ci = index % 5 == 0 ? sorak_make_int(m, 1, 4) : index % 5 == 1 ? 16 * sorak_make_int(m, 1, 3) : sorak_make_int(m, 1, 60);
    a->kt = sorak_make_int(m, 1, 3);
    a->kh = sorak_make_int(m, 1, 3);
    a->kw = sorak_make_int(m, 1, 3);
    a->st = index % 7 == 3 ? 2 : 1;
    a->sh = a->sw = index % 3 == 2 ? 2 : 1;
    a->tp = (a->to - 1) * a->st + a->kt;
    a->front_t = index % 2 ? sorak_make_int(m, -1, 2) : 0;
    a->tp = index % 2 ? sorak_make_int(m, 1, a->tp + 1) : a->tp;
    a->hp = (a->ho - 1) * a->sh + a->kh + sorak_make_int(m, 0, 1);
    a->wp = (a->wo - 1) * a->sw + a->kw + sorak_make_int(m, 0, 1);
    a->cp = sorak_conv_channels(dtype, *ci);
}

/* Sizes of autoencoders: t, h, w, ci, co, kt, k, stride. */
static const int64_t real_sizes[][8] = {{9, 64, 64, 64, 64, 3, 3, 1},  {9, 128, 128, 16, 16, 3, 3, 1}, {5, 16, 16, 128, 128, 3, 3, 1},
                                        {5, 32, 32, 64, 128, 3, 3, 1}, {9, 64, 64, 32, 32, 1, 3, 2},   {9, 64, 64, 64, 12, 3, 3, 1},
                                        {9, 64, 64, 32, 32, 3, 3, 1},  {1, 8, 8, 128, 128, 3, 3, 1},   {9, 64, 64, 64, 32, 1, 1, 1}};

static void real_geometry(int dtype, int64_t index, sorak_conv3d_args *a, int64_t *ci) {
    const int64_t *s = real_sizes[index];
    a->b = 1;
    a->st = 1;
    a->sh = a->sw = s[7];
    a->kt = s[5];
    a->kh = a->kw = s[6];
    a->to = s[0];
    a->ho = s[1] / s[7];
    a->wo = s[2] / s[7];
    *ci = s[3];
    a->co = s[4];
    a->tp = a->to + a->kt - 1;
    a->hp = s[1] + a->kh - 1;
    a->wp = s[2] + a->kw - 1;
    a->cp = sorak_conv_channels(dtype, *ci);
}

/* Denormals slow the processor down; they are not what is timed. */
static float *values(sorak_maker *m, int bench, int64_t count) {
    return bench ? sorak_make_f32_range(m, count, -1, 1) : sorak_make_f32(m, count);
}

static void *prepared(sorak_maker *m, int bench, int dtype, const sorak_conv3d_args *a, int64_t ci, int64_t wp, int64_t planar) {
    sorak_conv3d_prep_args *p = sorak_make_args(m, sizeof *p);
    p->b = a->b;
    p->t = p->tp = a->tp;
    p->h = p->hp = a->hp;
    p->w = a->wp;
    p->wp = wp;
    p->c = ci;
    p->cp = a->cp;
    p->planar = planar;
    p->x = values(m, bench, p->b * p->t * p->h * p->w * p->c);
    p->y = sorak_make_bytes(m, sorak_conv3d_prep_bytes(dtype, p));
    sorak_make_run_ref(SK_OP_conv3d_prep, dtype, p, sorak_conv3d_prep_units(p));
    sorak_make_input_done(m, p->y);
    return p->y;
}

static void describe(sorak_case *c, const sorak_conv3d_args *a, int64_t ci) {
    c->flops = 2.0 * (double)(a->b * a->to * a->ho * a->wo) * (double)(a->kt * a->kh * a->kw) * (double)(ci * a->co);
    c->bytes = 4.0 * (double)(a->b * a->to * a->ho * a->wo) * (double)(ci + a->co);
    c->tol_scale = 2 + sqrt((double)(a->kt * a->kh * a->kw * ci)) / 8;
    snprintf(c->text, sizeof c->text, "%lldx%lldx%lldx%lld, %lld -> %lld, %lldx%lldx%lld / %lld", (long long)a->b, (long long)a->to,
             (long long)a->ho, (long long)a->wo, (long long)ci, (long long)a->co, (long long)a->kt, (long long)a->kh, (long long)a->kw,
             (long long)a->sw);
}

int sorak_cases_conv3d(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    if (index >= (bench ? (int64_t)(sizeof real_sizes / sizeof *real_sizes) : 40))
        return 0;
    sorak_conv3d_args *a = sorak_make_args(m, sizeof *a);
    int64_t ci;
    if (bench)
        real_geometry(dtype, index, a, &ci);
    else
        geometry(m, dtype, index, a, &ci);
    a->x = prepared(m, bench, dtype, a, ci, a->wp, 0);
    sorak_conv3d_pack_args *p = sorak_make_args(m, sizeof *p);
    p->co = a->co;
    p->ci = ci;
    p->k[0] = a->kt;
    p->k[1] = a->kh;
    p->k[2] = a->kw;
    p->src = sorak_make_f32_range(m, a->co * ci * a->kt * a->kh * a->kw, -0.5, 0.5);
    p->dst = sorak_make_bytes(m, sorak_conv3d_packed_bytes(dtype, p));
    sorak_make_run_ref(SK_OP_conv3d_pack, dtype, p, sorak_conv3d_pack_units(p));
    sorak_make_input_done(m, p->dst);
    a->w = p->dst;
    a->bias = index & 1 ? sorak_make_f32(m, a->co) : NULL;
    int64_t count = a->b * a->to * a->ho * a->wo * a->co;
    if (!bench && index % 4 == 2) { /* every second position of every row of a larger array */
        a->y_step[3] = 2 * a->co;
        a->y_step[2] = a->wo * a->y_step[3] + a->co;
        a->y_step[1] = 2 * a->ho * a->y_step[2];
        a->y_step[0] = count = a->to * a->y_step[1];
        count *= a->b;
    }
    a->y = sorak_make_out_f32(m, count);
    c->args = a;
    c->units = sorak_conv3d_units(a);
    describe(c, a, ci);
    return 1;
}

int sorak_cases_conv3d_dw(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index) {
    if (index >= (bench ? (int64_t)(sizeof real_sizes / sizeof *real_sizes) : 40))
        return 0;
    sorak_conv3d_args g = {0};
    int64_t ci;
    if (bench)
        real_geometry(dtype, index, &g, &ci);
    else
        geometry(m, dtype, index, &g, &ci);
    sorak_conv3d_dw_args *a = sorak_make_args(m, sizeof *a);
    a->b = g.b;
    a->tp = g.tp;
    a->hp = g.hp;
    a->wp = sorak_conv3d_dw_width(g.wp, g.wo, g.kw, g.sw);
    a->ci = ci;
    a->to = g.to;
    a->ho = g.ho;
    a->wo = g.wo;
    a->co = g.co;
    a->kt = g.kt;
    a->kh = g.kh;
    a->kw = g.kw;
    a->st = g.st;
    a->sh = g.sh;
    a->sw = g.sw;
    a->front_t = g.front_t;
    a->x = prepared(m, bench, dtype, &g, ci, a->wp, g.sw);
    sorak_gemm_pack_args *p = sorak_make_args(m, sizeof *p);
    p->n = g.co;
    p->k = g.wo;
    p->segments = g.b * g.to * g.ho;
    p->n_stride = 1;
    p->k_stride = g.co;
    p->src = values(m, bench, p->segments * p->k * p->n);
    p->dst = sorak_make_bytes(m, sorak_gemm_packed_bytes(dtype, p->n, p->k, p->segments));
    sorak_make_run_ref(SK_OP_gemm_pack, dtype, p, sorak_gemm_pack_units(p));
    sorak_make_input_done(m, p->dst);
    a->dy = p->dst;
    a->chunks = bench ? sorak_conv3d_dw_chunks(a) : sorak_make_int(m, 1, 1 + (p->segments - 1) / 2);
    a->partial = sorak_make_out_f32(m, a->chunks * g.co * ci * g.kt * g.kh * g.kw);
    c->args = a;
    c->units = sorak_conv3d_dw_units(a);
    describe(c, &g, ci);
    if (bench)
        c->tol_scale = 10;
    return 1;
}
