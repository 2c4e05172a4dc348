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

enum { N = 400, FRAMES = 5, HEIGHT = 4, WIDTH = 6, PLACES = HEIGHT * WIDTH, CHANNELS = 2, EACH = FRAMES * PLACES * CHANNELS };
enum { ROWS = 2, COLUMNS = 3, TOKENS = ROWS * COLUMNS }; /* of a frame, in patches of 1 x 2 x 2 */

static float latents[N * EACH], noise[N * EACH], noisy[N * EACH], target[N * EACH], timesteps[N * FRAMES * TOKENS], weights[N * FRAMES * PLACES];

static sorai_noising noising_of(int64_t frames) {
    return (sorai_noising){N, frames, HEIGHT, WIDTH, CHANNELS, {1, 2, 2}, noisy, target, timesteps, weights};
}

static sorai_noising noised(const char *text, double sigma, int64_t frames) {
    sorai_recipe recipe;
    sora_error err = {.struct_size = sizeof err};
    ck_assert_msg(sorai_recipe_parse(&recipe, text, strlen(text), &err) == SORA_OK, "%s", err.message);
    sorai_noising o = noising_of(frames);
    ck_assert_int_eq(sorai_noising_tokens(&o), frames * TOKENS);
    for (int i = 0; i < N * EACH; i++)
        latents[i] = (float)sin((double)i);
    sorai_noising_fill(&o, &recipe, latents, NULL, sigma, 5, 40);
    sorai_recipe_release(&recipe);
    sorai_rng_normals(5, 80, 0, noise, (size_t)(N * frames * PLACES * CHANNELS));
    return o;
}

/* What the masks made of samples. */
typedef struct tally {
    int none, first, last, ends, others, regions;
    int long_first, long_last; /* more than one frame at the beginning, at the end */
    int noisy;  /* conditions with noise */
} tally;

/* Of one sample: 0 or 1 each. */
static tally kind_of(const unsigned char *given, int64_t f) {
    int64_t whole = 0, parts = 0, begin = 0, end = 0;
    for (int64_t t = 0; t < f; t++) {
        int sum = 0;
        for (int k = 0; k < TOKENS; k++)
            sum += given[t * TOKENS + k];
        whole += sum == TOKENS;
        parts += sum > 0 && sum < TOKENS;
    }
    while (begin < f && given[begin * TOKENS])
        begin++;
    while (end < f && given[(f - 1 - end) * TOKENS])
        end++;
    tally counted = {0};
    if (parts) {
        ck_assert_int_eq(parts, f); /* the same box in every frame */
        ck_assert(memcmp(given, given + (f - 1) * TOKENS, TOKENS) == 0);
        counted.regions = 1;
    } else {
        counted.none = !whole;
        counted.first = begin && whole == begin;
        counted.last = end && whole == end;
        counted.ends = begin && end && whole == begin + end;
        counted.others = whole > begin + end;
        counted.long_first = begin > 1;
        counted.long_last = end > 1;
    }
    return counted;
}

/* The formula for every value of all samples. */
static tally check_noise(const sorai_noising *o) {
    const int64_t f = o->frames, each = f * PLACES * CHANNELS;
    tally all = {0};
    for (int64_t i = 0; i < N; i++) {
        const float *const times = timesteps + i * f * TOKENS;
        double sum = 0;
        float level = -1, held = -1;
        unsigned char given[FRAMES * TOKENS] = {0};
        for (int64_t k = 0; k < f * PLACES; k++) {
            const int64_t t = k / PLACES, token = t * TOKENS + k % PLACES / WIDTH / 2 * COLUMNS + k % WIDTH / 2;
            const float w = weights[i * f * PLACES + k], s = times[token] / 1000.0f;
            float *const same = w == 0.0f ? &held : &level; /* what counts has one level, conditions have another */
            ck_assert(*same < 0.0f || *same == s);
            *same = s;
            given[token] = w == 0.0f;
            sum += (double)w;
            for (int64_t c = 0; c < CHANNELS; c++) {
                const int64_t at = i * each + k * CHANNELS + c;
                const float x = latents[i * each + c * f * PLACES + k], e = noise[at];
                ck_assert(target[at] == e - x);
                if (s == 0.0f)
                    ck_assert(noisy[at] == x);
                else
                    ck_assert_double_eq_tol((double)noisy[at], (1 - (double)s) * (double)x + (double)s * (double)e, 1e-6);
            }
        }
        ck_assert_msg(level > 0.0f && held < level, "something is always made, and has the most noise");
        ck_assert_double_eq_tol(sum / (double)(f * PLACES), 1.0, 1e-5);
        const tally counted = kind_of(given, f);
        all.none += counted.none, all.first += counted.first, all.last += counted.last, all.ends += counted.ends;
        all.others += counted.others, all.regions += counted.regions;
        all.long_first += counted.long_first, all.long_last += counted.long_last;
        all.noisy += held > 0.0f;
    }
    return all;
}

START_TEST(noise_follows_its_formula) {
    sorai_noising o = noised("{\"train\":\"probe\",\"masks\":{\"first\":0.2,\"last\":0.2,\"ends\":0.2,\"gaps\":0.3}}", -1.0, FRAMES);
    const tally all = check_noise(&o);
    ck_assert_msg(all.first > 48 && all.first < 140, "%d", all.first); /* 80 expected, deviation 8; gaps add some */
    ck_assert_msg(all.last > 48 && all.last < 140, "%d", all.last);
    ck_assert_msg(all.ends > 48 && all.ends < 140, "%d", all.ends);
    ck_assert(all.none > 15 && all.others > 30);
    ck_assert(all.noisy == 0 && all.regions == 0);
    double low = 1000, high = 0;
    for (int i = 0; i < N * FRAMES * TOKENS; i++)
        if (timesteps[i] > 0) {
            low = fmin(low, (double)timesteps[i]);
            high = fmax(high, (double)timesteps[i]);
        }
    ck_assert(low < 150 && high > 850 && high < 1000);
}
END_TEST

START_TEST(masks_as_the_recipe_says) {
    static const char *const one[] = {"first", "last", "ends", "gaps", "regions"};
    for (int m = 0; m < 5; m++) {
        char text[100];
        snprintf(text, sizeof text, "{\"train\":\"probe\",\"masks\":{\"%s\":1}}", one[m]);
        sorai_noising o = noised(text, -1.0, FRAMES);
        const tally all = check_noise(&o);
        const int by_name[5] = {all.first, all.last, all.ends, all.others > 100 ? N : 0, all.regions};
        ck_assert_msg(by_name[m] == N, "%s: %d", one[m], by_name[m]);
        ck_assert_int_eq(all.noisy, 0);
        /* 150 expected of a beginning or an end, of both 133 and 67, deviation 10 at most */
        ck_assert_msg(m == 0 || m == 2 ? all.long_first > 100 && all.long_first < 200 : m > 2 || all.long_first == 0, "%d", all.long_first);
        ck_assert_msg(m == 1 || m == 2 ? all.long_last > 35 && all.long_last < 200 : m > 2 || all.long_last == 0, "%d", all.long_last);
        o = noised(text, 0.25, FRAMES); /* a fixed level has no masks */
        ck_assert_int_eq(check_noise(&o).none, N);
        ck_assert(timesteps[0] == 250.0f && timesteps[N * FRAMES * TOKENS - 1] == 250.0f);
        o = noised(text, -1.0, 1); /* an image has no other frame to hold on to */
        ck_assert_int_eq(m == 4 ? check_noise(&o).regions : check_noise(&o).none, N);
    }
}
END_TEST

/* Regions are drawn for a batch as a whole; conditions with noise for each sample that has conditions. */
START_TEST(regions_and_noisy_conditions) {
    sorai_recipe recipe;
    static const char text[] = "{\"train\":\"probe\",\"masks\":{\"first\":0.5,\"regions\":0.5,\"noisy\":0.5}}";
    ck_assert_int_eq(sorai_recipe_parse(&recipe, text, sizeof text - 1, NULL), SORA_OK);
    sorai_noising o = noising_of(FRAMES);
    int with = 0, boxes[TOKENS + 1] = {0};
    for (uint64_t stream = 0; stream < 40; stream++) {
        sorai_noising_fill(&o, &recipe, latents, NULL, -1.0, 5, stream);
        sorai_rng_normals(5, stream * 2, 0, noise, (size_t)(N * EACH));
        const tally all = check_noise(&o);
        ck_assert(all.regions == 0 || all.regions == N);
        with += all.regions == N;
        const int held = all.regions ? N : all.first;
        ck_assert_msg(all.noisy > held / 2 - 50 && all.noisy < held / 2 + 50, "%d of %d", all.noisy, held);
        for (int i = 0; all.regions && i < N; i++) {
            int given = 0;
            for (int k = 0; k < TOKENS; k++)
                given += weights[i * FRAMES * PLACES + k / COLUMNS * 2 * WIDTH + k % COLUMNS * 2] == 0.0f;
            boxes[given]++;
        }
    }
    ck_assert_msg(with > 8 && with < 32, "%d of 40 batches", with);
    ck_assert(boxes[0] == 0 && boxes[TOKENS] == 0);
    ck_assert_msg(boxes[1] > 0 && boxes[2] > 0 && boxes[4] > boxes[2] && boxes[5] > boxes[1], "most regions are made, some are given");
    sorai_recipe_release(&recipe);
}
END_TEST

/* The batch's weights of places multiply those of frames. */
START_TEST(places_count_as_the_batch_says) {
    static float own[N * FRAMES * PLACES], plain[N * FRAMES * PLACES];
    sorai_recipe recipe;
    static const char text[] = TINY_TRANSFORMER_ONLY ",\"masks\":{\"first\":0.5},\"text_length\":16}";
    ck_assert_int_eq(sorai_recipe_parse(&recipe, text, strlen(text), NULL), SORA_OK);
    sorai_noising o = noising_of(FRAMES);
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
    tiny_begin(&run, "transformer", "\"masks\":{\"ends\":0.5,\"regions\":0.5},", 1);
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
    tcase_add_test(c, regions_and_noisy_conditions);
    tcase_add_test(c, places_count_as_the_batch_says);
    tcase_add_test(c, condition_frames_do_not_count);
    suite_add_tcase(s, c);
    return s;
}
