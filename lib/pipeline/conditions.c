/* The list of conditions, and their ways to the network: one timeline, from which everything that the model takes is made. */
#include "lib/pipeline/conditions.h"

#include <string.h>

#include "lib/pipeline/pipeline.h"

#define MANY 4096 /* conditions of one pipeline */

static int host_u8(const sora_tensor *t, int32_t rank) {
    return t->dtype == SORA_DTYPE_U8 && t->rank == rank && !t->device && sorai_tensor_count(t) > 0;
}

static int check(const sora_condition *c, sora_error *err) {
    if (!c->frames == !c->latent)
        return sorai_fail(err, SORA_E_INVALID, "a condition is frames or a latent, one of both");
    if (c->frames && (!host_u8(c->frames, 4) || c->frames->shape[3] != 3 || c->frames->shape[1] > 16384 || c->frames->shape[2] > 16384))
        return sorai_fail(err, SORA_E_INVALID, "a condition's frames are u8 [n, height, width, 3]");
    if (c->latent && (c->latent->dtype != SORA_DTYPE_F32 || c->latent->rank != 4 || c->latent->device || !sorai_tensor_count(c->latent)))
        return sorai_fail(err, SORA_E_INVALID, "a condition's latent is f32 [C, T, h, w]");
    if (c->mask && (!c->frames || !host_u8(c->mask, 3) || (c->mask->shape[0] != 1 && c->mask->shape[0] != c->frames->shape[0]) ||
                    c->mask->shape[1] != c->frames->shape[1] || c->mask->shape[2] != c->frames->shape[2]))
        return sorai_fail(err, SORA_E_INVALID, "a condition's mask is u8 [1 or n, height, width] like its frames");
    if (!(c->strength >= 0.0 && c->strength <= 1.0))
        return sorai_fail(err, SORA_E_INVALID, "a condition's strength is 0..1");
    if (c->fit < SORA_FIT_FILL || c->fit > SORA_FIT_EXACT)
        return sorai_fail(err, SORA_E_INVALID, "a condition's fit is one of SORA_FIT_*");
    const int64_t far = INT64_C(1) << 40;
    if (c->at_frame < -far || c->at_frame > far)
        return sorai_fail(err, SORA_E_INVALID, "a condition's at_frame is out of range");
    return SORA_OK;
}

int sorai_conditions_add(sora_pipeline *p, const sora_condition *condition, sora_error *err) {
    sorai_conditions *const all = &p->conditions;
    SORA_TRY(check(condition, err));
    if (all->count == all->capacity) {
        const size_t capacity = all->capacity ? all->capacity * 2 : 8;
        if (capacity > MANY)
            return sorai_fail(err, SORA_E_LIMIT, "more than %d conditions", MANY);
        sora_condition *grown = sorai_realloc(p->mem, all->list, capacity * sizeof *grown);
        if (!grown)
            return sorai_fail(err, SORA_E_NOMEM, "no memory for a condition");
        all->list = grown;
        all->capacity = capacity;
    }
    sorai_tensor_ref(condition->frames);
    sorai_tensor_ref(condition->mask);
    sorai_tensor_ref(condition->latent);
    all->list[all->count++] = *condition;
    return SORA_OK;
}

void sorai_conditions_clear(sora_pipeline *p) {
    for (size_t i = 0; i < p->conditions.count; i++) {
        sorai_tensor_unref(&p->conditions.list[i].frames);
        sorai_tensor_unref(&p->conditions.list[i].mask);
        sorai_tensor_unref(&p->conditions.list[i].latent);
    }
    sorai_free(p->mem, p->conditions.list);
    memset(&p->conditions, 0, sizeof p->conditions);
}

int sorai_conditions_lay_pixels(const sora_pipeline *p) {
    for (size_t i = 0; i < p->conditions.count; i++)
        if (p->conditions.list[i].frames)
            return 1;
    return 0;
}

sorai_latent_range sorai_condition_range(const sora_condition *c, const sorai_plan *plan, int64_t time) {
    const int64_t t0 = c->at_frame <= 0 ? c->at_frame / time : 1 + (c->at_frame - 1) / time, n = c->latent->shape[1];
    const int64_t last = plan->latent[1] - plan->references; /* of the video */
    sorai_latent_range r = {t0 < 0 ? -t0 : 0, t0 < 0 ? 0 : t0, n};
    r.count = t0 + n > last ? last - r.to : t0 + n - r.to;
    return r;
}

int64_t sorai_condition_key(const sora_condition *c, const sorai_plan *plan) {
    const int64_t time = plan->key_time;
    if (!time || !c->frames || c->mask || c->strength < 1.0 || c->at_frame <= 0 || c->at_frame >= plan->frames)
        return 0;
    const int64_t left = plan->frames - c->at_frame, n = c->frames->shape[0] < left ? c->frames->shape[0] : left;
    return n <= time ? n == 1 : c->at_frame % time ? 0 : (n - 1) / time * time + 1;
}

int64_t sorai_conditions_keys(const sora_pipeline *p, const sorai_plan *plan) {
    int64_t sum = 0;
    for (size_t i = 0; i < p->conditions.count; i++) {
        const int64_t n = sorai_condition_key(&p->conditions.list[i], plan);
        sum += n > 1 ? SORAI_KEY_FRAMES : n;
    }
    return sum;
}

int sorai_conditions_lay_places(const sora_pipeline *p, const sorai_plan *plan) {
    for (size_t i = 0; i < p->conditions.count; i++)
        if (p->conditions.list[i].frames && !sorai_condition_key(&p->conditions.list[i], plan))
            return 1;
    return 0;
}

/* What shows only when the size of the video is known. */
static int check_place(const sora_condition *c, size_t index, const sorai_plan *plan, int64_t time, sora_error *err) {
    const int64_t *l = plan->latent, n = c->frames ? c->frames->shape[0] : (c->latent->shape[1] - 1) * time + 1;
    if (c->at_frame >= plan->frames || c->at_frame + n <= 0)
        return sorai_fail(err, SORA_E_INVALID, "condition %zu lies outside of the video's %lld frames", index + 1, (long long)plan->frames);
    const int64_t *s = c->latent ? c->latent->shape : NULL;
    if (s && (s[0] != l[4] || s[2] != l[2] || s[3] != l[3]))
        return sorai_fail(err, SORA_E_INVALID, "condition %zu: its latent is not [%lld, T, %lld, %lld] as this video's is", index + 1,
                          (long long)l[4], (long long)l[2], (long long)l[3]);
    if (s && (c->at_frame > 0 ? (c->at_frame - 1) % time : c->at_frame % time))
        return sorai_fail(err, SORA_E_INVALID, "condition %zu: a latent begins at frame 0 or %lld n + 1", index + 1, (long long)time);
    return SORA_OK;
}

/* What was set wins. */
static int taken(sora_pipeline *p, sora_slot slot) {
    if (p->slots[slot])
        p->made[slot] = sorai_tensor_ref(p->slots[slot]);
    return p->slots[slot] != NULL;
}

static int embeds_part(sora_pipeline *p, sorai_timeline *line, void **state, sorai_encoding *encoding, sora_error *err) {
    (void)state;
    (void)encoding;
    if (!p->plan.needs_embeds || taken(p, SORA_SLOT_IMAGE_EMBEDS))
        return SORA_OK;
    return sorai_embeds_make(p, line, &p->made[SORA_SLOT_IMAGE_EMBEDS], err);
}

static int joined_part(sora_pipeline *p, sorai_timeline *line, void **state, sorai_encoding *encoding, sora_error *err) {
    if (!*state && (!p->plan.needs_condition || taken(p, SORA_SLOT_CONDITION)))
        return SORA_OK;
    return sorai_joined_part(p, line, state, encoding, err);
}

static int control_part(sora_pipeline *p, sorai_timeline *line, void **state, sorai_encoding *encoding, sora_error *err) {
    if (!*state && (!p->plan.needs_control || taken(p, SORA_SLOT_CONTROL)))
        return SORA_OK;
    return sorai_control_part(p, line, state, encoding, err);
}

static int held_part(sora_pipeline *p, sorai_timeline *line, void **state, sorai_encoding *encoding, sora_error *err) {
    return line ? sorai_held_part(p, line, state, encoding, err) : SORA_OK;
}

/* In this order: the last takes pixels over from the timeline. */
static const struct {
    sorai_part_fn *run;
    void (*end)(sora_pipeline *p, void **state);
} parts[] = {{embeds_part, NULL}, {joined_part, sorai_joined_part_end}, {control_part, sorai_control_part_end}, {held_part, sorai_held_part_end}};
#define PARTS (int32_t)(sizeof parts / sizeof *parts)

/* Steps to come: of what is encoded, with the one that ends it all. */
static int32_t count_steps(const sora_pipeline *p) {
    const sorai_plan *plan = &p->plan;
    const int64_t frames = sorai_encoding_steps(p->model, plan, plan->full_frames), one = sorai_encoding_steps(p->model, plan, 1);
    const int joined = plan->needs_condition && !p->slots[SORA_SLOT_CONDITION], control = plan->needs_control && !p->slots[SORA_SLOT_CONTROL];
    int64_t n = (joined ? plan->joins ? frames : one : 0) + (control ? 2 * frames + plan->references * one : 0);
    n += sorai_conditions_lay_places(p, plan) ? frames : 0;
    for (size_t i = 0; i < p->conditions.count; i++) { /* each by itself */
        const int64_t key = sorai_condition_key(&p->conditions.list[i], plan);
        n += key ? sorai_encoding_steps(p->model, plan, key) : 0;
    }
    return n > 0 ? (int32_t)n : 1;
}

int sorai_conditions_begin(sora_pipeline *p, sora_error *err) {
    sorai_taking *t = &p->taking;
    const int64_t time = sorai_model_time_factor(p->model);
    memset(t, 0, sizeof *t);
    t->steps = count_steps(p);
    if (!p->conditions.count)
        return SORA_OK;
    for (size_t i = 0; i < p->conditions.count; i++)
        SORA_TRY(check_place(&p->conditions.list[i], i, &p->plan, time, err));
    return sorai_timeline_make(&t->line, p->mem, &p->conditions, &p->plan, &p->cancel, err);
}

/* What needs no encoder is done at once, up to the next encoding. */
static int next_encoding(sora_pipeline *p, sora_error *err) {
    sorai_taking *t = &p->taking;
    while (t->part < PARTS) {
        const int status = parts[t->part].run(p, p->conditions.count ? &t->line : NULL, &t->state, &t->encoding, err);
        if (status != SORA_OK)
            return status;
        if (parts[t->part].end)
            parts[t->part].end(p, &t->state);
        t->part++;
    }
    return SORA_OK;
}

int sorai_conditions_step(sora_pipeline *p, sora_error *err) {
    sorai_encoding *e = &p->taking.encoding;
    const int status = e->out ? SORA_MORE : next_encoding(p, err);
    if (status != SORA_MORE)
        return status;
    SORA_TRY(sorai_encoding_step(p, e, err));
    p->taking.done++;
    return e->done < e->steps ? SORA_MORE : next_encoding(p, err);
}

void sorai_conditions_end(sora_pipeline *p) {
    sorai_taking *t = &p->taking;
    if (t->part < PARTS && parts[t->part].end)
        parts[t->part].end(p, &t->state);
    sorai_encoding_end(p, &t->encoding);
    if (t->line.mem)
        sorai_timeline_release(&t->line);
    t->part = PARTS;
}
