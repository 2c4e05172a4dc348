/* Embedding rows with their gradient, and the sinusoids of timesteps. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "lib/backend/context.h"
#include "lib/ops/ops.h"

static sora_context *context;
static sorai_store store;
static sorai_exec exec;

static void setup(void) {
    const sorai_context_config config = {.threads = 2};
    ck_assert_int_eq(sorai_context_create(&context, &config, NULL), SORA_OK);
    sorai_device *const device = sorai_context_device(context, NULL);
    ck_assert_int_eq(sorai_store_init(&store, &context->mem, device), SORA_OK);
    store.trainable = 1;
    ck_assert_int_eq(sorai_exec_init(&exec, device, &context->mem, SORA_DTYPE_F32, NULL), SORA_OK);
}

static void teardown(void) {
    sorai_exec_release(&exec);
    sorai_store_release(&store);
    sorai_context_unref(&context);
}

START_TEST(rows_and_gradient) {
    enum { ROWS = 7, COLS = 21, COUNT = 6 };
    static const int32_t ids[COUNT] = {3, 0, 3, 6, 3, 0};
    static const int64_t shape[] = {ROWS, COLS}, out_shape[] = {COUNT, COLS};
    sorai_param *table;
    ck_assert_int_eq(sorai_store_get(&store, &table, "table", 2, shape, SORAI_INIT_NORMAL, 1.0, NULL), SORA_OK);
    sorai_tape tape = {NULL, 0};
    exec.tape = &tape;
    sora_tensor *const y = sorai_embed(&exec, table, ids, COUNT);
    ck_assert_ptr_nonnull(y);
    float value[ROWS * COLS], got[COUNT * COLS], weight[COUNT * COLS], grad[ROWS * COLS];
    memcpy(value, table->value->data, sizeof value);
    ck_assert_int_eq(sorai_download(&exec, y, got), SORA_OK);
    double want[ROWS * COLS] = {0};
    for (int i = 0; i < COUNT; i++)
        for (int c = 0; c < COLS; c++) {
            ck_assert(got[i * COLS + c] == value[ids[i] * COLS + c]);
            weight[i * COLS + c] = (float)sin((double)(i * COLS + c));
            want[ids[i] * COLS + c] += (double)weight[i * COLS + c];
        }
    /* twice, because gradients of a parameter add up */
    for (int pass = 1; pass <= 2; pass++) {
        exec.tape = NULL;
        y->grad = sorai_upload(&exec, SORA_DTYPE_F32, 2, out_shape, weight);
        ck_assert_ptr_eq(tape.last->out, y);
        tape.last->backward(&exec, tape.last);
        ck_assert_msg(exec.status == SORA_OK, "%s", exec.error.message);
        memcpy(grad, table->grad->data, sizeof grad);
        for (int i = 0; i < ROWS * COLS; i++)
            ck_assert_double_eq_tol((double)grad[i], pass * want[i], 1e-6);
    }
}
END_TEST

START_TEST(refused_index) {
    static const int64_t shape[] = {4, 2};
    const int32_t high[] = {1, 4}, low[] = {-1};
    sora_error err = {0};
    sorai_param *table;
    ck_assert_int_eq(sorai_store_get(&store, &table, "table", 2, shape, SORAI_INIT_ZERO, 0, NULL), SORA_OK);
    ck_assert_ptr_null(sorai_embed(&exec, table, high, 2));
    ck_assert_int_eq(sorai_exec_finish(&exec, &err), SORA_E_INVALID);
    ck_assert_ptr_nonnull(strstr(err.message, "table"));
    ck_assert_ptr_null(sorai_embed(&exec, table, low, 1));
    ck_assert_int_eq(sorai_exec_finish(&exec, NULL), SORA_E_INVALID);
    ck_assert_ptr_nonnull(sorai_embed(&exec, table, high, 1));
}
END_TEST

START_TEST(timesteps) {
    static const float t[] = {0.0f, 1.0f, 999.0f, 437.5f};
    float got[4 * 10];
    sora_tensor *const y = sorai_timestep_embedding(&exec, t, 4, 10);
    ck_assert_ptr_nonnull(y);
    ck_assert(!y->needs_grad);
    ck_assert_int_eq(sorai_download(&exec, y, got), SORA_OK);
    for (int r = 0; r < 4; r++)
        for (int i = 0; i < 5; i++) {
            const double angle = (double)t[r] * exp(-log(10000.0) * i / 5.0);
            ck_assert_double_eq_tol((double)got[r * 10 + i], cos(angle), 2e-4);
            ck_assert_double_eq_tol((double)got[r * 10 + 5 + i], sin(angle), 2e-4);
        }
    ck_assert_ptr_null(sorai_timestep_embedding(&exec, NULL, 4, 10));
    ck_assert_int_eq(sorai_exec_finish(&exec, NULL), SORA_E_INVALID);
}
END_TEST

Suite *suite_ops_embed(void) {
    Suite *s = suite_create("ops_embed");
    TCase *t = tcase_create("all");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, rows_and_gradient);
    tcase_add_test(t, refused_index);
    tcase_add_test(t, timesteps);
    suite_add_tcase(s, t);
    return s;
}
