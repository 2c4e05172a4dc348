/* How a latent video is made noisy for training: noise level per sample, conditions with less of it or none. */
#ifndef SORAI_TRAIN_NOISING_H
#define SORAI_TRAIN_NOISING_H

#include "lib/train/recipe.h"

/* One batch on the host, channels-last. All arrays have room for the batch. A token is what the transformer sees of patch[0] frames of
 * patch[1] x patch[2] places, which divide the latent. */
typedef struct sorai_noising {
    int64_t n, frames, height, width, channels;
    int32_t patch[3];      /* t, h, w */
    float *noisy, *target; /* [n, frames, height, width, channels]; target = noise - latent */
    float *timesteps;      /* [n, tokens]: 1000 sigma; less for tokens that are conditions, mostly 0 */
    float *weights;        /* [n, frames, height, width]: 0 in conditions, elsewhere so that the mean is 1, times those of the batch */
} sorai_noising;

int64_t sorai_noising_tokens(const sorai_noising *noising); /* of one sample */

/* latents: [n, channels, frames, height, width] and place_weights: [n, frames, height, width] or NULL, as the host gives them. sigma < 0: drawn for
 * each sample by the recipe, with its masks; else fixed, without masks. Everything random comes from (seed, stream). */
void sorai_noising_fill(const sorai_noising *noising, const sorai_recipe *recipe, const float *latents, const float *place_weights, double sigma,
                        uint64_t seed, uint64_t stream);

#endif
