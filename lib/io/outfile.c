#define _XOPEN_SOURCE 700
#include "lib/io/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER 65536

struct sorai_outfile {
    sorai_mem *mem;
    char *path, *temporary;
    int fd;
    uint64_t size; /* with what waits in the buffer */
    size_t waiting;
    char buffer[BUFFER];
};

static int failed(const sorai_outfile *f, const char *what, sora_error *err) {
    if (errno == ENOSPC) return sorai_fail(err, SORA_E_IO, "%.300s: no space left to write it", f->path);
    return sorai_fail(err, SORA_E_IO, "%.300s: %s failed (error %d)", f->path, what, errno);
}

static int write_all(sorai_outfile *f, const char *data, size_t n, sora_error *err) {
    while (n > 0) {
        ssize_t done = write(f->fd, data, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return failed(f, "writing", err);
        data += done;
        n -= (size_t)done;
    }
    return SORA_OK;
}

static int flush(sorai_outfile *f, sora_error *err) {
    size_t n = f->waiting;
    f->waiting = 0;
    return write_all(f, f->buffer, n, err);
}

/* Where the file really goes: behind links; *out from mem. */
static int resolve(sorai_mem *mem, const char *path, char **out, sora_error *err) {
    *out = NULL;
    if (!path || !*path) return sorai_fail(err, SORA_E_INVALID, "an empty file name");
    struct stat st;
    if (lstat(path, &st) == 0) {
        if (S_ISLNK(st.st_mode) && stat(path, &st) != 0)
            return sorai_fail(err, SORA_E_IO, "%.300s: is a link to nowhere", path);
        if (!S_ISREG(st.st_mode))
            return sorai_fail(err, SORA_E_IO, "%.300s: is %s, not a regular file; it is left alone", path,
                              S_ISDIR(st.st_mode) ? "a folder" : "a device, pipe or socket");
        char *real = realpath(path, NULL);
        if (!real) return sorai_fail(err, SORA_E_IO, "%.300s: can't be resolved (error %d)", path, errno);
        *out = sorai_strdup(mem, real);
        free(real);
    } else if (errno != ENOENT)
        return sorai_fail(err, SORA_E_IO, "%.300s: can't be written (error %d)", path, errno);
    else
        *out = sorai_strdup(mem, path);
    return *out ? SORA_OK : sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to write it", path);
}

int sorai_outfile_begin(sorai_outfile **out, sorai_mem *mem, const char *path, sora_error *err) {
    *out = NULL;
    char *real;
    SORA_TRY(resolve(mem, path, &real, err));
    const size_t room = strlen(real) + 48;
    sorai_outfile *f = sorai_alloc(mem, sizeof *f);
    char *temporary = sorai_alloc(mem, room);
    if (!f || !temporary) {
        sorai_free(mem, f);
        sorai_free(mem, temporary);
        sorai_free(mem, real);
        return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to write it", path);
    }
    f->mem = mem;
    f->path = real;
    f->temporary = temporary;
    f->fd = -1;
    f->size = f->waiting = 0;
    for (int i = 0; i < 1000 && f->fd < 0; i++) {
        snprintf(temporary, room, "%s.part-%ld-%d", real, (long)getpid(), i);
        f->fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->fd < 0 && errno != EEXIST) break;
    }
    if (f->fd >= 0) {
        *out = f;
        return SORA_OK;
    }
    int status;
    if (errno == ENOENT || errno == ENOTDIR)
        status = sorai_fail(err, SORA_E_NOTFOUND, "%.300s: its folder does not exist", path);
    else if (errno == EACCES || errno == EPERM || errno == EROFS)
        status = sorai_fail(err, SORA_E_IO, "%.300s: permission denied", path);
    else
        status = sorai_fail(err, SORA_E_IO, "%.300s: can't be written (error %d)", path, errno);
    sorai_free(mem, temporary);
    sorai_free(mem, real);
    sorai_free(mem, f);
    return status;
}

int sorai_outfile_write(sorai_outfile *f, const void *data, size_t n, sora_error *err) {
    if (n >= BUFFER || f->waiting + n > BUFFER) SORA_TRY(flush(f, err));
    f->size += n;
    if (n >= BUFFER) return write_all(f, data, n, err);
    if (n) memcpy(f->buffer + f->waiting, data, n);
    f->waiting += n;
    return SORA_OK;
}

int sorai_outfile_pad(sorai_outfile *f, size_t align, sora_error *err) {
    static const char zeroes[64];
    size_t missing = (align - (size_t)(f->size % align)) % align;
    while (missing > 0) {
        size_t n = missing < sizeof zeroes ? missing : sizeof zeroes;
        SORA_TRY(sorai_outfile_write(f, zeroes, n, err));
        missing -= n;
    }
    return SORA_OK;
}

int sorai_outfile_patch(sorai_outfile *f, uint64_t offset, const void *data, size_t n, sora_error *err) {
    SORA_TRY(flush(f, err));
    const char *p = data;
    while (n > 0) {
        ssize_t done = pwrite(f->fd, p, n, (off_t)offset);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return failed(f, "writing", err);
        p += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return SORA_OK;
}

uint64_t sorai_outfile_size(const sorai_outfile *f) { return f->size; }

static void dispose(sorai_outfile *f) {
    if (f->fd >= 0) close(f->fd);
    sorai_free(f->mem, f->temporary);
    sorai_free(f->mem, f->path);
    sorai_free(f->mem, f);
}

int sorai_outfile_commit(sorai_outfile **fp, sora_error *err) {
    sorai_outfile *f = *fp;
    *fp = NULL;
    int status = flush(f, err);
    if (status == SORA_OK) {
        int fd = f->fd;
        f->fd = -1;
        if (close(fd) != 0) /* network file systems report a full disk here */
            status = failed(f, "closing", err);
    }
    if (status == SORA_OK && rename(f->temporary, f->path) != 0) status = failed(f, "renaming", err);
    if (status != SORA_OK) unlink(f->temporary);
    dispose(f);
    return status;
}

void sorai_outfile_abandon(sorai_outfile **fp) {
    sorai_outfile *f = *fp;
    *fp = NULL;
    if (!f) return;
    unlink(f->temporary);
    dispose(f);
}
