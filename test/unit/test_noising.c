/* The noise that trainings add: levels, masks of condition frames, and what of a batch counts. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/rng.h"
#include "lib/train/noising.h"
#include "lib/train/trainer.h"
#include "sora/sora.h"

#include "test/unit/train_tiny.h"

static tiny_run run;

static void teardown(void) {
    tiny_end(&run);
    tiny_remove();
}

enum { N = 400, FRAMES = 5, PLACES = 3, CHANNELS = 2, EACH = FRAMES * PLACES * CHANNELS };

static float latents[N * EACH], noise[N * EACH], noisy[N * EACH], target[N * EACH], timesteps[N * FRAMES], weights[N * FRAMES * PLACES];

static sorai_noising noised(const char *text, double sigma, int64_t frames) {
    sorai_recipe recipe;
    sora_error err = {.struct_size = sizeof err};
    ck_assert_msg(sorai_recipe_parse(&recipe, text, strlen(text), &err) == SORA_OK, "%s", err.message);
    sorai_noising o = {N, frames, PLACES, CHANNELS, noisy, target, timesteps, weights};
    for (int i = 0; i < N * EACH; i++)
        latents[i] = (float)sin((double)i);
    sorai_noising_fill(&o, &recipe, latents, NULL, sigma, 5, 40);
    sorai_recipe_release(&recipe);
    sorai_rng_normals(5, 80, 0, noise, (size_t)(N * frames * PLACES * CHANNELS));
    return o;
}

/* The formula for every value; counts the kinds of masks: none, first, last, ends, others. */
static void check_noise(const sorai_noising *o, int *counts) {
    const int64_t f = o->frames, each = f * PLACES * CHANNELS;
    for (int64_t i = 0; i < N; i++) {
        double sum = 0, level = -1;
        int64_t open = 0, first = timesteps[i * f] == 0.0f, last = timesteps[i * f + f - 1] == 0.0f, inner = 0;
        for (int64_t t = 0; t < f; t++) {
            const float s = timesteps[i * f + t] / 1000.0f, w = weights[(i * f + t) * PLACES];
            const int condition = s == 0.0f;
            ck_assert_msg(condition == (w == 0.0f), "a frame counts if and only if it has noise");
            ck_assert(condition || level < 0 || (double)s == level);
            level = condition ? level : (double)s;
            open += !condition;
            inner += condition && t > 0 && t + 1 < f;
            sum += (double)w;
            for (int64_t p = 0; p < PLACES; p++)
                for (int64_t c = 0; c < CHANNELS; c++) {
                    const int64_t at = i * each + (t * PLACES + p) * CHANNELS + c;
                    const float x = latents[i * each + (c * f + t) * PLACES + p], e = noise[at];
                    ck_assert(target[at] == e - x);
                    if (condition)
                        ck_assert(noisy[at] == x);
                    else
                        ck_assert_double_eq_tol((double)noisy[at], (1 - (double)s) * (double)x + (double)s * (double)e, 1e-6);
                }
        }
        ck_assert_int_gt(open, 0);
        ck_assert_double_eq_tol(sum / (double)f, 1.0, 1e-6);
        counts[inner ? 4 : first && last ? 3 : last ? 2 : first ? 1 : 0]++;
    }
}

START_TEST(noise_follows_its_formula) {
    int counts[5] = {0};
    sorai_noising o = noised("{\"train\":\"probe\",\"masks\":{\"first\":0.2,\"last\":0.2,\"ends\":0.2,\"gaps\":0.3}}", -1.0, FRAMES);
    check_noise(&o, counts);
    for (int k = 1; k < 4; k++) /* 80 expected, deviation 8; gaps add some */
        ck_assert_msg(counts[k] > 48 && counts[k] < 140, "%d samples of kind %d", counts[k], k);
    ck_assert(counts[0] > 15 && counts[4] > 60);
    double low = 1000, high = 0;
    for (int i = 0; i < N * FRAMES; i++)
        if (timesteps[i] > 0) {
            low = fmin(low, (double)timesteps[i]);
            high = fmax(high, (double)timesteps[i]);
        }
    ck_assert(low < 150 && high > 850 && high < 1000);
}
END_TEST

START_TEST(masks_as_the_recipe_says) {
    static const char *const one[] = {"first", "last", "ends", "gaps"};
    for (int m = 0; m < 4; m++) {
        char text[100];
        int counts[5] = {0};
        snprintf(text, sizeof text, "{\"train\":\"probe\",\"masks\":{\"%s\":1}}", one[m]);
        sorai_noising o = noised(text, -1.0, FRAMES);
        check_noise(&o, counts);
        ck_assert(m == 3 ? counts[4] > 200 : counts[m + 1] == N);
        int none[5] = {0};
        o = noised(text, 0.25, FRAMES); /* a fixed level has no masks */
        check_noise(&o, none);
        ck_assert_int_eq(none[0], N);
        ck_assert(timesteps[0] == 250.0f && timesteps[N * FRAMES - 1] == 250.0f);
        int images[5] = {0};
        o = noised(text, -1.0, 1); /* an image has nothing to hold on to */
        check_noise(&o, images);
        ck_assert_int_eq(images[0], N);
    }
}
END_TEST

/* The batch's weights of places multiply those of frames. */
START_TEST(places_count_as_the_batch_says) {
    static float own[N * FRAMES * PLACES], plain[N * FRAMES * PLACES];
    sorai_recipe recipe;
    static const char text[] = TINY_TRANSFORMER_ONLY ",\"masks\":{\"first\":0.5},\"text_length\":16}";
    ck_assert_int_eq(sorai_recipe_parse(&recipe, text, strlen(text), NULL), SORA_OK);
    sorai_noising o = {N, FRAMES, PLACES, CHANNELS, noisy, target, timesteps, weights};
    for (int i = 0; i < N * FRAMES * PLACES; i++)
        own[i] = (float)(i % 7);
    sorai_noising_fill(&o, &recipe, latents, NULL, -1, 5, 40);
    memcpy(plain, weights, sizeof plain);
    sorai_noising_fill(&o, &recipe, latents, own, -1, 5, 40);
    int zeros = 0;
    for (int i = 0; i < N * FRAMES * PLACES; i++) {
        ck_assert(weights[i] == plain[i] * own[i]);
        zeros += plain[i] == 0.0f;
    }
    ck_assert_int_gt(zeros, 0);
    sorai_recipe_release(&recipe);
}
END_TEST

/* What the network says about a condition frame changes neither loss nor gradient. */
START_TEST(condition_frames_do_not_count) {
    tiny_folder();
    tiny_begin(&run, "transformer", "\"masks\":{\"ends\":1},", 1);
    sorai_exec *x = &run.trainer->exec;
    noised("{\"train\":\"probe\",\"masks\":{\"gaps\":1}}", -1.0, FRAMES);
    float values[2] = {0};
    static float made[N * EACH], gradient[N * EACH];
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < N * EACH; i++)
            made[i] = (float)cos((double)i) + (weights[i / (PLACES * CHANNELS)] == 0.0f ? 7.0f * (float)pass : 0.0f);
        const sorai_exec_mark mark = sorai_exec_here(x);
        sorai_tape tape = {NULL, 0};
        const int64_t shape[3] = {N, FRAMES, PLACES * CHANNELS};
        sora_tensor *a = sorai_upload(x, SORA_DTYPE_F32, 3, shape, made), *b = sorai_upload(x, SORA_DTYPE_F32, 3, shape, target);
        x->tape = &tape;
        a->needs_grad = 1;
        sora_tensor *loss = sorai_mse(x, a, b, sorai_upload(x, SORA_DTYPE_F32, 2, shape, weights));
        sorai_tape_backward(x, &tape, loss, 1.0);
        sorai_download(x, loss, &values[pass]);
        sorai_download(x, a->grad, gradient);
        for (int64_t i = 0; i < N * EACH; i++)
            ck_assert((gradient[i] == 0.0f) == (weights[i / (PLACES * CHANNELS)] == 0.0f));
        sorai_exec_rewind(x, mark);
        ck_assert_int_eq(sorai_exec_finish(x, NULL), SORA_OK);
    }
    ck_assert(values[0] == values[1] && values[0] > 0.0f);
    for (int i = 0; i < 2; i++)
        ck_assert_msg(sora_trainer_step(run.trainer, &run.error) >= 0, "%s", run.error.message);
}
END_TEST

Suite *suite_noising(void) {
    Suite *s = suite_create("noising");
    TCase *c = tcase_create("noising");
    tcase_add_checked_fixture(c, NULL, teardown);
    tcase_add_test(c, noise_follows_its_formula);
    tcase_add_test(c, masks_as_the_recipe_says);
    tcase_add_test(c, places_count_as_the_batch_says);
    tcase_add_test(c, condition_frames_do_not_count);
    suite_add_tcase(s, c);
    return s;
}
