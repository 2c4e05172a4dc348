#include <math.h>

#include "kernels/attention/attention.h"

/* An input of a product, as the row's type sees it. */
static double in(float x, int bf16) {
    return bf16 ? (double)sorak_bf16_to_f32(sorak_f32_to_bf16(x)) : (double)x;
}

static const float *at(const float *base, const int64_t stride[3], int64_t b, int64_t row, int64_t h) {
    return base + b * stride[0] + row * stride[1] + h * stride[2];
}

static double dot(const float *a, const float *b, int64_t n, int bf16) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += in(a[i], bf16) * in(b[i], bf16);
    return sum;
}

static double score(const sorak_attention_args *a, int64_t b, int64_t h, int64_t i, int64_t j, int bf16) {
    double s = (double)a->scale * dot(at(a->q, a->q_stride, b, i, h), at(a->k, a->k_stride, b, j, h), a->d, bf16);
    if (a->bias)
        s += (double)a->bias[(h * a->lq + i) * a->lk + j];
    return s;
}

static int takes(const sorak_attention_args *a) {
    return a->d >= 1 && a->d <= SORAK_ATTENTION_MAX_D && a->lk >= 1;
}

static int forward(const sorak_attention_args *a, const sorak_env *env, int bf16) {
    if (!takes(a) || a->lk > (int64_t)(SORAK_SCRATCH / sizeof(double)))
        return -1;
    double *const p = env->scratch;
    for (int64_t u = env->begin; u < env->end; u++) {
        const sorak_attention_part part = sorak_attention_unit(u, a->heads, a->lq, a->d);
        const int64_t b = part.b, h = part.h, keys = sorak_attention_keys(a, b);
        for (int64_t i = part.begin; i < part.end; i++) {
            double max = -INFINITY, sum = 0;
            for (int64_t j = 0; j < keys; j++) {
                p[j] = score(a, b, h, i, j, bf16);
                if (p[j] > max)
                    max = p[j];
            }
            for (int64_t j = 0; j < keys; j++)
                sum += p[j] = exp(p[j] - max);
            for (int64_t c = 0; c < a->d; c++) {
                double acc = 0;
                for (int64_t j = 0; j < keys; j++)
                    acc += p[j] * in(at(a->v, a->v_stride, b, j, h)[c], bf16);
                const int64_t at = ((b * a->lq + i) * a->heads + h) * a->d + c;
                if (a->out_bf16)
                    ((uint16_t *)a->out)[at] = sorak_f32_to_bf16((float)(acc / sum));
                else
                    ((float *)a->out)[at] = (float)(acc / sum);
            }
            if (a->lse)
                a->lse[(b * a->heads + h) * a->lq + i] = (float)(max + log(sum));
        }
    }
    return 0;
}

/* The gradient of the score (i, j); *p gets the probability. */
static double score_grad(const sorak_attention_bwd_args *g, int64_t b, int64_t h, int64_t i, int64_t j, int bf16, double *p) {
    const sorak_attention_args *a = &g->fwd;
    const int64_t row = (b * a->heads + h) * a->lq + i;
    *p = exp(score(a, b, h, i, j, bf16) - (double)a->lse[row]);
    const double dp = dot(g->dout + ((b * a->lq + i) * a->heads + h) * a->d, at(a->v, a->v_stride, b, j, h), a->d, bf16);
    return *p * (dp - (double)g->delta[row]);
}

static int backward_dq(const sorak_attention_bwd_args *g, const sorak_env *env, int bf16) {
    const sorak_attention_args *a = &g->fwd;
    if (!takes(a))
        return -1;
    double *const acc = env->scratch;
    for (int64_t u = env->begin; u < env->end; u++) {
        const sorak_attention_part part = sorak_attention_unit(u, a->heads, a->lq, a->d);
        const int64_t h = part.h, b0 = part.b, b1 = g->dbias ? a->batch : b0 + 1;
        for (int64_t i = part.begin; i < part.end; i++) {
            for (int64_t j = 0; g->dbias && j < a->lk; j++)
                g->dbias[(h * a->lq + i) * a->lk + j] = 0.0f;
            for (int64_t b = b0; b < b1; b++) {
                const int64_t row = ((b * a->lq + i) * a->heads + h) * a->d;
                g->delta[(b * a->heads + h) * a->lq + i] = (float)dot(g->dout + row, (const float *)a->out + row, a->d, 0);
                for (int64_t c = 0; c < a->d; c++)
                    acc[c] = 0;
                for (int64_t j = 0; j < sorak_attention_keys(a, b); j++) {
                    double p;
                    const double ds = score_grad(g, b, h, i, j, bf16, &p);
                    const float *const k = at(a->k, a->k_stride, b, j, h);
                    for (int64_t c = 0; c < a->d; c++)
                        acc[c] += ds * in(k[c], bf16);
                    if (g->dbias)
                        g->dbias[(h * a->lq + i) * a->lk + j] += (float)ds;
                }
                for (int64_t c = 0; c < a->d; c++)
                    g->dq[row + c] = (float)((double)a->scale * acc[c]);
            }
        }
    }
    return 0;
}

static int backward_dkv(const sorak_attention_bwd_args *g, const sorak_env *env, int bf16) {
    const sorak_attention_args *a = &g->fwd;
    if (!takes(a))
        return -1;
    double *const dk = env->scratch, *const dv = dk + SORAK_ATTENTION_MAX_D;
    for (int64_t u = env->begin; u < env->end; u++) {
        const sorak_attention_part part = sorak_attention_unit(u, a->heads, a->lk, a->d);
        const int64_t b = part.b, h = part.h, keys = sorak_attention_keys(a, b);
        for (int64_t j = part.begin; j < part.end; j++) {
            for (int64_t c = 0; c < a->d; c++)
                dk[c] = dv[c] = 0;
            for (int64_t i = 0; i < a->lq && j < keys; i++) {
                double p;
                const double ds = score_grad(g, b, h, i, j, bf16, &p);
                const float *const q = at(a->q, a->q_stride, b, i, h);
                const float *const dout = g->dout + ((b * a->lq + i) * a->heads + h) * a->d;
                for (int64_t c = 0; c < a->d; c++) {
                    dk[c] += ds * in(q[c], bf16);
                    dv[c] += p * in(dout[c], bf16);
                }
            }
            const int64_t row = ((b * a->lk + j) * a->heads + h) * a->d;
            for (int64_t c = 0; c < a->d; c++) {
                g->dk[row + c] = (float)((double)a->scale * dk[c]);
                g->dv[row + c] = (float)dv[c];
            }
        }
    }
    return 0;
}

int sorak_attention_f32_ref(const void *args, const sorak_env *env) { return forward(args, env, 0); }
int sorak_attention_bf16_ref(const void *args, const sorak_env *env) { return forward(args, env, 1); }
int sorak_attention_bwd_dq_f32_ref(const void *args, const sorak_env *env) { return backward_dq(args, env, 0); }
int sorak_attention_bwd_dq_bf16_ref(const void *args, const sorak_env *env) { return backward_dq(args, env, 1); }
int sorak_attention_bwd_dkv_f32_ref(const void *args, const sorak_env *env) { return backward_dkv(args, env, 0); }
int sorak_attention_bwd_dkv_bf16_ref(const void *args, const sorak_env *env) { return backward_dkv(args, env, 1); }
