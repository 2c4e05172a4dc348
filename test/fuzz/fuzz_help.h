/* What the fuzz targets share. */
#ifndef TEST_FUZZ_HELP_H
#define TEST_FUZZ_HELP_H

#include <stdint.h>

#include "lib/io/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts with a line when a promise is broken. */
void fuzz_require(int ok, const char *what);

/* A source over the bytes: in memory, or through callbacks (way odd), which also takes the copying paths. */
sorai_source *fuzz_source(sorai_mem *mem, const char *name, const uint8_t *data, size_t size, int way);

/* Every failure fills in one printable line. */
void fuzz_check_error(int status, const sora_error *err);

/* All memory was given back, and never more was taken than `times` the input plus a constant. */
void fuzz_check_memory(sorai_mem *mem, size_t size, size_t times, size_t constant);

#endif
