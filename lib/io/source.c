#include "lib/io/source.h"

#include <string.h>

#include "lib/base/mmap.h"

struct sorai_source {
    atomic_int refs;
    sorai_mem *mem;
    char *name;
    uint64_t size;
    const unsigned char *data; /* NULL: through io */
    sorai_map map;
    sorai_io io;
    sorai_release_fn *release;
    void *release_user;
};

static int create(sorai_source **out, sorai_mem *mem, const char *name, sora_error *err) {
    *out = NULL;
    sorai_source *s = sorai_calloc(mem, 1, sizeof *s);
    if (!s) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", name);
    atomic_init(&s->refs, 1);
    s->mem = mem;
    s->name = sorai_strdup(mem, name);
    if (!s->name) {
        sorai_free(mem, s);
        return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", name);
    }
    *out = s;
    return SORA_OK;
}

int sorai_source_open(sorai_source **out, sorai_mem *mem, const char *path, sora_error *err) {
    *out = NULL;
    sorai_map map;
    SORA_TRY(sorai_map_open(&map, path, err));
    int status = create(out, mem, path, err);
    if (status != SORA_OK) {
        sorai_map_close(&map);
        return status;
    }
    (*out)->map = map;
    (*out)->data = map.data;
    (*out)->size = map.size;
    return SORA_OK;
}

int sorai_source_memory(sorai_source **out, sorai_mem *mem, const char *name, const void *data, size_t size,
                        sorai_release_fn *release, void *user, sora_error *err) {
    *out = NULL;
    if (!data && size) return sorai_fail(err, SORA_E_INVALID, "%.300s: no data given", name ? name : "memory");
    SORA_TRY(create(out, mem, name ? name : "memory", err));
    (*out)->data = data ? data : (const void *)"";
    (*out)->size = size;
    (*out)->release = release;
    (*out)->release_user = user;
    return SORA_OK;
}

int sorai_source_io(sorai_source **out, sorai_mem *mem, const char *name, const sorai_io *io, sora_error *err) {
    *out = NULL;
    int status = SORA_OK;
    if (!io->read_at)
        status = sorai_fail(err, SORA_E_INVALID, "%.300s: no read_at function given", name ? name : "input");
    else
        status = create(out, mem, name ? name : "input", err);
    if (status != SORA_OK) {
        if (io->close) io->close(io->user);
        return status;
    }
    (*out)->io = *io;
    (*out)->size = io->size;
    return SORA_OK;
}

sorai_source *sorai_source_ref(sorai_source *s) {
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void sorai_source_unref(sorai_source **sp) {
    sorai_source *s = *sp;
    *sp = NULL;
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
    sorai_map_close(&s->map);
    if (s->io.close) s->io.close(s->io.user);
    if (s->release) s->release(s->release_user, (void *)(uintptr_t)s->data);
    sorai_free(s->mem, s->name);
    sorai_free(s->mem, s);
}

const char *sorai_source_name(const sorai_source *s) { return s->name; }
sorai_mem *sorai_source_mem(const sorai_source *s) { return s->mem; }
uint64_t sorai_source_size(const sorai_source *s) { return s->size; }

static bool inside(const sorai_source *s, uint64_t offset, uint64_t n) {
    return offset <= s->size && n <= s->size - offset;
}

const void *sorai_source_peek(const sorai_source *s, uint64_t offset, size_t n) {
    return s->data && inside(s, offset, n) ? s->data + offset : NULL;
}

int sorai_source_read(const sorai_source *s, uint64_t offset, void *dst, size_t n, sora_error *err) {
    if (!inside(s, offset, n))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: cut short: %zu bytes at %llu, the file has %llu", s->name, n,
                          (unsigned long long)offset, (unsigned long long)s->size);
    if (n == 0) return SORA_OK;
    if (s->data)
        memcpy(dst, s->data + offset, n);
    else if (s->io.read_at(s->io.user, offset, dst, n) != 0)
        return sorai_fail(err, SORA_E_IO, "%.300s: reading %zu bytes at %llu failed", s->name, n,
                          (unsigned long long)offset);
    return SORA_OK;
}

int sorai_source_bytes(sorai_source *s, uint64_t offset, uint64_t n, sorai_bytes *out, sora_error *err) {
    memset(out, 0, sizeof *out);
    if (!inside(s, offset, n) || n > SIZE_MAX / 2)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: cut short: %llu bytes at %llu, the file has %llu", s->name,
                          (unsigned long long)n, (unsigned long long)offset, (unsigned long long)s->size);
    if (s->data) {
        out->data = s->data + offset;
        out->source = sorai_source_ref(s);
    } else {
        out->copy = sorai_alloc(s->mem, (size_t)n);
        if (!out->copy)
            return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory for %llu bytes", s->name, (unsigned long long)n);
        int status = sorai_source_read(s, offset, out->copy, (size_t)n, err);
        if (status != SORA_OK) {
            sorai_free(s->mem, out->copy);
            memset(out, 0, sizeof *out);
            return status;
        }
        out->data = out->copy;
    }
    out->mem = s->mem;
    out->size = (size_t)n;
    return SORA_OK;
}

void sorai_bytes_release(sorai_bytes *bytes) {
    sorai_source_unref(&bytes->source);
    if (bytes->copy) sorai_free(bytes->mem, bytes->copy);
    memset(bytes, 0, sizeof *bytes);
}

static void release_view(void *user, void *data) {
    sorai_source *s = user;
    (void)data;
    sorai_source_unref(&s);
}

int sorai_source_tensor(sorai_source *s, uint64_t offset, int32_t dtype, int32_t rank, const int64_t *shape,
                        sora_tensor **out, sora_error *err) {
    *out = NULL;
    size_t bytes;
    SORA_TRY(sorai_shape_bytes(dtype, rank, shape, &bytes, err));
    if (!inside(s, offset, bytes))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: a tensor's %zu bytes at %llu are not in the file", s->name,
                          bytes, (unsigned long long)offset);
    const unsigned char *data = s->data ? s->data + offset : NULL;
    const bool tail = s->map.data || s->size - offset - bytes >= SORAI_MAP_TAIL;
    if (data && tail && (sorai_dtype_stored(dtype) || (uintptr_t)data % sorai_dtype_size(dtype) == 0)) {
        sorai_source *kept = sorai_source_ref(s);
        int status =
            sorai_tensor_wrap(out, s->mem, dtype, rank, shape, (void *)(uintptr_t)data, NULL, release_view, kept, err);
        if (status != SORA_OK) sorai_source_unref(&kept);
        return status;
    }
    SORA_TRY(sorai_tensor_new(out, s->mem, dtype, rank, shape, err));
    int status = sorai_source_read(s, offset, (*out)->data, bytes, err);
    if (status != SORA_OK) sorai_tensor_unref(out);
    return status;
}
