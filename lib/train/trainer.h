/* The trainer: what all three kinds of training share, and the contract of a kind. The public handle sora_trainer is this struct. */
#ifndef SORAI_TRAIN_TRAINER_H
#define SORAI_TRAIN_TRAINER_H

#include "lib/backend/context.h"
#include "lib/io/package.h"
#include "lib/train/recipe.h"
#include "sora/train.h"

#define SORAI_TRAIN_MAX_PARTS 2
/* Batches that are asked for at export, to measure latents, have step numbers from here on. */
#define SORAI_TRAIN_MEASURE_STEP ((uint64_t)1 << 40)

/* A part of a model that is being trained: "vae"; "transformer" and "text_encoder"; "probe". */
typedef struct sorai_trained_part {
    const char *name;
    json_t *config; /* owned: as it will stand in the model file */
    sorai_store store;
    sorai_optimizer optimizer;
    sorai_package *init; /* where the first weights are looked up, or NULL */
} sorai_trained_part;

typedef struct sorai_train_ops {
    /* Fills trainer->parts (names and configs) and binds the networks. */
    int (*bind)(sora_trainer *t, sora_error *err);
    /* The scalar loss of a batch with the tape active; random numbers depend on seed, step and part only. terms: values for the statistics,
     * read after the backward pass. */
    sora_tensor *(*loss)(sora_trainer *t, const sora_batch *batch, uint64_t step, uint32_t part, sora_tensor *terms[6]);
    /* Loss of each sample, no tape. */
    int (*evaluate)(sora_trainer *t, const sora_batch *batch, double noise, uint64_t seed, float *losses, sora_error *err);
    int (*apply)(sora_trainer *t, const sora_tensor *video, sora_tensor **out, sora_error *err); /* NULL: not for this kind */
    /* Last changes to the configs before an export; NULL: none. */
    int (*finish)(sora_trainer *t, sora_error *err);
    void (*release)(sora_trainer *t);
} sorai_train_ops;

struct sora_trainer {
    sora_context *context;
    sorai_mem *mem;
    sorai_device *device;
    sorai_recipe recipe;
    sorai_package *init; /* recipe.init, while the networks are bound */
    const sorai_train_ops *ops;
    void *net; /* the kind's own */
    sorai_trained_part parts[SORAI_TRAIN_MAX_PARTS];
    uint32_t part_count;
    sorai_exec exec;
    atomic_int cancel;
    sora_batch_fn batch;
    void *batch_user;
    sora_train_stats stats;
};

extern const sorai_train_ops sorai_train_vae, sorai_train_transformer, sorai_train_probe;

int sorai_trainer_create(sora_trainer **out, sora_context *context, const char *recipe, size_t length, sora_error *err);
void sorai_trainer_destroy(sora_trainer **trainer);
int sorai_trainer_step(sora_trainer *t, sora_error *err);
int sorai_trainer_evaluate(sora_trainer *t, const sora_batch *batch, double noise, uint64_t seed, int ema, float *losses, sora_error *err);
int sorai_trainer_apply(sora_trainer *t, const sora_tensor *video, sora_tensor **out, sora_error *err);

/* checkpoint.c, export.c */
int sorai_trainer_save(sora_trainer *t, const char *path, sora_error *err);
int sorai_trainer_load(sora_trainer *t, const char *path, sora_error *err);
int sorai_trainer_export(sora_trainer *t, const char *path, const char *with, int32_t weights, sora_error *err);

/* For the kinds. */
/* Adds a part with a config from the recipe (json under `key`, referenced) and opens its store: new, or looked up in recipe.init. */
int sorai_trainer_add_part(sora_trainer *t, const char *name, const char *key, sorai_trained_part **out, sora_error *err);
/* Asks the host for the batch of (step, part) and checks its shape. */
int sorai_trainer_batch(sora_trainer *t, uint64_t step, uint32_t part, sora_batch *batch, sora_error *err);
/* u8 video [n, f, h, w, 3] -> f32 in -1..1 on the device. */
sora_tensor *sorai_trainer_video(sora_trainer *t, const sora_tensor *video);
/* f32 device video in -1..1 -> u8 host tensor. */
int sorai_trainer_bytes(sora_trainer *t, sora_tensor *video, sora_tensor **out, sora_error *err);
/* Standard normal noise of a shape, from (seed, stream). */
sora_tensor *sorai_trainer_noise(sora_trainer *t, int32_t rank, const int64_t *shape, uint64_t seed, uint64_t stream);

#endif
