/* The stages, one at a time. */
#include <string.h>

#include "lib/ops/ops.h"
#include "lib/pipeline/pipeline.h"

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

sora_tensor *sorai_stage_upload(sora_pipeline *p, const sora_tensor *t) {
    if (!t)
        return NULL;
    int64_t shape[SORA_MAX_RANK] = {1};
    if (t->rank >= SORA_MAX_RANK)
        return sorai_exec_fail(&p->exec, SORA_E_INVALID, "a tensor has too many axes");
    memcpy(shape + 1, t->shape, (size_t)t->rank * sizeof *shape);
    return sorai_upload(&p->exec, t->dtype, t->rank + 1, shape, t->data);
}

static sora_tensor *encode_ids(sora_pipeline *p, const sorai_ids *ids) {
    const sora_model *m = p->model;
    const int32_t length = (int32_t)ids->count;
    for (size_t i = 0; i < ids->count; i++)
        if (ids->ids[i] < 0 || ids->ids[i] >= m->t5_config.vocab_size)
            return sorai_exec_fail(&p->exec, SORA_E_FORMAT, "the tokenizer gives ids that the text encoder does not have");
    /* A text is encoded once, and the weights of the encoder are most of a model: layer by layer they come from the file and go again. */
    p->exec.streamed = 1;
    sora_tensor *hidden = sorai_t5_forward(&p->exec, &m->t5, ids->ids, &length, 1, length);
    p->exec.streamed = 0;
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

int sorai_check_times(const sora_tensor *t, const int64_t *grid, sora_error *err) {
    const int single = t && sorai_tensor_count(t) == 1;
    if (!t || t->dtype != SORA_DTYPE_F32 || t->device || !(single || (t->rank == 3 && memcmp(t->shape, grid, 3 * sizeof *grid) == 0)))
        return sorai_fail(err, SORA_E_INVALID, "timestep must be f32 [1] or [%lld, %lld, %lld]", (long long)grid[0], (long long)grid[1],
                          (long long)grid[2]);
    const float *times = t->data;
    for (int64_t i = 0; i < sorai_tensor_count(t); i++)
        if (!(times[i] >= 0.0f && times[i] <= 1000.0f))
            return sorai_fail(err, SORA_E_INVALID, "timestep must be in 0..1000");
    return SORA_OK;
}

/* The inputs that the slots hold. */
static sorai_inputs slot_inputs(const sora_pipeline *p, const sora_tensor *text, const sora_tensor *negative) {
    return (sorai_inputs){.text = text,
                          .negative = negative,
                          .embeds = p->slots[SORA_SLOT_IMAGE_EMBEDS],
                          .condition = p->slots[SORA_SLOT_CONDITION],
                          .control = p->slots[SORA_SLOT_CONTROL],
                          .control_scale = p->slots[SORA_SLOT_CONTROL_SCALE]};
}

int sorai_stage_denoise(sora_pipeline *p, const sora_tensor *latent, const sora_tensor *timestep, const sora_tensor *text,
                        sora_tensor **out, sora_error *err) {
    sorai_exec *x = &p->exec;
    sora_model *m = p->model;
    double highest;
    SORA_TRY(idle(p, err));
    if (!timestep || timestep->dtype != SORA_DTYPE_F32 || timestep->device || sorai_tensor_count(timestep) < 1)
        return sorai_fail(err, SORA_E_INVALID, "timestep must be f32 [1] or [T, H, W]");
    const float *times = timestep->data;
    highest = times[0];
    for (int64_t i = 1; i < sorai_tensor_count(timestep); i++)
        highest = times[i] > highest ? times[i] : highest;
    const enum sorai_model_net net = sorai_model_expert(m, highest);
    const sorai_dit_config *c = net == SORAI_NET_TRANSFORMER_2 ? &m->dit2_config : &m->dit_config;
    if (net == SORAI_NET_TRANSFORMER_2 ? !m->has_dit2 : !m->has_dit && !m->has_ltx)
        return sorai_model_need(m, net, err); /* says so */
    const sorai_kind kind = sorai_kind_of(m, net);
    if (!latent || latent->dtype != SORA_DTYPE_F32 || latent->device || latent->rank != 4 || latent->shape[0] != kind.in)
        return sorai_fail(err, SORA_E_INVALID, "latent must be f32 [%lld, T, H, W]", (long long)kind.in);
    const sorai_inputs in = slot_inputs(p, text, NULL);
    SORA_TRY(sorai_inputs_check(m, net, &in, 0, latent->shape + 1, err));
    const int64_t grid[3] = {latent->shape[1] / kind.patch[0], latent->shape[2] / kind.patch[1], latent->shape[3] / kind.patch[2]};
    SORA_TRY(sorai_check_times(timestep, grid, err));
    enum sorai_model_net held = SORAI_NET_COUNT;
    float scale[SORAI_DIT_MAX_CONTROLS];
    for (int32_t i = 0; i < c->vace_count; i++)
        scale[i] = in.control_scale ? ((const float *)in.control_scale->data)[i] : (float)p->params.f[SORA_PARAM_CONTROL_SCALE];
    SORA_TRY(m->boundary > 0.0 ? sorai_model_take_expert(m, net, &held, err) : sorai_model_need(m, net, err));
    const sorai_denoiser denoiser = sorai_denoiser_of(m, net, p->params.f[SORA_PARAM_FPS]);
    const sorai_exec_mark mark = sorai_exec_here(x);
    const sorai_prompt prompt = sorai_denoiser_prepare(x, &denoiser, sorai_stage_upload(p, text), sorai_stage_upload(p, in.embeds), NULL);
    sora_tensor *video = sorai_dit_from_planes(x, sorai_stage_upload(p, latent));
    const sorai_dit_control control = {in.control ? sorai_dit_from_planes(x, sorai_stage_upload(p, in.control)) : NULL, scale};
    const int64_t groups = sorai_tensor_count(timestep);
    sora_tensor *velocity = sorai_denoiser_forward(x, &denoiser, video, in.control ? &control : NULL, times, groups, &prompt, NULL);
    const int status = sorai_stage_give(p, velocity, 1, out, err);
    sorai_exec_rewind(x, mark);
    sorai_model_give_expert(m, &held);
    return status;
}

static int fill_from(void *user, int64_t first, int64_t n, float *piece, sora_error *err) {
    const sora_tensor *frames = user;
    const int64_t f = frames->shape[1], size = frames->shape[2] * frames->shape[3];
    (void)err;
    for (int64_t c = 0; c < 3; c++)
        memcpy(piece + c * n * size, (const float *)frames->data + (c * f + first) * size, (size_t)(n * size) * sizeof *piece);
    return SORA_OK;
}

int sorai_stage_encode(sora_pipeline *p, const sora_tensor *frames, sora_tensor **out, sora_error *err) {
    SORA_TRY(idle(p, err));
    SORA_TRY(sorai_model_need(p->model, sorai_model_encoder(p->model), err));
    const int64_t space = sorai_model_space_factor(p->model), time = sorai_model_time_factor(p->model);
    if (!frames || frames->dtype != SORA_DTYPE_F32 || frames->device || frames->rank != 4 || frames->shape[0] != 3 || frames->shape[1] < 1 ||
        (frames->shape[1] - 1) % time || frames->shape[2] < 1 || frames->shape[2] % space || frames->shape[3] < 1 || frames->shape[3] % space)
        return sorai_fail(err, SORA_E_INVALID, "video must be f32 [3, %lld k + 1, H, W], H and W multiples of %lld", (long long)time,
                          (long long)space);
    const int64_t *f = frames->shape;
    if (f[2] > INT32_MAX || f[3] > INT32_MAX)
        return sorai_fail(err, SORA_E_LIMIT, "the video is too large");
    sorai_plan plan = {.full_frames = f[1], .full_height = (int32_t)f[2], .full_width = (int32_t)f[3], .encoded_in = {1, 1},
                       .latent = {1, 1 + (f[1] - 1) / time, f[2] / space, f[3] / space, sorai_model_latent_channels(p->model)}};
    SORA_TRY(sorai_plan_encoding(p, &plan, err));
    sorai_encoding e;
    int status = sorai_encoding_begin(p, &e, &plan, f[1], fill_from, (void *)(uintptr_t)frames, err);
    while (status == SORA_OK && e.done < e.steps)
        status = sorai_encoding_step(p, &e, err);
    *out = status == SORA_OK ? sorai_encoding_take(&e) : NULL;
    sorai_encoding_end(p, &e);
    return status;
}

/* A decoded piece to its place in [3, f, h, w]. */
static int put_piece(sora_pipeline *p, const sorai_piece *piece, sora_tensor *out, sora_error *err) {
    const sora_tensor *video = sorai_dit_to_planes(&p->exec, sorai_clamp(&p->exec, piece->video, -1.0, 1.0));
    float *values = video ? sorai_alloc(p->mem, sorai_tensor_bytes(video)) : NULL;
    if (values)
        sorai_download(&p->exec, video, values);
    else
        sorai_exec_fail(&p->exec, SORA_E_NOMEM, "no memory for frames");
    int status = sorai_exec_finish(&p->exec, err);
    const int64_t *s = out->shape;
    if (status == SORA_OK && (piece->first + video->shape[2] > s[1] || piece->top + video->shape[3] > s[2] || piece->left + video->shape[4] > s[3]))
        status = sorai_fail(err, SORA_E_INTERNAL, "the decoder gave more than was asked for");
    for (int64_t row = 0; status == SORA_OK && row < 3 * video->shape[2] * video->shape[3]; row++) {
        const int64_t y = row % video->shape[3], f = row / video->shape[3] % video->shape[2], c = row / video->shape[3] / video->shape[2];
        memcpy((float *)out->data + ((c * s[1] + piece->first + f) * s[2] + piece->top + y) * s[3] + piece->left, values + row * video->shape[4],
               (size_t)video->shape[4] * sizeof *values);
    }
    sorai_free(p->mem, values);
    return status;
}

int sorai_stage_decode(sora_pipeline *p, const sora_tensor *latent, sora_tensor **out, sora_error *err) {
    sorai_exec *x = &p->exec;
    SORA_TRY(idle(p, err));
    SORA_TRY(sorai_model_need(p->model, sorai_model_decoder(p->model), err));
    const sora_model *m = p->model;
    const int64_t space = sorai_model_decoded_space(m), time = sorai_model_decoded_time(m);
    const int64_t z = sorai_model_latent_channels(p->model);
    if (!latent || latent->dtype != SORA_DTYPE_F32 || latent->device || latent->rank != 4 || latent->shape[0] != z ||
        sorai_tensor_count(latent) == 0)
        return sorai_fail(err, SORA_E_INVALID, "latent must be f32 [%lld, T, h, w]", (long long)z);
    const int64_t t = latent->shape[1], f = 1 + (t - 1) * time;
    const int64_t shape[4] = {3, f, latent->shape[2] * space, latent->shape[3] * space};
    sorai_plan plan = {.latent = {1, t, latent->shape[2], latent->shape[3], z}, .windows = {1, 1}, .spans = 1, .whole = p->model->has_ltx_vae};
    SORA_TRY(sorai_tensor_new(out, p->mem, SORA_DTYPE_F32, 4, shape, err));
    const sorai_exec_mark mark = sorai_exec_here(x);
    int status = sorai_plan_decoding(p, &plan, err);
    sorai_vae_stream_begin(&p->stream, p->mem);
    for (int64_t i = 0, n = sorai_decode_steps(&plan); i < n && status == SORA_OK; i++) {
        sorai_piece piece;
        status = sorai_decode_piece(p, &plan, latent, i, &piece, err);
        if (status == SORA_OK && piece.video)
            status = put_piece(p, &piece, *out, err);
        sorai_exec_rewind(x, mark);
    }
    sorai_decode_end(p);
    if (status != SORA_OK)
        sorai_tensor_unref(out);
    return status;
}

int sorai_stage_sample(sora_pipeline *p, const sora_tensor *noise, const sora_tensor *text, const sora_tensor *negative,
                       sora_tensor **out, sora_error *err) {
    sorai_plan plan = {0};
    sorai_loop loop;
    SORA_TRY(idle(p, err));
    SORA_TRY(sorai_plan_sampling(p, &plan, err));
    const sorai_inputs in = slot_inputs(p, text, negative);
    const sorai_exec_mark mark = sorai_exec_here(&p->exec);
    int status = sorai_loop_begin(p, &loop, &in, &plan, noise, err);
    while (status == SORA_OK && loop.sampler.index < loop.sampler.steps)
        status = sorai_loop_step(p, &loop, err);
    if (status == SORA_OK)
        status = sorai_stage_give(p, sorai_loop_result(p, &loop), 1, out, err);
    sorai_loop_end(p, &loop);
    sorai_exec_rewind(&p->exec, mark);
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
