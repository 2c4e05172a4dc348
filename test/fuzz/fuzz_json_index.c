/* The index of a sharded checkpoint, with two good shards beside it. */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/io/safetensors.h"
#include "test/fuzz/fuzz_help.h"

static char folder[] = "/tmp/sora-fuzz-XXXXXX", path[64];

static void clean_up(void) {
    static const char *const names[] = {"a.safetensors", "b.safetensors", "index.json"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void prepare(sorai_mem *mem) {
    static int done;
    if (done++) return;
    fuzz_require(mkdtemp(folder) != NULL, "a folder for the shards");
    atexit(clean_up);
    for (char c = 'a'; c <= 'b'; c++) {
        const int64_t shape[1] = {3};
        const char name[3] = {c, 'x', 0};
        sora_tensor *t;
        fuzz_require(sorai_tensor_new(&t, mem, SORA_DTYPE_F32, 1, shape, NULL) == SORA_OK, "a tensor");
        const sorai_named_tensor one = {name, t};
        snprintf(path, sizeof path, "%s/%c.safetensors", folder, c);
        fuzz_require(sorai_safetensors_write(mem, path, &one, 1, NULL, NULL) == SORA_OK, "a shard");
        sorai_tensor_unref(&t);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sorai_mem mem;
    sorai_mem_init(&mem, NULL, 0);
    prepare(&mem);
    snprintf(path, sizeof path, "%s/index.json", folder);
    FILE *f = fopen(path, "wb");
    fuzz_require(f && fwrite(data, 1, size, f) == size && fclose(f) == 0, "the index is written");
    sorai_safetensors *st;
    sora_error err = {0};
    const int status = sorai_safetensors_open_path(&st, &mem, path, &err);
    fuzz_check_error(status, &err);
    if (status == SORA_OK) {
        const sorai_table *table = sorai_safetensors_table(st);
        for (size_t i = 0; i < table->count; i++) {
            sora_tensor *t;
            fuzz_require(sorai_safetensors_lookup(st, table->items[i].name, &t, &err) == SORA_OK,
                         "a listed tensor is found");
            sorai_tensor_unref(&t);
        }
    }
    sorai_safetensors_close(&st);
    fuzz_check_memory(&mem, size, 64, 1 << 20);
    return 0;
}
