/* Convolutions: values against loops in double, gradients against differences, streamed decoding against the whole. */
#include "test/unit/gradcheck.h"

typedef struct conv_data {
    sorai_conv conv;
    int bias, history;
} conv_data;

static sora_tensor *build_conv(sorai_exec *x, sora_tensor *const *in, sorai_param *const *p, const void *user) {
    const conv_data *d = user;
    return sorai_conv3d(x, in[0], d->history ? in[1] : NULL, p[0], d->bias ? p[1] : NULL, &d->conv);
}

static int64_t at_least_one(int32_t s) { return s > 1 ? s : 1; }

/* The definition, in double. in [b, t, h, w, ci], history [b, n, h, w, ci] or NULL, w [co, ci, k[0], k[1], k[2]]. */
static double one_output(const float *in, const float *history, int64_t n, const int64_t *size, const float *w, const int64_t *k, int64_t co,
                         const sorai_conv *v, const int64_t *at) {
    double sum = 0;
    for (int64_t ci = 0; ci < size[4]; ci++)
        for (int64_t a = 0; a < k[0]; a++)
            for (int64_t b = 0; b < k[1]; b++)
                for (int64_t c = 0; c < k[2]; c++) {
                    const int64_t t = at[1] * at_least_one(v->stride_t) + a - v->front_t;
                    const int64_t h = at[2] * at_least_one(v->stride_h) + b - v->front_h;
                    const int64_t x = at[3] * at_least_one(v->stride_w) + c - v->front_w;
                    double value = 0;
                    if (h < 0 || h >= size[2] || x < 0 || x >= size[3] || t >= size[1])
                        continue;
                    if (t >= 0)
                        value = (double)in[(((at[0] * size[1] + t) * size[2] + h) * size[3] + x) * size[4] + ci];
                    else if (history && t + n >= 0)
                        value = (double)history[(((at[0] * n + t + n) * size[2] + h) * size[3] + x) * size[4] + ci];
                    sum += value * (double)w[(((co * size[4] + ci) * k[0] + a) * k[1] + b) * k[2] + c];
                }
    return sum;
}

static void conv_case(const int64_t *size, int64_t co, const int64_t *k, const conv_data *d, int32_t product, double limit, int gradients) {
    gradcheck g;
    float *y;
    int64_t count;
    gradcheck_begin(&g, build_conv, d);
    g.product = product;
    g.most = 60;
    gradcheck_input(&g, 5, size, 1.0);
    if (d->history) {
        const int i = gradcheck_input(&g, 5, (int64_t[]){size[0], d->history, size[2], size[3], size[4]}, 1.0);
        g.no_grad[i] = 1;
    }
    sorai_param *w = gradcheck_param(&g, "w", 5, (int64_t[]){co, size[4], k[0], k[1], k[2]}, 1.0);
    sorai_param *b = d->bias ? gradcheck_param(&g, "b", 1, &co, 1.0) : NULL;
    gradcheck_value(&g, 0, &y, &count);
    const sorai_conv *v = &d->conv;
    const int64_t to = (size[1] + v->front_t + v->back_t - k[0]) / at_least_one(v->stride_t) + 1;
    const int64_t ho = (size[2] + v->front_h + v->back_h - k[1]) / at_least_one(v->stride_h) + 1;
    const int64_t wo = (size[3] + v->front_w + v->back_w - k[2]) / at_least_one(v->stride_w) + 1;
    ck_assert_int_eq(count, size[0] * to * ho * wo * co);
    double d2 = 0, r2 = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t at[4] = {i / co / wo / ho / to, i / co / wo / ho % to, i / co / wo % ho, i / co % wo};
        const double want = (b ? (double)((float *)b->value->data)[i % co] : 0) +
                            one_output(g.values[0], d->history ? g.values[1] : NULL, d->history, size, w->value->data, k, i % co, v, at);
        d2 += (want - (double)y[i]) * (want - (double)y[i]);
        r2 += want * want;
    }
    ck_assert_msg(d2 <= limit * r2, "%lld -> %lld channels: squared error %g, allowed %g", (long long)size[4], (long long)co, d2 / r2, limit);
    free(y);
    if (gradients)
        gradcheck_run(&g, 0.5, 1e-9);
    gradcheck_end(&g);
}

static const int64_t cube[3] = {3, 3, 3}, flat[3] = {1, 3, 3}, point[3] = {1, 1, 1}, temporal[3] = {3, 1, 1};

START_TEST(conv_causal) {
    const conv_data d = {{1, 1, 1, 2, 0, 1, 1, 1, 1}, 1, 0};
    conv_case((int64_t[]){1, 1, 1, 1, 1}, 1, cube, &d, SORA_DTYPE_F32, 1e-12, 1);
    conv_case((int64_t[]){2, 3, 5, 4, 3}, 5, cube, &d, SORA_DTYPE_F32, 1e-12, 1);
    conv_case((int64_t[]){1, 2, 6, 13, 17}, 34, cube, &d, SORA_DTYPE_F32, 1e-12, 1);
    conv_case((int64_t[]){1, 3, 16, 16, 16}, 16, cube, &d, SORA_DTYPE_F32, 1e-12, 0);
    conv_case((int64_t[]){1, 2, 3, 64, 32}, 48, cube, &d, SORA_DTYPE_F32, 1e-12, 0);
}
END_TEST

START_TEST(conv_strided) {
    const conv_data down = {{1, 2, 2, 0, 0, 0, 1, 0, 1}, 1, 0}, time = {{2, 1, 1, 0, 0, 0, 0, 0, 0}, 0, 0};
    conv_case((int64_t[]){1, 2, 6, 8, 3}, 4, flat, &down, SORA_DTYPE_F32, 1e-12, 1);
    conv_case((int64_t[]){1, 2, 7, 9, 5}, 6, flat, &down, SORA_DTYPE_F32, 1e-12, 1);
    conv_case((int64_t[]){1, 5, 3, 3, 4}, 4, temporal, &time, SORA_DTYPE_F32, 1e-12, 1);
    const conv_data all = {{2, 2, 2, 2, 0, 1, 1, 2, 0}, 1, 0};
    conv_case((int64_t[]){2, 4, 5, 6, 3}, 7, cube, &all, SORA_DTYPE_F32, 1e-12, 1);
}
END_TEST

START_TEST(conv_other_shapes) {
    const conv_data one = {{0, 0, 0, 0, 0, 0, 0, 0, 0}, 1, 0}, wide = {{1, 1, 1, 1, 1, 3, 2, 0, 4}, 0, 0};
    conv_case((int64_t[]){2, 2, 3, 5, 7}, 9, point, &one, SORA_DTYPE_F32, 1e-12, 1);
    conv_case((int64_t[]){1, 3, 4, 5, 2}, 3, (int64_t[]){2, 4, 3}, &wide, SORA_DTYPE_F32, 1e-12, 1);
    conv_case((int64_t[]){1, 2, 4, 33, 6}, 3, (int64_t[]){1, 1, 5}, &one, SORA_DTYPE_F32, 1e-12, 1);
}
END_TEST

START_TEST(conv_history) {
    const conv_data two = {{1, 1, 1, 2, 0, 1, 1, 1, 1}, 1, 2}, one = {{1, 1, 1, 2, 0, 1, 1, 1, 1}, 0, 1};
    conv_case((int64_t[]){2, 1, 4, 5, 3}, 6, cube, &two, SORA_DTYPE_F32, 1e-12, 1);
    conv_case((int64_t[]){1, 3, 3, 3, 4}, 2, cube, &one, SORA_DTYPE_F32, 1e-12, 1);
    const conv_data down = {{2, 1, 1, 1, 0, 0, 0, 0, 0}, 1, 1};
    conv_case((int64_t[]){1, 4, 3, 3, 4}, 2, temporal, &down, SORA_DTYPE_F32, 1e-12, 1);
}
END_TEST

START_TEST(conv_bf16) {
    const conv_data d = {{1, 1, 1, 2, 0, 1, 1, 1, 1}, 1, 0}, down = {{1, 2, 2, 0, 0, 0, 1, 0, 1}, 1, 0};
    conv_case((int64_t[]){1, 3, 8, 13, 3}, 5, cube, &d, SORA_DTYPE_BF16, 2e-5, 0);
    conv_case((int64_t[]){1, 2, 4, 20, 32}, 40, cube, &d, SORA_DTYPE_BF16, 2e-5, 0);
    conv_case((int64_t[]){1, 2, 7, 9, 5}, 6, flat, &down, SORA_DTYPE_BF16, 2e-5, 0);
}
END_TEST

/* Gradients in bf16 stay near those in f32, for odd widths and channels too. */
START_TEST(conv_bf16_gradients) {
    static const int64_t sizes[][6] = {{1, 2, 5, 7, 3, 5}, {2, 2, 4, 8, 16, 20}, {1, 1, 9, 9, 17, 33}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int stride = 1; stride <= 2; stride++) {
            const conv_data d = {{1, stride, stride, 2, 0, 1, 1, 1, 1}, 1, 0};
            gradcheck g;
            gradcheck_begin(&g, build_conv, &d);
            const int64_t co = sizes[s][5], ci = sizes[s][4], wn = co * ci * 27;
            gradcheck_input(&g, 5, sizes[s], 1.0);
            gradcheck_param(&g, "w", 5, (int64_t[]){co, ci, 3, 3, 3}, 1.0);
            gradcheck_param(&g, "b", 1, &co, 1.0);
            gradcheck_value(&g, 1, NULL, NULL);
            float *in = malloc((size_t)g.count[0] * 4), *w = malloc((size_t)wn * 4);
            memcpy(in, g.grads[0], (size_t)g.count[0] * 4);
            memcpy(w, g.param[0]->grad->data, (size_t)wn * 4);
            g.product = SORA_DTYPE_BF16;
            gradcheck_value(&g, 1, NULL, NULL);
            double d2 = 0, r2 = 0;
            for (int64_t i = 0; i < g.count[0]; i++) {
                d2 += pow((double)in[i] - (double)g.grads[0][i], 2);
                r2 += pow((double)in[i], 2);
            }
            ck_assert_msg(d2 < 3e-5 * r2 && d2 > 0, "input: %g", d2 / r2);
            d2 = r2 = 0;
            for (int64_t i = 0; i < wn; i++) {
                d2 += pow((double)w[i] - (double)((float *)g.param[0]->grad->data)[i], 2);
                r2 += pow((double)w[i], 2);
            }
            ck_assert_msg(d2 < 3e-5 * r2 && d2 > 0, "weights: %g", d2 / r2);
            free(in);
            free(w);
            gradcheck_end(&g);
        }
}
END_TEST

/* Two halves with the frames before as history give the bits of the whole. */
START_TEST(conv_streamed) {
    const conv_data d = {{1, 1, 1, 2, 0, 1, 1, 1, 1}, 0, 0};
    gradcheck g;
    float *whole;
    int64_t count;
    gradcheck_begin(&g, build_conv, &d);
    gradcheck_input(&g, 5, (int64_t[]){1, 5, 6, 7, 8}, 1.0);
    gradcheck_param(&g, "w", 5, (int64_t[]){12, 8, 3, 3, 3}, 1.0);
    gradcheck_value(&g, 0, &whole, &count);
    sorai_exec x;
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(g.context, NULL), &g.context->mem, SORA_DTYPE_F32, NULL), SORA_OK);
    const int64_t frame = 6 * 7 * 8;
    sora_tensor *a = sorai_upload(&x, SORA_DTYPE_F32, 5, (int64_t[]){1, 3, 6, 7, 8}, g.values[0]);
    sora_tensor *b = sorai_upload(&x, SORA_DTYPE_F32, 5, (int64_t[]){1, 2, 6, 7, 8}, g.values[0] + 3 * frame);
    sora_tensor *h = sorai_upload(&x, SORA_DTYPE_F32, 5, (int64_t[]){1, 2, 6, 7, 8}, g.values[0] + frame);
    sora_tensor *ya = sorai_conv3d(&x, a, NULL, g.param[0], NULL, &d.conv), *yb = sorai_conv3d(&x, b, h, g.param[0], NULL, &d.conv);
    ck_assert_ptr_nonnull(ya);
    ck_assert_ptr_nonnull(yb);
    float *parts = malloc((size_t)count * 4);
    ck_assert_int_eq(sorai_download(&x, ya, parts), SORA_OK);
    ck_assert_int_eq(sorai_download(&x, yb, parts + 3 * 6 * 7 * 12), SORA_OK);
    ck_assert_mem_eq(parts, whole, (size_t)count * 4);
    free(parts);
    free(whole);
    sorai_exec_release(&x);
    gradcheck_end(&g);
}
END_TEST

/* The bits of the result and of all gradients do not depend on the number of threads. */
START_TEST(conv_threads) {
    static const int threads[] = {1, 2, 5};
    static const int64_t size[5] = {1, 5, 40, 40, 16}, co = 24, wn = 24 * 16 * 27;
    for (int product = 0; product < 2; product++) {
        float *first[4] = {NULL};
        int64_t count[4] = {0, size[1] * size[2] * size[3] * size[4], wn, co};
        for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
            const conv_data d = {{1, 1, 1, 2, 0, 1, 1, 1, 1}, 1, 0};
            gradcheck g;
            float *y;
            gradcheck_begin_threads(&g, build_conv, &d, threads[i]);
            g.product = product ? SORA_DTYPE_BF16 : SORA_DTYPE_F32;
            gradcheck_input(&g, 5, size, 1.0);
            gradcheck_param(&g, "w", 5, (int64_t[]){co, size[4], 3, 3, 3}, 1.0);
            gradcheck_param(&g, "b", 1, &co, 1.0);
            gradcheck_value(&g, 1, &y, &count[0]);
            const float *now[4] = {y, g.grads[0], g.param[0]->grad->data, g.param[1]->grad->data};
            for (int k = 0; k < 4; k++) {
                const size_t bytes = (size_t)count[k] * sizeof(float);
                if (i == 0) {
                    first[k] = malloc(bytes);
                    memcpy(first[k], now[k], bytes);
                }
                ck_assert_msg(memcmp(first[k], now[k], bytes) == 0, "array %d differs with %d threads", k, threads[i]);
            }
            free(y);
            gradcheck_end(&g);
        }
        for (int k = 0; k < 4; k++)
            free(first[k]);
    }
}
END_TEST

START_TEST(conv_errors) {
    const conv_data d = {{1, 1, 1, 0, 0, 0, 0, 0, 0}, 0, 0};
    gradcheck g;
    gradcheck_begin(&g, build_conv, &d);
    sorai_param *w = gradcheck_param(&g, "decoder.conv", 5, (int64_t[]){2, 3, 3, 3, 3}, 1.0);
    sorai_exec x;
    sora_error err = {0};
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(g.context, NULL), &g.context->mem, SORA_DTYPE_F32, NULL), SORA_OK);
    ck_assert_ptr_null(sorai_conv3d(&x, sorai_temp(&x, 5, (int64_t[]){1, 2, 4, 4, 3}), NULL, w, NULL, &d.conv)); /* t too short */
    ck_assert_int_eq(sorai_exec_finish(&x, &err), SORA_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.message, "decoder.conv"));
    ck_assert_ptr_null(sorai_conv3d(&x, sorai_temp(&x, 5, (int64_t[]){1, 3, 4, 4, 4}), NULL, w, NULL, &d.conv)); /* channels */
    ck_assert_int_eq(sorai_exec_finish(&x, NULL), SORA_E_INVALID);
    sorai_exec_release(&x);
    gradcheck_end(&g);
}
END_TEST

Suite *suite_ops_conv(void) {
    Suite *s = suite_create("ops_conv");
    TCase *c = tcase_create("ops_conv");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, conv_causal);
    tcase_add_test(c, conv_strided);
    tcase_add_test(c, conv_other_shapes);
    tcase_add_test(c, conv_history);
    tcase_add_test(c, conv_bf16);
    tcase_add_test(c, conv_bf16_gradients);
    tcase_add_test(c, conv_streamed);
    tcase_add_test(c, conv_threads);
    tcase_add_test(c, conv_errors);
    suite_add_tcase(s, c);
    return s;
}
