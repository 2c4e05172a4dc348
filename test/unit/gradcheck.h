/* Gradients of operations and networks against central differences.
 *
 *     static sora_tensor *build(sorai_exec *x, sora_tensor *const *in, sorai_param *const *p, const void *user) { return sorai_linear(...); }
 *     gradcheck g;
 *     gradcheck_begin(&g, build, NULL);
 *     gradcheck_input(&g, 2, (int64_t[]){3, 4}, 1.0);           random in +-1.0; in[0]
 *     gradcheck_param(&g, "w", 2, (int64_t[]){5, 4}, 1.0);      p[0]
 *     gradcheck_run(&g, 1e-3, 1e-4);                            step of the differences, allowed squared error of each gradient
 *     gradcheck_end(&g);
 *
 * The scalar is the dot product of build's result with fixed weights. Where the function is linear in its inputs a large step (0.5) is
 * exact and shows errors down to rounding. */
#ifndef GRADCHECK_H
#define GRADCHECK_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/backend/context.h"
#include "lib/ops/ops.h"

#define GRADCHECK_MAX 8

typedef sora_tensor *gradcheck_build(sorai_exec *x, sora_tensor *const *in, sorai_param *const *p, const void *user);

typedef struct gradcheck {
    gradcheck_build *build;
    const void *user;
    sora_context *context;
    sorai_store store;
    int32_t product;
    int inputs, params;
    int32_t rank[GRADCHECK_MAX];
    int64_t shape[GRADCHECK_MAX][SORA_MAX_RANK], count[GRADCHECK_MAX];
    float *values[GRADCHECK_MAX], *grads[GRADCHECK_MAX]; /* of inputs */
    int no_grad[GRADCHECK_MAX];
    sorai_param *param[GRADCHECK_MAX];
    int most;       /* elements checked per tensor (spread evenly); 0: all */
    uint32_t state;
} gradcheck;

static inline double gradcheck_uniform(gradcheck *g) { /* in -1..1 */
    g->state = g->state * 1664525u + 1013904223u;
    return (double)(g->state >> 8) / (double)(1u << 23) - 1.0;
}

static inline void gradcheck_begin_threads(gradcheck *g, gradcheck_build *build, const void *user, int threads) {
    const sorai_context_config config = {.threads = threads};
    memset(g, 0, sizeof *g);
    g->build = build;
    g->user = user;
    g->state = 4711;
    g->product = SORA_DTYPE_F32;
    ck_assert_int_eq(sorai_context_create(&g->context, &config, NULL), SORA_OK);
    ck_assert_int_eq(sorai_store_init(&g->store, &g->context->mem, sorai_context_device(g->context, NULL)), SORA_OK);
    g->store.trainable = 1;
}

static inline void gradcheck_begin(gradcheck *g, gradcheck_build *build, const void *user) {
    gradcheck_begin_threads(g, build, user, 2);
}

static inline int gradcheck_input(gradcheck *g, int32_t rank, const int64_t *shape, double range) {
    const int i = g->inputs++;
    g->rank[i] = rank;
    g->count[i] = 1;
    for (int32_t a = 0; a < rank; a++)
        g->count[i] *= g->shape[i][a] = shape[a];
    g->values[i] = malloc((size_t)g->count[i] * sizeof(float));
    g->grads[i] = calloc((size_t)g->count[i], sizeof(float));
    for (int64_t k = 0; k < g->count[i]; k++)
        g->values[i][k] = (float)(range * gradcheck_uniform(g));
    return i;
}

static inline sorai_param *gradcheck_param(gradcheck *g, const char *name, int32_t rank, const int64_t *shape, double range) {
    sorai_param *p;
    ck_assert_int_eq(sorai_store_get(&g->store, &p, name, rank, shape, SORAI_INIT_ZERO, 0, NULL), SORA_OK);
    float *v = p->value->data;
    for (int64_t k = 0; k < sorai_tensor_count(p->value); k++)
        v[k] = (float)(range * gradcheck_uniform(g));
    p->version++;
    return g->param[g->params++] = p;
}

/* The scalar; with grads set also all gradients. *out (may be NULL) gets a malloc'd copy of build's result. */
static inline double gradcheck_value(gradcheck *g, int grads, float **out, int64_t *out_count) {
    sorai_exec x;
    sorai_tape tape = {NULL, 0};
    sora_tensor *in[GRADCHECK_MAX] = {NULL};
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(g->context, NULL), &g->context->mem, g->product, NULL), SORA_OK);
    if (grads)
        x.tape = &tape;
    for (int i = 0; i < g->inputs; i++) {
        in[i] = sorai_upload(&x, SORA_DTYPE_F32, g->rank[i], g->shape[i], g->values[i]);
        in[i]->needs_grad = grads && !g->no_grad[i];
    }
    sora_tensor *const y = g->build(&x, in, g->param, g->user);
    ck_assert_msg(y != NULL, "%s", x.error.message);
    const int64_t n = sorai_tensor_count(y);
    float *const values = malloc((size_t)n * sizeof *values), *const weights = malloc((size_t)n * sizeof *weights);
    ck_assert_int_eq(sorai_download(&x, y, values), SORA_OK);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        weights[i] = (float)sin(1.0 + 0.7 * (double)i);
        sum += (double)values[i] * (double)weights[i];
    }
    if (grads) {
        ck_assert(y->needs_grad);
        ck_assert_int_eq(sorai_store_zero_grad(&g->store), SORA_OK);
        sorai_tape_backward_from(&x, &tape, y, sorai_upload(&x, SORA_DTYPE_F32, y->rank, y->shape, weights));
        ck_assert_msg(x.status == SORA_OK, "%s", x.error.message);
        for (int i = 0; i < g->inputs; i++)
            if (!g->no_grad[i]) {
                ck_assert_msg(in[i]->grad != NULL, "input %d got no gradient", i);
                ck_assert_int_eq(sorai_download(&x, in[i]->grad, g->grads[i]), SORA_OK);
            }
    }
    free(weights);
    if (out)
        *out = values;
    else
        free(values);
    if (out_count)
        *out_count = n;
    sorai_exec_release(&x);
    return sum;
}

static inline void gradcheck_tensor(gradcheck *g, const char *what, float *values, const float *grads, int64_t n, uint64_t *version,
                                    double step, double limit) {
    double d2 = 0, r2 = 0;
    const int64_t stride = g->most > 0 && n > g->most ? n / g->most : 1;
    for (int64_t k = 0; k < n; k += stride) {
        const float was = values[k], up = (float)((double)was + step), down = (float)((double)was - step);
        values[k] = up;
        *version += 1;
        const double high = gradcheck_value(g, 0, NULL, NULL);
        values[k] = down;
        *version += 1;
        const double want = (high - gradcheck_value(g, 0, NULL, NULL)) / ((double)up - (double)down);
        values[k] = was;
        *version += 1;
        d2 += ((double)grads[k] - want) * ((double)grads[k] - want);
        r2 += want * want;
    }
    ck_assert_msg(r2 > 0, "%s: all differences are zero", what);
    ck_assert_msg(d2 <= limit * r2, "%s: squared error %g of the gradient's, allowed %g", what, d2 / r2, limit);
}

static inline void gradcheck_run(gradcheck *g, double step, double limit) {
    uint64_t none = 0;
    gradcheck_value(g, 1, NULL, NULL);
    for (int i = 0; i < g->inputs; i++) {
        char what[32];
        snprintf(what, sizeof what, "input %d", i);
        if (!g->no_grad[i])
            gradcheck_tensor(g, what, g->values[i], g->grads[i], g->count[i], &none, step, limit);
    }
    for (int i = 0; i < g->params; i++) {
        sorai_param *const p = g->param[i];
        const int64_t n = sorai_tensor_count(p->value);
        float *const grad = malloc((size_t)n * sizeof *grad);
        memcpy(grad, p->grad->data, (size_t)n * sizeof *grad);
        gradcheck_tensor(g, p->name, p->value->data, grad, n, &p->version, step, limit);
        free(grad);
    }
}

static inline void gradcheck_end(gradcheck *g) {
    for (int i = 0; i < g->inputs; i++) {
        free(g->values[i]);
        free(g->grads[i]);
    }
    sorai_store_release(&g->store);
    sorai_context_unref(&g->context);
}

#endif
