/* LTX-Video: the transformer (LTXVideoTransformer3DModel in diffusers) and the video autoencoder (AutoencoderKLLTXVideo), written once
 * for training and inference. The text encoder is a T5 (lib/text).
 *
 * Video and latents are channels-last, [b, t, h, w, c]. */
#ifndef SORAI_LTX_LTX_H
#define SORAI_LTX_LTX_H

#include "lib/ops/ops.h"
#include "lib/ops/step_cache.h"

typedef struct sorai_ltx_linear {
    sorai_param *weight, *bias; /* bias may be NULL */
} sorai_ltx_linear;

/* ---- transformer.c ------------------------------------------------------------------------------------------------ */

/* The values of the config file, under its names; what the file leaves out takes diffusers' default. */
typedef struct sorai_ltx_config {
    int32_t in_channels, out_channels; /* of a token: latent channels * patch_size_t * patch_size^2 */
    int32_t patch_size, patch_size_t;
    int32_t num_attention_heads, attention_head_dim;
    int32_t num_layers, caption_channels;
    int32_t attention_bias, attention_out_bias, norm_elementwise_affine;
    double norm_eps;
} sorai_ltx_config;

/* Says what is wrong with numbers that came from a file: SORA_E_FORMAT with the field's name. */
int sorai_ltx_config_check(const sorai_ltx_config *config, sora_error *err);

typedef struct sorai_ltx_attention {
    sorai_ltx_linear q, k, v, out;
    sorai_param *norm_q, *norm_k;
} sorai_ltx_attention;

typedef struct sorai_ltx_block {
    sorai_ltx_attention self, cross;
    sorai_param *norm1, *norm2; /* NULL without norm_elementwise_affine */
    sorai_ltx_linear up, down;
    sorai_param *table; /* [6, dim] */
} sorai_ltx_block;

typedef struct sorai_ltx {
    sorai_ltx_config config;
    int32_t dim; /* heads * head dimension */
    sorai_mem *mem;
    sorai_ltx_linear proj_in, proj_out, time1, time2, time_proj, text1, text2;
    sorai_param *table; /* [2, dim] */
    sorai_ltx_block *blocks;
} sorai_ltx;

/* Binds all parameters under their diffusers names. The store must outlive ltx. */
int sorai_ltx_bind(sorai_ltx *ltx, sorai_store *store, const sorai_ltx_config *config, sora_error *err);
void sorai_ltx_release(sorai_ltx *ltx); /* the list of blocks; parameters are the store's */

/* Keys and values of the text for each layer, computed once. A temporary of the exec. */
typedef struct sorai_ltx_prompt {
    int64_t batch;
    int32_t layers;
    int32_t *lengths; /* of the texts, one per sample; NULL: all rows count */
    struct {
        sora_tensor *k, *v;
    } *layer;
} sorai_ltx_prompt;

/* text [b, rows, caption_channels]; lengths: b host counts of the rows that are attended to, NULL: all. */
sorai_ltx_prompt *sorai_ltx_prepare(sorai_exec *x, const sorai_ltx *ltx, sora_tensor *text, const int32_t *lengths);

/* Sample i of a prompt of several. */
const sorai_ltx_prompt *sorai_ltx_prompt_sample(sorai_exec *x, const sorai_ltx_prompt *prompt, int64_t i);

/* What the blocks are told of one timestep, [1, 6 dim]. */
sora_tensor *sorai_ltx_told(sorai_exec *x, const sorai_ltx *ltx, float timestep);

/* Latent frames that stand beside the latent's own, as tokens in front of them: given, so their timestep is 0. */
typedef struct sorai_ltx_keys {
    sora_tensor *latent; /* [1, n, h, w, c], n a multiple of patch_size_t */
    const int64_t *at;   /* n: frames of the video that they begin at */
} sorai_ltx_keys;

/* Where tokens lie. */
typedef struct sorai_ltx_places {
    double scale[3]; /* how far apart neighbours in time (in seconds: temporal factor / frame rate) and space (pixels: the spatial factor) are */
    int32_t first;   /* 1: a latent frame lies where the first of its frames does, 0: as if the first were as long as the others */
    double rate;     /* frames in a second, where `first` is set; time then is scale[0] * rate frames */
    const sorai_ltx_keys *keys; /* NULL: none; only where `first` is set */
} sorai_ltx_places;

/* The velocity for latent [b, t, h, w, c] -> the same shape with out channels; c = in_channels / (patch_size_t patch_size^2). timesteps:
 * b * groups host values, groups 1 or a divisor of the number of tokens (without those of keys); equal neighbours cost nothing extra. places:
 * NULL: as the bare network counts, 1 apart without base sizes. cache: NULL, or of [b, tokens with those of keys, dim]. */
sora_tensor *sorai_ltx_forward(sorai_exec *x, const sorai_ltx *ltx, sora_tensor *latent, const float *timesteps, int64_t groups,
                               const sorai_ltx_places *places, const sorai_ltx_prompt *prompt, const sorai_step_cache *cache);

/* ---- vae.c -------------------------------------------------------------------------------------------------------- */

#define SORAI_LTX_MAX_LEVELS 8
#define SORAI_LTX_MAX_LAYERS 16
#define SORAI_LTX_MAX_Z 512

/* How a level of the encoder halves: by a convolution with steps, or by joining neighbours into channels in space, time or both. */
enum sorai_ltx_down { SORAI_LTX_DOWN_CONV, SORAI_LTX_DOWN_SPATIAL, SORAI_LTX_DOWN_TEMPORAL, SORAI_LTX_DOWN_BOTH };

typedef struct sorai_ltx_vae_config {
    int32_t in_channels, out_channels, latent_channels;
    int32_t levels, decoder_levels; /* of the encoder, of the decoder */
    int32_t joins;                  /* 1: blocks as of version 0.9.5, which join channels; block_out_channels has an entry more then */
    int32_t downsample_type[SORAI_LTX_MAX_LEVELS]; /* enum sorai_ltx_down */
    int32_t block_out_channels[SORAI_LTX_MAX_LEVELS + 1], decoder_block_out_channels[SORAI_LTX_MAX_LEVELS];
    int32_t layers_per_block[SORAI_LTX_MAX_LEVELS + 1], decoder_layers_per_block[SORAI_LTX_MAX_LEVELS + 1];
    int32_t spatio_temporal_scaling[SORAI_LTX_MAX_LEVELS], decoder_spatio_temporal_scaling[SORAI_LTX_MAX_LEVELS];
    int32_t upsample_residual[SORAI_LTX_MAX_LEVELS], upsample_factor[SORAI_LTX_MAX_LEVELS];
    int32_t patch_size, patch_size_t;
    int32_t encoder_causal, decoder_causal, timestep_conditioning;
    double resnet_norm_eps, scaling_factor;
} sorai_ltx_vae_config;

int sorai_ltx_vae_config_check(const sorai_ltx_vae_config *config, sora_error *err);
int32_t sorai_ltx_vae_space_factor(const sorai_ltx_vae_config *config);
int32_t sorai_ltx_vae_time_factor(const sorai_ltx_vae_config *config);
/* What the decoder makes of a latent place, which a config may say otherwise than of the encoder. */
int32_t sorai_ltx_vae_decoded_space(const sorai_ltx_vae_config *config);
int32_t sorai_ltx_vae_decoded_time(const sorai_ltx_vae_config *config);

typedef struct sorai_ltx_res {
    sorai_ltx_linear conv1, conv2, norm3, shortcut; /* norm3 and shortcut: only where the number of channels changes */
    sorai_param *table;                             /* [4, in channels]; NULL without timestep_conditioning */
} sorai_ltx_res;

typedef struct sorai_ltx_time { /* an embedder of the decoder's timestep */
    sorai_ltx_linear up, down;
    int32_t dim;
} sorai_ltx_time;

typedef struct sorai_ltx_level {
    sorai_ltx_res first, res[SORAI_LTX_MAX_LAYERS]; /* first: conv_in (decoder) or conv_out (encoder) */
    int32_t blocks, has_first, samples;
    sorai_ltx_linear sample; /* down or up */
    sorai_ltx_time time;
    int32_t residual, factor;
    int32_t step_t, step; /* of joining neighbours; 0: a convolution with steps */
} sorai_ltx_level;

typedef struct sorai_ltx_net {
    int32_t causal, levels;
    sorai_ltx_linear conv_in, conv_out;
    sorai_ltx_level mid, level[SORAI_LTX_MAX_LEVELS];
    sorai_ltx_time time;
    sorai_param *table;
} sorai_ltx_net;

typedef struct sorai_ltx_vae {
    sorai_ltx_vae_config config;
    sorai_param *mean, *std; /* [latent_channels]: latents_mean, latents_std of the file */
    sorai_param *multiplier; /* of the decoder's timestep */
    sorai_ltx_net encoder, decoder;
} sorai_ltx_vae;

/* Binds under the diffusers names. The store must outlive vae. */
int sorai_ltx_vae_bind(sorai_ltx_vae *vae, sorai_store *store, const sorai_ltx_vae_config *config, sora_error *err);
/* video [b, f, h, w, 3], f = time factor * n + 1 -> mean [b, n + 1, h', w', z], not normalised; *logvar (may be NULL) [b, n + 1, h', w', 1], the
 * same for all channels. */
sora_tensor *sorai_ltx_vae_encode(sorai_exec *x, const sorai_ltx_vae *vae, sora_tensor *video, sora_tensor **logvar);
/* latents, not normalised -> video, not clamped. timesteps: b host values for an autoencoder with timestep_conditioning, else NULL. part: only the
 * frames and pixels of these places of the latent, the bits of the whole: every level takes no more than what the levels behind it look at; NULL:
 * all. */
typedef struct sorai_ltx_box {
    int64_t begin[3], end[3]; /* t, h, w */
} sorai_ltx_box;
sora_tensor *sorai_ltx_vae_decode(sorai_exec *x, const sorai_ltx_vae *vae, sora_tensor *latent, const float *timesteps,
                                  const sorai_ltx_box *part);
/* (mean - latents_mean) * scaling_factor / latents_std and back. */
sora_tensor *sorai_ltx_vae_normalize(sorai_exec *x, const sorai_ltx_vae *vae, sora_tensor *mean);
sora_tensor *sorai_ltx_vae_denormalize(sorai_exec *x, const sorai_ltx_vae *vae, sora_tensor *latent);

#endif
