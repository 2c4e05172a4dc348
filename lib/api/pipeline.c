#include "sora/pipeline.h"

#include <string.h>

#include "lib/api/intake.h"
#include "lib/backend/context.h"
#include "lib/pipeline/pipeline.h"

static int none(const char *what, sora_error *err) {
    return sorai_fail(err, SORA_E_INVALID, "%s: an argument that is needed is NULL", what);
}

/* Tensors that leave the library keep its context, hence their memory, alive. A cancel that has stopped a stage is used up. */
static int adopt(sora_pipeline *p, sora_tensor *t, int status) {
    if (status == SORA_E_CANCELLED)
        atomic_store(&p->cancel, 0);
    if (status == SORA_OK && t && !t->context) {
        t->context = sorai_context_ref(p->model->context);
        t->context_unref = sorai_context_unref;
    }
    return status;
}

static int busy(const sora_pipeline *p) {
    return p->state != SORAI_RUN_NONE && p->state != SORAI_RUN_DONE;
}

int sora_param_info(sora_param id, sora_param_desc *out) {
    const sora_param_desc *d = sorai_param_find(id);
    return d ? sorai_give_struct(out, d, sizeof *d) : SORA_E_NOTFOUND;
}

int sora_param_at(uint32_t index, sora_param_desc *out) {
    const sora_param_desc *d = sorai_param_list(index);
    return d ? sorai_give_struct(out, d, sizeof *d) : SORA_E_NOTFOUND;
}

int sora_pipeline_create(sora_pipeline **out, sora_model *model, sora_error *err) {
    if (!out)
        return none("sora_pipeline_create", err);
    *out = NULL;
    return model ? sorai_pipeline_create(out, model, err) : none("sora_pipeline_create", err);
}

void sora_pipeline_destroy(sora_pipeline **pipeline) {
    if (pipeline)
        sorai_pipeline_destroy(pipeline);
}

int sora_pipeline_set_i64(sora_pipeline *pipeline, sora_param id, int64_t value) {
    if (!pipeline)
        return SORA_E_INVALID;
    return busy(pipeline) ? SORA_E_STATE : sorai_params_set_i64(&pipeline->params, id, value);
}

int sora_pipeline_set_f64(sora_pipeline *pipeline, sora_param id, double value) {
    if (!pipeline)
        return SORA_E_INVALID;
    return busy(pipeline) ? SORA_E_STATE : sorai_params_set_f64(&pipeline->params, id, value);
}

int sora_pipeline_set_text(sora_pipeline *pipeline, sora_param id, const char *utf8, size_t length) {
    if (!pipeline)
        return SORA_E_INVALID;
    return busy(pipeline) ? SORA_E_STATE : sorai_params_set_text(&pipeline->params, id, utf8, length);
}

int sora_pipeline_set_tensor(sora_pipeline *pipeline, sora_slot slot, sora_tensor *tensor) {
    const int known = (slot >= SORA_SLOT_NOISE && slot <= SORA_SLOT_SOURCE && slot != SORA_SLOT_LATENT) ||
                      (slot >= SORA_SLOT_REFERENCE && slot < SORA_SLOT_REFERENCE + SORA_MAX_REFERENCES);
    if (!pipeline || !known)
        return SORA_E_INVALID;
    if (busy(pipeline))
        return SORA_E_STATE;
    sorai_tensor_ref(tensor);
    sorai_tensor_unref(&pipeline->slots[slot]);
    pipeline->slots[slot] = tensor;
    return SORA_OK;
}

int sora_pipeline_get_tensor(sora_pipeline *pipeline, sora_slot slot, sora_tensor **out) {
    if (!out)
        return SORA_E_INVALID;
    *out = NULL;
    if (!pipeline || slot < 1 || slot >= SORAI_SLOTS)
        return SORA_E_INVALID;
    if (!pipeline->made[slot])
        return SORA_E_NOTFOUND;
    *out = sorai_tensor_ref(pipeline->made[slot]);
    return adopt(pipeline, *out, SORA_OK);
}

void sora_condition_init(sora_condition *condition) {
    if (!condition)
        return;
    memset(condition, 0, sizeof *condition);
    condition->struct_size = sizeof *condition;
    condition->strength = 1.0;
}

int sora_pipeline_add_condition(sora_pipeline *pipeline, const sora_condition *condition, sora_error *err) {
    if (!pipeline || !condition)
        return none("sora_pipeline_add_condition", err);
    if (busy(pipeline))
        return sorai_fail(err, SORA_E_STATE, "a run is under way");
    sora_condition known;
    sora_condition_init(&known);
    SORA_TRY(sorai_take_opts(&known, sizeof known, condition, "sora_condition", err));
    return sorai_conditions_add(pipeline, &known, err);
}

int sora_pipeline_clear_conditions(sora_pipeline *pipeline) {
    if (!pipeline)
        return SORA_E_INVALID;
    if (busy(pipeline))
        return SORA_E_STATE;
    sorai_conditions_clear(pipeline);
    return SORA_OK;
}

int sora_pipeline_add_shot(sora_pipeline *pipeline, int64_t at_frame, const char *utf8, size_t length, sora_error *err) {
    if (!pipeline || !utf8)
        return none("sora_pipeline_add_shot", err);
    if (busy(pipeline))
        return sorai_fail(err, SORA_E_STATE, "a run is under way");
    return sorai_shots_add(pipeline, at_frame, utf8, length, err);
}

int sora_pipeline_clear_shots(sora_pipeline *pipeline) {
    if (!pipeline)
        return SORA_E_INVALID;
    if (busy(pipeline))
        return SORA_E_STATE;
    sorai_shots_clear(pipeline);
    return SORA_OK;
}

int sora_pipeline_set_progress(sora_pipeline *pipeline, sora_progress_fn fn, void *user) {
    if (!pipeline)
        return SORA_E_INVALID;
    pipeline->progress = fn;
    pipeline->progress_user = user;
    return SORA_OK;
}

int sora_pipeline_set_frame_callback(sora_pipeline *pipeline, sora_frame_fn fn, void *user) {
    if (!pipeline)
        return SORA_E_INVALID;
    pipeline->frame = fn;
    pipeline->frame_user = user;
    return SORA_OK;
}

int sora_pipeline_estimate(sora_pipeline *pipeline, sora_memory *out, sora_error *err) {
    if (!pipeline || !out)
        return none("sora_pipeline_estimate", err);
    if (busy(pipeline))
        return sorai_fail(err, SORA_E_STATE, "a run is under way");
    sora_memory m = {.struct_size = sizeof m, .limit = pipeline->mem->limit};
    SORA_TRY(sorai_pipeline_estimate(pipeline, &m.used, &m.peak, err));
    return sorai_give_struct(out, &m, sizeof m);
}

int sora_pipeline_begin(sora_pipeline *pipeline, sora_error *err) {
    return pipeline ? sorai_pipeline_begin(pipeline, err) : none("sora_pipeline_begin", err);
}

int sora_pipeline_step(sora_pipeline *pipeline, sora_error *err) {
    return pipeline ? sorai_pipeline_step(pipeline, err) : none("sora_pipeline_step", err);
}

int sora_pipeline_run(sora_pipeline *pipeline, sora_error *err) {
    SORA_TRY(sora_pipeline_begin(pipeline, err));
    int status;
    do
        status = sorai_pipeline_step(pipeline, err);
    while (status == SORA_MORE);
    return status;
}

int sora_pipeline_save(sora_pipeline *pipeline, const char *path, sora_error *err) {
    return pipeline && path ? sorai_pipeline_save(pipeline, path, err) : none("sora_pipeline_save", err);
}

int sora_pipeline_resume(sora_pipeline *pipeline, const char *path, sora_error *err) {
    return pipeline && path ? sorai_pipeline_resume(pipeline, path, err) : none("sora_pipeline_resume", err);
}

void sora_pipeline_cancel(sora_pipeline *pipeline) {
    if (pipeline)
        atomic_store(&pipeline->cancel, 1);
}

int sora_pipeline_video_info(const sora_pipeline *pipeline, int32_t *width, int32_t *height, int64_t *frames, double *fps) {
    if (!pipeline)
        return SORA_E_INVALID;
    const sorai_plan *plan = &pipeline->plan;
    if (width)
        *width = plan->width;
    if (height)
        *height = plan->height;
    if (frames)
        *frames = pipeline->ready;
    if (fps)
        *fps = plan->fps;
    return SORA_OK;
}

int sora_pipeline_read_frames(const sora_pipeline *pipeline, int64_t first, int64_t count, uint8_t *rgb, size_t capacity) {
    if (!pipeline || first < 0 || count < 0 || first > pipeline->ready || count > pipeline->ready - first || (count && !rgb))
        return SORA_E_INVALID;
    const size_t size = (size_t)pipeline->plan.width * (size_t)pipeline->plan.height * 3;
    if (size * (size_t)count > capacity)
        return SORA_E_INVALID;
    if (count)
        memcpy(rgb, pipeline->rgb + size * (size_t)first, size * (size_t)count);
    return SORA_OK;
}

int sora_encode_text(sora_pipeline *pipeline, const char *utf8, size_t length, sora_tensor **text, sora_tensor **ids, sora_error *err) {
    if (text)
        *text = NULL;
    if (ids)
        *ids = NULL;
    if (!pipeline || !utf8 || !text)
        return none("sora_encode_text", err);
    const int status = sorai_stage_text(pipeline, utf8, length == (size_t)-1 ? strlen(utf8) : length, text, ids, err);
    adopt(pipeline, ids ? *ids : NULL, status);
    return adopt(pipeline, *text, status);
}

int sora_encode_image(sora_pipeline *pipeline, const sora_tensor *image, const sora_tensor *last, sora_tensor **embeds, sora_error *err) {
    if (embeds)
        *embeds = NULL;
    if (!pipeline || !image || !embeds)
        return none("sora_encode_image", err);
    const int status = sorai_stage_image(pipeline, image, last, embeds, err);
    return adopt(pipeline, *embeds, status);
}

int sora_denoise(sora_pipeline *pipeline, const sora_tensor *latent, const sora_tensor *timestep, const sora_tensor *text,
                 sora_tensor **velocity, sora_error *err) {
    if (velocity)
        *velocity = NULL;
    if (!pipeline || !velocity)
        return none("sora_denoise", err);
    const int status = sorai_stage_denoise(pipeline, latent, timestep, text, velocity, err);
    return adopt(pipeline, *velocity, status);
}

int sora_encode_video(sora_pipeline *pipeline, const sora_tensor *frames, sora_tensor **latent, sora_error *err) {
    if (latent)
        *latent = NULL;
    if (!pipeline || !latent)
        return none("sora_encode_video", err);
    const int status = sorai_stage_encode(pipeline, frames, latent, err);
    return adopt(pipeline, *latent, status);
}

int sora_decode_video(sora_pipeline *pipeline, const sora_tensor *latent, sora_tensor **frames, sora_error *err) {
    if (frames)
        *frames = NULL;
    if (!pipeline || !frames)
        return none("sora_decode_video", err);
    const int status = sorai_stage_decode(pipeline, latent, frames, err);
    return adopt(pipeline, *frames, status);
}

int sora_sample(sora_pipeline *pipeline, const sora_tensor *noise, const sora_tensor *text, const sora_tensor *negative, sora_tensor **latent,
                sora_error *err) {
    if (latent)
        *latent = NULL;
    if (!pipeline || !latent)
        return none("sora_sample", err);
    const int status = sorai_stage_sample(pipeline, noise, text, negative, latent, err);
    return adopt(pipeline, *latent, status);
}

int sora_classify(sora_pipeline *pipeline, const sora_tensor *frames, sora_tensor **logits, sora_tensor **features, sora_error *err) {
    if (logits)
        *logits = NULL;
    if (features)
        *features = NULL;
    if (!pipeline || !logits)
        return none("sora_classify", err);
    const int status = sorai_stage_classify(pipeline, frames, logits, features, err);
    adopt(pipeline, features ? *features : NULL, status);
    return adopt(pipeline, *logits, status);
}
