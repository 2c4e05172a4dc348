/* What a run, or one half of the autoencoder, takes with a plan as it stands, beyond what is there. choose.c goes by it. */
#ifndef SORAI_PIPELINE_ESTIMATE_H
#define SORAI_PIPELINE_ESTIMATE_H

#include "lib/pipeline/pipeline.h"

enum sorai_most { SORAI_MOST_DENOISING /* or text */, SORAI_MOST_ENCODING, SORAI_MOST_DECODING }; /* where the most is taken */

/* tokens: of the longest text that is encoded, 0: none is. after: what stays until the pipeline goes. */
int sorai_estimate_run(sora_pipeline *p, const sorai_plan *plan, int32_t tokens, uint64_t *after, uint64_t *peak, enum sorai_most *most,
                       sora_error *err);
int sorai_estimate_decoding(sora_pipeline *p, const sorai_plan *plan, uint64_t *bytes, sora_error *err);
int sorai_estimate_encoding(sora_pipeline *p, const sorai_plan *plan, uint64_t *bytes, sora_error *err);

#endif
