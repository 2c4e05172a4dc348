#include "lib/pipeline/conditions.h"

#include <math.h>
#include <string.h>

#include "lib/ops/ops.h"
#include "lib/pipeline/pipeline.h"

void sorai_held_release(sorai_held **handle) {
    sorai_held *h = *handle;
    *handle = NULL;
    if (!h)
        return;
    sorai_tensor_unref(&h->clean);
    sorai_tensor_unref(&h->given);
    sorai_tensor_unref(&h->key);
    sorai_free(h->mem, h->key_at);
    sorai_free(h->mem, h->level);
    sorai_free(h->mem, h->x0);
    sorai_free(h->mem, h->rgb);
    sorai_free(h->mem, h->keep);
    sorai_seam_release(h);
    sorai_free(h->mem, h);
}

/* Frames of a latent frame: the first stands alone. */
static void frames_of(int64_t latent, int64_t time, int64_t *first, int64_t *last) {
    *first = latent > 0 ? 1 + (latent - 1) * time : 0;
    *last = latent > 0 ? latent * time : latent; /* before the video: none */
}

/* ---- levels -------------------------------------------------------------------------------------------------------------- */

/* known [T, h, w]: adds up what is known of each place of the latent, in shares of its pixels that lie inside the video. */
static void share_of_places(const sorai_timeline *line, const sorai_plan *plan, int64_t lead, int64_t space, int64_t time, float *known) {
    const int64_t left = (plan->full_width - plan->width) / 2, top = (plan->full_height - plan->height) / 2;
    const int64_t *l = plan->latent, size = (int64_t)line->width * line->height;
    for (int64_t t = 0; t < l[1]; t++)
        for (int64_t y = 0; y < l[2]; y++)
            for (int64_t x = 0; x < l[3]; x++) {
                int64_t first, last, sum = 0, pixels = 0;
                frames_of(t - lead, time, &first, &last);
                for (int64_t f = first; f <= last && f < line->frames; f++)
                    for (int64_t v = y * space - top; v < (y + 1) * space - top; v++)
                        for (int64_t u = x * space - left; u < (x + 1) * space - left; u++)
                            if (v >= 0 && v < line->height && u >= 0 && u < line->width) {
                                sum += line->known[f * size + v * line->width + u];
                                pixels++;
                            }
                known[(t * l[2] + y) * l[3] + x] = pixels ? (float)((double)sum / (255.0 * (double)pixels)) : -1.0f;
            }
}

/* Levels of tokens from the shares of their places; places outside of the video (-1) go with their neighbours. */
static void levels_of_tokens(const sorai_held *h, const float *known) {
    const int64_t *l = h->latent;
    for (int64_t t = 0, i = 0; t < h->tokens[0]; t++)
        for (int64_t y = 0; y < h->tokens[1]; y++)
            for (int64_t x = 0; x < h->tokens[2]; x++, i++) {
                double sum = 0.0, n = 0.0;
                for (int64_t k = 0; k < h->patch[0] * h->patch[1] * h->patch[2]; k++) {
                    const int64_t c = k % h->patch[2], b = k / h->patch[2] % h->patch[1], a = k / h->patch[2] / h->patch[1];
                    const float share = known[((t * h->patch[0] + a) * l[2] + y * h->patch[1] + b) * l[3] + x * h->patch[2] + c];
                    if (share >= 0.0f) {
                        sum += (double)share;
                        n += 1.0;
                    }
                }
                h->level[i] = n > 0.0 ? (float)(1.0 - sum / n) : 1.0f;
            }
}

/* ---- pixels to latents ---------------------------------------------------------------------------------------------------- */

typedef struct pieces {
    const sorai_timeline *line;
    const sorai_plan *plan;
    int64_t from; /* the timeline's frame that is the first */
} pieces;

/* The frame of the timeline that the encoder sees as frame f: the one that lies there or, where there is none, the next one (so that what the
 * causal encoder sees before a clip is a still of its beginning), behind the last one that one. */
static const uint8_t *shown_frame(const sorai_timeline *line, int64_t f) {
    int64_t from = f < line->frames ? f : line->frames - 1;
    while (from < line->frames && !line->there[from])
        from++;
    if (from == line->frames)
        for (from = line->frames - 1; from > 0 && !line->there[from];)
            from--;
    return line->rgb + from * line->width * line->height * 3;
}

static int fill_piece(void *user, int64_t first, int64_t n, float *piece, sora_error *err) {
    const pieces *e = user;
    const sorai_plan *plan = e->plan;
    const sorai_timeline *line = e->line;
    const int64_t plane = (int64_t)plan->full_width * plan->full_height;
    (void)err;
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *const rgb = shown_frame(line, e->from + first + i);
        for (int64_t k = 0; k < plane; k++) {
            const uint8_t *const pixel = rgb + 3 * sorai_timeline_pixel(line, plan, k % plan->full_width, k / plan->full_width);
            for (int64_t c = 0; c < 3; c++)
                piece[(c * n + i) * plane + k] = (float)pixel[c] / 127.5f - 1.0f;
        }
    }
    return SORA_OK;
}

/* Latents that were given as such replace what was encoded. */
static void place_latent(sorai_held *h, const sora_condition *c, const sorai_latent_range *r, float *known) {
    const int64_t *l = h->latent, plane = l[2] * l[3];
    for (int64_t i = 0; i < r->count; i++) {
        const int64_t t = h->lead + r->to + i;
        for (int64_t k = 0; k < l[4]; k++)
            memcpy(h->x0 + (k * l[1] + t) * plane, (const float *)c->latent->data + (k * c->latent->shape[1] + r->from + i) * plane,
                   (size_t)plane * sizeof *h->x0);
        for (int64_t k = 0; k < plane; k++)
            known[t * plane + k] = (float)c->strength;
    }
}

/* A clip that the model takes as tokens of its own: its first latent frames. What follows stands in the video's places. */
static void place_key(sorai_held *h, const sora_condition *c, const sora_tensor *latent, int64_t time, float *known) {
    const int64_t *l = h->latent, plane = l[2] * l[3], n = latent->shape[1], own = n < SORAI_KEY_FRAMES ? n : SORAI_KEY_FRAMES;
    const float *from = latent->data;
    float *key = h->key->data;
    for (int64_t i = 0; i < n; i++) {
        const int64_t all = i < own ? h->key->shape[1] : l[1], t = i < own ? h->keys + i : h->lead + c->at_frame / time + i;
        for (int64_t k = 0; k < l[4]; k++)
            memcpy((i < own ? key : h->x0) + (k * all + t) * plane, from + (k * n + i) * plane, (size_t)plane * sizeof *from);
        if (i < own)
            h->key_at[t] = c->at_frame + (i ? i * time + 1 - time : 0);
        for (int64_t k = 0; i >= own && k < plane; k++)
            known[t * plane + k] = (float)c->strength;
    }
    h->keys += own;
}

/* A part under way. */
typedef struct holding {
    pieces pieces;
    sorai_held *held;
    float *known; /* of each place of the latent */
    int whole;    /* the timeline is being encoded */
    size_t next;  /* condition to be looked at for a clip that is encoded by itself */
} holding;

void sorai_held_part_end(sora_pipeline *p, void **state) {
    holding *s = *state;
    *state = NULL;
    if (!s)
        return;
    sorai_held_release(&s->held);
    sorai_free(p->mem, s->known);
    sorai_free(p->mem, s);
}

static int begin(sora_pipeline *p, const sorai_timeline *line, void **state, sora_error *err) {
    const sorai_plan *plan = &p->plan;
    const int64_t *l = plan->latent, places = l[1] * l[2] * l[3];
    const sora_model *m = p->model;
    const sorai_kind kind = sorai_kind_of(m, sorai_model_expert(m, 1000.0));
    holding *s = *state = sorai_calloc(p->mem, 1, sizeof *s);
    if (s) {
        s->known = sorai_calloc(p->mem, (size_t)places, sizeof *s->known);
        s->held = sorai_calloc(p->mem, 1, sizeof *s->held);
    }
    if (!s || !s->known || !s->held)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the conditions");
    s->pieces = (pieces){line, plan, 0};
    sorai_held *h = s->held;
    h->mem = p->mem;
    memcpy(h->latent, l, sizeof h->latent);
    h->lead = plan->references;
    for (int i = 0; i < 3; i++) {
        h->patch[i] = kind.patch[i];
        h->tokens[i] = l[i + 1] / kind.patch[i];
    }
    h->told = m->expand_timesteps;
    h->level = sorai_alloc(p->mem, (size_t)(h->tokens[0] * h->tokens[1] * h->tokens[2]) * sizeof *h->level);
    h->x0 = sorai_calloc(p->mem, (size_t)(places * l[4]), sizeof *h->x0);
    const int64_t keys = sorai_conditions_keys(p, plan);
    if (keys) {
        h->key_at = sorai_alloc(p->mem, (size_t)keys * sizeof *h->key_at);
        SORA_TRY(sorai_tensor_new(&h->key, p->mem, SORA_DTYPE_F32, 4, (const int64_t[]){l[4], keys, l[2], l[3]}, err));
    }
    if (!h->level || !h->x0 || (keys && !h->key_at))
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the conditions");
    share_of_places(line, plan, h->lead, sorai_model_space_factor(m), sorai_model_time_factor(m), s->known);
    return SORA_OK;
}

/* The encoded timeline to its place behind what leads. */
static void place_encoded(sorai_held *h, const sora_tensor *latent) {
    const int64_t *l = h->latent, plane = l[2] * l[3], t = latent->shape[1];
    for (int64_t c = 0; c < l[4]; c++)
        memcpy(h->x0 + (c * l[1] + h->lead) * plane, (const float *)latent->data + c * t * plane, (size_t)(t * plane) * sizeof *h->x0);
}

/* The next clip that is encoded by itself; SORA_OK: there is none. */
static int begin_key(sora_pipeline *p, holding *s, sorai_encoding *encoding, sora_error *err) {
    const sorai_plan *plan = &p->plan;
    for (; s->next < p->conditions.count; s->next++) {
        const sora_condition *c = &p->conditions.list[s->next];
        const int64_t n = sorai_condition_key(c, plan);
        if (!n)
            continue;
        s->pieces.from = c->at_frame;
        SORA_TRY(sorai_encoding_begin(p, encoding, plan, n, fill_piece, &s->pieces, err));
        return SORA_MORE;
    }
    return SORA_OK;
}

int sorai_held_part(sora_pipeline *p, sorai_timeline *line, void **state, sorai_encoding *encoding, sora_error *err) {
    const sorai_plan *plan = &p->plan;
    const int64_t time = sorai_model_time_factor(p->model);
    const int begins = !*state;
    if (begins) {
        SORA_TRY(begin(p, line, state, err));
        if (sorai_conditions_lay_places(p, plan)) {
            holding *s = *state;
            SORA_TRY(sorai_encoding_begin(p, encoding, plan, plan->full_frames, fill_piece, &s->pieces, err));
            s->whole = 1;
            return SORA_MORE;
        }
    }
    holding *s = *state;
    sorai_held *h = s->held;
    sora_tensor *latent = begins ? NULL : sorai_encoding_take(encoding);
    if (latent && s->whole)
        place_encoded(h, latent);
    else if (latent)
        place_key(h, &p->conditions.list[s->next++], latent, time, s->known);
    s->whole = 0;
    sorai_tensor_unref(&latent);
    const int more = begin_key(p, s, encoding, err);
    if (more != SORA_OK)
        return more;
    for (size_t i = 0; i < p->conditions.count; i++) {
        const sora_condition *c = &p->conditions.list[i];
        if (c->latent) {
            const sorai_latent_range range = sorai_condition_range(c, plan, time);
            place_latent(h, c, &range, s->known);
        }
    }
    levels_of_tokens(h, s->known);
    if (p->params.i[SORA_PARAM_KEEP]) {
        h->rgb = line->rgb;
        h->keep = line->keep;
        h->frames = line->frames;
        h->width = line->width;
        h->height = line->height;
        line->rgb = line->keep = NULL;
        SORA_TRY(sorai_seam_begin(h, err));
    }
    p->held = h;
    s->held = NULL;
    return SORA_OK;
}

/* ---- in the loop ---------------------------------------------------------------------------------------------------------- */

/* For every value of the latent that of its token. */
static sora_tensor *spread(sorai_exec *x, const sorai_held *h, const float *tokens) {
    const int64_t *l = h->latent, count = l[1] * l[2] * l[3] * l[4];
    float *const values = sorai_alloc(h->mem, (size_t)count * sizeof *values);
    if (!values)
        return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for the conditions");
    for (int64_t i = 0; i < l[1] * l[2] * l[3]; i++) {
        const int64_t w = i % l[3] / h->patch[2], v = i / l[3] % l[2] / h->patch[1], t = i / l[3] / l[2] / h->patch[0];
        const float value = tokens[(t * h->tokens[1] + v) * h->tokens[2] + w];
        for (int64_t c = 0; c < l[4]; c++)
            values[i * l[4] + c] = value;
    }
    sora_tensor *out = sorai_upload(x, SORA_DTYPE_F32, 5, l, values);
    sorai_free(h->mem, values);
    return out;
}

static int keep_tensor(sorai_exec *x, sorai_held *h, sora_tensor *from, sora_tensor **to, sora_error *err) {
    SORA_TRY(sorai_exec_finish(x, err));
    SORA_TRY(sorai_device_tensor(to, h->mem, x->device, SORA_DTYPE_F32, 5, h->latent, err));
    if (x->device->copy(x->device, (*to)->data, from->data, sorai_tensor_bytes(from)) != SORA_OK)
        return sorai_fail(err, SORA_E_BACKEND, "the device could not copy");
    return SORA_OK;
}

int sorai_held_start(sorai_exec *x, sorai_held *h, const sora_tensor *noise, sora_error *err) {
    if (!h)
        return SORA_OK;
    const int64_t *l = h->latent, shape[5] = {1, l[4], l[1], l[2], l[3]};
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor from = *noise; /* read only */
    sora_tensor *x0 = sorai_dit_from_planes(x, sorai_upload(x, SORA_DTYPE_F32, 5, shape, h->x0));
    sora_tensor *given = sorai_add(x, x0, sorai_mul(x, spread(x, h, h->level), sorai_axpby(x, 1.0, &from, -1.0, x0)));
    int status = keep_tensor(x, h, x0, &h->clean, err);
    if (status == SORA_OK)
        status = keep_tensor(x, h, given, &h->given, err);
    sorai_exec_rewind(x, mark);
    sorai_free(h->mem, h->x0);
    h->x0 = NULL;
    return status;
}

/* Whether a token is held in the step under way: when most of the step lies above its level. With few steps the last one begins with a lot
 * of noise; a token that were held through it would be given whole, however little is known of it. */
static int is_held(const sorai_held *h, const sorai_sampler *s, int64_t token) {
    return 0.5f * (s->sigmas[s->index] + s->sigmas[s->index + 1]) > h->level[token];
}

/* Whether it is given in part, and changes in this step. */
static int is_changing(const sorai_held *h, const sorai_sampler *s, int64_t token) {
    return h->level[token] > 0.0f && h->level[token] < 1.0f && !is_held(h, s, token);
}

static float value_held(const sorai_held *h, const sorai_sampler *s, int64_t token) { return is_held(h, s, token) ? 1.0f : 0.0f; }
static float value_changing(const sorai_held *h, const sorai_sampler *s, int64_t token) { return is_changing(h, s, token) ? 1.0f : 0.0f; }
/* What makes of given - clean the way from the clip to noise. */
static float value_way(const sorai_held *h, const sorai_sampler *s, int64_t token) { return is_changing(h, s, token) ? 1.0f / h->level[token] : 0.0f; }

/* A value for each token. */
static sora_tensor *now(sorai_exec *x, const sorai_held *h, const sorai_sampler *s, float (*value)(const sorai_held *, const sorai_sampler *, int64_t)) {
    const int64_t n = h->tokens[0] * h->tokens[1] * h->tokens[2];
    float *const values = sorai_alloc(h->mem, (size_t)n * sizeof *values);
    if (!values)
        return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for the conditions");
    for (int64_t i = 0; i < n; i++)
        values[i] = value(h, s, i);
    sora_tensor *out = spread(x, h, values);
    sorai_free(h->mem, values);
    return out;
}

/* b where on, a elsewhere. */
static sora_tensor *choose(sorai_exec *x, sora_tensor *a, sora_tensor *b, sora_tensor *on) {
    return sorai_add(x, a, sorai_mul(x, on, sorai_axpby(x, 1.0, b, -1.0, a)));
}

sora_tensor *sorai_held_input(sorai_exec *x, const sorai_held *h, const sorai_sampler *s) {
    return sorai_held_told(h) ? choose(x, s->x, h->given, now(x, h, s, value_held)) : s->x;
}

int sorai_held_told(const sorai_held *h) {
    return h && h->told;
}

float sorai_held_time(const sorai_held *h, const sorai_sampler *s, int64_t token) {
    return is_held(h, s, token) ? 1000.0f * h->level[token] : s->timesteps[s->index];
}

sora_tensor *sorai_held_velocity(sorai_exec *x, const sorai_held *h, const sorai_sampler *s, sora_tensor *velocity) {
    if (!h)
        return velocity;
    const double scale = 1.0 / (double)s->sigmas[s->index];
    return choose(x, velocity, sorai_axpby(x, scale, s->x, -scale, h->clean), now(x, h, s, value_held));
}

int sorai_held_follows(const sorai_held *h, const sorai_sampler *s) {
    for (int64_t i = 0; h && i < h->tokens[0] * h->tokens[1] * h->tokens[2]; i++)
        if (is_changing(h, s, i))
            return 1;
    return 0;
}

/* noise - clip where places change, 0 elsewhere. */
static sora_tensor *way(sorai_exec *x, const sorai_held *h, const sorai_sampler *s) {
    return sorai_mul(x, now(x, h, s, value_way), sorai_axpby(x, 1.0, h->given, -1.0, h->clean));
}

sora_tensor *sorai_held_source(sorai_exec *x, const sorai_held *h, const sorai_sampler *s) {
    sora_tensor *const clip = sorai_axpby(x, 1.0, h->clean, (double)s->sigmas[s->index], way(x, h, s));
    return choose(x, sorai_held_input(x, h, s), clip, now(x, h, s, value_changing));
}

sora_tensor *sorai_held_follow(sorai_exec *x, const sorai_held *h, const sorai_sampler *s, sora_tensor *velocity, sora_tensor *source) {
    sora_tensor *const wrong = sorai_axpby(x, 1.0, way(x, h, s), -1.0, source);
    return sorai_add(x, velocity, sorai_mul(x, now(x, h, s, value_changing), wrong));
}
