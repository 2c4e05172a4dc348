/* libsora: types that every other header needs: status codes, errors, element types, hooks of the host.
 *
 * Since 0.1. Values, once released, never change; new ones are added in the gaps. */
#ifndef SORA_BASE_H
#define SORA_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifndef SORA_API
#if defined(__GNUC__)
#define SORA_API __attribute__((visibility("default")))
#else
#define SORA_API
#endif
#endif

#if defined(__GNUC__)
#define SORA_WUR __attribute__((warn_unused_result))
#else
#define SORA_WUR
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Status of a call. 0 is success, 1 means that a stepped call has more to do, negatives are errors. */
#define SORA_OK 0
#define SORA_MORE 1             /* sora_pipeline_step, sora_trainer_step: done so far, call again */
#define SORA_E_INTERNAL (-1)    /* a defect of the library: please report it */
#define SORA_E_INVALID (-2)     /* an argument is wrong */
#define SORA_E_UNSUPPORTED (-3) /* right, but not something this build or model can do; also unknown option bytes */
#define SORA_E_STATE (-4)       /* the call does not fit the object's state, e.g. step before begin */
#define SORA_E_NOMEM (-10)      /* the allocator returned NULL */
#define SORA_E_LIMIT (-11)      /* the work would pass mem_limit; nothing is lost, ask for less */
#define SORA_E_IO (-20)         /* the operating system or the caller's I/O failed */
#define SORA_E_FORMAT (-21)     /* a file is damaged or not what it says; the message names file and field */
#define SORA_E_NOTFOUND (-22)   /* a file, tensor or name is missing */
#define SORA_E_CANCELLED (-30)  /* sora_pipeline_cancel, or a progress callback, asked to stop */
#define SORA_E_BACKEND (-40)    /* a backend could not be loaded, or its device failed */

/* Element types. The numbers are also those of the .sora file format. */
#define SORA_DTYPE_F32 1
#define SORA_DTYPE_BF16 2
#define SORA_DTYPE_F16 3
#define SORA_DTYPE_I32 4
#define SORA_DTYPE_U8 5
#define SORA_DTYPE_I8 6
#define SORA_DTYPE_I64 7

#define SORA_MAX_RANK 8

/* Details of a failure. The caller owns it, sets struct_size (or zeroes the struct) and may pass NULL wherever one is taken.
 * On failure `code` repeats the returned status and `message` is one line of UTF-8, always terminated. Untouched on success. */
typedef struct sora_error {
    uint32_t struct_size;
    int32_t code;
    char message[504];
} sora_error;

/* The host's allocator. alloc returns memory aligned to `align` (a power of two, at most 64) or NULL; free takes what alloc
 * gave. Both may be called from any thread that the library runs on. The struct is copied; `user` must outlive the context. */
typedef struct sora_allocator {
    void *user;
    void *(*alloc)(void *user, size_t size, size_t align);
    void (*free)(void *user, void *ptr);
} sora_allocator;

/* The host's job system. parallel_for calls fn(arg, i) once for every i in 0..n-1, on any threads, in any order, perhaps at
 * the same time, and returns when all have returned. `width` says how many may run at once. Results never depend on it. */
typedef struct sora_executor {
    void *user;
    void (*parallel_for)(void *user, void (*fn)(void *arg, uint32_t i), void *arg, uint32_t n);
    uint32_t width;
} sora_executor;

/* Log levels and callback: one line, no newline, valid during the call only; any thread. */
#define SORA_LOG_ERROR 1
#define SORA_LOG_WARN 2
#define SORA_LOG_INFO 3
#define SORA_LOG_DEBUG 4
typedef void (*sora_log_fn)(void *user, int level, const char *message);

typedef struct sora_context sora_context;
typedef struct sora_model sora_model;
typedef struct sora_tensor sora_tensor;
typedef struct sora_pipeline sora_pipeline;
typedef struct sora_trainer sora_trainer;

/* The name of a status, e.g. "SORA_E_FORMAT"; "unknown" for a number that is none. Never NULL. Any thread. Since 0.1. */
SORA_API const char *sora_status_name(int status);

#ifdef __cplusplus
}
#endif
#endif
