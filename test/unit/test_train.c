/* The trainer, with tiny networks of every kind: runs that go on from a checkpoint, threads, overfitting, refusals, cancelling, exports. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/rng.h"
#include "lib/train/noising.h"
#include "lib/train/trainer.h"
#include "sora/sora.h"

#include "test/unit/train_tiny.h"

#define STEPS 5

static tiny_run run, other;

static void setup(void) {
    tiny_folder();
}

static void teardown(void) {
    tiny_end(&run);
    tiny_end(&other);
    tiny_remove();
}

static void steps(tiny_run *r, int count, double *losses) {
    for (int i = 0; i < count; i++) {
        sora_train_stats s = {.struct_size = sizeof s};
        const int status = sora_trainer_step(r->trainer, &r->error);
        ck_assert_msg(status >= 0, "%s", r->error.message);
        ck_assert_int_eq(sora_trainer_stats(r->trainer, &s), SORA_OK);
        ck_assert(isfinite(s.loss) && s.loss >= 0);
        if (losses)
            losses[i] = s.loss;
    }
}

/* Bytes of everything that a checkpoint must keep. */
static uint64_t digest(const sora_trainer *t) {
    uint64_t h = 0xcbf29ce484222325u;
    for (uint32_t p = 0; p < t->part_count; p++)
        for (size_t i = 0; i < t->parts[p].store.count; i++) {
            const sorai_moments *m = &t->parts[p].optimizer.moments[i];
            const sora_tensor *const all[] = {t->parts[p].store.params[i]->value, m->m, m->v, m->ema};
            for (int k = 0; k < 4; k++)
                for (size_t b = 0; all[k] && b < sorai_tensor_bytes(all[k]); b++)
                    h = (h ^ ((const unsigned char *)all[k]->data)[b]) * 0x100000001b3u;
        }
    return h;
}

/* ---- a run that goes on, threads ---------------------------------------------------------------------------------------------- */

START_TEST(resumed_runs_have_the_same_bits) {
    const char *kind = tiny_kinds[_i];
    double whole[STEPS], halves[STEPS];
    tiny_begin(&run, kind, "", 2);
    steps(&run, STEPS, whole);
    tiny_begin(&other, kind, "", 2);
    steps(&other, 2, halves);
    ck_assert_int_eq(sora_trainer_save(other.trainer, tiny_path("half.safetensors"), NULL), SORA_OK);
    tiny_end(&other);
    tiny_begin(&other, kind, "", 2);
    ck_assert_msg(sora_trainer_load(other.trainer, tiny_path("half.safetensors"), &other.error) == SORA_OK, "%s", other.error.message);
    ck_assert_uint_eq(other.trainer->stats.step, 2);
    steps(&other, STEPS - 2, halves + 2);
    for (int i = 0; i < STEPS; i++)
        ck_assert_msg(whole[i] == halves[i], "step %d: loss %.17g and %.17g", i, whole[i], halves[i]);
    ck_assert(digest(run.trainer) == digest(other.trainer));
    ck_assert_uint_eq(run.trainer->stats.samples, other.trainer->stats.samples);
    ck_assert(run.trainer->stats.rate == other.trainer->stats.rate && run.trainer->stats.grad_norm == other.trainer->stats.grad_norm);
}
END_TEST

START_TEST(threads_have_the_same_bits) {
    double one[STEPS], three[STEPS];
    tiny_begin(&run, tiny_kinds[_i], "", 1);
    tiny_begin(&other, tiny_kinds[_i], "", 3);
    ck_assert(digest(run.trainer) == digest(other.trainer));
    steps(&run, 3, one);
    steps(&other, 3, three);
    for (int i = 0; i < 3; i++)
        ck_assert_msg(one[i] == three[i], "step %d: loss %.17g and %.17g", i, one[i], three[i]);
    ck_assert(digest(run.trainer) == digest(other.trainer));
}
END_TEST

/* Gradients of two parts are those of one batch of both. */
START_TEST(parts_add_up) {
    tiny_begin(&run, tiny_kinds[_i], "\"parts\":2,", 2);
    run.fixed = 1;
    tiny_begin(&other, tiny_kinds[_i], "", 2);
    other.fixed = 1;
    double a, b;
    steps(&run, 1, &a);
    steps(&other, 1, &b);
    ck_assert_uint_eq(run.trainer->stats.samples, 2 * other.trainer->stats.samples);
    if (_i == 2) /* the probe draws no noise: two equal parts are one */
        ck_assert_double_eq_tol(a, b, 1e-6 * b);
    else
        ck_assert_double_eq_tol(a, b, 0.5 * b);
}
END_TEST

/* ---- learning ----------------------------------------------------------------------------------------------------------------- */

static double mean_loss(tiny_run *r, int ema) {
    float losses[TINY_BATCH];
    sora_batch batch = {.struct_size = sizeof batch};
    double sum = 0;
    ck_assert_int_eq(tiny_batch(r, 0, 0, &batch), 0);
    for (uint64_t seed = 0; seed < 4; seed++) {
        ck_assert_msg(sora_trainer_evaluate(r->trainer, &batch, 0.7, seed, ema, losses, &r->error) == SORA_OK, "%s", r->error.message);
        for (int i = 0; i < TINY_BATCH; i++)
            sum += (double)losses[i] / (4 * TINY_BATCH);
    }
    return sum;
}

START_TEST(a_small_batch_is_learnt) {
    static const int count[] = {220, 250, 60};
    static const double share[] = {0.1, 0.6, 0.1};
    /* One thread, which gives the same bits as two: beside other work two wait for each other at every one of many small operations. */
    tiny_begin(&run, tiny_kinds[_i], "\"caption_drop\":0,", 1);
    run.fixed = 1;
    const double before = mean_loss(&run, 0), begin = run.trainer->stats.loss;
    double losses[250];
    steps(&run, count[_i], losses);
    const double after = mean_loss(&run, 0), averaged = mean_loss(&run, 1);
    ck_assert_msg(after < share[_i] * before, "loss %g, before %g", after, before);
    ck_assert_msg(averaged < before, "loss of the averages %g, before %g", averaged, before);
    ck_assert_msg(losses[count[_i] - 1] < 0.8 * losses[0], "logged loss %g, first %g", losses[count[_i] - 1], losses[0]);
    ck_assert(begin == 0.0);
}
END_TEST

/* Red is one thing and blue another, in whichever shot they come. */
static int two_shots(void *user, uint64_t step, uint32_t part, sora_batch *batch) {
    static const char *const before[TINY_BATCH] = {"red", "red", "red"}, *const after[TINY_BATCH] = {"blue", "blue", "blue"};
    tiny_run *r = user;
    const int status = tiny_batch(user, 0, 0, batch), turned = (int)((step + part) % 2);
    float *to = (float *)sora_tensor_data(r->video);
    for (int i = 0; i < TINY_BATCH * 4 * 3 * 8; i++)
        to[i] = (i / 8 % 3 < 2) == turned ? 1.0f : -1.0f;
    batch->captions = turned ? after : before;
    batch->later = turned ? before : after;
    batch->later_from = 2;
    return status;
}

START_TEST(shots_have_texts_of_their_own) {
    static const char *const red[TINY_BATCH] = {"red", "red", "red"}, *const blue[TINY_BATCH] = {"blue", "blue", "blue"};
    float whole[TINY_BATCH], same[TINY_BATCH], told[TINY_BATCH], right = 0, wrong = 0;
    tiny_begin(&run, "transformer", "\"caption_drop\":0,", 2);
    sora_trainer_set_data(run.trainer, two_shots, &run);
    steps(&run, 120, NULL);
    sora_batch batch = {.struct_size = sizeof batch};
    ck_assert_int_eq(two_shots(&run, 0, 0, &batch), 0);
    batch.later = NULL;
    ck_assert_int_eq(sora_trainer_evaluate(run.trainer, &batch, 0.7, 1, 0, whole, NULL), SORA_OK);
    batch.later = red;
    ck_assert_int_eq(sora_trainer_evaluate(run.trainer, &batch, 0.7, 1, 0, same, NULL), SORA_OK);
    batch.later = blue;
    ck_assert_int_eq(sora_trainer_evaluate(run.trainer, &batch, 0.7, 1, 0, told, NULL), SORA_OK);
    for (int i = 0; i < TINY_BATCH; i++) {
        ck_assert_double_eq_tol((double)whole[i], (double)same[i], 1e-5);
        right += told[i];
    }
    batch.captions = blue;
    batch.later = red;
    ck_assert_int_eq(sora_trainer_evaluate(run.trainer, &batch, 0.7, 1, 0, told, NULL), SORA_OK);
    for (int i = 0; i < TINY_BATCH; i++)
        wrong += told[i];
    ck_assert_msg(right < 0.5f * wrong, "the right texts %g, exchanged %g", (double)right, (double)wrong);
}
END_TEST

START_TEST(evaluate_is_deterministic_and_changes_nothing) {
    float a[TINY_BATCH], b[TINY_BATCH], c[TINY_BATCH];
    sora_batch batch = {.struct_size = sizeof batch};
    tiny_begin(&run, tiny_kinds[_i], "", 2);
    steps(&run, 3, NULL);
    const uint64_t bytes = digest(run.trainer);
    ck_assert_int_eq(tiny_batch(&run, 77, 0, &batch), 0);
    ck_assert_int_eq(sora_trainer_evaluate(run.trainer, &batch, 0.5, 1, 1, a, NULL), SORA_OK);
    ck_assert_int_eq(sora_trainer_evaluate(run.trainer, &batch, 0.5, 2, 0, c, NULL), SORA_OK);
    ck_assert_int_eq(sora_trainer_evaluate(run.trainer, &batch, 0.5, 1, 1, b, NULL), SORA_OK);
    ck_assert_mem_eq(a, b, sizeof a);
    if (_i == 1) { /* the transformer's noise comes from the seed */
        ck_assert_mem_ne(a, c, sizeof a);
        ck_assert_int_eq(sora_trainer_evaluate(run.trainer, &batch, 1.5, 1, 1, b, NULL), SORA_E_INVALID);
    }
    ck_assert(digest(run.trainer) == bytes);
    steps(&run, 2, NULL);
    tiny_begin(&other, tiny_kinds[_i], "", 2);
    steps(&other, STEPS, NULL);
    ck_assert(digest(run.trainer) == digest(other.trainer));
}
END_TEST

START_TEST(the_last_step_says_so) {
    tiny_begin(&run, "probe", "\"steps\":2,", 1);
    ck_assert_int_eq(sora_trainer_step(run.trainer, NULL), SORA_MORE);
    ck_assert_int_eq(sora_trainer_step(run.trainer, NULL), SORA_OK);
    const uint64_t bytes = digest(run.trainer);
    ck_assert_int_eq(sora_trainer_step(run.trainer, NULL), SORA_OK);
    ck_assert(digest(run.trainer) == bytes);
}
END_TEST

/* ---- refusals ------------------------------------------------------------------------------------------------------------------ */

START_TEST(wrong_recipes_name_the_field) {
    static const struct {
        const char *kind, *fields, *named;
    } cases[] = {
        {"probe", "\"colour\":1,", "colour"},
        {"probe", "\"optimizer\":{\"speed\":1},", "optimizer.speed"},
        {"probe", "\"optimizer\":7,", "optimizer"},
        {"probe", "\"optimizer\":{\"rate\":\"fast\"},", "optimizer.rate"},
        {"probe", "\"optimizer\":{\"beta1\":1.5},", "optimizer.beta1"},
        {"probe", "\"optimizer\":{\"name\":\"sgd\"},", "optimizer.name"},
        {"probe", "\"steps\":0,", "steps"},
        {"probe", "\"seed\":-1,", "seed"},
        {"probe", "\"parts\":\"2\",", "parts"},
        {"probe", "\"products\":\"f64\",", "products"},
        {"probe", "\"tokenizer\":3,", "tokenizer"},
        {"probe", "\"init\":[],", "init"},
        {"vae", "\"loss\":{\"gradient\":-1},", "loss.gradient"},
        {"vae", "\"loss\":{\"perceptual\":1},", "loss.perceptual"},
        {"transformer", "\"masks\":{\"first\":0.5,\"last\":0.3,\"gaps\":0.3},", "masks"},
        {"transformer", "\"masks\":{\"middle\":0.1},", "masks.middle"},
        {"transformer", "\"noise\":{\"shift\":0},", "noise.shift"},
        {"transformer", "\"caption_drop\":1.5,", "caption_drop"},
        {"transformer", "\"text_length\":1,", "text_length"},
        {"transformer", "\"text_length\":\"many\",", "text_length"},
        {"transformer", "\"tokenizer\":\"/nowhere/at/all.model\",", "/nowhere/at/all.model"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiny_run r = {0};
        ck_assert_msg(tiny_try(&r, cases[i].kind, cases[i].fields, 1) < 0, "%s was taken", cases[i].fields);
        ck_assert_ptr_null(r.trainer);
        ck_assert_msg(strstr(r.error.message, cases[i].named) != NULL, "%s: \"%s\"", cases[i].fields, r.error.message);
        tiny_end(&r);
    }
}
END_TEST

static void refused(const char *recipe, const char *named, int status) {
    sora_context *ctx = NULL;
    sora_trainer *t = (sora_trainer *)(void *)&ctx;
    sora_error err = {.struct_size = sizeof err};
    ck_assert_int_eq(sora_context_create(&ctx, NULL, NULL), SORA_OK);
    const int got = sora_trainer_create(&t, ctx, recipe, strlen(recipe), &err);
    ck_assert_msg(got == status && !t && strstr(err.message, named), "%s: %d \"%s\"", recipe, got, err.message);
    sora_context_unref(&ctx);
}

START_TEST(wrong_texts_are_refused) {
    refused("{\"train\": \"probe\", ", "recipe", SORA_E_FORMAT);
    refused("[]", "object", SORA_E_INVALID);
    refused("{}", "train", SORA_E_INVALID);
    refused("{\"train\":\"music\"}", "train", SORA_E_INVALID);
    refused("{\"train\":\"probe\"}", "probe", SORA_E_INVALID);
    refused("{\"train\":\"vae\",\"vae\":3}", "vae", SORA_E_INVALID);
    refused("{\"train\":\"vae\",\"vae\":{\"base_dim\":8},\"init\":\"/nowhere/m.sora\"}", "/nowhere/m.sora", SORA_E_NOTFOUND);
    refused(TINY_TRANSFORMER_ONLY "}", "tokenizer", SORA_E_INVALID);
}
END_TEST

static int stopping(void *user, uint64_t step, uint32_t part, sora_batch *batch) {
    tiny_run *r = user;
    const int status = tiny_batch(user, step, part, batch);
    if (part == 1 && r->stop == 1)
        sora_trainer_cancel(r->trainer);
    return part == 1 && r->stop > 1 ? r->stop == 2 ? SORA_E_IO : 5 : status;
}

START_TEST(stopped_steps_change_nothing) {
    tiny_begin(&run, tiny_kinds[_i], "\"parts\":2,", 2);
    tiny_begin(&other, tiny_kinds[_i], "\"parts\":2,", 2);
    ck_assert_int_eq(sora_trainer_set_data(run.trainer, stopping, &run), SORA_OK);
    steps(&run, 1, NULL);
    const uint64_t bytes = digest(run.trainer);
    static const int wanted[] = {SORA_E_CANCELLED, SORA_E_IO, SORA_E_CANCELLED};
    for (int i = 0; i < 3; i++) {
        run.stop = i + 1;
        ck_assert_int_eq(sora_trainer_step(run.trainer, &run.error), wanted[i]);
        ck_assert(digest(run.trainer) == bytes && run.trainer->stats.step == 1);
    }
    run.stop = 0;
    sora_trainer_cancel(run.trainer); /* before a step: it is not lost */
    ck_assert_int_eq(sora_trainer_step(run.trainer, NULL), SORA_E_CANCELLED);
    ck_assert(digest(run.trainer) == bytes);
    steps(&run, 2, NULL);
    steps(&other, 3, NULL);
    ck_assert(digest(run.trainer) == digest(other.trainer));
}
END_TEST

static int unfit(void *user, uint64_t step, uint32_t part, sora_batch *batch) {
    tiny_run *r = user;
    const int status = tiny_batch(user, step, part, batch);
    if (r->stop == 1)
        batch->video = NULL;
    else if (r->stop == 2)
        batch->count = 1;
    else if (r->stop == 3)
        batch->captions = NULL;
    else if (r->stop == 4)
        batch->labels = NULL;
    else if (r->stop == 5)
        r->labels[1] = 99;
    else if (r->stop > 5) {
        batch->later = batch->captions;
        batch->later_from = r->stop == 6 ? 0 : 3;
    }
    return status;
}

START_TEST(unfit_batches_are_refused) {
    tiny_begin(&run, tiny_kinds[_i], "", 1);
    const uint64_t bytes = digest(run.trainer);
    sora_trainer_set_data(run.trainer, NULL, NULL);
    ck_assert_int_eq(sora_trainer_step(run.trainer, NULL), SORA_E_STATE);
    sora_trainer_set_data(run.trainer, unfit, &run);
    for (run.stop = 1; run.stop <= 7; run.stop++) {
        const int bad = run.stop < 3 || ((run.stop == 3 || run.stop > 5) && _i == 1) || (run.stop > 3 && run.stop < 6 && _i == 2);
        if (bad) {
            ck_assert_int_eq(sora_trainer_step(run.trainer, NULL), SORA_E_INVALID);
            ck_assert(digest(run.trainer) == bytes);
        }
    }
    run.stop = 0;
    steps(&run, 1, NULL);
}
END_TEST

/* ---- checkpoints ---------------------------------------------------------------------------------------------------------------- */

static char *read_all(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*size);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_uint_eq(fread(bytes, 1, *size, f), *size);
    fclose(f);
    return bytes;
}

static void write_all(const char *path, const char *bytes, size_t size) {
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

static void not_loaded(const char *path) {
    const uint64_t bytes = digest(run.trainer), step = run.trainer->stats.step;
    run.error.message[0] = 0;
    const int status = sora_trainer_load(run.trainer, path, &run.error);
    ck_assert_msg(status < 0 && run.error.message[0], "%s was loaded", path);
    ck_assert(digest(run.trainer) == bytes && run.trainer->stats.step == step);
}

START_TEST(damaged_and_foreign_checkpoints_are_refused) {
    size_t size;
    tiny_begin(&run, "probe", "", 1);
    steps(&run, 2, NULL);
    ck_assert_int_eq(sora_trainer_save(run.trainer, tiny_path("good.safetensors"), NULL), SORA_OK);
    steps(&run, 1, NULL);
    not_loaded(tiny_path("none.safetensors"));
    char *bytes = read_all(tiny_path("good.safetensors"), &size);
    const size_t cuts[] = {0, 4, 8, 100, size / 2, size - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        write_all(tiny_path("cut.safetensors"), bytes, cuts[i]);
        not_loaded(tiny_path("cut.safetensors"));
    }
    /* the header: a name, a type, a shape, the counters */
    static const char *const spoil[] = {"probe/value/", "F32", "\"step\"", "\"samples\"", "probe/ema/", "probe/m/"};
    for (size_t i = 0; i < sizeof spoil / sizeof *spoil; i++) {
        char *copy = malloc(size);
        memcpy(copy, bytes, size);
        size_t at = 8;
        while (memcmp(copy + at, spoil[i], strlen(spoil[i])) != 0)
            ck_assert_uint_lt(++at, size - 16);
        copy[at + 1] = 'X';
        write_all(tiny_path("spoilt.safetensors"), copy, size);
        not_loaded(tiny_path("spoilt.safetensors"));
        free(copy);
    }
    /* a bit of the values, near the end and in the middle */
    for (size_t at = size - 3; at > size / 2 - 1; at -= size / 2 - 8) {
        bytes[at] ^= 4;
        write_all(tiny_path("spoilt.safetensors"), bytes, size);
        not_loaded(tiny_path("spoilt.safetensors"));
        bytes[at] ^= 4;
    }
    free(bytes);
    tiny_begin(&other, "vae", "", 1);
    ck_assert_int_eq(sora_trainer_save(other.trainer, tiny_path("vae.safetensors"), NULL), SORA_OK);
    not_loaded(tiny_path("vae.safetensors"));
    tiny_end(&other);
    tiny_begin(&other, "wide probe", "", 1);
    ck_assert_int_eq(sora_trainer_save(other.trainer, tiny_path("wide.safetensors"), NULL), SORA_OK);
    not_loaded(tiny_path("wide.safetensors"));
    ck_assert_int_eq(sora_trainer_load(run.trainer, tiny_path("good.safetensors"), NULL), SORA_OK);
    ck_assert_uint_eq(run.trainer->stats.step, 2);
}
END_TEST

START_TEST(saving_is_whole_or_not_at_all) {
    size_t before, after;
    tiny_begin(&run, "probe", "", 1);
    ck_assert_int_lt(sora_trainer_save(run.trainer, tiny_path("no/such/folder.safetensors"), &run.error), 0);
    ck_assert(run.error.message[0]);
    ck_assert_int_eq(sora_trainer_save(run.trainer, tiny_path("a.safetensors"), NULL), SORA_OK);
    char *a = read_all(tiny_path("a.safetensors"), &before);
    ck_assert_int_eq(sora_trainer_save(run.trainer, tiny_path("a.safetensors"), NULL), SORA_OK);
    char *b = read_all(tiny_path("a.safetensors"), &after);
    ck_assert(before == after && memcmp(a, b, before) == 0);
    free(a);
    free(b);
    ck_assert_int_lt(sora_trainer_export(run.trainer, tiny_path("no/such/m.sora"), NULL, 0, NULL), 0);
    ck_assert_int_lt(sora_trainer_export(run.trainer, tiny_path("m.sora"), tiny_path("none.sora"), 0, NULL), 0);
    ck_assert_int_lt(sora_trainer_export(run.trainer, tiny_path("m.sora"), NULL, SORA_DTYPE_U8, NULL), 0);
    ck_assert_int_ne(access(tiny_path("m.sora"), F_OK), 0);
}
END_TEST

/* ---- exports -------------------------------------------------------------------------------------------------------------------- */

#define RECOMMENDED                                                                                                                     \
    "\"model\":{\"name\":\"small\",\"text_length\":12,\"width\":32,\"height\":16,\"frames\":5,\"fps\":6,\"steps\":3,\"guidance\":2.5,"    \
    "\"shift\":1.5,\"sampler\":\"euler\"},"

START_TEST(exports_are_models) {
    sora_model *model = NULL;
    sora_pipeline *pipeline = NULL;
    sora_model_desc d = {.struct_size = sizeof d};
    tiny_begin(&run, "vae", "", 2);
    steps(&run, 2, NULL);
    ck_assert_msg(sora_trainer_export(run.trainer, tiny_path("vae.sora"), NULL, 0, &run.error) == SORA_OK, "%s", run.error.message);
    tiny_begin(&other, "transformer", RECOMMENDED, 2);
    steps(&other, 2, NULL);
    const uint64_t bytes = digest(other.trainer);
    ck_assert_msg(sora_trainer_export(other.trainer, tiny_path("m.sora"), tiny_path("vae.sora"), 0, &other.error) == SORA_OK, "%s",
                  other.error.message);
    ck_assert(digest(other.trainer) == bytes);
    ck_assert_msg(sora_model_open(&model, other.context, tiny_path("m.sora"), NULL, &other.error) == SORA_OK, "%s", other.error.message);
    ck_assert_int_eq(sora_model_info(model, &d), SORA_OK);
    ck_assert_uint_eq(d.parts, SORA_PART_TRANSFORMER | SORA_PART_VAE | SORA_PART_TEXT_ENCODER | SORA_PART_TOKENIZER);
    ck_assert_str_eq(d.name, "small");
    ck_assert_int_eq(d.default_width, 32);
    ck_assert_int_eq(d.default_height, 16);
    ck_assert_int_eq(d.default_frames, 5);
    ck_assert_int_eq(d.default_steps, 3);
    ck_assert_int_eq(d.text_length, 12);
    ck_assert(d.default_fps == 6.0 && d.default_guidance == 2.5 && d.default_shift == 1.5);
    const char *json = sora_model_json(model, &other.error); /* reads and checks it all */
    ck_assert(json && strstr(json, "\"conditions\": \"timesteps of tokens\"")); /* trained with given frames */
    ck_assert_int_eq(sora_pipeline_create(&pipeline, model, &other.error), SORA_OK);
    ck_assert_int_eq(sora_pipeline_set_text(pipeline, SORA_PARAM_PROMPT, "a red cat", 9), SORA_OK);
    ck_assert_msg(sora_pipeline_run(pipeline, &other.error) == SORA_OK, "%s", other.error.message);
    sora_pipeline_destroy(&pipeline);
    sora_model_unref(&model);
}
END_TEST

static void near(const sora_trainer *a, const sora_trainer *b, double limit) {
    double d2 = 0, r2 = 0;
    for (uint32_t p = 0; p < a->part_count; p++)
        for (size_t i = 0; i < a->parts[p].store.count; i++) {
            const sora_tensor *u = a->parts[p].optimizer.moments[i].ema, *v = b->parts[p].store.params[i]->value;
            for (int64_t k = 0; k < sorai_tensor_count(u); k++) {
                const double x = (double)((const float *)u->data)[k], y = (double)((const float *)v->data)[k];
                d2 += (x - y) * (x - y);
                r2 += x * x;
            }
        }
    ck_assert_msg(d2 <= limit * r2, "squared error %g", d2 / r2);
}

/* Trainings that begin with the weights of a model: as f32, bf16 and int8. */
START_TEST(init_takes_weights_over) {
    static const double limits[] = {0.0, 1e-5, 5e-4};
    char init[300];
    tiny_begin(&run, tiny_kinds[_i], "", 1);
    steps(&run, 2, NULL);
    ck_assert_int_eq(sora_trainer_export(run.trainer, tiny_path("f32.sora"), NULL, SORA_DTYPE_F32, NULL), SORA_OK);
    ck_assert_int_eq(sora_trainer_export(run.trainer, tiny_path("bf16.sora"), NULL, 0, NULL), SORA_OK);
    ck_assert_int_eq(sora_model_convert(run.context, tiny_path("f32.sora"), tiny_path("i8.sora"), SORA_DTYPE_I8, NULL), SORA_OK);
    static const char *const names[] = {"f32.sora", "bf16.sora", "i8.sora"};
    for (int k = 0; k < 3; k++) {
        snprintf(init, sizeof init, "\"init\":\"%s\",", tiny_path(names[k]));
        tiny_begin(&other, tiny_kinds[_i], init, 1);
        near(run.trainer, other.trainer, limits[k]);
        steps(&other, 1, NULL);
        tiny_end(&other);
    }
}
END_TEST

/* A training that took its tokenizer from init exports that one, whatever the model has whose other parts are taken. */
START_TEST(the_tokenizer_of_init_is_kept) {
    char init[400];
    sora_model *model = NULL;
    sora_model_desc d = {.struct_size = sizeof d};
    tiny_begin(&run, "vae", "", 1);
    steps(&run, 1, NULL);
    ck_assert_int_eq(sora_trainer_export(run.trainer, tiny_path("vae.sora"), NULL, 0, NULL), SORA_OK);
    tiny_end(&run);
    tiny_begin(&run, "transformer", "", 1);
    steps(&run, 1, NULL);
    ck_assert_int_eq(sora_trainer_export(run.trainer, tiny_path("first.sora"), NULL, 0, NULL), SORA_OK);
    snprintf(init, sizeof init, "\"init\":\"%s\",\"data\":{\"tokenizer\":0}," /* no tokenizer of its own */, tiny_path("first.sora"));
    tiny_begin(&other, "transformer", init, 1);
    steps(&other, 1, NULL);
    ck_assert_int_eq(sora_trainer_export(other.trainer, tiny_path("second.sora"), tiny_path("vae.sora"), 0, NULL), SORA_OK);
    ck_assert_int_eq(sora_model_open(&model, other.context, tiny_path("second.sora"), NULL, NULL), SORA_OK);
    ck_assert_int_eq(sora_model_info(model, &d), SORA_OK);
    ck_assert(d.parts & SORA_PART_TOKENIZER);
    sora_model_unref(&model);
}
END_TEST

/* A larger network begins with a smaller one's values in the first places; what is frozen stays, to the bit. */
START_TEST(init_grows) {
    char init[300];
    tiny_begin(&run, "probe", "", 1);
    steps(&run, 2, NULL);
    ck_assert_int_eq(sora_trainer_export(run.trainer, tiny_path("f32.sora"), NULL, SORA_DTYPE_F32, NULL), SORA_OK);
    snprintf(init, sizeof init, "\"init\":\"%s\",", tiny_path("f32.sora"));
    ck_assert_int_eq(tiny_try(&other, "wide probe", init, 1), SORA_E_FORMAT);
    tiny_end(&other);
    snprintf(init, sizeof init, "\"grow\":true,\"init\":\"%s\",", tiny_path("f32.sora"));
    tiny_begin(&other, "wide probe", init, 1);
    int larger = 0;
    for (size_t i = 0; i < other.trainer->parts[0].store.count; i++) {
        const sora_tensor *small = run.trainer->parts[0].optimizer.moments[i].ema, *large = other.trainer->parts[0].store.params[i]->value;
        const int64_t rows = small->shape[0], cols = sorai_tensor_count(small) / rows, wide = sorai_tensor_count(large) / large->shape[0];
        int64_t taps = 1;
        for (int32_t k = 2; k < small->rank; k++)
            taps *= small->shape[k];
        ck_assert(large->shape[0] >= rows && wide >= cols);
        larger += large->shape[0] > rows;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t k = 0; k < cols; k++)
                ck_assert(((const float *)small->data)[r * cols + k] == ((const float *)large->data)[r * wide + k]);
        if (small->rank > 1 && wide > cols && taps * (large->shape[1] - small->shape[1]) > 0)
            ck_assert(((const float *)large->data)[cols] != 0.0f); /* what is new is random */
    }
    ck_assert_int_gt(larger, 0);
    steps(&other, 1, NULL);
    tiny_end(&other);
}
END_TEST

/* A transformer that sees smaller patches: a picture of one value is embedded as before, and it makes the mean of what was made of a large patch. */
START_TEST(init_with_larger_patches) {
    char init[300];
    tiny_begin(&run, "transformer", "", 1);
    steps(&run, 2, NULL);
    ck_assert_int_eq(sora_trainer_export(run.trainer, tiny_path("large.sora"), NULL, SORA_DTYPE_F32, NULL), SORA_OK);
    snprintf(init, sizeof init, "\"init\":\"%s\",", tiny_path("large.sora"));
    ck_assert_int_eq(tiny_try(&other, "fine transformer", init, 1), SORA_E_FORMAT);
    tiny_end(&other);
    snprintf(init, sizeof init, "\"grow\":true,\"init\":\"%s\",", tiny_path("large.sora"));
    tiny_begin(&other, "fine transformer", init, 1);
    int folded = 0;
    for (size_t i = 0; i < other.trainer->parts[0].store.count; i++) {
        const char *const name = other.trainer->parts[0].store.params[i]->name;
        const sora_tensor *old = run.trainer->parts[0].optimizer.moments[i].ema, *now = other.trainer->parts[0].store.params[i]->value;
        const float *const a = old->data, *const b = now->data;
        const int64_t count = sorai_tensor_count(now);
        const int embeds = strcmp(name, "patch_embedding.weight") == 0, head = strncmp(name, "proj_out.", 9) == 0;
        ck_assert_int_eq(sorai_tensor_count(old), embeds || head ? 2 * count : count);
        folded += embeds || head;
        for (int64_t k = 0; k < count; k++) /* embeddings: [dim, 4, 1, 2, 2] -> [dim, 4, 1, 1, 2]; the head has the upper row of places first */
            ck_assert(b[k] == (embeds ? a[k / 2 * 4 + k % 2] + a[k / 2 * 4 + 2 + k % 2] : head ? 0.5f * a[k] + 0.5f * a[count + k] : a[k]));
    }
    ck_assert_int_eq(folded, 3);
    steps(&other, 1, NULL);
    ck_assert_int_eq(sora_trainer_export(other.trainer, tiny_path("small.sora"), NULL, SORA_DTYPE_F32, NULL), SORA_OK);
    tiny_end(&other);
    snprintf(init, sizeof init, "\"grow\":true,\"init\":\"%s\",", tiny_path("small.sora"));
    ck_assert_int_eq(tiny_try(&other, "transformer", init, 1), SORA_E_INVALID);
    ck_assert(strstr(other.error.message, "patch_size"));
}
END_TEST

START_TEST(frozen_parameters_stay) {
    tiny_begin(&run, "vae", "\"freeze\":[\"encoder.\",\"quant_conv.\"],", 1);
    tiny_begin(&other, "vae", "", 1);
    steps(&run, 3, NULL);
    int stays = 0, moves = 0;
    const sorai_store *a = &run.trainer->parts[0].store, *b = &other.trainer->parts[0].store;
    for (size_t i = 0; i < a->count; i++) {
        const char *name = a->params[i]->name;
        const int frozen = strncmp(name, "encoder.", 8) == 0 || strncmp(name, "quant_conv.", 11) == 0;
        const int same = memcmp(a->params[i]->value->data, b->params[i]->value->data, sorai_tensor_bytes(a->params[i]->value)) == 0;
        ck_assert_msg(!frozen || same, "%s", name);
        stays += frozen;
        moves += !frozen && !same;
    }
    ck_assert_int_gt(stays, 5);
    ck_assert_int_gt(moves, 5);
    tiny_end(&other);
    ck_assert_int_eq(tiny_try(&other, "vae", "\"freeze\":[\"no_such\"],", 1), SORA_E_INVALID);
}
END_TEST

Suite *suite_train(void) {
    Suite *s = suite_create("train");
    TCase *c = tcase_create("train");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, resumed_runs_have_the_same_bits, 0, 3);
    tcase_add_loop_test(c, threads_have_the_same_bits, 0, 3);
    tcase_add_loop_test(c, parts_add_up, 0, 3);
    tcase_add_loop_test(c, a_small_batch_is_learnt, 0, 3);
    tcase_add_test(c, shots_have_texts_of_their_own);
    tcase_add_loop_test(c, evaluate_is_deterministic_and_changes_nothing, 0, 3);
    tcase_add_test(c, the_last_step_says_so);
    tcase_add_test(c, wrong_recipes_name_the_field);
    tcase_add_test(c, wrong_texts_are_refused);
    tcase_add_loop_test(c, stopped_steps_change_nothing, 0, 3);
    tcase_add_loop_test(c, unfit_batches_are_refused, 0, 3);
    tcase_add_test(c, damaged_and_foreign_checkpoints_are_refused);
    tcase_add_test(c, saving_is_whole_or_not_at_all);
    tcase_add_test(c, exports_are_models);
    tcase_add_loop_test(c, init_takes_weights_over, 0, 3);
    tcase_add_test(c, the_tokenizer_of_init_is_kept);
    tcase_add_test(c, init_grows);
    tcase_add_test(c, init_with_larger_patches);
    tcase_add_test(c, frozen_parameters_stay);
    suite_add_tcase(s, c);
    return s;
}
