/* From a request to a plan: every default filled in, sizes rounded up to what the networks take. */
#include <string.h>

#include "lib/pipeline/pipeline.h"

static int64_t round_up(int64_t n, int64_t to) {
    return (n + to - 1) / to * to;
}

int sorai_slot_fits(const sora_tensor *t, int32_t rank, const int64_t *shape, const char *name, sora_error *err) {
    if (!t)
        return SORA_OK;
    int same = t->dtype == SORA_DTYPE_F32 && t->rank == rank && !t->device;
    for (int32_t i = 0; same && i < rank; i++)
        same = t->shape[i] == shape[i];
    return same ? SORA_OK : sorai_fail(err, SORA_E_INVALID, "slot %s: the tensor does not fit the request", name);
}

/* "1000, 757.5,522" -> numbers. Locale-free: digits and one point. */
static int read_timesteps(const char *text, sorai_plan *plan, sora_error *err) {
    const char *c = text;
    plan->given = 0;
    while (*c) {
        double value = 0.0, place = 1.0;
        int digits = 0;
        for (; *c >= '0' && *c <= '9' && value < 1e6; c++, digits++)
            value = 10.0 * value + (*c - '0');
        if (*c == '.')
            for (c++; *c >= '0' && *c <= '9'; c++, digits++)
                value += (*c - '0') * (place /= 10.0);
        if (!digits || (*c && *c != ',' && *c != ' ') || value > 1000.0 || value <= 0.0 ||
            (plan->given && !((float)value < plan->timesteps[plan->given - 1])))
            return sorai_fail(err, SORA_E_INVALID, "timesteps: falling numbers of at most 1000 are wanted, such as 1000,757,522");
        if (plan->given == SORAI_GIVEN_STEPS)
            return sorai_fail(err, SORA_E_INVALID, "timesteps: more than %d", SORAI_GIVEN_STEPS);
        plan->timesteps[plan->given++] = (float)value;
        while (*c == ',' || *c == ' ')
            c++;
    }
    return SORA_OK;
}

int sorai_plan_sampling(const sora_pipeline *p, sorai_plan *plan, sora_error *err) {
    const sorai_model_defaults *d = &p->model->defaults;
    const int64_t *i = p->params.i;
    const double *f = p->params.f;
    plan->steps = (int32_t)(i[SORA_PARAM_STEPS] ? i[SORA_PARAM_STEPS] : d->steps);
    plan->guidance = f[SORA_PARAM_GUIDANCE] < 0.0 ? d->guidance : f[SORA_PARAM_GUIDANCE];
    /* The model's own second guidance goes with its own first. */
    const double second = f[SORA_PARAM_GUIDANCE] < 0.0 && d->guidance2 >= 0.0 ? d->guidance2 : plan->guidance;
    plan->guidance2 = f[SORA_PARAM_GUIDANCE_2] < 0.0 ? second : f[SORA_PARAM_GUIDANCE_2];
    plan->until = f[SORA_PARAM_GUIDANCE_UNTIL] < 0.0 ? d->guidance_until : f[SORA_PARAM_GUIDANCE_UNTIL];
    plan->shift = f[SORA_PARAM_SHIFT] > 0.0 ? f[SORA_PARAM_SHIFT] : d->shift;
    plan->guided = plan->guidance > 1.0;
    plan->seed = (uint64_t)i[SORA_PARAM_SEED];
    plan->control_scale = (float)f[SORA_PARAM_CONTROL_SCALE];
    plan->resample = (int32_t)i[SORA_PARAM_RESAMPLE];
    plan->step_cache = f[SORA_PARAM_STEP_CACHE];
    const int64_t solver = i[SORA_PARAM_SAMPLER] ? i[SORA_PARAM_SAMPLER] : d->solver;
    plan->solver = solver == SORA_SAMPLER_EULER   ? SORAI_SOLVER_EULER
                   : solver == SORA_SAMPLER_DPMPP ? SORAI_SOLVER_DPMPP
                   : solver == SORA_SAMPLER_LCM   ? SORAI_SOLVER_LCM
                                                  : SORAI_SOLVER_UNIPC;
    if (p->params.text[SORA_PARAM_TIMESTEPS])
        SORA_TRY(read_timesteps(p->params.text[SORA_PARAM_TIMESTEPS], plan, err));
    if (!plan->given && !i[SORA_PARAM_STEPS] && d->given) {
        plan->given = d->given;
        memcpy(plan->timesteps, d->timesteps, sizeof plan->timesteps);
    }
    if (plan->given) {
        plan->steps = plan->given;
        plan->shift = f[SORA_PARAM_SHIFT] > 0.0 ? f[SORA_PARAM_SHIFT] : 1.0;
    }
    return SORA_OK;
}

static int has_picture(const sora_pipeline *p, sora_slot slot) {
    return p->slots[slot] != NULL;
}

/* What the transformer wants beside text, and whether it can be had. */
static int plan_conditions(const sora_pipeline *p, sorai_plan *plan, sora_error *err) {
    const sora_model *m = p->model;
    const sorai_dit_config *c = &m->dit_config;
    const sorai_kind kind = sorai_kind_of(m, sorai_model_expert(m, 1000.0));
    const int64_t z = sorai_model_latent_channels(m), more = kind.in - z;
    const char *name = sorai_package_name(m->package);
    if (kind.out != z || more < 0)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%s: transformer and autoencoder differ in channels; use the stages", name);
    SORA_TRY(sorai_check_picture(p->slots[SORA_SLOT_IMAGE], "image", err));
    SORA_TRY(sorai_check_picture(p->slots[SORA_SLOT_LAST_IMAGE], "last image", err));
    const int image = has_picture(p, SORA_SLOT_IMAGE), first = m->expand_timesteps && (image || p->slots[SORA_SLOT_CONDITION]);
    const int begins = image || sorai_conditions_lay_pixels(p); /* there is a picture to begin with */
    plan->joins = more > 0;
    plan->needs_condition = plan->joins || first;
    plan->needs_embeds = c->image_dim > 0 && c->added_kv_proj_dim > 0;
    plan->needs_control = c->vace_count > 0;
    if (more > 0 && !p->slots[SORA_SLOT_CONDITION]) {
        if (!begins && !p->conditions.count)
            return sorai_fail(err, SORA_E_INVALID, "%s: the model wants an image to begin with", name);
        if (more != z + sorai_model_time_factor(m))
            return sorai_fail(err, SORA_E_UNSUPPORTED, "%s: %d more channels than an image fills; set the condition slot", name, (int)more);
    }
    if (plan->needs_embeds && !p->slots[SORA_SLOT_IMAGE_EMBEDS] && (!begins || !m->has_vision))
        return sorai_fail(err, SORA_E_INVALID, "%s: the model wants %s", name,
                          begins ? "image embeddings, and has no image encoder to make them" : "an image to begin with");
    if (!plan->needs_condition && !plan->needs_embeds && (image || has_picture(p, SORA_SLOT_LAST_IMAGE)))
        return sorai_fail(err, SORA_E_INVALID, "%s: the model takes no image", name);
    int control = p->slots[SORA_SLOT_CONTROL] || p->slots[SORA_SLOT_VIDEO] || p->slots[SORA_SLOT_MASK];
    for (int i = 0; i < SORA_MAX_REFERENCES; i++)
        control = control || has_picture(p, SORA_SLOT_REFERENCE + i);
    if (!plan->needs_control && control)
        return sorai_fail(err, SORA_E_INVALID, "%s: the model takes no control video", name);
    for (int i = 0; plan->needs_control && i < SORA_MAX_REFERENCES; i++) {
        SORA_TRY(sorai_check_picture(p->slots[SORA_SLOT_REFERENCE + i], "reference", err));
        plan->references += has_picture(p, SORA_SLOT_REFERENCE + i);
    }
    return SORA_OK;
}

int sorai_plan_make(sora_pipeline *p, sorai_plan *plan, sora_error *err) {
    const sora_model *m = p->model;
    const sorai_model_defaults *d = &m->defaults;
    const int64_t *i = p->params.i;
    const double *f = p->params.f;
    memset(plan, 0, sizeof *plan);
    if (!(m->has_dit || m->has_ltx) || !(m->has_vae || m->has_ltx_vae))
        return sorai_fail(err, SORA_E_NOTFOUND, "%s: a run needs a transformer and an autoencoder", sorai_package_name(m->package));
    if (m->boundary > 0.0 && !m->has_dit2)
        return sorai_fail(err, SORA_E_NOTFOUND, "%s: has a boundary_ratio but no transformer_2", sorai_package_name(m->package));
    if (sorai_model_decoded_space(m) != sorai_model_space_factor(m) || sorai_model_decoded_time(m) != sorai_model_time_factor(m))
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%s: the autoencoder gives another size than it takes; use the stages", sorai_package_name(m->package));
    if (m->has_ltx && p->shots.count)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%s: LTX-Video takes no shots", sorai_package_name(m->package));
    SORA_TRY(plan_conditions(p, plan, err));
    plan->width = (int32_t)(i[SORA_PARAM_WIDTH] ? i[SORA_PARAM_WIDTH] : d->width);
    plan->height = (int32_t)(i[SORA_PARAM_HEIGHT] ? i[SORA_PARAM_HEIGHT] : d->height);
    plan->frames = i[SORA_PARAM_FRAMES] ? i[SORA_PARAM_FRAMES] : d->frames;
    plan->fps = f[SORA_PARAM_FPS] > 0.0 ? f[SORA_PARAM_FPS] : d->fps;
    SORA_TRY(sorai_plan_sampling(p, plan, err));
    const int64_t space = sorai_model_space_factor(m), time = sorai_model_time_factor(m);
    const sorai_kind kind = sorai_kind_of(m, sorai_model_expert(m, 1000.0));
    const int32_t *patch = kind.patch;
    plan->full_width = (int32_t)round_up(plan->width, space * patch[2]);
    plan->full_height = (int32_t)round_up(plan->height, space * patch[1]);
    const int64_t t = round_up(1 + round_up(plan->frames - 1, time) / time, patch[0]);
    plan->full_frames = 1 + (t - 1) * time;
    plan->windows[0] = plan->windows[1] = plan->encoded_in[0] = plan->encoded_in[1] = 1;
    plan->whole = m->has_ltx_vae;
    plan->spans = 1;
    plan->key_time = m->keyframes && patch[0] == 1 ? time : 0;
    const int64_t latent[5] = {1, t + plan->references, plan->full_height / space, plan->full_width / space, sorai_model_latent_channels(m)};
    memcpy(plan->latent, latent, sizeof latent);
    const int64_t noise[4] = {latent[4], latent[1], latent[2], latent[3]}, text[2] = {d->text_length, kind.text};
    SORA_TRY(sorai_slot_fits(p->slots[SORA_SLOT_NOISE], 4, noise, "noise", err));
    SORA_TRY(sorai_slot_fits(p->slots[SORA_SLOT_TEXT], 2, text, "text", err));
    SORA_TRY(sorai_slot_fits(p->slots[SORA_SLOT_NEGATIVE], 2, text, "negative", err));
    SORA_TRY(sorai_slot_fits(p->slots[SORA_SLOT_SOURCE], 2, text, "source", err));
    const int64_t condition[4] = {plan->joins ? kind.in - latent[4] : latent[4], plan->joins ? latent[1] : 1, latent[2], latent[3]};
    SORA_TRY(sorai_slot_fits(p->slots[SORA_SLOT_CONDITION], 4, condition, "condition", err));
    const int64_t control[4] = {m->dit_config.vace_in_channels, latent[1], latent[2], latent[3]};
    SORA_TRY(sorai_slot_fits(p->slots[SORA_SLOT_CONTROL], 4, control, "control", err));
    SORA_TRY(sorai_shots_place(p, plan, err));
    for (size_t c = 0; i[SORA_PARAM_FOLLOW] && c < p->conditions.count; c++)
        plan->follows = plan->follows || (p->conditions.list[c].strength > 0.0 && p->conditions.list[c].strength < 1.0);
    const int needs_text = p->shots.count || !p->slots[SORA_SLOT_TEXT] || (plan->guided && !p->slots[SORA_SLOT_NEGATIVE]) ||
                           (plan->follows && !p->slots[SORA_SLOT_SOURCE]);
    if (needs_text && (!m->has_t5 || m->t5_config.d_model != kind.text))
        return sorai_fail(err, SORA_E_NOTFOUND, "%s: has no text encoder that fits: set the text slots", sorai_package_name(m->package));
    return SORA_OK;
}
