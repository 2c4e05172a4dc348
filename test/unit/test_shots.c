/* Shots: texts with a place on the timeline, on the tiny model and on a relative of one layer, for which the answer is exact. */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sora/sora.h>

#include "lib/pipeline/pipeline.h"
#include "test/unit/rig.h"

static void shot(rig *r, int64_t at, const char *text) {
    ck_assert_msg(sora_pipeline_add_shot(r->p, at, text, (size_t)-1, &r->err) == SORA_OK, "%s", r->err.message);
}

static void prompt(rig *r, const char *text) { sora_pipeline_set_text(r->p, SORA_PARAM_PROMPT, text, (size_t)-1); }

static sora_tensor *latent_of_run(rig *r) {
    sora_tensor *t = NULL;
    ck_assert_msg(sora_pipeline_run(r->p, &r->err) == SORA_OK, "%s", r->err.message);
    ck_assert_int_eq(sora_pipeline_get_tensor(r->p, SORA_SLOT_LATENT, &t), SORA_OK);
    return t;
}

/* Largest difference of latent frames first..last of [C, T, plane]. */
static double apart(const sora_tensor *a, const sora_tensor *b, int first, int last) {
    const int64_t *s = a->shape, plane = s[2] * s[3];
    double worst = 0;
    for (int64_t c = 0; c < s[0]; c++)
        for (int64_t i = first * plane; i < (last + 1) * plane; i++)
            worst = fmax(worst, fabs((double)((float *)a->data)[c * s[1] * plane + i] - (double)((float *)b->data)[c * s[1] * plane + i]));
    return worst;
}

/* A relative of the base model with a text encoder; all of it is read, so that its folder can go. */
static void open_relative(rig *r, const char *name) {
    char folder[] = "/tmp/sora-shots-XXXXXX", command[200];
    sora_model_opts opts;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(command, sizeof command, "sh test/tiny/make.sh %s %s", folder, name);
    ck_assert_int_eq(system(command), 0);
    memset(r, 0, sizeof *r);
    r->err.struct_size = sizeof r->err;
    ck_assert_int_eq(sora_context_create(&r->ctx, NULL, &r->err), SORA_OK);
    sora_model_opts_init(&opts);
    opts.dtype = SORA_DTYPE_F32;
    ck_assert_msg(sora_model_open(&r->model, r->ctx, folder, &opts, &r->err) == SORA_OK, "%s", r->err.message);
    ck_assert_int_eq(sora_pipeline_create(&r->p, r->model, &r->err), SORA_OK);
    sora_pipeline_set_i64(r->p, SORA_PARAM_FRAMES, 9);
    sora_tensor *t = latent_of_run(r);
    sora_tensor_unref(&t);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* One layer and one step: a frame depends on the other frames' positions and noise, but on its own text alone. So frames of a run with
 * shots are those of the runs with either text. With and without guidance. */
START_TEST(frames_attend_to_their_own_text) {
    rig r;
    open_relative(&r, "t2v");
    sora_pipeline_set_i64(r.p, SORA_PARAM_STEPS, 1);
    sora_pipeline_set_f64(r.p, SORA_PARAM_GUIDANCE, _i ? 4.0 : 1.0);
    prompt(&r, "red fox");
    sora_tensor *a = latent_of_run(&r);
    prompt(&r, "blue sea");
    sora_tensor *b = latent_of_run(&r);
    prompt(&r, "red fox");
    shot(&r, 5, "blue sea"); /* latent frame 2 of 0..2 */
    sora_tensor *both = latent_of_run(&r);
    ck_assert_double_gt(apart(a, b, 0, 2), 1e-3);
    ck_assert_double_lt(apart(both, a, 0, 1), 1e-6);
    ck_assert_double_lt(apart(both, b, 2, 2), 1e-6);
    ck_assert_double_gt(apart(both, a, 2, 2), 1e-3);
    /* The same text in all shots is the prompt. */
    sora_pipeline_clear_shots(r.p);
    prompt(&r, "something else");
    shot(&r, -3, "no one sees it");
    shot(&r, 0, "red fox");
    shot(&r, 3, "red fox");
    sora_tensor *same = latent_of_run(&r);
    ck_assert_double_lt(apart(same, a, 0, 2), 1e-6);
    sora_tensor *all[] = {a, b, both, same};
    for (size_t i = 0; i < 4; i++) sora_tensor_unref(&all[i]);
    close_rig(&r);
}
END_TEST

START_TEST(boundaries_are_rounded) {
    /* Latent frames begin at 0, 1, 5, 9, 13. */
    static const int64_t at[] = {-9, 0, 1, 2, 3, 4, 6, 7, 10, 12, 15}, want[] = {0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4};
    rig r;
    sorai_plan plan;
    open_rig(&r, 1, 0);
    sora_pipeline_set_i64(r.p, SORA_PARAM_FRAMES, 16);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) shot(&r, at[i], "x");
    ck_assert_int_eq(sorai_plan_make(r.p, &plan, &r.err), SORA_OK);
    int counted = 0;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        ck_assert_msg(r.p->shots.list[i].from == want[i], "frame %d: latent frame %d", (int)at[i], (int)r.p->shots.list[i].from);
        counted += sorai_shot_counts(&r.p->shots, i);
    }
    ck_assert_int_eq(counted, 4); /* the last of those that begin together */
    ck_assert(sorai_shots_first(r.p) == &r.p->shots.list[1]);
    close_rig(&r);
}
END_TEST

/* Shots with a condition and references: saved, resumed to the same bits, within the estimate. */
START_TEST(shots_go_with_the_rest) {
    rig r, other;
    char path[] = "/tmp/sora-shots-file-XXXXXX";
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    sora_memory before = {.struct_size = sizeof before}, after = before, estimate = before;
    open_rig(&r, 2, 0);
    open_rig(&other, 1, 0);
    rig *const both[2] = {&r, &other};
    for (int i = 0; i < 2; i++) {
        sora_pipeline_set_i64(both[i]->p, SORA_PARAM_FRAMES, 9);
        sora_pipeline_set_i64(both[i]->p, SORA_PARAM_STEPS, 3);
        shot(both[i], 1, "b");
        shot(both[i], 5, i ? "d" : "c");
    }
    ck_assert_msg(sora_pipeline_estimate(r.p, &estimate, &r.err) == SORA_OK, "%s", r.err.message);
    sora_context_memory(r.ctx, &before);
    sora_tensor *whole = latent_of_run(&r);
    sora_context_memory(r.ctx, &after);
    const double taken = (double)(after.peak - before.used);
    ck_assert_msg((double)estimate.peak >= taken && (double)estimate.peak <= 1.10 * taken + 65536, "estimate %.3f MiB, taken %.3f MiB",
                  (double)estimate.peak / 1048576, taken / 1048576);
    ck_assert_int_eq(sora_pipeline_begin(r.p, &r.err), SORA_OK);
    for (int i = 0; i < 2; i++) ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_MORE);
    ck_assert_int_eq(sora_pipeline_add_shot(r.p, 7, "x", 1, &r.err), SORA_E_STATE);
    ck_assert_int_eq(sora_pipeline_clear_shots(r.p), SORA_E_STATE);
    ck_assert_int_eq(sora_pipeline_save(r.p, path, &r.err), SORA_OK);
    ck_assert_int_eq(sora_pipeline_resume(other.p, path, &other.err), SORA_E_INVALID); /* another text */
    sora_pipeline_clear_shots(other.p);
    shot(&other, 1, "b");
    shot(&other, 5, "c");
    ck_assert_msg(sora_pipeline_resume(other.p, path, &other.err) == SORA_OK, "%s", other.err.message);
    int status;
    do status = sora_pipeline_step(other.p, &other.err);
    while (status == SORA_MORE);
    ck_assert_int_eq(status, SORA_OK);
    sora_tensor *resumed = NULL;
    ck_assert_int_eq(sora_pipeline_get_tensor(other.p, SORA_SLOT_LATENT, &resumed), SORA_OK);
    ck_assert_mem_eq(whole->data, resumed->data, sora_tensor_bytes(whole));
    remove(path);
    sora_tensor_unref(&whole);
    sora_tensor_unref(&resumed);
    close_rig(&other);
    close_rig(&r);
}
END_TEST

START_TEST(wrong_shots_are_refused) {
    rig r;
    open_rig(&r, 1, 0);
    ck_assert_int_eq(sora_pipeline_add_shot(NULL, 0, "x", 1, &r.err), SORA_E_INVALID);
    ck_assert_int_eq(sora_pipeline_add_shot(r.p, 0, NULL, 1, &r.err), SORA_E_INVALID);
    ck_assert_int_eq(sora_pipeline_clear_shots(NULL), SORA_E_INVALID);
    shot(&r, 3, "x");
    ck_assert_int_eq(sora_pipeline_add_shot(r.p, 3, "y", 1, &r.err), SORA_E_INVALID);
    ck_assert_int_eq(sora_pipeline_add_shot(r.p, 2, "y", 1, &r.err), SORA_E_INVALID);
    shot(&r, 5, "y"); /* the video has 5 frames */
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_E_INVALID);
    ck_assert_int_eq(sora_pipeline_clear_shots(r.p), SORA_OK);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    close_rig(&r);
}
END_TEST

Suite *suite_shots(void);
Suite *suite_shots(void) {
    Suite *s = suite_create("shots");
    TCase *c = tcase_create("shots");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, NULL, remove_model);
    tcase_add_loop_test(c, frames_attend_to_their_own_text, 0, 2);
    tcase_add_test(c, boundaries_are_rounded);
    tcase_add_test(c, shots_go_with_the_rest);
    tcase_add_test(c, wrong_shots_are_refused);
    suite_add_tcase(s, c);
    return s;
}
