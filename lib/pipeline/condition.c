/* From pictures to what a transformer is given beside text: embeddings, and channels of encoded frames with their
 * mask. */
#include <string.h>

#include "lib/ops/ops.h"
#include "lib/pipeline/pipeline.h"

int sorai_check_picture(const sora_tensor *t, const char *name, sora_error *err) {
    if (!t) return SORA_OK;
    const int64_t *s = t->shape;
    if (t->dtype != SORA_DTYPE_U8 || t->rank != 3 || t->device || s[2] != 3 || s[0] < 1 || s[1] < 1 || s[0] > 65536 ||
        s[1] > 65536)
        return sorai_fail(err, SORA_E_INVALID, "%s must be u8 [height, width, 3]", name);
    return SORA_OK;
}

int sorai_picture_floats(float **out, sorai_mem *mem, const uint8_t *rgb, int32_t w, int32_t h, int32_t width,
                         int32_t height, sora_error *err) {
    const size_t plane = (size_t)width * (size_t)height;
    uint8_t *scaled = sorai_alloc(mem, plane * 3);
    *out = sorai_alloc(mem, plane * 3 * sizeof **out);
    int status = scaled && *out ? SORA_OK : sorai_fail(err, SORA_E_NOMEM, "no memory for a picture");
    if (status == SORA_OK) status = sorai_resize_rgb(mem, rgb, w, h, scaled, width, height, SORAI_FILTER_LANCZOS, err);
    for (size_t i = 0; status == SORA_OK && i < plane; i++)
        for (size_t c = 0; c < 3; c++) (*out)[c * plane + i] = 2.0f * ((float)scaled[3 * i + c] / 255.0f) - 1.0f;
    sorai_free(mem, scaled);
    if (status != SORA_OK) {
        sorai_free(mem, *out);
        *out = NULL;
    }
    return status;
}

static sora_tensor *encode_picture(sora_pipeline *p, const sora_tensor *picture) {
    sora_model *m = p->model;
    sora_error err = {.struct_size = sizeof err};
    sora_tensor *pixels = NULL, *embeds = NULL;
    const int32_t size = m->vision_config.image_size;
    const int status = sorai_vision_pixels(&pixels, p->mem, &m->prepare, picture->data, (int32_t)picture->shape[1],
                                           (int32_t)picture->shape[0], size, &err);
    if (status == SORA_OK)
        embeds = sorai_vision_forward(&p->exec, &m->vision, sorai_stage_upload(p, pixels));
    else
        sorai_exec_fail(&p->exec, status, "%s", err.message);
    sorai_tensor_unref(&pixels);
    return embeds;
}

/* The rows of both pictures, one behind the other. */
static int make_embeds(sora_pipeline *p, const sora_tensor *first, const sora_tensor *last, sora_tensor **out,
                       sora_error *err) {
    sorai_exec *x = &p->exec;
    SORA_TRY(sorai_check_picture(first, "image", err));
    SORA_TRY(sorai_check_picture(last, "last image", err));
    SORA_TRY(sorai_model_need(p->model, SORAI_NET_IMAGE, err));
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *embeds = encode_picture(p, first);
    if (last) {
        sora_tensor *const both[2] = {embeds, encode_picture(p, last)};
        embeds = sorai_concat(x, both, 2, 1);
    }
    const int status = sorai_stage_give(p, embeds, 0, out, err);
    sorai_exec_rewind(x, mark);
    return status;
}

int sorai_stage_image(sora_pipeline *p, const sora_tensor *first, const sora_tensor *last, sora_tensor **out,
                      sora_error *err) {
    *out = NULL;
    if (p->state != SORAI_RUN_NONE && p->state != SORAI_RUN_DONE)
        return sorai_fail(err, SORA_E_STATE, "a run is under way: finish or cancel it first");
    return make_embeds(p, first, last, out, err);
}

/* A clip that is grey but for its ends. */
typedef struct ends {
    const float *first, *last; /* [3, h, w] */
    int64_t frames;
    size_t plane;
} ends;

static int fill_ends(void *user, int64_t first, int64_t n, float *piece, sora_error *err) {
    const ends *e = user;
    (void)err;
    memset(piece, 0, 3 * (size_t)n * e->plane * sizeof *piece);
    for (int64_t i = 0; i < n; i++) {
        const float *from = first + i == 0 ? e->first : first + i == e->frames - 1 ? e->last : NULL;
        for (size_t c = 0; from && c < 3; c++)
            memcpy(piece + (c * (size_t)n + (size_t)i) * e->plane, from + c * e->plane, e->plane * sizeof *piece);
    }
    return SORA_OK;
}

/* [mask, encoded frames]: the mask has a channel for each frame of a latent frame, 1 where the frame is given. The
 * first frame counts as a whole latent frame. */
static int join_mask(sora_pipeline *p, const sora_tensor *latent, int last, sora_tensor **out, sora_error *err) {
    const int64_t time = sorai_vae_time_factor(&p->model->vae_config), z = latent->shape[0], t = latent->shape[1];
    const int64_t shape[4] = {time + z, t, latent->shape[2], latent->shape[3]}, plane = shape[2] * shape[3];
    SORA_TRY(sorai_tensor_new(out, p->mem, SORA_DTYPE_F32, 4, shape, err));
    float *mask = (*out)->data;
    for (int64_t c = 0; c < time; c++)
        for (int64_t f = 0; f < t; f++)
            for (int64_t i = 0; i < plane; i++)
                mask[(c * t + f) * plane + i] = f == 0 || (last && f == t - 1 && c == time - 1) ? 1.0f : 0.0f;
    memcpy(mask + time * t * plane, latent->data, sorai_tensor_bytes(latent));
    return SORA_OK;
}

static int make_condition(sora_pipeline *p, sora_tensor **out, sora_error *err) {
    const sorai_plan *plan = &p->plan;
    const sora_tensor *first = p->slots[SORA_SLOT_IMAGE], *last = p->slots[SORA_SLOT_LAST_IMAGE];
    const int32_t w = plan->full_width, h = plan->full_height;
    const int joined = p->model->dit_config.in_channels > p->model->vae_config.z_dim;
    float *a = NULL, *b = NULL;
    sora_tensor *latent = NULL;
    *out = NULL;
    if (last && (!joined || plan->full_frames < 2))
        return sorai_fail(err, SORA_E_INVALID,
                          joined ? "one frame has no last image beside its first"
                                 : "the model takes a first image only");
    SORA_TRY(sorai_model_need(p->model, SORAI_NET_ENCODER, err));
    int status =
        sorai_picture_floats(&a, p->mem, first->data, (int32_t)first->shape[1], (int32_t)first->shape[0], w, h, err);
    if (status == SORA_OK && last)
        status =
            sorai_picture_floats(&b, p->mem, last->data, (int32_t)last->shape[1], (int32_t)last->shape[0], w, h, err);
    ends e = {a, b, joined ? plan->full_frames : 1, (size_t)w * (size_t)h};
    if (status == SORA_OK) status = sorai_encode_frames(p, e.frames, h, w, fill_ends, &e, &latent, err);
    sorai_free(p->mem, a);
    sorai_free(p->mem, b);
    if (status == SORA_OK && joined) {
        status = join_mask(p, latent, last != NULL, out, err);
        sorai_tensor_unref(&latent);
    } else if (status == SORA_OK) {
        *out = latent;
    }
    return status;
}

/* What was set wins. */
static int taken(sora_pipeline *p, sora_slot slot) {
    if (p->slots[slot]) p->made[slot] = sorai_tensor_ref(p->slots[slot]);
    return p->slots[slot] != NULL;
}

int sorai_conditions_make(sora_pipeline *p, sora_error *err) {
    const sorai_plan *plan = &p->plan;
    if (plan->needs_embeds && !taken(p, SORA_SLOT_IMAGE_EMBEDS))
        SORA_TRY(make_embeds(p, p->slots[SORA_SLOT_IMAGE], p->slots[SORA_SLOT_LAST_IMAGE],
                             &p->made[SORA_SLOT_IMAGE_EMBEDS], err));
    if (plan->needs_condition && !taken(p, SORA_SLOT_CONDITION))
        SORA_TRY(make_condition(p, &p->made[SORA_SLOT_CONDITION], err));
    if (plan->needs_control && !taken(p, SORA_SLOT_CONTROL))
        SORA_TRY(sorai_control_make(p, &p->made[SORA_SLOT_CONTROL], err));
    return SORA_OK;
}
