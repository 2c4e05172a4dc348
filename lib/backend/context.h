/* The context: memory, log, threads and devices of one host. The public handle sora_context is this struct. */
#ifndef SORAI_BACKEND_CONTEXT_H
#define SORAI_BACKEND_CONTEXT_H

#include "lib/backend/iface.h"

#define SORAI_MAX_DEVICES 8

struct sora_context {
    atomic_int refs;
    sorai_mem mem;
    sorai_pool *pool;
    sora_log_fn log;
    void *log_user;
    int32_t log_level;
    uint32_t device_count;
    sorai_device *devices[SORAI_MAX_DEVICES]; /* [0] is "cpu" */
    void *plugins[SORAI_MAX_DEVICES];         /* dlopen handles */
};

typedef struct sorai_context_config { /* defaults are zeroes */
    const sora_allocator *allocator;
    const sora_executor *executor;
    sora_log_fn log;
    void *log_user;
    int32_t log_level, threads;
    uint64_t mem_limit;
} sorai_context_config;

int sorai_context_create(sora_context **out, const sorai_context_config *config, sora_error *err);
sora_context *sorai_context_ref(sora_context *c);
void sorai_context_unref(sora_context **c);
int sorai_context_load_backend(sora_context *c, const char *path, sora_error *err); /* a plugin .so */
sorai_device *sorai_context_device(const sora_context *c, const char *name); /* NULL name: "cpu"; NULL when unknown */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void sorai_log(const sora_context *c, int level, const char *format, ...);

#endif
