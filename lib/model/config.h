/* Configs: from the JSON of a checkpoint (diffusers' and transformers' field names and defaults) to the structs of the networks. */
#ifndef SORAI_MODEL_CONFIG_H
#define SORAI_MODEL_CONFIG_H

#include <jansson.h>

#include "lib/dit/dit.h"
#include "lib/ltx/ltx.h"
#include "lib/probe/probe.h"
#include "lib/text/t5.h"
#include "lib/vae/vae.h"
#include "lib/vision/vision.h"

/* Statistics of the latents published with Wan 2.1's autoencoder: what a config of 16 channels without any means. */
extern const double sorai_vae_mean21[16], sorai_vae_std21[16];

typedef struct sorai_scheduler_config {
    int32_t solver; /* SORA_SAMPLER_* */
    double shift;
    /* Levels that the number of tokens moves: from `low` at `low_tokens` to `high` at `high_tokens`, the last level at `terminal` (0: as it
     * falls). */
    int32_t dynamic;
    double low, high, low_tokens, high_tokens, terminal;
} sorai_scheduler_config;

/* Each reads `json` (an object); a missing field has its published default, a wrong one gives SORA_E_FORMAT with part and field. */
int sorai_config_vae(json_t *json, sorai_vae_config *out, sora_error *err);
int sorai_config_dit(json_t *json, sorai_dit_config *out, sora_error *err);
int sorai_config_t5(json_t *json, sorai_t5_config *out, sora_error *err);
int sorai_config_ltx(json_t *json, sorai_ltx_config *out, sora_error *err);
int sorai_config_ltx_vae(json_t *json, sorai_ltx_vae_config *out, sora_error *err);
int sorai_config_vision(json_t *json, sorai_vision_config *out, sora_error *err);
int sorai_config_prepare(json_t *json, sorai_vision_prepare *out, sora_error *err); /* of preprocessor_config.json */
int sorai_config_probe(json_t *json, sorai_probe_config *out, sora_error *err);
/* A field whose value would give other samples than the samplers here is refused, SORA_E_UNSUPPORTED. ltx: of that family, whose number of
 * tokens may move the levels. */
int sorai_config_scheduler(json_t *json, int32_t ltx, sorai_scheduler_config *out, sora_error *err);

#endif
