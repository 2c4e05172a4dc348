#include "lib/base/arena.h"

#include <string.h>

#define CHUNK_MIN ((size_t)1 << 20)

static void *mem_chunk(void *user, size_t size) {
    return sorai_alloc(user, size);
}

static void mem_release(void *user, void *ptr) {
    sorai_free(user, ptr);
}

void sorai_arena_init(sorai_arena *arena, sorai_mem *mem, const sorai_arena_source *source) {
    memset(arena, 0, sizeof *arena);
    arena->mem = mem;
    if (source)
        arena->source = *source;
    else
        arena->source = (sorai_arena_source){mem, mem_chunk, mem_release};
}

static size_t before(const sorai_arena *arena, size_t chunk) {
    size_t sum = 0;
    for (size_t i = 0; i < chunk; i++)
        sum += arena->chunks[i].size;
    return sum;
}

static bool add_chunk(sorai_arena *arena, size_t size) {
    if (arena->count == arena->capacity) {
        const size_t capacity = arena->capacity ? arena->capacity * 2 : 16;
        sorai_arena_chunk *grown = sorai_realloc(arena->mem, arena->chunks, capacity * sizeof *grown);
        if (!grown)
            return false;
        arena->chunks = grown;
        arena->capacity = capacity;
    }
    /* Growing by half of what is there keeps the list short without doubling the memory of large runs. */
    size_t want = before(arena, arena->count) / 2;
    if (want < CHUNK_MIN)
        want = CHUNK_MIN;
    if (want > (size_t)256 << 20)
        want = (size_t)256 << 20;
    if (want < size)
        want = size;
    char *base = arena->source.alloc(arena->source.user, want);
    if (!base && want > size)
        base = arena->source.alloc(arena->source.user, want = size);
    if (!base)
        return false;
    arena->chunks[arena->count++] = (sorai_arena_chunk){base, want};
    return true;
}

void *sorai_arena_alloc(sorai_arena *arena, size_t size) {
    if (size > SIZE_MAX - SORAI_ALIGN)
        return NULL;
    size = (size + SORAI_ALIGN - 1) / SORAI_ALIGN * SORAI_ALIGN;
    while (arena->current < arena->count && arena->chunks[arena->current].size - arena->used < size) {
        arena->current++;
        arena->used = 0;
    }
    if (arena->current == arena->count) {
        if (!add_chunk(arena, size))
            return NULL;
        arena->used = 0;
    }
    void *ptr = arena->chunks[arena->current].base + arena->used;
    arena->used += size;
    const size_t total = before(arena, arena->current) + arena->used;
    if (total > arena->peak)
        arena->peak = total;
    return ptr;
}

sorai_arena_mark sorai_arena_here(const sorai_arena *arena) {
    return (sorai_arena_mark){arena->current, arena->used};
}

void sorai_arena_rewind(sorai_arena *arena, sorai_arena_mark mark) {
    arena->current = mark.current;
    arena->used = mark.used;
}

void sorai_arena_release(sorai_arena *arena) {
    for (size_t i = 0; i < arena->count; i++)
        arena->source.free(arena->source.user, arena->chunks[i].base);
    sorai_free(arena->mem, arena->chunks);
    const sorai_arena_source source = arena->source;
    sorai_arena_init(arena, arena->mem, &source);
}
