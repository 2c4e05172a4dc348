/* Norms, modulation and gates: values against formulas in double, gradients against differences, the same bits for any threads. */
#include "test/unit/gradcheck.h"

typedef struct norm_data {
    int kind; /* 0 rms, 1 channel, 2 layer */
    int gamma, beta;
    enum sorai_act act;
} norm_data;

static const double eps = 1e-3; /* large, so that forgetting it shows */

static sora_tensor *build_norm(sorai_exec *x, sora_tensor *const *in, sorai_param *const *p, const void *user) {
    const norm_data *d = user;
    sorai_param *gamma = d->gamma ? p[0] : NULL, *beta = d->beta ? p[d->gamma] : NULL;
    if (d->kind == 0)
        return sorai_rmsnorm(x, in[0], gamma, eps);
    if (d->kind == 1)
        return sorai_channel_norm(x, in[0], gamma, d->act);
    return sorai_layernorm(x, in[0], gamma, beta, eps);
}

static double act(double z, enum sorai_act kind) {
    if (kind == SORAI_ACT_SILU)
        return z / (1 + exp(-z));
    return kind == SORAI_ACT_RELU ? fmax(z, 0) : z;
}

static void norm_case(const norm_data *d, int64_t rows, int64_t cols, int gradients) {
    gradcheck g;
    gradcheck_begin(&g, build_norm, d);
    gradcheck_input(&g, 3, (int64_t[]){1, rows, cols}, 1.5);
    if (d->gamma)
        gradcheck_param(&g, "gamma", 2, (int64_t[]){cols, 1}, 1.0);
    if (d->beta)
        gradcheck_param(&g, "beta", 1, &cols, 1.0);
    const float *gamma = d->gamma ? g.param[0]->value->data : NULL, *beta = d->beta ? g.param[d->gamma]->value->data : NULL;
    float *y;
    int64_t count;
    double d2 = 0, r2 = 0;
    gradcheck_value(&g, 0, &y, &count);
    ck_assert_int_eq(count, rows * cols);
    for (int64_t r = 0; r < rows; r++) {
        const float *x = g.values[0] + r * cols;
        double mean = 0, sum = 0;
        for (int64_t c = 0; d->kind == 2 && c < cols; c++)
            mean += (double)x[c] / (double)cols;
        for (int64_t c = 0; c < cols; c++)
            sum += ((double)x[c] - mean) * ((double)x[c] - mean);
        const double f = d->kind == 1 ? sqrt((double)cols) / sqrt(sum) : 1 / sqrt(sum / (double)cols + eps);
        for (int64_t c = 0; c < cols; c++) {
            const double z = ((double)x[c] - mean) * f * (gamma ? (double)gamma[c] : 1) + (beta ? (double)beta[c] : 0);
            const double want = act(z, d->act), got = (double)y[r * cols + c];
            d2 += (want - got) * (want - got);
            r2 += want * want;
        }
    }
    free(y);
    ck_assert_msg(d2 <= 1e-12 * r2, "squared error %g", d2 / r2);
    if (gradients)
        gradcheck_run(&g, 1e-2, 1e-6);
    gradcheck_end(&g);
}

START_TEST(norms) {
    static const norm_data kinds[] = {
        {0, 1, 0, SORAI_ACT_NONE}, {0, 0, 0, SORAI_ACT_NONE}, {1, 1, 0, SORAI_ACT_NONE}, {1, 1, 0, SORAI_ACT_SILU},
        {1, 0, 0, SORAI_ACT_SILU}, {2, 1, 1, SORAI_ACT_NONE}, {2, 0, 0, SORAI_ACT_NONE}, {2, 0, 1, SORAI_ACT_NONE},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        norm_case(&kinds[i], 5, 21, 1);
        norm_case(&kinds[i], 700, 16, 0);
        norm_case(&kinds[i], 9, 1536, 0);
    }
    const norm_data relu = {1, 1, 0, SORAI_ACT_RELU};
    norm_case(&relu, 5, 21, 0);
}
END_TEST

/* Many rows: the parameters' gradients go through chunks. Compared with plain loops. */
START_TEST(norm_chunks) {
    enum { ROWS = 3000, COLS = 19 };
    const norm_data d = {2, 1, 1, SORAI_ACT_NONE};
    gradcheck g;
    gradcheck_begin(&g, build_norm, &d);
    gradcheck_input(&g, 2, (int64_t[]){ROWS, COLS}, 1.0);
    gradcheck_param(&g, "gamma", 1, (int64_t[]){COLS}, 1.0);
    gradcheck_param(&g, "beta", 1, (int64_t[]){COLS}, 1.0);
    gradcheck_value(&g, 1, NULL, NULL);
    double dgamma[COLS] = {0}, dbeta[COLS] = {0};
    for (int r = 0; r < ROWS; r++) {
        const float *x = g.values[0] + r * COLS;
        double mean = 0, var = 0;
        for (int c = 0; c < COLS; c++)
            mean += (double)x[c] / COLS;
        for (int c = 0; c < COLS; c++)
            var += pow((double)x[c] - mean, 2) / COLS;
        for (int c = 0; c < COLS; c++) {
            const double dy = (double)(float)sin(1.0 + 0.7 * (double)(r * COLS + c));
            dgamma[c] += dy * ((double)x[c] - mean) / sqrt(var + eps);
            dbeta[c] += dy;
        }
    }
    const float *got_gamma = g.param[0]->grad->data, *got_beta = g.param[1]->grad->data;
    for (int c = 0; c < COLS; c++) {
        ck_assert_double_eq_tol((double)got_gamma[c], dgamma[c], 1e-4);
        ck_assert_double_eq_tol((double)got_beta[c], dbeta[c], 1e-4);
    }
    gradcheck_end(&g);
}
END_TEST

static sora_tensor *build_modulate(sorai_exec *x, sora_tensor *const *in, sorai_param *const *p, const void *user) {
    (void)p, (void)user;
    return sorai_norm_modulate(x, in[0], in[1], in[2], eps);
}

static sora_tensor *build_gate(sorai_exec *x, sora_tensor *const *in, sorai_param *const *p, const void *user) {
    (void)p, (void)user;
    return sorai_gate_add(x, in[0], in[1], in[2]);
}

static void modulate_case(int64_t b, int64_t l, int64_t groups, int64_t c, int gradients) {
    gradcheck g;
    float *y;
    gradcheck_begin(&g, build_modulate, NULL);
    gradcheck_input(&g, 3, (int64_t[]){b, l, c}, 1.5);
    gradcheck_input(&g, 3, (int64_t[]){b, groups, c}, 1.0);
    gradcheck_input(&g, 3, (int64_t[]){b, groups, c}, 1.0);
    gradcheck_value(&g, 0, &y, NULL);
    for (int64_t r = 0; r < b * l; r++) {
        const int64_t group = r / l * groups + r % l / (l / groups);
        double mean = 0, var = 0;
        for (int64_t i = 0; i < c; i++)
            mean += (double)g.values[0][r * c + i] / (double)c;
        for (int64_t i = 0; i < c; i++)
            var += pow((double)g.values[0][r * c + i] - mean, 2) / (double)c;
        for (int64_t i = 0; i < c; i++) {
            const double n = ((double)g.values[0][r * c + i] - mean) / sqrt(var + eps);
            const double want = n * (1 + (double)g.values[2][group * c + i]) + (double)g.values[1][group * c + i];
            ck_assert_double_eq_tol((double)y[r * c + i], want, 3e-6);
        }
    }
    free(y);
    if (gradients)
        gradcheck_run(&g, 1e-2, 1e-6);
    gradcheck_end(&g);
}

START_TEST(modulate) {
    modulate_case(2, 6, 1, 13, 1);
    modulate_case(2, 6, 3, 13, 1);
    modulate_case(1, 5, 5, 7, 1);
    modulate_case(3, 40, 4, 320, 0);
}
END_TEST

static void gate_case(int64_t b, int64_t l, int64_t groups, int64_t c, int gradients) {
    gradcheck g;
    float *y;
    gradcheck_begin(&g, build_gate, NULL);
    gradcheck_input(&g, 3, (int64_t[]){b, l, c}, 1.0);
    gradcheck_input(&g, 3, (int64_t[]){b, l, c}, 1.0);
    gradcheck_input(&g, 3, (int64_t[]){b, groups, c}, 1.0);
    gradcheck_value(&g, 0, &y, NULL);
    for (int64_t r = 0; r < b * l; r++)
        for (int64_t i = 0; i < c; i++) {
            const int64_t group = r / l * groups + r % l / (l / groups);
            const double want =
                (double)g.values[0][r * c + i] + (double)g.values[2][group * c + i] * (double)g.values[1][r * c + i];
            ck_assert_double_eq_tol((double)y[r * c + i], want, 1e-6);
        }
    free(y);
    g.most = 100;
    if (gradients)
        gradcheck_run(&g, 0.5, 1e-9);
    gradcheck_end(&g);
}

START_TEST(gate) {
    gate_case(2, 6, 1, 13, 1);
    gate_case(2, 6, 3, 13, 1);
    gate_case(1, 5, 5, 7, 1);
    gate_case(1, 300, 1, 20, 1); /* chunks */
    gate_case(3, 40, 4, 320, 0);
}
END_TEST

/* The same bits with one thread and with three. */
START_TEST(threads) {
    const norm_data d = {1, 1, 0, SORAI_ACT_SILU};
    float *grads[2], *out[2], gamma[2][24];
    int64_t n = 0;
    for (int run = 0; run < 2; run++) {
        gradcheck g;
        gradcheck_begin(&g, build_norm, &d);
        sora_context *const own = g.context;
        const sorai_context_config config = {.threads = run ? 3 : 1};
        ck_assert_int_eq(sorai_context_create(&g.context, &config, NULL), SORA_OK);
        gradcheck_input(&g, 2, (int64_t[]){5000, 24}, 1.0);
        gradcheck_param(&g, "gamma", 1, (int64_t[]){24}, 1.0);
        gradcheck_value(&g, 1, &out[run], &n);
        grads[run] = g.grads[0];
        g.grads[0] = NULL;
        memcpy(gamma[run], g.param[0]->grad->data, sizeof gamma[run]);
        sora_context *other = g.context;
        g.context = own;
        gradcheck_end(&g);
        sorai_context_unref(&other);
    }
    ck_assert_mem_eq(out[0], out[1], (size_t)n * sizeof(float));
    ck_assert_mem_eq(grads[0], grads[1], (size_t)n * sizeof(float));
    ck_assert_mem_eq(gamma[0], gamma[1], sizeof gamma[0]);
    for (int run = 0; run < 2; run++) {
        free(out[run]);
        free(grads[run]);
    }
}
END_TEST

static void expect_refusal(sorai_exec *x, const sora_tensor *result) {
    ck_assert_ptr_null(result);
    ck_assert_int_eq(sorai_exec_finish(x, NULL), SORA_E_INVALID);
}

START_TEST(refusals) {
    gradcheck g;
    gradcheck_begin(&g, build_gate, NULL);
    sorai_param *const p = gradcheck_param(&g, "p", 1, (int64_t[]){5}, 1.0);
    sorai_exec x;
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(g.context, NULL), &g.context->mem, SORA_DTYPE_F32, NULL), SORA_OK);
    sora_tensor *const in = sorai_temp(&x, 3, (int64_t[]){2, 6, 4}), *const m = sorai_temp(&x, 3, (int64_t[]){2, 4, 4});
    sora_tensor *const one = sorai_temp(&x, 3, (int64_t[]){2, 1, 4}), *const empty = sorai_temp(&x, 2, (int64_t[]){3, 0});
    expect_refusal(&x, sorai_rmsnorm(&x, in, p, eps));
    expect_refusal(&x, sorai_layernorm(&x, in, NULL, p, eps));
    expect_refusal(&x, sorai_rmsnorm(&x, empty, NULL, eps));
    expect_refusal(&x, sorai_norm_modulate(&x, in, m, m, eps));
    expect_refusal(&x, sorai_norm_modulate(&x, in, one, in, eps));
    expect_refusal(&x, sorai_gate_add(&x, in, in, m));
    expect_refusal(&x, sorai_gate_add(&x, in, one, one));
    ck_assert_ptr_null(sorai_rmsnorm(&x, NULL, NULL, eps));
    ck_assert_ptr_null(sorai_gate_add(&x, in, in, NULL));
    ck_assert_int_eq(x.status, SORA_OK);
    sorai_exec_release(&x);
    gradcheck_end(&g);
}
END_TEST

Suite *suite_ops_norm(void) {
    Suite *s = suite_create("ops_norm");
    TCase *t = tcase_create("all");
    tcase_add_test(t, norms);
    tcase_add_test(t, norm_chunks);
    tcase_add_test(t, modulate);
    tcase_add_test(t, gate);
    tcase_add_test(t, threads);
    tcase_add_test(t, refusals);
    suite_add_tcase(s, t);
    return s;
}
