/* Runs a fuzz target over files instead of a fuzzer: `make check` replays the committed corpus with it, with any compiler.
 * usage: fuzz_x FILE|FOLDER...   Each file, each file cut in half and the empty input must come back without a crash. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned passed, failed;

/* The input is handed over in a block of exactly its size, so that sanitizers see a read past its end. */
static void one(const char *name, const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) {
        printf("FAIL %s: out of memory\n", name);
        failed++;
        return;
    }
    if (size) memcpy(copy, data, size);
    printf("%s, %zu bytes\n", name, size);
    fflush(stdout); /* the last line names the culprit when the target crashes */
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    passed++;
}

static void file(const char *path) {
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    long size = -1;
    if (f && fseek(f, 0, SEEK_END) == 0) size = ftell(f);
    if (size >= 0) data = malloc((size_t)size + 1);
    if (!f || !data || fseek(f, 0, SEEK_SET) != 0 || fread(data, 1, (size_t)size, f) != (size_t)size) {
        printf("FAIL %s: cannot be read\n", path);
        failed++;
    } else {
        one(path, data, (size_t)size);
        if (size > 1) one(path, data, (size_t)size / 2);
    }
    free(data);
    if (f) fclose(f);
}

static void any(const char *path) {
    struct stat st;
    struct dirent **list;
    int n;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        file(path);
        return;
    }
    n = scandir(path, &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char sub[4096];
        if (list[i]->d_name[0] != '.' && snprintf(sub, sizeof sub, "%s/%s", path, list[i]->d_name) < (int)sizeof sub)
            any(sub);
        free(list[i]);
    }
    if (n >= 0) free(list);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE|FOLDER...\n", argv[0]);
        return 2;
    }
    one("the empty input", NULL, 0);
    for (int i = 1; i < argc; i++) any(argv[i]);
    if (passed < 2) {
        printf("FAIL the corpus is empty\n");
        failed++;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
