/* A pipeline: a request with its parameters, and the run that carries it out in bounded steps. The public handle sora_pipeline is this struct. */
#ifndef SORAI_PIPELINE_PIPELINE_H
#define SORAI_PIPELINE_PIPELINE_H

#include "lib/model/model.h"
#include "lib/pipeline/params.h"
#include "lib/sampler/sampler.h"
#include "sora/pipeline.h"

/* What a run will do: the request with every default filled in. */
typedef struct sorai_plan {
    int32_t width, height;              /* as asked */
    int64_t frames;
    int32_t full_width, full_height;    /* as made: multiples of what the networks take; the picture is cut out of the middle */
    int64_t full_frames;
    int64_t latent[5];                  /* [1, t, h, w, c] */
    int32_t steps;
    enum sorai_solver solver;
    double guidance, shift, fps;
    int32_t guided;                     /* guidance > 1: a pass with the negative text too */
} sorai_plan;

enum sorai_run_state { SORAI_RUN_NONE, SORAI_RUN_TEXT, SORAI_RUN_DENOISE, SORAI_RUN_DECODE, SORAI_RUN_DONE };

struct sora_pipeline {
    sora_model *model;
    sorai_mem *mem;
    sorai_params params;
    sora_tensor *slots[SORAI_SLOTS]; /* set by the caller */
    sora_tensor *made[SORAI_SLOTS];  /* left by the last run */
    sora_progress_fn progress;
    void *progress_user;
    sora_frame_fn frame;
    void *frame_user;
    atomic_int cancel;
    sorai_exec exec;
    /* the run */
    enum sorai_run_state state;
    sorai_plan plan;
    double begun; /* seconds */
    const sorai_dit_prompt *prompt; /* of text and negative, in the exec */
    sorai_exec_mark mark;           /* after the prompt */
    sorai_sampler sampler;
    sorai_vae_stream stream;
    int64_t decoded; /* latent frames */
    int64_t ready;   /* frames */
    uint8_t *rgb;    /* plan.frames pictures */
};

int sorai_pipeline_create(sora_pipeline **out, sora_model *model, sora_error *err);
void sorai_pipeline_destroy(sora_pipeline **pipeline);

/* plan.c: the request made whole; SORA_E_INVALID or SORA_E_NOTFOUND when the model can't do it. */
int sorai_plan_make(sora_pipeline *p, sorai_plan *plan, sora_error *err);
/* Only what the sampler needs: steps, solver, guidance, shift. Asks nothing of the model. */
void sorai_plan_sampling(const sora_pipeline *p, sorai_plan *plan);

/* run.c */
int sorai_pipeline_begin(sora_pipeline *p, sora_error *err);
int sorai_pipeline_step(sora_pipeline *p, sora_error *err);
void sorai_pipeline_stop(sora_pipeline *p); /* back to before begin; frames and made tensors of a finished run stay */

/* stages.c: public stages, and the pieces that a run shares with them. Results are host tensors. */
int sorai_stage_text(sora_pipeline *p, const char *text, size_t length, sora_tensor **out, sora_tensor **ids, sora_error *err);
int sorai_stage_denoise(sora_pipeline *p, const sora_tensor *latent, const sora_tensor *timestep, const sora_tensor *text,
                        sora_tensor **out, sora_error *err);
int sorai_stage_encode(sora_pipeline *p, const sora_tensor *frames, sora_tensor **out, sora_error *err);
int sorai_stage_decode(sora_pipeline *p, const sora_tensor *latent, sora_tensor **out, sora_error *err);
int sorai_stage_sample(sora_pipeline *p, const sora_tensor *noise, const sora_tensor *text, const sora_tensor *negative,
                       sora_tensor **out, sora_error *err);
int sorai_stage_classify(sora_pipeline *p, const sora_tensor *frames, sora_tensor **logits, sora_tensor **features, sora_error *err);

/* Device text [1, rows, d] of a prompt, zero past its last token. */
sora_tensor *sorai_stage_text_device(sora_pipeline *p, const char *text, size_t length);
/* The velocity at the sampler's present place, with guidance. prompt holds text and, when guided, the negative text as a second sample. */
sora_tensor *sorai_guided_velocity(sora_pipeline *p, sorai_sampler *s, const sorai_dit_prompt *prompt, int guided, double guidance);
/* text and negative (host, [rows, d]; negative NULL: unguided) as a prompt of one or two samples. */
const sorai_dit_prompt *sorai_stage_prompt(sora_pipeline *p, sora_tensor *text, sora_tensor *negative);
/* A device temporary as a new host tensor without its first axis, planes first when `planes`. */
int sorai_stage_give(sora_pipeline *p, sora_tensor *t, int planes, sora_tensor **out, sora_error *err);

/* estimate.c: bytes of a run with this plan, found by running the networks on a device that only counts. */
int sorai_pipeline_estimate(sora_pipeline *p, uint64_t *after, uint64_t *peak, sora_error *err);

#endif
