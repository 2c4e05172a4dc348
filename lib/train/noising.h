/* How a latent video is made noisy for training: noise level per sample, condition frames without noise. */
#ifndef SORAI_TRAIN_NOISING_H
#define SORAI_TRAIN_NOISING_H

#include "lib/train/recipe.h"

/* One batch on the host, channels-last. All arrays have room for the batch. */
typedef struct sorai_noising {
    int64_t n, frames, places, channels; /* places = h * w */
    float *noisy, *target;               /* [n, frames, places, channels]; target = noise - latent */
    float *timesteps;                    /* [n, frames]: 1000 sigma, 0 for a condition frame */
    float *weights;                      /* [n, frames, places]: 0 in condition frames, in others so that the mean is 1, times those of the batch */
} sorai_noising;

/* latents: [n, channels, frames, places] and place_weights: [n, frames, places] or NULL, as the host gives them. sigma < 0: drawn for each sample by the recipe, with its masks; else fixed, without
 * masks. Everything random comes from (seed, stream). */
void sorai_noising_fill(sorai_noising *o, const sorai_recipe *recipe, const float *latents, const float *place_weights, double sigma,
                        uint64_t seed, uint64_t stream);

#endif
