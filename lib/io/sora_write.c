#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "lib/base/checksum.h"
#include "lib/io/outfile.h"
#include "lib/io/sora_file.h"
#include "lib/io/sora_format.h"

struct sorai_sora_writer {
    sorai_mem *mem;
    sorai_outfile *file;
    char *path;
    json_t *header, *metadata, *parts, *tensors, *blobs; /* all but the first are the header's */
    json_t *names;                                       /* of tensors and blobs so far */
};

static void store(unsigned char *p, uint64_t x, int bytes) {
    for (int i = 0; i < bytes; i++) p[i] = (unsigned char)(x >> (8 * i));
}

static int no_memory(const sorai_sora_writer *w, sora_error *err) {
    return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to write it", w->path);
}

int sorai_sora_writer_begin(sorai_sora_writer **out, sorai_mem *mem, const char *path, sora_error *err) {
    *out = NULL;
    sorai_sora_writer *w = sorai_calloc(mem, 1, sizeof *w);
    if (!w) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to write it", path);
    w->mem = mem;
    w->path = sorai_strdup(mem, path ? path : "");
    w->names = json_object();
    w->header = json_pack("{s:o*, s:o*, s:o*, s:o*}", "metadata", json_object(), "parts", json_object(), "tensors",
                          json_array(), "blobs", json_array());
    w->metadata = json_object_get(w->header, "metadata");
    w->parts = json_object_get(w->header, "parts");
    w->tensors = json_object_get(w->header, "tensors");
    w->blobs = json_object_get(w->header, "blobs");
    int status = SORA_OK;
    if (!w->path || !w->names || !w->metadata || !w->parts || !w->tensors || !w->blobs)
        status = sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to write it", path);
    if (status == SORA_OK) status = sorai_outfile_begin(&w->file, mem, path, err);
    static const unsigned char room[SORA_FORMAT_PREAMBLE]; /* filled in at the end */
    if (status == SORA_OK) status = sorai_outfile_write(w->file, room, sizeof room, err);
    if (status != SORA_OK) sorai_sora_writer_abandon(&w);
    *out = w;
    return status;
}

void sorai_sora_writer_abandon(sorai_sora_writer **wp) {
    sorai_sora_writer *w = *wp;
    *wp = NULL;
    if (!w) return;
    sorai_outfile_abandon(&w->file);
    json_decref(w->names);
    json_decref(w->header);
    sorai_free(w->mem, w->path);
    sorai_free(w->mem, w);
}

int sorai_sora_writer_metadata(sorai_sora_writer *w, json_t *object, sora_error *err) {
    if (!json_is_object(object))
        return sorai_fail(err, SORA_E_INVALID, "%.300s: metadata must be a JSON object", w->path);
    if (json_object_set(w->header, "metadata", object) != 0) return no_memory(w, err);
    w->metadata = object;
    return SORA_OK;
}

int sorai_sora_writer_part(sorai_sora_writer *w, const char *part, json_t *config, sora_error *err) {
    if (!sorai_name_ok(part, strlen(part)) || strchr(part, '/') || !json_is_object(config))
        return sorai_fail(err, SORA_E_INVALID, "%.300s: part \"%.80s\" can't be written: bad name or config", w->path,
                          part);
    if (json_object_get(w->parts, part))
        return sorai_fail(err, SORA_E_INVALID, "%.300s: part \"%.80s\" given twice", w->path, part);
    json_t *entry = json_pack("{s:O}", "config", config);
    if (!entry || json_object_set_new(w->parts, part, entry) != 0) return no_memory(w, err);
    return SORA_OK;
}

/* Bytes as they go into the file. */
typedef struct packed {
    const void *data;
    size_t size;
    int32_t codec;
    void *own; /* to be freed, or NULL */
} packed;

/* zstd packs zeroes better than a reader may believe: a skippable frame fills up to what the format's limit asks for.
 */
static size_t filler(size_t raw, size_t stored) {
    const size_t least = raw / SORA_FORMAT_MAX_GROWTH;
    if (least <= stored) return 0;
    return least - stored < 8 ? 8 : least - stored;
}

/* Plain data can be mapped, packed data is unpacked into memory: what packing must save, as a part of the size. Of eight-bit weights more, since models get
 * them to take less memory, and zstd finds little in them: 7 to 9% in linear layers, a quarter and more in an autoencoder's convolutions. */
enum { LEAST = 32, LEAST_OF_EIGHT_BITS = 4 };

static int pack(sorai_sora_writer *w, const void *data, size_t size, size_t width, int32_t codec, int level,
                size_t least, packed *out, sora_error *err) {
    *out = (packed){.data = data, .size = size, .codec = SORAI_CODEC_NONE};
    if (codec == SORAI_CODEC_NONE || size < 64) return SORA_OK;
    const bool split = codec == SORAI_CODEC_ZSTD_SPLIT && width > 1;
    const size_t bound = ZSTD_compressBound(size), room = bound + size / SORA_FORMAT_MAX_GROWTH + 16;
    unsigned char *planes = split ? sorai_alloc(w->mem, size) : NULL, *buffer = sorai_alloc(w->mem, room);
    if (!buffer || (split && !planes)) {
        sorai_free(w->mem, planes);
        sorai_free(w->mem, buffer);
        return no_memory(w, err);
    }
    if (split) {
        const unsigned char *src = data;
        const size_t count = size / width;
        for (size_t b = 0; b < width; b++)
            for (size_t i = 0; i < count; i++) planes[b * count + i] = src[i * width + b];
    }
    size_t n = ZSTD_compress(buffer, bound, split ? planes : data, size, level < 1 ? 1 : level > 19 ? 19 : level);
    sorai_free(w->mem, planes);
    if (ZSTD_isError(n)) {
        sorai_free(w->mem, buffer);
        return no_memory(w, err);
    }
    const size_t fill = filler(size, n);
    if (fill) {
        store(buffer + n, 0x184D2A50u, 4);
        store(buffer + n + 4, fill - 8, 4);
        memset(buffer + n + 8, 0, fill - 8);
        n += fill;
    }
    if (n > size - size / least) {
        sorai_free(w->mem, buffer);
        return SORA_OK;
    }
    *out =
        (packed){.data = buffer, .size = n, .codec = split ? SORAI_CODEC_ZSTD_SPLIT : SORAI_CODEC_ZSTD, .own = buffer};
    return SORA_OK;
}

/* Writes the bytes and adds what the reader must know to `entry`. */
static int put(sorai_sora_writer *w, const char *name, json_t *entry, const packed *p, sora_error *err) {
    static const char *const codecs[] = {"none", "zstd", "zstd-split"};
    if (json_object_get(w->names, name))
        return sorai_fail(err, SORA_E_INVALID, "%.250s: \"%.150s\" given twice", w->path, name);
    SORA_TRY(sorai_outfile_pad(w->file, SORA_FORMAT_ALIGN, err));
    const uint64_t offset = sorai_outfile_size(w->file);
    SORA_TRY(sorai_outfile_write(w->file, p->data, p->size, err));
    char checksum[20];
    snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)sorai_checksum(p->data, p->size));
    if (json_object_set_new(w->names, name, json_true()) != 0 ||
        json_object_set_new(entry, "offset", json_integer((json_int_t)offset)) != 0 ||
        json_object_set_new(entry, "stored", json_integer((json_int_t)p->size)) != 0 ||
        json_object_set_new(entry, "codec", json_string(codecs[p->codec])) != 0 ||
        json_object_set_new(entry, "checksum", json_string(checksum)) != 0)
        return no_memory(w, err);
    return SORA_OK;
}

int sorai_sora_writer_tensor(sorai_sora_writer *w, const char *part, const char *name, const sora_tensor *t,
                             int32_t codec, int level, sora_error *err) {
    char full[640];
    const int length = snprintf(full, sizeof full, "%s/%s", part, name);
    if (length < 0 || length >= (int)sizeof full || !*name || !sorai_name_ok(full, (size_t)length))
        return sorai_fail(err, SORA_E_INVALID, "%.250s: the name of tensor \"%.150s\" can't be written", w->path, name);
    if (!json_object_get(w->parts, part))
        return sorai_fail(err, SORA_E_STATE, "%.250s: tensor \"%.150s\": its part has not been given", w->path, full);
    if (!sorai_dtype_size(t->dtype) || t->device)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%.250s: tensor \"%.150s\": its type or place can't be written",
                          w->path, full);
    json_t *shape = json_array();
    for (int32_t i = 0; i < t->rank; i++)
        if (json_array_append_new(shape, json_integer((json_int_t)t->shape[i])) != 0) {
            json_decref(shape);
            return no_memory(w, err);
        }
    json_t *entry = json_pack("{s:s, s:s, s:o}", "name", full, "dtype", sorai_dtype_name(t->dtype), "shape", shape);
    if (!entry) return no_memory(w, err);
    packed p;
    int status = pack(w, t->data, sorai_tensor_bytes(t), sorai_dtype_size(t->dtype), codec, level,
                      t->dtype == SORA_DTYPE_I8 ? LEAST_OF_EIGHT_BITS : LEAST, &p, err);
    if (status == SORA_OK) {
        status = put(w, full, entry, &p, err);
        sorai_free(w->mem, p.own);
    }
    if (status == SORA_OK && json_array_append(w->tensors, entry) != 0) status = no_memory(w, err);
    json_decref(entry);
    return status;
}

int sorai_sora_writer_blob(sorai_sora_writer *w, const char *name, const void *data, size_t size, int32_t codec,
                           int level, sora_error *err) {
    if (!sorai_name_ok(name, strlen(name)) || size > SORA_FORMAT_MAX_BLOB)
        return sorai_fail(err, SORA_E_INVALID, "%.250s: blob \"%.150s\" can't be written: bad name or too large",
                          w->path, name);
    json_t *entry = json_pack("{s:s, s:I}", "name", name, "size", (json_int_t)size);
    if (!entry) return no_memory(w, err);
    packed p;
    int status = pack(w, data, size, 1, codec, level, LEAST, &p, err);
    if (status == SORA_OK) {
        status = put(w, name, entry, &p, err);
        sorai_free(w->mem, p.own);
    }
    if (status == SORA_OK && json_array_append(w->blobs, entry) != 0) status = no_memory(w, err);
    json_decref(entry);
    return status;
}

static int finish(sorai_sora_writer *w, const char *header, sora_error *err) {
    const size_t length = strlen(header);
    if (length > SORA_FORMAT_MAX_HEADER)
        return sorai_fail(err, SORA_E_LIMIT, "%.300s: the header would be too large", w->path);
    SORA_TRY(sorai_outfile_pad(w->file, SORA_FORMAT_ALIGN, err));
    unsigned char p[SORA_FORMAT_PREAMBLE] = {0};
    memcpy(p, SORA_FORMAT_MAGIC, 8);
    store(p + 8, SORA_FORMAT_VERSION, 4);
    store(p + 16, sorai_outfile_size(w->file), 8);
    store(p + 24, length, 8);
    store(p + 32, sorai_checksum(header, length), 8);
    store(p + 40, sorai_outfile_size(w->file) + length, 8);
    store(p + 56, sorai_checksum(p, 56), 8);
    SORA_TRY(sorai_outfile_write(w->file, header, length, err));
    SORA_TRY(sorai_outfile_patch(w->file, 0, p, sizeof p, err));
    return sorai_outfile_commit(&w->file, err);
}

int sorai_sora_writer_finish(sorai_sora_writer **wp, sora_error *err) {
    sorai_sora_writer *w = *wp;
    char *header = json_dumps(w->header, JSON_COMPACT);
    int status = header ? finish(w, header, err) : no_memory(w, err);
    free(header);
    sorai_sora_writer_abandon(wp);
    return status;
}
