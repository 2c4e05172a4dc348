/* A folder becomes a .sora file or the other way round; weights keep their types or change them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/io/folder_write.h"
#include "lib/io/sora_file.h"
#include "lib/model/files.h"
#include "lib/model/model.h"
#include "lib/tensor/half.h"

#define LEVEL 12 /* of zstd: packed once, read often */
/* Matrices with shorter rows gain nothing as int8: their scales would weigh as much. */
#define MIN_COLUMNS 32

/* Everything one conversion works with; exactly one of the writers is there. */
typedef struct conversion {
    sorai_mem *mem;
    sorai_package *from;
    int32_t weights;
    sorai_sora_writer *file;
    sorai_folder_writer *folder;
} conversion;

/* The tensors of one part as they will be written. */
typedef struct tensor_list {
    sorai_mem *mem;
    sorai_named_tensor *items;
    sora_tensor **tensors;
    char (*scale_names)[560];
    size_t count, scales;
} tensor_list;

static void list_release(tensor_list *l) {
    for (size_t i = 0; l->tensors && i < l->count; i++) sorai_tensor_unref(&l->tensors[i]);
    sorai_free(l->mem, l->items);
    sorai_free(l->mem, l->tensors);
    sorai_free(l->mem, l->scale_names);
}

static int is_float(int32_t dtype) {
    return dtype == SORA_DTYPE_F32 || dtype == SORA_DTYPE_BF16 || dtype == SORA_DTYPE_F16;
}

static float value_of(const sora_tensor *t, const sora_tensor *scale, int64_t i, int64_t columns) {
    switch (t->dtype) {
    case SORA_DTYPE_F32:
        return ((const float *)t->data)[i];
    case SORA_DTYPE_BF16:
        return sorai_bf16_to_f32(((const uint16_t *)t->data)[i]);
    case SORA_DTYPE_F16:
        return sorai_f16_to_f32(((const uint16_t *)t->data)[i]);
    default:
        return (float)((const int8_t *)t->data)[i] * ((const float *)scale->data)[i / columns];
    }
}

/* scale: of an int8 tensor's rows, else NULL. */
static int to_floats(conversion *c, const sora_tensor *from, const sora_tensor *scale, int32_t dtype, sora_tensor **out,
                     sora_error *err) {
    const int64_t count = sorai_tensor_count(from), columns = scale && from->shape[0] ? count / from->shape[0] : 1;
    SORA_TRY(sorai_tensor_new(out, c->mem, dtype, from->rank, from->shape, err));
    for (int64_t i = 0; i < count; i++) {
        const float v = value_of(from, scale, i, columns);
        if (dtype == SORA_DTYPE_F32)
            ((float *)(*out)->data)[i] = v;
        else
            ((uint16_t *)(*out)->data)[i] = sorai_f32_to_bf16(v);
    }
    return SORA_OK;
}

static int to_int8(conversion *c, const sora_tensor *from, sora_tensor **out, sora_tensor **scale, sora_error *err) {
    const int64_t rows = from->shape[0], columns = sorai_tensor_count(from) / rows;
    SORA_TRY(sorai_tensor_new(out, c->mem, SORA_DTYPE_I8, from->rank, from->shape, err));
    const int status = sorai_tensor_new(scale, c->mem, SORA_DTYPE_F32, 1, &rows, err);
    if (status != SORA_OK) {
        sorai_tensor_unref(out);
        return status;
    }
    for (int64_t r = 0; r < rows; r++) {
        float most = 0.0f;
        for (int64_t k = 0; k < columns; k++) most = fmaxf(most, fabsf(value_of(from, NULL, r * columns + k, 1)));
        const float step = most > 0.0f && isfinite(most) ? most / 127.0f : 1.0f;
        ((float *)(*scale)->data)[r] = step;
        for (int64_t k = 0; k < columns; k++) {
            const float q = rintf(value_of(from, NULL, r * columns + k, 1) / step);
            ((int8_t *)(*out)->data)[r * columns + k] = (int8_t)(q >= -127.0f ? q <= 127.0f ? q : 127.0f : -127.0f);
        }
    }
    return SORA_OK;
}

static void list_add(tensor_list *l, const char *name, sora_tensor *tensor) {
    l->tensors[l->count] = tensor;
    l->items[l->count++] = (sorai_named_tensor){name, tensor};
}

static int fits_int8(const sora_tensor *t) {
    return t->rank >= 2 && t->shape[0] >= 2 && is_float(t->dtype) && sorai_tensor_count(t) / t->shape[0] >= MIN_COLUMNS;
}

/* Vectors (norms, biases) are small and matter: bf16 and int8 leave them as they are. */
static int add_converted(conversion *c, tensor_list *l, const char *part, const char *name, sora_error *err) {
    sora_tensor *from = NULL, *to = NULL, *scale = NULL;
    SORA_TRY(sorai_package_lookup(c->from, part, name, &from, err));
    int status = SORA_OK;
    if (from->dtype == SORA_DTYPE_I8 && c->weights != SORA_DTYPE_I8) {
        status = from->scale ? to_floats(c, from, from->scale, c->weights, &to, err)
                             : sorai_fail(err, SORA_E_FORMAT, "%.200s: %.60s/%.150s needs a scale for each row",
                                          sorai_package_name(c->from), part, name);
    } else if (c->weights == SORA_DTYPE_I8 && fits_int8(from)) {
        char *scale_name = l->scale_names[l->scales++];
        snprintf(scale_name, sizeof *l->scale_names, "%s.scale", name);
        status = to_int8(c, from, &to, &scale, err);
        if (status == SORA_OK) list_add(l, scale_name, scale);
    } else if (is_float(from->dtype) && c->weights != SORA_DTYPE_I8 && from->dtype != c->weights &&
               (c->weights == SORA_DTYPE_F32 || from->rank >= 2)) {
        status = to_floats(c, from, NULL, c->weights, &to, err);
    } else {
        list_add(l, name, from);
        return SORA_OK;
    }
    sorai_tensor_unref(&from);
    if (status == SORA_OK) list_add(l, name, to);
    return status;
}

/* NAME.scale beside an int8 NAME whose rows are multiplied out: all are, or this one is changed by a LoRA. */
static int is_scale(conversion *c, const char *part, const char *name) {
    const size_t n = strlen(name);
    char base[560];
    sorai_tensor_info of;
    if (n < 7 || n >= sizeof base || strcmp(name + n - 6, ".scale") != 0) return 0;
    memcpy(base, name, n - 6);
    base[n - 6] = 0;
    if (sorai_package_find(c->from, part, base, &of, NULL) != SORA_OK || !of.scales) return 0;
    return of.dtype != SORA_DTYPE_I8 || (c->weights != 0 && c->weights != SORA_DTYPE_I8);
}

static int collect(conversion *c, const char *part, tensor_list *l, sora_error *err) {
    size_t n = 0;
    SORA_TRY(sorai_package_tensor_count(c->from, part, &n, err));
    l->items = sorai_calloc(c->mem, 2 * n + 1, sizeof *l->items);
    l->tensors = sorai_calloc(c->mem, 2 * n + 1, sizeof *l->tensors);
    l->scale_names = c->weights == SORA_DTYPE_I8 ? sorai_calloc(c->mem, n + 1, sizeof *l->scale_names) : NULL;
    if (!l->items || !l->tensors || (c->weights == SORA_DTYPE_I8 && !l->scale_names))
        return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to convert it", sorai_package_name(c->from));
    for (size_t i = 0; i < n; i++) {
        sorai_tensor_info info;
        SORA_TRY(sorai_package_tensor(c->from, part, i, &info, err));
        if (!info.dtype)
            return sorai_fail(err, SORA_E_UNSUPPORTED, "%.200s: %.60s/%.150s has the type %.15s",
                              sorai_package_name(c->from), part, info.name, info.type);
        if (is_scale(c, part, info.name)) {
            continue;
        } else if (c->weights == 0) {
            sora_tensor *t = NULL;
            SORA_TRY(sorai_package_lookup(c->from, part, info.name, &t, err));
            list_add(l, info.name, t);
        } else {
            SORA_TRY(add_converted(c, l, part, info.name, err));
        }
    }
    return SORA_OK;
}

static int is_tokenizer(const char *part) { return strncmp(part, "tokenizer", 9) == 0; }

static int write_part(conversion *c, const char *part, sora_error *err) {
    char name[640];
    json_t *config = NULL;
    tensor_list l = {.mem = c->mem};
    if (is_tokenizer(part)) /* its files are copied as they are, config included */
        return SORA_OK;
    int status = collect(c, part, &l, err);
    if (status == SORA_OK) status = sorai_package_config(c->from, part, &config, err);
    if (status == SORA_OK && c->file) {
        status = sorai_sora_writer_part(c->file, part, config, err);
        for (size_t i = 0; i < l.count && status == SORA_OK; i++)
            status = sorai_sora_writer_tensor(c->file, part, l.items[i].name, l.items[i].tensor, SORAI_CODEC_ZSTD_SPLIT,
                                              LEVEL, err);
    } else if (status == SORA_OK) {
        snprintf(name, sizeof name, "%s/%s", part,
                 strcmp(part, "scheduler") == 0 ? "scheduler_config.json" : "config.json");
        status = sorai_folder_writer_json(c->folder, name, config, err);
        snprintf(name, sizeof name, "%s/%s.safetensors", part,
                 strstr(part, "encoder") ? "model" : "diffusion_pytorch_model");
        if (status == SORA_OK && l.count) status = sorai_folder_writer_tensors(c->folder, name, l.items, l.count, err);
    }
    list_release(&l);
    return status;
}

static int write_blobs(conversion *c, sora_error *err) {
    static const char *const names[] = {"tokenizer/spiece.model", "tokenizer/tokenizer.json",
                                        "tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        sorai_bytes bytes = {0};
        sora_error why = {.struct_size = sizeof why};
        int status = sorai_package_blob(c->from, names[i], &bytes, &why);
        if (status == SORA_E_NOTFOUND) continue;
        if (status != SORA_OK) return sorai_fail(err, status, "%s", why.message);
        status = c->file
                     ? sorai_sora_writer_blob(c->file, names[i], bytes.data, bytes.size, SORAI_CODEC_ZSTD, LEVEL, err)
                     : sorai_folder_writer_file(c->folder, names[i], bytes.data, bytes.size, err);
        sorai_bytes_release(&bytes);
        SORA_TRY(status);
    }
    return SORA_OK;
}

/* model_index.json of a folder: the package's own, with an entry for every part (readers find parts by these), and what
 * else a .sora file's metadata holds under "sora_metadata". */
static json_t *folder_index(conversion *c) {
    json_t *own = sorai_package_index(c->from), *metadata = sorai_package_metadata(c->from), *rest = json_object(),
           *value;
    json_t *index = own ? json_deep_copy(own) : json_pack("{s:s}", "_class_name", "WanPipeline");
    const char *key, *part;
    int bad = !index || !rest;
    for (size_t i = 0; !bad && (part = sorai_package_part(c->from, i)) != NULL; i++)
        if (!json_is_array(json_object_get(index, part)))
            bad = json_object_set_new(index, part, json_pack("[ss]", "libsora", part)) != 0;
    json_object_foreach(metadata, key, value) {
        if (!bad && strcmp(key, "model_index") != 0) bad = json_object_set(rest, key, value) != 0;
    }
    if (!bad && json_object_size(rest)) bad = json_object_set(index, "sora_metadata", rest) != 0;
    json_decref(rest);
    if (bad) {
        json_decref(index);
        return NULL;
    }
    return index;
}

/* The reverse: metadata of a file. */
static json_t *file_metadata(conversion *c) {
    json_t *own = sorai_package_metadata(c->from), *index = sorai_package_index(c->from);
    if (own) return json_deep_copy(own);
    json_t *kept = json_object_get(index, "sora_metadata"), *metadata = kept ? json_deep_copy(kept) : json_object();
    json_t *copy = index ? json_deep_copy(index) : NULL;
    if (copy) json_object_del(copy, "sora_metadata");
    if (metadata && index && (!copy || json_object_set(metadata, "model_index", copy) != 0)) {
        json_decref(metadata);
        metadata = NULL;
    }
    json_decref(copy);
    return metadata;
}

static int begin(conversion *c, const char *to, sora_error *err) {
    const size_t n = strlen(to);
    const int single = n > 5 && strcmp(to + n - 5, ".sora") == 0;
    json_t *head = single ? file_metadata(c) : folder_index(c);
    if (!head) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to write it", to);
    int status = single ? sorai_sora_writer_begin(&c->file, c->mem, to, err)
                        : sorai_folder_writer_begin(&c->folder, c->mem, to, err);
    if (status == SORA_OK)
        status = single ? sorai_sora_writer_metadata(c->file, head, err)
                        : sorai_folder_writer_json(c->folder, "model_index.json", head, err);
    json_decref(head);
    return status;
}

static int check_weights(int32_t weights, sora_error *err) {
    if (weights == 0 || weights == SORA_DTYPE_F32 || weights == SORA_DTYPE_BF16 || weights == SORA_DTYPE_I8)
        return SORA_OK;
    return sorai_fail(err, SORA_E_INVALID, "weights are kept (0), f32, bf16 or i8");
}

int sorai_model_write(sorai_mem *mem, sorai_package *from, const char *to, int32_t weights, sora_error *err) {
    conversion c = {.mem = mem, .weights = weights, .from = from};
    SORA_TRY(check_weights(weights, err));
    int status = begin(&c, to, err);
    const char *part;
    for (size_t i = 0; status == SORA_OK && (part = sorai_package_part(c.from, i)) != NULL; i++)
        status = write_part(&c, part, err);
    if (status == SORA_OK) status = write_blobs(&c, err);
    if (status == SORA_OK)
        status = c.file ? sorai_sora_writer_finish(&c.file, err) : sorai_folder_writer_finish(&c.folder, err);
    sorai_sora_writer_abandon(&c.file);
    sorai_folder_writer_abandon(&c.folder);
    return status;
}

int sorai_model_convert(sorai_mem *mem, const char *from, const char *to, int32_t weights, sora_error *err) {
    const sorai_model_files files = {.path = from};
    sorai_package *package = NULL;
    SORA_TRY(check_weights(weights, err));
    SORA_TRY(sorai_files_open(&package, mem, &files, err));
    const int status = sorai_model_write(mem, package, to, weights, err);
    sorai_package_close(&package);
    return status;
}
