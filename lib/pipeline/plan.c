/* From a request to a plan: every default filled in, sizes rounded up to what the networks take. */
#include <string.h>

#include "lib/pipeline/pipeline.h"

static int64_t round_up(int64_t n, int64_t to) {
    return (n + to - 1) / to * to;
}

static int slot_fits(const sora_tensor *t, int32_t rank, const int64_t *shape, const char *name, sora_error *err) {
    if (!t)
        return SORA_OK;
    int same = t->dtype == SORA_DTYPE_F32 && t->rank == rank && !t->device;
    for (int32_t i = 0; same && i < rank; i++)
        same = t->shape[i] == shape[i];
    return same ? SORA_OK : sorai_fail(err, SORA_E_INVALID, "slot %s: the tensor does not fit the request", name);
}

void sorai_plan_sampling(const sora_pipeline *p, sorai_plan *plan) {
    const sorai_model_defaults *d = &p->model->defaults;
    const int64_t *i = p->params.i;
    const double *f = p->params.f;
    plan->steps = (int32_t)(i[SORA_PARAM_STEPS] ? i[SORA_PARAM_STEPS] : d->steps);
    plan->guidance = f[SORA_PARAM_GUIDANCE] < 0.0 ? d->guidance : f[SORA_PARAM_GUIDANCE];
    plan->shift = f[SORA_PARAM_SHIFT] > 0.0 ? f[SORA_PARAM_SHIFT] : d->shift;
    plan->guided = plan->guidance > 1.0;
    const int64_t solver = i[SORA_PARAM_SAMPLER] ? i[SORA_PARAM_SAMPLER] : d->solver;
    plan->solver = solver == SORA_SAMPLER_EULER   ? SORAI_SOLVER_EULER
                   : solver == SORA_SAMPLER_DPMPP ? SORAI_SOLVER_DPMPP
                                                  : SORAI_SOLVER_UNIPC;
}

int sorai_plan_make(sora_pipeline *p, sorai_plan *plan, sora_error *err) {
    const sora_model *m = p->model;
    const sorai_model_defaults *d = &m->defaults;
    const int64_t *i = p->params.i;
    const double *f = p->params.f;
    memset(plan, 0, sizeof *plan);
    if (!m->has_dit || !m->has_vae)
        return sorai_fail(err, SORA_E_NOTFOUND, "%s: a run needs a transformer and an autoencoder", sorai_package_name(m->package));
    if (m->dit_config.in_channels != m->vae_config.z_dim || m->dit_config.out_channels != m->vae_config.z_dim)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%s: its transformer takes more than noise and text; use the stages",
                          sorai_package_name(m->package));
    plan->width = (int32_t)(i[SORA_PARAM_WIDTH] ? i[SORA_PARAM_WIDTH] : d->width);
    plan->height = (int32_t)(i[SORA_PARAM_HEIGHT] ? i[SORA_PARAM_HEIGHT] : d->height);
    plan->frames = i[SORA_PARAM_FRAMES] ? i[SORA_PARAM_FRAMES] : d->frames;
    plan->fps = f[SORA_PARAM_FPS] > 0.0 ? f[SORA_PARAM_FPS] : d->fps;
    sorai_plan_sampling(p, plan);
    const int64_t space = sorai_vae_space_factor(&m->vae_config), time = sorai_vae_time_factor(&m->vae_config);
    const int32_t *patch = m->dit_config.patch_size;
    plan->full_width = (int32_t)round_up(plan->width, space * patch[2]);
    plan->full_height = (int32_t)round_up(plan->height, space * patch[1]);
    const int64_t t = round_up(1 + round_up(plan->frames - 1, time) / time, patch[0]);
    plan->full_frames = 1 + (t - 1) * time;
    const int64_t latent[5] = {1, t, plan->full_height / space, plan->full_width / space, m->vae_config.z_dim};
    memcpy(plan->latent, latent, sizeof latent);
    const int64_t noise[4] = {latent[4], t, latent[2], latent[3]}, text[2] = {d->text_length, m->dit_config.text_dim};
    SORA_TRY(slot_fits(p->slots[SORA_SLOT_NOISE], 4, noise, "noise", err));
    SORA_TRY(slot_fits(p->slots[SORA_SLOT_TEXT], 2, text, "text", err));
    SORA_TRY(slot_fits(p->slots[SORA_SLOT_NEGATIVE], 2, text, "negative", err));
    const int needs_text = !p->slots[SORA_SLOT_TEXT] || (plan->guided && !p->slots[SORA_SLOT_NEGATIVE]);
    if (needs_text && (!m->has_t5 || m->t5_config.d_model != m->dit_config.text_dim))
        return sorai_fail(err, SORA_E_NOTFOUND, "%s: has no text encoder that fits: set the text slots", sorai_package_name(m->package));
    return SORA_OK;
}
