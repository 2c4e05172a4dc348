/* What goes on between a run's steps: where guidance ends, runs that are saved and resumed, blocks that are kept from an earlier step. */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/pipeline/pipeline.h"
#include "test/unit/rig.h"

static void denoised(rig *r, const float *x, float timestep, const sora_tensor *text, float *velocity) {
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_F32, 4, 0, {4, 2, 4, 4}}, one = {sizeof one, SORA_DTYPE_F32, 1, 0, {1}};
    sora_tensor *latent = NULL, *t = NULL, *v = NULL;
    ck_assert_int_eq(sora_tensor_create(&latent, r->ctx, &shape, &r->err), SORA_OK);
    ck_assert_int_eq(sora_tensor_create(&t, r->ctx, &one, &r->err), SORA_OK);
    memcpy(sora_tensor_data(latent), x, 128 * sizeof *x);
    *(float *)sora_tensor_data(t) = timestep;
    ck_assert_msg(sora_denoise(r->p, latent, t, text, &v, &r->err) == SORA_OK, "%s", r->err.message);
    memcpy(velocity, sora_tensor_data(v), 128 * sizeof *velocity);
    sora_tensor_unref(&latent);
    sora_tensor_unref(&t);
    sora_tensor_unref(&v);
}

/* Guidance 4 down to a noise level, Euler from 1 to 0.4 to 0: against its formula, each step guided or not. */
START_TEST(guidance_ends_at_a_level) {
    static const double until[4] = {-1.0, 0.4, 0.41, 1.0}; /* steps that begin at a level count, also where it is the bound itself */
    static const int guided[4] = {2, 2, 1, 1};
    rig r;
    float noise[128], x[128], c[128], u[128];
    open_rig(&r, 2, 0);
    sora_tensor *text = NULL, *negative = NULL, *start = NULL, *latent = NULL;
    ck_assert_int_eq(sora_encode_text(r.p, "a cat", (size_t)-1, &text, NULL, &r.err), SORA_OK);
    ck_assert_int_eq(sora_encode_text(r.p, "", 0, &negative, NULL, &r.err), SORA_OK);
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_F32, 4, 0, {4, 2, 4, 4}};
    ck_assert_int_eq(sora_tensor_create(&start, r.ctx, &shape, &r.err), SORA_OK);
    for (int i = 0; i < 128; i++) ((float *)sora_tensor_data(start))[i] = noise[i] = (float)(i * 37 % 64) / 20.0f - 1.6f;
    sora_pipeline_set_f64(r.p, SORA_PARAM_GUIDANCE, 4.0);
    sora_pipeline_set_i64(r.p, SORA_PARAM_SAMPLER, SORA_SAMPLER_EULER);
    sora_pipeline_set_text(r.p, SORA_PARAM_TIMESTEPS, "1000,400", (size_t)-1);
    for (int k = 0; k < 4; k++) {
        ck_assert_int_eq(sora_pipeline_set_f64(r.p, SORA_PARAM_GUIDANCE_UNTIL, until[k]), SORA_OK);
        ck_assert_msg(sora_sample(r.p, start, text, negative, &latent, &r.err) == SORA_OK, "%s", r.err.message);
        memcpy(x, noise, sizeof x);
        for (int step = 0; step < 2; step++) {
            denoised(&r, x, step ? 400.0f : 1000.0f, text, c);
            denoised(&r, x, step ? 400.0f : 1000.0f, negative, u);
            for (int i = 0; i < 128; i++) x[i] -= (step ? 0.4f : 0.6f) * (step < guided[k] ? u[i] + 4.0f * (c[i] - u[i]) : c[i]);
        }
        for (int i = 0; i < 128; i++) ck_assert_float_eq_tol(((const float *)sora_tensor_data(latent))[i], x[i], 1e-4f);
        sora_tensor_unref(&latent);
    }
    ck_assert_int_eq(sora_pipeline_set_f64(r.p, SORA_PARAM_GUIDANCE_UNTIL, 1.1), SORA_E_INVALID);
    sora_tensor_unref(&text);
    sora_tensor_unref(&negative);
    sora_tensor_unref(&start);
    close_rig(&r);
}
END_TEST

/* Saved after any step and resumed in another pipeline, a run gives the same bits, with every solver, with a condition too. */
START_TEST(saved_runs_go_on) {
    rig r, other;
    size_t a, b;
    char path[96];
    open_rig(&r, 2, 0);
    snprintf(path, sizeof path, "%s/run.safetensors", rig_model());
    sora_condition c;
    sora_condition_init(&c);
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 4, 0, {1, 32, 32, 3}};
    ck_assert_int_eq(sora_tensor_create(&c.frames, r.ctx, &shape, &r.err), SORA_OK);
    memset(sora_tensor_data(c.frames), 90, 3072);
    const int sampler = 1 + _i / 2;
    sora_pipeline_set_i64(r.p, SORA_PARAM_SAMPLER, sampler);
    sora_pipeline_set_i64(r.p, SORA_PARAM_STEPS, 4);
    if (_i & 1) ck_assert_int_eq(sora_pipeline_add_condition(r.p, &c, &r.err), SORA_OK);
    ck_assert_int_eq(sora_pipeline_run(r.p, &r.err), SORA_OK);
    uint8_t *whole = frames_of(&r, &a);
    ck_assert_int_eq(sora_pipeline_save(r.p, path, &r.err), SORA_E_STATE);
    for (int k = 0; k < 4; k++) {
        ck_assert_int_eq(sora_pipeline_begin(r.p, &r.err), SORA_OK);
        for (int i = 0; i < 1 + 3 * (_i & 1) + k; i++) /* a condition is laid, and encoded in two steps */
            ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_MORE);
        ck_assert_msg(sora_pipeline_save(r.p, path, &r.err) == SORA_OK, "%s", r.err.message);
        sora_pipeline_cancel(r.p);
        ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_E_CANCELLED);
        open_rig(&other, 1, 0);
        ck_assert_int_eq(sora_pipeline_resume(other.p, path, &other.err), SORA_E_INVALID); /* another request */
        sora_pipeline_set_i64(other.p, SORA_PARAM_SAMPLER, sampler);
        sora_pipeline_set_i64(other.p, SORA_PARAM_STEPS, 4);
        if (_i & 1) ck_assert_int_eq(sora_pipeline_add_condition(other.p, &c, &other.err), SORA_OK);
        ck_assert_msg(sora_pipeline_resume(other.p, path, &other.err) == SORA_OK, "%s", other.err.message);
        ck_assert_int_eq(sora_pipeline_begin(other.p, &other.err), SORA_E_STATE);
        int steps = 1, status;
        while ((status = sora_pipeline_step(other.p, &other.err)) == SORA_MORE) steps++;
        ck_assert_int_eq(status, SORA_OK);
        ck_assert_int_eq(steps, 4 - k + 2); /* what was left of denoising, and two pieces of video */
        uint8_t *rest = frames_of(&other, &b);
        ck_assert_uint_eq(a, b);
        ck_assert_mem_eq(whole, rest, a);
        free(rest);
        /* A file cut short is refused, and the pipeline can be used. */
        ck_assert_int_eq(truncate(path, 700), 0);
        ck_assert_int_lt(sora_pipeline_resume(other.p, path, &other.err), 0);
        ck_assert_int_eq(sora_pipeline_run(other.p, &other.err), SORA_OK);
        close_rig(&other);
    }
    ck_assert_int_eq(sora_pipeline_resume(r.p, "no/such/file", &r.err), SORA_E_NOTFOUND);
    ck_assert_int_eq(sora_pipeline_resume(r.p, rig_model(), &r.err) < 0, 1);
    free(whole);
    sora_tensor_unref(&c.frames);
    close_rig(&r);
}
END_TEST

/* Frames of a run; *left_out: steps without blocks; unbatched: guidance's passes one after the other. */
static uint8_t *cached_frames(rig *r, double threshold, double guidance, int unbatched, size_t *size, int *left_out) {
    int status;
    rig_steps(r, threshold, 6, guidance);
    *left_out = 0;
    ck_assert_msg(sora_pipeline_begin(r->p, &r->err) == SORA_OK, "%s", r->err.message);
    r->p->plan.unbatched = unbatched;
    while ((status = sora_pipeline_step(r->p, &r->err)) == SORA_MORE)
        if (r->p->state == SORAI_RUN_DENOISE && r->p->loop.sampler.index == 1)
            for (int i = 0; r->p->loop.reuses && i < 6; i++) {
                ck_assert(!r->p->loop.reuses[i] || (i > 0 && i < 5));
                *left_out += r->p->loop.reuses[i];
            }
    ck_assert_msg(status == SORA_OK, "%s", r->err.message);
    return frames_of(r, size);
}

static void open_tiny(rig *r) { open_rig(r, 2, 0); }
static void open_ltx(rig *r) { open_kind(r, "ltx"); }

/* Step caching: so little that every step is computed gives the bits of none; more leaves out more steps; the most all but first and last. With
 * guidance in one pass and in two, and saved between two steps that it leaves out. */
START_TEST(steps_are_cached) {
    const double guidance = _i == 1 ? 1.0 : 4.0;
    void (*const open)(rig *) = _i < 2 ? open_tiny : open_ltx;
    rig r, other;
    size_t n, m;
    int none, few, all, before = 0;
    char path[96];
    open(&r);
    uint8_t *const off = cached_frames(&r, 0.0, guidance, 0, &n, &none), *const tiny = cached_frames(&r, 1e-12, guidance, 0, &m, &few);
    ck_assert_int_eq(none + few, 0);
    ck_assert_mem_eq(off, tiny, n);
    for (double threshold = 0.001; threshold < 10; threshold *= 3) {
        free(cached_frames(&r, threshold, guidance, 0, &m, &few));
        ck_assert_int_ge(few, before);
        before = few;
    }
    uint8_t *const most = cached_frames(&r, 100.0, guidance, 0, &m, &all), *const two = cached_frames(&r, 100.0, guidance, 1, &m, &all);
    ck_assert_int_eq(all, 4);
    ck_assert_mem_eq(most, two, n);
    free(two);
    ck_assert(memcmp(off, most, n) != 0);
    snprintf(path, sizeof path, "%s/run.safetensors", rig_model());
    for (int k = 1; k < 6; k += 2) { /* behind the first, between two that are left out, before the last */
        ck_assert_int_eq(sora_pipeline_begin(r.p, &r.err), SORA_OK);
        for (int i = 0; i < 1 + k; i++) ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_MORE);
        ck_assert_msg(sora_pipeline_save(r.p, path, &r.err) == SORA_OK, "%s", r.err.message);
        sora_pipeline_cancel(r.p);
        ck_assert_int_eq(sora_pipeline_step(r.p, &r.err), SORA_E_CANCELLED);
        open(&other);
        rig_steps(&other, 100.0, 6, guidance);
        ck_assert_msg(sora_pipeline_resume(other.p, path, &other.err) == SORA_OK, "%s", other.err.message);
        while (sora_pipeline_step(other.p, &other.err) == SORA_MORE) {}
        uint8_t *const rest = frames_of(&other, &m);
        ck_assert_mem_eq(most, rest, n);
        free(rest);
        close_rig(&other);
    }
    free(off);
    free(tiny);
    free(most);
    close_rig(&r);
}
END_TEST

/* Two experts: what is kept between steps is never carried over the switch, not in a run and not in one that is resumed there. What the last
 * expert left is spoilt, which shows wherever it is taken over. */
START_TEST(an_expert_begins_without_a_cache) {
    enum { STEPS = 8 };
    rig r;
    size_t n, m;
    uint8_t *frames[3];
    char path[96];
    int at = 0, spoilt = 0, first = 0;
    open_kind(&r, "a14b");
    sora_pipeline_set_i64(r.p, SORA_PARAM_SAMPLER, SORA_SAMPLER_EULER);
    rig_steps(&r, 100.0, STEPS, _i ? 4.0 : 1.0);
    snprintf(path, sizeof path, "%s/run.safetensors", rig_model());
    for (int run = 0; run < 3; run++) { /* as it is; spoilt at the switch; spoilt where it is taken over */
        int status = sora_pipeline_begin(r.p, &r.err);
        ck_assert_msg(status == SORA_OK, "%s", r.err.message);
        enum sorai_model_net net = SORAI_NET_COUNT;
        for (status = SORA_MORE; status == SORA_MORE; status = sora_pipeline_step(r.p, &r.err)) {
            sorai_loop *const l = &r.p->loop;
            if (r.p->state != SORAI_RUN_DENOISE) continue;
            const int32_t i = l->sampler.index;
            const int next = sorai_model_expert(r.model, (double)l->sampler.timesteps[i]);
            const int turns = l->residual && next != (int)net;
            if (turns) {
                at = i;
                if (run == 0) ck_assert_msg(sora_pipeline_save(r.p, path, &r.err) == SORA_OK, "%s", r.err.message);
            }
            if (l->residual && (run == 1 ? turns : run == 2 && i == at + 1)) {
                for (int64_t k = 0; k < sorai_tensor_count(l->residual); k++) ((float *)l->residual->data)[k] = 1e6f;
                spoilt++;
            }
            if (run == 0 && i == 1) first = l->reuses[1];
            if (run == 0 && i == at + 1 && at) ck_assert(!l->reuses[at] && l->reuses[at + 1]);
            net = (enum sorai_model_net)next;
        }
        ck_assert_msg(status == SORA_OK, "%s", r.err.message);
        frames[run] = frames_of(&r, &n);
    }
    ck_assert_msg(at > 1 && at < STEPS - 2 && spoilt == 2 && first, "switch at %d, spoilt %d", at, spoilt);
    ck_assert_mem_eq(frames[0], frames[1], n);
    ck_assert(memcmp(frames[0], frames[2], n) != 0); /* it would have shown */
    ck_assert_msg(sora_pipeline_resume(r.p, path, &r.err) == SORA_OK, "%s", r.err.message);
    while (sora_pipeline_step(r.p, &r.err) == SORA_MORE) {}
    uint8_t *const rest = frames_of(&r, &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(frames[0], rest, n);
    free(rest);
    for (int run = 0; run < 3; run++) free(frames[run]);
    close_rig(&r);
}
END_TEST

Suite *suite_steps(void) {
    Suite *s = suite_create("steps");
    TCase *c = tcase_create("steps");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, NULL, remove_model);
    tcase_add_test(c, guidance_ends_at_a_level);
    tcase_add_loop_test(c, saved_runs_go_on, 0, 8);
    tcase_add_loop_test(c, steps_are_cached, 0, 3);
    tcase_add_loop_test(c, an_expert_begins_without_a_cache, 0, 2);
    suite_add_tcase(s, c);
    return s;
}
