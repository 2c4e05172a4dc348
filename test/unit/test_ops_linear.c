/* Linear layers and matrix products: values against loops in double, gradients against differences. */
#include "lib/io/encoding.h"
#include "test/unit/gradcheck.h"

typedef struct linear_data {
    int bias;
    enum sorai_act act;
} linear_data;

static sora_tensor *build_linear(sorai_exec *x, sora_tensor *const *in, sorai_param *const *p, const void *user) {
    const linear_data *d = user;
    return sorai_linear(x, in[0], p[0], d->bias ? p[1] : NULL, d->act);
}

static void linear_case(int64_t batch, int64_t rows, int64_t k, int64_t n, int bias, int32_t product, double limit, int gradients) {
    const linear_data data = {bias, SORAI_ACT_NONE};
    gradcheck g;
    float *y;
    int64_t count;
    gradcheck_begin(&g, build_linear, &data);
    gradcheck_input(&g, 3, (int64_t[]){batch, rows, k}, 1.0);
    gradcheck_param(&g, "w", 2, (int64_t[]){n, k}, 1.0);
    if (bias)
        gradcheck_param(&g, "b", 1, &n, 1.0);
    g.product = product;
    gradcheck_value(&g, 0, &y, &count);
    ck_assert_int_eq(count, batch * rows * n);
    const float *w = g.param[0]->value->data, *b = bias ? g.param[1]->value->data : NULL;
    double d2 = 0, r2 = 0;
    for (int64_t i = 0; i < batch * rows; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = b ? (double)b[j] : 0;
            for (int64_t s = 0; s < k; s++)
                sum += (double)g.values[0][i * k + s] * (double)w[j * k + s];
            d2 += (sum - (double)y[i * n + j]) * (sum - (double)y[i * n + j]);
            r2 += sum * sum;
        }
    ck_assert_msg(d2 <= limit * r2, "squared error %g, allowed %g", d2 / r2, limit);
    free(y);
    if (gradients)
        gradcheck_run(&g, 0.5, 1e-9);
    gradcheck_end(&g);
}

START_TEST(linear_values) {
    linear_case(1, 1, 1, 1, 0, SORA_DTYPE_F32, 1e-12, 1);
    linear_case(2, 3, 5, 7, 1, SORA_DTYPE_F32, 1e-12, 1);
    linear_case(1, 13, 33, 35, 1, SORA_DTYPE_F32, 1e-12, 1);
    linear_case(2, 50, 70, 100, 0, SORA_DTYPE_F32, 1e-12, 0);
    linear_case(1, 320, 256, 512, 1, SORA_DTYPE_F32, 1e-12, 0);
}
END_TEST

START_TEST(linear_bf16) {
    linear_case(2, 3, 5, 7, 1, SORA_DTYPE_BF16, 2e-5, 0);
    linear_case(1, 100, 256, 64, 1, SORA_DTYPE_BF16, 2e-5, 0);
}
END_TEST

/* In bf16 the gradients are those of rounded factors: near those of f32. */
START_TEST(linear_bf16_gradients) {
    const linear_data data = {1, SORAI_ACT_NONE};
    gradcheck g;
    gradcheck_begin(&g, build_linear, &data);
    gradcheck_input(&g, 2, (int64_t[]){37, 29}, 1.0);
    gradcheck_param(&g, "w", 2, (int64_t[]){41, 29}, 1.0);
    gradcheck_param(&g, "b", 1, (int64_t[]){41}, 1.0);
    gradcheck_value(&g, 1, NULL, NULL);
    float in[37 * 29], w[41 * 29];
    memcpy(in, g.grads[0], sizeof in);
    memcpy(w, g.param[0]->grad->data, sizeof w);
    g.product = SORA_DTYPE_BF16;
    gradcheck_value(&g, 1, NULL, NULL);
    double d2 = 0, r2 = 0;
    for (int i = 0; i < 37 * 29; i++) {
        d2 += pow((double)in[i] - (double)g.grads[0][i], 2);
        r2 += pow((double)in[i], 2);
    }
    ck_assert_double_lt(d2, 3e-5 * r2);
    ck_assert_double_gt(d2, 0);
    d2 = r2 = 0;
    for (int i = 0; i < 41 * 29; i++) {
        d2 += pow((double)w[i] - (double)((float *)g.param[0]->grad->data)[i], 2);
        r2 += pow((double)w[i], 2);
    }
    ck_assert_double_lt(d2, 3e-5 * r2);
    ck_assert_double_gt(d2, 0);
    gradcheck_end(&g);
}
END_TEST

START_TEST(linear_activation) {
    const linear_data data = {1, SORAI_ACT_SILU};
    gradcheck g;
    gradcheck_begin(&g, build_linear, &data);
    gradcheck_input(&g, 2, (int64_t[]){5, 6}, 1.0);
    gradcheck_param(&g, "w", 2, (int64_t[]){4, 6}, 1.0);
    gradcheck_param(&g, "b", 1, (int64_t[]){4}, 1.0);
    gradcheck_run(&g, 0.01, 1e-6);
    gradcheck_end(&g);
}
END_TEST

static sora_tensor *build_matmul(sorai_exec *x, sora_tensor *const *in, sorai_param *const *p, const void *user) {
    (void)p;
    return sorai_matmul(x, in[0], in[1], *(const int *)user, 0.75);
}

START_TEST(matmul_both_ways) {
    static const int64_t sizes[][4] = {{1, 1, 1, 1}, {2, 3, 5, 4}, {3, 17, 33, 9}}; /* batch, m, n, k */
    for (int t = 0; t <= 1; t++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            const int64_t batch = sizes[s][0], m = sizes[s][1], n = sizes[s][2], k = sizes[s][3];
            gradcheck g;
            float *y;
            int64_t count;
            gradcheck_begin(&g, build_matmul, &t);
            gradcheck_input(&g, 3, (int64_t[]){batch, m, k}, 1.0);
            gradcheck_input(&g, 3, t ? (int64_t[]){batch, n, k} : (int64_t[]){batch, k, n}, 1.0);
            gradcheck_value(&g, 0, &y, &count);
            ck_assert_int_eq(count, batch * m * n);
            for (int64_t i = 0; i < count; i++) {
                const int64_t b = i / (m * n), r = i / n % m, c = i % n;
                double sum = 0;
                for (int64_t j = 0; j < k; j++)
                    sum += (double)g.values[0][(b * m + r) * k + j] * (double)g.values[1][b * n * k + (t ? c * k + j : j * n + c)];
                ck_assert_double_lt(fabs(0.75 * sum - (double)y[i]), 1e-5);
            }
            free(y);
            gradcheck_run(&g, 0.5, 1e-9);
            gradcheck_end(&g);
        }
}
END_TEST

/* A changed weight must be packed again, and the error of a wrong shape must name the parameter. */
START_TEST(linear_versions_and_errors) {
    const linear_data data = {0, SORAI_ACT_NONE};
    gradcheck g;
    gradcheck_begin(&g, build_linear, &data);
    gradcheck_input(&g, 2, (int64_t[]){2, 3}, 1.0);
    sorai_param *w = gradcheck_param(&g, "blocks.0.weight", 2, (int64_t[]){4, 3}, 1.0);
    const double first = gradcheck_value(&g, 0, NULL, NULL);
    for (int i = 0; i < 12; i++)
        ((float *)w->value->data)[i] *= 2;
    w->version++;
    ck_assert_double_lt(fabs(gradcheck_value(&g, 0, NULL, NULL) - 2 * first), 1e-5);

    sorai_exec x;
    sora_error err = {0};
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(g.context, NULL), &g.context->mem, SORA_DTYPE_F32, NULL), SORA_OK);
    ck_assert_ptr_null(sorai_linear(&x, sorai_temp(&x, 2, (int64_t[]){2, 5}), w, NULL, SORAI_ACT_NONE));
    ck_assert_int_eq(sorai_exec_finish(&x, &err), SORA_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.message, "blocks.0.weight"));
    ck_assert_ptr_null(sorai_linear(&x, NULL, w, NULL, SORAI_ACT_NONE));
    sorai_exec_release(&x);
    gradcheck_end(&g);
}
END_TEST

/* Weights stored in 16 bits are the same as their values in f32. */
static int give_bf16(void *user, const char *name, sora_tensor **out, sora_error *err) {
    sora_context *const c = user;
    (void)name;
    SORA_TRY(sorai_tensor_new(out, &c->mem, SORA_DTYPE_BF16, 2, (int64_t[]){6, 5}, err));
    for (int i = 0; i < 30; i++)
        ((uint16_t *)(*out)->data)[i] = sorak_f32_to_bf16((float)(i - 11) * 0.125f);
    return SORA_OK;
}

START_TEST(linear_stored_bf16) {
    sora_context *c;
    sorai_store store;
    sorai_param *w;
    sorai_exec x;
    float in[15], y[18];
    ck_assert_int_eq(sorai_context_create(&c, &(sorai_context_config){.threads = 1}, NULL), SORA_OK);
    ck_assert_int_eq(sorai_store_init(&store, &c->mem, sorai_context_device(c, NULL)), SORA_OK);
    store.lookup = give_bf16;
    store.lookup_user = c;
    ck_assert_int_eq(sorai_store_get(&store, &w, "w", 2, (int64_t[]){6, 5}, SORAI_INIT_ZERO, 0, NULL), SORA_OK);
    ck_assert_int_eq(w->value->dtype, SORA_DTYPE_BF16);
    for (int i = 0; i < 15; i++)
        in[i] = (float)i * 0.25f - 1.0f;
    for (int product = 0; product < 2; product++) {
        ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(c, NULL), &c->mem, product ? SORA_DTYPE_BF16 : SORA_DTYPE_F32, NULL), SORA_OK);
        sora_tensor *t = sorai_linear(&x, sorai_upload(&x, SORA_DTYPE_F32, 2, (int64_t[]){3, 5}, in), w, NULL, SORAI_ACT_NONE);
        ck_assert_int_eq(sorai_download(&x, t, y), SORA_OK);
        for (int i = 0; i < 18; i++) {
            double sum = 0;
            for (int k = 0; k < 5; k++)
                sum += (double)in[i / 6 * 5 + k] * (i % 6 * 5 + k - 11) * 0.125;
            ck_assert_double_lt(fabs(sum - (double)y[i]), 1e-5);
        }
        sorai_exec_release(&x);
    }
    sorai_store_release(&store);
    sorai_context_unref(&c);
}
END_TEST

/* A weight that is packed on the way gives the same bits as one that is kept, and leaves nothing behind. */
static int give_many(void *user, const char *name, sora_tensor **out, sora_error *err) {
    sora_context *const c = user;
    const int64_t shape[2] = {name[1] - '0' ? 144 : 150, 10240};
    SORA_TRY(sorai_tensor_new(out, &c->mem, SORA_DTYPE_BF16, 2, shape, err));
    for (int64_t i = 0; i < sorai_tensor_count(*out); i++)
        ((uint16_t *)(*out)->data)[i] = sorak_f32_to_bf16((float)(i * 7919 % 2003 - 1001) * 1e-3f);
    return SORA_OK;
}

START_TEST(linear_streamed) {
    sora_context *c;
    sorai_store store;
    sorai_param *w;
    sorai_exec x;
    ck_assert_int_eq(sorai_context_create(&c, &(sorai_context_config){.threads = 2}, NULL), SORA_OK);
    ck_assert_int_eq(sorai_store_init(&store, &c->mem, sorai_context_device(c, NULL)), SORA_OK);
    store.lookup = give_many;
    store.lookup_user = c;
    const int64_t n = _i % 2 ? 144 : 150, rows = _i / 2 % 2 ? 130 : 3; /* the last columns of 144 fill half a panel */
    float *in = malloc((size_t)rows * 10240 * sizeof *in), *y = malloc((size_t)(2 * rows * n) * sizeof *y);
    for (int64_t i = 0; i < rows * 10240; i++)
        in[i] = (float)(i * 104729 % 1009 - 504) * 1e-3f;
    ck_assert_int_eq(sorai_store_get(&store, &w, _i % 2 ? "w1" : "w0", 2, (int64_t[]){n, 10240}, SORAI_INIT_ZERO, 0, NULL), SORA_OK);
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(c, NULL), &c->mem, _i / 4 ? SORA_DTYPE_BF16 : SORA_DTYPE_F32, NULL), SORA_OK);
    for (int kept = 0; kept < 2; kept++) {
        x.streamed = !kept;
        sora_tensor *t = sorai_linear(&x, sorai_upload(&x, SORA_DTYPE_F32, 2, (int64_t[]){rows, 10240}, in), w, NULL, SORAI_ACT_NONE);
        ck_assert_int_eq(sorai_download(&x, t, y + kept * rows * n), SORA_OK);
        ck_assert(!w->packed[0].data == !(kept && _i < 4) && !w->packed[2].data == !(kept && _i >= 4));
    }
    ck_assert_mem_eq(y, y + rows * n, (size_t)(rows * n) * sizeof *y);
    sorai_exec_release(&x);
    sorai_store_release(&store);
    sorai_context_unref(&c);
    free(in);
    free(y);
}
END_TEST

/* Weights as they are stored: the numbers of the same weights multiplied out, and no copy of them is kept. */
enum { STORED_M = 5, STORED_N = 300, STORED_K = 512, STORED_RANK = 40 };
static struct { int32_t type; int64_t scales; int factors; } stored; /* scales: 0, one, one for each row */

static sora_tensor *numbers(sora_context *c, int64_t rows, int64_t columns, float size) {
    sora_tensor *t;
    ck_assert_int_eq(sorai_tensor_new(&t, &c->mem, SORA_DTYPE_F32, 2, (const int64_t[]){rows, columns}, NULL), SORA_OK);
    for (int64_t i = 0; i < rows * columns; i++)
        ((float *)t->data)[i] = size * cosf((float)(i % 9973) * 0.7f + (float)rows);
    return t;
}

static int give_stored(void *user, const char *name, sora_tensor **out, sora_error *err) {
    sora_context *const c = user;
    const int64_t shape[2] = {STORED_N, STORED_K};
    SORA_TRY(sorai_tensor_new(out, &c->mem, stored.type, 2, shape, err));
    const size_t block = sorai_dtype_bytes(stored.type, sorai_dtype_values(stored.type));
    uint8_t *const bytes = (*out)->data;
    for (size_t i = 0; i < sorai_tensor_bytes(*out); i++) /* half floats of up to 2^-7 wherever they are; other bytes anything */
        bytes[i] = (uint8_t)(i % block == 1 || i % block == 3 || i % block == 81 || i % block == 83 || i % block == 109 || i % block == 209
                                 ? 0x20 : i * 37 % 126);
    if (stored.scales)
        (*out)->scale = numbers(c, stored.scales, 1, 0.3f);
    if (stored.factors) {
        (*out)->down = numbers(c, STORED_RANK, STORED_K, 1.0f);
        (*out)->up = numbers(c, STORED_N, STORED_RANK, stored.type == SORAI_DTYPE_F8_E4M3 ? 400.0f : stored.type == SORA_DTYPE_I8 ? 80.0f : 0.5f);
    }
    if (strcmp(name, "plain") != 0)
        return SORA_OK;
    sora_tensor *blocks = *out;
    const int status = sorai_tensor_new(out, &c->mem, SORA_DTYPE_F32, 2, shape, err);
    if (status == SORA_OK)
        sorai_stored_expand(blocks, (*out)->data);
    for (int64_t i = 0; stored.factors && i < (int64_t)STORED_N * STORED_K; i++) {
        double sum = 0;
        for (int64_t r = 0; r < STORED_RANK; r++)
            sum += (double)((float *)blocks->up->data)[i / STORED_K * STORED_RANK + r] * (double)((float *)blocks->down->data)[r * STORED_K + i % STORED_K];
        ((float *)(*out)->data)[i] += (float)sum;
    }
    sorai_tensor_unref(&blocks);
    return status;
}

/* y[0] by the weight as it is stored, y[1] by the plain one; rows of x: m. */
static void multiply_stored(int32_t product, int64_t m, enum sorai_act act, float *y[2]) {
    sora_context *c;
    sorai_store store;
    sorai_param *w[2];
    float *const in = malloc((size_t)(m * STORED_K) * sizeof *in);
    for (int i = 0; i < m * STORED_K; i++)
        in[i] = sinf((float)i);
    ck_assert_int_eq(sorai_context_create(&c, &(sorai_context_config){.threads = 2}, NULL), SORA_OK);
    ck_assert_int_eq(sorai_store_init(&store, &c->mem, sorai_context_device(c, NULL)), SORA_OK);
    store.lookup = give_stored;
    store.lookup_user = c;
    store.eight = 1;
    ck_assert_int_eq(sorai_store_get(&store, &w[0], "stored", 2, (int64_t[]){STORED_N, STORED_K}, SORAI_INIT_ZERO, 0, NULL), SORA_OK);
    ck_assert_int_eq(sorai_store_get(&store, &w[1], "plain", 2, (int64_t[]){STORED_N, STORED_K}, SORAI_INIT_ZERO, 0, NULL), SORA_OK);
    ck_assert_int_eq(w[0]->value->dtype, stored.type);
    const size_t held = atomic_load(&c->mem.used);
    for (int i = 0; i < 2; i++) {
        sorai_exec x;
        ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(c, NULL), &c->mem, product, NULL), SORA_OK);
        sora_tensor *t = sorai_linear(&x, sorai_upload(&x, SORA_DTYPE_F32, 2, (int64_t[]){m, STORED_K}, in), w[i], NULL, act);
        ck_assert_int_eq(sorai_download(&x, t, y[i]), SORA_OK);
        sorai_exec_release(&x);
        if (i == 0 && product != SORA_DTYPE_I8)
            ck_assert_uint_eq(atomic_load(&c->mem.used), held);
    }
    for (int i = 0; i < 4; i++)
        ck_assert_ptr_null(w[0]->packed[i].data);
    ck_assert((w[0]->packed[4].data != NULL) == (product == SORA_DTYPE_I8));
    sorai_store_release(&store);
    sorai_context_unref(&c);
    free(in);
}

START_TEST(linear_stored_blocks) {
    static const int64_t scales[] = {0, 1, STORED_N};
    float a[STORED_M * STORED_N], b[STORED_M * STORED_N], *y[2] = {a, b};
    const int32_t products[] = {SORA_DTYPE_F32, SORA_DTYPE_BF16, SORA_DTYPE_I8};
    stored.factors = 0;
    for (int32_t type = SORAI_DTYPE_F8_E4M3; type <= SORAI_DTYPE_STORED_END; type++)
        for (int k = 0; k < 9; k++) {
            stored.type = type < SORAI_DTYPE_STORED_END ? type : SORA_DTYPE_I8;
            stored.scales = scales[k / 3];
            if (stored.type == SORA_DTYPE_I8 && !stored.scales)
                continue;
            multiply_stored(products[k % 3], STORED_M, SORAI_ACT_NONE, y);
            ck_assert_mem_eq(a, b, sizeof a);
        }
}
END_TEST

/* The factors of LoRAs beside such a weight: near what the sum of both gives, whatever way the product goes. */
START_TEST(linear_factors) {
    enum { M = 600 };
    static const int32_t types[] = {SORAI_DTYPE_F8_E4M3, SORAI_DTYPE_Q4_K, SORA_DTYPE_I8}, products[] = {SORA_DTYPE_F32, SORA_DTYPE_BF16, SORA_DTYPE_I8};
    static const double limits[] = {1e-10, 1e-2, 3e-2};
    float *const a = malloc(M * STORED_N * sizeof *a), *const b = malloc(M * STORED_N * sizeof *b), *y[2] = {a, b};
    float *const without = malloc(2 * M * STORED_N * sizeof *without), *z[2] = {without, without + M * STORED_N};
    for (int k = 0; k < 18; k++) {
        double error = 0, share = 0, sum = 0;
        const int64_t m = k < 9 ? STORED_M : M;
        stored.type = types[k % 3];
        stored.scales = stored.type == SORA_DTYPE_I8 ? STORED_N : k % 2;
        stored.factors = 1;
        multiply_stored(products[k / 3 % 3], m, k % 2 ? SORAI_ACT_GELU_TANH : SORAI_ACT_NONE, y);
        stored.factors = 0;
        multiply_stored(products[k / 3 % 3], m, k % 2 ? SORAI_ACT_GELU_TANH : SORAI_ACT_NONE, z);
        for (int64_t i = 0; i < m * STORED_N; i++) {
            error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
            share += ((double)a[i] - (double)z[0][i]) * ((double)a[i] - (double)z[0][i]);
            sum += (double)b[i] * (double)b[i];
        }
        ck_assert_msg(error <= limits[k / 3 % 3] * sum && share > 3 * error, "case %d: %g, the factors' share %g", k, error / sum, share / sum);
    }
    free(without);
    free(a);
    free(b);
}
END_TEST

/* A weight of int8 without a scale is none, nor is one whose scale is of another length. */
START_TEST(stored_that_does_not_fit) {
    sora_context *c;
    sorai_store store;
    sorai_param *w;
    sora_error err = {.struct_size = sizeof err};
    ck_assert_int_eq(sorai_context_create(&c, &(sorai_context_config){.threads = 1}, NULL), SORA_OK);
    ck_assert_int_eq(sorai_store_init(&store, &c->mem, sorai_context_device(c, NULL)), SORA_OK);
    store.lookup = give_stored;
    store.lookup_user = c;
    stored.type = SORA_DTYPE_I8;
    stored.factors = 0;
    for (stored.scales = 0; stored.scales <= 2; stored.scales += 2) {
        ck_assert_int_eq(sorai_store_get(&store, &w, "stored", 2, (int64_t[]){STORED_N, STORED_K}, SORAI_INIT_ZERO, 0, &err), SORA_E_FORMAT);
        ck_assert_ptr_nonnull(strstr(err.message, "scale"));
    }
    sorai_store_release(&store);
    ck_assert_uint_eq(store.count, 0);
    sorai_context_unref(&c);
}
END_TEST

/* int8 where exec and weight allow it: near the exact product, the same bits for any number of threads; else the exact product. */
START_TEST(linear_int8) {
    enum { M = 300, N = 70, K = 1100 };
    float *in = malloc(M * K * sizeof *in), *y[4];
    for (int i = 0; i < M * K; i++)
        in[i] = sinf((float)i * 0.37f) * (i % 97 == 0 ? 9.0f : 1.0f);
    for (int run = 0; run < 4; run++) { /* exact; int8 with 1 and 3 threads; a weight that takes no int8 */
        sora_context *c;
        sorai_store store;
        sorai_param *w;
        sorai_exec x;
        y[run] = malloc(M * N * sizeof(float));
        ck_assert_int_eq(sorai_context_create(&c, &(sorai_context_config){.threads = run == 2 ? 3 : 1}, NULL), SORA_OK);
        ck_assert_int_eq(sorai_store_init(&store, &c->mem, sorai_context_device(c, NULL)), SORA_OK);
        store.eight = run < 3;
        ck_assert_int_eq(sorai_store_get(&store, &w, "w", 2, (int64_t[]){N, K}, SORAI_INIT_FAN_IN, 1.0, NULL), SORA_OK);
        ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(c, NULL), &c->mem, run ? SORA_DTYPE_I8 : SORA_DTYPE_F32, NULL), SORA_OK);
        if (run == 3)
            x.product = SORA_DTYPE_F32;
        sora_tensor *t = sorai_linear(&x, sorai_upload(&x, SORA_DTYPE_F32, 2, (int64_t[]){M, K}, in), w, NULL, SORAI_ACT_NONE);
        ck_assert_int_eq(sorai_download(&x, t, y[run]), SORA_OK);
        sorai_exec_release(&x);
        sorai_store_release(&store);
        sorai_context_unref(&c);
    }
    double error = 0, sum = 0;
    for (int i = 0; i < M * N; i++) {
        error += ((double)y[1][i] - (double)y[0][i]) * ((double)y[1][i] - (double)y[0][i]);
        sum += (double)y[0][i] * (double)y[0][i];
    }
    ck_assert_double_lt(error, 1e-3 * sum);
    ck_assert_double_gt(error, 1e-7 * sum);
    ck_assert_mem_eq(y[1], y[2], M * N * sizeof(float));
    ck_assert_mem_eq(y[0], y[3], M * N * sizeof(float));
    for (int run = 0; run < 4; run++)
        free(y[run]);
    free(in);
}
END_TEST

Suite *suite_ops_linear(void) {
    Suite *s = suite_create("ops_linear");
    TCase *c = tcase_create("ops_linear");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, linear_values);
    tcase_add_test(c, linear_bf16);
    tcase_add_test(c, linear_bf16_gradients);
    tcase_add_test(c, linear_activation);
    tcase_add_test(c, matmul_both_ways);
    tcase_add_test(c, linear_versions_and_errors);
    tcase_add_test(c, linear_stored_bf16);
    tcase_add_loop_test(c, linear_streamed, 0, 8);
    tcase_add_test(c, linear_int8);
    tcase_add_test(c, linear_stored_blocks);
    tcase_add_test(c, linear_factors);
    tcase_add_test(c, stored_that_does_not_fit);
    suite_add_tcase(s, c);
    return s;
}
