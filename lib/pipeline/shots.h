/* Shots: prompts with a place on the timeline. Tokens of a shot's latent frames attend to its text; everything else, self-attention above
 * all, sees the whole video, so what the shots have in common stays the same. */
#ifndef SORAI_PIPELINE_SHOTS_H
#define SORAI_PIPELINE_SHOTS_H

#include "lib/tensor/tensor.h"
#include "sora/pipeline.h"

struct sora_pipeline;
typedef struct sorai_plan sorai_plan;

typedef struct sorai_shot {
    int64_t at_frame;
    char *text;
    size_t length;
    int64_t from;      /* of the run: the video's latent frame that it begins with */
    sora_tensor *made; /* of the run: f32 [rows, d]; NULL: it has no frames, or its text is the run's first */
} sorai_shot;

typedef struct sorai_shots { /* by at_frame, rising */
    sorai_shot *list;
    size_t count, capacity;
} sorai_shots;

int sorai_shots_add(struct sora_pipeline *p, int64_t at_frame, const char *text, size_t length, sora_error *err);
void sorai_shots_clear(struct sora_pipeline *p);

/* Whether a plan's video has them all, and where they begin. A boundary lies at the nearest latent frame's. */
int sorai_shots_place(struct sora_pipeline *p, const sorai_plan *plan, sora_error *err);
/* The shot that holds from the first frame on; NULL: the prompt does. */
const sorai_shot *sorai_shots_first(const struct sora_pipeline *p);
/* Shots behind the first that have latent frames of their own. */
int sorai_shot_counts(const sorai_shots *shots, size_t i);
void sorai_shots_forget(struct sora_pipeline *p); /* what was made of them */

#endif
