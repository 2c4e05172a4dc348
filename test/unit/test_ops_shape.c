/* Operations that move elements, means, and resampling: exact values by index arithmetic, gradients against differences. */
#include "test/unit/gradcheck.h"

enum what { RESHAPE, PERMUTE, SLICE, CONCAT, REPEAT, PAD, MEAN, UP, POOL };

typedef struct data {
    enum what what;
    int32_t axes[5];
    int64_t a, b;
} data;

static sora_tensor *build(sorai_exec *x, sora_tensor *const *in, sorai_param *const *p, const void *user) {
    const data *d = user;
    (void)p;
    switch (d->what) {
    case RESHAPE: return sorai_reshape(x, in[0], 2, (int64_t[]){12, 10});
    case PERMUTE: return sorai_permute(x, in[0], d->axes);
    case SLICE: return sorai_slice(x, in[0], d->axes[0], d->a, d->b);
    case CONCAT: return sorai_concat(x, in, 3, d->axes[0]);
    case REPEAT: return sorai_repeat(x, in[0], d->axes[0], d->a);
    case PAD: return sorai_pad_front(x, in[0], d->axes[0], d->a);
    case MEAN: return sorai_mean_axis(x, in[0], d->axes[0]);
    case UP: return sorai_upsample_nearest(x, in[0], d->axes[0], d->axes[1], d->axes[2]);
    default: return sorai_avg_pool(x, in[0], d->axes[0], d->axes[1], d->axes[2]);
    }
}

static gradcheck g;
static float *y;
static int64_t count;

static void begin(const data *d, int32_t rank, const int64_t *shape) {
    gradcheck_begin(&g, build, d);
    gradcheck_input(&g, rank, shape, 1.0);
    gradcheck_value(&g, 0, &y, &count);
}

/* All these operations are linear: a large step is exact. */
static void finish(void) {
    free(y);
    gradcheck_run(&g, 0.5, 1e-9);
    gradcheck_end(&g);
}

START_TEST(reshape) {
    begin(&(data){RESHAPE, {0}, 0, 0}, 3, (int64_t[]){4, 5, 6});
    ck_assert_mem_eq(y, g.values[0], 120 * sizeof *y);
    finish();
}
END_TEST

START_TEST(permute) {
    static const int32_t orders[][4] = {{0, 2, 1, 3}, {3, 2, 1, 0}, {1, 0, 2, 3}, {0, 1, 3, 2}, {2, 3, 0, 1}};
    static const int64_t n[4] = {2, 3, 4, 5};
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        const int32_t *p = orders[o];
        begin(&(data){PERMUTE, {p[0], p[1], p[2], p[3]}, 0, 0}, 4, n);
        for (int64_t i = 0; i < 120; i++) {
            int64_t place[4], rest = i;
            for (int k = 3; k >= 0; k--) {
                place[p[k]] = rest % n[p[k]];
                rest /= n[p[k]];
            }
            ck_assert_float_eq(y[i], g.values[0][((place[0] * 3 + place[1]) * 4 + place[2]) * 5 + place[3]]);
        }
        finish();
    }
}
END_TEST

START_TEST(slice_and_pad) {
    begin(&(data){SLICE, {1}, 1, 4}, 3, (int64_t[]){3, 5, 7});
    ck_assert_int_eq(count, 63);
    for (int64_t i = 0; i < count; i++)
        ck_assert_float_eq(y[i], g.values[0][i / 21 * 35 + 7 + i % 21]);
    finish();
    begin(&(data){SLICE, {2}, 6, 7}, 3, (int64_t[]){3, 5, 7});
    for (int64_t i = 0; i < count; i++)
        ck_assert_float_eq(y[i], g.values[0][i * 7 + 6]);
    finish();
    begin(&(data){PAD, {1}, 2, 0}, 3, (int64_t[]){3, 4, 5});
    ck_assert_int_eq(count, 90);
    for (int64_t i = 0; i < count; i++)
        ck_assert_float_eq(y[i], i % 30 < 10 ? 0.0f : g.values[0][i / 30 * 20 + i % 30 - 10]);
    finish();
}
END_TEST

START_TEST(concat) {
    const data d = {CONCAT, {1}, 0, 0};
    gradcheck_begin(&g, build, &d);
    gradcheck_input(&g, 3, (int64_t[]){2, 1, 3}, 1.0);
    gradcheck_input(&g, 3, (int64_t[]){2, 4, 3}, 1.0);
    gradcheck_input(&g, 3, (int64_t[]){2, 2, 3}, 1.0);
    gradcheck_value(&g, 0, &y, &count);
    ck_assert_int_eq(count, 42);
    for (int64_t i = 0; i < count; i++) {
        const int64_t b = i / 21, at = i % 21;
        const float want = at < 3 ? g.values[0][b * 3 + at] : at < 15 ? g.values[1][b * 12 + at - 3] : g.values[2][b * 6 + at - 15];
        ck_assert_float_eq(y[i], want);
    }
    finish();
}
END_TEST

START_TEST(repeat_and_mean) {
    begin(&(data){REPEAT, {1}, 3, 0}, 3, (int64_t[]){2, 4, 5});
    ck_assert_int_eq(count, 120);
    for (int64_t i = 0; i < count; i++)
        ck_assert_float_eq(y[i], g.values[0][i / 15 * 5 + i % 5]);
    finish();
    for (int32_t axis = 0; axis < 3; axis++) {
        static const int64_t n[3] = {2, 4, 5}, run[3] = {20, 5, 1};
        begin(&(data){MEAN, {axis}, 0, 0}, 3, n);
        ck_assert_int_eq(count, 40 / n[axis]);
        for (int64_t i = 0; i < count; i++) {
            double sum = 0;
            for (int64_t k = 0; k < n[axis]; k++)
                sum += (double)g.values[0][i / run[axis] * n[axis] * run[axis] + k * run[axis] + i % run[axis]];
            ck_assert_double_eq_tol((double)y[i], sum / (double)n[axis], 1e-6);
        }
        finish();
    }
}
END_TEST

/* Place of (b, t, h, w, c) in a tensor of the given extents. */
static int64_t place(const int64_t *n, int64_t b, int64_t t, int64_t h, int64_t w, int64_t c) {
    return (((b * n[1] + t) * n[2] + h) * n[3] + w) * n[4] + c;
}

static void resample_case(enum what what, const int64_t *small, const int32_t *f) {
    const int64_t large[5] = {small[0], small[1] * f[0], small[2] * f[1], small[3] * f[2], small[4]};
    begin(&(data){what, {f[0], f[1], f[2]}, 0, 0}, 5, what == UP ? small : large);
    double *sum = calloc((size_t)(small[0] * small[1] * small[2] * small[3] * small[4]), sizeof *sum);
    for (int64_t b = 0; b < large[0]; b++)
        for (int64_t t = 0; t < large[1]; t++)
            for (int64_t h = 0; h < large[2]; h++)
                for (int64_t w = 0; w < large[3]; w++)
                    for (int64_t c = 0; c < large[4]; c++) {
                        const int64_t l = place(large, b, t, h, w, c), s = place(small, b, t / f[0], h / f[1], w / f[2], c);
                        if (what == UP)
                            ck_assert_float_eq(y[l], g.values[0][s]);
                        else
                            sum[s] += (double)g.values[0][l];
                    }
    for (int64_t i = 0; what == POOL && i < count; i++)
        ck_assert_double_eq_tol((double)y[i], sum[i] / (f[0] * f[1] * f[2]), 1e-6);
    free(sum);
    finish();
}

START_TEST(resample) {
    for (enum what what = UP; what <= POOL; what++) {
        resample_case(what, (int64_t[]){1, 2, 3, 2, 3}, (int32_t[]){1, 2, 2});
        resample_case(what, (int64_t[]){2, 1, 2, 1, 20}, (int32_t[]){2, 1, 3});
    }
}
END_TEST

/* A chain through views, with one tensor used three times. */
static sora_tensor *build_chain(sorai_exec *x, sora_tensor *const *in, sorai_param *const *p, const void *user) {
    (void)p, (void)user;
    sora_tensor *flat = sorai_reshape(x, in[0], 2, (int64_t[]){4, 15});
    sora_tensor *parts[3] = {sorai_slice(x, flat, 1, 0, 5), sorai_slice(x, flat, 1, 5, 10), sorai_slice(x, flat, 1, 10, 15)};
    sora_tensor *mixed = sorai_add(x, parts[0], sorai_axpby(x, 2, parts[1], -3, parts[2]));
    return sorai_concat(x, (sora_tensor *[]){mixed, flat, parts[1], mixed}, 4, 1);
}

START_TEST(chain) {
    gradcheck_begin(&g, build_chain, NULL);
    gradcheck_input(&g, 3, (int64_t[]){4, 3, 5}, 1.0);
    gradcheck_run(&g, 0.5, 1e-9);
    gradcheck_end(&g);
}
END_TEST

static void expect_refusal(sorai_exec *x, const sora_tensor *result) {
    ck_assert_ptr_null(result);
    ck_assert_int_eq(sorai_exec_finish(x, NULL), SORA_E_INVALID);
}

START_TEST(refusals) {
    gradcheck_begin(&g, build, NULL);
    sorai_exec x;
    ck_assert_int_eq(sorai_exec_init(&x, sorai_context_device(g.context, NULL), &g.context->mem, SORA_DTYPE_F32, NULL), SORA_OK);
    sora_tensor *const a = sorai_temp(&x, 2, (int64_t[]){2, 6}), *const b = sorai_temp(&x, 2, (int64_t[]){3, 4});
    sora_tensor *const video = sorai_temp(&x, 5, (int64_t[]){1, 2, 3, 4, 5});
    expect_refusal(&x, sorai_reshape(&x, a, 1, (int64_t[]){13}));
    expect_refusal(&x, sorai_permute(&x, a, (int32_t[]){0, 0}));
    expect_refusal(&x, sorai_permute(&x, a, (int32_t[]){0, 2}));
    expect_refusal(&x, sorai_slice(&x, a, 2, 0, 1));
    expect_refusal(&x, sorai_slice(&x, a, 1, 3, 7));
    expect_refusal(&x, sorai_slice(&x, a, 1, 3, 2));
    expect_refusal(&x, sorai_concat(&x, (sora_tensor *[]){a, b}, 2, 0));
    expect_refusal(&x, sorai_repeat(&x, a, 0, 0));
    expect_refusal(&x, sorai_pad_front(&x, a, 0, -1));
    expect_refusal(&x, sorai_mean_axis(&x, a, -1));
    expect_refusal(&x, sorai_upsample_nearest(&x, a, 1, 2, 2));
    expect_refusal(&x, sorai_avg_pool(&x, video, 1, 2, 2));
    ck_assert_ptr_eq(sorai_slice(&x, a, 1, 0, 6), a);
    sora_tensor *const none = sorai_slice(&x, a, 1, 3, 3);
    ck_assert_ptr_nonnull(none);
    ck_assert_int_eq(sorai_tensor_count(none), 0);
    ck_assert_int_eq(x.status, SORA_OK);
    sorai_exec_release(&x);
    gradcheck_end(&g);
}
END_TEST

Suite *suite_ops_shape(void) {
    Suite *s = suite_create("ops_shape");
    TCase *t = tcase_create("all");
    tcase_add_test(t, reshape);
    tcase_add_test(t, permute);
    tcase_add_test(t, slice_and_pad);
    tcase_add_test(t, concat);
    tcase_add_test(t, repeat_and_mean);
    tcase_add_test(t, resample);
    tcase_add_test(t, chain);
    tcase_add_test(t, refusals);
    suite_add_tcase(s, t);
    return s;
}
