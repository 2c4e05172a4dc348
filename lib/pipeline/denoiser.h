/* One face for the transformers of all families, so that the loop, the stage and the estimate are written once. */
#ifndef SORAI_PIPELINE_DENOISER_H
#define SORAI_PIPELINE_DENOISER_H

#include "lib/model/model.h"

/* What a transformer works on. */
typedef struct sorai_kind {
    int32_t patch[3]; /* t, h, w */
    int64_t in, out;  /* channels of a latent place that it takes, and gives */
    int64_t text;     /* width of a row of text */
    int64_t dim;      /* width of a token within */
} sorai_kind;
sorai_kind sorai_kind_of(const sora_model *m, enum sorai_model_net net);
int64_t sorai_kind_tokens(const sorai_kind *kind, const int64_t *latent); /* latent: [b, t, h, w, c] */

typedef struct sorai_denoiser {
    const sorai_dit *dit; /* one of both */
    const sorai_ltx *ltx;
    sorai_ltx_places places; /* where the latter's tokens lie */
    sorai_ltx_keys keys;     /* of places, when there are any */
} sorai_denoiser;
/* Of a net that is bound. fps: of the video, 0: the model's. */
sorai_denoiser sorai_denoiser_of(const sora_model *m, enum sorai_model_net net, double fps);

/* What is made of text (and pictures) for all steps. A temporary of the exec; batch 0: there is none. */
typedef struct sorai_prompt {
    int64_t batch;
    sorai_dit_prompt *dit;
    const sorai_ltx_prompt *ltx;
} sorai_prompt;
/* text [b, rows, d]; image as in sorai_dit_prepare; lengths: NULL, or of each text the rows that count, for a family that is told. */
sorai_prompt sorai_denoiser_prepare(sorai_exec *x, const sorai_denoiser *d, sora_tensor *text, sora_tensor *image, const int32_t *lengths);
sorai_prompt sorai_denoiser_sample(sorai_exec *x, const sorai_prompt *prompt, int64_t i); /* one of several */
/* Rows of zeros behind a text [rows, d] are not attended to: those that count, at least 1. */
int32_t sorai_text_length(const sora_tensor *text);

/* The velocity, as sorai_dit_forward_control. control and cache may be NULL. */
sora_tensor *sorai_denoiser_forward(sorai_exec *x, const sorai_denoiser *d, sora_tensor *latent, const sorai_dit_control *control,
                                    const float *times, int64_t groups, const sorai_prompt *prompt, const sorai_step_cache *cache);
/* As sorai_dit_time. */
sora_tensor *sorai_denoiser_time(sorai_exec *x, const sorai_denoiser *d, float timestep);

#endif
