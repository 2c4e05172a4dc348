/* Batches for `sora train`: clips of the world or of a folder, made as they are needed, or latents from a cache. What a batch
 * holds is a function of the recipe's seed, the step and the part alone. */
#ifndef SORA_TOOLS_TRAIN_DATA_H
#define SORA_TOOLS_TRAIN_DATA_H

#include <jansson.h>
#include <stdint.h>

#include <sora/sora.h>

#include "tools/train/source.h"

#define DATA_MAX_BUCKETS 32
#define DATA_MEASURE_STEP ((uint64_t)1 << 40) /* steps from here on are asked for at export */

typedef struct data {
    sora_context *ctx;
    uint64_t seed, steps;
    double fps;
    int kind;                   /* 'v' autoencoder, 't' transformer, 'p' probe */
    bucket buckets[DATA_MAX_BUCKETS];
    int bucket_count;
    int main_bucket;            /* whose held-out latents a transformer is measured on */
    clip_source *source;
    char *captions;             /* text of the present batch, DATA_CAPTION bytes each */
    const char **caption_list;
    char *later;                /* the same of the second shots */
    const char **later_list;
    int32_t *labels;
    float *weights;             /* of the places of the present batch's latents; room for weight_room */
    int64_t weight_room;
    sora_tensor *video;
    int capacity;
} data;

/* Narrows limits by the "world" object of a recipe's data. On failure prints one line and returns an exit code; else 0. */
int data_limits(world_limits *l, json_t *world);

/* Reads the "data" object of a recipe. On failure prints one line and returns an exit code; else 0. */
int data_open(data *d, sora_context *ctx, json_t *recipe);
void data_close(data *d);

/* The callback for sora_trainer_set_data; user is the data. */
int data_batch(void *user, uint64_t step, uint32_t part, sora_batch *batch);

/* Fills a batch with clips of bucket b that `seed` chooses; split WORLD_TRAIN or WORLD_HELDOUT. swap >= 0: captions with a wrong value of that
 * attribute (clips where it does not show keep their caption; *swapped counts the others). SORA_E_NOTFOUND: there are none. */
int data_fill(data *d, const bucket *b, uint64_t seed, int split, int swap, sora_batch *batch, int *swapped);

/* The first frame's latent stands alone, so a cache of clips serves images too. */
typedef struct latent_cache latent_cache;
/* Opens PATH, or makes it with the autoencoder of `model`: the first `clips` clips of bucket b, normalised latents in 16 bits. */
int cache_open(latent_cache **out, sora_context *ctx, const char *path, const char *model, clip_source *source, const bucket *b, uint64_t clips,
               int split);
void cache_close(latent_cache *c);
void cache_shape(const latent_cache *c, int64_t shape[4]);               /* channels, frames, height, width */
uint64_t cache_clip(const latent_cache *c, uint64_t index);             /* number of the clip of an entry */
void cache_read(const latent_cache *c, uint64_t index, int64_t frames, float *out); /* the first `frames` latent frames */

#endif
