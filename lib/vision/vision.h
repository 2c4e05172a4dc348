/* The image encoder of the Wan family's image-to-video models (CLIPVisionModel and CLIPVisionModelWithProjection in transformers), and the
 * preparation of its pictures. The transformer is given the hidden states before the last layer, so the last layer, the norm behind it
 * and the projection are not bound at all. */
#ifndef SORAI_VISION_VISION_H
#define SORAI_VISION_VISION_H

#include "lib/ops/ops.h"

enum sorai_vision_act { SORAI_VISION_GELU, SORAI_VISION_QUICK_GELU, SORAI_VISION_GELU_TANH };

/* The values of the config file, under its names; what the file leaves out takes transformers' default. */
typedef struct sorai_vision_config {
    int32_t hidden_size, intermediate_size, num_hidden_layers, num_attention_heads;
    int32_t num_channels, image_size, patch_size;
    enum sorai_vision_act hidden_act;
    double layer_norm_eps;
} sorai_vision_config;

/* Says what is wrong with numbers that came from a file: SORA_E_FORMAT with the field's name. */
int sorai_vision_config_check(const sorai_vision_config *config, sora_error *err);
int64_t sorai_vision_rows(const sorai_vision_config *config); /* of one picture: its patches and one for the whole */

typedef struct sorai_vision_linear {
    sorai_param *weight, *bias;
} sorai_vision_linear;

typedef struct sorai_vision_layer {
    sorai_vision_linear norm1, norm2; /* weight and bias of an affine norm */
    sorai_vision_linear q, k, v, out, up, down;
} sorai_vision_layer;

typedef struct sorai_vision {
    sorai_vision_config config;
    sorai_mem *mem;
    sorai_param *class_embedding, *patch, *positions;
    sorai_vision_linear pre_norm;
    sorai_vision_layer *layers; /* num_hidden_layers - 1 */
} sorai_vision;

/* Binds the parameters under their transformers names, with or without "vision_model." in front. The store must outlive vision. */
int sorai_vision_bind(sorai_vision *vision, sorai_store *store, const sorai_vision_config *config, sora_error *err);
void sorai_vision_release(sorai_vision *vision); /* the list of layers; parameters are the store's */

/* pixels [b, c, size, size], as sorai_vision_pixels makes them -> [b, rows, hidden_size]: hidden_states[-2] of the reference. */
sora_tensor *sorai_vision_forward(sorai_exec *x, const sorai_vision *vision, sora_tensor *pixels);

/* ---- pictures ------------------------------------------------------------------------------------------------------------ */

/* Filters, by the numbers that files use. */
enum sorai_filter {
    SORAI_FILTER_NEAREST = 0,
    SORAI_FILTER_LANCZOS = 1,
    SORAI_FILTER_BILINEAR = 2,
    SORAI_FILTER_BICUBIC = 3,
    SORAI_FILTER_BOX = 4,
    SORAI_FILTER_HAMMING = 5
};

/* rgb [height, width, 3] -> out [to_height, to_width, 3], the bytes that Pillow 13 gives (weights of 22 bits, bytes between the two
 * passes). Sizes are positive. SORA_E_NOMEM. */
int sorai_resize_rgb(sorai_mem *mem, const uint8_t *rgb, int32_t width, int32_t height, uint8_t *out, int32_t to_width, int32_t to_height,
                     enum sorai_filter filter, sora_error *err);

/* What is done to a picture before the encoder sees it: the values of preprocessor_config.json. */
typedef struct sorai_vision_prepare {
    int32_t resize, crop, rescale, normalize; /* 0 or 1: whether the step is done, in this order */
    int32_t shortest;                         /* the shorter side becomes this, the other follows; 0: height x width */
    int32_t height, width;
    int32_t crop_height, crop_width;
    enum sorai_filter filter;
    double factor;
    float mean[3], std[3];
} sorai_vision_prepare;

/* The processor's own defaults (CLIPImageProcessor). */
void sorai_vision_prepare_init(sorai_vision_prepare *prepare);
/* rgb [height, width, 3] -> *out: host tensor f32 [3, h, w]. SORA_E_INVALID when the result would not be size x size as the encoder wants,
 * SORA_E_NOMEM. */
int sorai_vision_pixels(sora_tensor **out, sorai_mem *mem, const sorai_vision_prepare *prepare, const uint8_t *rgb, int32_t width,
                        int32_t height, int32_t size, sora_error *err);

#endif
