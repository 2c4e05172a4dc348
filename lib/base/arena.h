/* An arena: memory that is given back all at once. Networks take their temporaries from one and rewind it per block, so that
 * after the first step nothing is allocated any more. Chunks are kept on rewind. Not thread-safe: one user at a time. */
#ifndef SORAI_BASE_ARENA_H
#define SORAI_BASE_ARENA_H

#include "lib/base/alloc.h"

/* Where chunks come from: host memory or a device's. */
typedef struct sorai_arena_source {
    void *user;
    void *(*alloc)(void *user, size_t size);
    void (*free)(void *user, void *ptr);
} sorai_arena_source;

typedef struct sorai_arena_chunk {
    char *base;
    size_t size;
} sorai_arena_chunk;

typedef struct sorai_arena {
    sorai_mem *mem; /* for the list of chunks */
    sorai_arena_source source;
    sorai_arena_chunk *chunks;
    size_t count, capacity, current, used; /* used: bytes of chunks[current] */
    size_t peak;                           /* most bytes in use since init */
} sorai_arena;

typedef struct sorai_arena_mark {
    size_t current, used;
} sorai_arena_mark;

/* source NULL: chunks come from mem. */
void sorai_arena_init(sorai_arena *arena, sorai_mem *mem, const sorai_arena_source *source);
void *sorai_arena_alloc(sorai_arena *arena, size_t size); /* aligned to SORAI_ALIGN, not zeroed; NULL on failure */
sorai_arena_mark sorai_arena_here(const sorai_arena *arena);
void sorai_arena_rewind(sorai_arena *arena, sorai_arena_mark mark);
void sorai_arena_release(sorai_arena *arena); /* frees all chunks; the arena may be used again */

#endif
