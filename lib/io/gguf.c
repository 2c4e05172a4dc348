#include "lib/io/gguf.h"

#include <stdlib.h>
#include <string.h>

#include "lib/io/encoding.h"

#define MAX_KEYS    65536
#define MAX_TENSORS 1000000
#define MAX_STRING  (1u << 20) /* of one that is kept */
#define SHORT_ARRAY 64

typedef struct array_place {
    char *key;
    uint32_t type;
    uint64_t offset, count;
} array_place;

struct sorai_gguf {
    sorai_mem *mem;
    sorai_source *source;
    sorai_table table;
    json_t *metadata;
    array_place *arrays;
    size_t array_count, array_capacity;
};

/* Reads on from a place, a piece at a time: a host's I/O is not asked for every number. */
typedef struct cursor {
    sorai_source *source;
    uint64_t at;
    unsigned char piece[4096];
    uint64_t piece_at;
    size_t piece_size;
} cursor;

static int take(cursor *c, void *out, size_t n, sora_error *err) {
    const uint64_t size = sorai_source_size(c->source);
    if (c->at > size || n > size - c->at)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: cut short: its header goes past the end",
                          sorai_source_name(c->source));
    if (c->at < c->piece_at || c->at - c->piece_at > c->piece_size || c->piece_size - (c->at - c->piece_at) < n) {
        if (n > sizeof c->piece / 2) {
            SORA_TRY(sorai_source_read(c->source, c->at, out, n, err));
            c->at += n;
            return SORA_OK;
        }
        c->piece_size = size - c->at < sizeof c->piece ? (size_t)(size - c->at) : sizeof c->piece;
        c->piece_at = c->at;
        const int status = sorai_source_read(c->source, c->at, c->piece, c->piece_size, err);
        if (status != SORA_OK) {
            c->piece_size = 0;
            return status;
        }
    }
    memcpy(out, c->piece + (c->at - c->piece_at), n);
    c->at += n;
    return SORA_OK;
}

static int number(cursor *c, size_t bytes, uint64_t *out, sora_error *err) {
    unsigned char b[8];
    SORA_TRY(take(c, b, bytes, err));
    *out = 0;
    for (size_t i = bytes; i > 0; i--) *out = *out << 8 | b[i - 1];
    return SORA_OK;
}

static int skip(cursor *c, uint64_t n, sora_error *err) {
    const uint64_t size = sorai_source_size(c->source);
    if (c->at > size || n > size - c->at)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: cut short: its header goes past the end",
                          sorai_source_name(c->source));
    c->at += n;
    return SORA_OK;
}

/* A name into text (room for 512 bytes and the end). */
static int name_of(cursor *c, const char *what, char text[513], sora_error *err) {
    uint64_t n;
    SORA_TRY(number(c, 8, &n, err));
    if (n == 0 || n > 512)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: %s of %llu bytes", sorai_source_name(c->source), what,
                          (unsigned long long)n);
    SORA_TRY(take(c, text, (size_t)n, err));
    text[n] = 0;
    if (!sorai_name_ok(text, (size_t)n) || strlen(text) != n)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: %s is not printable", sorai_source_name(c->source), what);
    return SORA_OK;
}

/* Bytes of a value of GGUF's type; 0: not of fixed size, or none. */
static size_t value_size(uint64_t type) {
    static const unsigned char sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < sizeof sizes ? sizes[type] : 0;
}

static json_t *scalar(uint64_t type, uint64_t bits) {
    float f;
    double d;
    const uint32_t low = (uint32_t)bits;
    switch (type) {
    case 1:
        return json_integer((int8_t)(uint8_t)bits);
    case 3:
        return json_integer((int16_t)(uint16_t)bits);
    case 5:
        return json_integer((int32_t)low);
    case 6:
        memcpy(&f, &low, sizeof f);
        return f - f == 0.0f ? json_real((double)f) : json_null();
    case 7:
        return json_boolean(bits != 0);
    case 12:
        memcpy(&d, &bits, sizeof d);
        return d - d == 0.0 ? json_real(d) : json_null();
    default:
        return json_integer((json_int_t)bits);
    }
}

static int no_memory(const sorai_gguf *g, sora_error *err) {
    return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", sorai_source_name(g->source));
}

static int read_string(sorai_gguf *g, cursor *c, json_t **out, sora_error *err) {
    uint64_t n;
    SORA_TRY(number(c, 8, &n, err));
    if (n > MAX_STRING || n > sorai_source_size(c->source) - c->at) {
        *out = json_null();
        return skip(c, n, err);
    }
    char *text = sorai_alloc(g->mem, (size_t)n + 1);
    if (!text) return no_memory(g, err);
    const int status = take(c, text, (size_t)n, err);
    if (status == SORA_OK) {
        *out = json_stringn(text, (size_t)n); /* NULL when it is no UTF-8 */
        if (!*out) *out = json_null();
    }
    sorai_free(g->mem, text);
    return status;
}

static int keep_array(sorai_gguf *g, const char *key, uint64_t type, uint64_t offset, uint64_t count, sora_error *err) {
    if (g->array_count == g->array_capacity) {
        const size_t capacity = g->array_capacity ? g->array_capacity * 2 : 8;
        array_place *grown = sorai_realloc(g->mem, g->arrays, capacity * sizeof *grown);
        if (!grown) return no_memory(g, err);
        g->arrays = grown;
        g->array_capacity = capacity;
    }
    char *copy = sorai_strdup(g->mem, key);
    if (!copy) return no_memory(g, err);
    g->arrays[g->array_count++] = (array_place){copy, (uint32_t)type, offset, count};
    return SORA_OK;
}

static int read_array(sorai_gguf *g, cursor *c, const char *key, json_t **out, sora_error *err) {
    uint64_t type, count, length;
    SORA_TRY(number(c, 4, &type, err));
    SORA_TRY(number(c, 8, &count, err));
    const size_t size = value_size(type);
    const uint64_t offset = c->at, rest = sorai_source_size(c->source) - c->at;
    if (!size && type != SORAI_GGUF_STRING)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: \"%.150s\": an array of type %llu", sorai_source_name(c->source),
                          key, (unsigned long long)type);
    if (count > rest / (size ? size : 8))
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: \"%.150s\": %llu values are not in the file",
                          sorai_source_name(c->source), key, (unsigned long long)count);
    SORA_TRY(keep_array(g, key, type, offset, count, err));
    if (size && count <= SHORT_ARRAY) {
        *out = json_array();
        for (uint64_t i = 0; i < count; i++) {
            uint64_t bits;
            SORA_TRY(number(c, size, &bits, err));
            if (json_array_append_new(*out, scalar(type, bits)) != 0) return no_memory(g, err);
        }
        return SORA_OK;
    }
    *out = json_pack("{s:I}", "length", (json_int_t)count);
    if (size) return skip(c, count * size, err);
    for (uint64_t i = 0; i < count; i++) {
        SORA_TRY(number(c, 8, &length, err));
        SORA_TRY(skip(c, length, err));
    }
    return SORA_OK;
}

static int read_pair(sorai_gguf *g, cursor *c, sora_error *err) {
    char key[513];
    uint64_t type, bits;
    json_t *value = NULL;
    int status;
    SORA_TRY(name_of(c, "a key of its metadata", key, err));
    SORA_TRY(number(c, 4, &type, err));
    if (json_object_get(g->metadata, key))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: \"%.150s\" is there twice", sorai_source_name(c->source), key);
    if (type == SORAI_GGUF_STRING) {
        status = read_string(g, c, &value, err);
    } else if (type == 9) {
        status = read_array(g, c, key, &value, err);
    } else if (value_size(type)) {
        status = number(c, value_size(type), &bits, err);
        if (status == SORA_OK) value = scalar(type, bits);
    } else {
        status = sorai_fail(err, SORA_E_FORMAT, "%.250s: \"%.150s\": %llu is no type of a value",
                            sorai_source_name(c->source), key, (unsigned long long)type);
    }
    if (status != SORA_OK) {
        json_decref(value);
        return status;
    }
    return json_object_set_new(g->metadata, key, value) == 0 ? SORA_OK : no_memory(g, err);
}

/* GGML's numbers. */
static const struct {
    uint32_t number;
    int32_t dtype, encoding;
    char name[8];
} types[] = {
    {0, SORA_DTYPE_F32, SORAI_PLAIN, "F32"},    {1, SORA_DTYPE_F16, SORAI_PLAIN, "F16"},
    {30, SORA_DTYPE_BF16, SORAI_PLAIN, "BF16"}, {24, SORA_DTYPE_I8, SORAI_PLAIN, "I8"},
    {26, SORA_DTYPE_I32, SORAI_PLAIN, "I32"},   {27, SORA_DTYPE_I64, SORAI_PLAIN, "I64"},
    {2, SORA_DTYPE_F32, SORAI_Q4_0, "Q4_0"},    {3, SORA_DTYPE_F32, SORAI_Q4_1, "Q4_1"},
    {6, SORA_DTYPE_F32, SORAI_Q5_0, "Q5_0"},    {7, SORA_DTYPE_F32, SORAI_Q5_1, "Q5_1"},
    {8, SORA_DTYPE_F32, SORAI_Q8_0, "Q8_0"},    {10, SORA_DTYPE_F32, SORAI_Q2_K, "Q2_K"},
    {11, SORA_DTYPE_F32, SORAI_Q3_K, "Q3_K"},   {12, SORA_DTYPE_F32, SORAI_Q4_K, "Q4_K"},
    {13, SORA_DTYPE_F32, SORAI_Q5_K, "Q5_K"},   {14, SORA_DTYPE_F32, SORAI_Q6_K, "Q6_K"},
    {28, SORA_DTYPE_F32, SORAI_F64, "F64"},
};

/* Bytes of the tensor in the file from its type and extents. */
static int measure(const char *file, uint64_t type, sorai_tensor_info *info, sora_error *err) {
    size_t i = 0, bytes = 0;
    while (i < sizeof types / sizeof *types && types[i].number != type) i++;
    if (i == sizeof types / sizeof *types) { /* can be listed only */
        memcpy(info->type, "type ", 6);
        if (type < 1000)
            for (uint64_t at = 5, unit = type >= 100 ? 100 : type >= 10 ? 10 : 1; unit; unit /= 10)
                info->type[at++] = (char)('0' + type / unit % 10);
        else
            return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": %llu is no type", file, info->name,
                              (unsigned long long)type);
        return SORA_OK;
    }
    memcpy(info->type, types[i].name, sizeof types[i].name);
    info->dtype = types[i].dtype;
    info->encoding = types[i].encoding;
    sora_error why = {.struct_size = sizeof why};
    if (sorai_shape_bytes(info->dtype, info->rank, info->shape, &bytes, &why) != SORA_OK)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": shape is not possible", file, info->name);
    info->size = info->stored = bytes;
    const sorai_encoding_info *e = sorai_encoding_find(info->encoding);
    if (!e) return SORA_OK;
    if (e->values > 1 && (info->rank < 1 || info->shape[info->rank - 1] % e->values))
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": rows of %lld values are no blocks of %s",
                          file, info->name, info->rank < 1 ? 1LL : (long long)info->shape[info->rank - 1], info->type);
    info->stored = (uint64_t)(bytes / sizeof(float) / e->values) * e->bytes;
    return SORA_OK;
}

/* comfy.gguf.orig_shape.NAME: the shape before the converter laid the values out in rows. */
static int restore_shape(const sorai_gguf *g, sorai_tensor_info *info, sora_error *err) {
    char key[600] = "comfy.gguf.orig_shape.";
    const size_t at = strlen(key), n = strlen(info->name);
    if (n >= sizeof key - at) return SORA_OK;
    memcpy(key + at, info->name, n + 1);
    json_t *shape = json_object_get(g->metadata, key);
    if (!shape) return SORA_OK;
    uint64_t before = 1, after = 1;
    size_t rank = json_array_size(shape);
    bool ok = json_is_array(shape) && rank >= 1 && rank <= SORA_MAX_RANK;
    for (int32_t i = 0; i < info->rank; i++) before *= (uint64_t)info->shape[i];
    int64_t extents[SORA_MAX_RANK] = {0};
    for (size_t i = 0; ok && i < rank; i++) {
        extents[i] = (int64_t)json_integer_value(json_array_get(shape, i));
        ok = extents[i] > 0 && (uint64_t)extents[i] <= before &&
             !__builtin_mul_overflow(after, (uint64_t)extents[i], &after);
    }
    if (!ok || before != after)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: \"%.150s\" is no shape of its values",
                          sorai_source_name(g->source), key);
    info->rank = (int32_t)rank;
    memcpy(info->shape, extents, sizeof extents);
    return SORA_OK;
}

static int read_entry(sorai_gguf *g, cursor *c, sora_error *err) {
    const char *file = sorai_source_name(c->source);
    char name[513];
    uint64_t rank, extent, type;
    sorai_tensor_info info;
    memset(&info, 0, sizeof info);
    SORA_TRY(name_of(c, "a tensor's name", name, err));
    info.name = name;
    SORA_TRY(number(c, 4, &rank, err));
    if (rank > SORA_MAX_RANK)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": %llu dimensions", file, name,
                          (unsigned long long)rank);
    info.rank = (int32_t)rank;
    for (uint64_t i = 0; i < rank; i++) {
        SORA_TRY(number(c, 8, &extent, err));
        if (extent > UINT64_C(1) << 40)
            return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": shape is not possible", file, name);
        info.shape[rank - 1 - i] = (int64_t)extent;
    }
    SORA_TRY(number(c, 4, &type, err));
    SORA_TRY(number(c, 8, &info.offset, err));
    SORA_TRY(measure(file, type, &info, err));
    if (info.dtype) SORA_TRY(restore_shape(g, &info, err));
    return sorai_table_add(&g->table, &info, file, err);
}

static int by_offset(const void *a, const void *b) {
    const sorai_tensor_info *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (x->stored > y->stored) - (x->stored < y->stored);
}

/* Offsets become places in the file. */
static int place(sorai_gguf *g, uint64_t header, sora_error *err) {
    const char *file = sorai_source_name(g->source);
    const uint64_t size = sorai_source_size(g->source);
    json_t *given = json_object_get(g->metadata, "general.alignment");
    const json_int_t alignment = given ? json_integer_value(given) : 32;
    if (alignment < 1 || alignment > 1 << 20 || (alignment & (alignment - 1)))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: general.alignment is no power of two", file);
    const uint64_t step = (uint64_t)alignment, data = (header + step - 1) / step * step;
    uint64_t end = 0;
    if (g->table.count > 1) qsort(g->table.items, g->table.count, sizeof *g->table.items, by_offset);
    for (size_t i = 0; i < g->table.count; i++) {
        sorai_tensor_info *info = &g->table.items[i];
        if (info->offset % step)
            return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": its offset is not aligned", file,
                              info->name);
        if (info->offset < end)
            return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": lies over another", file, info->name);
        if (data > size || info->offset > size - data || info->stored > size - data - info->offset)
            return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": goes past the end of the file", file,
                              info->name);
        end = info->offset + info->stored;
        info->offset += data;
    }
    return SORA_OK;
}

static int read_all(sorai_gguf *g, sora_error *err) {
    const char *file = sorai_source_name(g->source);
    cursor *c = sorai_calloc(g->mem, 1, sizeof *c);
    uint64_t magic, version, tensors, pairs;
    if (!c) return no_memory(g, err);
    c->source = g->source;
    int status = number(c, 4, &magic, err);
    if (status == SORA_OK) status = number(c, 4, &version, err);
    if (status == SORA_OK && (version < 2 || version > 3))
        status = sorai_fail(err, SORA_E_UNSUPPORTED, "%.300s: GGUF of version %llu; 2 and 3 are read", file,
                            (unsigned long long)version);
    if (status == SORA_OK) status = number(c, 8, &tensors, err);
    if (status == SORA_OK) status = number(c, 8, &pairs, err);
    if (status == SORA_OK && (tensors > MAX_TENSORS || pairs > MAX_KEYS))
        status = sorai_fail(err, SORA_E_FORMAT, "%.300s: %llu tensors and %llu keys are not possible", file,
                            (unsigned long long)tensors, (unsigned long long)pairs);
    for (uint64_t i = 0; status == SORA_OK && i < pairs; i++) status = read_pair(g, c, err);
    for (uint64_t i = 0; status == SORA_OK && i < tensors; i++) status = read_entry(g, c, err);
    const uint64_t end = c->at;
    sorai_free(g->mem, c);
    if (status == SORA_OK) status = place(g, end, err);
    return status == SORA_OK ? sorai_table_finish(&g->table, file, err) : status;
}

bool sorai_gguf_probe(const sorai_source *source) {
    char head[4];
    return sorai_source_size(source) >= sizeof head &&
           sorai_source_read(source, 0, head, sizeof head, NULL) == SORA_OK && memcmp(head, "GGUF", sizeof head) == 0;
}

int sorai_gguf_open(sorai_gguf **out, sorai_mem *mem, sorai_source *source, sora_error *err) {
    *out = NULL;
    if (!sorai_gguf_probe(source))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: does not begin with GGUF", sorai_source_name(source));
    sorai_gguf *g = sorai_calloc(mem, 1, sizeof *g);
    if (!g) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", sorai_source_name(source));
    g->mem = mem;
    g->source = sorai_source_ref(source);
    sorai_table_init(&g->table, mem);
    g->metadata = json_object();
    const int status = g->metadata ? read_all(g, err) : no_memory(g, err);
    if (status != SORA_OK) sorai_gguf_close(&g);
    *out = g;
    return status;
}

void sorai_gguf_close(sorai_gguf **gp) {
    sorai_gguf *g = *gp;
    *gp = NULL;
    if (!g) return;
    for (size_t i = 0; i < g->array_count; i++) sorai_free(g->mem, g->arrays[i].key);
    sorai_free(g->mem, g->arrays);
    sorai_table_release(&g->table);
    json_decref(g->metadata);
    sorai_source_unref(&g->source);
    sorai_free(g->mem, g);
}

const sorai_table *sorai_gguf_table(const sorai_gguf *g) { return &g->table; }
json_t *sorai_gguf_metadata(const sorai_gguf *g) { return g->metadata; }
sorai_source *sorai_gguf_source(const sorai_gguf *g) { return g->source; }

int sorai_gguf_load(const sorai_gguf *g, const sorai_tensor_info *info, sora_tensor **out, sora_error *err) {
    *out = NULL;
    if (!info->dtype)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%.250s: tensor \"%.150s\" is of GGML's %s, which is not supported",
                          sorai_source_name(g->source), info->name, info->type);
    if (info->encoding)
        return sorai_source_expand(g->source, info->offset, info->stored, info->encoding, info->rank, info->shape, out,
                                   err);
    return sorai_source_tensor(g->source, info->offset, info->dtype, info->rank, info->shape, out, err);
}

bool sorai_gguf_array(const sorai_gguf *g, const char *key, uint32_t type, uint64_t *offset, uint64_t *count) {
    for (size_t i = 0; i < g->array_count; i++)
        if (g->arrays[i].type == type && strcmp(g->arrays[i].key, key) == 0) {
            *offset = g->arrays[i].offset;
            *count = g->arrays[i].count;
            return true;
        }
    return false;
}
