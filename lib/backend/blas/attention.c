/* Attention as products of blocks of queries with tiles of keys: scores stand in scratch memory, a running maximum and
 * sum per query. */
#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "lib/backend/blas/blas.h"

#define TILE 1024 /* keys at a time */

typedef struct attention {
    const sorai_host_device *dev;
    const sorak_attention_args *a;
    const sorak_attention_bwd_args *g;
} attention;

/* c[m, n] = scale a b + beta c: a is [m, k] or, transposed, [k, m]; b is [k, n] or, transposed, [n, k]. */
static void product(int a_turned, int b_turned, int64_t m, int64_t n, int64_t k, float scale, const float *a,
                    int64_t lda, const float *b, int64_t ldb, float beta, float *c, int64_t ldc) {
    cblas_sgemm(CblasRowMajor, a_turned ? CblasTrans : CblasNoTrans, b_turned ? CblasTrans : CblasNoTrans, (blasint)m,
                (blasint)n, (blasint)k, scale, a, (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}

static const float *row_of(const float *base, const int64_t stride[3], int64_t b, int64_t row, int64_t h) {
    return base + b * stride[0] + row * stride[1] + h * stride[2];
}

/* s[m, TILE] of queries i0 .. i0 + m - 1 and keys j0 .. j0 + n - 1. */
static void scores(const sorak_attention_args *a, int64_t b, int64_t h, int64_t i0, int64_t m, int64_t j0, int64_t n,
                   float *s) {
    product(0, 1, m, n, a->d, a->scale, row_of(a->q, a->q_stride, b, i0, h), a->q_stride[1],
            row_of(a->k, a->k_stride, b, j0, h), a->k_stride[1], 0.0f, s, TILE);
    for (int64_t i = 0; i < m && a->bias; i++) {
        const float *const bias = a->bias + (h * a->lq + i0 + i) * a->lk + j0;
        for (int64_t j = 0; j < n; j++) s[i * TILE + j] += bias[j];
    }
}

static void forward_item(void *arg, int64_t unit, uint32_t worker) {
    const attention *const l = arg;
    const sorak_attention_args *const a = l->a;
    const sorak_attention_part part = sorak_attention_unit(unit, a->heads, a->lq, a->d);
    const int64_t b = part.b, h = part.h, m = part.end - part.begin, keys = sorak_attention_keys(a, b),
                  ld = a->heads * a->d;
    float *const out = (float *)a->out + ((b * a->lq + part.begin) * a->heads + h) * a->d;
    float *const s = l->dev->scratch[worker];
    float max[SORAK_ATTENTION_BLOCK];
    double sum[SORAK_ATTENTION_BLOCK];
    for (int64_t i = 0; i < m; i++) {
        max[i] = -INFINITY;
        sum[i] = 0;
    }
    for (int64_t j0 = 0; j0 < keys; j0 += TILE) {
        const int64_t n = keys - j0 < TILE ? keys - j0 : TILE;
        scores(a, b, h, part.begin, m, j0, n, s);
        for (int64_t i = 0; i < m; i++) {
            float *const p = s + i * TILE, old = max[i];
            for (int64_t j = 0; j < n; j++) max[i] = p[j] > max[i] ? p[j] : max[i];
            /* All scores -inf so far: their differences are no numbers. */
            const float least = max[i] == -INFINITY ? 0.0f : max[i], keep = expf(old - least);
            sum[i] *= (double)keep;
            for (int64_t j = 0; j < n; j++) {
                p[j] = expf(p[j] - least);
                sum[i] += (double)p[j];
            }
            for (int64_t c = 0; c < a->d && j0 > 0; c++) out[i * ld + c] *= keep;
        }
        product(0, 0, m, a->d, n, 1.0f, s, TILE, row_of(a->v, a->v_stride, b, j0, h), a->v_stride[1],
                j0 > 0 ? 1.0f : 0.0f, out, ld);
    }
    for (int64_t i = 0; i < m; i++) {
        const float inverse = (float)(1.0 / sum[i]);
        for (int64_t c = 0; c < a->d; c++) out[i * ld + c] *= inverse;
        if (a->lse) a->lse[(b * a->heads + h) * a->lq + part.begin + i] = (float)((double)max[i] + log(sum[i]));
    }
}

/* p[m, TILE] = the probabilities of queries i0 .. and keys j0 .., ds[m, TILE] = the gradients of their scores. */
static void score_gradients(const sorak_attention_bwd_args *g, int64_t b, int64_t h, int64_t i0, int64_t m, int64_t j0,
                            int64_t n, float *p, float *ds) {
    const sorak_attention_args *const a = &g->fwd;
    const int64_t ld = a->heads * a->d, at = (b * a->heads + h) * a->lq + i0;
    scores(a, b, h, i0, m, j0, n, p);
    product(0, 1, m, n, a->d, 1.0f, g->dout + ((b * a->lq + i0) * a->heads + h) * a->d, ld,
            row_of(a->v, a->v_stride, b, j0, h), a->v_stride[1], 0.0f, ds, TILE);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            p[i * TILE + j] = expf(p[i * TILE + j] - a->lse[at + i]);
            ds[i * TILE + j] = p[i * TILE + j] * (ds[i * TILE + j] - g->delta[at + i]);
        }
}

static void dq_item(void *arg, int64_t unit, uint32_t worker) {
    const attention *const l = arg;
    const sorak_attention_bwd_args *const g = l->g;
    const sorak_attention_args *const a = &g->fwd;
    const sorak_attention_part part = sorak_attention_unit(unit, a->heads, a->lq, a->d);
    const int64_t h = part.h, i0 = part.begin, m = part.end - i0, ld = a->heads * a->d;
    float *const p = l->dev->scratch[worker], *const ds = p + SORAK_ATTENTION_BLOCK * TILE;
    float *const dbias = g->dbias ? g->dbias + (h * a->lq + i0) * a->lk : NULL;
    if (dbias) memset(dbias, 0, (size_t)(m * a->lk) * sizeof *dbias);
    for (int64_t b = part.b; b < (dbias ? a->batch : part.b + 1); b++) {
        const int64_t row = ((b * a->lq + i0) * a->heads + h) * a->d, keys = sorak_attention_keys(a, b);
        for (int64_t i = 0; i < m; i++) {
            double sum = 0;
            for (int64_t c = 0; c < a->d; c++)
                sum += (double)g->dout[row + i * ld + c] * (double)((const float *)a->out)[row + i * ld + c];
            g->delta[(b * a->heads + h) * a->lq + i0 + i] = (float)sum;
        }
        for (int64_t j0 = 0; j0 < keys; j0 += TILE) {
            const int64_t n = keys - j0 < TILE ? keys - j0 : TILE;
            score_gradients(g, b, h, i0, m, j0, n, p, ds);
            product(0, 0, m, a->d, n, a->scale, ds, TILE, row_of(a->k, a->k_stride, b, j0, h), a->k_stride[1],
                    j0 > 0 ? 1.0f : 0.0f, g->dq + row, ld);
            for (int64_t i = 0; i < m && dbias; i++)
                for (int64_t j = 0; j < n; j++) dbias[i * a->lk + j0 + j] += ds[i * TILE + j];
        }
    }
}

/* Here keys are the block, and as many queries are taken at a time. */
static void dkv_item(void *arg, int64_t unit, uint32_t worker) {
    const attention *const l = arg;
    const sorak_attention_bwd_args *const g = l->g;
    const sorak_attention_args *const a = &g->fwd;
    const sorak_attention_part part = sorak_attention_unit(unit, a->heads, a->lk, a->d);
    const int64_t b = part.b, h = part.h, keys = sorak_attention_keys(a, b), ld = a->heads * a->d;
    const int64_t end = part.end < keys ? part.end : keys, n = end - part.begin;
    const int64_t row = ((b * a->lk + part.begin) * a->heads + h) * a->d, step = SORAK_ATTENTION_BLOCK;
    float *const p = l->dev->scratch[worker], *const ds = p + SORAK_ATTENTION_BLOCK * TILE;
    for (int64_t j = n > 0 ? n : 0; j < part.end - part.begin; j++) {
        memset(g->dk + row + j * ld, 0, (size_t)a->d * sizeof *g->dk);
        memset(g->dv + row + j * ld, 0, (size_t)a->d * sizeof *g->dv);
    }
    for (int64_t i0 = 0; i0 < a->lq && n > 0; i0 += step) {
        const int64_t m = a->lq - i0 < step ? a->lq - i0 : step;
        const float *const dout = g->dout + ((b * a->lq + i0) * a->heads + h) * a->d;
        score_gradients(g, b, h, i0, m, part.begin, n, p, ds);
        product(1, 0, n, a->d, m, a->scale, ds, TILE, row_of(a->q, a->q_stride, b, i0, h), a->q_stride[1],
                i0 > 0 ? 1.0f : 0.0f, g->dk + row, ld);
        product(1, 0, n, a->d, m, 1.0f, p, TILE, dout, ld, i0 > 0 ? 1.0f : 0.0f, g->dv + row, ld);
    }
}

/* Distances that sgemm takes. */
static int takes(const sorak_attention_args *a) {
    return a->d >= 1 && a->d <= SORAK_ATTENTION_MAX_D && a->lq >= 1 && a->lk >= 1 && a->heads >= 1 &&
           a->heads <= INT_MAX / a->d && a->q_stride[1] >= a->d && a->q_stride[1] <= INT_MAX &&
           a->k_stride[1] >= a->d && a->k_stride[1] <= INT_MAX && a->v_stride[1] >= a->d && a->v_stride[1] <= INT_MAX &&
           a->scale != 0.0f;
}

int sorai_blas_attention(sorai_host_device *dev, const sorak_attention_args *a) {
    attention l = {dev, a, NULL};
    if (!takes(a) || a->out_bf16) return 0;
    sorai_pool_run(dev->pool, forward_item, &l, sorak_attention_units(a));
    return 1;
}

int sorai_blas_attention_dq(sorai_host_device *dev, const sorak_attention_bwd_args *g) {
    attention l = {dev, &g->fwd, g};
    if (!takes(&g->fwd)) return 0;
    sorai_pool_run(dev->pool, dq_item, &l, sorak_attention_bwd_dq_units(g));
    return 1;
}

int sorai_blas_attention_dkv(sorai_host_device *dev, const sorak_attention_bwd_args *g) {
    attention l = {dev, &g->fwd, g};
    if (!takes(&g->fwd)) return 0;
    sorai_pool_run(dev->pool, dkv_item, &l, sorak_attention_bwd_dkv_units(g));
    return 1;
}
