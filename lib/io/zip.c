#include "lib/io/zip.h"

#include <string.h>

#define MAX_ENTRIES 1000000

static uint64_t load(const unsigned char *p, int bytes) {
    uint64_t x = 0;
    for (int i = bytes - 1; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

bool sorai_zip_probe(const sorai_source *source) {
    char head[4];
    return sorai_source_size(source) >= sizeof head &&
           sorai_source_read(source, 0, head, sizeof head, NULL) == SORA_OK && memcmp(head, "PK\3\4", sizeof head) == 0;
}

static int damaged(const sorai_source *source, const char *what, sora_error *err) {
    return sorai_fail(err, SORA_E_FORMAT, "%.300s: zip archive: %s", sorai_source_name(source), what);
}

typedef struct directory {
    uint64_t count, size, offset;
} directory;

/* The record at the end, and its larger form where numbers do not fit. */
static int find_directory(sorai_source *source, directory *d, sora_error *err) {
    const uint64_t size = sorai_source_size(source), tail = size < 65557 ? size : 65557;
    sorai_bytes bytes;
    SORA_TRY(sorai_source_bytes(source, size - tail, tail, &bytes, err));
    uint64_t at = tail >= 22 ? tail - 22 + 1 : 0;
    while (at > 0 && memcmp(bytes.data + at - 1, "PK\5\6", 4) != 0) at--;
    unsigned char end[22];
    if (at) memcpy(end, bytes.data + at - 1, sizeof end);
    sorai_bytes_release(&bytes);
    if (!at) return damaged(source, "its directory is missing: cut short", err);
    *d = (directory){load(end + 10, 2), load(end + 12, 4), load(end + 16, 4)};
    const uint64_t place = size - tail + at - 1;
    unsigned char locator[20], large[56];
    if ((d->count == 0xffff || d->size == 0xffffffff || d->offset == 0xffffffff) && place >= sizeof locator) {
        SORA_TRY(sorai_source_read(source, place - sizeof locator, locator, sizeof locator, err));
        if (memcmp(locator, "PK\6\7", 4) == 0) {
            const uint64_t there = load(locator + 8, 8);
            if (there > size || size - there < sizeof large)
                return damaged(source, "its directory is not in the file", err);
            SORA_TRY(sorai_source_read(source, there, large, sizeof large, err));
            if (memcmp(large, "PK\6\6", 4) != 0) return damaged(source, "its directory is not where it should be", err);
            *d = (directory){load(large + 32, 8), load(large + 40, 8), load(large + 48, 8)};
        }
    }
    if (d->offset > place || d->size > place - d->offset || d->count > MAX_ENTRIES || d->count > d->size / 46)
        return damaged(source, "its directory is not in the file", err);
    return SORA_OK;
}

/* One entry of n bytes at p; *used: its length in the directory. */
static int read_entry(sorai_table *entries, sorai_source *source, const unsigned char *p, uint64_t n, uint64_t *used,
                      sora_error *err) {
    if (n < 46 || memcmp(p, "PK\1\2", 4) != 0) return damaged(source, "its directory is damaged", err);
    const uint64_t flags = load(p + 8, 2), method = load(p + 10, 2), name_size = load(p + 28, 2),
                   extra = load(p + 30, 2), comment = load(p + 32, 2), total = 46 + name_size + extra + comment,
                   size = sorai_source_size(source);
    uint64_t stored = load(p + 20, 4), plain = load(p + 24, 4), offset = load(p + 42, 4);
    char name[513];
    if (total > n || name_size > 512) return damaged(source, "its directory is damaged", err);
    memcpy(name, p + 46, name_size);
    name[name_size] = 0;
    if (!sorai_name_ok(name, (size_t)name_size)) return damaged(source, "a name is not printable", err);
    const unsigned char *x = p + 46 + name_size, *end = x + extra;
    while (end - x >= 4) { /* large numbers, in this order, each where the small one says so */
        const uint64_t id = load(x, 2), length = load(x + 2, 2);
        const unsigned char *value = x + 4;
        if (length > (uint64_t)(end - value)) return damaged(source, "its directory is damaged", err);
        const unsigned char *stop = value + length;
        uint64_t *const fields[] = {&plain, &stored, &offset};
        for (int i = 0; id == 1 && i < 3; i++)
            if (*fields[i] == 0xffffffff && stop - value >= 8) {
                *fields[i] = load(value, 8);
                value += 8;
            }
        x = stop;
    }
    if (flags & 1 || method != 0 || stored != plain)
        return sorai_fail(err, SORA_E_UNSUPPORTED,
                          "%.250s: zip archive: \"%.150s\" is packed; only plain entries are read",
                          sorai_source_name(source), name);
    unsigned char local[30];
    if (offset > size || size - offset < sizeof local) return damaged(source, "an entry is not in the file", err);
    SORA_TRY(sorai_source_read(source, offset, local, sizeof local, err));
    if (memcmp(local, "PK\3\4", 4) != 0) return damaged(source, "an entry is not where it should be", err);
    const uint64_t skip = sizeof local + load(local + 26, 2) + load(local + 28, 2);
    if (skip > size - offset || stored > size - offset - skip)
        return damaged(source, "an entry goes past the end", err);
    sorai_tensor_info info;
    memset(&info, 0, sizeof info);
    info.name = name;
    info.offset = offset + skip;
    info.size = info.stored = stored;
    *used = total;
    return sorai_table_add(entries, &info, sorai_source_name(source), err);
}

int sorai_zip_list(sorai_table *entries, sorai_source *source, sora_error *err) {
    directory d = {0, 0, 0};
    sorai_bytes bytes;
    SORA_TRY(find_directory(source, &d, err));
    SORA_TRY(sorai_source_bytes(source, d.offset, d.size, &bytes, err));
    int status = SORA_OK;
    uint64_t at = 0, used = 0;
    for (uint64_t i = 0; i < d.count && status == SORA_OK; i++, at += used)
        status = read_entry(entries, source, bytes.data + at, d.size - at, &used, err);
    sorai_bytes_release(&bytes);
    return status == SORA_OK ? sorai_table_finish(entries, sorai_source_name(source), err) : status;
}
