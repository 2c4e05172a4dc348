/* What a training is measured by on held-out scenes, every so many steps. */
#ifndef SORA_TOOLS_TRAIN_MEASURE_H
#define SORA_TOOLS_TRAIN_MEASURE_H

#include <stdio.h>

#include "tools/train/data.h"

/* Writes rows "step,samples,name,value" to `out`: autoencoder: psnr per size; probe: accuracy per attribute; transformer: loss by noise level, and
 * per attribute the rise in loss when the caption names a wrong value, both of the data's main bucket. The autoencoder's round trips go to folder/samples.png. */
void measure(sora_trainer *t, data *d, uint64_t step, uint64_t samples, FILE *out, const char *folder);

#endif
