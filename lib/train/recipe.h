/* A recipe: the JSON text that a training is described by (docs/training.md). */
#ifndef SORAI_TRAIN_RECIPE_H
#define SORAI_TRAIN_RECIPE_H

#include <jansson.h>

#include "lib/train/optimizer.h"

enum sorai_train_kind { SORAI_TRAIN_VAE, SORAI_TRAIN_TRANSFORMER, SORAI_TRAIN_PROBE };

/* Ways of conditioning, as shares of the samples; what is left to 1 has no condition. */
typedef struct sorai_mask_shares {
    double first, last, ends, gaps;
    double regions; /* of the batches: in these, and only these, a box of places is made or given */
    double noisy;   /* of the samples with conditions: these have noise left, less than the rest of the sample */
} sorai_mask_shares;

typedef struct sorai_recipe {
    json_t *root;               /* owned */
    enum sorai_train_kind kind;
    uint64_t seed;
    int32_t parts;              /* batches whose gradients make one step */
    int32_t product;            /* SORA_DTYPE_F32 or _BF16; 0: what this processor multiplies fastest */
    const char *init;           /* a model whose weights the training begins with, or NULL; borrowed from root */
    int32_t grow;               /* networks larger than init's: its values fill the first places, the rest is new */
    json_t *freeze;             /* NULL, or beginnings of the names of parameters that stay as they are; borrowed from root */
    const char *tokenizer;      /* a tokenizer file, or NULL: the one of init */
    sorai_optimizer_config optimizer;
    struct {
        double gradient, temporal, kl; /* weights beside L1's 1 */
    } vae;
    struct {
        double caption_drop, shift, mean, deviation; /* sigma = shifted(logistic(normal(mean, deviation))); deviation 0: uniform */
        sorai_mask_shares masks;
    } transformer;
} sorai_recipe;

/* Unknown fields are refused, but for "data" and "comment", which are the program's. */
int sorai_recipe_parse(sorai_recipe *recipe, const char *text, size_t length, sora_error *err);
void sorai_recipe_release(sorai_recipe *recipe);

#endif
