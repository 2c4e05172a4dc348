/* The execution context of operations: where they run, where temporaries live, what is recorded.
 *
 * Errors are sticky: an operation that gets a NULL tensor, or an exec that has failed, returns NULL and does nothing; the first error
 * stays in status/error. So a network reads as its formula and its caller checks once at the end. */
#ifndef SORAI_OPS_EXEC_H
#define SORAI_OPS_EXEC_H

#include <stdatomic.h>

#include "lib/backend/iface.h"
#include "lib/base/arena.h"
#include "lib/tensor/tensor.h"

typedef struct sorai_tape sorai_tape;

typedef struct sorai_exec {
    sorai_device *device;
    sorai_mem *mem;       /* host memory for bookkeeping */
    sorai_arena data;     /* device memory of temporaries */
    sorai_arena meta;     /* host memory of tensor structs, tape nodes */
    struct sorai_spare *spares; /* memory that a backward pass has done with; its next temporaries of the same size take it */
    int32_t product;      /* SORA_DTYPE_F32 or SORA_DTYPE_BF16: type of the matrix products */
    int32_t streamed;     /* 1: weights are packed for each product anew and not kept, unless that was done before */
    int32_t eight;        /* 1: linear layers whose weights allow it multiply in int8 instead; never while a tape is active */
    sorai_tape *tape;     /* NULL: inference */
    atomic_int *cancel;   /* looked at before every kernel: a network that is cancelled ends with the one under way; NULL: never */
    int status;           /* SORA_OK or the first failure */
    sora_error error;
} sorai_exec;

/* product: F32, BF16, or I8: int8 where weights allow it, and what the processor multiplies fastest elsewhere. */
int sorai_exec_init(sorai_exec *x, sorai_device *device, sorai_mem *mem, int32_t product, sora_error *err);
void sorai_exec_release(sorai_exec *x);

/* Sets the sticky error (only the first counts); returns NULL for `return sorai_exec_fail(...)`. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void *sorai_exec_fail(sorai_exec *x, int code, const char *format, ...);
/* Status and message to a caller; SORA_OK when none. Clears the error. */
int sorai_exec_finish(sorai_exec *x, sora_error *err);
/* Turns a set cancel flag into SORA_E_CANCELLED; sorai_run does it, work beside the device may do it too. */
void sorai_exec_poll(sorai_exec *x);

/* Scopes: everything made after `mark` is gone after `rewind`; with a tape active rewind does nothing (the tape needs it all). */
typedef struct sorai_exec_mark {
    sorai_arena_mark data, meta;
} sorai_exec_mark;
sorai_exec_mark sorai_exec_here(const sorai_exec *x);
void sorai_exec_rewind(sorai_exec *x, sorai_exec_mark mark);
/* Rewinds to `mark` but keeps `keep`, which is moved to the front of the scope (its new address is returned). For the result of a
 * block. With a tape active returns keep itself. */
sora_tensor *sorai_exec_rewind_keep(sorai_exec *x, sorai_exec_mark mark, sora_tensor *keep);

/* A temporary, contents undefined. f32 unless said. */
sora_tensor *sorai_temp(sorai_exec *x, int32_t rank, const int64_t *shape);
sora_tensor *sorai_temp_typed(sorai_exec *x, int32_t dtype, int32_t rank, const int64_t *shape);
sora_tensor *sorai_temp_like(sorai_exec *x, const sora_tensor *like);
void *sorai_temp_bytes(sorai_exec *x, size_t size); /* device memory without a tensor */
/* Lets the next temporary of the same size have t's memory, while it is still in the caches. For the tape, which drops the list at its end:
 * nothing else may hold t's memory, and no scope may be open that it was made in. */
void sorai_exec_spare(sorai_exec *x, const sora_tensor *t);
/* Host values -> temporary; temporary -> host values. */
sora_tensor *sorai_upload(sorai_exec *x, int32_t dtype, int32_t rank, const int64_t *shape, const void *values);
int sorai_download(sorai_exec *x, const sora_tensor *t, void *values);

/* Runs a kernel on the device; sets the sticky error when it fails. */
void sorai_run(sorai_exec *x, int op, int dtype, const void *args, int64_t units);
/* The type of a temporary that only goes into products, which would round it anyway: theirs; f32 while a tape records. */
static inline int32_t sorai_factor_dtype(const sorai_exec *x) { return x->tape ? SORA_DTYPE_F32 : x->product; }
static inline int sorai_product_dt(const sorai_exec *x) { return x->product == SORA_DTYPE_BF16 ? SK_DT_bf16 : SK_DT_f32; }

#endif
