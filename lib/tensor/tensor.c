#include "lib/tensor/tensor.h"

#include <string.h>

size_t sorai_dtype_size(int32_t dtype) {
    switch (dtype) {
    case SORA_DTYPE_F32:
    case SORA_DTYPE_I32:
        return 4;
    case SORA_DTYPE_BF16:
    case SORA_DTYPE_F16:
        return 2;
    case SORA_DTYPE_U8:
    case SORA_DTYPE_I8:
    case SORAI_DTYPE_F8_E4M3:
    case SORAI_DTYPE_F8_E5M2:
        return 1;
    case SORA_DTYPE_I64:
        return 8;
    default:
        return 0;
    }
}

static const struct block {
    const char *name;
    uint16_t values, bytes;
} blocks[] = {{"f8_e4m3", 1, 1}, {"f8_e5m2", 1, 1}, {"q4_0", 32, 18},  {"q4_1", 32, 20},   {"q5_0", 32, 22},   {"q5_1", 32, 24},
              {"q8_0", 32, 34},  {"q2_k", 256, 84}, {"q3_k", 256, 110}, {"q4_k", 256, 144}, {"q5_k", 256, 176}, {"q6_k", 256, 210}};

int64_t sorai_dtype_values(int32_t dtype) { return sorai_dtype_stored(dtype) ? blocks[dtype - SORAI_DTYPE_F8_E4M3].values : 1; }

size_t sorai_dtype_bytes(int32_t dtype, int64_t count) {
    if (!sorai_dtype_stored(dtype))
        return (size_t)count * sorai_dtype_size(dtype);
    const struct block *b = &blocks[dtype - SORAI_DTYPE_F8_E4M3];
    return (size_t)(count / b->values) * b->bytes;
}

const char *sorai_dtype_name(int32_t dtype) {
    static const char *const names[] = {"unknown", "f32", "bf16", "f16", "i32", "u8", "i8", "i64"};
    return sorai_dtype_stored(dtype) ? blocks[dtype - SORAI_DTYPE_F8_E4M3].name : names[dtype > 0 && dtype <= SORA_DTYPE_I64 ? dtype : 0];
}

int64_t sorai_tensor_count(const sora_tensor *t) {
    int64_t n = 1;
    for (int32_t i = 0; i < t->rank; i++)
        n *= t->shape[i];
    return n;
}

size_t sorai_tensor_bytes(const sora_tensor *t) {
    return sorai_dtype_bytes(t->dtype, sorai_tensor_count(t));
}

int sorai_shape_bytes(int32_t dtype, int32_t rank, const int64_t *shape, size_t *bytes, sora_error *err) {
    size_t n = sorai_dtype_stored(dtype) ? 1 : sorai_dtype_size(dtype);
    *bytes = 0;
    if (!n)
        return sorai_fail(err, SORA_E_INVALID, "tensor: %d is no element type", (int)dtype);
    if (rank < 0 || rank > SORA_MAX_RANK)
        return sorai_fail(err, SORA_E_INVALID, "tensor: rank %d is not in 0..%d", (int)rank, SORA_MAX_RANK);
    bool empty = false;
    for (int32_t i = 0; i < rank; i++) {
        if (shape[i] < 0 || shape[i] > (int64_t)1 << 40)
            return sorai_fail(err, SORA_E_INVALID, "tensor: extent %lld of axis %d is out of range", (long long)shape[i], (int)i);
        if (!shape[i])
            empty = true;
        else if (!sorai_mul_ok(n, (size_t)shape[i], &n) || n >= (size_t)1 << 62)
            return sorai_fail(err, SORA_E_INVALID, "tensor: too many elements");
    }
    if (sorai_dtype_stored(dtype) && n % (size_t)sorai_dtype_values(dtype))
        return sorai_fail(err, SORA_E_INVALID, "tensor: not whole blocks of %s", sorai_dtype_name(dtype));
    *bytes = empty ? 0 : sorai_dtype_stored(dtype) ? sorai_dtype_bytes(dtype, (int64_t)n) : n;
    return SORA_OK;
}

static void release_owned(void *user, void *data) {
    sorai_free(user, data);
}

int sorai_tensor_wrap(sora_tensor **out, sorai_mem *mem, int32_t dtype, int32_t rank, const int64_t *shape, void *data,
                      struct sorai_device *device, sorai_release_fn *release, void *user, sora_error *err) {
    size_t bytes;
    *out = NULL;
    SORA_TRY(sorai_shape_bytes(dtype, rank, shape, &bytes, err));
    sora_tensor *t = sorai_calloc(mem, 1, sizeof *t);
    if (!t)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a tensor");
    atomic_init(&t->refs, 1);
    t->dtype = dtype;
    t->rank = rank;
    if (rank)
        memcpy(t->shape, shape, (size_t)rank * sizeof *shape);
    t->data = data;
    t->device = device;
    t->mem = mem;
    t->release = release;
    t->release_user = user;
    *out = t;
    return SORA_OK;
}

int sorai_tensor_new(sora_tensor **out, sorai_mem *mem, int32_t dtype, int32_t rank, const int64_t *shape, sora_error *err) {
    size_t bytes;
    *out = NULL;
    SORA_TRY(sorai_shape_bytes(dtype, rank, shape, &bytes, err));
    void *data = sorai_calloc(mem, 1, bytes + SORAI_ALIGN);
    if (!data)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a tensor of %zu bytes", bytes);
    const int status = sorai_tensor_wrap(out, mem, dtype, rank, shape, data, NULL, release_owned, mem, err);
    if (status != SORA_OK)
        sorai_free(mem, data);
    return status;
}

int sorai_tensor_borrows(const sora_tensor *t) { return t->release != release_owned; }

sora_tensor *sorai_tensor_ref(sora_tensor *t) {
    if (t && atomic_load(&t->refs) > 0)
        atomic_fetch_add(&t->refs, 1);
    return t;
}

void sorai_tensor_unref(sora_tensor **handle) {
    sora_tensor *t = *handle;
    *handle = NULL;
    if (!t || atomic_load(&t->refs) <= 0 || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    if (t->release)
        t->release(t->release_user, t->data);
    sorai_tensor_unref(&t->scale);
    sorai_tensor_unref(&t->down);
    sorai_tensor_unref(&t->up);
    sora_context *context = t->context;
    void (*context_unref)(sora_context **) = t->context_unref;
    sorai_free(t->mem, t);
    if (context)
        context_unref(&context);
}
