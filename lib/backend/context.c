#include "lib/backend/context.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int sorai_context_create(sora_context **out, const sorai_context_config *config, sora_error *err) {
    *out = NULL;
    sorai_mem first;
    sorai_mem_init(&first, config->allocator, config->mem_limit);
    sora_context *c = sorai_calloc(&first, 1, sizeof *c);
    if (!c)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a context");
    /* The context counts its own block too: it moves its counters in and from then on is their owner. */
    sorai_mem_init(&c->mem, config->allocator, config->mem_limit);
    atomic_store(&c->mem.used, atomic_load(&first.used));
    atomic_store(&c->mem.peak, atomic_load(&first.peak));
    atomic_init(&c->refs, 1);
    c->log = config->log;
    c->log_user = config->log_user;
    c->log_level = config->log_level;
    int status = sorai_pool_create(&c->pool, &c->mem, config->threads, config->executor, err);
    if (status != SORA_OK)
        goto fail;
    status = sorai_backend_cpu()->open(&c->devices[0], &c->mem, c->pool, err);
    if (status != SORA_OK)
        goto fail;
    c->device_count = 1;
    *out = c;
    return SORA_OK;
fail:
    sorai_context_unref(&c);
    return status;
}

sora_context *sorai_context_ref(sora_context *c) {
    if (c)
        atomic_fetch_add(&c->refs, 1);
    return c;
}

void sorai_context_unref(sora_context **handle) {
    sora_context *c = *handle;
    *handle = NULL;
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    for (uint32_t i = c->device_count; i-- > 0;)
        c->devices[i]->backend->close(c->devices[i]);
    for (uint32_t i = 0; i < SORAI_MAX_DEVICES; i++)
        if (c->plugins[i])
            dlclose(c->plugins[i]);
    sorai_pool_destroy(&c->pool);
    sorai_mem last;
    sorai_mem_init(&last, &c->mem.host, 0);
    atomic_store(&last.used, atomic_load(&c->mem.used));
    sorai_free(&last, c);
}

int sorai_context_load_backend(sora_context *c, const char *path, sora_error *err) {
    if (c->device_count == SORAI_MAX_DEVICES)
        return sorai_fail(err, SORA_E_LIMIT, "%s: a context holds at most %d devices", path, SORAI_MAX_DEVICES);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *why = dlerror();
        return sorai_fail(err, SORA_E_BACKEND, "%s: %s", path, why ? why : "could not be loaded");
    }
    int status;
    union {
        void *object;
        sorai_backend_entry_fn *function;
    } entry = {dlsym(handle, "sora_backend_entry")};
    if (!entry.object) {
        status = sorai_fail(err, SORA_E_BACKEND, "%s: has no sora_backend_entry, so it is no backend", path);
        goto fail;
    }
    const sorai_backend *backend = entry.function();
    if (!backend || backend->abi != SORAI_BACKEND_ABI) {
        status = sorai_fail(err, SORA_E_BACKEND, "%s: made for another version of the device contract", path);
        goto fail;
    }
    if (sorai_context_device(c, backend->name)) {
        status = sorai_fail(err, SORA_E_STATE, "%s: a backend named %s is loaded already", path, backend->name);
        goto fail;
    }
    status = backend->open(&c->devices[c->device_count], &c->mem, c->pool, err);
    if (status != SORA_OK)
        goto fail;
    c->plugins[c->device_count++] = handle;
    return SORA_OK;
fail:
    dlclose(handle);
    return status;
}

sorai_device *sorai_context_device(const sora_context *c, const char *name) {
    for (uint32_t i = 0; i < c->device_count; i++)
        if (strcmp(c->devices[i]->backend->name, name ? name : "cpu") == 0)
            return c->devices[i];
    return NULL;
}

void sorai_log(const sora_context *c, int level, const char *format, ...) {
    if (!c->log || level > c->log_level)
        return;
    char line[512];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n >= 0)
        c->log(c->log_user, level, line);
}
