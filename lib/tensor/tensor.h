/* Tensors: contiguous, row-major (last axis fastest), rank 0..8, on one device. The public handle sora_tensor is this struct.
 *
 * Two lives: `sorai_tensor_new` makes one that is reference counted and owns its memory; operations make temporaries in an arena
 * (refs == 0, unref does nothing), which live until the arena is rewound. */
#ifndef SORAI_TENSOR_TENSOR_H
#define SORAI_TENSOR_TENSOR_H

#include <stdatomic.h>

#include "lib/base/alloc.h"
#include "lib/base/error.h"

struct sorai_device;

/* Gives `data` back; user and data are those of the tensor. */
typedef void sorai_release_fn(void *user, void *data);

struct sora_tensor {
    atomic_int refs; /* 0: a temporary, belongs to an arena */
    int32_t dtype;   /* SORA_DTYPE_* */
    int32_t rank;
    int64_t shape[SORA_MAX_RANK];
    void *data;
    struct sorai_device *device; /* NULL: host memory */
    sorai_mem *mem;              /* the struct's own memory */
    sorai_release_fn *release;
    void *release_user;
    sora_context *context;       /* referenced by public tensors, else NULL */
    void (*context_unref)(sora_context **context); /* called last of all, when context is set */
    /* of weights that stay as they are stored (sorai_dtype_small), referenced; else NULL. The weight is data times scale, f32: one number, or one for each
     * row (of the first axis); and to what x [.., columns] gives with it comes up (down x), down [rank, columns] and up [rows, rank] of f32 or bf16 */
    struct sora_tensor *scale, *down, *up;
    /* while a tape is active */
    struct sora_tensor *grad; /* f32, same shape, or NULL; see lib/ops/tape.h */
    struct sora_tensor *base; /* of a view: whose memory it is; else NULL */
    int32_t holders;          /* of a gradient: how many tensors have it, or a view of it, as theirs */
    int32_t needs_grad;
};

/* Weights as files store them have element types of their own, inside the library only: eight-bit floats, and GGUF's blocks, which hold 32 or 256
 * values. Extents count values; data are whole blocks. In the order of enum sorak_dtype and enum sorai_encoding. */
enum {
    SORAI_DTYPE_F8_E4M3 = 64, SORAI_DTYPE_F8_E5M2,
    SORAI_DTYPE_Q4_0, SORAI_DTYPE_Q4_1, SORAI_DTYPE_Q5_0, SORAI_DTYPE_Q5_1, SORAI_DTYPE_Q8_0,
    SORAI_DTYPE_Q2_K, SORAI_DTYPE_Q3_K, SORAI_DTYPE_Q4_K, SORAI_DTYPE_Q5_K, SORAI_DTYPE_Q6_K, SORAI_DTYPE_STORED_END
};
static inline bool sorai_dtype_stored(int32_t dtype) { return dtype >= SORAI_DTYPE_F8_E4M3 && dtype < SORAI_DTYPE_STORED_END; }
/* Fewer than 16 bits: those, and int8 (which has a scale). */
static inline bool sorai_dtype_small(int32_t dtype) { return sorai_dtype_stored(dtype) || dtype == SORA_DTYPE_I8; }

size_t sorai_dtype_size(int32_t dtype);       /* bytes; 0 for an unknown one and for those in blocks */
/* Values of a block (1: there are none) and the bytes of so many values, which must be whole blocks. */
int64_t sorai_dtype_values(int32_t dtype);
size_t sorai_dtype_bytes(int32_t dtype, int64_t count);
const char *sorai_dtype_name(int32_t dtype);  /* "f32" ...; "unknown" */
int64_t sorai_tensor_count(const sora_tensor *t); /* elements */
size_t sorai_tensor_bytes(const sora_tensor *t);

/* Checks rank and shape (each 0..2^40, product of bytes below 2^62) and gives the bytes. */
int sorai_shape_bytes(int32_t dtype, int32_t rank, const int64_t *shape, size_t *bytes, sora_error *err);

/* A host tensor that owns zeroed memory from mem, with SORAI_ALIGN bytes behind it that kernels may read. */
int sorai_tensor_new(sora_tensor **out, sorai_mem *mem, int32_t dtype, int32_t rank, const int64_t *shape, sora_error *err);
/* A tensor around memory of others: release(user, data) is called by the last unref (NULL: never). */
int sorai_tensor_wrap(sora_tensor **out, sorai_mem *mem, int32_t dtype, int32_t rank, const int64_t *shape, void *data,
                      struct sorai_device *device, sorai_release_fn *release, void *user, sora_error *err);
int sorai_tensor_borrows(const sora_tensor *t); /* its memory is that of others, such as a mapped file */
sora_tensor *sorai_tensor_ref(sora_tensor *t);
void sorai_tensor_unref(sora_tensor **t);

#endif
