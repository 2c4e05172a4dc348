#include <string.h>

#include "lib/api/intake.h"
#include "lib/backend/context.h"
#include "lib/io/safetensors.h"
#include "lib/model/files.h"
#include "lib/model/model.h"
#include "sora/tensor.h"

static int take_desc(const sora_tensor_desc *desc, sora_tensor_desc *out, sora_error *err) {
    if (!desc)
        return sorai_fail(err, SORA_E_INVALID, "sora_tensor_desc is NULL");
    memset(out, 0, sizeof *out);
    return sorai_take_opts(out, sizeof *out, desc, "sora_tensor_desc", err);
}

/* Public tensors keep their context, hence the memory they came from, alive. */
typedef struct tensor_owner {
    sora_context *context;
    sora_release_fn release;
    void *user;
    void *owned;
} tensor_owner;

static void owner_release(void *user, void *data) {
    tensor_owner *o = user;
    if (o->release)
        o->release(o->user, data);
    sorai_free(&o->context->mem, o->owned);
    sorai_free(&o->context->mem, o);
}

static int make(sora_tensor **out, sora_context *ctx, const sora_tensor_desc *d, void *data, void *owned, sora_release_fn release,
                void *user, sora_error *err) {
    tensor_owner *o = sorai_calloc(&ctx->mem, 1, sizeof *o);
    if (!o)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a tensor");
    *o = (tensor_owner){ctx, NULL, user, NULL};
    const int status = sorai_tensor_wrap(out, &ctx->mem, d->dtype, d->rank, d->shape, data, NULL, owner_release, o, err);
    if (status != SORA_OK) {
        sorai_free(&ctx->mem, o);
        return status;
    }
    o->release = release;
    o->owned = owned;
    (*out)->context = sorai_context_ref(ctx);
    (*out)->context_unref = sorai_context_unref;
    return SORA_OK;
}

int sora_tensor_create(sora_tensor **out, sora_context *ctx, const sora_tensor_desc *desc, sora_error *err) {
    sora_tensor_desc d;
    size_t bytes;
    if (!out)
        return sorai_fail(err, SORA_E_INVALID, "sora_tensor_create: out is NULL");
    *out = NULL;
    if (!ctx)
        return sorai_fail(err, SORA_E_INVALID, "sora_tensor_create: context is NULL");
    SORA_TRY(take_desc(desc, &d, err));
    SORA_TRY(sorai_shape_bytes(d.dtype, d.rank, d.shape, &bytes, err));
    void *data = sorai_calloc(&ctx->mem, 1, bytes);
    if (!data)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a tensor of %zu bytes", bytes);
    const int status = make(out, ctx, &d, data, data, NULL, NULL, err);
    if (status != SORA_OK)
        sorai_free(&ctx->mem, data);
    return status;
}

int sora_tensor_wrap(sora_tensor **out, sora_context *ctx, const sora_tensor_desc *desc, void *data, sora_release_fn release, void *user,
                     sora_error *err) {
    sora_tensor_desc d;
    size_t bytes;
    if (!out)
        return sorai_fail(err, SORA_E_INVALID, "sora_tensor_wrap: out is NULL");
    *out = NULL;
    if (!ctx)
        return sorai_fail(err, SORA_E_INVALID, "sora_tensor_wrap: context is NULL");
    SORA_TRY(take_desc(desc, &d, err));
    SORA_TRY(sorai_shape_bytes(d.dtype, d.rank, d.shape, &bytes, err));
    if (bytes && !data)
        return sorai_fail(err, SORA_E_INVALID, "sora_tensor_wrap: data is NULL");
    return make(out, ctx, &d, data, NULL, release, user, err);
}

sora_tensor *sora_tensor_ref(sora_tensor *tensor) {
    return sorai_tensor_ref(tensor);
}

void sora_tensor_unref(sora_tensor **tensor) {
    if (tensor)
        sorai_tensor_unref(tensor);
}

int sora_tensor_info(const sora_tensor *tensor, sora_tensor_desc *out) {
    if (!tensor)
        return SORA_E_INVALID;
    sora_tensor_desc d = {sizeof d, tensor->dtype, tensor->rank, 0, {0}};
    memcpy(d.shape, tensor->shape, sizeof d.shape);
    return sorai_give_struct(out, &d, sizeof d);
}

void *sora_tensor_data(const sora_tensor *tensor) {
    return tensor ? tensor->data : NULL;
}

size_t sora_tensor_bytes(const sora_tensor *tensor) {
    return tensor ? sorai_tensor_bytes(tensor) : 0;
}

int sora_tensors_save(sora_context *ctx, const char *path, const char *const *names, sora_tensor *const *tensors, uint32_t count,
                      sora_error *err) {
    if (!ctx || !path || (count && (!names || !tensors)))
        return sorai_fail(err, SORA_E_INVALID, "sora_tensors_save: context, path, names and tensors are needed");
    sorai_named_tensor *list = sorai_calloc(&ctx->mem, count, sizeof *list);
    if (!list)
        return sorai_fail(err, SORA_E_NOMEM, "no memory to save tensors");
    int status = SORA_OK;
    for (uint32_t i = 0; i < count && status == SORA_OK; i++) {
        list[i] = (sorai_named_tensor){names[i], tensors[i]};
        if (!names[i] || !tensors[i])
            status = sorai_fail(err, SORA_E_INVALID, "sora_tensors_save: entry %u is NULL", i);
    }
    if (status == SORA_OK)
        status = sorai_safetensors_write(&ctx->mem, path, list, count, NULL, err);
    sorai_free(&ctx->mem, list);
    return status;
}

int sora_tensor_load(sora_tensor **out, sora_context *ctx, const char *path, const char *name, sora_error *err) {
    if (!out)
        return sorai_fail(err, SORA_E_INVALID, "sora_tensor_load: out is NULL");
    *out = NULL;
    if (!ctx || !path || !name)
        return sorai_fail(err, SORA_E_INVALID, "sora_tensor_load: context, path and name are needed");
    sorai_safetensors *file = NULL;
    sora_tensor *found = NULL;
    SORA_TRY(sorai_safetensors_open_path(&file, &ctx->mem, path, err));
    int status = sorai_safetensors_lookup(file, name, &found, err);
    if (status == SORA_OK) {
        sora_tensor_desc d = {sizeof d, found->dtype, found->rank, 0, {0}};
        memcpy(d.shape, found->shape, sizeof d.shape);
        status = sora_tensor_create(out, ctx, &d, err);
        if (status == SORA_OK)
            memcpy((*out)->data, found->data, sorai_tensor_bytes(found));
    }
    sorai_tensor_unref(&found);
    sorai_safetensors_close(&file);
    return status;
}

int sora_tensors_describe(sora_tensor **out, sora_context *ctx, const char *path, sora_error *err) {
    if (!out)
        return sorai_fail(err, SORA_E_INVALID, "sora_tensors_describe: out is NULL");
    *out = NULL;
    if (!ctx || !path)
        return sorai_fail(err, SORA_E_INVALID, "sora_tensors_describe: context and path are needed");
    sorai_weights *file = NULL;
    sora_error why = {.struct_size = sizeof why};
    SORA_TRY(sorai_weights_open(&file, &ctx->mem, path, err));
    char *text = sorai_weights_describe(&ctx->mem, file, path, &why);
    sorai_weights_unref(&file);
    if (!text)
        return sorai_fail(err, why.code, "%s", why.message);
    const sora_tensor_desc d = {sizeof d, SORA_DTYPE_U8, 1, 0, {(int64_t)strlen(text) + 1}};
    const int status = sora_tensor_create(out, ctx, &d, err);
    if (status == SORA_OK)
        memcpy((*out)->data, text, strlen(text) + 1);
    sorai_free(&ctx->mem, text);
    return status;
}
