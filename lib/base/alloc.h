/* Memory: all of the library's heap memory goes through a sorai_mem, which counts it, bounds it and calls the host's allocator. */
#ifndef SORAI_BASE_ALLOC_H
#define SORAI_BASE_ALLOC_H

#include <stdatomic.h>
#include <stdbool.h>

#include "sora/base.h"

#define SORAI_ALIGN 64 /* of every block */

typedef struct sorai_mem {
    sora_allocator host;
    uint64_t limit; /* bytes; 0 = none */
    atomic_uint_least64_t used, peak;
} sorai_mem;

/* host NULL: the C library's allocator. */
void sorai_mem_init(sorai_mem *mem, const sora_allocator *host, uint64_t limit);

/* NULL when the host has none left or the limit would be passed. size 0 gives a valid block. Any thread. */
void *sorai_alloc(sorai_mem *mem, size_t size);
void *sorai_calloc(sorai_mem *mem, size_t count, size_t size); /* zeroed; NULL when count * size overflows */
void *sorai_realloc(sorai_mem *mem, void *ptr, size_t size);   /* on failure ptr stays valid */
void sorai_free(sorai_mem *mem, void *ptr);                    /* NULL is fine */
char *sorai_strdup(sorai_mem *mem, const char *text);

/* Checked arithmetic for sizes that come from outside: false when it overflows. */
static inline bool sorai_mul_ok(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool sorai_add_ok(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }

#endif
