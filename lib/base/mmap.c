#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "lib/base/mmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned char nothing[SORAI_MAP_TAIL];

static size_t whole_pages(size_t size) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

/* The file, and behind it a page of zeros: without it a vector read at the end of a file that fills its last page would fault. */
static void *map_with_tail(int fd, size_t size) {
    const size_t whole = whole_pages(size), all = whole + whole_pages(SORAI_MAP_TAIL);
    char *base = mmap(NULL, all, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mmap(base, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) != MAP_FAILED) return base;
    (void)munmap(base, all);
    return MAP_FAILED;
}

static int open_failure(int code, const char *path, sora_error *err) {
    if (code == ENOENT || code == ENOTDIR) return sorai_fail(err, SORA_E_NOTFOUND, "%.300s: no such file", path);
    if (code == EACCES || code == EPERM) return sorai_fail(err, SORA_E_IO, "%.300s: permission denied", path);
    return sorai_fail(err, SORA_E_IO, "%.300s: can't be opened (error %d)", path, code);
}

int sorai_map_open(sorai_map *out, const char *path, sora_error *err) {
    out->data = NULL;
    out->size = 0;
    if (!path || !*path) return sorai_fail(err, SORA_E_INVALID, "an empty file name");
    /* non-blocking, so that a pipe without a writer is refused below instead of waiting for one */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return open_failure(errno, path, err);
    struct stat st;
    int status = SORA_OK;
    if (fstat(fd, &st) != 0)
        status = sorai_fail(err, SORA_E_IO, "%.300s: can't be examined (error %d)", path, errno);
    else if (!S_ISREG(st.st_mode))
        status = sorai_fail(err, SORA_E_IO, "%.300s: is %s, a file was expected", path,
                            S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
    else if (st.st_size < 0 || (uint64_t)st.st_size > SIZE_MAX / 2)
        status = sorai_fail(err, SORA_E_LIMIT, "%.300s: too large to be mapped", path);
    else if (st.st_size == 0)
        out->data = nothing;
    else {
        void *p = map_with_tail(fd, (size_t)st.st_size);
        if (p == MAP_FAILED)
            status = sorai_fail(err, SORA_E_IO, "%.300s: can't be mapped (error %d)", path, errno);
        else {
            out->data = p;
            out->size = (size_t)st.st_size;
        }
    }
    close(fd);
    return status;
}

void sorai_map_close(sorai_map *map) {
    if (map->data && map->size) (void)munmap((void *)(uintptr_t)map->data, whole_pages(map->size) + whole_pages(SORAI_MAP_TAIL));
    map->data = NULL;
    map->size = 0;
}
