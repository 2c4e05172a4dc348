/* Promises that every reader keeps, checked for each input. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "test/fuzz/fuzz_help.h"

void fuzz_require(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "broken promise: %s\n", what);
    abort();
}

static int read_at(void *user, uint64_t offset, void *dst, size_t n) {
    memcpy(dst, (const char *)user + offset, n);
    return 0;
}

sorai_source *fuzz_source(sorai_mem *mem, const char *name, const uint8_t *data, size_t size, int way) {
    sorai_source *source;
    const sorai_io io = {(void *)(uintptr_t)data, size, read_at, NULL};
    const int status = way & 1 ? sorai_source_io(&source, mem, name, &io, NULL)
                               : sorai_source_memory(&source, mem, name, data, size, NULL, NULL, NULL);
    fuzz_require(status == SORA_OK, "a source opens");
    return source;
}

void fuzz_check_error(int status, const sora_error *err) {
    if (status == SORA_OK) return;
    const size_t n = strlen(err->message);
    fuzz_require(err->code == status, "the error has the status that was returned");
    fuzz_require(n > 0 && n < sizeof err->message, "the error has a message");
    fuzz_require(sorai_utf8_valid(err->message, n), "the message is UTF-8");
    for (size_t i = 0; i < n; i++)
        fuzz_require((unsigned char)err->message[i] >= 0x20 && err->message[i] != 0x7F,
                     "the message is one printable line");
}

void fuzz_check_memory(sorai_mem *mem, size_t size, size_t times, size_t constant) {
    fuzz_require(atomic_load(&mem->used) == 0, "all memory is given back");
    fuzz_require(atomic_load(&mem->peak) <= size * times + constant, "memory is in proportion to the input");
}
