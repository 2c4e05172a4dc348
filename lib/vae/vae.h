/* The causal video autoencoder of the Wan family (AutoencoderKLWan in diffusers), both styles: that of Wan 2.1, and the residual
 * one of Wan 2.2 (pixels joined by `patch_size`, averaging and doubling shortcuts). Written once for training and inference.
 *
 * Everything is channels-last: video [b, f, h, w, 3] in -1..1, latents [b, t, h', w', z]. f = 1 + n * (time factor): the first frame
 * stands alone, so one frame is an image. Whole clips go through in one pass; with a stream they go through in pieces with the
 * same result, in memory that does not grow with the length. Any number of pieces gives the same values: every convolution in
 * time looks back only, and a stream keeps the last frames that it will look back at. */
#ifndef SORAI_VAE_VAE_H
#define SORAI_VAE_VAE_H

#include "lib/ops/ops.h"

#define SORAI_VAE_MAX_LEVELS 8
#define SORAI_VAE_MAX_RES 8 /* residual blocks of a level in the config; the decoder has one more */
#define SORAI_VAE_MAX_Z 256
#define SORAI_VAE_MAX_SCALES 8
#define SORAI_VAE_MAX_SLOTS 192

/* The values of the config file, under its names. */
typedef struct sorai_vae_config {
    int32_t base_dim, decoder_base_dim; /* decoder_base_dim 0: the same */
    int32_t z_dim;
    int32_t levels; /* entries of dim_mult */
    int32_t dim_mult[SORAI_VAE_MAX_LEVELS];
    int32_t num_res_blocks;
    int32_t attn_scale_count;
    double attn_scales[SORAI_VAE_MAX_SCALES]; /* encoder only: scales (1, 0.5, 0.25 ...) with attention after each block */
    int32_t temperal_downsample[SORAI_VAE_MAX_LEVELS]; /* levels - 1 of them, 0 or 1 (spelt as in the files) */
    int32_t is_residual;
    int32_t in_channels, out_channels; /* after joining pixels: 3 * patch_size^2 */
    int32_t patch_size;                /* 0 or 1: none */
    float latents_mean[SORAI_VAE_MAX_Z], latents_std[SORAI_VAE_MAX_Z];
} sorai_vae_config;

/* Says what is wrong with numbers that came from a file: SORA_E_FORMAT with the field's name. */
int sorai_vae_config_check(const sorai_vae_config *config, sora_error *err);
int32_t sorai_vae_space_factor(const sorai_vae_config *config); /* pixels per latent, each way: 8, 16 ... */
int32_t sorai_vae_time_factor(const sorai_vae_config *config);  /* frames per latent after the first: 4 ... */

typedef struct sorai_vae_conv {
    sorai_param *weight, *bias;
    int32_t slot; /* of the stream, -1: does not look back */
} sorai_vae_conv;

typedef struct sorai_vae_res {
    sorai_param *norm1, *norm2;
    sorai_vae_conv conv1, conv2, shortcut; /* shortcut.weight NULL: identity */
} sorai_vae_res;

typedef struct sorai_vae_attention {
    sorai_param *norm; /* NULL: there is none */
    sorai_vae_conv qkv, proj;
} sorai_vae_attention;

enum sorai_vae_sample { SORAI_VAE_KEEP, SORAI_VAE_SPACE, SORAI_VAE_SPACE_TIME };

typedef struct sorai_vae_level {
    int32_t in_dim, out_dim, blocks;
    sorai_vae_res res[SORAI_VAE_MAX_RES + 1];
    sorai_vae_attention attention[SORAI_VAE_MAX_RES + 1];
    enum sorai_vae_sample sample;
    sorai_vae_conv resample, time_conv;
} sorai_vae_level;

typedef struct sorai_vae_net { /* encoder or decoder */
    int32_t bound, slots;
    sorai_vae_conv conv_in, conv_out, quant; /* quant: quant_conv or post_quant_conv */
    sorai_vae_level level[SORAI_VAE_MAX_LEVELS];
    sorai_vae_res mid[2];
    sorai_vae_attention mid_attention;
    sorai_param *norm_out;
} sorai_vae_net;

typedef struct sorai_vae { /* holds no memory of its own: nothing to release; the store owns the parameters */
    sorai_vae_config config;
    sorai_vae_net encoder, decoder;
} sorai_vae;

#define SORAI_VAE_ENCODER 1
#define SORAI_VAE_DECODER 2
/* Binds the parameters of `parts` under their diffusers names. The store must outlive vae. */
int sorai_vae_bind(sorai_vae *vae, sorai_store *store, const sorai_vae_config *config, int parts, sora_error *err);

/* What convolutions look back at between the pieces of one clip. Zero-initialise; one clip of one device at a time. */
typedef struct sorai_vae_stream {
    sorai_mem *mem;
    struct {
        sora_tensor *frames; /* [b, 1 or 2, h, w, c] in memory of its own */
        int64_t capacity;    /* frames that fit */
        int32_t valid;       /* 0: this clip has left nothing here yet */
    } slot[SORAI_VAE_MAX_SLOTS];
    int32_t started[SORAI_VAE_MAX_LEVELS]; /* a level has seen the first frame */
    int32_t pieces;
    int64_t split_bytes; /* more than this goes on frame by frame: what a block gives to decode, what a level takes to encode; 0 is read as 32 MiB */
} sorai_vae_stream;
void sorai_vae_stream_begin(sorai_vae_stream *stream, sorai_mem *mem); /* a new clip; memory is kept */
void sorai_vae_stream_release(sorai_vae_stream *stream);

/* video [b, f, h, w, 3] -> mean and logvar [b, t, h', w', z] of the latent's distribution, not normalised; logvar (may be NULL)
 * clamped to -30..20. stream NULL: the whole clip. With one (never with a tape): the first piece has 1 + n * factor frames, later
 * ones n * factor. Errors: SORA_E_INVALID for sizes that do not divide. */
sora_tensor *sorai_vae_encode(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *video, sora_tensor **logvar);
/* latents [b, t, h', w', z], not normalised -> video [b, f, h, w, 3], not clamped (sorai_clamp(x, v, -1, 1) gives pictures). With a
 * stream any number of latent frames per piece, in order; the first one gives one frame, others `time factor` frames. */
sora_tensor *sorai_vae_decode(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *latent);
/* The same in two parts, so that the second, which takes nearly all of the memory, can be done window by window: the middle of the network,
 * whose attention sees whole frames (latents -> [b, t, h', w', c]), and the levels from there on, which look a few pixels further only. With a
 * stream, each window is a clip of its own. A window has the same bits as its place in the whole. NULL: all of the frame. */
typedef struct sorai_vae_window {
    int64_t y, x, h, w; /* of the latent */
} sorai_vae_window;
sora_tensor *sorai_vae_decode_middle(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *latent);
sora_tensor *sorai_vae_decode_window(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *middle,
                                     const sorai_vae_window *window);
/* Encoding in the same two parts, the other way round: the levels in front of the last, window by window, and what is left, whose attention sees
 * whole frames. A window takes the pixels of its reach; `size` is of the latent (height, width). Only where no level has attention of its own. */
int sorai_vae_encodes_windows(const sorai_vae_config *config);
sorai_vae_window sorai_vae_encode_reach(const sorai_vae *vae, const int64_t size[2], const sorai_vae_window *window);
sora_tensor *sorai_vae_encode_window(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *video, const int64_t size[2],
                                     const sorai_vae_window *window); /* -> the window's place of [b, t, h', w', c] */
sora_tensor *sorai_vae_encode_middle(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *front, sora_tensor **logvar);
/* Between the distribution's numbers and those that the transformer sees: (mean - latents_mean) / latents_std and back. */
sora_tensor *sorai_vae_normalize(sorai_exec *x, const sorai_vae *vae, sora_tensor *mean);
sora_tensor *sorai_vae_denormalize(sorai_exec *x, const sorai_vae *vae, sora_tensor *latent);

#endif
