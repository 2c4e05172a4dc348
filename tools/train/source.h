/* Where the clips of a training come from: the world, or a folder of files. A clip has a number of 64 bits, which caches of latents keep. */
#ifndef SORA_TOOLS_TRAIN_SOURCE_H
#define SORA_TOOLS_TRAIN_SOURCE_H

#include <jansson.h>
#include <stdint.h>

#include "tools/world/world.h"

#define DATA_CAPTION 1024

/* Samples of one size. */
typedef struct bucket {
    int index; /* place in the recipe's list */
    int width, height, frames, batch;
    double share;    /* of the batches */
    int shots;       /* told shot by shot: cuts lie in the middle, and the halves have texts of their own */
    double from, to; /* of the training, 0..1, in which the bucket is used: a curriculum */
    world_limits limits;
    uint64_t drawn;  /* hash of what the recipe says of its scenes */
    struct latent_cache *cache; /* latents for training, or NULL */
    struct latent_cache *held;  /* latents of held-out clips: of data's main bucket, else NULL */
    uint64_t own;               /* clips of a cache of its own, when the recipe says so for the bucket; else 0 */
    uint64_t clips, held_clips; /* entries of the caches that are used */
    int cached_frames;          /* of the clips in the cache, of which an image is the first */
} bucket;

typedef struct clip_source clip_source;
struct clip_source {
    int attributes;       /* WORLD_ATTRS: labels are known, and captions with a wrong word can be had; 0: neither */
    int endless;          /* any number of clips, for any bucket */
    uint64_t fingerprint; /* of the clips behind the numbers: a cache made of others is made again. 0: what a bucket draws says it */
    /* split: WORLD_TRAIN or WORLD_HELDOUT; they have no clip in common. */
    /* Clips of a bucket; not asked of an endless source. */
    uint64_t (*count)(const clip_source *s, const bucket *b, int split);
    /* The clip that 64 random bits choose; clip number `index` of a cache. */
    uint64_t (*choose)(const clip_source *s, const bucket *b, int split, uint64_t bits);
    uint64_t (*entry)(const clip_source *s, const bucket *b, int split, uint64_t index);
    /* RGB bytes [b->frames][b->height][b->width][3]. SORA_OK or an error. */
    int (*frames)(clip_source *s, const bucket *b, int split, uint64_t clip, uint8_t *rgb);
    /* One of the clip's captions, by `seed`; shown: how many frames of it are seen; shot: of the whole clip (0), or of its first or second half. swap >= 0: with a wrong value of that attribute if the
     * clip shows it, *swapped counts those. labels: `attributes` values, -1 = not visible; NULL: not wanted. */
    int (*describe)(clip_source *s, const bucket *b, int split, uint64_t clip, uint64_t seed, int shown, int shot, int swap, int *swapped,
                    char caption[DATA_CAPTION], int32_t *labels);
    /* How much each place of a clip's latents counts in the loss, mean 1: [latent[1]][latent[2]][latent[3]]; latent: channels, frames, height,
     * width. NULL: all the same. */
    int (*weigh)(const clip_source *s, const bucket *b, int split, uint64_t clip, const int64_t latent[4], float *weights);
    void (*close)(clip_source *s);
};

/* data: the recipe's object of that name. On failure prints one line and returns an exit code; else 0. */
int source_world_open(clip_source **out, json_t *data, uint64_t seed, double fps);
/* Files are read once here; those that cannot be used are named on stderr. Buckets without a file get no share. captions: files without
 * a text beside them are not used. */
int source_folder_open(clip_source **out, json_t *data, double fps, bucket *buckets, int count, int captions);

/* Deterministic bits from two numbers; bits as a number in [0, 1). */
static inline uint64_t source_mix(uint64_t a, uint64_t b) {
    uint64_t z = a + 0x9e3779b97f4a7c15u * (b + 1);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline double source_unit(uint64_t bits) {
    return (double)(bits >> 11) * 0x1p-53;
}

#endif
