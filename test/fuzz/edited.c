/* Changed files under a path. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test/fuzz/fuzz_help.h"

const char *fuzz_edited(const uint8_t *good, size_t size, const uint8_t *edits, size_t length) {
    static int fd = -1;
    static char path[40];
    if (fd < 0) {
        fd = memfd_create("edited", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    uint8_t *copy = malloc(size);
    fuzz_require(fd >= 0 && copy && size > 16, "a file in memory");
    memcpy(copy, good, size);
    size_t header = 8 + (size_t)good[0] + ((size_t)good[1] << 8), end = size;
    header = header < size ? header : size;
    if (length >= 2 && (edits[0] != 0xff || edits[1] != 0xff)) end = (size_t)(edits[0] | edits[1] << 8) * size >> 16;
    for (size_t i = 2; i + 4 <= length; i += 4) {
        const size_t at = (size_t)edits[i] | (size_t)edits[i + 1] << 8 | (size_t)(edits[i + 2] & 0x7f) << 16;
        copy[at % (edits[i + 2] & 0x80 ? header : size)] = edits[i + 3];
    }
    fuzz_require(ftruncate(fd, 0) == 0 && pwrite(fd, copy, end, 0) == (ssize_t)end, "a file in memory takes bytes");
    free(copy);
    return path;
}

const char *fuzz_temporary(void) {
    static char path[] = "/tmp/sora-fuzz-XXXXXX";
    const int fd = mkstemp(path);
    fuzz_require(fd >= 0, "a temporary file");
    close(fd);
    return path;
}

uint8_t *fuzz_take(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    fuzz_require(f && fseek(f, 0, SEEK_END) == 0, "the file opens");
    *size = (size_t)ftell(f);
    uint8_t *data = malloc(*size + 1);
    fuzz_require(data && fseek(f, 0, SEEK_SET) == 0 && fread(data, 1, *size, f) == *size, "the file is read");
    fclose(f);
    remove(path);
    return data;
}
