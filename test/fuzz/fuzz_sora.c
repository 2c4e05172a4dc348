/* A .sora file. Checksums would keep the fuzzer out, so each input is tried as it is and with all of them put right. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/io/package.h"
#include "test/fuzz/fuzz_help.h"

static void open_all(sorai_mem *mem, const uint8_t *data, size_t size, int way) {
    sorai_source *source = fuzz_source(mem, "fuzz.sora", data, size, way);
    sorai_package *p;
    sora_error err = {0};
    int status = sorai_package_open_source(&p, mem, source, &err);
    fuzz_check_error(status, &err);
    if (status == SORA_OK) {
        status = sorai_package_verify(p, &err);
        fuzz_check_error(status, &err);
        const char *part;
        for (size_t i = 0; (part = sorai_package_part(p, i)); i++) {
            size_t count;
            json_t *config;
            fuzz_require(sorai_package_config(p, part, &config, &err) == SORA_OK, "a listed part has a config");
            fuzz_require(sorai_package_tensor_count(p, part, &count, &err) == SORA_OK, "a listed part can be listed");
            for (size_t k = 0; k < count; k++) {
                sorai_tensor_info info;
                sora_tensor *t;
                fuzz_require(sorai_package_tensor(p, part, k, &info, &err) == SORA_OK, "a listed tensor has an entry");
                const int found = sorai_package_lookup(p, part, info.name, &t, &err);
                fuzz_check_error(found, &err);
                fuzz_require(found == SORA_OK || status != SORA_OK, "a verified file gives its tensors");
                sorai_tensor_unref(&t);
            }
        }
    }
    sorai_package_close(&p);
    sorai_source_unref(&source);
}

static uint64_t load(const uint8_t *p) {
    uint64_t x = 0;
    for (int i = 7; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

static void store(uint8_t *p, uint64_t x) {
    for (int i = 0; i < 8; i++) p[i] = (uint8_t)(x >> (8 * i));
}

/* The checksum of each entry whose bytes are inside. */
static void sign_entries(json_t *list, const uint8_t *data, uint64_t limit) {
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) {
        const json_int_t offset = json_integer_value(json_object_get(entry, "offset"));
        const json_int_t stored = json_integer_value(json_object_get(entry, "stored"));
        if (!json_is_object(entry) || offset < 0 || stored < 0 || (uint64_t)offset > limit ||
            (uint64_t)stored > limit - (uint64_t)offset)
            continue;
        char text[20];
        snprintf(text, sizeof text, "%016llx", (unsigned long long)sorai_checksum(data + offset, (size_t)stored));
        json_object_set_new(entry, "checksum", json_string(text));
    }
}

/* *out (malloc): the input with right checksums and sizes, as far as it can be understood. */
static size_t sign(const uint8_t *data, size_t size, uint8_t **out) {
    const uint64_t offset = load(data + 16), length = load(data + 24);
    if (offset > size || offset < 64 || length > size - offset) return 0;
    json_t *header = json_loadb((const char *)data + offset, (size_t)length, 0, NULL);
    sign_entries(json_object_get(header, "tensors"), data, offset);
    sign_entries(json_object_get(header, "blobs"), data, offset);
    char *text = header ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    const size_t n = text ? strlen(text) : (size_t)length, total = (size_t)offset + n;
    *out = malloc(total);
    if (*out) {
        memcpy(*out, data, (size_t)offset);
        memcpy(*out + offset, text ? (const void *)text : data + offset, n);
        store(*out + 24, n);
        store(*out + 32, sorai_checksum(*out + offset, n));
        store(*out + 40, total);
        store(*out + 56, sorai_checksum(*out, 56));
    }
    free(text);
    return *out ? total : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sorai_mem mem;
    sorai_mem_init(&mem, NULL, 0);
    open_all(&mem, data, size, 0);
    if (size >= 64) {
        uint8_t *copy = NULL;
        const size_t n = sign(data, size, &copy);
        if (n) {
            open_all(&mem, copy, n, 0);
            open_all(&mem, copy, n, 1);
            size = n > size ? n : size;
        }
        free(copy);
    }
    fuzz_check_memory(&mem, size, 600, 65536);
    return 0;
}
