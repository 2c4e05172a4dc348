/* Conditions: what is known of a video before it is made, and how it reaches the network. Pixels with their masks are laid onto one
 * timeline (timeline.c). From it everything is made that the model's config asks for, all that apply at once (conditions.c):
 *
 * - places of the latent that are held (held.c), for every model. A place has a level, 1 - strength * (share of its pixels that is known).
 *   In steps that lie above the level, for the most part, its velocity is the one that leads to what is given, (x - x0) / sigma, so that any
 *   solver keeps it on that path; below, the place is free. A model that was trained with a timestep per token (expand_timesteps) sees it
 *   at its level, and told so; any other model sees it at the noise of the schedule (replacement). Level 0 is a place that is given, 1 one
 *   that is to be made; a whole clip at a level between is SDEdit (arXiv 2108.01073);
 * - channels joined behind the noise: mask and encoded clip, and the embeddings of pictures beside the text (pictures.c);
 * - the latent of a control branch, VACE (control.c).
 *
 * Channels and control tell what is given whole: strength 1, and a mask of at least a half. */
#ifndef SORAI_PIPELINE_CONDITIONS_H
#define SORAI_PIPELINE_CONDITIONS_H

#include <stdatomic.h>

#include "lib/sampler/sampler.h"
#include "sora/pipeline.h"

struct sora_pipeline;
typedef struct sorai_plan sorai_plan;

/* ---- the list (conditions.c) ---------------------------------------------------------------------------------------------- */

typedef struct sorai_conditions { /* as added, in order; tensors are references */
    sora_condition *list;
    size_t count, capacity;
} sorai_conditions;

int sorai_conditions_add(struct sora_pipeline *p, const sora_condition *condition, sora_error *err);
void sorai_conditions_clear(struct sora_pipeline *p);
int sorai_conditions_lay_pixels(const struct sora_pipeline *p); /* some are frames, not latents */

/* Everything that the plan says is needed beside the text, from conditions and slots, into made[] and held: begin lays them onto the timeline, a
 * step then encodes what makes one latent frame, or one picture; SORA_MORE until all is there. Polls for cancellation. */
int sorai_conditions_begin(struct sora_pipeline *p, sora_error *err);
int sorai_conditions_step(struct sora_pipeline *p, sora_error *err);
void sorai_conditions_end(struct sora_pipeline *p); /* also of what failed; twice does no harm */

/* Of a latent that is given as such: `count` of its frames, `from`..., lie on the video's latent frames `to`... */
typedef struct sorai_latent_range {
    int64_t from, to, count;
} sorai_latent_range;
sorai_latent_range sorai_condition_range(const sora_condition *c, const sorai_plan *plan, int64_t time);

/* Clips behind the first frame that a model with keyframes takes as tokens of its own: whole, without a mask; images anywhere, clips from
 * where a latent frame ends. How many of their frames are encoded (1 or time k + 1), 0: it is no such clip. */
int64_t sorai_condition_key(const sora_condition *c, const sorai_plan *plan);
#define SORAI_KEY_FRAMES 2 /* latent frames of a clip that stand in tokens of their own; what follows stands in the video's */
int64_t sorai_conditions_keys(const struct sora_pipeline *p, const sorai_plan *plan); /* those latent frames of all conditions */
int sorai_conditions_lay_places(const struct sora_pipeline *p, const sorai_plan *plan); /* some are frames, and not such clips */

/* ---- pixels (timeline.c) -------------------------------------------------------------------------------------------------- */

typedef struct sorai_timeline { /* of the size asked for */
    sorai_mem *mem;
    int64_t frames;
    int32_t width, height;
    uint8_t *rgb;   /* [frames, height, width, 3] */
    uint8_t *known; /* [frames, height, width]: strength * mask * 255 */
    uint8_t *keep;  /* the same with strengths below 1 as 0 */
    uint8_t *there; /* [frames]: something lies on this frame */
} sorai_timeline;

/* cancel: looked at between frames; NULL: never. */
int sorai_timeline_make(sorai_timeline *t, sorai_mem *mem, const sorai_conditions *conditions, const sorai_plan *plan, atomic_int *cancel,
                        sora_error *err);
void sorai_timeline_release(sorai_timeline *t);
/* The pixel of a frame's plane that stands for (x, y) of the full size that is made: beyond the picture its edge goes on. */
int64_t sorai_timeline_pixel(const sorai_timeline *t, const sorai_plan *plan, int64_t x, int64_t y);
/* Frame f of the full length: RGB and how much is given whole, [height, width]; behind the last frame that one goes on. */
void sorai_timeline_frame(const sorai_timeline *t, int64_t f, const uint8_t **rgb, const uint8_t **keep);
#define SORAI_GIVEN 128 /* `keep` from here on counts as given where there is only yes or no */

/* ---- parts: what is made of all that ---------------------------------------------------------------------------------------- */

/* A part is called with *state NULL and line NULL (there are no conditions) or not, and then each time that an encoding which it began is whole.
 * It returns SORA_MORE when it has begun one, SORA_OK when its work is done. After either, and after a failure, the caller ends it. */
typedef struct sorai_encoding sorai_encoding;
typedef int sorai_part_fn(struct sora_pipeline *p, sorai_timeline *line, void **state, sorai_encoding *encoding, sora_error *err);

/* ---- places that are held (held.c) ----------------------------------------------------------------------------------------- */

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
    int64_t keys;      /* latent frames that are tokens of their own */
    sora_tensor *key;  /* them, f32 [C, keys, h, w]; NULL: none */
    int64_t *key_at;   /* the frame that each begins at */
    uint8_t *rgb;      /* [frames, height, width, 3] as given; NULL: nothing of the result is kept from it */
    uint8_t *keep;     /* [frames, height, width]: how much of a pixel is kept */
    int64_t frames;    /* of these */
    int32_t width, height;
    uint8_t *part;     /* [frames]: whether pixels are kept whole, SORAI_SEAM_* */
    uint8_t *lost;     /* [height, width, 3]: decoded pixels in whose place the last given ones came out */
    uint8_t *since;    /* [height, width]: frames since then */
} sorai_held;

/* Takes pixels over from the timeline, where the result keeps them. */
sorai_part_fn sorai_held_part;
void sorai_held_part_end(struct sora_pipeline *p, void **state);
/* noise: the sampler's first sample, on the device. */
int sorai_held_start(sorai_exec *x, sorai_held *held, const sora_tensor *noise, sora_error *err);
void sorai_held_release(sorai_held **held);

/* What the network is shown in place of s->x. held NULL: s->x. */
sora_tensor *sorai_held_input(sorai_exec *x, const sorai_held *held, const sorai_sampler *s);
/* Whether the network is told a timestep for each token, and which. */
int sorai_held_told(const sorai_held *held);
float sorai_held_time(const sorai_held *held, const sorai_sampler *s, int64_t token);
/* Places that may change and do so in this step. What the network is shown to see what it makes of the clip itself there: the clip at the noise of the
 * sample, elsewhere as sorai_held_input; and a velocity to which the difference of the true one from `source`, what it made of that, is added. */
int sorai_held_follows(const sorai_held *held, const sorai_sampler *s);
sora_tensor *sorai_held_source(sorai_exec *x, const sorai_held *held, const sorai_sampler *s);
sora_tensor *sorai_held_follow(sorai_exec *x, const sorai_held *held, const sorai_sampler *s, sora_tensor *velocity, sora_tensor *source);
/* The network's velocity, exact where places are held. held NULL: as it is. */
sora_tensor *sorai_held_velocity(sorai_exec *x, const sorai_held *held, const sorai_sampler *s, sora_tensor *velocity);

/* ---- what is kept of pixels (seam.c) ------------------------------------------------------------------------------------------ */

#define SORAI_SEAM_SOME 1
#define SORAI_SEAM_ALL 2
int sorai_seam_begin(sorai_held *held, sora_error *err); /* of pixels that were taken over */
void sorai_seam_release(sorai_held *held);
/* How many of the first frames must be decoded before frame `index` can leave: those behind it may be given, and what is made leads to them. */
int64_t sorai_held_needs(const sorai_held *held, int64_t index);
/* Lays what is kept over frame `index` of the decoded video [frames, height, width, 3], and blends what is made beside it. In order, each once. */
void sorai_held_keep(sorai_held *held, uint8_t *video, int64_t index);

/* ---- what the model takes beside the text ------------------------------------------------------------------------------------- */

/* pictures.c. Embeddings of the slots' pictures or, without, of the first (and last) frame that something lies on. */
int sorai_embeds_make(struct sora_pipeline *p, const sorai_timeline *line, sora_tensor **out, sora_error *err);
int sorai_embeds_two(const struct sora_pipeline *p); /* of two pictures */
/* Channels joined behind the noise, or the first frame that stands in its place. */
sorai_part_fn sorai_joined_part;
void sorai_joined_part_end(struct sora_pipeline *p, void **state);
/* control.c: the control latent of VACE; conditions lie over the video and mask of the slots. */
sorai_part_fn sorai_control_part;
void sorai_control_part_end(struct sora_pipeline *p, void **state);

#endif
