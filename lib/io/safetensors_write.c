#include <stdlib.h>
#include <string.h>

#include "lib/io/outfile.h"
#include "lib/io/safetensors.h"

static const char *type_name(int32_t dtype) {
    switch (dtype) {
    case SORA_DTYPE_F32:
        return "F32";
    case SORA_DTYPE_BF16:
        return "BF16";
    case SORA_DTYPE_F16:
        return "F16";
    case SORA_DTYPE_I32:
        return "I32";
    case SORA_DTYPE_U8:
        return "U8";
    case SORA_DTYPE_I8:
        return "I8";
    case SORA_DTYPE_I64:
        return "I64";
    default:
        return NULL;
    }
}

static json_t *describe(const sora_tensor *t, uint64_t offset, uint64_t bytes) {
    json_t *shape = json_array();
    bool ok = shape != NULL;
    for (int32_t i = 0; ok && i < t->rank; i++)
        ok = json_array_append_new(shape, json_integer((json_int_t)t->shape[i])) == 0;
    if (!ok) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_name(t->dtype), "shape", shape, "data_offsets",
                     (json_int_t)offset, (json_int_t)(offset + bytes));
}

static int by_width(const void *a, const void *b) {
    const sorai_named_tensor *x = a, *y = b;
    size_t wx = sorai_dtype_size(x->tensor->dtype), wy = sorai_dtype_size(y->tensor->dtype);
    if (wx != wy) return wx > wy ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* *out: the header's text from the C library's heap (free()). */
static int make_header(const char *path, const sorai_named_tensor *order, size_t count, json_t *metadata, char **out,
                       sora_error *err) {
    *out = NULL;
    json_t *header = json_object();
    bool ok = header && (!metadata || json_object_set(header, "__metadata__", metadata) == 0);
    uint64_t offset = 0;
    for (size_t i = 0; ok && i < count; i++) {
        const char *name = order[i].name;
        if (json_object_get(header, name) || strcmp(name, "__metadata__") == 0) {
            json_decref(header);
            return sorai_fail(err, SORA_E_INVALID, "%.300s: tensor \"%.120s\" given twice", path, name);
        }
        uint64_t bytes = sorai_tensor_bytes(order[i].tensor);
        ok = json_object_set_new(header, name, describe(order[i].tensor, offset, bytes)) == 0;
        offset += bytes;
    }
    if (ok) *out = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    return *out ? SORA_OK : sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory for the header", path);
}

static int write_file(sorai_outfile *f, const char *header, const sorai_named_tensor *order, size_t count,
                      sora_error *err) {
    const size_t text = strlen(header), length = (8 + text + 63) / 64 * 64 - 8;
    unsigned char head[8];
    for (int i = 0; i < 8; i++) head[i] = (unsigned char)((uint64_t)length >> (8 * i));
    SORA_TRY(sorai_outfile_write(f, head, sizeof head, err));
    SORA_TRY(sorai_outfile_write(f, header, text, err));
    for (size_t i = text; i < length; i++) /* spaces, so that the data begins aligned */
        SORA_TRY(sorai_outfile_write(f, " ", 1, err));
    for (size_t i = 0; i < count; i++)
        SORA_TRY(sorai_outfile_write(f, order[i].tensor->data, sorai_tensor_bytes(order[i].tensor), err));
    return SORA_OK;
}

int sorai_safetensors_write(sorai_mem *mem, const char *path, const sorai_named_tensor *tensors, size_t count,
                            json_t *metadata, sora_error *err) {
    for (size_t i = 0; i < count; i++) {
        if (!tensors[i].name || !sorai_name_ok(tensors[i].name, strlen(tensors[i].name)))
            return sorai_fail(err, SORA_E_INVALID, "%.300s: the name of tensor %zu can't be written", path, i);
        if (!type_name(tensors[i].tensor->dtype))
            return sorai_fail(err, SORA_E_UNSUPPORTED, "%.250s: the type of tensor \"%.120s\" can't be written", path,
                              tensors[i].name);
    }
    size_t bytes;
    sorai_named_tensor *order = sorai_mul_ok(count, sizeof *order, &bytes) ? sorai_alloc(mem, bytes) : NULL;
    if (!order) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to write it", path);
    if (count) {
        memcpy(order, tensors, bytes);
        qsort(order, count, sizeof *order, by_width);
    }
    char *header = NULL;
    sorai_outfile *f = NULL;
    int status = make_header(path, order, count, metadata, &header, err);
    if (status == SORA_OK) status = sorai_outfile_begin(&f, mem, path, err);
    if (status == SORA_OK) status = write_file(f, header, order, count, err);
    if (status == SORA_OK) status = sorai_outfile_commit(&f, err);
    sorai_outfile_abandon(&f);
    free(header);
    sorai_free(mem, order);
    return status;
}
