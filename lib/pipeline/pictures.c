/* From pictures, and from conditions on the timeline, to what an image-to-video transformer is given: embeddings, and
 * channels of encoded frames with their mask. */
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

/* What the image encoder makes of u8 [h, w, 3]. */
typedef struct picture {
    const uint8_t *rgb; /* NULL: none */
    int32_t w, h;
} picture;

static picture of_tensor(const sora_tensor *t) {
    return t ? (picture){t->data, (int32_t)t->shape[1], (int32_t)t->shape[0]} : (picture){0};
}

static sora_tensor *encode_picture(sora_pipeline *p, const picture *from) {
    sora_model *m = p->model;
    sora_error err = {.struct_size = sizeof err};
    sora_tensor *pixels = NULL, *embeds = NULL;
    const int status = sorai_vision_pixels(&pixels, p->mem, &m->prepare, from->rgb, from->w, from->h, m->vision_config.image_size, &err);
    p->exec.streamed = 1; /* as text encoders */
    if (status == SORA_OK)
        embeds = sorai_vision_forward(&p->exec, &m->vision, sorai_stage_upload(p, pixels));
    else
        sorai_exec_fail(&p->exec, status, "%s", err.message);
    p->exec.streamed = 0;
    sorai_tensor_unref(&pixels);
    return embeds;
}

/* The rows of both pictures, one behind the other. */
static int make_embeds(sora_pipeline *p, picture first, picture last, sora_tensor **out, sora_error *err) {
    sorai_exec *x = &p->exec;
    SORA_TRY(sorai_model_need(p->model, SORAI_NET_IMAGE, err));
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *embeds = encode_picture(p, &first);
    if (last.rgb) {
        sora_tensor *const both[2] = {embeds, encode_picture(p, &last)};
        embeds = sorai_concat(x, both, 2, 1);
    }
    const int status = sorai_stage_give(p, embeds, 0, out, err);
    sorai_exec_rewind(x, mark);
    return status;
}

int sorai_embeds_two(const sora_pipeline *p) {
    const sora_model *m = p->model;
    return p->slots[SORA_SLOT_LAST_IMAGE] ||
           (p->conditions.count && m->dit_config.pos_embed_seq_len == 2 * sorai_vision_rows(&m->vision_config));
}

/* The first frame that something lies on, or the last. */
static picture of_timeline(const sorai_timeline *line, int last) {
    int64_t f = last ? line->frames - 1 : 0;
    while (!line->there[f])
        f += last ? -1 : 1;
    return (picture){line->rgb + f * line->width * line->height * 3, line->width, line->height};
}

int sorai_embeds_make(sora_pipeline *p, const sorai_timeline *line, sora_tensor **out, sora_error *err) {
    picture first = of_tensor(p->slots[SORA_SLOT_IMAGE]), last = of_tensor(p->slots[SORA_SLOT_LAST_IMAGE]);
    if (!first.rgb)
        first = of_timeline(line, 0);
    if (!last.rgb && sorai_embeds_two(p))
        last = of_timeline(line, 1);
    return make_embeds(p, first, last, out, err);
}

int sorai_stage_image(sora_pipeline *p, const sora_tensor *first, const sora_tensor *last, sora_tensor **out,
                      sora_error *err) {
    *out = NULL;
    if (p->state != SORAI_RUN_NONE && p->state != SORAI_RUN_DONE)
        return sorai_fail(err, SORA_E_STATE, "a run is under way: finish or cancel it first");
    SORA_TRY(sorai_check_picture(first, "image", err));
    SORA_TRY(sorai_check_picture(last, "last image", err));
    return make_embeds(p, of_tensor(first), of_tensor(last), out, err);
}

/* A clip that is grey but for its ends and what conditions give. */
typedef struct clip {
    const float *first, *last; /* [3, h, w] */
    const sorai_timeline *line;
    const sorai_plan *plan;
    int64_t frames;
    size_t plane;
} clip;

static int fill_clip(void *user, int64_t first, int64_t n, float *piece, sora_error *err) {
    const clip *e = user;
    const int64_t w = e->plan->full_width;
    (void)err;
    memset(piece, 0, 3 * (size_t)n * e->plane * sizeof *piece);
    for (int64_t i = 0; i < n; i++) {
        const float *from = first + i == 0 ? e->first : first + i == e->frames - 1 ? e->last : NULL;
        for (size_t c = 0; from && c < 3; c++)
            memcpy(piece + (c * (size_t)n + (size_t)i) * e->plane, from + c * e->plane, e->plane * sizeof *piece);
        const uint8_t *rgb = NULL, *keep = NULL;
        if (e->line) sorai_timeline_frame(e->line, first + i, &rgb, &keep);
        for (size_t k = 0; e->line && k < e->plane; k++) {
            const int64_t at = sorai_timeline_pixel(e->line, e->plan, (int64_t)k % w, (int64_t)k / w);
            for (size_t c = 0; keep[at] >= SORAI_GIVEN && c < 3; c++)
                piece[(c * (size_t)n + (size_t)i) * e->plane + k] = 2.0f * ((float)rgb[3 * at + (int64_t)c] / 255.0f) - 1.0f;
        }
    }
    return SORA_OK;
}

/* Whether frame f is given in all of the square that place (x, y) of the latent stands for. */
static int is_given(const clip *e, int64_t f, int64_t x, int64_t y, int64_t space) {
    const uint8_t *rgb, *keep;
    if ((f == 0 && e->first) || (f == e->frames - 1 && e->last)) return 1;
    if (!e->line) return 0;
    sorai_timeline_frame(e->line, f, &rgb, &keep);
    for (int64_t i = 0; i < space * space; i++)
        if (keep[sorai_timeline_pixel(e->line, e->plan, x * space + i % space, y * space + i / space)] < SORAI_GIVEN) return 0;
    return 1;
}

/* [mask, encoded frames]: the mask has a channel for each frame of a latent frame, 1 where the frame is given. The
 * first frame counts as a whole latent frame. */
static int join_mask(sora_pipeline *p, const clip *e, const sora_tensor *latent, sora_tensor **out, sora_error *err) {
    const sorai_vae_config *vae = &p->model->vae_config;
    const int64_t time = sorai_vae_time_factor(vae), space = sorai_vae_space_factor(vae), z = latent->shape[0], t = latent->shape[1];
    const int64_t shape[4] = {time + z, t, latent->shape[2], latent->shape[3]}, plane = shape[2] * shape[3];
    SORA_TRY(sorai_tensor_new(out, p->mem, SORA_DTYPE_F32, 4, shape, err));
    float *mask = (*out)->data;
    for (int64_t c = 0; c < time; c++)
        for (int64_t f = 0; f < t; f++)
            for (int64_t i = 0; i < plane; i++)
                mask[(c * t + f) * plane + i] =
                    (float)is_given(e, f ? 1 + (f - 1) * time + c : 0, i % shape[3], i / shape[3], space);
    memcpy(mask + time * t * plane, latent->data, sorai_tensor_bytes(latent));
    for (size_t i = 0; i < p->conditions.count; i++) {
        const sora_condition *c = &p->conditions.list[i];
        if (!c->latent || c->strength < 1.0) continue;
        const sorai_latent_range r = sorai_condition_range(c, e->plan, time);
        for (int64_t k = 0; k < time + z; k++)
            for (int64_t f = 0; f < r.count; f++)
                for (int64_t v = 0; v < plane; v++)
                    mask[(k * t + r.to + f) * plane + v] =
                        k < time ? 1.0f
                                 : ((const float *)c->latent->data)[((k - time) * c->latent->shape[1] + r.from + f) * plane + v];
    }
    return SORA_OK;
}

static int scaled(sora_pipeline *p, const sora_tensor *from, float **out, sora_error *err) {
    const picture a = of_tensor(from);
    *out = NULL;
    return from ? sorai_picture_floats(out, p->mem, a.rgb, a.w, a.h, p->plan.full_width, p->plan.full_height, err) : SORA_OK;
}

typedef struct joining {
    clip clip;
    float *first, *last;
} joining;

void sorai_joined_part_end(sora_pipeline *p, void **state) {
    joining *j = *state;
    *state = NULL;
    if (!j) return;
    sorai_free(p->mem, j->first);
    sorai_free(p->mem, j->last);
    sorai_free(p->mem, j);
}

static int begin_joined(sora_pipeline *p, const sorai_timeline *line, void **state, sorai_encoding *encoding, sora_error *err) {
    const sorai_plan *plan = &p->plan;
    const sora_tensor *last = p->slots[SORA_SLOT_LAST_IMAGE];
    const int joined = plan->joins;
    if (last && (!joined || plan->full_frames < 2))
        return sorai_fail(err, SORA_E_INVALID,
                          joined ? "one frame has no last image beside its first"
                                 : "the model takes a first image only");
    joining *j = *state = sorai_calloc(p->mem, 1, sizeof *j);
    if (!j) return sorai_fail(err, SORA_E_NOMEM, "no memory for the conditions");
    SORA_TRY(scaled(p, p->slots[SORA_SLOT_IMAGE], &j->first, err));
    SORA_TRY(scaled(p, last, &j->last, err));
    j->clip = (clip){j->first, j->last, joined ? line : NULL, plan, joined ? plan->full_frames : 1, (size_t)plan->full_width * (size_t)plan->full_height};
    SORA_TRY(sorai_encoding_begin(p, encoding, plan, j->clip.frames, fill_clip, &j->clip, err));
    return SORA_MORE;
}

int sorai_joined_part(sora_pipeline *p, sorai_timeline *line, void **state, sorai_encoding *encoding, sora_error *err) {
    if (!*state) return begin_joined(p, line, state, encoding, err);
    const joining *j = *state;
    sora_tensor *latent = sorai_encoding_take(encoding);
    if (!p->plan.joins) { /* it stands for the first frame */
        p->made[SORA_SLOT_CONDITION] = latent;
        return SORA_OK;
    }
    const int status = join_mask(p, &j->clip, latent, &p->made[SORA_SLOT_CONDITION], err);
    sorai_tensor_unref(&latent);
    return status;
}
