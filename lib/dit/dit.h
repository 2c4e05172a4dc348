/* The video diffusion transformer of the Wan family (WanTransformer3DModel and WanVACETransformer3DModel in diffusers), written once for
 * training and inference: text-to-video, image-to-video with added image keys and values, a control branch (VACE), and times per sample,
 * per frame or per token.
 *
 * Latents and velocities are channels-last, [b, t, h, w, c]; files and stages hold [c, t, h, w], sorai_dit_from_planes and
 * sorai_dit_to_planes go between the two. */
#ifndef SORAI_DIT_DIT_H
#define SORAI_DIT_DIT_H

#include "lib/ops/ops.h"
#include "lib/ops/step_cache.h"

#define SORAI_DIT_MAX_CONTROLS 256

/* The values of the config file, under its names; what the file leaves out takes diffusers' default. */
typedef struct sorai_dit_config {
    int32_t patch_size[3]; /* t, h, w */
    int32_t num_attention_heads, attention_head_dim;
    int32_t in_channels, out_channels;
    int32_t text_dim, freq_dim, ffn_dim, num_layers;
    int32_t cross_attn_norm; /* 1: an affine layer norm before the text attention */
    double eps;
    int32_t image_dim;         /* 0: no image embedder */
    int32_t added_kv_proj_dim; /* 0: no image keys and values */
    int32_t pos_embed_seq_len; /* 0: no positions in the image embedder; else the exact number of image rows */
    int32_t vace_in_channels;  /* 0: no control branch */
    int32_t vace_count;        /* blocks of the control branch */
    int32_t rope_trained_side; /* latents along a picture's longer side in training: positions of larger ones are drawn together; 0: they are not */
    int32_t vace_layers[SORAI_DIT_MAX_CONTROLS]; /* the layers behind which their results are added: ascending, the first is 0 */
} sorai_dit_config;

/* Says what is wrong with numbers that came from a file: SORA_E_FORMAT with the field's name. */
int sorai_dit_config_check(const sorai_dit_config *config, sora_error *err);

typedef struct sorai_dit_linear {
    sorai_param *weight, *bias;
} sorai_dit_linear;

typedef struct sorai_dit_attention {
    sorai_dit_linear q, k, v, out;
    sorai_param *norm_q, *norm_k;
    sorai_dit_linear image_k, image_v; /* NULL without added_kv_proj_dim */
    sorai_param *norm_image_k;
} sorai_dit_attention;

typedef struct sorai_dit_block {
    sorai_dit_attention self, cross;
    sorai_param *norm_weight, *norm_bias; /* before cross; NULL without cross_attn_norm */
    sorai_dit_linear up, down;            /* of the feed-forward part */
    sorai_param *table;                   /* [1, 6, dim]: shift, scale, gate of attention, then of feed-forward */
} sorai_dit_block;

/* A block of the control branch: the same block between two projections. */
typedef struct sorai_dit_control_block {
    sorai_dit_block block;
    sorai_dit_linear in, out; /* in: the first block only */
} sorai_dit_control_block;

typedef struct sorai_dit {
    sorai_dit_config config;
    int32_t dim; /* heads * head dimension */
    sorai_mem *mem;
    sorai_dit_linear patch, time1, time2, time_proj, text1, text2, proj_out;
    struct {
        sorai_param *norm1_weight, *norm1_bias, *norm2_weight, *norm2_bias, *pos_embed;
        sorai_dit_linear up, down;
    } image;
    sorai_param *table; /* [1, 2, dim]: shift, scale of the head */
    sorai_dit_block *blocks;
    sorai_dit_linear control_patch;
    sorai_dit_control_block *controls; /* NULL without control branch */
} sorai_dit;

/* Binds all parameters under their diffusers names. For a new network: matrices keep the variance, the head is zero, the modulation
 * is small. The store must outlive dit. */
int sorai_dit_bind(sorai_dit *dit, sorai_store *store, const sorai_dit_config *config, sora_error *err);
void sorai_dit_release(sorai_dit *dit); /* the lists of blocks; parameters are the store's */

/* What attention to text and image needs, for one batch of prompts: keys and values of each layer, computed once and used in every
 * step of a sampling loop. A temporary of the exec: it lives until the arena is rewound past it. */
typedef struct sorai_dit_prompt {
    int64_t batch;
    int32_t layers; /* num_layers, then those of the control branch */
    struct sorai_dit_prompt_layer {
        sora_tensor *k, *v;             /* [b, rows, heads, head dim] */
        sora_tensor *image_k, *image_v; /* NULL without image */
    } *layer;
    /* Texts for parts of the video: tokens from `from` on attend to this one's text, up to the next one's. Of the first `from` is 0; its
     * image serves for all. */
    int64_t from;
    struct sorai_dit_prompt *next;
} sorai_dit_prompt;

/* text [b, rows, text_dim]: all rows are attended to, without a mask (Wan fills up to 512 rows with zeros, see docs/traps.md).
 * image [b, n, image_dim] or NULL: embeddings of the condition image, only for models with an image embedder. */
sorai_dit_prompt *sorai_dit_prepare(sorai_exec *x, const sorai_dit *dit, sora_tensor *text, sora_tensor *image);

/* Sample i of a prompt of several. */
sorai_dit_prompt *sorai_dit_prompt_sample(sorai_exec *x, const sorai_dit_prompt *prompt, int64_t i);

/* What the control branch is given. */
typedef struct sorai_dit_control {
    sora_tensor *latent; /* [b, t, h, w, vace_in_channels], of the latent's size or with fewer frames: the rest counts as zeros */
    const float *scale;  /* vace_count host values, how much of each block's result is added; NULL: all of it */
} sorai_dit_control;

/* What the blocks are told of one timestep, [1, 6 dim]: their shifts, scales and gates but for each block's own table. */
sora_tensor *sorai_dit_time(sorai_exec *x, const sorai_dit *dit, float timestep);

/* The velocity for latent [b, t, h, w, in_channels] -> [b, t, h, w, out_channels]; t, h, w multiples of the patch. timesteps: b * groups
 * host values in 0..1000; groups is 1 (one per sample), the number of frames of patches, or of all patches (any number that divides
 * those: a group covers consecutive patches, frame by frame, row by row). Equal neighbours cost nothing extra. prompt: of the same
 * batch. control: for models with a control branch, and only for those; else NULL. cache: NULL, or of [b, tokens, dim]. */
sora_tensor *sorai_dit_forward(sorai_exec *x, const sorai_dit *dit, sora_tensor *latent, const float *timesteps, int64_t groups,
                               const sorai_dit_prompt *prompt);
sora_tensor *sorai_dit_forward_control(sorai_exec *x, const sorai_dit *dit, sora_tensor *latent, const sorai_dit_control *control,
                                       const float *timesteps, int64_t groups, const sorai_dit_prompt *prompt, const sorai_step_cache *cache);

/* [b, c, t, h, w] <-> [b, t, h, w, c]. */
sora_tensor *sorai_dit_from_planes(sorai_exec *x, sora_tensor *planes);
sora_tensor *sorai_dit_to_planes(sorai_exec *x, sora_tensor *video);

#endif
