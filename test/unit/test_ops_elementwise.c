/* Activations and element-wise operations: values against libm, gradients against differences. */
#include "test/unit/gradcheck.h"

enum what { ACT, CLAMP, EXP, ADD, MUL, AXPBY, SCALE, BROADCAST, SQUARE, TWICE, SHARED };

typedef struct data {
    enum what what;
    enum sorai_act act;
} data;

static sora_tensor *build(sorai_exec *x, sora_tensor *const *in, sorai_param *const *p, const void *user) {
    const data *d = user;
    switch (d->what) {
    case ACT: return sorai_act(x, in[0], d->act);
    case CLAMP: return sorai_clamp(x, in[0], -0.5, 0.75);
    case EXP: return sorai_exp(x, in[0]);
    case ADD: return sorai_add(x, in[0], in[1]);
    case MUL: return sorai_mul(x, in[0], in[1]);
    case AXPBY: return sorai_axpby(x, -1.5, in[0], 0.25, in[1]);
    case SCALE: return sorai_axpby(x, -1.5, in[0], 7.0, NULL);
    case SQUARE: return sorai_mul(x, in[0], in[0]);
    case TWICE: /* a tensor used in several places, one of them without change */
        return sorai_add(x, in[0], sorai_add(x, sorai_mul(x, in[0], in[1]), in[0]));
    case SHARED: { /* the gradient of a sum comes to both of its parts, and one of them gets more */
        sora_tensor *u = sorai_mul(x, in[0], in[1]), *v = sorai_mul(x, in[0], in[0]), *w = sorai_mul(x, u, u);
        return sorai_add(x, sorai_add(x, u, v), w);
    }
    default: return sorai_add_broadcast(x, in[0], sorai_param_tensor(x, p[0]));
    }
}

static double formula(const data *d, double a, double b) {
    switch (d->what) {
    case ACT:
        switch (d->act) {
        case SORAI_ACT_SILU: return a / (1 + exp(-a));
        case SORAI_ACT_GELU_TANH: return 0.5 * a * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (a + 0.044715 * a * a * a)));
        case SORAI_ACT_GELU: return 0.5 * a * (1 + erf(a / sqrt(2)));
        case SORAI_ACT_RELU: return fmax(a, 0);
        default: return a;
        }
    case CLAMP: return fmin(fmax(a, -0.5), 0.75);
    case EXP: return exp(a);
    case ADD: return a + b;
    case MUL: return a * b;
    case AXPBY: return -1.5 * a + 0.25 * b;
    case SCALE: return -1.5 * a;
    case SQUARE: return a * a;
    case TWICE: return 2 * a + a * b;
    case SHARED: return a * b + a * a + a * b * a * b;
    default: return a + b;
    }
}

static void run_case(data d, int inputs, double range, double step, double limit) {
    gradcheck g;
    float *y;
    int64_t count;
    double d2 = 0, r2 = 0;
    gradcheck_begin(&g, build, &d);
    for (int i = 0; i < inputs; i++)
        gradcheck_input(&g, 3, (int64_t[]){3, 5, 7}, range);
    gradcheck_value(&g, 0, &y, &count);
    ck_assert_int_eq(count, 105);
    for (int64_t i = 0; i < count; i++) {
        const double want = formula(&d, (double)g.values[0][i], inputs > 1 ? (double)g.values[1][i] : 0);
        d2 += pow((double)y[i] - want, 2);
        r2 += want * want;
    }
    ck_assert_msg(d2 <= 1e-12 * r2, "squared error %g", d2 / r2);
    free(y);
    gradcheck_run(&g, step, limit);
    gradcheck_end(&g);
}

START_TEST(activations) {
    for (enum sorai_act act = SORAI_ACT_SILU; act <= SORAI_ACT_GELU; act++)
        run_case((data){ACT, act}, 1, 3.0, 1e-2, 1e-6);
    run_case((data){ACT, SORAI_ACT_RELU}, 1, 1.0, 1e-5, 1e-3); /* small steps, so that none crosses a corner */
    run_case((data){CLAMP, 0}, 1, 1.0, 1e-5, 1e-3);
    run_case((data){EXP, 0}, 1, 3.0, 1e-2, 1e-6);
}
END_TEST

START_TEST(sums_and_products) {
    run_case((data){ADD, 0}, 2, 1.0, 0.5, 1e-9);
    run_case((data){MUL, 0}, 2, 1.0, 0.5, 1e-9);
    run_case((data){AXPBY, 0}, 2, 1.0, 0.5, 1e-9);
    run_case((data){SCALE, 0}, 1, 1.0, 0.5, 1e-9);
    run_case((data){SQUARE, 0}, 1, 1.0, 0.5, 1e-9);
    run_case((data){TWICE, 0}, 2, 1.0, 0.5, 1e-9);
    run_case((data){SHARED, 0}, 2, 1.0, 1e-2, 1e-6);
}
END_TEST

static void broadcast_case(int64_t rows, int64_t cols, int all) {
    const data d = {BROADCAST, 0};
    gradcheck g;
    float *y;
    gradcheck_begin(&g, build, &d);
    gradcheck_input(&g, 3, (int64_t[]){rows, cols, 3}, 1.0);
    const sorai_param *p = gradcheck_param(&g, "bias", 2, (int64_t[]){cols, 3}, 1.0);
    const float *b = p->value->data;
    gradcheck_value(&g, 0, &y, NULL);
    for (int64_t i = 0; i < rows * cols * 3; i++)
        ck_assert_float_eq(y[i], g.values[0][i] + b[i % (cols * 3)]);
    free(y);
    g.most = all ? 0 : 40;
    gradcheck_run(&g, 0.5, 1e-8);
    gradcheck_end(&g);
}

START_TEST(broadcast) {
    broadcast_case(4, 5, 1);
    broadcast_case(1, 2, 1);
    broadcast_case(2000, 4, 0); /* the sum over rows goes through chunks */
}
END_TEST

/* A trained parameter used twice gets both gradients; one that is not trained gets none and is not recorded. */
START_TEST(parameters) {
    gradcheck g;
    gradcheck_begin(&g, build, NULL);
    sorai_param *const p = gradcheck_param(&g, "p", 1, (int64_t[]){6}, 1.0);
    sorai_exec x;
    sorai_tape tape = {NULL, 0};
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(g.context, NULL), &g.context->mem, SORA_DTYPE_F32, NULL), SORA_OK);
    x.tape = &tape;
    sora_tensor *sum = sorai_add(&x, sorai_param_tensor(&x, p), sorai_axpby(&x, 3, sorai_param_tensor(&x, p), 0, NULL));
    const float ones[6] = {1, 1, 1, 1, 1, 1};
    x.tape = NULL;
    sum->grad = sorai_upload(&x, SORA_DTYPE_F32, 1, (int64_t[]){6}, ones);
    for (const sorai_node *node = tape.last; node; node = node->previous)
        if (node->out->grad)
            node->backward(&x, node);
    for (int i = 0; i < 6; i++)
        ck_assert_float_eq(((const float *)p->grad->data)[i], 4.0f);
    tape = (sorai_tape){NULL, 0};
    x.tape = &tape;
    p->trainable = 0;
    const sora_tensor *const frozen = sorai_axpby(&x, 2, sorai_param_tensor(&x, p), 0, NULL);
    ck_assert_ptr_nonnull(frozen);
    ck_assert_int_eq(frozen->needs_grad, 0);
    ck_assert_int_eq(tape.count, 0);
    sorai_exec_release(&x);
    gradcheck_end(&g);
}
END_TEST

START_TEST(refusals) {
    gradcheck g;
    gradcheck_begin(&g, build, NULL);
    sorai_exec x;
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(g.context, NULL), &g.context->mem, SORA_DTYPE_F32, NULL), SORA_OK);
    sora_tensor *const a = sorai_temp(&x, 2, (int64_t[]){2, 6}), *const b = sorai_temp(&x, 2, (int64_t[]){3, 4});
    ck_assert_ptr_null(sorai_add(&x, a, b));
    ck_assert_int_eq(sorai_exec_finish(&x, NULL), SORA_E_INVALID);
    ck_assert_ptr_null(sorai_mul(&x, a, b));
    ck_assert_int_eq(sorai_exec_finish(&x, NULL), SORA_E_INVALID);
    ck_assert_ptr_null(sorai_add_broadcast(&x, a, b));
    ck_assert_int_eq(sorai_exec_finish(&x, NULL), SORA_E_INVALID);
    ck_assert_ptr_null(sorai_add(&x, a, NULL));
    ck_assert_ptr_null(sorai_act(&x, NULL, SORAI_ACT_SILU));
    ck_assert_int_eq(x.status, SORA_OK);
    ck_assert_ptr_eq(sorai_act(&x, a, SORAI_ACT_NONE), a);
    sorai_exec_release(&x);
    gradcheck_end(&g);
}
END_TEST

Suite *suite_ops_elementwise(void) {
    Suite *s = suite_create("ops_elementwise");
    TCase *t = tcase_create("all");
    tcase_add_test(t, activations);
    tcase_add_test(t, sums_and_products);
    tcase_add_test(t, broadcast);
    tcase_add_test(t, parameters);
    tcase_add_test(t, refusals);
    suite_add_tcase(s, t);
    return s;
}
