/* libsora: the trainer: makes the autoencoder, the transformer with its text encoder, and the attribute probe. Since 0.1.
 *
 * A trainer is driven by a recipe (JSON, see docs/training.md) and by batches that the host gives through a callback. It is stepped like a
 * pipeline and belongs to one thread at a time. A run that is saved, loaded and continued gives the same bits as one that was never
 * interrupted, for any number of threads. */
#ifndef SORA_TRAIN_H
#define SORA_TRAIN_H

#include "sora/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One batch: samples of one size. The host owns everything in it, and keeps it until the next call of the callback. */
typedef struct sora_batch {
    uint32_t struct_size;         /* set by the library */
    uint32_t count;               /* samples */
    sora_tensor *video;           /* u8 [count, F, H, W, 3]; for the transformer f32 [count, C, T, h, w]: normalised latents */
    const char *const *captions;  /* count texts (transformer); else NULL */
    const int32_t *labels;        /* [count, attributes] (probe), -1 = leave out; else NULL */
    const float *weights;         /* [count, T, h, w] (transformer): how much each place counts in the loss, 0 and up; NULL: all 1 */
    const char *const *later;     /* count texts (transformer) of the latent frames from later_from on, and captions then of those before, as
                                   * sora_pipeline_add_shot tells them apart; NULL: captions are of the whole video */
    uint32_t later_from;          /* with later: in 1..T-1, and at a whole patch of frames */
    uint32_t reserved;
} sora_batch;

/* Fills *batch for (step, part of the step): a pure function of the two, so that a continued run sees the same data. Return 0, or a
 * SORA_E_* to stop the training with it. */
typedef int (*sora_batch_fn)(void *user, uint64_t step, uint32_t part, sora_batch *batch);

typedef struct sora_train_stats {
    uint32_t struct_size; /* set by the caller before the call */
    uint32_t reserved;
    uint64_t step, steps;      /* done and in all */
    uint64_t samples;          /* seen so far */
    double loss;               /* of the last step */
    double parts[6];           /* its terms: autoencoder: l1, gradient, temporal, kl; probe: accuracy; else 0 */
    double grad_norm, rate;    /* before clipping; learning rate */
    double seconds;            /* the last step took */
    uint64_t memory;           /* bytes held by the trainer */
} sora_train_stats;

/* recipe: JSON text. Weights are new, or those that the recipe's "init" names. On failure *out is NULL; SORA_E_INVALID names the field. */
SORA_API SORA_WUR int sora_trainer_create(sora_trainer **out, sora_context *ctx, const char *recipe, size_t length, sora_error *err);
SORA_API void sora_trainer_destroy(sora_trainer **trainer);
SORA_API int sora_trainer_set_data(sora_trainer *trainer, sora_batch_fn fn, void *user);
/* One optimiser step; SORA_MORE, or SORA_OK when all steps of the recipe are done. */
SORA_API SORA_WUR int sora_trainer_step(sora_trainer *trainer, sora_error *err);
SORA_API int sora_trainer_stats(const sora_trainer *trainer, sora_train_stats *out);
/* Makes a step that is running stop with SORA_E_CANCELLED; the weights are as before it. Any thread. */
SORA_API void sora_trainer_cancel(sora_trainer *trainer);

/* Everything that the next step depends on, to a file and back: whole or not at all. The file must come from the same recipe's networks. */
SORA_API SORA_WUR int sora_trainer_save(sora_trainer *trainer, const char *path, sora_error *err);
SORA_API SORA_WUR int sora_trainer_load(sora_trainer *trainer, const char *path, sora_error *err);

/* Loss of each sample without training: at a fixed noise level (0..1; the transformer), with noise from `seed`, averaged weights when
 * ema != 0. losses has batch->count entries. Used for held-out loss and for the caption-swap test. */
SORA_API SORA_WUR int sora_trainer_evaluate(sora_trainer *trainer, const sora_batch *batch, double noise, uint64_t seed, int ema,
                                            float *losses, sora_error *err);
/* Runs the network forward with the averaged weights: autoencoder: u8 [n, F, H, W, 3] -> the same after a round trip, u8; probe: f32
 * [n, attributes, most values] log-probabilities. */
SORA_API SORA_WUR int sora_trainer_apply(sora_trainer *trainer, const sora_tensor *video, sora_tensor **out, sora_error *err);

/* Writes a model file (.sora) or folder: the parts trained here with averaged weights (weights: 0 = bf16), plus the parts of `with` (a model
 * path, may be NULL) that were not trained here. Whole or not at all. */
SORA_API SORA_WUR int sora_trainer_export(sora_trainer *trainer, const char *path, const char *with, int32_t weights, sora_error *err);

/* Makes a unigram tokenizer (sentencepiece's spiece.model, with byte fallback) of at most `pieces` pieces, 400 to 1000000, from texts, and
 * writes it to `path`, whole or not at all. Texts are cleaned as prompts are; the same texts give the same bytes. SORA_E_INVALID, _NOMEM, _IO. */
SORA_API SORA_WUR int sora_tokenizer_train(sora_context *ctx, const char *path, const char *const *texts, size_t count, uint32_t pieces,
                                           sora_error *err);

#ifdef __cplusplus
}
#endif
#endif
