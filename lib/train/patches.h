/* A transformer with smaller patches goes on from one with larger ones: it sees more tokens, each of less. */
#ifndef SORAI_TRAIN_PATCHES_H
#define SORAI_TRAIN_PATCHES_H

#include "lib/train/trainer.h"

typedef struct sorai_patches {
    const sorai_trained_part *part;
    int32_t large[3], small[3]; /* t, h, w: what init sees as one token, and the network that is trained */
} sorai_patches;

/* Where recipe.grow is set and the patches of init's transformer are multiples of `patch`, from now on the part looks its first weights up through
 * `patches`, which must outlive the binding: the embedding of a place is the sum of those that it had in a large patch (so that a picture of one
 * value is embedded as it was), what the head makes of it their mean. Everything else is as in init. */
int sorai_patches_open(sorai_patches *patches, sorai_trained_part *part, const int32_t patch[3], int32_t grow, sora_error *err);

#endif
