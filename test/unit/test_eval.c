/* What sora eval measures with: known answers. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/eval/measures.h"
#include "tools/eval/motion.h"

enum { SIDE = 64, FRAMES = 9, FRAME = SIDE * SIDE * 3 };

/* A soft pattern that moves. */
static void draw(uint8_t *rgb, int width, int height, int frame) {
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *p = rgb + (y * width + x) * 3;
            p[0] = (uint8_t)(128 + 100 * sin(0.12 * (x + 2 * frame)));
            p[1] = (uint8_t)(128 + 100 * sin(0.10 * (y - frame)));
            p[2] = (uint8_t)(60 + 2 * frame);
        }
}

START_TEST(measures) {
    uint8_t a[3 * 16 * 16 * 3], b[sizeof a];
    for (int f = 0; f < 3; f++) draw(a + f * 768, 16, 16, f);
    memcpy(b, a, sizeof a);
    ck_assert_double_eq(measure_mse(a, b, sizeof a), 0.0);
    ck_assert_double_eq_tol(measure_ssim(a, b, 3, 16, 16), 1.0, 1e-12);
    for (size_t i = 0; i < sizeof b; i++) b[i] = (uint8_t)(b[i] ^ 16);
    ck_assert_double_eq(measure_mse(a, b, sizeof a), 256.0);
    ck_assert_double_lt(measure_ssim(a, b, 3, 16, 16), 0.999);
    memcpy(b, a, 768);
    memcpy(b + 768, a, 768);
    memcpy(b + 1536, a, 768);
    ck_assert_double_eq(measure_flicker(b, 3, 16, 16), 0.0);
    memset(b + 768, 0, 768);
    ck_assert_double_gt(measure_flicker(b, 3, 16, 16), 50);
    /* Diagonal normal distributions have a distance in closed form. */
    double x[400 * 3], y[400 * 3];
    for (int i = 0; i < 400; i++)
        for (int k = 0; k < 3; k++) {
            const double side = (i >> k) & 1 ? 1.0 : -1.0; /* independent signs: variances 400/399, no covariance */
            x[i * 3 + k] = side;
            y[i * 3 + k] = 5.0 * k + 3.0 * side;
        }
    double mx[3] = {0}, my[3] = {0}, want = 0;
    for (int i = 0; i < 400; i++)
        for (int k = 0; k < 3; k++) {
            mx[k] += x[i * 3 + k] / 400;
            my[k] += y[i * 3 + k] / 400;
        }
    for (int k = 0; k < 3; k++) {
        double v = 0;
        for (int i = 0; i < 400; i++) v += (x[i * 3 + k] - mx[k]) * (x[i * 3 + k] - mx[k]) / 399;
        want += (mx[k] - my[k]) * (mx[k] - my[k]) + v + 9 * v - 2 * 3 * v;
    }
    /* y is 3 x plus a shift, so its covariance is 9 times that of x whatever the correlations: the root is 3 times it.
     */
    ck_assert_double_eq_tol(measure_frechet(x, 400, y, 400, 3), want, 1e-9 * want);
    ck_assert_double_le(measure_frechet(x, 400, x, 400, 3), 1e-9);
}
END_TEST

/* ---- motion ------------------------------------------------------------------------------------------------------------- */

static double noise(int64_t x, int64_t y) {
    uint64_t h = (uint64_t)(x * 7919 + y * 104729 + 12345) * UINT64_C(0x9e3779b97f4a7c15);
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return (double)(h >> 40) / (double)(1 << 24);
}

/* A texture without a period, moved by u and v. */
static void texture(uint8_t *rgb, int side, double u, double v) {
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            const double a = (x - u) / 5, b = (y - v) / 5;
            const int64_t i = (int64_t)floor(a), k = (int64_t)floor(b);
            const double s = a - (double)i, t = b - (double)k;
            const double n = (noise(i, k) * (1 - s) + noise(i + 1, k) * s) * (1 - t) + (noise(i, k + 1) * (1 - s) + noise(i + 1, k + 1) * s) * t;
            memset(rgb + (y * side + x) * 3, (int)(30 + 190 * n), 3);
        }
}

/* A clip whose texture moves by these steps. */
static uint8_t *moving(const double (*steps)[2], int frames) {
    uint8_t *rgb = malloc((size_t)frames * FRAME);
    double u = 0, v = 0;
    for (int f = 0; f < frames; f++) {
        u += steps[f][0];
        v += steps[f][1];
        texture(rgb + f * FRAME, SIDE, u, v);
    }
    return rgb;
}

START_TEST(flow_of_a_shift) {
    static const double shifts[][2] = {{0, 0}, {3, -2}, {-7, 1}, {0.5, 0}, {9, 0}};
    const double *want = shifts[_i];
    uint8_t a[FRAME], b[FRAME];
    const int n = (int)motion_vectors(SIDE, SIDE);
    ck_assert_int_eq(n, SIDE * SIDE / (MOTION_SQUARE * MOTION_SQUARE));
    float *const all = malloc((size_t)n * 2 * sizeof *all);
    texture(a, SIDE, 0, 0);
    texture(b, SIDE, want[0], want[1]);
    for (int light = 0; light < 2; light++) {
        /* The same in another light: half the contrast, brighter. */
        for (int i = 0; light && i < FRAME; i++) b[i] = (uint8_t)(90 + b[i] / 2);
        ck_assert_int_eq(motion_flow(a, b, SIDE, SIDE, all), 0);
        int right = 0;
        for (int i = 0; i < n; i++)
            right += fabs((double)all[i * 2] - want[0]) < 0.3 && fabs((double)all[i * 2 + 1] - want[1]) < 0.3;
        ck_assert_msg(right >= n * 7 / 10, "%d of %d squares moved by %g, %g", right, n, want[0], want[1]);
    }
    memset(a, 100, sizeof a); /* nothing to follow */
    memset(b, 101, sizeof b);
    ck_assert_int_eq(motion_flow(a, b, SIDE, SIDE, all), 0);
    for (int i = 0; i < 2 * n; i++) ck_assert(all[i] == 0.0f);
    free(all);
}
END_TEST

START_TEST(flow_of_large_pictures_is_that_of_small_ones) {
    const int side = 4 * MOTION_SIDE;
    uint8_t *a = malloc((size_t)side * (size_t)side * 6), *b = a + (size_t)side * (size_t)side * 3;
    float *flow = malloc((size_t)motion_vectors(side, side) * 2 * sizeof *flow);
    ck_assert_int_eq(motion_vectors(side, side), motion_vectors(MOTION_SIDE, MOTION_SIDE));
    uint8_t *small = malloc((size_t)MOTION_SIDE * MOTION_SIDE * 3);
    for (int k = 0; k < 2; k++) {
        texture(small, MOTION_SIDE, k * 4, 0);
        for (int i = 0; i < side * side; i++) memcpy((k ? b : a) + i * 3, small + (i / side / 4 * MOTION_SIDE + i % side / 4) * 3, 3);
    }
    ck_assert_int_eq(motion_flow(a, b, side, side, flow), 0);
    double mean = 0;
    for (int i = 0; i < motion_vectors(side, side); i++) mean += (double)flow[i * 2] / (double)motion_vectors(side, side);
    ck_assert_double_eq_tol(mean, 4, 0.5);
    free(small);
    free(flow);
    free(a);
}
END_TEST

START_TEST(seams) {
    static const double even[FRAMES][2] = {{0, 0}, {2, 0}, {2, 0}, {2, 0}, {2, 0}, {2, 0}, {2, 0}, {2, 0}, {2, 0}};
    static const double turn[FRAMES][2] = {{0, 0}, {2, 0}, {2, 0}, {2, 0}, {-6, 5}, {2, 0}, {2, 0}, {2, 0}, {2, 0}};
    uint8_t *good = moving(even, FRAMES), *bad = moving(turn, FRAMES);
    motion_step inside, step;
    double median;
    ck_assert_int_eq(motion_inside(good, FRAMES, SIDE, SIDE, &inside, &median), 0);
    ck_assert_double_gt(inside.difference, 1);
    ck_assert_double_lt(inside.jump, 0.3);
    ck_assert_double_eq_tol(median, inside.difference, 0.1 * median);
    ck_assert_int_eq(motion_step_at(good, FRAMES, SIDE, SIDE, 4, &step), 0);
    ck_assert_double_eq_tol(step.difference, inside.difference, 0.1 * inside.difference);
    ck_assert_double_lt(step.jump, 0.3);
    ck_assert_int_eq(motion_step_at(bad, FRAMES, SIDE, SIDE, 4, &step), 0);
    ck_assert_double_gt(step.difference, 1.4 * inside.difference);
    ck_assert_double_eq_tol(step.jump, sqrt(8 * 8 + 5 * 5), 2);
    /* The ends have one neighbour; a clip of one frame and of two has little to say. */
    ck_assert_int_eq(motion_step_at(good, FRAMES, SIDE, SIDE, 1, &step), 0);
    ck_assert_double_lt(step.jump, 0.3);
    ck_assert_int_eq(motion_step_at(good, FRAMES, SIDE, SIDE, FRAMES - 1, &step), 0);
    ck_assert_double_lt(step.jump, 0.3);
    ck_assert_int_eq(motion_step_at(bad, 2, SIDE, SIDE, 1, &step), 0);
    ck_assert_double_eq(step.jump, 0);
    ck_assert_int_eq(motion_inside(good, 1, SIDE, SIDE, &inside, &median), 0);
    ck_assert_double_eq(inside.difference, 0);
    ck_assert_double_eq(median, 0);
    free(good);
    free(bad);
}
END_TEST

START_TEST(motion_of_two_clips) {
    static const double way[FRAMES][2] = {{0, 0}, {3, 0}, {2, 1}, {0, 2}, {-3, 0}, {1, 1}, {2, -2}, {3, 0}, {0, 0}};
    double back[FRAMES][2], still[FRAMES][2] = {{0}}, both, each;
    for (int f = 0; f < FRAMES; f++)
        for (int k = 0; k < 2; k++) back[f][k] = -way[f][k];
    uint8_t *a = moving(way, FRAMES), *b = moving((const double(*)[2])back, FRAMES), *c = moving((const double(*)[2])still, FRAMES);
    ck_assert_int_eq(motion_alike(a, a, FRAMES, SIDE, SIDE, &both, &each), 0);
    ck_assert_double_gt(each, 100);
    ck_assert_double_eq_tol(both / each, 1, 1e-9);
    ck_assert_int_eq(motion_alike(a, b, FRAMES, SIDE, SIDE, &both, &each), 0);
    ck_assert_double_lt(both / each, -0.7);
    ck_assert_int_eq(motion_alike(a, c, FRAMES, SIDE, SIDE, &both, &each), 0);
    ck_assert_double_eq(both, 0);
    ck_assert_double_eq(each, 0);
    for (int i = 0; i < FRAMES * FRAME; i++) b[i] = (uint8_t)(255 - a[i] / 2); /* the same in other colours, but turned around */
    for (int i = 0; i < FRAMES * FRAME; i++) b[i] = (uint8_t)(255 - b[i]);
    ck_assert_int_eq(motion_alike(a, b, FRAMES, SIDE, SIDE, &both, &each), 0);
    ck_assert_double_gt(both / each, 0.95);
    free(a);
    free(b);
    free(c);
}
END_TEST

START_TEST(rising_and_drift) {
    ck_assert_double_eq_tol(motion_rising((const double[]){1, 2, 5, 9, 100}, 5), 1, 1e-12);
    ck_assert_double_eq_tol(motion_rising((const double[]){5, 4, 3, -1}, 4), -1, 1e-12);
    ck_assert_double_eq(motion_rising((const double[]){3, 3, 3}, 3), 0);
    ck_assert_double_eq_tol(motion_rising((const double[]){1, 3, 2}, 3), 0.5, 1e-12);
    ck_assert_double_eq_tol(motion_rising((const double[]){1, 1, 2}, 3), sqrt(3) / 2, 1e-12); /* ranks .5 .5 2 */
    ck_assert_double_eq(motion_rising((const double[]){1}, 1), 0);
    uint8_t a[2 * FRAME], b[2 * FRAME];
    for (int i = 0; i < 2 * FRAME; i++) {
        a[i] = i / 3 & 1 ? 100 : 60; /* every other pixel: mean 80, deviation 20 */
        b[i] = i % 3 == 1 ? (uint8_t)(a[i] + 12) : a[i];
    }
    ck_assert_double_eq(motion_drift(a, a, 2, SIDE, SIDE), 0);
    ck_assert_double_eq_tol(motion_drift(a, b, 2, SIDE, SIDE), 12, 1e-9);
    for (int i = 0; i < 2 * FRAME; i++) b[i] = i / 3 & 1 ? 110 : 50; /* the same mean, deviation 30 */
    ck_assert_double_eq_tol(motion_drift(a, b, 2, SIDE, SIDE), 10, 1e-9);
    ck_assert_double_eq_tol(measure_psnr(255.0 * 255.0 / 1000), 30, 1e-9);
    ck_assert_double_lt(measure_psnr(0), 109);
    ck_assert_double_eq_tol(motion_difference(a, b, SIDE, SIDE), 10, 1e-9);
}
END_TEST

Suite *suite_eval(void) {
    Suite *s = suite_create("eval");
    TCase *c = tcase_create("eval");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, measures);
    tcase_add_loop_test(c, flow_of_a_shift, 0, 5);
    tcase_add_test(c, flow_of_large_pictures_is_that_of_small_ones);
    tcase_add_test(c, seams);
    tcase_add_test(c, motion_of_two_clips);
    tcase_add_test(c, rising_and_drift);
    suite_add_tcase(s, c);
    return s;
}
