#include "lib/backend/context.h"

#include <string.h>

#include "lib/api/intake.h"
#include "sora/context.h"
#include "sora/version.h"

const char *sora_status_name(int status) {
    static const struct {
        int status;
        const char *name;
    } names[] = {
        {SORA_OK, "SORA_OK"},
        {SORA_MORE, "SORA_MORE"},
        {SORA_E_INTERNAL, "SORA_E_INTERNAL"},
        {SORA_E_INVALID, "SORA_E_INVALID"},
        {SORA_E_UNSUPPORTED, "SORA_E_UNSUPPORTED"},
        {SORA_E_STATE, "SORA_E_STATE"},
        {SORA_E_NOMEM, "SORA_E_NOMEM"},
        {SORA_E_LIMIT, "SORA_E_LIMIT"},
        {SORA_E_IO, "SORA_E_IO"},
        {SORA_E_FORMAT, "SORA_E_FORMAT"},
        {SORA_E_NOTFOUND, "SORA_E_NOTFOUND"},
        {SORA_E_CANCELLED, "SORA_E_CANCELLED"},
        {SORA_E_BACKEND, "SORA_E_BACKEND"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].status == status)
            return names[i].name;
    return "unknown";
}

uint32_t sora_version(void) {
    return SORA_VERSION;
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define VERSION_TEXT TEXT(SORA_VERSION_MAJOR) "." TEXT(SORA_VERSION_MINOR) "." TEXT(SORA_VERSION_PATCH)

const char *sora_version_string(void) {
    return VERSION_TEXT;
}

const char *sora_build_info(void) {
    return "libsora " VERSION_TEXT ", "
#if defined(__clang__)
           "clang " __clang_version__
#else
           "gcc " __VERSION__
#endif
#if defined(__x86_64__)
           ", x86-64: avx2, avx512, avx512-bf16, amx-bf16 chosen at run time"
#else
           ", portable kernels"
#endif
        ;
}

#undef sora_context_opts_init
int sora_context_opts_init(sora_context_opts *opts, size_t size) {
    if (!opts || size < 2 * sizeof(uint32_t) || size > UINT32_MAX)
        return SORA_E_INVALID;
    memset(opts, 0, size);
    opts->struct_size = (uint32_t)size;
    return SORA_OK;
}

int sora_context_create(sora_context **out, const sora_context_opts *opts, sora_error *err) {
    if (!out)
        return sorai_fail(err, SORA_E_INVALID, "sora_context_create: out is NULL");
    *out = NULL;
    sora_context_opts o = {.struct_size = sizeof o};
    if (opts)
        SORA_TRY(sorai_take_opts(&o, sizeof o, opts, "sora_context_opts", err));
    if (o.flags)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "sora_context_opts: unknown flags");
    if (o.log_level > SORA_LOG_DEBUG)
        return sorai_fail(err, SORA_E_INVALID, "sora_context_opts: log_level is out of range");
    if (o.allocator && (!o.allocator->alloc || !o.allocator->free))
        return sorai_fail(err, SORA_E_INVALID, "sora_context_opts: an allocator needs alloc and free");
    const sorai_context_config config = {o.allocator, o.executor, o.log, o.log_user, (int32_t)o.log_level, o.threads, o.mem_limit};
    return sorai_context_create(out, &config, err);
}

sora_context *sora_context_ref(sora_context *ctx) {
    return sorai_context_ref(ctx);
}

void sora_context_unref(sora_context **ctx) {
    if (ctx)
        sorai_context_unref(ctx);
}

int sora_context_memory(const sora_context *ctx, sora_memory *out) {
    if (!ctx)
        return SORA_E_INVALID;
    const sora_memory m = {sizeof m, 0, atomic_load(&ctx->mem.used), atomic_load(&ctx->mem.peak), ctx->mem.limit};
    return sorai_give_struct(out, &m, sizeof m);
}

int sora_backend_load(sora_context *ctx, const char *path, sora_error *err) {
    if (!ctx || !path)
        return sorai_fail(err, SORA_E_INVALID, "sora_backend_load: context and path are needed");
    return sorai_context_load_backend(ctx, path, err);
}

uint32_t sora_backend_count(const sora_context *ctx) {
    return ctx ? ctx->device_count : 0;
}

int sora_backend_info(const sora_context *ctx, uint32_t index, sora_backend_desc *out) {
    if (!ctx)
        return SORA_E_INVALID;
    if (index >= ctx->device_count)
        return SORA_E_NOTFOUND;
    const sorai_backend *b = ctx->devices[index]->backend;
    const sora_backend_desc d = {sizeof d, 0, b->name, b->description};
    return sorai_give_struct(out, &d, sizeof d);
}
