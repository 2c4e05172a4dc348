#define _POSIX_C_SOURCE 200809L
#include "lib/io/folder_write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/io/outfile.h"

#define MAX_ENTRIES 256

struct sorai_folder_writer {
    sorai_mem *mem;
    char *path, *part;          /* where it goes, what it is called until then */
    char *entries[MAX_ENTRIES]; /* files and subfolders made so far, in order */
    size_t count;
};

static int no_memory(const char *path, sora_error *err) {
    return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to write it", path);
}

static int no_access(const char *path, sora_error *err) {
    return sorai_fail(err, SORA_E_IO, "%.300s: can't be written (error %d)", path, errno);
}

int sorai_folder_writer_begin(sorai_folder_writer **out, sorai_mem *mem, const char *path, sora_error *err) {
    struct stat st;
    *out = NULL;
    sorai_folder_writer *w = sorai_calloc(mem, 1, sizeof *w);
    const size_t room = strlen(path) + 32;
    if (!w) return no_memory(path, err);
    w->mem = mem;
    w->path = sorai_strdup(mem, path);
    w->part = sorai_alloc(mem, room);
    int status = w->path && w->part ? SORA_OK : no_memory(path, err);
    if (status == SORA_OK) {
        for (size_t n = strlen(w->path); n > 1 && w->path[n - 1] == '/'; n--) w->path[n - 1] = 0;
        snprintf(w->part, room, "%s.%ld.part", w->path, (long)getpid());
        /* An empty folder gives way; asked now, so that the work is not in vain. */
        if (stat(w->path, &st) == 0 && rmdir(w->path) != 0)
            status = sorai_fail(err, SORA_E_IO, "%.300s: something is there already", path);
        else if (mkdir(w->part, 0777) != 0)
            status = no_access(path, err);
    }
    if (status != SORA_OK) {
        sorai_free(mem, w->path);
        sorai_free(mem, w->part);
        sorai_free(mem, w);
        return status;
    }
    *out = w;
    return SORA_OK;
}

/* The path of an entry, remembered for removal; *out NULL on failure. */
static int add_entry(sorai_folder_writer *w, const char *name, size_t length, char **out, sora_error *err) {
    const size_t room = strlen(w->part) + length + 2;
    *out = NULL;
    if (w->count == MAX_ENTRIES)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%.300s: too many files for one model", w->path);
    char *path = sorai_alloc(w->mem, room);
    if (!path) return no_memory(w->path, err);
    snprintf(path, room, "%s/%.*s", w->part, (int)length, name);
    w->entries[w->count++] = path;
    *out = path;
    return SORA_OK;
}

static int enter(sorai_folder_writer *w, const char *name, char **path, sora_error *err) {
    const char *slash = strchr(name, '/');
    if (slash) {
        char *folder;
        struct stat st;
        SORA_TRY(add_entry(w, name, (size_t)(slash - name), &folder, err));
        if (stat(folder, &st) == 0)
            sorai_free(w->mem, w->entries[--w->count]);
        else if (mkdir(folder, 0777) != 0)
            return no_access(w->path, err);
    }
    return add_entry(w, name, strlen(name), path, err);
}

int sorai_folder_writer_file(sorai_folder_writer *w, const char *name, const void *data, size_t size, sora_error *err) {
    char *path;
    sorai_outfile *f = NULL;
    SORA_TRY(enter(w, name, &path, err));
    SORA_TRY(sorai_outfile_begin(&f, w->mem, path, err));
    int status = sorai_outfile_write(f, data, size, err);
    if (status == SORA_OK) status = sorai_outfile_commit(&f, err);
    sorai_outfile_abandon(&f);
    return status;
}

int sorai_folder_writer_json(sorai_folder_writer *w, const char *name, json_t *json, sora_error *err) {
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_SORT_KEYS);
    if (!text) return no_memory(w->path, err);
    const size_t length = strlen(text);
    text[length] = '\n'; /* in place of the zero: the length is given */
    const int status = sorai_folder_writer_file(w, name, text, length + 1, err);
    free(text);
    return status;
}

int sorai_folder_writer_tensors(sorai_folder_writer *w, const char *name, const sorai_named_tensor *tensors,
                                size_t count, sora_error *err) {
    char *path;
    SORA_TRY(enter(w, name, &path, err));
    json_t *metadata = json_pack("{s:s}", "format", "pt"); /* what other readers of these folders look for */
    if (!metadata) return no_memory(w->path, err);
    const int status = sorai_safetensors_write(w->mem, path, tensors, count, metadata, err);
    json_decref(metadata);
    return status;
}

static void release(sorai_folder_writer *w, int remove) {
    for (size_t i = w->count; i-- > 0;) {
        if (remove && unlink(w->entries[i]) != 0) rmdir(w->entries[i]);
        sorai_free(w->mem, w->entries[i]);
    }
    if (remove) rmdir(w->part);
    sorai_free(w->mem, w->path);
    sorai_free(w->mem, w->part);
    sorai_free(w->mem, w);
}

int sorai_folder_writer_finish(sorai_folder_writer **writer, sora_error *err) {
    sorai_folder_writer *w = *writer;
    *writer = NULL;
    const int status = rename(w->part, w->path) == 0 ? SORA_OK : no_access(w->path, err);
    release(w, status != SORA_OK);
    return status;
}

void sorai_folder_writer_abandon(sorai_folder_writer **writer) {
    sorai_folder_writer *w = *writer;
    *writer = NULL;
    if (w) release(w, 1);
}
