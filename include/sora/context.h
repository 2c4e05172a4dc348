/* libsora: the context: memory, threads, log and devices of one host. Several contexts share nothing. Since 0.1. */
#ifndef SORA_CONTEXT_H
#define SORA_CONTEXT_H

#include "sora/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Options of sora_context_create. Call sora_context_opts_init first, then set what you want. */
typedef struct sora_context_opts {
    uint32_t struct_size; /* set by init */
    uint32_t flags;       /* 0 */
    int32_t threads;      /* that work at once, the caller's included; 0: one per usable core. Not used with an executor */
    uint32_t log_level;   /* SORA_LOG_*: the most detailed level that is passed to `log`; 0: none */
    uint64_t mem_limit;   /* bytes that the context and its children may hold; 0: no limit. Work that would pass it fails with SORA_E_LIMIT or
                             SORA_E_NOMEM and leaves everything usable */
    sora_log_fn log;      /* NULL: the library is silent */
    void *log_user;
    const sora_allocator *allocator; /* copied; NULL: the C library's */
    const sora_executor *executor;   /* copied; NULL: own threads, made with the context */
} sora_context_opts;

/* Fills *opts with defaults. size is sizeof(sora_context_opts) of the caller: use the macro below. SORA_E_INVALID for NULL or size 0. */
SORA_API int sora_context_opts_init(sora_context_opts *opts, size_t size);

/* A new context with one reference, in *out; NULL there on failure. opts NULL: defaults. Fails with SORA_E_NOMEM, SORA_E_INVALID,
 * SORA_E_UNSUPPORTED (option bytes that this version does not know). Any thread. */
SORA_API SORA_WUR int sora_context_create(sora_context **out, const sora_context_opts *opts, sora_error *err);
/* One more reference; returns ctx. NULL gives NULL. Any thread. */
SORA_API sora_context *sora_context_ref(sora_context *ctx);
/* Gives a reference back and sets *ctx to NULL; NULL is fine. Models, tensors, pipelines and trainers hold references of their own, so
 * the order of unrefs is free. The last one joins the threads. Any thread. */
SORA_API void sora_context_unref(sora_context **ctx);

/* Bytes. In sora_context_memory: held now, most held at once, the limit (0: none). In estimates: `used` is what stays after the work,
 * `peak` the most during it. */
typedef struct sora_memory {
    uint32_t struct_size; /* set by the caller before the call */
    uint32_t reserved;
    uint64_t used, peak, limit;
} sora_memory;

SORA_API int sora_context_memory(const sora_context *ctx, sora_memory *out);

/* Backends (devices). "cpu" is always there, as number 0. */
typedef struct sora_backend_desc {
    uint32_t struct_size; /* set by the caller before the call */
    uint32_t reserved;
    const char *name;        /* "cpu", "reference", "blas"; valid while the context lives */
    const char *description;
} sora_backend_desc;

/* Loads a backend from a shared object (libsora-reference.so, libsora-blas.so) and opens its device. SORA_E_BACKEND when it is none or its
 * device is missing; the context is unchanged then. Not while other threads use the context. */
SORA_API SORA_WUR int sora_backend_load(sora_context *ctx, const char *path, sora_error *err);
SORA_API uint32_t sora_backend_count(const sora_context *ctx);
SORA_API int sora_backend_info(const sora_context *ctx, uint32_t index, sora_backend_desc *out);

#ifdef __cplusplus
}
#endif
#define sora_context_opts_init(opts) sora_context_opts_init((opts), sizeof *(opts))
#endif
