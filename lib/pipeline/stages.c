/* The stages, one at a time. */
#include <string.h>

#include "lib/ops/ops.h"
#include "lib/pipeline/pipeline.h"

/* Two passes go through the transformer as one batch up to this many tokens: above, their memory costs more than the batch saves. */
#define BATCHED_TOKENS 8192

static int idle(const sora_pipeline *p, sora_error *err) {
    return p->state == SORAI_RUN_NONE || p->state == SORAI_RUN_DONE
               ? SORA_OK
               : sorai_fail(err, SORA_E_STATE, "a run is under way: finish or cancel it first");
}

int sorai_stage_give(sora_pipeline *p, sora_tensor *t, int planes, sora_tensor **out, sora_error *err) {
    if (planes)
        t = sorai_dit_to_planes(&p->exec, t);
    *out = NULL;
    if (!t)
        return sorai_exec_finish(&p->exec, err);
    SORA_TRY(sorai_tensor_new(out, p->mem, t->dtype, t->rank - 1, t->shape + 1, err));
    sorai_download(&p->exec, t, (*out)->data);
    const int status = sorai_exec_finish(&p->exec, err);
    if (status != SORA_OK)
        sorai_tensor_unref(out);
    return status;
}

/* Checks a host f32 tensor of this rank and uploads it with a leading axis of 1. */
static sora_tensor *take(sora_pipeline *p, const sora_tensor *t, int32_t rank, const char *name) {
    if (!t || t->dtype != SORA_DTYPE_F32 || t->rank != rank || t->device || sorai_tensor_count(t) == 0)
        return sorai_exec_fail(&p->exec, SORA_E_INVALID, "%s must be f32 of rank %d and not empty", name, (int)rank);
    int64_t shape[SORA_MAX_RANK] = {1};
    memcpy(shape + 1, t->shape, (size_t)rank * sizeof *shape);
    return sorai_upload(&p->exec, SORA_DTYPE_F32, rank + 1, shape, t->data);
}

static sora_tensor *encode_ids(sora_pipeline *p, const sorai_ids *ids) {
    const sora_model *m = p->model;
    const int32_t length = (int32_t)ids->count;
    for (size_t i = 0; i < ids->count; i++)
        if (ids->ids[i] < 0 || ids->ids[i] >= m->t5_config.vocab_size)
            return sorai_exec_fail(&p->exec, SORA_E_FORMAT, "the tokenizer gives ids that the text encoder does not have");
    sora_tensor *hidden = sorai_t5_forward(&p->exec, &m->t5, ids->ids, &length, 1, length);
    return sorai_t5_pad(&p->exec, hidden, &length, m->defaults.text_length);
}

sora_tensor *sorai_stage_text_device(sora_pipeline *p, const char *text, size_t length) {
    sora_error err = {.struct_size = sizeof err};
    sorai_ids ids;
    sorai_ids_init(&ids, p->mem);
    int status = sorai_model_need(p->model, SORAI_NET_TEXT, &err);
    if (status == SORA_OK)
        status = sorai_model_tokenize(p->model, text, length, &ids, &err);
    sora_tensor *out = status == SORA_OK ? encode_ids(p, &ids) : sorai_exec_fail(&p->exec, status, "%s", err.message);
    sorai_ids_release(&ids);
    return out;
}

static int give_ids(sora_pipeline *p, const char *text, size_t length, sora_tensor **out, sora_error *err) {
    const int64_t rows = p->model->defaults.text_length, shape[2] = {2, rows};
    sorai_ids ids;
    sorai_ids_init(&ids, p->mem);
    int status = sorai_model_tokenize(p->model, text, length, &ids, err);
    if (status == SORA_OK)
        status = sorai_tensor_new(out, p->mem, SORA_DTYPE_I32, 2, shape, err);
    for (size_t i = 0; status == SORA_OK && i < ids.count; i++) {
        ((int32_t *)(*out)->data)[i] = ids.ids[i];
        ((int32_t *)(*out)->data)[rows + (int64_t)i] = 1;
    }
    sorai_ids_release(&ids);
    return status;
}

int sorai_stage_text(sora_pipeline *p, const char *text, size_t length, sora_tensor **out, sora_tensor **ids, sora_error *err) {
    SORA_TRY(idle(p, err));
    const sorai_exec_mark mark = sorai_exec_here(&p->exec);
    int status = sorai_stage_give(p, sorai_stage_text_device(p, text, length), 0, out, err);
    sorai_exec_rewind(&p->exec, mark);
    if (status == SORA_OK && ids)
        status = give_ids(p, text, length, ids, err);
    if (status != SORA_OK)
        sorai_tensor_unref(out);
    return status;
}

const sorai_dit_prompt *sorai_stage_prompt(sora_pipeline *p, sora_tensor *text, sora_tensor *negative) {
    sorai_exec *x = &p->exec;
    sora_tensor *both = text;
    if (text && negative) {
        sora_tensor *const parts[2] = {text, negative};
        if (text->shape[1] != negative->shape[1])
            return sorai_exec_fail(x, SORA_E_INVALID, "text and negative must have the same number of rows");
        both = sorai_concat(x, parts, 2, 0);
    }
    return both ? sorai_dit_prepare(x, &p->model->dit, both, NULL) : NULL;
}

sora_tensor *sorai_guided_velocity(sora_pipeline *p, sorai_sampler *s, const sorai_dit_prompt *prompt, int guided, double guidance) {
    sorai_exec *x = &p->exec;
    const sorai_dit *dit = &p->model->dit;
    const float times[2] = {s->timesteps[s->index], s->timesteps[s->index]};
    if (!prompt)
        return NULL;
    if (!guided)
        return sorai_dit_forward(x, dit, s->x, times, 1, prompt);
    sora_tensor *cond, *uncond;
    const int32_t *patch = p->model->dit_config.patch_size;
    const int64_t tokens = s->shape[1] / patch[0] * (s->shape[2] / patch[1]) * (s->shape[3] / patch[2]);
    if (tokens <= BATCHED_TOKENS) {
        sora_tensor *const twice[2] = {s->x, s->x};
        sora_tensor *both = sorai_dit_forward(x, dit, sorai_concat(x, twice, 2, 0), times, 1, prompt);
        cond = sorai_slice(x, both, 0, 0, 1);
        uncond = sorai_slice(x, both, 0, 1, 2);
    } else {
        const sorai_exec_mark mark = sorai_exec_here(x);
        cond = sorai_exec_rewind_keep(x, mark, sorai_dit_forward(x, dit, s->x, times, 1, sorai_dit_prompt_sample(x, prompt, 0)));
        uncond = sorai_dit_forward(x, dit, s->x, times, 1, sorai_dit_prompt_sample(x, prompt, 1));
    }
    return sorai_guide(x, cond, uncond, guidance);
}

int sorai_stage_denoise(sora_pipeline *p, const sora_tensor *latent, const sora_tensor *timestep, const sora_tensor *text,
                        sora_tensor **out, sora_error *err) {
    sorai_exec *x = &p->exec;
    SORA_TRY(idle(p, err));
    SORA_TRY(sorai_model_need(p->model, SORAI_NET_TRANSFORMER, err));
    const sorai_dit_config *c = &p->model->dit_config;
    if (!latent || latent->rank != 4 || latent->shape[0] != c->in_channels || latent->shape[1] % c->patch_size[0] ||
        latent->shape[2] % c->patch_size[1] || latent->shape[3] % c->patch_size[2])
        return sorai_fail(err, SORA_E_INVALID, "latent must be [%d, T, H, W], T, H, W multiples of the patch %d x %d x %d",
                          (int)c->in_channels, (int)c->patch_size[0], (int)c->patch_size[1], (int)c->patch_size[2]);
    const int64_t grid[3] = {latent->shape[1] / c->patch_size[0], latent->shape[2] / c->patch_size[1], latent->shape[3] / c->patch_size[2]};
    const int single = timestep && sorai_tensor_count(timestep) == 1;
    if (!timestep || timestep->dtype != SORA_DTYPE_F32 || timestep->device ||
        !(single || (timestep->rank == 3 && memcmp(timestep->shape, grid, sizeof grid) == 0)))
        return sorai_fail(err, SORA_E_INVALID, "timestep must be f32 [1] or [%lld, %lld, %lld]", (long long)grid[0], (long long)grid[1],
                          (long long)grid[2]);
    const float *times = timestep->data;
    const int64_t groups = single ? 1 : grid[0] * grid[1] * grid[2];
    for (int64_t i = 0; i < groups; i++)
        if (!(times[i] >= 0.0f && times[i] <= 1000.0f))
            return sorai_fail(err, SORA_E_INVALID, "timestep must be in 0..1000");
    if (!text || text->rank != 2 || text->shape[1] != c->text_dim)
        return sorai_fail(err, SORA_E_INVALID, "text must be [rows, %d]", (int)c->text_dim);
    const sorai_exec_mark mark = sorai_exec_here(x);
    const sorai_dit_prompt *prompt = sorai_stage_prompt(p, take(p, text, 2, "text"), NULL);
    sora_tensor *video = sorai_dit_from_planes(x, take(p, latent, 4, "latent"));
    sora_tensor *velocity = prompt ? sorai_dit_forward(x, &p->model->dit, video, times, groups, prompt) : NULL;
    const int status = sorai_stage_give(p, velocity, 1, out, err);
    sorai_exec_rewind(x, mark);
    return status;
}

int sorai_stage_encode(sora_pipeline *p, const sora_tensor *frames, sora_tensor **out, sora_error *err) {
    sorai_exec *x = &p->exec;
    SORA_TRY(idle(p, err));
    SORA_TRY(sorai_model_need(p->model, SORAI_NET_ENCODER, err));
    const sorai_vae *vae = &p->model->encoder;
    const int64_t space = sorai_vae_space_factor(&vae->config), time = sorai_vae_time_factor(&vae->config);
    if (!frames || frames->dtype != SORA_DTYPE_F32 || frames->device || frames->rank != 4 || frames->shape[0] != 3 || frames->shape[1] < 1 ||
        (frames->shape[1] - 1) % time || frames->shape[2] < 1 || frames->shape[2] % space || frames->shape[3] < 1 || frames->shape[3] % space)
        return sorai_fail(err, SORA_E_INVALID, "video must be f32 [3, %lld k + 1, H, W], H and W multiples of %lld", (long long)time,
                          (long long)space);
    const sorai_exec_mark mark = sorai_exec_here(x);
    const int64_t f = frames->shape[1], h = frames->shape[2], w = frames->shape[3], t = 1 + (f - 1) / time;
    const int64_t shape[4] = {vae->config.z_dim, t, h / space, w / space}, plane = shape[2] * shape[3];
    SORA_TRY(sorai_tensor_new(out, p->mem, SORA_DTYPE_F32, 4, shape, err));
    /* Piece by piece, so that memory does not grow with the length: the first frame alone, then as many as make one latent frame. */
    sorai_vae_stream_begin(&p->stream, p->mem);
    for (int64_t i = 0; i < t && x->status == SORA_OK; i++) {
        const int64_t first = i ? 1 + (i - 1) * time : 0, n = i ? time : 1, size = h * w;
        float *piece = sorai_alloc(p->mem, (size_t)(3 * n * size) * sizeof *piece);
        float *latent = sorai_alloc(p->mem, (size_t)(plane * shape[0]) * sizeof *latent);
        if (!piece || !latent) {
            sorai_exec_fail(x, SORA_E_NOMEM, "no memory for frames");
        } else {
            for (int64_t c = 0; c < 3; c++)
                memcpy(piece + c * n * size, (const float *)frames->data + (c * f + first) * size, (size_t)(n * size) * sizeof *piece);
            sora_tensor *video = sorai_upload(x, SORA_DTYPE_F32, 5, (const int64_t[]){1, 3, n, h, w}, piece);
            sora_tensor *mean = sorai_vae_encode(x, vae, &p->stream, sorai_dit_from_planes(x, video), NULL);
            sora_tensor *planes = sorai_dit_to_planes(x, sorai_vae_normalize(x, vae, mean));
            if (planes)
                sorai_download(x, planes, latent);
            for (int64_t c = 0; c < shape[0] && x->status == SORA_OK; c++)
                memcpy((float *)(*out)->data + (c * t + i) * plane, latent + c * plane, (size_t)plane * sizeof *latent);
        }
        sorai_free(p->mem, piece);
        sorai_free(p->mem, latent);
        sorai_exec_rewind(x, mark);
    }
    const int status = sorai_exec_finish(x, err);
    sorai_vae_stream_release(&p->stream);
    if (status != SORA_OK)
        sorai_tensor_unref(out);
    return status;
}

int sorai_stage_decode(sora_pipeline *p, const sora_tensor *latent, sora_tensor **out, sora_error *err) {
    sorai_exec *x = &p->exec;
    SORA_TRY(idle(p, err));
    SORA_TRY(sorai_model_need(p->model, SORAI_NET_DECODER, err));
    const sorai_vae *vae = &p->model->decoder;
    const int64_t space = sorai_vae_space_factor(&vae->config), time = sorai_vae_time_factor(&vae->config), z = vae->config.z_dim;
    if (!latent || latent->dtype != SORA_DTYPE_F32 || latent->device || latent->rank != 4 || latent->shape[0] != z ||
        sorai_tensor_count(latent) == 0)
        return sorai_fail(err, SORA_E_INVALID, "latent must be f32 [%lld, T, h, w]", (long long)z);
    const int64_t t = latent->shape[1], plane = latent->shape[2] * latent->shape[3], f = 1 + (t - 1) * time;
    const int64_t shape[4] = {3, f, latent->shape[2] * space, latent->shape[3] * space}, size = shape[2] * shape[3];
    SORA_TRY(sorai_tensor_new(out, p->mem, SORA_DTYPE_F32, 4, shape, err));
    const sorai_exec_mark mark = sorai_exec_here(x);
    float *piece = sorai_alloc(p->mem, (size_t)(z * plane) * sizeof *piece);
    float *frames = sorai_alloc(p->mem, (size_t)(3 * time * size) * sizeof *frames);
    if (!piece || !frames)
        sorai_exec_fail(x, SORA_E_NOMEM, "no memory for frames");
    sorai_vae_stream_begin(&p->stream, p->mem);
    for (int64_t i = 0; i < t && x->status == SORA_OK; i++) {
        for (int64_t c = 0; c < z; c++)
            memcpy(piece + c * plane, (const float *)latent->data + (c * t + i) * plane, (size_t)plane * sizeof *piece);
        sora_tensor *one = sorai_upload(x, SORA_DTYPE_F32, 5, (const int64_t[]){1, z, 1, latent->shape[2], latent->shape[3]}, piece);
        one = sorai_vae_denormalize(x, vae, sorai_dit_from_planes(x, one));
        sora_tensor *video = sorai_dit_to_planes(x, sorai_clamp(x, sorai_vae_decode(x, vae, &p->stream, one), -1.0, 1.0));
        if (video)
            sorai_download(x, video, frames);
        const int64_t first = i ? 1 + (i - 1) * time : 0, n = i ? time : 1;
        for (int64_t c = 0; c < 3 && x->status == SORA_OK; c++)
            memcpy((float *)(*out)->data + (c * f + first) * size, frames + c * n * size, (size_t)(n * size) * sizeof *frames);
        sorai_exec_rewind(x, mark);
    }
    sorai_free(p->mem, piece);
    sorai_free(p->mem, frames);
    const int status = sorai_exec_finish(x, err);
    sorai_vae_stream_release(&p->stream);
    if (status != SORA_OK)
        sorai_tensor_unref(out);
    return status;
}

int sorai_stage_sample(sora_pipeline *p, const sora_tensor *noise, const sora_tensor *text, const sora_tensor *negative,
                       sora_tensor **out, sora_error *err) {
    sorai_exec *x = &p->exec;
    sorai_plan plan = {0};
    SORA_TRY(idle(p, err));
    sorai_plan_sampling(p, &plan);
    SORA_TRY(sorai_model_need(p->model, SORAI_NET_TRANSFORMER, err));
    const sorai_dit_config *c = &p->model->dit_config;
    if (c->in_channels != c->out_channels)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "the transformer takes %d channels and gives %d: sample it with sora_denoise",
                          (int)c->in_channels, (int)c->out_channels);
    if (!noise || noise->rank != 4 || noise->shape[0] != c->in_channels || noise->shape[1] % c->patch_size[0] ||
        noise->shape[2] % c->patch_size[1] || noise->shape[3] % c->patch_size[2] || !text || text->rank != 2 ||
        text->shape[1] != c->text_dim)
        return sorai_fail(err, SORA_E_INVALID, "noise must be [%d, T, H, W] of whole patches, text [rows, %d]", (int)c->in_channels,
                          (int)c->text_dim);
    if (plan.guided && !negative)
        return sorai_fail(err, SORA_E_INVALID, "guidance above 1 needs a negative text");
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *first = sorai_dit_from_planes(x, take(p, noise, 4, "noise"));
    const sorai_dit_prompt *prompt = sorai_stage_prompt(p, take(p, text, 2, "text"), plan.guided ? take(p, negative, 2, "negative") : NULL);
    sorai_sampler s = {0};
    int status = sorai_exec_finish(x, err);
    if (status == SORA_OK)
        status = sorai_sampler_init(&s, p->mem, p->model->device, plan.solver, plan.steps, plan.shift, NULL, first, err);
    while (status == SORA_OK && s.index < s.steps) {
        const sorai_exec_mark step = sorai_exec_here(x);
        sorai_sampler_step(x, &s, sorai_guided_velocity(p, &s, prompt, plan.guided, plan.guidance));
        sorai_exec_rewind(x, step);
        status = sorai_exec_finish(x, err);
    }
    if (status == SORA_OK)
        status = sorai_stage_give(p, s.x, 1, out, err);
    sorai_sampler_release(&s);
    sorai_exec_rewind(x, mark);
    return status;
}

int sorai_stage_classify(sora_pipeline *p, const sora_tensor *frames, sora_tensor **logits, sora_tensor **features, sora_error *err) {
    sorai_exec *x = &p->exec;
    SORA_TRY(idle(p, err));
    SORA_TRY(sorai_model_need(p->model, SORAI_NET_PROBE, err));
    const sorai_probe *probe = &p->model->probe;
    if (!frames || frames->dtype != SORA_DTYPE_U8 || frames->device || frames->rank != 4 || frames->shape[3] != 3 ||
        sorai_tensor_count(frames) == 0)
        return sorai_fail(err, SORA_E_INVALID, "frames must be u8 [F, H, W, 3]");
    const int64_t count = sorai_tensor_count(frames);
    float *values = sorai_alloc(p->mem, (size_t)count * sizeof *values);
    float *raw = sorai_alloc(p->mem, (size_t)probe->outputs * sizeof *raw);
    int status = values && raw ? SORA_OK : sorai_fail(err, SORA_E_NOMEM, "no memory for frames");
    const sorai_exec_mark mark = sorai_exec_here(x);
    if (status == SORA_OK) {
        for (int64_t i = 0; i < count; i++)
            values[i] = (float)((const uint8_t *)frames->data)[i] * (2.0f / 255.0f) - 1.0f;
        const int64_t shape[5] = {1, frames->shape[0], frames->shape[1], frames->shape[2], 3};
        sora_tensor *middle = NULL;
        sora_tensor *out = sorai_probe_forward(x, probe, sorai_upload(x, SORA_DTYPE_F32, 5, shape, values), &middle);
        if (out)
            sorai_download(x, out, raw);
        status = sorai_exec_finish(x, err);
        if (status == SORA_OK && features)
            status = sorai_stage_give(p, middle, 0, features, err);
    }
    sora_tensor *table = NULL;
    if (status == SORA_OK)
        status = sorai_probe_table(&table, p->mem, probe, raw, 1, err);
    if (status == SORA_OK)
        status = sorai_tensor_new(logits, p->mem, SORA_DTYPE_F32, 2, table->shape + 1, err);
    if (status == SORA_OK)
        memcpy((*logits)->data, table->data, sorai_tensor_bytes(table));
    else if (features)
        sorai_tensor_unref(features);
    sorai_tensor_unref(&table);
    sorai_exec_rewind(x, mark);
    sorai_free(p->mem, values);
    sorai_free(p->mem, raw);
    return status;
}
