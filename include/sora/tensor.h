/* libsora: tensors: arrays that go in and out: frames, latents, noise, text embeddings. Since 0.1.
 *
 * Row-major and contiguous, last axis fastest. Layouts by meaning:
 *   video frames  f32 [3, F, H, W] in -1..1       (what the stages take and give)
 *   latents       f32 [C, T, h, w], normalised as the transformer sees them
 *   text          f32 [L, D], rows past the last token are zero */
#ifndef SORA_TENSOR_H
#define SORA_TENSOR_H

#include "sora/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sora_tensor_desc {
    uint32_t struct_size; /* sizeof(sora_tensor_desc), set by the caller */
    int32_t dtype;        /* SORA_DTYPE_* */
    int32_t rank;         /* 0..SORA_MAX_RANK */
    int32_t reserved;     /* 0 */
    int64_t shape[SORA_MAX_RANK];
} sora_tensor_desc;

/* Called once when the last reference goes; from the thread that gave it back. */
typedef void (*sora_release_fn)(void *user, void *data);

/* A zeroed tensor of its own memory. On failure *out is NULL. */
SORA_API SORA_WUR int sora_tensor_create(sora_tensor **out, sora_context *ctx, const sora_tensor_desc *desc, sora_error *err);
/* A tensor over the caller's memory (no copy), which must stay valid until release is called (NULL: until the last unref). On failure
 * release is not called. */
SORA_API SORA_WUR int sora_tensor_wrap(sora_tensor **out, sora_context *ctx, const sora_tensor_desc *desc, void *data,
                                       sora_release_fn release, void *user, sora_error *err);
SORA_API sora_tensor *sora_tensor_ref(sora_tensor *tensor);
SORA_API void sora_tensor_unref(sora_tensor **tensor);
/* Type and shape; out->struct_size is set by the caller before. */
SORA_API int sora_tensor_info(const sora_tensor *tensor, sora_tensor_desc *out);
/* The bytes themselves, for reading and writing while a reference is held. Public tensors are in host memory: never NULL but for
 * NULL and empty tensors. */
SORA_API void *sora_tensor_data(const sora_tensor *tensor);
SORA_API size_t sora_tensor_bytes(const sora_tensor *tensor);

/* Named tensors in files (safetensors). Every pointer array has `count` entries. */
/* Writes all to `path` by way of a temporary file and a rename: afterwards the file is whole or as it was before. */
SORA_API SORA_WUR int sora_tensors_save(sora_context *ctx, const char *path, const char *const *names, sora_tensor *const *tensors,
                                        uint32_t count, sora_error *err);
/* Reads the tensor `name` of a safetensors file into memory of its own. SORA_E_NOTFOUND when the file has none of that name. */
SORA_API SORA_WUR int sora_tensor_load(sora_tensor **out, sora_context *ctx, const char *path, const char *name, sora_error *err);
/* What a file of tensors (safetensors or an index of several, GGUF, .pth) holds: *out is u8, JSON text with a terminating zero: format, parameters, types, metadata,
 * tensors with types and shapes. */
SORA_API SORA_WUR int sora_tensors_describe(sora_tensor **out, sora_context *ctx, const char *path, sora_error *err);

#ifdef __cplusplus
}
#endif
#endif
