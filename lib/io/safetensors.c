#include "lib/io/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "lib/io/encoding.h"
#include "lib/io/json.h"

#define MAX_HEADER 100000000u
#define MAX_SHARDS 10000

struct sorai_safetensors {
    sorai_mem *mem;
    sorai_table table;
    sorai_source **files;
    size_t file_count;
    json_t *metadata;
};

static const struct {
    char name[12];
    int32_t dtype;
    uint32_t bits;
    int32_t encoding;
} types[] = {{"F32", SORA_DTYPE_F32, 32, SORAI_PLAIN},
             {"BF16", SORA_DTYPE_BF16, 16, SORAI_PLAIN},
             {"F16", SORA_DTYPE_F16, 16, SORAI_PLAIN},
             {"I32", SORA_DTYPE_I32, 32, SORAI_PLAIN},
             {"U8", SORA_DTYPE_U8, 8, SORAI_PLAIN},
             {"I8", SORA_DTYPE_I8, 8, SORAI_PLAIN},
             {"I64", SORA_DTYPE_I64, 64, SORAI_PLAIN},
             {"F64", SORA_DTYPE_F32, 64, SORAI_F64},
             {"BOOL", 0, 8, SORAI_PLAIN},
             {"F8_E4M3", SORA_DTYPE_BF16, 8, SORAI_F8_E4M3},
             {"F8_E5M2", SORA_DTYPE_BF16, 8, SORAI_F8_E5M2},
             {"F8_E8M0", 0, 8, SORAI_PLAIN},
             {"I16", 0, 16, SORAI_PLAIN},
             {"U16", 0, 16, SORAI_PLAIN},
             {"U32", 0, 32, SORAI_PLAIN},
             {"U64", 0, 64, SORAI_PLAIN}};

static int parse_tensor(const char *file, const char *name, size_t name_length, json_t *value, uint64_t data_size,
                        sorai_tensor_info *info, sora_error *err) {
    if (!sorai_name_ok(name, name_length))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: header: a tensor's name is empty, too long or not printable",
                          file);
    memset(info, 0, sizeof *info);
    info->name = name;
    json_t *type = json_object_get(value, "dtype"), *shape = json_object_get(value, "shape");
    json_t *range = json_object_get(value, "data_offsets");
    if (!json_is_object(value) || !json_is_string(type) || !json_is_array(shape) || !json_is_array(range) ||
        json_object_size(value) != 3)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": dtype, shape and data_offsets expected", file,
                          name);
    uint32_t bits = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(json_string_value(type), types[i].name) == 0) {
            bits = types[i].bits;
            info->dtype = types[i].dtype;
            info->encoding = types[i].encoding;
            memcpy(info->type, types[i].name, sizeof types[i].name);
        }
    if (!bits)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": dtype \"%.20s\" is unknown", file, name,
                          json_string_value(type));
    if (json_array_size(shape) > SORA_MAX_RANK)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": more than %d dimensions", file, name,
                          SORA_MAX_RANK);
    info->rank = (int32_t)json_array_size(shape);
    size_t bytes = bits / 8;
    for (int32_t i = 0; i < info->rank; i++) {
        json_t *extent = json_array_get(shape, (size_t)i);
        int64_t n = json_is_integer(extent) ? (int64_t)json_integer_value(extent) : -1;
        if (n < 0 || n > (INT64_C(1) << 40) || !sorai_mul_ok(bytes, (size_t)n, &bytes) || bytes >= (UINT64_C(1) << 62))
            return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": shape is not possible", file, name);
        info->shape[i] = n;
    }
    json_t *from = json_array_get(range, 0), *to = json_array_get(range, 1);
    if (json_array_size(range) != 2 || !json_is_integer(from) || !json_is_integer(to) || json_integer_value(from) < 0 ||
        json_integer_value(to) < json_integer_value(from) || (uint64_t)json_integer_value(to) > data_size)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": data_offsets are not inside the file", file,
                          name);
    info->offset = (uint64_t)json_integer_value(from);
    info->stored = (uint64_t)json_integer_value(to) - info->offset;
    if (info->stored != bytes)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": %llu bytes, its shape needs %zu", file, name,
                          (unsigned long long)info->stored, bytes);
    info->size = info->encoding ? info->stored / (bits / 8) * sorai_dtype_size(info->dtype) : info->stored;
    return SORA_OK;
}

static int by_offset(const void *a, const void *b) {
    const sorai_tensor_info *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (x->stored > y->stored) - (x->stored < y->stored);
}

/* The format forbids holes: bytes that no tensor owns are a sign of damage. */
static int check_cover(const char *file, sorai_tensor_info *items, size_t count, uint64_t data_size, sora_error *err) {
    if (count > 1) qsort(items, count, sizeof *items, by_offset);
    uint64_t end = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].offset != end)
            return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": data_offsets %s", file, items[i].name,
                              items[i].offset < end ? "overlap another tensor's" : "leave a hole before it");
        end += items[i].stored;
    }
    if (end != data_size)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: %llu bytes of data, the header describes %llu", file,
                          (unsigned long long)data_size, (unsigned long long)end);
    return SORA_OK;
}

static int check_metadata(const char *file, json_t *metadata, sora_error *err) {
    const char *key;
    json_t *value;
    if (!json_is_object(metadata)) return sorai_fail(err, SORA_E_FORMAT, "%.300s: __metadata__ is not an object", file);
    json_object_foreach(metadata, key, value) if (!json_is_string(value)) return sorai_fail(
        err, SORA_E_FORMAT, "%.300s: __metadata__: \"%.80s\" is not a string", file, key);
    return SORA_OK;
}

/* Reads one file's header into the table (unfinished). */
static int read_header(sorai_safetensors *st, sorai_source *source, sora_error *err) {
    const char *file = sorai_source_name(source);
    const uint64_t total = sorai_source_size(source);
    unsigned char head[8];
    if (total < sizeof head) return sorai_fail(err, SORA_E_FORMAT, "%.300s: too short for a safetensors file", file);
    SORA_TRY(sorai_source_read(source, 0, head, sizeof head, err));
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | head[i];
    if (length > MAX_HEADER || length > total - sizeof head)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: no model file of a known kind: read as safetensors, its header has %llu bytes of %llu", file,
                          (unsigned long long)length, (unsigned long long)total);
    const uint64_t data_at = sizeof head + length, data_size = total - data_at;
    sorai_bytes text;
    SORA_TRY(sorai_source_bytes(source, sizeof head, length, &text, err));
    json_t *header = NULL;
    int status = SORA_OK;
    if (length == 0 || text.data[0] != '{')
        status = sorai_fail(err, SORA_E_FORMAT, "%.300s: header does not begin with '{': not a safetensors file", file);
    if (status == SORA_OK)
        status = sorai_json_parse(&header, text.data, text.size, SORAI_JSON_MAX_VALUES, false, file, "header", err);
    sorai_bytes_release(&text);
    const size_t first = st->table.count;
    const char *name;
    json_t *value;
    if (status == SORA_OK) json_object_foreach(header, name, value) {
            if (strcmp(name, "__metadata__") == 0) {
                status = check_metadata(file, value, err);
                if (status == SORA_OK && !st->metadata) st->metadata = json_incref(value);
            } else {
                sorai_tensor_info info;
                status = parse_tensor(file, name, strlen(name), value, data_size, &info, err);
                info.file = (int32_t)st->file_count;
                if (status == SORA_OK) status = sorai_table_add(&st->table, &info, file, err);
            }
            if (status != SORA_OK) break;
        }
    json_decref(header);
    if (status == SORA_OK)
        status = check_cover(file, st->table.items ? st->table.items + first : NULL, st->table.count - first, data_size,
                             err);
    if (status != SORA_OK) return status;
    for (size_t i = first; i < st->table.count; i++) st->table.items[i].offset += data_at;
    st->files[st->file_count++] = sorai_source_ref(source);
    return SORA_OK;
}

static int create(sorai_safetensors **out, sorai_mem *mem, size_t files, const char *name, sora_error *err) {
    *out = NULL;
    sorai_safetensors *st = sorai_calloc(mem, 1, sizeof *st);
    if (st) st->files = sorai_calloc(mem, files, sizeof(sorai_source *));
    if (!st || !st->files) {
        sorai_free(mem, st);
        return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", name);
    }
    st->mem = mem;
    sorai_table_init(&st->table, mem);
    *out = st;
    return SORA_OK;
}

int sorai_safetensors_open(sorai_safetensors **out, sorai_mem *mem, sorai_source *source, sora_error *err) {
    sorai_safetensors *st;
    *out = NULL;
    SORA_TRY(create(&st, mem, 1, sorai_source_name(source), err));
    int status = read_header(st, source, err);
    if (status == SORA_OK) status = sorai_table_finish(&st->table, sorai_source_name(source), err);
    if (status != SORA_OK) sorai_safetensors_close(&st);
    *out = st;
    return status;
}

/* A shard's name must be one of the folder: an index is no way to read elsewhere. */
static bool shard_name_ok(const char *name) {
    return sorai_name_ok(name, strlen(name)) && !strchr(name, '/') && !strchr(name, '\\') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static int open_shard(sorai_safetensors *st, const char *index, const char *shard, sora_error *err) {
    const char *slash = strrchr(index, '/');
    const size_t folder = slash ? (size_t)(slash - index) + 1 : 0, length = strlen(shard);
    char *path = sorai_alloc(st->mem, folder + length + 1);
    if (!path) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", index);
    memcpy(path, index, folder);
    memcpy(path + folder, shard, length + 1);
    sorai_source *source;
    int status = sorai_source_open(&source, st->mem, path, err);
    if (status == SORA_E_NOTFOUND) sorai_fail(err, status, "%.250s: shard \"%.120s\" is missing", index, shard);
    if (status == SORA_OK) status = read_header(st, source, err);
    sorai_source_unref(&source);
    sorai_free(st->mem, path);
    return status;
}

static int read_index(sorai_safetensors **out, sorai_mem *mem, const char *path, json_t *index, sora_error *err) {
    *out = NULL;
    json_t *map = json_object_get(index, "weight_map");
    if (json_object_size(map) == 0) /* or no object at all */
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: weight_map is missing or empty", path);
    json_t *shards = json_object(); /* name -> number, in order of first mention */
    if (!shards) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", path);
    int status = SORA_OK;
    const char *name, *shard;
    json_t *value;
    json_object_foreach(map, name, value) {
        shard = json_string_value(value);
        if (!shard || !shard_name_ok(shard)) {
            status = sorai_fail(err, SORA_E_FORMAT, "%.250s: weight_map: \"%.120s\" is in no file of this folder", path,
                                name);
            break;
        }
        if (!json_object_get(shards, shard) &&
            json_object_set_new(shards, shard, json_integer((json_int_t)json_object_size(shards))) != 0) {
            status = sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", path);
            break;
        }
    }
    if (status == SORA_OK && json_object_size(shards) > MAX_SHARDS)
        status = sorai_fail(err, SORA_E_FORMAT, "%.300s: more than %d shards", path, MAX_SHARDS);
    sorai_safetensors *st = NULL;
    if (status == SORA_OK) status = create(&st, mem, json_object_size(shards) + 1, path, err);
    if (status == SORA_OK)
        json_object_foreach(shards, shard, value) if ((status = open_shard(st, path, shard, err)) != SORA_OK) break;
    if (status == SORA_OK) status = sorai_table_finish(&st->table, path, err);
    if (status == SORA_OK) json_object_foreach(map, name, value) {
            const sorai_tensor_info *info = sorai_table_find(&st->table, name);
            json_t *number = json_object_get(shards, json_string_value(value));
            if (!info || info->file != (int32_t)json_integer_value(number)) {
                status = sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\" is not in shard \"%.80s\"", path,
                                    name, json_string_value(value));
                break;
            }
        }
    json_decref(shards);
    if (status == SORA_OK)
        *out = st;
    else if (st)
        sorai_safetensors_close(&st);
    return status;
}

int sorai_safetensors_open_path(sorai_safetensors **out, sorai_mem *mem, const char *path, sora_error *err) {
    *out = NULL;
    sorai_source *source;
    SORA_TRY(sorai_source_open(&source, mem, path, err));
    const size_t length = strlen(path);
    int status;
    if (length > 5 && strcmp(path + length - 5, ".json") == 0) {
        json_t *index;
        status = sorai_json_load(&index, source, "index", err);
        if (status == SORA_OK) status = read_index(out, mem, path, index, err);
        json_decref(index);
    } else
        status = sorai_safetensors_open(out, mem, source, err);
    sorai_source_unref(&source);
    return status;
}

void sorai_safetensors_close(sorai_safetensors **stp) {
    sorai_safetensors *st = *stp;
    *stp = NULL;
    if (!st) return;
    for (size_t i = 0; i < st->file_count; i++) sorai_source_unref(&st->files[i]);
    sorai_free(st->mem, st->files);
    sorai_table_release(&st->table);
    json_decref(st->metadata);
    sorai_free(st->mem, st);
}

const sorai_table *sorai_safetensors_table(const sorai_safetensors *st) { return &st->table; }
json_t *sorai_safetensors_metadata(const sorai_safetensors *st) { return st->metadata; }

int sorai_safetensors_lookup(const sorai_safetensors *st, const char *name, sora_tensor **out, sora_error *err) {
    *out = NULL;
    const sorai_tensor_info *info = sorai_table_find(&st->table, name);
    if (!info)
        return sorai_fail(err, SORA_E_NOTFOUND, "%.250s: tensor \"%.150s\" is missing", sorai_source_name(st->files[0]), name);
    return sorai_safetensors_load(st, info, out, err);
}

int sorai_safetensors_load(const sorai_safetensors *st, const sorai_tensor_info *info, sora_tensor **out,
                           sora_error *err) {
    *out = NULL;
    sorai_source *source = st->files[info->file];
    if (!info->dtype)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%.250s: tensor \"%.150s\" is of type %s, which is not supported",
                          sorai_source_name(source), info->name, info->type);
    if (info->encoding)
        return sorai_source_expand(source, info->offset, info->stored, info->encoding, info->rank, info->shape, out,
                                   err);
    return sorai_source_tensor(source, info->offset, info->dtype, info->rank, info->shape, out, err);
}
