/* The control latent of VACE: the source video split by its mask, encoded twice; the mask at the latent's size;
 * reference pictures as frames of their own in front. */
#include <math.h>
#include <string.h>

#include "lib/ops/ops.h"
#include "lib/pipeline/pipeline.h"

typedef struct source {
    const sora_pipeline *p;
    const sora_tensor *video; /* NULL: grey */
    const float *mask;        /* [frames, h, w]; NULL: all is made anew */
    float *own_mask;          /* to be freed */
    const sorai_timeline *line; /* what conditions give lies over the video; NULL: nothing does */
    int64_t frames, h, w;
    int keep; /* 1: what the mask keeps, 0: what it gives up */
} source;

static int is_bytes(const sora_tensor *t, int32_t rank) {
    return t->dtype == SORA_DTYPE_U8 && t->rank == rank && !t->device && t->shape[0] > 0 && t->shape[1] > 0 &&
           t->shape[2] > 0 && t->shape[1] <= 65536 && t->shape[2] <= 65536;
}

/* A grey picture through the resampling of the coloured ones: -> values in 0..1. */
static int resize_mask(const source *s, const uint8_t *grey, int64_t h, int64_t w, float *out, sora_error *err) {
    const size_t from = (size_t)h * (size_t)w, to = (size_t)s->h * (size_t)s->w;
    uint8_t *rgb = sorai_alloc(s->p->mem, 3 * from), *scaled = sorai_alloc(s->p->mem, 3 * to);
    int status = rgb && scaled ? SORA_OK : sorai_fail(err, SORA_E_NOMEM, "no memory for a mask");
    for (size_t i = 0; status == SORA_OK && i < 3 * from; i++) rgb[i] = grey[i / 3];
    if (status == SORA_OK)
        status = sorai_resize_rgb(s->p->mem, rgb, (int32_t)w, (int32_t)h, scaled, (int32_t)s->w, (int32_t)s->h,
                                  SORAI_FILTER_LANCZOS, err);
    /* By way of -1..1, as the reference does. */
    for (size_t i = 0; status == SORA_OK && i < to; i++)
        out[i] = ((2.0f * ((float)scaled[3 * i] / 255.0f) - 1.0f) + 1.0f) / 2.0f;
    sorai_free(s->p->mem, rgb);
    sorai_free(s->p->mem, scaled);
    return status;
}

static int take_mask(source *s, const sora_tensor *m, sora_error *err) {
    const int64_t shape[3] = {s->frames, s->h, s->w};
    if (!m) return SORA_OK;
    if (!s->video) return sorai_fail(err, SORA_E_INVALID, "a mask needs a control video");
    if (m->dtype == SORA_DTYPE_F32 && m->rank == 3 && !m->device && memcmp(m->shape, shape, sizeof shape) == 0) {
        s->mask = m->data;
        return SORA_OK;
    }
    if (!is_bytes(m, 3))
        return sorai_fail(err, SORA_E_INVALID, "the mask must be u8 [F, H, W] or f32 [%lld, %lld, %lld]",
                          (long long)s->frames, (long long)s->h, (long long)s->w);
    size_t count;
    if (!sorai_mul_ok((size_t)(s->h * s->w), (size_t)s->frames, &count) ||
        !(s->own_mask = sorai_calloc(s->p->mem, count, sizeof *s->own_mask)))
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a mask");
    s->mask = s->own_mask;
    for (int64_t f = 0; f < s->frames; f++) {
        const int64_t from = f < m->shape[0] ? f : m->shape[0] - 1;
        SORA_TRY(resize_mask(s, (const uint8_t *)m->data + from * m->shape[1] * m->shape[2], m->shape[1], m->shape[2],
                             s->own_mask + f * s->h * s->w, err));
    }
    return SORA_OK;
}

static int check(const source *s, sora_error *err) {
    const sora_tensor *v = s->video;
    const int64_t shape[4] = {3, s->frames, s->h, s->w};
    if (v && !(is_bytes(v, 4) && v->shape[3] == 3) &&
        !(v->dtype == SORA_DTYPE_F32 && v->rank == 4 && !v->device && memcmp(v->shape, shape, sizeof shape) == 0))
        return sorai_fail(err, SORA_E_INVALID, "the control video must be u8 [F, H, W, 3] or f32 [3, %lld, %lld, %lld]",
                          (long long)s->frames, (long long)s->h, (long long)s->w);
    const sora_model *model = s->p->model;
    const int64_t space = sorai_vae_space_factor(&model->vae_config);
    if (model->dit_config.vace_in_channels != 2 * model->vae_config.z_dim + space * space)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%s: its control latent is of an unknown kind: set the control slot",
                          sorai_package_name(model->package));
    return SORA_OK;
}

/* Whether a condition gives pixel (x, y) of frame f, and which. */
static const uint8_t *given_pixel(const source *s, int64_t f, int64_t x, int64_t y) {
    const uint8_t *rgb, *keep;
    if (!s->line) return NULL;
    sorai_timeline_frame(s->line, f, &rgb, &keep);
    const int64_t at = sorai_timeline_pixel(s->line, &s->p->plan, x, y);
    return keep[at] >= SORAI_GIVEN ? rgb + 3 * at : NULL;
}

/* Mask values are cut to 0..1; what conditions give is not made anew. */
static float mask_at(const source *s, int64_t f, int64_t x, int64_t y) {
    const float v = s->mask ? s->mask[(f * s->h + y) * s->w + x] : 1.0f;
    return given_pixel(s, f, x, y) ? 0.0f : v > 1.0f ? 1.0f : v > 0.0f ? v : 0.0f;
}

static int fill(void *user, int64_t first, int64_t n, float *piece, sora_error *err) {
    const source *s = user;
    const int64_t plane = s->h * s->w;
    for (int64_t i = 0; i < n; i++) {
        const int64_t f = first + i;
        float *scaled = NULL;
        if (s->video && s->video->dtype == SORA_DTYPE_U8) {
            const int64_t h = s->video->shape[1], w = s->video->shape[2], last = s->video->shape[0] - 1;
            SORA_TRY(sorai_picture_floats(&scaled, s->p->mem,
                                          (const uint8_t *)s->video->data + (f < last ? f : last) * h * w * 3,
                                          (int32_t)w, (int32_t)h, (int32_t)s->w, (int32_t)s->h, err));
        }
        for (int64_t c = 0; c < 3; c++) {
            const float *from = scaled     ? scaled + c * plane
                                : s->video ? (const float *)s->video->data + (c * s->frames + f) * plane
                                           : NULL;
            float *to = piece + (c * n + i) * plane;
            for (int64_t k = 0; k < plane; k++) {
                const int64_t x = k % s->w, y = k / s->w;
                const uint8_t *given = given_pixel(s, f, x, y);
                const int anew = mask_at(s, f, x, y) > 0.5f;
                const float value = given ? 2.0f * ((float)given[c] / 255.0f) - 1.0f : from ? from[k] : 0.0f;
                to[k] = anew != s->keep ? value : 0.0f;
            }
        }
        sorai_free(s->p->mem, scaled);
    }
    return SORA_OK;
}

/* ---- reference pictures --------------------------------------------------------------------------------------- */

/* Bilinear, without smoothing, pixel centres at halves: as torch's interpolate. */
static void bilinear(const float *in, int32_t w, int32_t h, float *out, int32_t to_w, int32_t to_h, int32_t out_w) {
    const float sx = (float)w / (float)to_w, sy = (float)h / (float)to_h;
    for (int32_t y = 0; y < to_h; y++) {
        const float py = sy * ((float)y + 0.5f) - 0.5f, fy = py < 0.0f ? 0.0f : py;
        const int32_t y0 = (int32_t)fy < h ? (int32_t)fy : h - 1, y1 = y0 < h - 1 ? y0 + 1 : y0;
        const float ly = fy - (float)y0;
        for (int32_t x = 0; x < to_w; x++) {
            const float px = sx * ((float)x + 0.5f) - 0.5f, fx = px < 0.0f ? 0.0f : px;
            const int32_t x0 = (int32_t)fx < w ? (int32_t)fx : w - 1, x1 = x0 < w - 1 ? x0 + 1 : x0;
            const float lx = fx - (float)x0;
            const float a =
                (1.0f - lx) * in[(size_t)y0 * (size_t)w + (size_t)x0] + lx * in[(size_t)y0 * (size_t)w + (size_t)x1];
            const float b =
                (1.0f - lx) * in[(size_t)y1 * (size_t)w + (size_t)x0] + lx * in[(size_t)y1 * (size_t)w + (size_t)x1];
            out[(size_t)y * (size_t)out_w + (size_t)x] = (1.0f - ly) * a + ly * b;
        }
    }
}

/* Fitted into the middle of a white frame [3, h, w], which the caller frees. */
static int lay_reference(sora_pipeline *p, const sora_tensor *picture, float **out, sora_error *err) {
    const int32_t w = p->plan.full_width, h = p->plan.full_height;
    const int32_t space = sorai_vae_space_factor(&p->model->vae_config);
    const int32_t from_w = (int32_t)picture->shape[1], from_h = (int32_t)picture->shape[0];
    /* First to whole latents, as the reference does. */
    const int32_t even_w = from_w - from_w % space, even_h = from_h - from_h % space;
    *out = NULL;
    if (even_w < 1 || even_h < 1)
        return sorai_fail(err, SORA_E_INVALID, "a reference picture must be at least %d x %d", (int)space, (int)space);
    float *pixels = NULL;
    const size_t plane = (size_t)w * (size_t)h;
    SORA_TRY(sorai_picture_floats(&pixels, p->mem, picture->data, from_w, from_h, even_w, even_h, err));
    float *values = sorai_alloc(p->mem, 3 * plane * sizeof *values);
    int status = values ? SORA_OK : sorai_fail(err, SORA_E_NOMEM, "no memory for a picture");
    const double sy = (double)h / (double)even_h, sx = (double)w / (double)even_w, scale = sy < sx ? sy : sx;
    const int32_t to_h = (int32_t)((double)even_h * scale), to_w = (int32_t)((double)even_w * scale);
    if (status == SORA_OK && (to_h < 1 || to_w < 1))
        status = sorai_fail(err, SORA_E_INVALID, "a reference picture is too narrow");
    if (status == SORA_OK) {
        const size_t corner = (size_t)((h - to_h) / 2) * (size_t)w + (size_t)((w - to_w) / 2);
        for (size_t i = 0; i < 3 * plane; i++) values[i] = 1.0f;
        for (size_t c = 0; c < 3; c++)
            bilinear(pixels + c * (size_t)even_w * (size_t)even_h, even_w, even_h, values + c * plane + corner, to_w,
                     to_h, w);
        *out = values;
    } else {
        sorai_free(p->mem, values);
    }
    sorai_free(p->mem, pixels);
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------------------------ */

/* Channels `first`..., frames `at`... of the control latent. */
static void place(sora_tensor *control, const sora_tensor *part, int64_t first, int64_t at) {
    const int64_t t = control->shape[1], plane = control->shape[2] * control->shape[3], n = part->shape[1];
    for (int64_t c = 0; c < part->shape[0]; c++)
        memcpy((float *)control->data + ((first + c) * t + at) * plane, (const float *)part->data + c * n * plane,
               (size_t)(n * plane) * sizeof(float));
}

/* A channel for each pixel of a latent's square, row by row; of the frames of a latent frame the middle one is taken.
 */
static void place_mask(sora_tensor *control, const source *s, int64_t first, int64_t at, int64_t space) {
    const int64_t all = control->shape[1], t = all - at, h = control->shape[2], w = control->shape[3];
    const float step = (float)s->frames / (float)t;
    for (int64_t k = 0; k < t; k++) {
        int64_t f = (int64_t)floorf((float)(((double)k + 0.5) * (double)step));
        f = f < s->frames ? f : s->frames - 1;
        for (int64_t c = 0; c < space * space; c++)
            for (int64_t y = 0; y < h; y++)
                for (int64_t x = 0; x < w; x++)
                    ((float *)control->data)[(((first + c) * all + at + k) * h + y) * w + x] =
                        mask_at(s, f, x * space + c % space, y * space + c / space);
    }
}

/* Latents that are given as such stand for what would have been encoded. */
static void place_latents(sora_tensor *control, const sora_pipeline *p, int64_t z) {
    const int64_t t = control->shape[1], plane = control->shape[2] * control->shape[3];
    const int64_t time = sorai_vae_time_factor(&p->model->vae_config);
    for (size_t i = 0; i < p->conditions.count; i++) {
        const sora_condition *c = &p->conditions.list[i];
        if (!c->latent || c->strength < 1.0) continue;
        const sorai_latent_range r = sorai_condition_range(c, &p->plan, time);
        for (int64_t k = 0; k < control->shape[0]; k++) {
            float *to = (float *)control->data + (k * t + p->plan.references + r.to) * plane;
            const size_t bytes = (size_t)(r.count * plane) * sizeof *to;
            if (k < z)
                memcpy(to, (const float *)c->latent->data + (k * c->latent->shape[1] + r.from) * plane, bytes);
            else if (k >= 2 * z) /* nothing of it is made anew */
                memset(to, 0, bytes);
        }
    }
}

typedef struct controlling {
    source source;
    sora_tensor *control;
    float *canvas;  /* the reference picture under way, [3, h, w] */
    int stage;      /* encodings that are whole: what is kept, what is given up, then the pictures */
    int reference;  /* the slot of the picture under way */
    int64_t at;     /* each goes in front of those before it */
} controlling;

void sorai_control_part_end(sora_pipeline *p, void **state) {
    controlling *c = *state;
    *state = NULL;
    if (!c) return;
    sora_tensor *control = c->control;
    sorai_tensor_unref(&control);
    sorai_free(p->mem, c->canvas);
    sorai_free(p->mem, c->source.own_mask);
    sorai_free(p->mem, c);
}

static int begin_control(sora_pipeline *p, const sorai_timeline *line, void **state, sora_error *err) {
    const sorai_plan *plan = &p->plan;
    const int64_t shape[4] = {p->model->dit_config.vace_in_channels, plan->latent[1], plan->latent[2], plan->latent[3]};
    controlling *c = *state = sorai_calloc(p->mem, 1, sizeof *c);
    if (!c) return sorai_fail(err, SORA_E_NOMEM, "no memory for the conditions");
    c->source = (source){.p = p,
                         .video = p->slots[SORA_SLOT_VIDEO],
                         .line = line,
                         .frames = plan->full_frames,
                         .h = plan->full_height,
                         .w = plan->full_width,
                         .keep = 1};
    c->at = plan->references;
    SORA_TRY(check(&c->source, err));
    SORA_TRY(take_mask(&c->source, p->slots[SORA_SLOT_MASK], err));
    SORA_TRY(sorai_tensor_new(&c->control, p->mem, SORA_DTYPE_F32, 4, shape, err));
    memset(c->control->data, 0, sorai_tensor_bytes(c->control));
    return SORA_OK;
}

static int fill_canvas(void *user, int64_t first, int64_t n, float *piece, sora_error *err) {
    const controlling *c = user;
    (void)first;
    (void)n;
    (void)err;
    memcpy(piece, c->canvas, (size_t)(3 * c->source.h * c->source.w) * sizeof *piece);
    return SORA_OK;
}

/* The next picture that is set, from slot `from` on. */
static int begin_reference(sora_pipeline *p, controlling *c, int from, sorai_encoding *encoding, sora_error *err) {
    for (c->reference = from; c->reference < SORA_MAX_REFERENCES && !p->slots[SORA_SLOT_REFERENCE + c->reference];) c->reference++;
    sorai_free(p->mem, c->canvas);
    c->canvas = NULL;
    if (c->reference == SORA_MAX_REFERENCES) return SORA_OK;
    SORA_TRY(lay_reference(p, p->slots[SORA_SLOT_REFERENCE + c->reference], &c->canvas, err));
    SORA_TRY(sorai_encoding_begin(p, encoding, &p->plan, 1, fill_canvas, c, err));
    return SORA_MORE;
}

int sorai_control_part(sora_pipeline *p, sorai_timeline *line, void **state, sorai_encoding *encoding, sora_error *err) {
    const int64_t z = p->model->vae_config.z_dim, references = p->plan.references;
    if (!*state) {
        SORA_TRY(begin_control(p, line, state, err));
        controlling *c = *state;
        SORA_TRY(sorai_encoding_begin(p, encoding, &p->plan, p->plan.full_frames, fill, &c->source, err));
        return SORA_MORE;
    }
    controlling *c = *state;
    sora_tensor *part = sorai_encoding_take(encoding);
    const int stage = c->stage++;
    if (stage < 2)
        place(c->control, part, stage ? z : 0, references);
    else
        place(c->control, part, 0, --c->at);
    sorai_tensor_unref(&part);
    int status;
    if (stage == 0) { /* then what is given up */
        c->source.keep = 0;
        status = sorai_encoding_begin(p, encoding, &p->plan, p->plan.full_frames, fill, &c->source, err);
        return status == SORA_OK ? SORA_MORE : status;
    }
    status = begin_reference(p, c, stage < 2 ? 0 : c->reference + 1, encoding, err);
    if (status != SORA_OK) return status;
    place_mask(c->control, &c->source, 2 * z, references, sorai_vae_space_factor(&p->model->vae_config));
    place_latents(c->control, p, z);
    p->made[SORA_SLOT_CONTROL] = c->control;
    c->control = NULL;
    return SORA_OK;
}
