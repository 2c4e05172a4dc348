/* A file that appears whole or not at all: written beside its place under another name, then renamed over it. */
#ifndef SORAI_IO_OUTFILE_H
#define SORAI_IO_OUTFILE_H

#include "lib/base/alloc.h"
#include "lib/base/error.h"

typedef struct sorai_outfile sorai_outfile;

/* Refuses a path that exists and is not a regular file (SORA_E_IO). A link is followed: its target is replaced. */
int sorai_outfile_begin(sorai_outfile **out, sorai_mem *mem, const char *path, sora_error *err);
int sorai_outfile_write(sorai_outfile *f, const void *data, size_t n, sora_error *err); /* appends; buffered */
int sorai_outfile_pad(sorai_outfile *f, size_t align, sora_error *err); /* zeroes up to a multiple of align */
int sorai_outfile_patch(sorai_outfile *f, uint64_t offset, const void *data, size_t n,
                        sora_error *err);            /* written bytes */
uint64_t sorai_outfile_size(const sorai_outfile *f); /* bytes written so far */
/* Puts the file in place. Frees *f and sets NULL, also when it fails (then nothing is left behind). */
int sorai_outfile_commit(sorai_outfile **f, sora_error *err);
/* Removes what was written. NULL is fine. */
void sorai_outfile_abandon(sorai_outfile **f);

#endif
