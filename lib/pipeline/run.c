/* A run: text, conditions, denoising steps, decoding (decode.c); each step does one bounded slice. */
#include <string.h>
#include <time.h>

#include "lib/base/rng.h"
#include "lib/ops/ops.h"
#include "lib/pipeline/pipeline.h"

static double seconds_now(void) {
    struct timespec now;
    return timespec_get(&now, TIME_UTC) ? (double)now.tv_sec + 1e-9 * (double)now.tv_nsec : 0.0;
}

void sorai_pipeline_stop(sora_pipeline *p) {
    if (p->state == SORAI_RUN_NONE || p->state == SORAI_RUN_DONE)
        return;
    p->state = SORAI_RUN_NONE;
    p->ready = 0;
    sorai_loop_end(p, &p->loop);
    sorai_conditions_end(p);
    sorai_held_release(&p->held);
    sorai_decode_end(p);
    sorai_arena_rewind(&p->exec.data, (sorai_arena_mark){0, 0});
    sorai_arena_rewind(&p->exec.meta, (sorai_arena_mark){0, 0});
    p->exec.status = SORA_OK;
}

/* Ends a run that failed: everything as before begin. */
static int give_up(sora_pipeline *p, int status) {
    sorai_pipeline_stop(p);
    if (status == SORA_E_CANCELLED)
        atomic_store(&p->cancel, 0);
    return status;
}

int sorai_pipeline_begin(sora_pipeline *p, sora_error *err) {
    sorai_plan plan;
    if (p->state != SORAI_RUN_NONE && p->state != SORAI_RUN_DONE)
        return sorai_fail(err, SORA_E_STATE, "a run is under way already");
    if (atomic_exchange(&p->cancel, 0))
        return sorai_fail(err, SORA_E_CANCELLED, "cancelled");
    SORA_TRY(sorai_plan_make(p, &plan, err));
    if (p->model->boundary == 0.0) /* with two, each is read when its turn comes */
        SORA_TRY(sorai_model_need(p->model, sorai_model_expert(p->model, 1000.0), err));
    SORA_TRY(sorai_model_need(p->model, sorai_model_decoder(p->model), err));
    if (p->mem->limit) {
        uint64_t after, peak;
        SORA_TRY(sorai_plan_choose(p, &plan, &after, &peak, err));
        const uint64_t used = atomic_load(&p->mem->used);
        if (used + peak > p->mem->limit)
            return sorai_fail(err, SORA_E_LIMIT, "the run needs %llu MiB more, the limit leaves %llu",
                              (unsigned long long)(peak >> 20), (unsigned long long)((p->mem->limit - used) >> 20));
    }
    size_t bytes;
    if (!sorai_mul_ok((size_t)plan.width * (size_t)plan.height * 3, (size_t)plan.frames, &bytes))
        return sorai_fail(err, SORA_E_LIMIT, "the video is too large");
    uint8_t *rgb = sorai_alloc(p->mem, bytes);
    if (!rgb)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for %lld frames", (long long)plan.frames);
    sorai_free(p->mem, p->rgb);
    p->rgb = rgb;
    for (int i = 0; i < SORAI_SLOTS; i++)
        sorai_tensor_unref(&p->made[i]);
    sorai_shots_forget(p);
    p->plan = plan;
    p->ready = p->decoded = 0;
    p->begun = seconds_now();
    p->state = SORAI_RUN_TEXT;
    return SORA_OK;
}

/* Whether something is made of pictures or clips, which is a step and a phase of its own. */
static int has_conditions(const sora_pipeline *p) {
    return p->conditions.count || p->plan.needs_embeds || p->plan.needs_condition || p->plan.needs_control;
}

/* Shares of the work, by how many passes through the networks there are; the autoencoder's passes are the dearer ones. */
int sorai_run_report(sora_pipeline *p, int32_t phase, int32_t step, int32_t steps, sora_error *err) {
    if (!p->progress)
        return SORA_OK;
    const double pass = (p->plan.guided ? 2.0 : 1.0) + (p->plan.follows ? 1.0 : 0.0);
    const struct {
        int32_t phase;
        double share;
    } order[] = {{SORA_PHASE_TEXT, 1.0},
                 {SORA_PHASE_CONDITION, has_conditions(p) ? 1.5 * pass : 0.0},
                 {SORA_PHASE_DENOISE, p->plan.steps * pass},
                 {SORA_PHASE_DECODE, 3.0 * pass}};
    double done = 0.0, total = 0.0;
    for (size_t i = 0, before = 1; i < sizeof order / sizeof *order; i++) {
        if (order[i].phase == phase) {
            done += order[i].share * step / (steps ? steps : 1);
            before = 0;
        }
        done += before ? order[i].share : 0.0;
        total += order[i].share;
    }
    const sora_progress now = {sizeof now, phase, step, steps, done / total, seconds_now() - p->begun};
    return p->progress(p->progress_user, &now) == 0 ? SORA_OK : sorai_fail(err, SORA_E_CANCELLED, "stopped by the progress callback");
}

static int encode_text(sora_pipeline *p, const char *text, size_t length, sora_tensor **out, sora_error *err) {
    const sorai_exec_mark mark = sorai_exec_here(&p->exec);
    sorai_tensor_unref(out);
    const int status = sorai_stage_give(p, sorai_stage_text_device(p, text ? text : "", length), 0, out, err);
    sorai_exec_rewind(&p->exec, mark);
    return status;
}

/* The text as it was set, or encoded. */
static int make_text(sora_pipeline *p, sora_slot slot, sora_param param, sora_error *err) {
    if (!p->slots[slot])
        return encode_text(p, p->params.text[param], p->params.length[param], &p->made[slot], err);
    sorai_tensor_unref(&p->made[slot]);
    p->made[slot] = sorai_tensor_ref(p->slots[slot]);
    return SORA_OK;
}

/* The noise as the host gives it, or from the seed: value i of [C, T, h, w] is number i of the stream. */
static int first_noise(sora_pipeline *p, sora_tensor **out, sora_error *err) {
    const int64_t *l = p->plan.latent, shape[4] = {l[4], l[1], l[2], l[3]};
    if (p->slots[SORA_SLOT_NOISE]) {
        *out = sorai_tensor_ref(p->slots[SORA_SLOT_NOISE]);
        return SORA_OK;
    }
    SORA_TRY(sorai_tensor_new(out, p->mem, SORA_DTYPE_F32, 4, shape, err));
    sorai_rng_normals(p->plan.seed, sorai_rng_stream("noise"), 0, (*out)->data, (size_t)sorai_tensor_count(*out));
    return SORA_OK;
}

/* Everything that stays the same over the steps. */
static int step_text(sora_pipeline *p, sora_error *err) {
    const sorai_shot *first = sorai_shots_first(p);
    SORA_TRY(first ? encode_text(p, first->text, first->length, &p->made[SORA_SLOT_TEXT], err)
                   : make_text(p, SORA_SLOT_TEXT, SORA_PARAM_PROMPT, err));
    for (size_t i = 0; i < p->shots.count; i++) {
        sorai_shot *s = &p->shots.list[i];
        if (sorai_shot_counts(&p->shots, i))
            SORA_TRY(encode_text(p, s->text, s->length, &s->made, err));
    }
    if (p->plan.guided)
        SORA_TRY(make_text(p, SORA_SLOT_NEGATIVE, SORA_PARAM_NEGATIVE, err));
    if (p->plan.follows)
        SORA_TRY(make_text(p, SORA_SLOT_SOURCE, SORA_PARAM_SOURCE, err));
    p->taking.steps = 0; /* not begun */
    p->state = SORAI_RUN_CONDITION;
    return sorai_run_report(p, SORA_PHASE_TEXT, 1, 1, err);
}

static int step_condition(sora_pipeline *p, sora_error *err) {
    sora_tensor *noise = NULL;
    if (!p->taking.steps) {
        SORA_TRY(sorai_conditions_begin(p, err));
        if (p->conditions.count)
            return sorai_run_report(p, SORA_PHASE_CONDITION, 0, p->taking.steps, err);
    }
    const int more = sorai_conditions_step(p, err);
    if (more == SORA_MORE)
        return sorai_run_report(p, SORA_PHASE_CONDITION, p->taking.done, p->taking.steps, err);
    SORA_TRY(more);
    sorai_conditions_end(p);
    if (p->plan.encoded_in[0] * p->plan.encoded_in[1] > 1) /* memory is scarce: nothing of the encoder stays beside what comes */
        sorai_arena_release(&p->exec.data);
    const sorai_inputs in = {.text = p->made[SORA_SLOT_TEXT],
                             .negative = p->made[SORA_SLOT_NEGATIVE],
                             .source = p->made[SORA_SLOT_SOURCE],
                             .shots = &p->shots,
                             .embeds = p->made[SORA_SLOT_IMAGE_EMBEDS],
                             .condition = p->made[SORA_SLOT_CONDITION],
                             .control = p->made[SORA_SLOT_CONTROL],
                             .control_scale = p->slots[SORA_SLOT_CONTROL_SCALE],
                             .given = p->held};
    SORA_TRY(first_noise(p, &noise, err));
    const int status = sorai_loop_begin(p, &p->loop, &in, &p->plan, noise, err);
    sorai_tensor_unref(&noise);
    SORA_TRY(status);
    p->state = SORAI_RUN_DENOISE;
    return has_conditions(p) ? sorai_run_report(p, SORA_PHASE_CONDITION, p->taking.steps, p->taking.steps, err) : SORA_OK;
}

static int step_denoise(sora_pipeline *p, sora_error *err) {
    sorai_exec *x = &p->exec;
    SORA_TRY(sorai_loop_step(p, &p->loop, err));
    const int32_t done = p->loop.sampler.index;
    if (done == p->loop.sampler.steps) {
        sorai_tensor_unref(&p->made[SORA_SLOT_LATENT]);
        SORA_TRY(sorai_stage_give(p, sorai_loop_result(p, &p->loop), 1, &p->made[SORA_SLOT_LATENT], err));
        sorai_loop_end(p, &p->loop);
        sorai_vae_stream_begin(&p->stream, p->mem);
        sorai_arena_rewind(&x->data, (sorai_arena_mark){0, 0});
        sorai_arena_rewind(&x->meta, (sorai_arena_mark){0, 0});
        p->mark = sorai_exec_here(x);
        p->decoded = 0;
        p->state = SORAI_RUN_DECODE;
    }
    return sorai_run_report(p, SORA_PHASE_DENOISE, done, p->plan.steps, err);
}

int sorai_pipeline_step(sora_pipeline *p, sora_error *err) {
    if (p->state == SORAI_RUN_NONE || p->state == SORAI_RUN_DONE)
        return sorai_fail(err, SORA_E_STATE, "no run is under way: call sora_pipeline_begin");
    int status = SORA_OK;
    if (atomic_load(&p->cancel))
        status = sorai_fail(err, SORA_E_CANCELLED, "cancelled");
    const enum sorai_run_state state = p->state;
    if (status == SORA_OK)
        status = state == SORAI_RUN_TEXT        ? step_text(p, err)
                 : state == SORAI_RUN_CONDITION ? step_condition(p, err)
                 : state == SORAI_RUN_DENOISE   ? step_denoise(p, err)
                                                : sorai_decode_step(p, err);
    if (status == SORA_OK && state == SORAI_RUN_TEXT && !has_conditions(p)) /* no step of its own then */
        status = step_condition(p, err);
    if (status != SORA_OK)
        return give_up(p, status);
    return p->state == SORAI_RUN_DONE ? SORA_OK : SORA_MORE;
}
