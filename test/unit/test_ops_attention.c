/* Attention, rope, softmax and cross-entropy as operations: values against formulas in double, gradients against differences. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/backend/context.h"
#include "lib/ops/ops.h"

#define MAX_INPUTS 4

/* A function of up to four tensors, built anew for each evaluation; its value is the dot product of its output with fixed weights. */
typedef struct problem {
    sora_tensor *(*build)(sorai_exec *x, sora_tensor *const *in, const void *data);
    const void *data;
    int inputs;
    int32_t rank[MAX_INPUTS];
    int64_t shape[MAX_INPUTS][4];
    float *values[MAX_INPUTS];
} problem;

static sora_context *context;
static uint32_t state;

static double uniform(void) { /* in -1..1 */
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / (double)(1u << 23) - 1.0;
}

static int64_t count_of(const problem *p, int i) {
    int64_t n = 1;
    for (int32_t a = 0; a < p->rank[i]; a++)
        n *= p->shape[i][a];
    return n;
}

static void setup(void) {
    const sorai_context_config config = {.threads = 2};
    ck_assert_int_eq(sorai_context_create(&context, &config, NULL), SORA_OK);
    state = 12345;
}

static void teardown(void) {
    sorai_context_unref(&context);
}

static void problem_fill(problem *p, double range) {
    for (int i = 0; i < p->inputs; i++) {
        p->values[i] = malloc((size_t)count_of(p, i) * sizeof(float));
        for (int64_t k = 0; k < count_of(p, i); k++)
            p->values[i][k] = (float)(range * uniform());
    }
}

static void problem_free(problem *p) {
    for (int i = 0; i < p->inputs; i++)
        free(p->values[i]);
}

/* The value; with grads also the gradients of all inputs. *out (may be NULL) gets a copy of the output. */
static double evaluate(const problem *p, int32_t product, float **grads, float **out) {
    sorai_exec x;
    sorai_tape tape = {NULL, 0};
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(context, NULL), &context->mem, product, NULL), SORA_OK);
    sora_tensor *in[MAX_INPUTS] = {NULL};
    if (grads)
        x.tape = &tape;
    for (int i = 0; i < p->inputs; i++) {
        in[i] = sorai_upload(&x, SORA_DTYPE_F32, p->rank[i], p->shape[i], p->values[i]);
        in[i]->needs_grad = grads != NULL;
    }
    sora_tensor *y = p->build(&x, in, p->data);
    ck_assert_msg(y != NULL, "%s", x.error.message);
    const int64_t n = sorai_tensor_count(y);
    float *values = malloc((size_t)n * sizeof *values), *weights = malloc((size_t)n * sizeof *weights);
    ck_assert_int_eq(sorai_download(&x, y, values), SORA_OK);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        weights[i] = (float)sin(1.0 + 0.7 * (double)i);
        sum += (double)values[i] * (double)weights[i];
    }
    if (grads) {
        ck_assert(y->needs_grad);
        sorai_tape_backward_from(&x, &tape, y, sorai_upload(&x, SORA_DTYPE_F32, y->rank, y->shape, weights));
        ck_assert_msg(x.status == SORA_OK, "%s", x.error.message);
        for (int i = 0; i < p->inputs; i++) {
            ck_assert_ptr_nonnull(in[i]->grad);
            ck_assert_int_eq(sorai_download(&x, in[i]->grad, grads[i]), SORA_OK);
        }
    }
    free(weights);
    if (out)
        *out = values;
    else
        free(values);
    sorai_exec_release(&x);
    return sum;
}

static double nmse(const float *got, const double *want, int64_t n) {
    double d2 = 0, r2 = 0;
    for (int64_t i = 0; i < n; i++) {
        d2 += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        r2 += want[i] * want[i];
    }
    return d2 / r2;
}

/* Every partial derivative against a central difference. */
static void check_gradients(problem *p, double limit) {
    float *grads[MAX_INPUTS] = {NULL};
    for (int i = 0; i < p->inputs; i++)
        grads[i] = malloc((size_t)count_of(p, i) * sizeof(float));
    evaluate(p, SORA_DTYPE_F32, grads, NULL);
    for (int i = 0; i < p->inputs; i++) {
        const int64_t n = count_of(p, i);
        double *want = malloc((size_t)n * sizeof *want);
        for (int64_t k = 0; k < n; k++) {
            const float was = p->values[i][k], up = was + 0.01f, down = was - 0.01f;
            p->values[i][k] = up;
            const double high = evaluate(p, SORA_DTYPE_F32, NULL, NULL);
            p->values[i][k] = down;
            want[k] = (high - evaluate(p, SORA_DTYPE_F32, NULL, NULL)) / ((double)up - (double)down);
            p->values[i][k] = was;
        }
        const double e = nmse(grads[i], want, n);
        ck_assert_msg(e < limit, "input %d: squared error %g of the gradient's", i, e);
        free(want);
        free(grads[i]);
    }
}

typedef struct attention_data {
    double scale;
    int bias;
    const int32_t *lengths;
} attention_data;

static sora_tensor *build_attention(sorai_exec *x, sora_tensor *const *in, const void *data) {
    const attention_data *d = data;
    return sorai_attention(x, in[0], in[1], in[2], d->scale, d->bias ? in[3] : NULL, d->lengths);
}

static problem attention_problem(const attention_data *data, int64_t b, int64_t lq, int64_t lk, int64_t h, int64_t d) {
    const problem p = {build_attention, data, data->bias ? 4 : 3, {4, 4, 4, 3},
                       {{b, lq, h, d}, {b, lk, h, d}, {b, lk, h, d}, {h, lq, lk, 1}}, {NULL}};
    return p;
}

static void attention_formula(const problem *p, double *out) {
    const attention_data *data = p->data;
    const int64_t batch = p->shape[0][0], lq = p->shape[0][1], heads = p->shape[0][2], d = p->shape[0][3], lk = p->shape[1][1];
    double *s = malloc((size_t)lk * sizeof *s);
    for (int64_t b = 0; b < batch; b++)
        for (int64_t h = 0; h < heads; h++)
            for (int64_t i = 0; i < lq; i++) {
                const int64_t keys = data->lengths ? data->lengths[b] : lk;
                double *to = out + ((b * lq + i) * heads + h) * d, sum = 0;
                for (int64_t j = 0; j < keys; j++) {
                    s[j] = data->bias ? (double)p->values[3][(h * lq + i) * lk + j] : 0;
                    for (int64_t c = 0; c < d; c++)
                        s[j] += data->scale * (double)p->values[0][((b * lq + i) * heads + h) * d + c] *
                                (double)p->values[1][((b * lk + j) * heads + h) * d + c];
                    sum += s[j] = exp(s[j]);
                }
                for (int64_t c = 0; c < d; c++) {
                    to[c] = 0;
                    for (int64_t j = 0; j < keys; j++)
                        to[c] += s[j] / sum * (double)p->values[2][((b * lk + j) * heads + h) * d + c];
                }
            }
    free(s);
}

static void check_attention_value(const attention_data *data, int64_t b, int64_t lq, int64_t lk, int64_t h, int64_t d) {
    problem p = attention_problem(data, b, lq, lk, h, d);
    problem_fill(&p, 2.0);
    double *want = malloc((size_t)count_of(&p, 0) * sizeof *want);
    float *got;
    attention_formula(&p, want);
    evaluate(&p, SORA_DTYPE_F32, NULL, &got);
    ck_assert_double_lt(nmse(got, want, count_of(&p, 0)), 1e-12);
    free(got);
    evaluate(&p, SORA_DTYPE_BF16, NULL, &got);
    ck_assert_double_lt(nmse(got, want, count_of(&p, 0)), 1e-4);
    free(got);
    free(want);
    problem_free(&p);
}

START_TEST(attention_values) {
    static const int32_t lengths[] = {1, 37};
    const attention_data plain = {0.125, 0, NULL}, full = {1.0, 1, lengths};
    check_attention_value(&plain, 2, 70, 150, 3, 64);
    check_attention_value(&plain, 1, 1, 1, 1, 2);
    check_attention_value(&full, 2, 33, 40, 2, 9);
}
END_TEST

START_TEST(attention_gradients) {
    static const int32_t lengths[] = {3, 6};
    const attention_data plain = {0.4, 0, NULL}, full = {0.4, 1, lengths};
    problem p = attention_problem(&plain, 1, 5, 7, 2, 6);
    problem_fill(&p, 1.0);
    check_gradients(&p, 1e-6);
    problem_free(&p);
    problem q = attention_problem(&full, 2, 4, 7, 2, 5);
    problem_fill(&q, 1.0);
    check_gradients(&q, 1e-6);
    problem_free(&q);
}
END_TEST

/* The gradients of the bf16 path are those of the f32 path, up to the rounding of the products' inputs. */
START_TEST(attention_gradients_bf16) {
    static const int32_t lengths[] = {100, 33};
    const attention_data full = {0.125, 1, lengths};
    problem p = attention_problem(&full, 2, 70, 130, 2, 64);
    problem_fill(&p, 1.0);
    float *exact[MAX_INPUTS], *rounded[MAX_INPUTS];
    for (int i = 0; i < p.inputs; i++) {
        exact[i] = malloc((size_t)count_of(&p, i) * sizeof(float));
        rounded[i] = malloc((size_t)count_of(&p, i) * sizeof(float));
    }
    evaluate(&p, SORA_DTYPE_F32, exact, NULL);
    evaluate(&p, SORA_DTYPE_BF16, rounded, NULL);
    for (int i = 0; i < p.inputs; i++) {
        double *want = malloc((size_t)count_of(&p, i) * sizeof *want);
        for (int64_t k = 0; k < count_of(&p, i); k++)
            want[k] = (double)exact[i][k];
        ck_assert_double_lt(nmse(rounded[i], want, count_of(&p, i)), 1e-4);
        free(want);
        free(exact[i]);
        free(rounded[i]);
    }
    problem_free(&p);
}
END_TEST

/* The same bits with one thread and with three. */
START_TEST(attention_threads) {
    const attention_data plain = {0.125, 0, NULL};
    for (int32_t product = SORA_DTYPE_F32; product <= SORA_DTYPE_BF16; product++) {
        problem p = attention_problem(&plain, 2, 150, 190, 2, 64);
        problem_fill(&p, 1.0);
        float *grads[2][3], *out[2];
        for (int run = 0; run < 2; run++) {
            const sorai_context_config config = {.threads = run ? 3 : 1};
            teardown();
            ck_assert_int_eq(sorai_context_create(&context, &config, NULL), SORA_OK);
            for (int i = 0; i < 3; i++)
                grads[run][i] = malloc((size_t)count_of(&p, i) * sizeof(float));
            evaluate(&p, product, grads[run], &out[run]);
        }
        ck_assert_mem_eq(out[0], out[1], (size_t)count_of(&p, 0) * sizeof(float));
        for (int i = 0; i < 3; i++)
            ck_assert_mem_eq(grads[0][i], grads[1][i], (size_t)count_of(&p, i) * sizeof(float));
        for (int run = 0; run < 2; run++) {
            free(out[run]);
            for (int i = 0; i < 3; i++)
                free(grads[run][i]);
        }
        problem_free(&p);
    }
}
END_TEST

static void expect_refusal(sorai_exec *x, const sora_tensor *result) {
    sora_error err = {0};
    ck_assert_ptr_null(result);
    ck_assert_int_eq(sorai_exec_finish(x, &err), SORA_E_INVALID);
    ck_assert_int_ne(err.message[0], 0);
}

START_TEST(refusals) {
    sorai_exec x;
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(context, NULL), &context->mem, SORA_DTYPE_F32, NULL), SORA_OK);
    const int64_t a[] = {2, 3, 2, 4}, b[] = {2, 3, 2, 5}, c[] = {2, 3, 3};
    sora_tensor *const q = sorai_temp(&x, 4, a), *const k = sorai_temp(&x, 4, b), *const bias = sorai_temp(&x, 3, c);
    const int32_t none[] = {1, 0}, many[] = {4, 1}, label[] = {0, 1, 2, 3, 4, -1, 0, 0, 0, 0, 0, 0};
    memset(q->data, 0, sorai_tensor_bytes(q));
    expect_refusal(&x, sorai_attention(&x, q, k, k, 1.0, NULL, NULL));
    expect_refusal(&x, sorai_attention(&x, q, q, k, 1.0, NULL, NULL));
    expect_refusal(&x, sorai_attention(&x, q, q, q, 1.0, k, NULL));
    expect_refusal(&x, sorai_attention(&x, q, q, q, 1.0, NULL, none));
    expect_refusal(&x, sorai_attention(&x, q, q, q, 1.0, NULL, many));
    expect_refusal(&x, sorai_rope(&x, k, bias));
    expect_refusal(&x, sorai_rope_table(&x, 0, 1, 1, 4, 0, 1.0));
    expect_refusal(&x, sorai_rope_table(&x, 1, 1, 1, 5, 0, 1.0));
    expect_refusal(&x, sorai_cross_entropy(&x, q, label));
    ck_assert_ptr_null(sorai_attention(&x, NULL, q, q, 1.0, NULL, NULL));
    ck_assert_ptr_null(sorai_softmax(&x, NULL));
    ck_assert_int_eq(x.status, SORA_OK);
    sorai_exec_release(&x);
}
END_TEST

static sora_tensor *build_rope(sorai_exec *x, sora_tensor *const *in, const void *data) {
    (void)data;
    return sorai_rope(x, in[0], sorai_rope_table(x, 3, 2, 2, in[0]->shape[3], 1, 0.4));
}

START_TEST(rope) {
    /* d = 16: 12 // 3 -> h = w = 4, t = 8 */
    problem p = {build_rope, NULL, 1, {4}, {{2, 12, 2, 16}}, {NULL}};
    problem_fill(&p, 1.0);
    double want[2 * 12 * 2 * 16];
    float *got;
    evaluate(&p, SORA_DTYPE_F32, NULL, &got);
    for (int row = 0; row < 2 * 12 * 2; row++)
        for (int pair = 0; pair < 8; pair++) {
            const int place = row / 2 % 12;
            const double position = pair < 4 ? 1 + place / 4 : 0.4 * (pair < 6 ? place / 2 % 2 : place % 2);
            const double dim = pair < 4 ? 8 : 4, index = pair < 4 ? pair : (pair - 4) % 2;
            const double angle = position * pow(10000, -2 * index / dim);
            const double u = (double)p.values[0][row * 16 + 2 * pair], v = (double)p.values[0][row * 16 + 2 * pair + 1];
            want[row * 16 + 2 * pair] = u * cos(angle) - v * sin(angle);
            want[row * 16 + 2 * pair + 1] = u * sin(angle) + v * cos(angle);
        }
    ck_assert_double_lt(nmse(got, want, 2 * 12 * 2 * 16), 1e-13);
    free(got);
    check_gradients(&p, 1e-7);
    problem_free(&p);
}
END_TEST

static sora_tensor *build_softmax(sorai_exec *x, sora_tensor *const *in, const void *data) {
    (void)data;
    return sorai_softmax(x, in[0]);
}

static sora_tensor *build_cross_entropy(sorai_exec *x, sora_tensor *const *in, const void *data) {
    return sorai_cross_entropy(x, in[0], data);
}

START_TEST(softmax) {
    problem p = {build_softmax, NULL, 1, {3}, {{2, 3, 21}}, {NULL}};
    problem_fill(&p, 3.0);
    float *got;
    double want[2 * 3 * 21];
    for (int row = 0; row < 6; row++) {
        double sum = 0;
        for (int i = 0; i < 21; i++)
            sum += exp((double)p.values[0][row * 21 + i]);
        for (int i = 0; i < 21; i++)
            want[row * 21 + i] = exp((double)p.values[0][row * 21 + i]) / sum;
    }
    evaluate(&p, SORA_DTYPE_F32, NULL, &got);
    ck_assert_double_lt(nmse(got, want, 2 * 3 * 21), 1e-13);
    free(got);
    check_gradients(&p, 1e-6);
    problem_free(&p);
}
END_TEST

START_TEST(cross_entropy) {
    static const int32_t labels[] = {4, -1, 0, 20, 7};
    problem p = {build_cross_entropy, labels, 1, {2}, {{5, 21}}, {NULL}};
    problem_fill(&p, 3.0);
    double want = 0;
    float *got;
    for (int row = 0; row < 5; row++) {
        double sum = 0;
        for (int i = 0; i < 21; i++)
            sum += exp((double)p.values[0][row * 21 + i]);
        if (labels[row] >= 0)
            want += (log(sum) - (double)p.values[0][row * 21 + labels[row]]) / 4;
    }
    evaluate(&p, SORA_DTYPE_F32, NULL, &got);
    ck_assert_double_eq_tol((double)got[0], want, 1e-6);
    free(got);
    check_gradients(&p, 1e-6);
    problem_free(&p);
}
END_TEST

Suite *suite_ops_attention(void) {
    Suite *s = suite_create("ops_attention");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, attention_values);
    tcase_add_test(t, attention_gradients);
    tcase_add_test(t, attention_gradients_bf16);
    tcase_add_test(t, attention_threads);
    tcase_add_test(t, refusals);
    tcase_add_test(t, rope);
    tcase_add_test(t, softmax);
    tcase_add_test(t, cross_entropy);
    suite_add_tcase(s, t);
    return s;
}
