#define _GNU_SOURCE /* madvise */
#include "lib/base/alloc.h"

#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)

/* Before each block, one alignment unit holds its size: the host's free is not told it. */
typedef struct block_head {
    size_t size;
} block_head;

static void *host_alloc(void *user, size_t size, size_t align) {
    (void)user;
    /* Large blocks are streamed through: with huge pages most of the misses of the address cache go away. */
    const size_t unit = size >= 4 * HUGE_PAGE ? HUGE_PAGE : align, rounded = (size + unit - 1) / unit * unit;
    void *const block = rounded < size ? NULL : aligned_alloc(unit, rounded);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (block && unit == HUGE_PAGE)
        (void)madvise(block, rounded, MADV_HUGEPAGE); /* where it is refused, pages stay small */
#endif
    return block;
}

static void host_free(void *user, void *ptr) {
    (void)user;
    free(ptr);
}

void sorai_mem_init(sorai_mem *mem, const sora_allocator *host, uint64_t limit) {
    if (host)
        mem->host = *host;
    else
        mem->host = (sora_allocator){NULL, host_alloc, host_free};
    mem->limit = limit;
    atomic_init(&mem->used, 0);
    atomic_init(&mem->peak, 0);
}

static bool reserve(sorai_mem *mem, size_t size) {
    const uint64_t used = atomic_fetch_add(&mem->used, size) + size;
    if (mem->limit && used > mem->limit) {
        atomic_fetch_sub(&mem->used, size);
        return false;
    }
    uint64_t peak = atomic_load(&mem->peak);
    while (used > peak && !atomic_compare_exchange_weak(&mem->peak, &peak, used)) {
    }
    return true;
}

void *sorai_alloc(sorai_mem *mem, size_t size) {
    size_t total;
    if (!sorai_add_ok(size, SORAI_ALIGN, &total) || !reserve(mem, total))
        return NULL;
    char *base = mem->host.alloc(mem->host.user, total, SORAI_ALIGN);
    if (!base) {
        atomic_fetch_sub(&mem->used, total);
        return NULL;
    }
    ((block_head *)(void *)base)->size = total;
    return base + SORAI_ALIGN;
}

void *sorai_calloc(sorai_mem *mem, size_t count, size_t size) {
    size_t total;
    if (!sorai_mul_ok(count, size, &total))
        return NULL;
    void *ptr = sorai_alloc(mem, total);
    if (ptr)
        memset(ptr, 0, total);
    return ptr;
}

void sorai_free(sorai_mem *mem, void *ptr) {
    if (!ptr)
        return;
    char *base = (char *)ptr - SORAI_ALIGN;
    atomic_fetch_sub(&mem->used, ((block_head *)(void *)base)->size);
    mem->host.free(mem->host.user, base);
}

void *sorai_realloc(sorai_mem *mem, void *ptr, size_t size) {
    void *fresh = sorai_alloc(mem, size);
    if (!fresh || !ptr)
        return fresh;
    const size_t old = ((block_head *)(void *)((char *)ptr - SORAI_ALIGN))->size - SORAI_ALIGN;
    memcpy(fresh, ptr, old < size ? old : size);
    sorai_free(mem, ptr);
    return fresh;
}

char *sorai_strdup(sorai_mem *mem, const char *text) {
    const size_t size = strlen(text) + 1;
    char *copy = sorai_alloc(mem, size);
    if (copy)
        memcpy(copy, text, size);
    return copy;
}
