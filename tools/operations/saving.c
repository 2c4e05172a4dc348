#define _POSIX_C_SOURCE 200809L
#include "tools/operations/saving.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/hash.h"
#include "tools/options.h"

#define PATH 4200

static void path_of(char path[PATH], const char *folder, const char *what, int64_t index) {
    snprintf(path, PATH, "%.4000s/%s-%06lld.safetensors", folder, what, (long long)index);
}

/* What a file holds, or the files of a folder with their names. What cannot be read counts as empty: whoever reads the input will say so. */
static uint64_t sum_of(const char *name) {
    static unsigned char part[65536];
    uint64_t sum = HASH_BEGIN;
    struct dirent **names = NULL;
    char path[PATH];
    const int n = scandir(name, &names, NULL, alphasort);
    for (int i = 0; i < (n < 0 ? 1 : n); i++) {
        if (n >= 0) snprintf(path, sizeof path, "%.3900s/%.255s", name, names[i]->d_name);
        FILE *f = fopen(n < 0 ? name : path, "rb");
        if (n >= 0) sum = hash_add(sum, names[i]->d_name, strlen(names[i]->d_name) + 1);
        for (size_t got; f && (got = fread(part, 1, sizeof part, f)) > 0;) sum = hash_add(sum, part, got);
        if (f) fclose(f);
        if (n >= 0) free(names[i]);
    }
    free(names);
    return sum;
}

/* The words of a command, a line each, then a line for each of its inputs (malloc). *words: the bytes of the first part. */
static char *command_text(int argc, char **argv, const char *const *inputs, int count, size_t *words) {
    size_t size = 1 + 17 * (size_t)count;
    for (int i = 0; i < argc; i++) size += strlen(argv[i]) + 1;
    char *text = malloc(size), *to = text;
    if (!text) return NULL;
    for (int i = 0; i < argc; i++) to += sprintf(to, "%s\n", argv[i]);
    *words = (size_t)(to - text);
    *to = 0;
    for (int i = 0; i < count; i++)
        if (inputs[i]) to += sprintf(to, "%016llx\n", (unsigned long long)sum_of(inputs[i]));
    return text;
}

int saving_open(const char *folder, int argc, char **argv, const char *const *inputs, int count) {
    char path[PATH], *text;
    size_t words = 0;
    if (!folder) return EXIT_DONE;
    if (strlen(folder) > 4000) return complain(EXIT_USAGE, "option --save: the name is too long");
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) return complain(EXIT_FAILED, "%.300s: %s", folder, strerror(errno));
    if (!(text = command_text(argc, argv, inputs, count, &words))) return complain(EXIT_FAILED, "no memory for a command");
    const size_t size = strlen(text);
    int code = EXIT_DONE;
    snprintf(path, sizeof path, "%s/command", folder);
    FILE *f = fopen(path, "rb");
    if (f) {
        char *there = malloc(size + 2);
        if (!there) code = complain(EXIT_FAILED, "no memory for a command");
        const size_t got = there ? fread(there, 1, size + 1, f) : 0;
        if (there && (got < words || memcmp(there, text, words) != 0))
            code = complain(EXIT_FAILED, "%.300s: was saved by another command; name another folder, or take it away", folder);
        else if (there && (got != size || memcmp(there, text, size) != 0))
            code = complain(EXIT_FAILED, "%.300s: was saved with other inputs: their files have changed; name another folder, or take it away", folder);
        free(there);
        fclose(f);
    } else {
        f = fopen(path, "wb");
        const int written = f && fwrite(text, 1, size, f) == size;
        if ((f && fclose(f) != 0) || !written) code = complain(EXIT_FAILED, "%.300s: %s", path, strerror(errno));
    }
    free(text);
    return code;
}

/* What was written here and nothing else: the folder stays when there is more. */
void saving_close(const char *folder) {
    struct dirent **names = NULL;
    char path[PATH];
    const int n = folder ? scandir(folder, &names, NULL, NULL) : 0;
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        if (strcmp(name, "command") == 0 || strncmp(name, "run-", 4) == 0 || strncmp(name, "window-", 7) == 0) {
            snprintf(path, sizeof path, "%.3900s/%.255s", folder, name);
            (void)unlink(path);
        }
        free(names[i]);
    }
    free(names);
    if (folder) (void)rmdir(folder);
}

int saving_take(const char *folder, sora_context *ctx, int64_t index, const int64_t shape[4], uint8_t *rgb, int *found) {
    sora_error err = {.struct_size = sizeof err};
    sora_tensor_desc d = {.struct_size = sizeof d};
    sora_tensor *t = NULL;
    char path[PATH];
    *found = 0;
    if (!folder) return EXIT_DONE;
    path_of(path, folder, "window", index);
    const int status = access(path, F_OK) == 0 ? sora_tensor_load(&t, ctx, path, "frames", &err) : SORA_E_NOTFOUND;
    if (status == SORA_E_NOTFOUND) return EXIT_DONE;
    if (status != SORA_OK) return complain(EXIT_FAILED, "%s", err.message);
    *found = sora_tensor_info(t, &d) == SORA_OK && d.dtype == SORA_DTYPE_U8 && d.rank == 4 && memcmp(d.shape, shape, 4 * sizeof *shape) == 0;
    if (*found) memcpy(rgb, sora_tensor_data(t), sora_tensor_bytes(t));
    sora_tensor_unref(&t);
    return *found ? EXIT_DONE : complain(EXIT_FAILED, "%.300s: is not of this video", path);
}

int saving_put(const char *folder, sora_context *ctx, int64_t index, const int64_t shape[4], const uint8_t *rgb, sora_error *err) {
    sora_tensor_desc d = {sizeof d, SORA_DTYPE_U8, 4, 0, {0}};
    sora_tensor *t = NULL;
    const char *const name = "frames";
    char path[PATH];
    memcpy(d.shape, shape, 4 * sizeof *shape);
    int status = sora_tensor_wrap(&t, ctx, &d, (void *)(uintptr_t)rgb, NULL, NULL, err); /* only read */
    path_of(path, folder, "window", index);
    if (status == SORA_OK) status = sora_tensors_save(ctx, path, &name, &t, 1, err);
    sora_tensor_unref(&t);
    path_of(path, folder, "run", index);
    if (status == SORA_OK) (void)unlink(path);
    return status;
}

int saving_run(const char *folder, sora_pipeline *p, int64_t index, sora_error *err) {
    char path[PATH];
    path_of(path, folder, "run", index);
    int status = access(path, F_OK) == 0 ? sora_pipeline_resume(p, path, err) : sora_pipeline_begin(p, err);
    if (status != SORA_OK) return status;
    while ((status = sora_pipeline_step(p, err)) == SORA_MORE) {
        const int saved = sora_pipeline_save(p, path, err);
        if (saved == SORA_OK || saved == SORA_E_STATE) continue; /* there is something to save while it is denoised */
        sora_pipeline_cancel(p);
        return sora_pipeline_step(p, NULL) == SORA_E_CANCELLED ? saved : SORA_E_INTERNAL;
    }
    return status;
}
