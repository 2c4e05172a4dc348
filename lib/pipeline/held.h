/* Conditions: what is known of a video before it is made. Pixels with their masks are laid onto one timeline and encoded in one pass; the
 * sampler is then held to them.
 *
 * How a place is held: every place of the latent has a level, 1 - strength * (share of its pixels that is known). While the noise of the
 * schedule is above the level, its velocity is the one that leads to what is given, (x - x0) / sigma, so that any solver keeps it on
 * that path; below, the place is free. A model that was trained with a timestep per token sees it at its level, and told so; any other
 * model sees it at the noise of the schedule (replacement). Level 0 is a place that is given, 1 one that is to be made; a whole clip at
 * a level between is SDEdit (arXiv 2108.01073). */
#ifndef SORAI_PIPELINE_HELD_H
#define SORAI_PIPELINE_HELD_H

#include "lib/sampler/sampler.h"
#include "sora/pipeline.h"

struct sora_pipeline;
typedef struct sorai_plan sorai_plan;

typedef struct sorai_conditions { /* as added, in order; tensors are references */
    sora_condition *list;
    size_t count, capacity;
} sorai_conditions;

int sorai_conditions_add(struct sora_pipeline *p, const sora_condition *condition, sora_error *err);
void sorai_conditions_clear(struct sora_pipeline *p);

typedef struct sorai_held {
    sorai_mem *mem;
    int64_t tokens[3], patch[3]; /* t, h, w */
    int64_t latent[5];
    int64_t lead;      /* latent frames in front of the video, which hold other things */
    float *level;      /* of each token */
    float *x0;         /* [C, T, h, w] until sorai_held_start */
    sora_tensor *clean; /* device: x0 */
    sora_tensor *given; /* device: the places at their levels, x0 + level * (noise - x0) */
    int32_t told;      /* the model takes a timestep for each token */
    uint8_t *rgb;      /* [frames, height, width, 3] as given; NULL: nothing of the result is kept from it */
    uint8_t *keep;     /* [frames, height, width]: how much of a pixel is kept */
} sorai_held;

/* *out stays NULL when nothing has been added. Encodes, so it may take long; polls for cancellation. */
int sorai_held_make(struct sora_pipeline *p, const sorai_plan *plan, sorai_held **out, sora_error *err);
/* noise: the sampler's first sample, on the device. */
int sorai_held_start(sorai_exec *x, sorai_held *held, const sora_tensor *noise, sora_error *err);
void sorai_held_release(sorai_held **held);

/* What the network is shown in place of s->x. held NULL: s->x. */
sora_tensor *sorai_held_input(sorai_exec *x, const sorai_held *held, const sorai_sampler *s);
/* Whether the network is told a timestep for each token, and which. */
int sorai_held_told(const sorai_held *held);
float sorai_held_time(const sorai_held *held, const sorai_sampler *s, int64_t token);
/* The network's velocity, exact where places are held. held NULL: as it is. */
sora_tensor *sorai_held_velocity(sorai_exec *x, const sorai_held *held, const sorai_sampler *s, sora_tensor *velocity);

/* Lays what is kept over frame `index` of the result. */
void sorai_held_keep(const sorai_held *held, const sorai_plan *plan, int64_t index, uint8_t *rgb);

/* timeline.c: the pixels of all conditions on one timeline of the size asked for. */
typedef struct sorai_timeline {
    sorai_mem *mem;
    int64_t frames;
    int32_t width, height;
    uint8_t *rgb;   /* [frames, height, width, 3] */
    uint8_t *known; /* [frames, height, width]: strength * mask * 255 */
    uint8_t *keep;  /* the same with strengths below 1 as 0 */
    uint8_t *there; /* [frames]: something lies on this frame */
} sorai_timeline;
int sorai_timeline_make(sorai_timeline *t, sorai_mem *mem, const sorai_conditions *conditions, const sorai_plan *plan, sora_error *err);
void sorai_timeline_release(sorai_timeline *t);

#endif
