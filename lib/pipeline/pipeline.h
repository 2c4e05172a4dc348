/* A pipeline: a request with its parameters, and the run that carries it out in bounded steps. The public handle sora_pipeline is this struct. */
#ifndef SORAI_PIPELINE_PIPELINE_H
#define SORAI_PIPELINE_PIPELINE_H

#include "lib/model/model.h"
#include "lib/pipeline/conditions.h"
#include "lib/pipeline/denoiser.h"
#include "lib/pipeline/params.h"
#include "lib/pipeline/shots.h"
#include "lib/sampler/sampler.h"
#include "sora/pipeline.h"

#define SORAI_GIVEN_STEPS 64

/* What a run will do: the request with every default filled in. */
struct sorai_plan {
    int32_t width, height;              /* as asked */
    int64_t frames;
    int32_t full_width, full_height;    /* as made: multiples of what the networks take; the picture is cut out of the middle */
    int64_t full_frames;
    int64_t latent[5];                  /* [1, t, h, w, c] */
    int32_t steps;
    enum sorai_solver solver;
    double guidance, shift, fps;
    double guidance2;                   /* of the second expert */
    double until;                       /* noise level below which steps go without */
    int32_t guided;                     /* guidance > 1: a pass with the negative text too */
    int32_t given;                      /* timesteps that were given; 0: the solver's own */
    float timesteps[SORAI_GIVEN_STEPS];
    uint64_t seed;
    float control_scale;
    double step_cache; /* SORA_PARAM_STEP_CACHE */
    int32_t resample; /* times that a step with held places is done over (RePaint) */
    int32_t follows;  /* SORA_PARAM_FOLLOW, and there are conditions that may change */
    int32_t needs_embeds, needs_condition, needs_control; /* beside the text */
    int32_t joins; /* the condition is channels behind the noise's; 0: first frames that stand in their place */
    /* How a limit of memory is kept; zeros and one window where there is room. None of it changes a bit of the result. */
    int32_t unbatched;                  /* guidance's two passes one after the other */
    int32_t streamed;                   /* the transformer's packed weights are not kept */
    int64_t windows[2];                 /* rows and columns of windows that a frame is decoded in */
    int64_t encoded_in[2];              /* and encoded in */
    int32_t whole;                      /* the decoder looks both ways in time: it takes all latent frames at once, or */
    int64_t spans;                      /* as many parts of them one after the other, each in windows */
    int64_t key_time;                   /* frames of a latent frame, of a model that takes keyframes; 0: it does not */
    int32_t references;                 /* latent frames in front of the video that hold reference pictures */
};

/* What the transformer is given beside the sample: host tensors, borrowed; NULL where it takes none. */
typedef struct sorai_inputs {
    const sora_tensor *text, *negative; /* f32 [rows, d] */
    const sora_tensor *source;          /* f32 [rows, d]: what conditions that may change show; NULL: they change freely */
    const sorai_shots *shots;           /* texts of later parts; NULL: text is for all */
    const sora_tensor *embeds;          /* f32 [n, di]: of pictures */
    const sora_tensor *condition;       /* f32 [c, t, h, w]: channels joined behind the sample's, or first frames in place of the sample's */
    const sora_tensor *control;         /* f32 [c, t, h, w]: for the control branch */
    const sora_tensor *control_scale;   /* f32 [blocks of the branch]; NULL: the plan's for all */
    sorai_held *given;                  /* places of the sample that conditions hold; NULL: none */
} sorai_inputs;

/* A sampling loop, which a run and the stage share. Its tensors lie in the exec behind `begin`. */
typedef struct sorai_loop {
    sorai_inputs in;
    const sorai_plan *plan;
    sorai_sampler sampler;
    int32_t again; /* times that the step under way has been done over */
    enum sorai_model_net net, held; /* the transformer in use; the expert that is to be given back */
    sorai_denoiser denoiser;        /* that one */
    sorai_prompt prompt;            /* of text and negative */
    sorai_prompt source;
    sora_tensor *condition, *control;
    int32_t replaces;               /* first latent frames that the condition stands for; 0: it is joined, or there is none */
    float *scale;
    uint8_t *reuses;                /* for each step whether it takes over `residual`; NULL: every step is computed */
    sora_tensor *residual;          /* what the blocks added at the last step that was computed, [passes of guidance, tokens, dim] */
    sorai_exec_mark begin, mark;
} sorai_loop;

/* A clip on its way through the encoder: a step does what makes one latent frame, or what a window gives to it. Between steps other networks may run, but no other stream. */
typedef int sorai_fill_fn(void *user, int64_t first, int64_t n, float *piece, sora_error *err); /* frames first..first+n-1 as [3, n, h, w] in -1..1 */
struct sorai_encoding {
    int64_t size[3]; /* frames, height, width */
    int64_t windows[2];
    sorai_fill_fn *fill; /* asked for them in order, for each window */
    void *user;
    int64_t pieces;       /* of the clip: one for each latent frame, or one for all */
    int64_t done, steps;  /* windows: all pieces of one after the other, then the middle of the network for each piece */
    sora_tensor *front;   /* what the middle takes, on the device: [1, t, h, w, c]; NULL: there is one window */
    sora_tensor *out;     /* f32 [z, t, h, w], as far as it is made */
};

/* What is made of conditions, part by part (conditions.c). */
typedef struct sorai_taking {
    sorai_timeline line;
    int32_t part;        /* of the list in conditions.c */
    void *state;         /* of the part; NULL: it has not begun */
    sorai_encoding encoding;
    int32_t done, steps;
} sorai_taking;

enum sorai_run_state { SORAI_RUN_NONE, SORAI_RUN_TEXT, SORAI_RUN_CONDITION, SORAI_RUN_DENOISE, SORAI_RUN_DECODE, SORAI_RUN_DONE };

struct sora_pipeline {
    sora_model *model;
    sorai_mem *mem;
    sorai_params params;
    sora_tensor *slots[SORAI_SLOTS]; /* set by the caller */
    sora_tensor *made[SORAI_SLOTS];  /* left by the last run */
    sorai_conditions conditions;
    sorai_shots shots;
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
    sorai_taking taking; /* what is being made of conditions */
    sorai_held *held; /* what the conditions hold; NULL: nothing */
    sorai_loop loop;
    sorai_exec_mark mark; /* of decoding */
    sorai_vae_stream stream;
    sora_tensor *middle; /* of decoding in windows: what they are cut out of, [1, t, h, w, c] */
    int64_t decoded; /* steps of decoding */
    int64_t ready;   /* frames */
    uint8_t *rgb;    /* plan.frames pictures */
};

int sorai_pipeline_create(sora_pipeline **out, sora_model *model, sora_error *err);
void sorai_pipeline_destroy(sora_pipeline **pipeline);

/* plan.c: the request made whole; SORA_E_INVALID or SORA_E_NOTFOUND when the model can't do it. */
int sorai_plan_make(sora_pipeline *p, sorai_plan *plan, sora_error *err);
int sorai_slot_fits(const sora_tensor *t, int32_t rank, const int64_t *shape, const char *name, sora_error *err); /* NULL does */
/* Only what the sampler needs: steps, solver, guidance, shift. Asks nothing of the model. */
int sorai_plan_sampling(const sora_pipeline *p, sorai_plan *plan, sora_error *err);

/* choose.c. Makes what of the plan is left open fit into the context's limit, the cheapest way first; without a limit, as if all did. Gives the bytes of
 * the run, which may be too many all the same. */
int sorai_plan_choose(sora_pipeline *p, sorai_plan *plan, uint64_t *after, uint64_t *peak, sora_error *err);
/* The same of the decoder alone; of the plan only latent and windows are looked at. */
int sorai_plan_decoding(sora_pipeline *p, sorai_plan *plan, sora_error *err);
/* Of the encoder alone, for a clip of full_frames, full_height and full_width. SORA_E_LIMIT: it fits in no way. */
int sorai_plan_encoding(sora_pipeline *p, sorai_plan *plan, sora_error *err);
sorai_vae_window sorai_window_of(const int64_t windows[2], int64_t h, int64_t w, int64_t i); /* window i of a latent */
sorai_vae_window sorai_plan_window(const sorai_plan *plan, int64_t i);
sorai_ltx_box sorai_plan_box(const sorai_plan *plan, int64_t step); /* the same where the plan says `whole`: also of time */
/* Two passes go through the transformer as one batch up to this many tokens: above, their memory costs more than the batch saves. */
#define SORAI_BATCHED_TOKENS 8192
static inline int64_t sorai_plan_batched(const sorai_plan *plan) { return plan->unbatched ? 0 : SORAI_BATCHED_TOKENS; }

/* loop.c. `in` and `plan` are borrowed until end; noise [c, t, h, w]. SORA_E_INVALID when the inputs do not fit the transformer. */
int sorai_loop_begin(sora_pipeline *p, sorai_loop *loop, const sorai_inputs *in, const sorai_plan *plan, const sora_tensor *noise,
                     sora_error *err);
int sorai_loop_step(sora_pipeline *p, sorai_loop *loop, sora_error *err); /* one step or step over; until sampler.index == sampler.steps */
sora_tensor *sorai_loop_result(sora_pipeline *p, const sorai_loop *loop); /* a device tensor [1, t, h, w, c] */
/* Makes the transformer of the present step the one in use, as the step itself would. */
int sorai_loop_load(sora_pipeline *p, sorai_loop *loop, sora_error *err);
void sorai_loop_end(sora_pipeline *p, sorai_loop *loop);                  /* also of one that failed; twice does no harm */

/* cache.c: step caching. For the steps of l->net: which of them reuse the last computed one; needs the transformer. */
void sorai_cache_plan(sora_pipeline *p, sorai_loop *l);
/* The tensor that is kept between steps, in the exec; `passes` of guidance. Also for the estimate. */
sora_tensor *sorai_cache_residual(sorai_exec *x, const sorai_kind *kind, int64_t passes, int64_t tokens);
/* What the plan needs while it is made: two rows of the embedding of time. Also for the estimate. */
float *sorai_cache_rows(sorai_exec *x, const sorai_kind *kind);

/* encode.c: the steps of an encoding, until done == steps. Frames of the plan's size, in its windows. */
int64_t sorai_encoding_steps(const sora_model *m, const sorai_plan *plan, int64_t frames);
int sorai_encoding_begin(sora_pipeline *p, sorai_encoding *e, const sorai_plan *plan, int64_t frames, sorai_fill_fn *fill, void *user,
                         sora_error *err);
int sorai_encoding_step(sora_pipeline *p, sorai_encoding *e, sora_error *err);
sora_tensor *sorai_encoding_take(sorai_encoding *e);          /* the whole latent, the caller's from now on */
void sorai_encoding_end(sora_pipeline *p, sorai_encoding *e); /* also of one that failed; twice does no harm */

/* pictures.c. u8 [h, w, 3] -> floats [3, height, width] in -1..1, resized as the reference does. The caller frees them. */
int sorai_picture_floats(float **out, sorai_mem *mem, const uint8_t *rgb, int32_t w, int32_t h, int32_t width, int32_t height, sora_error *err);
int sorai_check_picture(const sora_tensor *t, const char *name, sora_error *err); /* NULL is fine */

/* run.c */
int sorai_pipeline_begin(sora_pipeline *p, sora_error *err);
int sorai_pipeline_step(sora_pipeline *p, sora_error *err);
int sorai_run_report(sora_pipeline *p, int32_t phase, int32_t step, int32_t steps, sora_error *err); /* to the progress callback */
void sorai_pipeline_stop(sora_pipeline *p); /* back to before begin; frames and made tensors of a finished run stay */

/* decode.c: what a run and the stage share. Steps 0..n-1 in order, each of which gives a piece of video or, while the middle is made, none; it
 * lies in the exec, which the caller rewinds. p->stream is begun before. */
typedef struct sorai_piece {
    sora_tensor *video;       /* [1, n, h, w, 3], or NULL */
    int64_t first, top, left; /* frame and place */
    int last;                 /* the frames are whole with it */
} sorai_piece;
int64_t sorai_decode_steps(const sorai_plan *plan);
int sorai_decode_piece(sora_pipeline *p, const sorai_plan *plan, const sora_tensor *latent, int64_t step, sorai_piece *out, sora_error *err);
void sorai_decode_end(sora_pipeline *p);
int sorai_decode_step(sora_pipeline *p, sora_error *err); /* of a run */

/* save.c */
int sorai_pipeline_save(sora_pipeline *p, const char *path, sora_error *err);
int sorai_pipeline_resume(sora_pipeline *p, const char *path, sora_error *err);

/* stages.c: public stages, and the pieces that a run shares with them. Results are host tensors. */
int sorai_stage_text(sora_pipeline *p, const char *text, size_t length, sora_tensor **out, sora_tensor **ids, sora_error *err);
int sorai_stage_denoise(sora_pipeline *p, const sora_tensor *latent, const sora_tensor *timestep, const sora_tensor *text,
                        sora_tensor **out, sora_error *err);
int sorai_stage_image(sora_pipeline *p, const sora_tensor *first, const sora_tensor *last, sora_tensor **out, sora_error *err);
int sorai_stage_encode(sora_pipeline *p, const sora_tensor *frames, sora_tensor **out, sora_error *err);
int sorai_stage_decode(sora_pipeline *p, const sora_tensor *latent, sora_tensor **out, sora_error *err);
int sorai_stage_sample(sora_pipeline *p, const sora_tensor *noise, const sora_tensor *text, const sora_tensor *negative,
                       sora_tensor **out, sora_error *err);
int sorai_stage_classify(sora_pipeline *p, const sora_tensor *frames, sora_tensor **logits, sora_tensor **features, sora_error *err);

/* Device text [1, rows, d] of a prompt, zero past its last token. */
sora_tensor *sorai_stage_text_device(sora_pipeline *p, const char *text, size_t length);
/* One time, or one for each token of a grid; all in 0..1000. */
int sorai_check_times(const sora_tensor *t, const int64_t *grid, sora_error *err);

/* ltx.c: that family's levels, as timesteps: from 1 to 1 / steps; with a scheduler that moves them (NULL: none) by an amount that grows with the
 * number of tokens, and the last one set. */
void sorai_even_levels(const sorai_scheduler_config *d, int64_t tokens, int32_t steps, float *timesteps);
void sorai_parabola_levels(int32_t steps, float *timesteps); /* of a model that takes keyframes */

/* Do text, pictures and control fit a transformer and a latent of this size (t, h, w)? */
int sorai_inputs_check(const sora_model *m, enum sorai_model_net net, const sorai_inputs *in, int guided, const int64_t *size, sora_error *err);
/* Uploads a host tensor with a leading axis of 1. NULL for NULL. */
sora_tensor *sorai_stage_upload(sora_pipeline *p, const sora_tensor *t);
/* A device temporary as a new host tensor without its first axis, planes first when `planes`. */
int sorai_stage_give(sora_pipeline *p, sora_tensor *t, int planes, sora_tensor **out, sora_error *err);

/* choose.c: bytes of the run that is asked for, in the way that is chosen for it. */
int sorai_pipeline_estimate(sora_pipeline *p, uint64_t *after, uint64_t *peak, sora_error *err);

#endif
