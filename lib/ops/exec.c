#include "lib/ops/exec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void *device_chunk(void *user, size_t size) {
    sorai_device *dev = user;
    return dev->alloc(dev, size);
}

static void device_release(void *user, void *ptr) {
    sorai_device *dev = user;
    dev->free(dev, ptr);
}

int sorai_exec_init(sorai_exec *x, sorai_device *device, sorai_mem *mem, int32_t product, sora_error *err) {
    memset(x, 0, sizeof *x);
    if (!device || (product != SORA_DTYPE_F32 && product != SORA_DTYPE_BF16 && product != SORA_DTYPE_I8))
        return sorai_fail(err, SORA_E_INVALID, "products are f32, bf16 or int8, on a device");
    x->device = device;
    x->mem = mem;
    x->eight = product == SORA_DTYPE_I8;
    x->product = x->eight ? sorai_cpu_products() : product;
    const sorai_arena_source source = {device, device_chunk, device_release};
    sorai_arena_init(&x->data, mem, &source);
    sorai_arena_init(&x->meta, mem, NULL);
    return SORA_OK;
}

void sorai_exec_release(sorai_exec *x) {
    if (!x->device)
        return;
    sorai_arena_release(&x->data);
    sorai_arena_release(&x->meta);
}

void *sorai_exec_fail(sorai_exec *x, int code, const char *format, ...) {
    if (x->status != SORA_OK)
        return NULL;
    x->status = code;
    char line[sizeof x->error.message];
    va_list args;
    va_start(args, format);
    if (vsnprintf(line, sizeof line, format, args) < 0)
        line[0] = 0;
    va_end(args);
    x->error.struct_size = 0;
    sorai_fail(&x->error, code, "%s", line);
    return NULL;
}

int sorai_exec_finish(sorai_exec *x, sora_error *err) {
    const int status = x->status;
    if (status == SORA_OK)
        return SORA_OK;
    x->status = SORA_OK;
    return sorai_fail(err, status, "%s", x->error.message);
}

void sorai_exec_poll(sorai_exec *x) {
    if (x->cancel && atomic_load(x->cancel))
        sorai_exec_fail(x, SORA_E_CANCELLED, "cancelled");
}

sorai_exec_mark sorai_exec_here(const sorai_exec *x) {
    return (sorai_exec_mark){sorai_arena_here(&x->data), sorai_arena_here(&x->meta)};
}

void sorai_exec_rewind(sorai_exec *x, sorai_exec_mark mark) {
    if (x->tape)
        return;
    sorai_arena_rewind(&x->data, mark.data);
    sorai_arena_rewind(&x->meta, mark.meta);
}

struct sorai_spare {
    void *data;
    size_t bytes;
    struct sorai_spare *next;
};

void sorai_exec_spare(sorai_exec *x, const sora_tensor *t) {
    struct sorai_spare *const s = sorai_arena_alloc(&x->meta, sizeof *s);
    if (!s)
        return; /* then it is not used again before the scope ends */
    *s = (struct sorai_spare){t->data, sorai_tensor_bytes(t), x->spares};
    x->spares = s;
}

/* The latest spare memory of exactly this size; NULL when there is none. */
static void *take_spare(sorai_exec *x, size_t bytes) {
    for (struct sorai_spare **s = &x->spares; *s; s = &(*s)->next)
        if ((*s)->bytes == bytes) {
            void *const data = (*s)->data;
            *s = (*s)->next;
            return data;
        }
    return NULL;
}

static sora_tensor *make(sorai_exec *x, int32_t dtype, int32_t rank, const int64_t *shape) {
    if (x->status != SORA_OK)
        return NULL;
    size_t bytes;
    sora_error err;
    err.struct_size = 0;
    const int status = sorai_shape_bytes(dtype, rank, shape, &bytes, &err);
    if (status != SORA_OK)
        return sorai_exec_fail(x, status, "%s", err.message);
    sora_tensor *t = sorai_arena_alloc(&x->meta, sizeof *t);
    /* A little room behind every tensor lets kernels read whole vectors at the end. */
    void *data = t ? take_spare(x, bytes) : NULL;
    if (t && !data)
        data = sorai_arena_alloc(&x->data, bytes + SORAI_ALIGN);
    if (!data)
        return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for a temporary of %zu bytes", bytes);
    memset(t, 0, sizeof *t);
    t->dtype = dtype;
    t->rank = rank;
    if (rank)
        memcpy(t->shape, shape, (size_t)rank * sizeof *shape);
    t->data = data;
    t->device = x->device;
    return t;
}

sora_tensor *sorai_exec_rewind_keep(sorai_exec *x, sorai_exec_mark mark, sora_tensor *keep) {
    if (x->tape || !keep)
        return keep;
    const sora_tensor old = *keep;
    const size_t bytes = sorai_tensor_bytes(keep);
    sorai_exec_rewind(x, mark);
    sora_tensor *moved = make(x, old.dtype, old.rank, old.shape);
    /* The new place may overlap the old one, or lie in another chunk that still holds it: nothing has been written since. */
    if (moved && moved->data != old.data && x->device->copy(x->device, moved->data, old.data, bytes) != SORA_OK)
        return sorai_exec_fail(x, SORA_E_BACKEND, "the device could not copy");
    return moved;
}

sora_tensor *sorai_temp_typed(sorai_exec *x, int32_t dtype, int32_t rank, const int64_t *shape) {
    return make(x, dtype, rank, shape);
}

sora_tensor *sorai_temp(sorai_exec *x, int32_t rank, const int64_t *shape) {
    return make(x, SORA_DTYPE_F32, rank, shape);
}

sora_tensor *sorai_temp_like(sorai_exec *x, const sora_tensor *like) {
    return like ? make(x, like->dtype, like->rank, like->shape) : NULL;
}

void *sorai_temp_bytes(sorai_exec *x, size_t size) {
    if (x->status != SORA_OK)
        return NULL;
    void *data = sorai_arena_alloc(&x->data, size);
    return data ? data : sorai_exec_fail(x, SORA_E_NOMEM, "no memory for %zu bytes of scratch", size);
}

sora_tensor *sorai_upload(sorai_exec *x, int32_t dtype, int32_t rank, const int64_t *shape, const void *values) {
    sora_tensor *t = make(x, dtype, rank, shape);
    if (t && x->device->upload(x->device, t->data, values, sorai_tensor_bytes(t)) != SORA_OK)
        return sorai_exec_fail(x, SORA_E_BACKEND, "the device could not take data");
    return t;
}

int sorai_download(sorai_exec *x, const sora_tensor *t, void *values) {
    if (!t || x->status != SORA_OK)
        return x->status != SORA_OK ? x->status : SORA_E_INVALID;
    if (x->device->sync(x->device) != SORA_OK ||
        x->device->download(x->device, values, t->data, sorai_tensor_bytes(t)) != SORA_OK)
        sorai_exec_fail(x, SORA_E_BACKEND, "the device could not give data");
    return x->status;
}

void sorai_run(sorai_exec *x, int op, int dtype, const void *args, int64_t units) {
    sorai_exec_poll(x);
    if (x->status != SORA_OK)
        return;
    const int status = x->device->run(x->device, op, dtype, args, units);
    if (status != SORA_OK)
        sorai_exec_fail(x, status, "the %s backend has no kernel for %s with these arguments", x->device->backend->name,
                        sorak_op_name(op));
}
