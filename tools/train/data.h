/* Batches for `sora train`: clips of the world rendered as they are needed, or latents from a cache. What a batch holds is a function of the
 * recipe's seed, the step and the part alone. */
#ifndef SORA_TOOLS_TRAIN_DATA_H
#define SORA_TOOLS_TRAIN_DATA_H

#include <jansson.h>
#include <stdint.h>

#include <sora/sora.h>

#include "tools/world/world.h"

#define DATA_MAX_BUCKETS 32
#define DATA_MEASURE_STEP ((uint64_t)1 << 40) /* steps from here on are asked for at export */

/* Samples of one size. */
typedef struct bucket {
    int width, height, frames, batch;
    double share;          /* of the batches */
    double from, to;       /* of the training, 0..1, in which the bucket is used: a curriculum */
    world_limits limits;
    struct latent_cache *cache; /* latents for training, or NULL */
    struct latent_cache *held;  /* latents of held-out scenes: in one bucket, that of the longest clips */
} bucket;

typedef struct data {
    sora_context *ctx;
    uint64_t seed, steps;
    double fps, long_captions;  /* share of long captions */
    int kind;                   /* 'v' autoencoder, 't' transformer, 'p' probe */
    bucket buckets[DATA_MAX_BUCKETS];
    int bucket_count;
    uint64_t clips, held_clips; /* that a cache holds */
    char *captions;             /* text of the present batch, DATA_CAPTION bytes each */
    const char **caption_list;
    int32_t *labels;
    sora_tensor *video;
    int capacity;
} data;

#define DATA_CAPTION 1024

/* Narrows limits by the "world" object of a recipe's data. On failure prints one line and returns an exit code; else 0. */
int data_limits(world_limits *l, json_t *world);

/* Reads the "data" object of a recipe. On failure prints one line and returns an exit code; else 0. */
int data_open(data *d, sora_context *ctx, json_t *recipe);
void data_close(data *d);

/* The callback for sora_trainer_set_data; user is the data. */
int data_batch(void *user, uint64_t step, uint32_t part, sora_batch *batch);

/* Fills a batch with scenes of bucket b from `seed` on; split WORLD_TRAIN or WORLD_HELDOUT. swap >= 0: captions with a wrong value of that
 * attribute (scenes where it does not show keep their caption; *swapped counts the others). */
int data_fill(data *d, const bucket *b, uint64_t seed, int split, int swap, sora_batch *batch, int *swapped);

/* The first frame's latent stands alone, so a cache of clips serves images too. */
typedef struct latent_cache latent_cache;
/* Opens PATH, or makes it with the autoencoder of `model`: `clips` clips of bucket b, seeds 0.., normalised latents in 16 bits. */
int cache_open(latent_cache **out, sora_context *ctx, const char *path, const char *model, const bucket *b, double fps, uint64_t clips,
               uint64_t seed, int split);
void cache_close(latent_cache *c);
void cache_shape(const latent_cache *c, int64_t shape[4]);               /* channels, frames, height, width */
uint64_t cache_scene(const latent_cache *c, uint64_t index);             /* seed of the scene of an entry */
void cache_read(const latent_cache *c, uint64_t index, int64_t frames, float *out); /* the first `frames` latent frames */

#endif
