#include "lib/io/sora_file.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "lib/base/checksum.h"
#include "lib/io/json.h"
#include "lib/io/sora_format.h"

struct sorai_sora_file {
    sorai_mem *mem;
    sorai_source *source;
    sorai_table tensors, blobs;
    json_t *header, *metadata, *parts; /* the last two are the header's */
};

static uint64_t load(const unsigned char *p, int bytes) {
    uint64_t x = 0;
    for (int i = bytes - 1; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

bool sorai_sora_file_probe(const sorai_source *source) {
    char head[8];
    return sorai_source_size(source) >= sizeof head &&
           sorai_source_read(source, 0, head, sizeof head, NULL) == SORA_OK &&
           memcmp(head, SORA_FORMAT_MAGIC, sizeof head) == 0;
}

typedef struct extent {
    uint64_t offset, size;
} extent;

static int read_preamble(sorai_source *source, extent *header, uint64_t *check, sora_error *err) {
    const char *file = sorai_source_name(source);
    unsigned char p[SORA_FORMAT_PREAMBLE];
    if (sorai_source_size(source) >= sizeof p) SORA_TRY(sorai_source_read(source, 0, p, sizeof p, err));
    if (sorai_source_size(source) < sizeof p || memcmp(p, SORA_FORMAT_MAGIC, sizeof SORA_FORMAT_MAGIC - 1) != 0)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: not a .sora file, or cut short", file);
    if (load(p + 8, 4) != SORA_FORMAT_VERSION)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%.300s: version %u of the .sora format, this library reads %u",
                          file, (unsigned)load(p + 8, 4), SORA_FORMAT_VERSION);
    if (load(p + 56, 8) != sorai_checksum(p, 56))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: preamble: checksum is wrong", file);
    if (load(p + 12, 4) != 0 || load(p + 48, 8) != 0)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%.300s: preamble: unknown flags", file);
    header->offset = load(p + 16, 8);
    header->size = load(p + 24, 8);
    *check = load(p + 32, 8);
    const uint64_t size = load(p + 40, 8);
    if (size != sorai_source_size(source))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: %llu bytes long, should be %llu", file,
                          (unsigned long long)sorai_source_size(source), (unsigned long long)size);
    if (header->size > SORA_FORMAT_MAX_HEADER || header->offset < SORA_FORMAT_PREAMBLE || header->offset > size ||
        header->size > size - header->offset)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: preamble: the header is not inside the file", file);
    return SORA_OK;
}

static const char *const type_names[] = {"?", "f32", "bf16", "f16", "i32", "u8", "i8", "i64"};

static int32_t type_of(const char *name) {
    for (int32_t i = 1; i < (int32_t)(sizeof type_names / sizeof *type_names); i++)
        if (name && strcmp(name, type_names[i]) == 0) return i;
    return 0;
}

static bool get_u64(json_t *object, const char *key, uint64_t *out) {
    json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static bool get_checksum(json_t *object, uint64_t *out) {
    const char *text = json_string_value(json_object_get(object, "checksum"));
    if (!text || strlen(text) != 16) return false;
    *out = 0;
    for (int i = 0; i < 16; i++) {
        const char c = text[i];
        if (c >= '0' && c <= '9')
            *out = *out << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *out = *out << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    return true;
}

/* Where an entry's bytes are: the same for tensors and blobs. */
static int parse_place(const char *file, json_t *entry, uint64_t limit, sorai_tensor_info *info, sora_error *err) {
    const char *name = info->name;
    const char *codec = json_string_value(json_object_get(entry, "codec"));
    if (!get_u64(entry, "offset", &info->offset) || !get_u64(entry, "stored", &info->stored) || !codec ||
        !get_checksum(entry, &info->checksum))
        return sorai_fail(err, SORA_E_FORMAT,
                          "%.250s: \"%.150s\": offset, stored, codec or checksum is missing or wrong", file, name);
    if (strcmp(codec, "none") == 0)
        info->codec = SORAI_CODEC_NONE;
    else if (strcmp(codec, "zstd") == 0)
        info->codec = SORAI_CODEC_ZSTD;
    else if (strcmp(codec, "zstd-split") == 0)
        info->codec = SORAI_CODEC_ZSTD_SPLIT;
    else
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%.250s: \"%.150s\": codec \"%.20s\" is unknown", file, name, codec);
    if (info->offset < SORA_FORMAT_PREAMBLE || info->offset % SORA_FORMAT_ALIGN || info->offset > limit ||
        info->stored > limit - info->offset)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: \"%.150s\": its bytes are not inside the file", file, name);
    if (info->codec == SORAI_CODEC_NONE
            ? info->stored != info->size
            : info->size / SORA_FORMAT_MAX_GROWTH > info->stored + SORA_FORMAT_GROWTH_SLACK / SORA_FORMAT_MAX_GROWTH)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: \"%.150s\": %llu stored bytes can't hold its %llu", file, name,
                          (unsigned long long)info->stored, (unsigned long long)info->size);
    return SORA_OK;
}

static int parse_tensor(sorai_sora_file *f, json_t *entry, uint64_t limit, sora_error *err) {
    const char *file = sorai_source_name(f->source);
    sorai_tensor_info info;
    memset(&info, 0, sizeof info);
    json_t *name = json_object_get(entry, "name"), *shape = json_object_get(entry, "shape");
    if (!json_is_string(name) || !sorai_name_ok(json_string_value(name), json_string_length(name)))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: header: a tensor has no proper name", file);
    info.name = json_string_value(name);
    const char *slash = strchr(info.name, '/');
    const size_t part = slash ? (size_t)(slash - info.name) : 0;
    json_t *owner = part ? json_object_getn(f->parts, info.name, part) : NULL;
    if (!owner) return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.150s\" belongs to no part", file, info.name);
    info.dtype = type_of(json_string_value(json_object_get(entry, "dtype")));
    if (!info.dtype || !json_is_array(shape) || json_array_size(shape) > SORA_MAX_RANK)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.150s\": dtype or shape is missing or unknown", file,
                          info.name);
    memcpy(info.type, type_names[info.dtype], strlen(type_names[info.dtype]) + 1);
    info.rank = (int32_t)json_array_size(shape);
    for (int32_t i = 0; i < info.rank; i++) {
        json_t *n = json_array_get(shape, (size_t)i);
        info.shape[i] = json_is_integer(n) ? (int64_t)json_integer_value(n) : -1;
    }
    size_t bytes;
    if (sorai_shape_bytes(info.dtype, info.rank, info.shape, &bytes, NULL) != SORA_OK)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.150s\": shape is not possible", file, info.name);
    info.size = bytes;
    SORA_TRY(parse_place(file, entry, limit, &info, err));
    return sorai_table_add(&f->tensors, &info, file, err);
}

static int parse_blob(sorai_sora_file *f, json_t *entry, uint64_t limit, sora_error *err) {
    const char *file = sorai_source_name(f->source);
    sorai_tensor_info info;
    memset(&info, 0, sizeof info);
    json_t *name = json_object_get(entry, "name");
    if (!json_is_string(name) || !sorai_name_ok(json_string_value(name), json_string_length(name)))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: header: a blob has no proper name", file);
    info.name = json_string_value(name);
    if (!get_u64(entry, "size", &info.size) || info.size > SORA_FORMAT_MAX_BLOB)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: blob \"%.150s\": size is missing or not possible", file,
                          info.name);
    memcpy(info.type, "u8", 3);
    info.dtype = SORA_DTYPE_U8;
    info.rank = 1;
    info.shape[0] = (int64_t)info.size;
    SORA_TRY(parse_place(file, entry, limit, &info, err));
    return sorai_table_add(&f->blobs, &info, file, err);
}

static int by_offset(const void *a, const void *b) {
    const extent *x = a, *y = b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* No byte belongs to two entries: else a small file could ask for its bytes a million times. */
static int check_overlap(const sorai_sora_file *f, sora_error *err) {
    const char *file = sorai_source_name(f->source);
    const size_t count = f->tensors.count + f->blobs.count;
    extent *list = sorai_calloc(f->mem, count, sizeof *list);
    if (!list) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory for the list of tensors", file);
    for (size_t i = 0; i < count; i++) {
        const sorai_tensor_info *info =
            i < f->tensors.count ? &f->tensors.items[i] : &f->blobs.items[i - f->tensors.count];
        list[i] = (extent){info->offset, info->stored};
    }
    if (count > 1) qsort(list, count, sizeof *list, by_offset);
    int status = SORA_OK;
    for (size_t i = 1; i < count && status == SORA_OK; i++)
        if (list[i].offset < list[i - 1].offset + list[i - 1].size)
            status = sorai_fail(err, SORA_E_FORMAT, "%.300s: header: two entries share the bytes at %llu", file,
                                (unsigned long long)list[i].offset);
    sorai_free(f->mem, list);
    return status;
}

static int parse_header(sorai_sora_file *f, uint64_t limit, sora_error *err) {
    const char *file = sorai_source_name(f->source), *part;
    f->metadata = json_object_get(f->header, "metadata");
    f->parts = json_object_get(f->header, "parts");
    json_t *tensors = json_object_get(f->header, "tensors"), *blobs = json_object_get(f->header, "blobs"), *value;
    if (!json_is_object(f->metadata) || !json_is_object(f->parts) || !json_is_array(tensors) || !json_is_array(blobs))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: header: metadata, parts, tensors or blobs is missing", file);
    json_object_foreach(
        f->parts, part,
        value) if (!sorai_name_ok(part, strlen(part)) || strchr(part, '/') ||
                   !json_is_object(json_object_get(
                       value,
                       "config"))) return sorai_fail(err, SORA_E_FORMAT,
                                                     "%.300s: header: part \"%.80s\" has no config or no proper name",
                                                     file, part);
    size_t i;
    json_array_foreach(tensors, i, value) SORA_TRY(parse_tensor(f, value, limit, err));
    json_array_foreach(blobs, i, value) SORA_TRY(parse_blob(f, value, limit, err));
    SORA_TRY(sorai_table_finish(&f->tensors, file, err));
    SORA_TRY(sorai_table_finish(&f->blobs, file, err));
    return check_overlap(f, err);
}

int sorai_sora_file_open(sorai_sora_file **out, sorai_mem *mem, sorai_source *source, sora_error *err) {
    *out = NULL;
    extent header = {0, 0};
    uint64_t check = 0;
    SORA_TRY(read_preamble(source, &header, &check, err));
    sorai_bytes text;
    SORA_TRY(sorai_source_bytes(source, header.offset, header.size, &text, err));
    const char *file = sorai_source_name(source);
    sorai_sora_file *f = NULL;
    int status = SORA_OK;
    if (sorai_checksum(text.data, text.size) != check)
        status = sorai_fail(err, SORA_E_FORMAT, "%.300s: header: checksum is wrong", file);
    else if (!(f = sorai_calloc(mem, 1, sizeof *f)))
        status = sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", file);
    if (status == SORA_OK) {
        f->mem = mem;
        f->source = sorai_source_ref(source);
        sorai_table_init(&f->tensors, mem);
        sorai_table_init(&f->blobs, mem);
        status = sorai_json_parse(&f->header, text.data, text.size, SORAI_JSON_MAX_VALUES, false, file, "header", err);
    }
    sorai_bytes_release(&text);
    if (status == SORA_OK) status = parse_header(f, header.offset, err);
    if (status != SORA_OK) sorai_sora_file_close(&f);
    *out = f;
    return status;
}

void sorai_sora_file_close(sorai_sora_file **fp) {
    sorai_sora_file *f = *fp;
    *fp = NULL;
    if (!f) return;
    sorai_table_release(&f->tensors);
    sorai_table_release(&f->blobs);
    json_decref(f->header);
    sorai_source_unref(&f->source);
    sorai_free(f->mem, f);
}

json_t *sorai_sora_file_metadata(const sorai_sora_file *f) { return f->metadata; }
json_t *sorai_sora_file_parts(const sorai_sora_file *f) { return f->parts; }
const sorai_table *sorai_sora_file_tensors(const sorai_sora_file *f) { return &f->tensors; }
const sorai_table *sorai_sora_file_blobs(const sorai_sora_file *f) { return &f->blobs; }

/* Puts byte planes back together: src has all first bytes of the elements, then all second bytes ... */
static void join_planes(const unsigned char *src, unsigned char *dst, size_t size, size_t width) {
    const size_t count = size / width;
    for (size_t b = 0; b < width; b++)
        for (size_t i = 0; i < count; i++) dst[i * width + b] = src[b * count + i];
}

/* Unpacks into dst[0 .. info->size - 1]. */
static int unpack(const sorai_sora_file *f, const sorai_tensor_info *info, const sorai_bytes *packed,
                  unsigned char *dst, sora_error *err) {
    const char *file = sorai_source_name(f->source);
    const size_t size = (size_t)info->size, width = sorai_dtype_size(info->dtype);
    const bool split = info->codec == SORAI_CODEC_ZSTD_SPLIT && width > 1;
    unsigned char *target = dst;
    if (split && !(target = sorai_alloc(f->mem, size)))
        return sorai_fail(err, SORA_E_NOMEM, "%.250s: \"%.150s\": no memory to unpack it", file, info->name);
    const size_t done = ZSTD_decompress(target, size, packed->data, packed->size);
    int status = SORA_OK;
    if (ZSTD_isError(done) || done != size)
        status = sorai_fail(err, SORA_E_FORMAT, "%.250s: \"%.150s\": packed data is damaged", file, info->name);
    else if (split)
        join_planes(target, dst, size, width);
    if (split) sorai_free(f->mem, target);
    return status;
}

/* The stored bytes, after their checksum was found right. */
static int fetch(const sorai_sora_file *f, const sorai_tensor_info *info, sorai_bytes *out, sora_error *err) {
    SORA_TRY(sorai_source_bytes(f->source, info->offset, info->stored, out, err));
    if (sorai_checksum(out->data, out->size) == info->checksum) return SORA_OK;
    sorai_bytes_release(out);
    return sorai_fail(err, SORA_E_FORMAT, "%.250s: \"%.150s\": checksum is wrong, the file is damaged",
                      sorai_source_name(f->source), info->name);
}

static int load_tensor(const sorai_sora_file *f, const sorai_tensor_info *info, sora_tensor **out, sora_error *err) {
    *out = NULL;
    sorai_bytes stored;
    SORA_TRY(fetch(f, info, &stored, err));
    int status;
    if (info->codec == SORAI_CODEC_NONE && !stored.copy)
        status = sorai_source_tensor(f->source, info->offset, info->dtype, info->rank, info->shape, out, err);
    else {
        status = sorai_tensor_new(out, f->mem, info->dtype, info->rank, info->shape, err);
        if (status == SORA_OK && info->codec != SORAI_CODEC_NONE)
            status = unpack(f, info, &stored, (*out)->data, err);
        else if (status == SORA_OK && stored.size)
            memcpy((*out)->data, stored.data, stored.size);
        if (status != SORA_OK) sorai_tensor_unref(out);
    }
    sorai_bytes_release(&stored);
    return status;
}

int sorai_sora_file_lookup(const sorai_sora_file *f, const char *full_name, sora_tensor **out, sora_error *err) {
    *out = NULL;
    const sorai_tensor_info *info = sorai_table_find(&f->tensors, full_name);
    if (!info)
        return sorai_fail(err, SORA_E_NOTFOUND, "%.250s: tensor \"%.150s\" is missing", sorai_source_name(f->source),
                          full_name);
    return load_tensor(f, info, out, err);
}

int sorai_sora_file_blob(const sorai_sora_file *f, const char *name, sorai_bytes *out, sora_error *err) {
    memset(out, 0, sizeof *out);
    const sorai_tensor_info *info = sorai_table_find(&f->blobs, name);
    if (!info)
        return sorai_fail(err, SORA_E_NOTFOUND, "%.250s: blob \"%.150s\" is missing", sorai_source_name(f->source),
                          name);
    sorai_bytes stored;
    SORA_TRY(fetch(f, info, &stored, err));
    if (info->codec == SORAI_CODEC_NONE) {
        *out = stored;
        return SORA_OK;
    }
    int status = SORA_OK;
    unsigned char *copy = sorai_alloc(f->mem, (size_t)info->size);
    if (!copy)
        status =
            sorai_fail(err, SORA_E_NOMEM, "%.250s: blob \"%.150s\": no memory", sorai_source_name(f->source), name);
    else
        status = unpack(f, info, &stored, copy, err);
    sorai_bytes_release(&stored);
    if (status != SORA_OK) {
        sorai_free(f->mem, copy);
        return status;
    }
    *out = (sorai_bytes){.data = copy, .size = (size_t)info->size, .copy = copy, .mem = f->mem};
    return SORA_OK;
}

int sorai_sora_file_verify(const sorai_sora_file *f, sora_error *err) {
    for (size_t i = 0; i < f->tensors.count; i++) {
        sora_tensor *t;
        SORA_TRY(load_tensor(f, &f->tensors.items[i], &t, err));
        sorai_tensor_unref(&t);
    }
    for (size_t i = 0; i < f->blobs.count; i++) {
        sorai_bytes bytes;
        SORA_TRY(sorai_sora_file_blob(f, f->blobs.items[i].name, &bytes, err));
        sorai_bytes_release(&bytes);
    }
    return SORA_OK;
}
