/* The stages of LTX-Video. Its autoencoder looks both ways in time, so clips go through whole. */
#include <math.h>
#include <string.h>

#include "lib/ops/ops.h"
#include "lib/pipeline/pipeline.h"

/* What the published autoencoder makes of a clip: for a model that comes without one. */
#define TIME_FACTOR  8
#define SPACE_FACTOR 32

static int is_f32(const sora_tensor *t, int32_t rank) {
    return t && t->dtype == SORA_DTYPE_F32 && t->rank == rank && !t->device && sorai_tensor_count(t) > 0;
}

/* Positions are counted in seconds and pixels. */
static void positions_scale(const sora_pipeline *p, double scale[3]) {
    const sora_model *m = p->model;
    const double fps = p->params.f[SORA_PARAM_FPS] > 0.0 ? p->params.f[SORA_PARAM_FPS] : m->defaults.fps;
    scale[0] = (m->has_ltx_vae ? sorai_ltx_vae_time_factor(&m->ltx_vae_config) : TIME_FACTOR) / fps;
    scale[1] = scale[2] = m->has_ltx_vae ? sorai_ltx_vae_space_factor(&m->ltx_vae_config) : SPACE_FACTOR;
}

static int check_latent(const sorai_ltx_config *c, const sora_tensor *t, int64_t grid[3], sora_error *err) {
    const int64_t p = c->patch_size, pt = c->patch_size_t, channels = c->in_channels / (p * p * pt);
    if (!is_f32(t, 4) || t->shape[0] != channels || t->shape[1] % pt || t->shape[2] % p || t->shape[3] % p)
        return sorai_fail(err, SORA_E_INVALID,
                          "latent must be f32 [%lld, T, H, W], T, H, W multiples of the patch %lld x %lld x %lld",
                          (long long)channels, (long long)pt, (long long)p, (long long)p);
    grid[0] = t->shape[1] / pt;
    grid[1] = t->shape[2] / p;
    grid[2] = t->shape[3] / p;
    return SORA_OK;
}

static int check_text(const sorai_ltx_config *c, const sora_tensor *t, const char *name, sora_error *err) {
    return is_f32(t, 2) && t->shape[1] == c->caption_channels
               ? SORA_OK
               : sorai_fail(err, SORA_E_INVALID, "%s must be f32 [rows, %d]", name, (int)c->caption_channels);
}

int sorai_ltx_denoise(sora_pipeline *p, const sora_tensor *latent, const sora_tensor *timestep, const sora_tensor *text,
                      sora_tensor **out, sora_error *err) {
    sorai_exec *x = &p->exec;
    sora_model *m = p->model;
    const sorai_ltx_config *c = &m->ltx_config;
    int64_t grid[3];
    double scale[3];
    SORA_TRY(check_latent(c, latent, grid, err));
    SORA_TRY(sorai_check_times(timestep, grid, err));
    SORA_TRY(check_text(c, text, "text", err));
    SORA_TRY(sorai_model_need(m, SORAI_NET_LTX, err));
    positions_scale(p, scale);
    const sorai_exec_mark mark = sorai_exec_here(x);
    const sorai_ltx_prompt *prompt = sorai_ltx_prepare(x, &m->ltx, sorai_stage_upload(p, text), NULL);
    sora_tensor *video = sorai_dit_from_planes(x, sorai_stage_upload(p, latent));
    sora_tensor *v = sorai_ltx_forward(x, &m->ltx, video, timestep->data, sorai_tensor_count(timestep), scale, prompt);
    const int status = sorai_stage_give(p, v, 1, out, err);
    sorai_exec_rewind(x, mark);
    return status;
}

int sorai_ltx_encode(sora_pipeline *p, const sora_tensor *frames, sora_tensor **out, sora_error *err) {
    sorai_exec *x = &p->exec;
    sora_model *m = p->model;
    const int64_t space = sorai_ltx_vae_space_factor(&m->ltx_vae_config);
    const int64_t time = sorai_ltx_vae_time_factor(&m->ltx_vae_config);
    if (!is_f32(frames, 4) || frames->shape[0] != 3 || (frames->shape[1] - 1) % time || frames->shape[2] % space ||
        frames->shape[3] % space)
        return sorai_fail(err, SORA_E_INVALID, "video must be f32 [3, %lld k + 1, H, W], H and W multiples of %lld",
                          (long long)time, (long long)space);
    SORA_TRY(sorai_model_need(m, SORAI_NET_LTX_VAE, err));
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *video = sorai_dit_from_planes(x, sorai_stage_upload(p, frames));
    sora_tensor *mean = sorai_ltx_vae_encode(x, &m->ltx_vae, video, NULL);
    const int status = sorai_stage_give(p, sorai_ltx_vae_normalize(x, &m->ltx_vae, mean), 1, out, err);
    sorai_exec_rewind(x, mark);
    return status;
}

sora_tensor *sorai_ltx_frames(sora_pipeline *p, const sora_tensor *latent) {
    static const float clean[1] = {0.0f}; /* the decoder's timestep: nothing is left to take away */
    sorai_exec *x = &p->exec;
    const sora_model *m = p->model;
    sora_tensor *z = sorai_dit_from_planes(x, sorai_stage_upload(p, latent));
    const float *time = m->ltx_vae_config.timestep_conditioning ? clean : NULL;
    return sorai_ltx_vae_decode(x, &m->ltx_vae, sorai_ltx_vae_denormalize(x, &m->ltx_vae, z), time);
}

int sorai_ltx_decode(sora_pipeline *p, const sora_tensor *latent, sora_tensor **out, sora_error *err) {
    sorai_exec *x = &p->exec;
    sora_model *m = p->model;
    if (!is_f32(latent, 4) || latent->shape[0] != m->ltx_vae_config.latent_channels)
        return sorai_fail(err, SORA_E_INVALID, "latent must be f32 [%d, T, h, w]",
                          (int)m->ltx_vae_config.latent_channels);
    SORA_TRY(sorai_model_need(m, SORAI_NET_LTX_VAE, err));
    const sorai_exec_mark mark = sorai_exec_here(x);
    const int status = sorai_stage_give(p, sorai_clamp(x, sorai_ltx_frames(p, latent), -1.0, 1.0), 1, out, err);
    sorai_exec_rewind(x, mark);
    return status;
}

/* ---- a whole run ------------------------------------------------------------------------------------------------ */

int sorai_ltx_plan(sora_pipeline *p, sorai_plan *plan, sora_error *err) {
    const sora_model *m = p->model;
    const sorai_model_defaults *d = &m->defaults;
    const sorai_ltx_config *c = &m->ltx_config;
    const int64_t *i = p->params.i, patch = c->patch_size, pt = c->patch_size_t;
    const double *f = p->params.f;
    const char *name = sorai_package_name(m->package);
    if (!m->has_ltx_vae)
        return sorai_fail(err, SORA_E_NOTFOUND, "%s: a run needs a transformer and an autoencoder", name);
    if (c->in_channels != m->ltx_vae_config.latent_channels * patch * patch * pt || c->out_channels != c->in_channels)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%s: transformer and autoencoder differ in channels; use the stages",
                          name);
    for (int s = SORA_SLOT_IMAGE; s < SORAI_SLOTS; s++)
        if (p->slots[s]) return sorai_fail(err, SORA_E_INVALID, "%s: the model takes words only", name);
    if (p->shots.count) return sorai_fail(err, SORA_E_UNSUPPORTED, "%s: LTX-Video takes no shots", name);
    if (p->conditions.count) return sorai_fail(err, SORA_E_UNSUPPORTED, "%s: LTX-Video takes no conditions yet", name);
    plan->width = (int32_t)(i[SORA_PARAM_WIDTH] ? i[SORA_PARAM_WIDTH] : d->width);
    plan->height = (int32_t)(i[SORA_PARAM_HEIGHT] ? i[SORA_PARAM_HEIGHT] : d->height);
    plan->frames = i[SORA_PARAM_FRAMES] ? i[SORA_PARAM_FRAMES] : d->frames;
    plan->fps = f[SORA_PARAM_FPS] > 0.0 ? f[SORA_PARAM_FPS] : d->fps;
    SORA_TRY(sorai_plan_sampling(p, plan, err));
    const int64_t space = sorai_ltx_vae_space_factor(&m->ltx_vae_config),
                  time = sorai_ltx_vae_time_factor(&m->ltx_vae_config);
    const int64_t w = (plan->width + space * patch - 1) / (space * patch) * patch;
    const int64_t h = (plan->height + space * patch - 1) / (space * patch) * patch;
    const int64_t t = (1 + (plan->frames - 1 + time - 1) / time + pt - 1) / pt * pt;
    plan->full_width = (int32_t)(w * space);
    plan->full_height = (int32_t)(h * space);
    plan->full_frames = 1 + (t - 1) * time;
    const int64_t latent[5] = {1, t, h, w, m->ltx_vae_config.latent_channels}, noise[4] = {latent[4], t, h, w};
    const int64_t text[2] = {d->text_length, c->caption_channels};
    memcpy(plan->latent, latent, sizeof latent);
    SORA_TRY(sorai_slot_fits(p->slots[SORA_SLOT_NOISE], 4, noise, "noise", err));
    SORA_TRY(sorai_slot_fits(p->slots[SORA_SLOT_TEXT], 2, text, "text", err));
    SORA_TRY(sorai_slot_fits(p->slots[SORA_SLOT_NEGATIVE], 2, text, "negative", err));
    const int needs_text = !p->slots[SORA_SLOT_TEXT] || (plan->guided && !p->slots[SORA_SLOT_NEGATIVE]);
    if (needs_text && (!m->has_t5 || m->t5_config.d_model != c->caption_channels))
        return sorai_fail(err, SORA_E_NOTFOUND, "%s: has no text encoder that fits: set the text slots", name);
    return SORA_OK;
}

/* ---- sampling ------------------------------------------------------------------------------------------------- */

/* Levels from 1 to 1 / steps, moved by an amount that grows with the number of tokens, the last one set. */
static void dynamic_levels(const sorai_model_defaults *d, int64_t tokens, int32_t steps, float *timesteps) {
    const double slope = (d->high - d->low) / (d->high_tokens - d->low_tokens);
    const double by = exp(slope * (double)tokens + d->low - slope * d->low_tokens);
    double last = 0.0;
    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = 0; i < steps; i++) {
            const double level = 1.0 - (steps > 1 ? (1.0 - 1.0 / steps) / (steps - 1) * i : 0.0);
            double moved = by / (by + (1.0 / level - 1.0));
            if (pass && d->terminal > 0.0 && last < 1.0)
                moved = 1.0 - (1.0 - moved) / ((1.0 - last) / (1.0 - d->terminal));
            if (!pass)
                last = moved;
            else
                timesteps[i] = (float)(moved * 1000.0);
        }
}

/* Rows of zeros behind a text are not attended to. */
static int32_t length_of(const sora_tensor *text) {
    const int64_t d = text->shape[1];
    int64_t n = text->shape[0];
    for (; n > 1; n--) {
        const float *row = (const float *)text->data + (n - 1) * d;
        int64_t i = 0;
        while (i < d && row[i] == 0.0f) i++;
        if (i < d) break;
    }
    return (int32_t)n;
}

/* Texts of both passes, made once. */
static int load(sora_pipeline *p, sorai_loop *l, sora_error *err) {
    sorai_exec *x = &p->exec;
    const int32_t lengths[2] = {length_of(l->in.text), l->in.negative ? length_of(l->in.negative) : 1};
    sora_tensor *words = sorai_stage_upload(p, l->in.text);
    if (l->in.negative) {
        sora_tensor *const both[2] = {words, sorai_stage_upload(p, l->in.negative)};
        words = sorai_concat(x, both, 2, 0);
    }
    l->ltx = sorai_ltx_prepare(x, &p->model->ltx, words, lengths);
    l->mark = sorai_exec_here(x);
    return sorai_exec_finish(x, err);
}

static int check_inputs(const sorai_ltx_config *c, const sorai_loop *l, sora_error *err) {
    const sorai_inputs *in = &l->in;
    if (c->in_channels != c->out_channels)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "the transformer gives other channels than it takes");
    if (in->embeds || in->condition || in->control)
        return sorai_fail(err, SORA_E_INVALID, "this transformer takes words only");
    if (l->plan->solver == SORAI_SOLVER_LCM)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "LTX-Video is not sampled with lcm");
    SORA_TRY(check_text(c, in->text, "text", err));
    if (!in->negative)
        return l->plan->guided ? sorai_fail(err, SORA_E_INVALID, "guidance above 1 needs a negative text") : SORA_OK;
    SORA_TRY(check_text(c, in->negative, "negative", err));
    return in->negative->shape[0] == in->text->shape[0]
               ? SORA_OK
               : sorai_fail(err, SORA_E_INVALID, "text and negative must have the same number of rows");
}

int sorai_ltx_loop_begin(sora_pipeline *p, sorai_loop *loop, const sora_tensor *noise, sora_error *err) {
    sorai_exec *x = &p->exec;
    sora_model *m = p->model;
    const sorai_plan *plan = loop->plan;
    int64_t grid[3];
    if (!plan->guided) loop->in.negative = NULL;
    SORA_TRY(check_latent(&m->ltx_config, noise, grid, err));
    SORA_TRY(check_inputs(&m->ltx_config, loop, err));
    SORA_TRY(sorai_model_need(m, SORAI_NET_LTX, err));
    positions_scale(p, loop->places);
    float *levels = NULL;
    double shift = plan->shift;
    if (!plan->given && m->defaults.dynamic && !(p->params.f[SORA_PARAM_SHIFT] > 0.0)) {
        levels = sorai_calloc(p->mem, (size_t)plan->steps, sizeof *levels);
        if (!levels) return sorai_fail(err, SORA_E_NOMEM, "no memory for timesteps");
        dynamic_levels(&m->defaults, grid[0] * grid[1] * grid[2], plan->steps, levels);
        shift = 1.0;
    }
    loop->begin = sorai_exec_here(x);
    sora_tensor *first = sorai_dit_from_planes(x, sorai_stage_upload(p, noise));
    int status = sorai_exec_finish(x, err);
    if (status == SORA_OK)
        status = sorai_sampler_init(&loop->sampler, p->mem, m->device, plan->solver, plan->steps, shift,
                                    levels        ? levels
                                    : plan->given ? plan->timesteps
                                                  : NULL,
                                    first, err);
    sorai_exec_rewind(x, loop->begin);
    sorai_free(p->mem, levels);
    if (status != SORA_OK) sorai_loop_end(p, loop);
    return status;
}

int sorai_ltx_loop_step(sora_pipeline *p, sorai_loop *l, sora_error *err) {
    sorai_exec *x = &p->exec;
    sorai_sampler *s = &l->sampler;
    const sorai_ltx *ltx = &p->model->ltx;
    const float times[2] = {s->timesteps[s->index], s->timesteps[s->index]};
    if (!l->ltx) SORA_TRY(load(p, l, err));
    sora_tensor *v;
    if (l->in.negative) {
        sora_tensor *const twice[2] = {s->x, s->x};
        sora_tensor *both = sorai_ltx_forward(x, ltx, sorai_concat(x, twice, 2, 0), times, 1, l->places, l->ltx);
        v = sorai_guide(x, sorai_slice(x, both, 0, 0, 1), sorai_slice(x, both, 0, 1, 2), l->plan->guidance);
    } else {
        v = sorai_ltx_forward(x, ltx, s->x, times, 1, l->places, l->ltx);
    }
    sorai_sampler_step(x, s, v);
    sorai_exec_rewind(x, l->mark);
    return sorai_exec_finish(x, err);
}
