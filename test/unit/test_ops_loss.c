/* Losses and optimiser steps: values by formula, gradients against differences. */
#include "lib/ops/optim.h"
#include "test/unit/gradcheck.h"

enum what { MSE, MSE_WEIGHTED, L1, L1_WEIGHTED, DIFFERENCE, KL };

typedef struct data {
    enum what what;
    int32_t axis;
} data;

static sora_tensor *build(sorai_exec *x, sora_tensor *const *in, sorai_param *const *p, const void *user) {
    const data *d = user;
    (void)p;
    switch (d->what) {
    case MSE: return sorai_mse(x, in[0], in[1], NULL);
    case MSE_WEIGHTED: return sorai_mse(x, in[0], in[1], in[2]);
    case L1: return sorai_l1(x, in[0], in[1], NULL);
    case L1_WEIGHTED: return sorai_l1(x, in[0], in[1], in[2]);
    case DIFFERENCE: return sorai_difference_l1(x, in[0], in[1], d->axis);
    default: return sorai_kl(x, in[0], in[1]);
    }
}

static double formula(const gradcheck *g, const data *d, const int64_t *n) {
    const int64_t count = n[0] * n[1] * n[2], per = d->what == MSE_WEIGHTED || d->what == L1_WEIGHTED ? count / g->count[2] : 1;
    const float *a = g->values[0], *b = g->values[1];
    const int64_t pitch = d->axis == 0 ? n[1] * n[2] : d->axis == 1 ? n[2] : 1;
    double sum = 0;
    int64_t terms = 0;
    for (int64_t i = 0; i < count; i++) {
        const double u = (double)a[i], v = (double)b[i], w = g->inputs > 2 ? (double)g->values[2][i / per] : 1;
        switch (d->what) {
        case MSE: case MSE_WEIGHTED: sum += w * (u - v) * (u - v); terms++; break;
        case L1: case L1_WEIGHTED: sum += w * fabs(u - v); terms++; break;
        case KL: sum += 0.5 * (u * u + exp(v) - 1 - v); terms++; break;
        default:
            if (i / pitch % n[d->axis] + 1 == n[d->axis])
                break;
            sum += fabs((double)a[i + pitch] - u - ((double)b[i + pitch] - v));
            terms++;
        }
    }
    return sum / (double)terms;
}

static void loss_case(data d, const int64_t *n, int64_t weights, double step, double limit) {
    gradcheck g;
    float *y;
    int64_t count;
    gradcheck_begin(&g, build, &d);
    gradcheck_input(&g, 3, n, 2.0);
    gradcheck_input(&g, 3, n, 1.0);
    g.no_grad[1] = d.what != KL;
    if (weights) {
        gradcheck_input(&g, 1, &weights, 1.0);
        g.no_grad[2] = 1;
    }
    gradcheck_value(&g, 0, &y, &count);
    ck_assert_int_eq(count, 1);
    const double want = formula(&g, &d, n);
    ck_assert_double_eq_tol((double)y[0], want, 2e-6 * fmax(1, fabs(want)));
    free(y);
    g.most = 60;
    gradcheck_run(&g, step, limit);
    gradcheck_end(&g);
}

START_TEST(losses) {
    const int64_t small[3] = {2, 3, 5}, large[3] = {3, 50, 70};
    loss_case((data){MSE, 0}, small, 0, 0.1, 1e-8);
    loss_case((data){MSE_WEIGHTED, 0}, small, 6, 0.1, 1e-8);
    loss_case((data){MSE_WEIGHTED, 0}, small, 30, 0.1, 1e-8);
    loss_case((data){L1, 0}, small, 0, 1e-4, 1e-4);
    loss_case((data){L1_WEIGHTED, 0}, small, 2, 1e-4, 1e-4);
    loss_case((data){KL, 0}, small, 0, 1e-2, 1e-6);
    for (int32_t axis = 0; axis < 3; axis++)
        loss_case((data){DIFFERENCE, axis}, small, 0, 1e-4, 1e-4);
    /* several units: values only mean something here if the partial sums are all there */
    loss_case((data){MSE, 0}, large, 0, 1.0, 1e-2);
    loss_case((data){MSE_WEIGHTED, 0}, large, 3, 1.0, 1e-2);
    loss_case((data){DIFFERENCE, 1}, large, 0, 0.02, 2e-1);
}
END_TEST

/* Through the tape's own entry, with a scale. */
START_TEST(backward) {
    gradcheck g;
    gradcheck_begin(&g, build, NULL);
    sorai_exec x;
    sorai_tape tape = {NULL, 0};
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(g.context, NULL), &g.context->mem, SORA_DTYPE_F32, NULL), SORA_OK);
    const float u[4] = {1, 2, 3, 4}, v[4] = {0, 0, 1, 5};
    sora_tensor *a = sorai_upload(&x, SORA_DTYPE_F32, 1, (int64_t[]){4}, u), *b = sorai_upload(&x, SORA_DTYPE_F32, 1, (int64_t[]){4}, v);
    a->needs_grad = 1;
    x.tape = &tape;
    sora_tensor *loss = sorai_add(&x, sorai_mse(&x, a, b, NULL), sorai_l1(&x, a, b, NULL));
    sorai_tape_backward(&x, &tape, loss, 8.0);
    ck_assert_int_eq(x.status, SORA_OK);
    float grad[4], value;
    sorai_download(&x, loss, &value);
    sorai_download(&x, a->grad, grad);
    ck_assert_float_eq(value, 10.0f / 4 + 6.0f / 4);
    const float want[4] = {4 + 2, 8 + 2, 8 + 2, -4 - 2};
    for (int i = 0; i < 4; i++)
        ck_assert_float_eq(grad[i], want[i]);
    ck_assert_ptr_null(sorai_mse(&x, a, NULL, NULL));
    ck_assert_ptr_null(sorai_mse(&x, a, b, sorai_temp(&x, 1, (int64_t[]){3})));
    ck_assert_int_eq(sorai_exec_finish(&x, NULL), SORA_E_INVALID);
    ck_assert_ptr_null(sorai_difference_l1(&x, a, b, 1));
    ck_assert_int_eq(sorai_exec_finish(&x, NULL), SORA_E_INVALID);
    sorai_exec_release(&x);
    gradcheck_end(&g);
}
END_TEST

START_TEST(adamw) {
    enum { N = 5000 };
    gradcheck g;
    gradcheck_begin(&g, build, NULL);
    sorai_exec x;
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(g.context, NULL), &g.context->mem, SORA_DTYPE_F32, NULL), SORA_OK);
    const int64_t n = N;
    static float values[N], zero[N], grad[N];
    static double p[N], m[N], v[N], ema[N];
    for (int i = 0; i < N; i++) {
        values[i] = (float)gradcheck_uniform(&g);
        p[i] = ema[i] = (double)values[i];
        m[i] = v[i] = 0;
    }
    sora_tensor *tp = sorai_upload(&x, SORA_DTYPE_F32, 1, &n, values), *tm = sorai_upload(&x, SORA_DTYPE_F32, 1, &n, zero);
    sora_tensor *tv = sorai_upload(&x, SORA_DTYPE_F32, 1, &n, zero), *te = sorai_upload(&x, SORA_DTYPE_F32, 1, &n, values);
    sorai_adamw o = {.lr = 1e-2, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .decay = 0.1, .grad_scale = 0.5, .ema_decay = 0.9};
    for (o.step = 1; o.step <= 5; o.step++) {
        double sum = 0;
        for (int i = 0; i < N; i++) {
            grad[i] = (float)gradcheck_uniform(&g);
            const double d = 0.5 * (double)grad[i];
            sum += (double)grad[i] * (double)grad[i];
            m[i] = 0.9 * m[i] + 0.1 * d;
            v[i] = 0.99 * v[i] + 0.01 * d * d;
            p[i] -= 1e-2 * 0.1 * p[i];
            p[i] -= 1e-2 * m[i] / (1 - pow(0.9, (double)o.step)) / (sqrt(v[i] / (1 - pow(0.99, (double)o.step))) + 1e-8);
            ema[i] = 0.9 * ema[i] + 0.1 * p[i];
        }
        sora_tensor *tg = sorai_upload(&x, SORA_DTYPE_F32, 1, &n, grad);
        ck_assert_double_eq_tol(sorai_optim_sumsq(&x, (sora_tensor *[]){tg, NULL, tg}, 3), 2 * sum, 1e-6 * sum);
        sorai_optim_adamw(&x, &o, tp, tg, tm, tv, te);
    }
    static float got[N];
    ck_assert_int_eq(sorai_download(&x, tp, got), SORA_OK);
    for (int i = 0; i < N; i++)
        ck_assert_double_eq_tol((double)got[i], p[i], 1e-6);
    ck_assert_int_eq(sorai_download(&x, te, got), SORA_OK);
    for (int i = 0; i < N; i++)
        ck_assert_double_eq_tol((double)got[i], ema[i], 1e-6);
    sorai_exec_release(&x);
    gradcheck_end(&g);
}
END_TEST

/* The step's direction is nearly orthogonal: all singular values near one, and on the side of the gradient. */
static void muon_case(int32_t product, int64_t rows, int64_t cols) {
    gradcheck g;
    gradcheck_begin(&g, build, NULL);
    sorai_exec x;
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(g.context, NULL), &g.context->mem, product, NULL), SORA_OK);
    const int64_t n = rows * cols, shape[3] = {rows, cols / 2, 2}, small = rows < cols ? rows : cols;
    float *values = calloc((size_t)n, sizeof *values), *grad = malloc((size_t)n * sizeof *grad);
    for (int64_t i = 0; i < n; i++)
        grad[i] = (float)gradcheck_uniform(&g);
    sora_tensor *p = sorai_upload(&x, SORA_DTYPE_F32, 3, shape, values), *m = sorai_upload(&x, SORA_DTYPE_F32, 3, shape, values);
    sora_tensor *dp = sorai_upload(&x, SORA_DTYPE_F32, 3, shape, grad);
    const sorai_muon o = {.lr = 1, .momentum = 0.95, .decay = 0.5, .grad_scale = 1, .nesterov = 1};
    const sorai_exec_mark before = sorai_exec_here(&x);
    sorai_optim_muon(&x, &o, &(sorai_muon_item){p, dp, m, NULL}, 1);
    const sorai_exec_mark after = sorai_exec_here(&x);
    ck_assert_msg(x.status == SORA_OK, "%s", x.error.message);
    ck_assert_mem_eq(&before, &after, sizeof before);
    ck_assert_int_eq(sorai_download(&x, p, values), SORA_OK);
    const double size = sqrt(fmax(1, (double)rows / (double)cols));
    double along = 0, trace = 0;
    for (int64_t i = 0; i < n; i++)
        along -= (double)values[i] * (double)grad[i];
    ck_assert_double_gt(along, 0);
    /* u u^T (the smaller of both): eigenvalues within 0.4 .. 1.6, so the diagonal too, and their mean near one */
    for (int64_t i = 0; i < small; i++) {
        double sum = 0;
        for (int64_t k = 0; k < n / small; k++) {
            const double u = (double)(rows <= cols ? values[i * cols + k] : values[k * cols + i]) / size;
            sum += u * u;
        }
        ck_assert_double_gt(sum, 0.3);
        ck_assert_double_lt(sum, 1.7);
        trace += sum / (double)small;
    }
    ck_assert_double_gt(trace, 0.6);
    ck_assert_double_lt(trace, 1.4);
    free(values);
    free(grad);
    sorai_exec_release(&x);
    gradcheck_end(&g);
}

START_TEST(muon) {
    for (int i = 0; i < 2; i++) {
        const int32_t product = i ? SORA_DTYPE_BF16 : SORA_DTYPE_F32;
        muon_case(product, 12, 20);
        muon_case(product, 40, 6);
        muon_case(product, 8, 24000); /* more than one core is given */
        muon_case(product, 24000, 6);
    }
}
END_TEST

Suite *suite_ops_loss(void) {
    Suite *s = suite_create("ops_loss");
    TCase *t = tcase_create("all");
    tcase_add_test(t, losses);
    tcase_add_test(t, backward);
    tcase_add_test(t, adamw);
    tcase_add_test(t, muon);
    suite_add_tcase(s, t);
    return s;
}
