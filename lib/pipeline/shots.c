#include "lib/pipeline/shots.h"

#include <string.h>

#include "lib/pipeline/pipeline.h"

#define MANY 1024 /* shots of one pipeline */

int sorai_shots_add(sora_pipeline *p, int64_t at_frame, const char *text, size_t length, sora_error *err) {
    sorai_shots *const all = &p->shots;
    if (all->count && at_frame <= all->list[all->count - 1].at_frame)
        return sorai_fail(err, SORA_E_INVALID, "shots are added in order: frame %lld does not come after frame %lld", (long long)at_frame,
                          (long long)all->list[all->count - 1].at_frame);
    if (all->count == MANY)
        return sorai_fail(err, SORA_E_LIMIT, "more than %d shots", MANY);
    if (all->count == all->capacity) {
        const size_t capacity = all->capacity ? all->capacity * 2 : 8;
        sorai_shot *grown = sorai_realloc(p->mem, all->list, capacity * sizeof *grown);
        if (!grown)
            return sorai_fail(err, SORA_E_NOMEM, "no memory for a shot");
        all->list = grown;
        all->capacity = capacity;
    }
    if (length == (size_t)-1)
        length = strlen(text);
    char *copy = length < SIZE_MAX ? sorai_alloc(p->mem, length + 1) : NULL;
    if (!copy)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a shot");
    memcpy(copy, text, length);
    copy[length] = 0;
    all->list[all->count++] = (sorai_shot){.at_frame = at_frame, .text = copy, .length = length};
    return SORA_OK;
}

void sorai_shots_forget(sora_pipeline *p) {
    for (size_t i = 0; i < p->shots.count; i++)
        sorai_tensor_unref(&p->shots.list[i].made);
}

void sorai_shots_clear(sora_pipeline *p) {
    sorai_shots_forget(p);
    for (size_t i = 0; i < p->shots.count; i++)
        sorai_free(p->mem, p->shots.list[i].text);
    sorai_free(p->mem, p->shots.list);
    memset(&p->shots, 0, sizeof p->shots);
}

int sorai_shots_place(sora_pipeline *p, const sorai_plan *plan, sora_error *err) {
    const sora_model *m = p->model;
    const int64_t time = sorai_model_time_factor(m), patch = sorai_kind_of(m, sorai_model_expert(m, 1000.0)).patch[0];
    const int64_t last = (plan->latent[1] - plan->references - 1) / patch;
    for (size_t i = 0; i < p->shots.count; i++) {
        sorai_shot *s = &p->shots.list[i];
        if (s->at_frame >= plan->frames)
            return sorai_fail(err, SORA_E_INVALID, "shot %zu begins at frame %lld, the video has %lld", i + 1, (long long)s->at_frame,
                              (long long)plan->frames);
        /* Latent frame t > 0 begins at frame 1 + (t - 1) * time. */
        const int64_t t = s->at_frame <= 0 ? 0 : 1 + (s->at_frame - 1 + time / 2) / time, group = (t + patch / 2) / patch;
        s->from = (group < last ? group : last) * patch;
    }
    return SORA_OK;
}

const sorai_shot *sorai_shots_first(const sora_pipeline *p) {
    const sorai_shot *first = NULL;
    for (size_t i = 0; i < p->shots.count && p->shots.list[i].from == 0; i++)
        first = &p->shots.list[i];
    return first;
}

int sorai_shot_counts(const sorai_shots *shots, size_t i) {
    return shots->list[i].from > 0 && (i + 1 == shots->count || shots->list[i + 1].from > shots->list[i].from);
}
