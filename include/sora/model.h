/* libsora: models: weights and configs of a transformer, a video autoencoder, a text encoder and a tokenizer. Since 0.1.
 *
 * A model is opened from a .sora file, from a folder in the diffusers layout, or from single files of weights. It is read-only and may be shared by any number of
 * threads and pipelines. Parts are read when a pipeline first needs them. */
#ifndef SORA_MODEL_H
#define SORA_MODEL_H

#include "sora/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which transformer a LoRA is for: each of them; of two experts the one for high noise; the one for low noise. */
#define SORA_LORA_ALL 0
#define SORA_LORA_HIGH 1
#define SORA_LORA_LOW 2

typedef struct sora_model_opts {
    uint32_t struct_size; /* set by init */
    uint32_t flags;       /* 0 */
    const char *device;   /* name of a backend of the context; NULL: "cpu" */
    /* Of the matrix products: 0 (default: of the next two, what the processor multiplies fastest), SORA_DTYPE_F32 (exact), SORA_DTYPE_BF16, or
     * SORA_DTYPE_I8: the linear layers of a transformer's blocks in int8, weights for each output channel, activations for each row and 512
     * channels as they come; all else as with 0. */
    int32_t dtype;
    int32_t reserved;     /* 0 */
    /* Single files (paths; NULL: none), in place of a model or of parts of one. Weights: safetensors, GGUF or .pth, under the names of
     * diffusers, of Wan's authors or of ComfyUI. Without a config.json beside a file, its shapes and the family's published values give one. */
    const char *transformer, *transformer_2; /* transformer_2: the one for low noise, of models with two experts */
    const char *vae, *text_encoder;
    const char *image_encoder;     /* CLIP, of image-to-video models */
    const char *tokenizer;         /* tokenizer.json or spiece.model, or a folder with one */
    const char *const *loras;      /* lora_count paths: added to the transformer's weights as they are read, or applied beside those that stay as they
                                      are stored (fewer than 16 bits). A tensor in one that fits no weight is an error */
    const double *lora_strengths;  /* lora_count factors; NULL: 1 each */
    const int32_t *lora_targets;   /* lora_count of SORA_LORA_*; NULL: every transformer */
    uint32_t lora_count;           /* at most 64 */
    uint32_t reserved2;            /* 0 */
} sora_model_opts;

SORA_API int sora_model_opts_init(sora_model_opts *opts, size_t size);

/* The caller's own I/O: any thread, at most one call at a time. read_at gives the bytes it read: n, or fewer or a negative number on failure. */
typedef struct sora_io {
    void *user;
    int64_t (*read_at)(void *user, uint64_t offset, void *dst, size_t n);
    uint64_t size;
    const char *name; /* for messages; NULL: "model" */
} sora_io;

/* Opens a .sora file, a diffusers folder, or a single file of weights. path may be NULL when opts names single files; given both, those
 * replace parts of the model. opts NULL: defaults. On failure *out is NULL: SORA_E_NOTFOUND, SORA_E_FORMAT (message names
 * file and field), SORA_E_UNSUPPORTED, SORA_E_NOMEM, SORA_E_IO. Any thread. */
SORA_API SORA_WUR int sora_model_open(sora_model **out, sora_context *ctx, const char *path, const sora_model_opts *opts, sora_error *err);
/* Opens a .sora file or a single file of weights through callbacks; io is copied, its user must live as long as the model. */
SORA_API SORA_WUR int sora_model_open_io(sora_model **out, sora_context *ctx, const sora_io *io, const sora_model_opts *opts,
                                         sora_error *err);
SORA_API sora_model *sora_model_ref(sora_model *model);
SORA_API void sora_model_unref(sora_model **model);

/* Parts, as bits. */
#define SORA_PART_TRANSFORMER 1u
#define SORA_PART_VAE 2u
#define SORA_PART_TEXT_ENCODER 4u
#define SORA_PART_TOKENIZER 8u
#define SORA_PART_PROBE 16u /* the classifier that judges a shipped model */

typedef struct sora_model_desc {
    uint32_t struct_size;   /* set by the caller before the call */
    uint32_t parts;         /* SORA_PART_* present */
    const char *format;     /* "sora", "diffusers folder"; of single files "safetensors", "gguf", "pytorch", "files" when they differ */
    const char *family;     /* "wan" */
    const char *name;       /* from the file, or "" */
    uint64_t parameters;    /* of all parts */
    int32_t latent_channels, temporal_factor, spatial_factor; /* of the autoencoder: 16, 4, 8; 0 when absent */
    int32_t patch_t, patch_h, patch_w;                        /* of the transformer */
    int32_t text_length;                                      /* L of its text input */
    int32_t default_width, default_height, default_frames, default_steps;
    double default_fps, default_guidance, default_shift;
    double default_guidance_given; /* guidance where clips are gone on from, whose frames say most of what the prompt asks for; mostly default_guidance */
    double default_guidance_until; /* noise level below which steps go without guidance; mostly 0: none */
} sora_model_desc;

/* Strings are valid while the model lives. */
SORA_API int sora_model_info(const sora_model *model, sora_model_desc *out);
/* Everything known, as JSON (format, parts with configs, tensors with types and shapes): the text of `sora info --json`. The caller frees
 * nothing: it belongs to the model. All files are checked first, checksums included. NULL on failure (SORA_E_FORMAT ...). Any thread. */
SORA_API const char *sora_model_json(sora_model *model, sora_error *err);

/* Ids of a text after clean-up and truncation, end token included, no padding. Writes at most `capacity` ids, gives their whole number in
 * *count. SORA_E_NOTFOUND without a tokenizer. */
SORA_API int sora_model_tokenize(sora_model *model, const char *utf8, size_t length, int32_t *ids, size_t capacity, size_t *count,
                                 sora_error *err);

/* Writes an open model, single files and LoRAs included: see sora_model_convert for to_path and weights. Whole or not at all. Since 0.1. */
SORA_API SORA_WUR int sora_model_save(sora_model *model, const char *to_path, int32_t weights, sora_error *err);

/* Converts a model. to_path: a name ending in .sora gives one file, anything else a folder. weights: 0 keeps the types, else
 * SORA_DTYPE_F32, SORA_DTYPE_BF16 or SORA_DTYPE_I8 (rows scaled, matrices only). Whole or not at all. */
SORA_API SORA_WUR int sora_model_convert(sora_context *ctx, const char *from_path, const char *to_path, int32_t weights, sora_error *err);

#ifdef __cplusplus
}
#endif
#define sora_model_opts_init(opts) sora_model_opts_init((opts), sizeof *(opts))
#endif
