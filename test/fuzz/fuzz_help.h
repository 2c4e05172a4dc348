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

/* For formats that the library itself writes and whose readers take a path. A file good to begin with, `good`, is changed as the input says: its
 * first two bytes say where it ends (0xffff: nothing is cut), each four that follow are a place (three bytes, modulo the size; where the top bit is
 * set, modulo the header of a safetensors file) and what is written there. The path opens until the next call. */
const char *fuzz_edited(const uint8_t *good, size_t size, const uint8_t *edits, size_t length);
/* A file that can be written; it is taken back into memory (malloc) and removed. */
const char *fuzz_temporary(void);
uint8_t *fuzz_take(const char *path, size_t *size);

#endif
