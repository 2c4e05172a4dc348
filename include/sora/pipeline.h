/* libsora: pipelines: a request becomes a video. Since 0.1.
 *
 * A pipeline belongs to one thread at a time; only sora_pipeline_cancel may be called from any other. Parameters are sticky: set, run,
 * change one, run again. */
#ifndef SORA_PIPELINE_H
#define SORA_PIPELINE_H

#include "sora/base.h"
#include "sora/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Parameters. Numbers never change. ------------------------------------------------------------------------------------ */

typedef int32_t sora_param;

#define SORA_PARAM_PROMPT 1    /* text */
#define SORA_PARAM_NEGATIVE 2  /* text: what guidance moves away from */
#define SORA_PARAM_WIDTH 3     /* pixels; 0: the model's own */
#define SORA_PARAM_HEIGHT 4    /* pixels; 0: the model's own */
#define SORA_PARAM_FRAMES 5    /* 1 is an image; 0: the model's own */
#define SORA_PARAM_FPS 6       /* frames per second of the result; 0: the model's own */
#define SORA_PARAM_SEED 7
#define SORA_PARAM_STEPS 8     /* of the sampler; 0: the model's own */
#define SORA_PARAM_GUIDANCE 9  /* guided = u + g (c - u); up to 1: none; below 0: the model's own */
#define SORA_PARAM_SHIFT 10    /* of the timesteps, towards noise; 0: the model's own */
#define SORA_PARAM_SAMPLER 11  /* SORA_SAMPLER_* */
#define SORA_PARAM_GUIDANCE_2 12    /* of the second expert, in models with two; below 0: as the first */
#define SORA_PARAM_TIMESTEPS 13     /* text: timesteps that replace the sampler's own, "1000,757,522"; they fall, at most 64. Their number wins
                                       over STEPS; a SHIFT that is set is applied to them, the model's own is not */
#define SORA_PARAM_CONTROL_SCALE 14 /* strength of the control branch */
#define SORA_PARAM_KEEP 15     /* 1: pixels given by conditions of strength 1 come out as they were given, and up to four made frames beside them take
                                  over what the autoencoder lost of them, so that there is no seam; 0: all comes out as the autoencoder gives it */
#define SORA_PARAM_RESAMPLE 16 /* with conditions: each step is done over so many times, with its noise put back between, so that what is made
                                  fits what is given better (RePaint, arXiv 2201.09865); 0..100, the work grows with it */
#define SORA_PARAM_STEP_CACHE 17 /* above 0: steps at which the transformer's embedding of time has changed by less than this share since the last
                                    one that was computed in full take over what that one's blocks added (after TeaCache, arXiv 2411.19108): faster,
                                    less exact; the first and the last step are always computed. 0: every step is. Up to 100. Since 0.1 */
#define SORA_PARAM_FOLLOW 18   /* 1: what conditions of strength below 1 give changes only as far as PROMPT asks for something else than SOURCE: each step
                                  adds what the network gets wrong about the clip itself, told SOURCE, at the same noise (after FlowEdit, arXiv
                                  2412.08629), one pass more a step; so a clip of strength 0.15 keeps its shapes and motion. 0: SDEdit. Since 0.1 */
#define SORA_PARAM_SOURCE 19   /* text, with FOLLOW: what those conditions show. Empty (the default) does well already. Since 0.1 */
#define SORA_PARAM_GUIDANCE_UNTIL 20 /* 0..1: steps that begin at a noise level (sigma) below this go without guidance, which halves their work and, up to
                                       a point, costs nothing (limited interval, arXiv 2404.07724). 0: all steps are guided; below 0 (the default):
                                       as the model recommends, which is 0 where it says nothing. Since 0.1 */

#define SORA_SAMPLER_DEFAULT 0
#define SORA_SAMPLER_EULER 1
#define SORA_SAMPLER_UNIPC 2
#define SORA_SAMPLER_DPMPP 3
#define SORA_SAMPLER_LCM 4 /* of few-step distillations: to the end and back to the next level with fresh noise */

#define SORA_KIND_I64 1
#define SORA_KIND_F64 2
#define SORA_KIND_TEXT 3
#define SORA_KIND_ENUM 4 /* set with _i64; names in `values` */

typedef struct sora_param_desc {
    uint32_t struct_size; /* set by the caller before the call */
    int32_t kind;         /* SORA_KIND_* */
    sora_param id;
    uint32_t reserved;
    const char *name;     /* "guidance": also the name of the command line option and of the Python keyword */
    const char *unit;     /* "pixels", "frames", ""; static */
    const char *help;     /* one line; static */
    const char *values;   /* of an enum: names separated by '|', in order from 0; else NULL */
    double lowest, highest, initial; /* numbers only */
} sora_param_desc;

/* Describes parameter `id`; SORA_E_NOTFOUND when there is none. */
SORA_API int sora_param_info(sora_param id, sora_param_desc *out);
/* The same by position, 0..; SORA_E_NOTFOUND past the last: for listing them. */
SORA_API int sora_param_at(uint32_t index, sora_param_desc *out);

/* ---- A pipeline --------------------------------------------------------------------------------------------------------------- */

/* The pipeline holds a reference to the model. */
SORA_API SORA_WUR int sora_pipeline_create(sora_pipeline **out, sora_model *model, sora_error *err);
/* Frees the pipeline (it has one owner and no reference count) and sets *pipeline to NULL; NULL is fine. */
SORA_API void sora_pipeline_destroy(sora_pipeline **pipeline);

/* Out of range or of the wrong kind: SORA_E_INVALID; unknown id: SORA_E_NOTFOUND; while a run is under way: SORA_E_STATE. Nothing changes then. */
SORA_API int sora_pipeline_set_i64(sora_pipeline *pipeline, sora_param id, int64_t value);
SORA_API int sora_pipeline_set_f64(sora_pipeline *pipeline, sora_param id, double value);
/* utf8 is copied; length (size_t)-1: up to the terminating zero. */
SORA_API int sora_pipeline_set_text(sora_pipeline *pipeline, sora_param id, const char *utf8, size_t length);

/* Slots: tensors that replace what the pipeline would make itself, or that it made. */
typedef int32_t sora_slot;
#define SORA_SLOT_NOISE 1    /* in: f32 [C, T, h, w] */
#define SORA_SLOT_TEXT 2     /* in, out: f32 [L, D] */
#define SORA_SLOT_NEGATIVE 3 /* in, out: f32 [L, D] */
#define SORA_SLOT_LATENT 4   /* out: f32 [C, T, h, w], after the last step */
/* For models that take more than text. h, w are the latent's; pictures of any size are resized to the video's. */
#define SORA_SLOT_IMAGE 5         /* in: u8 [H, W, 3]: the first frame */
#define SORA_SLOT_LAST_IMAGE 6    /* in: u8 [H, W, 3]: the last frame */
#define SORA_SLOT_IMAGE_EMBEDS 7  /* in, out: f32 [N, Di]: what the image encoder makes of them */
#define SORA_SLOT_CONDITION 8     /* in, out: f32 [Cc, T, h, w]: the channels joined behind the noise (mask and encoded frames); for models that
                                     expand timesteps f32 [C, 1, h, w]: the encoded first frame */
#define SORA_SLOT_CONTROL 9       /* in, out: f32 [Cv, T, h, w]: the control latent (VACE) */
#define SORA_SLOT_CONTROL_SCALE 10 /* in: f32 [blocks]: one strength for each control block, in place of CONTROL_SCALE */
#define SORA_SLOT_VIDEO 11        /* in: u8 [F, H, W, 3] (a short one's last frame is repeated), or f32 [3, F, H, W] in -1..1 of the video's size:
                                     what the control latent is made of */
#define SORA_SLOT_MASK 12         /* in: u8 [F, H, W], or f32 [F, H, W] in 0..1 of the video's size: white is made anew, black is kept; without it
                                     all is made anew */
#define SORA_SLOT_SOURCE 13       /* in, out: f32 [L, D]: the text of SORA_PARAM_SOURCE */
#define SORA_SLOT_REFERENCE 16    /* in: u8 [H, W, 3]: the first of up to 8 reference pictures: SORA_SLOT_REFERENCE + 0..7 */
#define SORA_MAX_REFERENCES 8

/* The pipeline takes a reference; NULL clears the slot. */
SORA_API int sora_pipeline_set_tensor(sora_pipeline *pipeline, sora_slot slot, sora_tensor *tensor);
/* A new reference to what the last run left in the slot; SORA_E_NOTFOUND when nothing is there. */
SORA_API int sora_pipeline_get_tensor(sora_pipeline *pipeline, sora_slot slot, sora_tensor **out);

/* ---- Conditions: what is known of the video, and where -------------------------------------------------------------------------
 *
 * One primitive for every way of prompting with pictures: this clip (or image), at this frame, with this mask and this strength. An image
 * at frame 0 is animated; a clip at its place is extended before or behind it; two clips are connected; a clip with a mask is inpainted; a
 * clip of strength below 1 is edited (arXiv 2108.01073). Any number of them; where they overlap, a later one lies over the earlier ones as
 * far as its mask says. Frames before 0 or past the end are cut off; a condition with no frame inside is SORA_E_INVALID at begin.
 *
 * All conditions are encoded in one pass; frames that nothing lies on show the next frame that something lies on, so what the causal
 * encoder sees before a clip is a still of its beginning. A latent frame stands for the first frame alone, then for four each (models
 * differ): one that is known in part is held in part, by its share. docs/conditions.md says how exact that is. */
#define SORA_FIT_FILL 0    /* scaled to cover the picture, the middle is used */
#define SORA_FIT_INSIDE 1  /* scaled to lie inside; what stays open is made */
#define SORA_FIT_STRETCH 2 /* scaled to the picture, whatever that does to its shape */
#define SORA_FIT_EXACT 3   /* another size than the video's is SORA_E_INVALID at begin */

typedef struct sora_condition {
    uint32_t struct_size;
    int32_t fit;         /* SORA_FIT_* */
    sora_tensor *frames; /* host u8 [n, height, width, 3]; NULL with latent */
    sora_tensor *mask;   /* host u8 [1 or n, height, width]: 255 is given, 0 to be made; NULL: all of it is given */
    sora_tensor *latent; /* host f32 [C, T, h, w] in place of frames, of the video's latent size; at_frame then stands at the start of a latent frame */
    int64_t at_frame;    /* where its first frame lies; may be negative */
    double strength;     /* 0..1; 1: as given, 0.3: its outline stays, 0: nothing stays */
} sora_condition;

/* struct_size, and defaults: fill, whole, frame 0, strength 1. */
SORA_API void sora_condition_init(sora_condition *condition);
/* Takes references to the tensors, whose contents must not change until the pipeline has let go of them (clear, destroy). SORA_E_INVALID for
 * what can never be right (types, ranks, ranges), SORA_E_STATE while a run is under way. Nothing is added on failure. Since 0.1. */
SORA_API SORA_WUR int sora_pipeline_add_condition(sora_pipeline *pipeline, const sora_condition *condition, sora_error *err);
/* Removes all; SORA_E_STATE while a run is under way. Since 0.1. */
SORA_API int sora_pipeline_clear_conditions(sora_pipeline *pipeline);

/* ---- Shots: prompts with a place on the timeline --------------------------------------------------------------------------------
 *
 * From frame at_frame on, up to the next shot, the video shows what utf8 (copied; length (size_t)-1: up to the terminating zero) says. Before
 * the first shot it shows the prompt; a shot at frame 0 or before takes its place. Shots are added in order. Each text is attended to by
 * its own latent frames, the rest of the network sees the whole video. A cut lies at the nearest frame that a latent frame begins with: 0,
 * 1, 5, 9, ... for autoencoders that compress time by four. SORA_E_INVALID out of order (and at begin for a shot that lies behind the
 * end), SORA_E_STATE while a run is under way; nothing is added on failure. Not for LTX-Video. Since 0.1. */
SORA_API SORA_WUR int sora_pipeline_add_shot(sora_pipeline *pipeline, int64_t at_frame, const char *utf8, size_t length, sora_error *err);
/* Removes all; SORA_E_STATE while a run is under way. Since 0.1. */
SORA_API int sora_pipeline_clear_shots(sora_pipeline *pipeline);

/* Progress: called from the thread that runs the pipeline. Return 0 to go on, anything else to stop with SORA_E_CANCELLED. */
#define SORA_PHASE_TEXT 1
#define SORA_PHASE_DENOISE 2
#define SORA_PHASE_DECODE 3
#define SORA_PHASE_CONDITION 4 /* between text and denoising, when there are conditions */
typedef struct sora_progress {
    uint32_t struct_size;
    int32_t phase;       /* SORA_PHASE_* */
    int32_t step, steps; /* done and in all, of this phase */
    double fraction;     /* of the whole run, 0..1, by estimated work */
    double seconds;      /* since begin */
} sora_progress;
typedef int (*sora_progress_fn)(void *user, const sora_progress *progress);
SORA_API int sora_pipeline_set_progress(sora_pipeline *pipeline, sora_progress_fn fn, void *user);

/* Frames as they are decoded, in order, each once (up to four frames late before given ones, which they blend into; all at the end where a
 * mem_limit makes the decoder work in windows): rgb is width * height * 3 bytes, valid during the call. Return 0 to go on. */
typedef int (*sora_frame_fn)(void *user, int64_t index, const uint8_t *rgb, int32_t width, int32_t height);
SORA_API int sora_pipeline_set_frame_callback(sora_pipeline *pipeline, sora_frame_fn fn, void *user);

/* Bytes that a run with the present parameters needs: within 10% above what it takes. Under a mem_limit, of the way that a run would choose to
 * keep it (docs/memory.md: frames decoded in windows, passes one by one, weights laid out anew; no bit of the result depends on it). Runs nothing. out->struct_size set by the caller. */
SORA_API SORA_WUR int sora_pipeline_estimate(sora_pipeline *pipeline, sora_memory *out, sora_error *err);

/* begin checks everything and takes the memory; step does one bounded slice (the texts; conditions laid onto the timeline, then one encoded latent frame of them or one
 * picture; one denoising step; one decoded latent frame) and returns SORA_MORE until it returns SORA_OK; run is begin and all steps. After a failure or a cancel the pipeline is as before begin. */
SORA_API SORA_WUR int sora_pipeline_begin(sora_pipeline *pipeline, sora_error *err);
SORA_API SORA_WUR int sora_pipeline_step(sora_pipeline *pipeline, sora_error *err);
SORA_API SORA_WUR int sora_pipeline_run(sora_pipeline *pipeline, sora_error *err);

/* Writes a run that is under way to a file (safetensors), between two steps and while it is being denoised, else SORA_E_STATE. The run goes on
 * as if nothing had been. The file appears whole or not at all. Since 0.1. */
SORA_API SORA_WUR int sora_pipeline_save(sora_pipeline *pipeline, const char *path, sora_error *err);
/* In place of begin: begins the request, which must be the one that was saved (parameters, slots, conditions and model; SORA_E_INVALID when it
 * differs, the model is not looked at), makes text and conditions again and goes to the saved step. The steps that follow give
 * the same bits as the run that was saved. After a failure the pipeline is as before. Since 0.1. */
SORA_API SORA_WUR int sora_pipeline_resume(sora_pipeline *pipeline, const char *path, sora_error *err);

/* Stops a run: it returns SORA_E_CANCELLED within one block of the network. Any thread, any time; never lost: a cancel between runs stops
 * the next one at its begin. */
SORA_API void sora_pipeline_cancel(sora_pipeline *pipeline);

/* Size and number of the frames of the last run. Any pointer may be NULL. */
SORA_API int sora_pipeline_video_info(const sora_pipeline *pipeline, int32_t *width, int32_t *height, int64_t *frames, double *fps);
/* Frames first..first+count-1 of the last run as RGB bytes [count, height, width, 3]; SORA_E_INVALID when `capacity` is too small or the
 * range is not there. */
SORA_API int sora_pipeline_read_frames(const sora_pipeline *pipeline, int64_t first, int64_t count, uint8_t *rgb, size_t capacity);

/* ---- Stages: one at a time, exactly as docs describe `sora stage`. Results are new tensors with one reference. ---------------- */

/* text -> f32 [L, D]; *ids (may be NULL) gets i32 [2, L]: input_ids and attention_mask. */
SORA_API SORA_WUR int sora_encode_text(sora_pipeline *pipeline, const char *utf8, size_t length, sora_tensor **text, sora_tensor **ids,
                                       sora_error *err);
/* A picture u8 [H, W, 3] -> f32 [N, Di] by the model's image encoder; last (may be NULL): a second picture, whose rows follow. */
SORA_API SORA_WUR int sora_encode_image(sora_pipeline *pipeline, const sora_tensor *image, const sora_tensor *last, sora_tensor **embeds,
                                        sora_error *err);
/* latent f32 [C, T, H, W], timestep f32 [1] or [T/pt, H/ph, W/pw] in 0..1000, text f32 [L, D] -> velocity f32 [Cout, T, H, W]. Channels of a
 * condition are joined already; IMAGE_EMBEDS, CONTROL and CONTROL_SCALE come from the slots. Of two experts the highest timestep picks one. */
SORA_API SORA_WUR int sora_denoise(sora_pipeline *pipeline, const sora_tensor *latent, const sora_tensor *timestep, const sora_tensor *text,
                                   sora_tensor **velocity, sora_error *err);
/* frames f32 [3, 4k + 1, H, W] in -1..1 -> latent f32 [C, T, h, w]. Under a mem_limit in windows where the whole does not fit, with the same bits;
 * SORA_E_LIMIT when they do not either. */
SORA_API SORA_WUR int sora_encode_video(sora_pipeline *pipeline, const sora_tensor *frames, sora_tensor **latent, sora_error *err);
/* latent -> frames, clamped to -1..1. */
SORA_API SORA_WUR int sora_decode_video(sora_pipeline *pipeline, const sora_tensor *latent, sora_tensor **frames, sora_error *err);
/* noise f32 [C, T, h, w] -> latent, with the pipeline's steps, guidance, shift and sampler. negative may be NULL when guidance <= 1. What the
 * model takes beside text comes from the slots IMAGE_EMBEDS, CONDITION, CONTROL and CONTROL_SCALE. */
SORA_API SORA_WUR int sora_sample(sora_pipeline *pipeline, const sora_tensor *noise, const sora_tensor *text, const sora_tensor *negative,
                                  sora_tensor **latent, sora_error *err);
/* The model's classifier (SORA_PART_PROBE): frames u8 [F, H, W, 3] -> f32 [attributes, most values], log-probabilities padded with
 * -infinity. SORA_E_NOTFOUND when the model has none. */
SORA_API SORA_WUR int sora_classify(sora_pipeline *pipeline, const sora_tensor *frames, sora_tensor **logits, sora_tensor **features,
                                    sora_error *err);

#ifdef __cplusplus
}
#endif
#endif
