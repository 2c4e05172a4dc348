#include "lib/pipeline/counting.h"

#include <string.h>

static const sorai_backend backend = {SORAI_BACKEND_ABI, "counting", "counts memory, runs nothing", NULL, NULL};

/* Addresses need only be distinct from NULL: nothing is ever read or written. Sizes are remembered nowhere, so frees are not counted: arenas
 * and stores keep what they have until they are released. */
static void *count_alloc(sorai_device *dev, size_t size) {
    sorai_counting_device *d = (sorai_counting_device *)dev;
    d->used += size + SORAI_ALIGN;
    d->peak = d->used > d->peak ? d->used : d->peak;
    return (void *)(uintptr_t)((uint64_t)1 << 40);
}

static void count_free(sorai_device *dev, void *ptr) {
    (void)dev;
    (void)ptr;
}

static int no_transfer(sorai_device *dev, void *dst, const void *src, size_t size) {
    (void)dev;
    (void)dst;
    (void)src;
    (void)size;
    return SORA_OK;
}

static int no_zero(sorai_device *dev, void *dst, size_t size) {
    (void)dev;
    (void)dst;
    (void)size;
    return SORA_OK;
}

static int no_run(sorai_device *dev, int op, int dtype, const void *args, int64_t units) {
    (void)dev;
    (void)op;
    (void)dtype;
    (void)args;
    (void)units;
    return SORA_OK;
}

static int no_sync(sorai_device *dev) {
    (void)dev;
    return SORA_OK;
}

void sorai_counting_device_init(sorai_counting_device *d) {
    memset(d, 0, sizeof *d);
    d->base = (sorai_device){&backend, 0, count_alloc, count_free, no_transfer, no_transfer, no_transfer, no_zero, no_run, no_sync};
}
