/* The sampling loop: solver, guidance, one or two transformers, and what they are given beside the sample. */
#include <string.h>

#include "lib/base/rng.h"
#include "lib/ops/ops.h"
#include "lib/pipeline/pipeline.h"

static int is_f32(const sora_tensor *t, int32_t rank) {
    return t->dtype == SORA_DTYPE_F32 && t->rank == rank && !t->device && sorai_tensor_count(t) > 0;
}

static int check_texts(const sorai_kind *kind, const sorai_inputs *in, int guided, sora_error *err) {
    if (!in->text || !is_f32(in->text, 2) || in->text->shape[1] != kind->text)
        return sorai_fail(err, SORA_E_INVALID, "text must be f32 [rows, %lld]", (long long)kind->text);
    if (guided && !in->negative) return sorai_fail(err, SORA_E_INVALID, "guidance above 1 needs a negative text");
    if (in->negative && (!is_f32(in->negative, 2) || in->negative->shape[1] != kind->text))
        return sorai_fail(err, SORA_E_INVALID, "negative must be f32 [rows, %lld]", (long long)kind->text);
    if (in->source && (!is_f32(in->source, 2) || in->source->shape[1] != kind->text))
        return sorai_fail(err, SORA_E_INVALID, "source must be f32 [rows, %lld]", (long long)kind->text);
    return SORA_OK;
}

static int check_embeds(const sorai_dit_config *c, const sorai_inputs *in, sora_error *err) {
    const int takes = c->image_dim > 0 && c->added_kv_proj_dim > 0;
    if (!in->embeds) /* a model may be asked without: then text alone is attended to */
        return SORA_OK;
    if (!takes) return sorai_fail(err, SORA_E_INVALID, "this transformer takes no image embeddings");
    const int64_t rows = c->pos_embed_seq_len;
    if (!is_f32(in->embeds, 2) || in->embeds->shape[1] != c->image_dim || (rows && in->embeds->shape[0] != rows))
        return rows ? sorai_fail(err, SORA_E_INVALID, "image embeddings must be f32 [%lld, %d]", (long long)rows,
                                 (int)c->image_dim)
                    : sorai_fail(err, SORA_E_INVALID, "image embeddings must be f32 [rows, %d]", (int)c->image_dim);
    return SORA_OK;
}

static int check_control(const sorai_dit_config *c, const sorai_inputs *in, const int64_t *size, sora_error *err) {
    if (!c->vace_count != !in->control)
        return sorai_fail(err, SORA_E_INVALID,
                          c->vace_count ? "this transformer needs a control latent"
                                        : "this transformer takes no control");
    if (!in->control) return SORA_OK;
    const int64_t *s = in->control->shape;
    if (!is_f32(in->control, 4) || s[0] != c->vace_in_channels || s[1] > size[0] || s[1] % c->patch_size[0] ||
        s[2] != size[1] || s[3] != size[2])
        return sorai_fail(err, SORA_E_INVALID, "control must be f32 [%d, %lld, %lld, %lld]", (int)c->vace_in_channels,
                          (long long)size[0], (long long)size[1], (long long)size[2]);
    if (in->control_scale && (!is_f32(in->control_scale, 1) || in->control_scale->shape[0] != c->vace_count))
        return sorai_fail(err, SORA_E_INVALID, "control scale must be f32 [%d]", (int)c->vace_count);
    return SORA_OK;
}

int sorai_inputs_check(const sora_model *m, enum sorai_model_net net, const sorai_inputs *in, int guided,
                       const int64_t *size, sora_error *err) {
    const sorai_kind kind = sorai_kind_of(m, net);
    const sorai_dit_config *c = net == SORAI_NET_TRANSFORMER_2 ? &m->dit2_config : &m->dit_config;
    for (int i = 0; i < 3; i++)
        if (size[i] < 1 || size[i] % kind.patch[i])
            return sorai_fail(err, SORA_E_INVALID, "the latent's T, H, W must be multiples of the patch %d x %d x %d",
                              (int)kind.patch[0], (int)kind.patch[1], (int)kind.patch[2]);
    SORA_TRY(check_texts(&kind, in, guided, err));
    SORA_TRY(check_embeds(c, in, err)); /* of another family the config is empty: it takes neither */
    return check_control(c, in, size, err);
}

/* Does the condition fit, and how is it used? */
static int check_condition(const sora_pipeline *p, sorai_loop *l, const sora_tensor *noise, sora_error *err) {
    const sorai_kind kind = sorai_kind_of(p->model, sorai_model_expert(p->model, 1000.0));
    const sora_tensor *t = l->in.condition;
    const int64_t *s = noise->shape, more = kind.in - s[0];
    if (s[0] != kind.out)
        return sorai_fail(err, SORA_E_INVALID, "noise must be f32 [%lld, T, H, W]", (long long)kind.out);
    if (more < 0 || (more > 0 && !t))
        return sorai_fail(err, SORA_E_INVALID, "the transformer takes %lld channels and gives %lld: it needs a condition",
                          (long long)kind.in, (long long)kind.out);
    if (!t) return SORA_OK;
    if (!more && !p->model->expand_timesteps)
        return sorai_fail(err, SORA_E_INVALID, "this transformer takes no condition");
    const int64_t channels = more ? more : s[0], frames = more ? s[1] : t->shape[1];
    if (!is_f32(t, 4) || t->shape[0] != channels || t->shape[1] != frames || frames > s[1] || frames % kind.patch[0] ||
        t->shape[2] != s[2] || t->shape[3] != s[3])
        return sorai_fail(err, SORA_E_INVALID, "condition must be f32 [%lld, T, %lld, %lld]", (long long)channels,
                          (long long)s[2], (long long)s[3]);
    l->replaces = more ? 0 : (int32_t)frames;
    return SORA_OK;
}

static int same_kind(const sorai_dit_config *a, const sorai_dit_config *b) {
    return a->in_channels == b->in_channels && a->out_channels == b->out_channels && a->text_dim == b->text_dim &&
           memcmp(a->patch_size, b->patch_size, sizeof a->patch_size) == 0 &&
           a->vace_in_channels == b->vace_in_channels && a->vace_count == b->vace_count;
}

static sora_tensor *twice(sorai_exec *x, sora_tensor *t) {
    sora_tensor *const parts[2] = {t, t};
    return sorai_concat(x, parts, 2, 0);
}

/* A text, with the negative one behind it where there is one. */
static sorai_prompt prepare(sora_pipeline *p, const sorai_loop *l, const sora_tensor *from, const sora_tensor *behind, sora_tensor *embeds) {
    sorai_exec *x = &p->exec;
    sora_tensor *text = sorai_stage_upload(p, from);
    const int32_t lengths[2] = {sorai_text_length(from), behind ? sorai_text_length(behind) : 0};
    if (behind) {
        sora_tensor *negative = sorai_stage_upload(p, behind);
        if (text && negative && text->shape[1] != negative->shape[1]) {
            sorai_exec_fail(x, SORA_E_INVALID, "text and negative must have the same number of rows");
            return (sorai_prompt){0};
        }
        sora_tensor *const both[2] = {text, negative};
        text = sorai_concat(x, both, 2, 0);
    }
    return sorai_denoiser_prepare(x, &l->denoiser, text, embeds, lengths);
}

/* Makes `net` the transformer in use: its keys and values of text and picture, and the other inputs. */
static int load(sora_pipeline *p, sorai_loop *l, enum sorai_model_net net, sora_error *err) {
    sorai_exec *x = &p->exec;
    sora_model *m = p->model;
    sorai_exec_rewind(x, l->begin);
    l->prompt = l->source = (sorai_prompt){0};
    l->condition = l->control = l->residual = NULL;
    l->net = SORAI_NET_COUNT;
    if (m->boundary > 0.0)
        SORA_TRY(sorai_model_take_expert(m, net, &l->held, err));
    else
        SORA_TRY(sorai_model_need(m, net, err));
    l->denoiser = sorai_denoiser_of(m, net, p->params.f[SORA_PARAM_FPS]);
    const sorai_kind kind = sorai_kind_of(m, net);
    /* An expert may do without the pictures that the other one wants. */
    const sorai_dit *dit = l->denoiser.dit;
    sora_tensor *embeds = dit && dit->config.added_kv_proj_dim ? sorai_stage_upload(p, l->in.embeds) : NULL;
    l->prompt = prepare(p, l, l->in.text, l->in.negative, embeds && l->in.negative ? twice(x, embeds) : embeds);
    if (l->in.source) l->source = prepare(p, l, l->in.source, NULL, embeds);
    sorai_dit_prompt *prompt = l->prompt.dit;
    const int64_t *s = l->sampler.shape, frame = (s[2] / kind.patch[1]) * (s[3] / kind.patch[2]);
    for (size_t i = 0; l->in.shots && prompt && i < l->in.shots->count; i++) {
        const sorai_shot *shot = &l->in.shots->list[i];
        if (!shot->made) continue;
        prompt = prompt->next = prepare(p, l, shot->made, l->in.negative, NULL).dit;
        if (prompt) prompt->from = (l->plan->references + shot->from) / kind.patch[0] * frame;
    }
    if (l->in.given && l->in.given->keys)
        l->denoiser.keys = (sorai_ltx_keys){sorai_dit_from_planes(x, sorai_stage_upload(p, l->in.given->key)), l->in.given->key_at};
    if (l->in.condition) l->condition = sorai_dit_from_planes(x, sorai_stage_upload(p, l->in.condition));
    if (l->in.control) l->control = sorai_dit_from_planes(x, sorai_stage_upload(p, l->in.control));
    l->net = net;
    if (l->reuses) {
        sorai_cache_plan(p, l);
        const int64_t keys = l->in.given ? l->in.given->keys / kind.patch[0] * frame : 0;
        l->residual = sorai_cache_residual(x, &kind, l->in.negative ? 2 : 1, keys + sorai_kind_tokens(&kind, s));
    }
    l->mark = sorai_exec_here(x);
    const int status = sorai_exec_finish(x, err);
    l->net = status == SORA_OK ? net : SORAI_NET_COUNT;
    return status;
}

int sorai_loop_load(sora_pipeline *p, sorai_loop *loop, sora_error *err) {
    const enum sorai_model_net net = sorai_model_expert(p->model, loop->sampler.timesteps[loop->sampler.index]);
    return net == loop->net ? SORA_OK : load(p, loop, net, err);
}

static int prepare_scale(sora_pipeline *p, sorai_loop *l, sora_error *err) {
    const int32_t n = p->model->dit_config.vace_count;
    if (!n) return SORA_OK;
    l->scale = sorai_calloc(p->mem, (size_t)n, sizeof *l->scale);
    if (!l->scale) return sorai_fail(err, SORA_E_NOMEM, "no memory for control scales");
    for (int32_t i = 0; i < n; i++)
        l->scale[i] = l->in.control_scale ? ((const float *)l->in.control_scale->data)[i] : l->plan->control_scale;
    return SORA_OK;
}

/* Levels that the solver does not make by itself, and how they are to be shifted; NULL: it does. The caller frees them. */
static int own_levels(const sora_pipeline *p, const sorai_plan *plan, const int64_t *size, float **out, double *shift, sora_error *err) {
    const sora_model *m = p->model;
    const int asked = p->params.f[SORA_PARAM_SHIFT] > 0.0, dynamic = m->defaults.scheduler.dynamic && !asked;
    *out = NULL;
    *shift = plan->shift;
    if (plan->given || !m->has_ltx) return SORA_OK;
    const sorai_kind kind = sorai_kind_of(m, SORAI_NET_LTX);
    *out = sorai_calloc(p->mem, (size_t)plan->steps, sizeof **out);
    if (!*out) return sorai_fail(err, SORA_E_NOMEM, "no memory for timesteps");
    const int64_t latent[5] = {1, size[0], size[1], size[2], kind.in};
    if (dynamic || !m->keyframes)
        sorai_even_levels(dynamic ? &m->defaults.scheduler : NULL, sorai_kind_tokens(&kind, latent), plan->steps, *out);
    else
        sorai_parabola_levels(plan->steps, *out);
    if (!asked && (dynamic || m->keyframes)) *shift = 1.0;
    return SORA_OK;
}

int sorai_loop_begin(sora_pipeline *p, sorai_loop *loop, const sorai_inputs *in, const sorai_plan *plan,
                     const sora_tensor *noise, sora_error *err) {
    sorai_exec *x = &p->exec;
    sora_model *m = p->model;
    float *levels = NULL;
    memset(loop, 0, sizeof *loop);
    loop->in = *in;
    loop->plan = plan;
    loop->net = loop->held = SORAI_NET_COUNT;
    if (!m->has_dit && !m->has_ltx) return sorai_model_need(m, SORAI_NET_TRANSFORMER, err); /* says so */
    if (!noise || !is_f32(noise, 4)) return sorai_fail(err, SORA_E_INVALID, "noise must be f32 [C, T, H, W]");
    SORA_TRY(check_condition(p, loop, noise, err));
    SORA_TRY(sorai_inputs_check(m, sorai_model_expert(m, 1000.0), in, plan->guided, noise->shape + 1, err));
    if (!plan->guided) loop->in.negative = NULL;
    if (m->boundary > 0.0 && m->has_dit2 && !same_kind(&m->dit_config, &m->dit2_config))
        return sorai_fail(err, SORA_E_FORMAT, "%s: transformer and transformer_2 do not go together",
                          sorai_package_name(m->package));
    SORA_TRY(prepare_scale(p, loop, err));
    double shift;
    int status = own_levels(p, plan, noise->shape + 1, &levels, &shift, err);
    loop->begin = sorai_exec_here(x);
    sora_tensor *first = status == SORA_OK ? sorai_dit_from_planes(x, sorai_stage_upload(p, noise)) : NULL; /* a failure there is for finish */
    if (status == SORA_OK) status = sorai_exec_finish(x, err);
    if (status == SORA_OK)
        status = sorai_sampler_init(&loop->sampler, p->mem, m->device, plan->solver, plan->steps, shift,
                                    levels ? levels : plan->given ? plan->timesteps : NULL, first, err);
    sorai_free(p->mem, levels);
    if (status == SORA_OK) status = sorai_held_start(x, in->given, first, err);
    if (status == SORA_OK && plan->step_cache > 0.0 && !(loop->reuses = sorai_calloc(p->mem, (size_t)plan->steps, 1)))
        status = sorai_fail(err, SORA_E_NOMEM, "no memory for step caching");
    sorai_exec_rewind(x, loop->begin);
    if (status != SORA_OK) sorai_loop_end(p, loop);
    return status;
}

/* A sample as the transformer sees it. */
static sora_tensor *join(sorai_exec *x, const sorai_loop *l, sora_tensor *s) {
    if (!l->condition || !s) return s;
    if (!l->replaces) {
        sora_tensor *const parts[2] = {s, l->condition};
        return sorai_concat(x, parts, 2, 4);
    }
    sora_tensor *const parts[2] = {l->condition, sorai_slice(x, s, 1, l->replaces, s->shape[1])};
    return l->replaces == s->shape[1] ? l->condition : sorai_concat(x, parts, 2, 1);
}

static sora_tensor *model_input(sorai_exec *x, const sorai_loop *l) {
    return join(x, l, sorai_held_input(x, l->in.given, &l->sampler));
}

/* sample: the first of the prompt's that `prompt` holds, -1: it is another one, of which nothing is kept between steps. */
static sora_tensor *forward(sora_pipeline *p, const sorai_loop *l, sora_tensor *in, const float *times, int64_t groups,
                            const sorai_prompt *prompt, int64_t sample) {
    sorai_exec *x = &p->exec;
    sora_tensor part;
    sorai_step_cache cache = {&part, 0};
    const int kept = l->residual && prompt->batch && sample >= 0;
    if (kept) { /* looks at what is kept for the samples of this pass */
        part = *l->residual;
        part.shape[0] = prompt->batch;
        part.data = (float *)part.data + sample * part.shape[1] * part.shape[2];
        cache.reuse = l->reuses[l->sampler.index];
    }
    sora_tensor *latent = l->control && prompt->batch == 2 ? twice(x, l->control) : l->control;
    const sorai_dit_control control = {latent, l->scale};
    return sorai_denoiser_forward(x, &l->denoiser, in, l->control ? &control : NULL, times, groups, prompt, kept ? &cache : NULL);
}

/* One sample of the prompt. */
static sora_tensor *forward_one(sora_pipeline *p, const sorai_loop *l, sora_tensor *in, const float *times, int64_t groups, int64_t sample) {
    const sorai_prompt one = sorai_denoiser_sample(&p->exec, &l->prompt, sample);
    return forward(p, l, in, times, groups, &one, sample);
}

/* The times of a pass: one for all, one a frame, or one a token; twice, for two samples. */
static float *pass_times(sora_pipeline *p, const sorai_loop *l, int64_t *groups) {
    const sorai_sampler *s = &l->sampler;
    const int told = sorai_held_told(l->in.given);
    const sorai_kind kind = sorai_kind_of(p->model, l->net);
    const int64_t frames = s->shape[1] / kind.patch[0], n = told ? sorai_kind_tokens(&kind, s->shape) : l->replaces ? frames : 1;
    float *times = sorai_arena_alloc(&p->exec.meta, (size_t)(2 * n) * sizeof *times);
    if (!times) {
        sorai_exec_fail(&p->exec, SORA_E_NOMEM, "no memory for timesteps");
        return NULL;
    }
    for (int64_t i = 0; i < 2 * n; i++) {
        const int64_t frame = i % n * frames / n;
        times[i] = (n > 1 && frame * kind.patch[0] < l->replaces) ? 0.0f
                   : told                                          ? sorai_held_time(l->in.given, s, i % n)
                                                                   : s->timesteps[s->index];
    }
    *groups = n;
    return times;
}

/* The velocity at the sampler's present place, with guidance. */
static sora_tensor *velocity(sora_pipeline *p, const sorai_loop *l, const float *times, int64_t groups) {
    sorai_exec *x = &p->exec;
    const sorai_kind kind = sorai_kind_of(p->model, l->net);
    const int64_t tokens = sorai_kind_tokens(&kind, l->sampler.shape);
    const int unguided = (double)l->sampler.sigmas[l->sampler.index] < l->plan->until;
    const double guidance = unguided ? 1.0 : l->net == SORAI_NET_TRANSFORMER_2 ? l->plan->guidance2 : l->plan->guidance;
    sora_tensor *in = model_input(x, l), *cond, *uncond;
    if (!l->in.negative) return forward(p, l, in, times, groups, &l->prompt, 0);
    if (guidance == 1.0) return forward_one(p, l, in, times, groups, 0);
    if (tokens <= sorai_plan_batched(l->plan)) {
        sora_tensor *both = forward(p, l, twice(x, in), times, groups, &l->prompt, 0);
        cond = sorai_slice(x, both, 0, 0, 1);
        uncond = sorai_slice(x, both, 0, 1, 2);
    } else {
        const sorai_exec_mark mark = sorai_exec_here(x);
        cond = sorai_exec_rewind_keep(x, mark, forward_one(p, l, in, times, groups, 0));
        uncond = forward_one(p, l, in, times, groups, 1);
    }
    return sorai_guide(x, cond, uncond, guidance);
}

/* The same where conditions may change, corrected by what the network gets wrong about them. */
static sora_tensor *followed(sora_pipeline *p, const sorai_loop *l, const float *times, int64_t groups) {
    sorai_exec *x = &p->exec;
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *const v = sorai_exec_rewind_keep(x, mark, velocity(p, l, times, groups));
    sora_tensor *const in = join(x, l, sorai_held_source(x, l->in.given, &l->sampler));
    return sorai_held_follow(x, l->in.given, &l->sampler, v, forward(p, l, in, times, groups, &l->source, -1));
}

/* Value i of [C, T, h, w] is number times * count + i of the stream. */
static sora_tensor *fresh_noise(sora_pipeline *p, const sorai_loop *l, const char *stream, uint64_t times) {
    sorai_exec *x = &p->exec;
    const int64_t *s = l->sampler.shape, shape[5] = {1, s[4], s[1], s[2], s[3]};
    const size_t count = (size_t)(s[1] * s[2] * s[3] * s[4]);
    float *values = sorai_alloc(p->mem, count * sizeof *values);
    if (!values) return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for noise");
    sorai_rng_normals(l->plan->seed, sorai_rng_stream(stream), times * count, values, count);
    sora_tensor *noise = sorai_upload(x, SORA_DTYPE_F32, 5, shape, values);
    sorai_free(p->mem, values);
    return sorai_dit_from_planes(x, noise);
}

/* Goes back over a step beside held places, until it has been done over as often as the plan says. From pure noise that would be another
 * beginning, not a better step. */
static void step_back(sora_pipeline *p, sorai_loop *l) {
    sorai_sampler *s = &l->sampler;
    const int32_t from = s->index - 1;
    if (!l->in.given || l->again >= l->plan->resample || !(s->sigmas[from] < 1.0f)) {
        l->again = 0;
        return;
    }
    sorai_sampler_back(&p->exec, s, fresh_noise(p, l, "noise put back", (uint64_t)from * 128 + (uint64_t)l->again));
    l->again++;
}

static int step(sora_pipeline *p, sorai_loop *loop, sora_error *err) {
    sorai_exec *x = &p->exec;
    sorai_sampler *s = &loop->sampler;
    SORA_TRY(sorai_loop_load(p, loop, err));
    int64_t groups = 0;
    const float *times = pass_times(p, loop, &groups);
    sora_tensor *v = !times                                                             ? NULL
                     : loop->in.source && sorai_held_follows(loop->in.given, s) ? followed(p, loop, times, groups)
                                                                                : velocity(p, loop, times, groups);
    v = sorai_held_velocity(x, loop->in.given, s, v);
    if (s->solver == SORAI_SOLVER_LCM && s->index + 1 < s->steps)
        s->fresh = fresh_noise(p, loop, "fresh noise", (uint64_t)s->index);
    sorai_sampler_step(x, s, v);
    if (v) step_back(p, loop);
    sorai_exec_rewind(x, loop->mark);
    return sorai_exec_finish(x, err);
}

int sorai_loop_step(sora_pipeline *p, sorai_loop *loop, sora_error *err) {
    p->exec.streamed = loop->plan->streamed;
    const int status = step(p, loop, err);
    p->exec.streamed = 0;
    return status;
}

sora_tensor *sorai_loop_result(sora_pipeline *p, const sorai_loop *loop) {
    return loop->replaces ? model_input(&p->exec, loop) : loop->sampler.x;
}

void sorai_loop_end(sora_pipeline *p, sorai_loop *loop) {
    sorai_sampler_release(&loop->sampler);
    sorai_free(p->mem, loop->scale);
    sorai_free(p->mem, loop->reuses);
    if (loop->plan) sorai_model_give_expert(p->model, &loop->held);
    memset(loop, 0, sizeof *loop);
    loop->net = loop->held = SORAI_NET_COUNT;
}
