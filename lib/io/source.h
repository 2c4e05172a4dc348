/* Where a reader's bytes come from: a mapped file, memory, or the host's own I/O. Reference counted, so that tensors
 * which look into a mapped file keep it open. Contents never change. Any thread (callbacks must allow that too). */
#ifndef SORAI_IO_SOURCE_H
#define SORAI_IO_SOURCE_H

#include "lib/tensor/tensor.h"

typedef struct sorai_source sorai_source;

/* The host's I/O. read_at copies exactly n bytes from `offset` to dst and returns 0, or anything else when it can't;
 * only ranges inside `size` are asked for. close (NULL: nothing to do) is called once, by the last unref or by a failed
 * open. */
typedef struct sorai_io {
    void *user;
    uint64_t size;
    int (*read_at)(void *user, uint64_t offset, void *dst, size_t n);
    void (*close)(void *user);
} sorai_io;

/* `name` stands in error messages (copied; NULL: "memory" / "input"). */
int sorai_source_open(sorai_source **out, sorai_mem *mem, const char *path, sora_error *err);
/* release(user, data) is called by the last unref, not when this fails; NULL: never. */
int sorai_source_memory(sorai_source **out, sorai_mem *mem, const char *name, const void *data, size_t size,
                        sorai_release_fn *release, void *user, sora_error *err);
int sorai_source_io(sorai_source **out, sorai_mem *mem, const char *name, const sorai_io *io, sora_error *err);

sorai_source *sorai_source_ref(sorai_source *s);
void sorai_source_unref(sorai_source **s);

const char *sorai_source_name(const sorai_source *s);
sorai_mem *sorai_source_mem(const sorai_source *s);
uint64_t sorai_source_size(const sorai_source *s);

/* The bytes [offset, offset + n) when they are in memory anyway (mapped or memory), else NULL; NULL too when the range
 * is not inside the source. Valid as long as the source. */
const void *sorai_source_peek(const sorai_source *s, uint64_t offset, size_t n);

/* Copies the range to dst. SORA_E_FORMAT when it is not inside the source, SORA_E_IO when the callback fails. */
int sorai_source_read(const sorai_source *s, uint64_t offset, void *dst, size_t n, sora_error *err);

/* A range as a block of memory: the source's own, or a copy. Nothing larger than the source is ever allocated. */
typedef struct sorai_bytes {
    const unsigned char *data;
    size_t size;
    sorai_source *source; /* referenced when data looks into it */
    void *copy;           /* else the copy, from mem */
    sorai_mem *mem;
} sorai_bytes;

int sorai_source_bytes(sorai_source *s, uint64_t offset, uint64_t n, sorai_bytes *out, sora_error *err);
void sorai_bytes_release(sorai_bytes *bytes); /* a zeroed one is fine */

/* A tensor of the range (its bytes are those of dtype and shape, checked by the caller against n): a view when the
 * bytes are in memory, aligned for the type and followed by SORAI_MAP_TAIL that may be read, else a copy. */
int sorai_source_tensor(sorai_source *s, uint64_t offset, int32_t dtype, int32_t rank, const int64_t *shape,
                        sora_tensor **out, sora_error *err);

#endif
