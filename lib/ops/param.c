#include "lib/ops/param.h"

#include <math.h>
#include <string.h>

#include "kernels/binary/binary.h"
#include "lib/base/rng.h"
#include "lib/tensor/half.h"

int sorai_store_init(sorai_store *s, sorai_mem *mem, sorai_device *device) {
    memset(s, 0, sizeof *s);
    s->mem = mem;
    s->device = device;
    s->prefix = "";
    atomic_flag_clear(&s->packing);
    return SORA_OK;
}

static void param_free(sorai_store *s, sorai_param *p) {
    if (!p)
        return;
    for (size_t i = 0; i < sizeof p->packed / sizeof *p->packed; i++)
        if (p->packed[i].data)
            s->device->free(s->device, p->packed[i].data);
    sorai_tensor_unref(&p->grad);
    sorai_tensor_unref(&p->value);
    sorai_free(s->mem, (char *)(uintptr_t)p->name);
    sorai_free(s->mem, p);
}

void sorai_store_release(sorai_store *s) {
    for (size_t i = 0; i < s->count; i++)
        param_free(s, s->params[i]);
    sorai_free(s->mem, s->params);
    s->params = NULL;
    s->count = s->capacity = 0;
}

sorai_param *sorai_store_find(const sorai_store *s, const char *name) {
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->params[i]->name, name) == 0)
            return s->params[i];
    return NULL;
}

static void device_release(void *user, void *data) {
    sorai_device *dev = user;
    dev->free(dev, data);
}

int sorai_device_tensor(sora_tensor **out, sorai_mem *mem, sorai_device *device, int32_t dtype, int32_t rank, const int64_t *shape,
                        sora_error *err) {
    size_t bytes;
    *out = NULL;
    SORA_TRY(sorai_shape_bytes(dtype, rank, shape, &bytes, err));
    /* As for temporaries, kernels may read a vector past the end. */
    void *data = device->alloc(device, bytes + SORAI_ALIGN);
    if (!data)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a tensor of %zu bytes", bytes);
    if (device->zero(device, data, bytes + SORAI_ALIGN) != SORA_OK) {
        device->free(device, data);
        return sorai_fail(err, SORA_E_BACKEND, "the device could not clear memory");
    }
    const int status = sorai_tensor_wrap(out, mem, dtype, rank, shape, data, device, device_release, device, err);
    if (status != SORA_OK)
        device->free(device, data);
    return status;
}

static void to_f32(float *dst, const sora_tensor *src, int64_t count) {
    const uint16_t *half = src->data;
    for (int64_t i = 0; i < count; i++)
        dst[i] = src->dtype == SORA_DTYPE_BF16 ? sorai_bf16_to_f32(half[i]) : sorai_f16_to_f32(half[i]);
}

static void found_release(void *user, void *data) {
    sora_tensor *found = user;
    (void)data;
    sorai_tensor_unref(&found);
}

/* What lies beside a value: used where it is, or a copy on the device. */
static int take_beside(sorai_store *s, sora_tensor **out, sora_tensor *from, sora_error *err) {
    if (!from || s->device->host_memory) {
        *out = sorai_tensor_ref(from);
        return SORA_OK;
    }
    SORA_TRY(sorai_device_tensor(out, s->mem, s->device, from->dtype, from->rank, from->shape, err));
    return s->device->upload(s->device, (*out)->data, from->data, sorai_tensor_bytes(from)) == SORA_OK
               ? SORA_OK
               : sorai_fail(err, SORA_E_BACKEND, "the device could not take data");
}

/* A value that is used where it lies: in a mapped file, or in the memory that it was multiplied out to. */
static int refer(sorai_store *s, sorai_param *p, sora_tensor *found, int32_t rank, const int64_t *shape, sora_error *err) {
    SORA_TRY(sorai_tensor_wrap(&p->value, s->mem, found->dtype, rank, shape, found->data, s->device, found_release, found, err));
    sorai_tensor_ref(found);
    p->mapped = sorai_tensor_borrows(found);
    return SORA_OK;
}

static int fill_found(sorai_store *s, sorai_param *p, sora_tensor *found, int32_t rank, const int64_t *shape, sora_error *err) {
    /* Checkpoints differ in axes of extent one ([c, 1, 1, 1] for a norm); the order of elements is the same. */
    int64_t want = 1;
    for (int32_t i = 0; i < rank; i++)
        want *= shape[i];
    bool same = found->rank == rank;
    for (int32_t i = 0; same && i < rank; i++)
        same = found->shape[i] == shape[i];
    if (!same) {
        int32_t a = 0, b = 0;
        same = want == sorai_tensor_count(found);
        for (; same && (a < rank || b < found->rank);) {
            if (a < rank && shape[a] == 1)
                a++;
            else if (b < found->rank && found->shape[b] == 1)
                b++;
            else
                same = a < rank && b < found->rank && shape[a++] == found->shape[b++];
        }
    }
    if (!same)
        return sorai_fail(err, SORA_E_FORMAT, "tensor %s%s: its shape does not fit the config", s->prefix, p->name);
    const int64_t scales = found->scale ? sorai_tensor_count(found->scale) : 1;
    if (found->dtype == SORA_DTYPE_I8 && !found->scale)
        return sorai_fail(err, SORA_E_FORMAT, "tensor %s%s: weights of type i8 need a scale for each row", s->prefix, p->name);
    if ((scales != 1 && (rank < 1 || shape[0] != scales)) || (found->up && (rank != 2 || shape[0] != found->up->shape[0])))
        return sorai_fail(err, SORA_E_FORMAT, "tensor %s%s: its scale or its LoRA does not fit the config", s->prefix, p->name);
    if (found->dtype != SORA_DTYPE_F32 && found->dtype != SORA_DTYPE_BF16 && found->dtype != SORA_DTYPE_F16 &&
        (s->trainable || !sorai_dtype_small(found->dtype)))
        return sorai_fail(err, SORA_E_FORMAT, "tensor %s%s: weights of type %s are not supported", s->prefix, p->name,
                          sorai_dtype_name(found->dtype));
    if (!s->trainable && s->device->host_memory)
        return refer(s, p, found, rank, shape, err);
    const int32_t dtype = s->trainable ? SORA_DTYPE_F32 : found->dtype;
    SORA_TRY(sorai_device_tensor(&p->value, s->mem, s->device, dtype, rank, shape, err));
    int status;
    if (dtype == found->dtype) {
        status = s->device->upload(s->device, p->value->data, found->data, sorai_tensor_bytes(p->value));
    } else {
        float *values = sorai_alloc(s->mem, (size_t)want * sizeof *values);
        if (!values)
            return sorai_fail(err, SORA_E_NOMEM, "no memory to convert %s", p->name);
        to_f32(values, found, want);
        status = s->device->upload(s->device, p->value->data, values, (size_t)want * sizeof *values);
        sorai_free(s->mem, values);
    }
    return status == SORA_OK ? SORA_OK : sorai_fail(err, SORA_E_BACKEND, "the device could not take %s", p->name);
}

static int fill_new(sorai_store *s, sorai_param *p, int32_t rank, const int64_t *shape, enum sorai_init init, double scale,
                    sora_error *err) {
    SORA_TRY(sorai_device_tensor(&p->value, s->mem, s->device, SORA_DTYPE_F32, rank, shape, err));
    if (init == SORAI_INIT_ZERO)
        return SORA_OK;
    const int64_t count = sorai_tensor_count(p->value);
    float *values = sorai_alloc(s->mem, (size_t)count * sizeof *values);
    if (!values)
        return sorai_fail(err, SORA_E_NOMEM, "no memory to initialise %s", p->name);
    const uint64_t stream = sorai_rng_stream(p->name);
    double bound = scale;
    if (init == SORAI_INIT_FAN_IN && rank > 0 && shape[0] > 0)
        bound = scale * sqrt(1.0 / (double)(count / shape[0] > 0 ? count / shape[0] : 1));
    if (init == SORAI_INIT_NORMAL)
        sorai_rng_normals(s->seed, stream, 0, values, (size_t)count);
    else if (init == SORAI_INIT_FAN_IN)
        sorai_rng_uniforms(s->seed, stream, 0, values, (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        if (init == SORAI_INIT_ONE)
            values[i] = 1.0f;
        else if (init == SORAI_INIT_NORMAL)
            values[i] *= (float)scale;
        else
            values[i] = (float)(bound * (2.0 * (double)values[i] - 1.0));
    }
    const int status = s->device->upload(s->device, p->value->data, values, (size_t)count * sizeof *values);
    sorai_free(s->mem, values);
    return status == SORA_OK ? SORA_OK : sorai_fail(err, SORA_E_BACKEND, "the device could not take %s", p->name);
}

/* The values of a smaller tensor take the first places along every axis of a new one. */
static int fill_corner(sorai_store *s, sorai_param *p, const sora_tensor *found, sora_error *err) {
    sora_tensor *const to = p->value;
    bool fits = found->rank == to->rank && (found->dtype == SORA_DTYPE_F32 || found->dtype == SORA_DTYPE_BF16 || found->dtype == SORA_DTYPE_F16);
    for (int32_t i = 0; fits && i < to->rank; i++)
        fits = found->shape[i] <= to->shape[i];
    if (!fits)
        return sorai_fail(err, SORA_E_FORMAT, "tensor %s%s: its shape or type does not fit the config", s->prefix, p->name);
    const int64_t count = sorai_tensor_count(found), all = sorai_tensor_count(to);
    float *const values = sorai_alloc(s->mem, (size_t)all * sizeof *values), *const old = sorai_alloc(s->mem, (size_t)count * sizeof *old);
    int status = values && old ? s->device->download(s->device, values, to->data, (size_t)all * sizeof *values) : SORA_E_NOMEM;
    if (status == SORA_OK) {
        if (found->dtype == SORA_DTYPE_F32)
            memcpy(old, found->data, (size_t)count * sizeof *old);
        else
            to_f32(old, found, count);
        for (int64_t k = 0; k < count; k++) {
            int64_t at = 0, step = 1, rest = k;
            for (int32_t i = to->rank - 1; i >= 0; i--) {
                at += rest % found->shape[i] * step;
                rest /= found->shape[i];
                step *= to->shape[i];
            }
            values[at] = old[k];
        }
        status = s->device->upload(s->device, to->data, values, (size_t)all * sizeof *values);
    }
    sorai_free(s->mem, values);
    sorai_free(s->mem, old);
    return status == SORA_OK ? SORA_OK : sorai_fail(err, status, "tensor %s%s could not be filled", s->prefix, p->name);
}

/* The value on a device that counts. */
static int fill_blank(sorai_store *s, sorai_param *p, int32_t rank, const int64_t *shape, sora_error *err) {
    sorai_blank b = {0};
    s->blank(s->lookup_user, p->name, &b);
    p->mapped = b.mapped;
    SORA_TRY(b.mapped ? sorai_tensor_wrap(&p->value, s->mem, b.dtype, rank, shape, &s->device, s->device, NULL, NULL, err)
                      : sorai_device_tensor(&p->value, s->mem, s->device, b.dtype, rank, shape, err));
    if (b.scales) SORA_TRY(sorai_device_tensor(&p->value->scale, s->mem, s->device, SORA_DTYPE_F32, 1, &b.scales, err));
    if (!b.added || rank != 2) return SORA_OK;
    SORA_TRY(sorai_device_tensor(&p->value->down, s->mem, s->device, b.factor_dtype, 2, (const int64_t[]){b.added, shape[1]}, err));
    return sorai_device_tensor(&p->value->up, s->mem, s->device, b.factor_dtype, 2, (const int64_t[]){shape[0], b.added}, err);
}

static bool same_count(const sora_tensor *found, int32_t rank, const int64_t *shape) {
    int64_t want = 1;
    for (int32_t i = 0; i < rank; i++)
        want *= shape[i];
    return want == sorai_tensor_count(found);
}

/* The value of a parameter that is asked for the first time: on a device that counts, of a new network, or found. */
static int fill(sorai_store *s, sorai_param *p, int32_t rank, const int64_t *shape, enum sorai_init init, double scale, sora_error *err) {
    sora_tensor *found = NULL;
    if (s->blank)
        return fill_blank(s, p, rank, shape, err);
    if (!s->lookup)
        return fill_new(s, p, rank, shape, init, scale, err);
    SORA_TRY(s->lookup(s->lookup_user, p->name, &found, err));
    int status = SORA_OK;
    if (s->grow && !(found && same_count(found, rank, shape))) {
        status = fill_new(s, p, rank, shape, init, scale, err);
        if (status == SORA_OK && found)
            status = fill_corner(s, p, found, err);
    } else {
        status = found ? fill_found(s, p, found, rank, shape, err)
                       : sorai_fail(err, SORA_E_NOTFOUND, "tensor %s%s is missing", s->prefix, p->name);
    }
    if (status == SORA_OK && found && !s->trainable) {
        status = take_beside(s, &p->value->scale, found->scale, err);
        if (status == SORA_OK) status = take_beside(s, &p->value->down, found->down, err);
        if (status == SORA_OK) status = take_beside(s, &p->value->up, found->up, err);
    }
    sorai_tensor_unref(&found);
    return status;
}

int sorai_store_get(sorai_store *s, sorai_param **out, const char *name, int32_t rank, const int64_t *shape, enum sorai_init init,
                    double scale, sora_error *err) {
    *out = sorai_store_find(s, name);
    if (*out)
        return SORA_OK;
    if (s->count == s->capacity) {
        const size_t capacity = s->capacity ? s->capacity * 2 : 64;
        sorai_param **grown = sorai_realloc(s->mem, s->params, capacity * sizeof *grown);
        if (!grown)
            return sorai_fail(err, SORA_E_NOMEM, "no memory for parameters");
        s->params = grown;
        s->capacity = capacity;
    }
    sorai_param *p = sorai_calloc(s->mem, 1, sizeof *p);
    int status = SORA_E_NOMEM;
    if (!p || !(p->name = sorai_strdup(s->mem, name))) {
        sorai_fail(err, status, "no memory for parameter %s", name);
        goto fail;
    }
    p->store = s;
    p->version = 1;
    p->trainable = s->trainable;
    p->eight = s->eight;
    status = fill(s, p, rank, shape, init, scale, err);
    if (status != SORA_OK)
        goto fail;
    if (s->trainable) {
        status = sorai_device_tensor(&p->grad, s->mem, s->device, SORA_DTYPE_F32, rank, shape, err);
        if (status != SORA_OK)
            goto fail;
    }
    s->params[s->count++] = p;
    *out = p;
    return SORA_OK;
fail:
    param_free(s, p);
    return status;
}

int sorai_store_zero_grad(sorai_store *s) {
    for (size_t i = 0; i < s->count; i++) {
        sora_tensor *g = s->params[i]->grad;
        if (g)
            SORA_TRY(s->device->zero(s->device, g->data, sorai_tensor_bytes(g)));
    }
    return SORA_OK;
}

void sorai_param_add_grad(sorai_exec *x, sorai_param *p, const sora_tensor *g) {
    if (!p->grad || !g || x->status != SORA_OK)
        return;
    const int64_t count = sorai_tensor_count(g);
    if (count != sorai_tensor_count(p->grad)) {
        sorai_exec_fail(x, SORA_E_INTERNAL, "the gradient of %s has another size than its parameter", p->name);
        return;
    }
    const sorak_binary_args args = {SORAK_BINARY_AXPBY, 1.0f, 1.0f, p->grad->data, g->data, p->grad->data, count, count};
    sorai_run(x, SK_OP_binary, SK_DT_f32, &args, sorak_binary_units(&args));
}
