#include "lib/backend/host_device.h"

#include <string.h>

static void *host_alloc(sorai_device *dev, size_t size) {
    return sorai_alloc(((sorai_host_device *)dev)->mem, size);
}

static void host_free(sorai_device *dev, void *ptr) {
    sorai_free(((sorai_host_device *)dev)->mem, ptr);
}

static int host_to(sorai_device *dev, void *dst, const void *src, size_t size) {
    (void)dev;
    if (size)
        memmove(dst, src, size);
    return SORA_OK;
}

static int host_zero(sorai_device *dev, void *dst, size_t size) {
    (void)dev;
    if (size)
        memset(dst, 0, size);
    return SORA_OK;
}

typedef struct launch {
    sorai_host_device *dev;
    const sorak_row *row;
    const void *args;
    int64_t units, grain;
    atomic_int status;
} launch;

static void launch_item(void *arg, int64_t item, uint32_t worker) {
    launch *l = arg;
    const int64_t begin = item * l->grain;
    const int64_t end = begin + l->grain < l->units ? begin + l->grain : l->units;
    const sorak_env env = {begin, end, l->dev->scratch[worker]};
    if (l->row->fn(l->args, &env) != 0)
        atomic_store(&l->status, SORA_E_UNSUPPORTED);
}

int sorai_host_device_run(sorai_device *base, int op, int dtype, const void *args, int64_t units) {
    sorai_host_device *dev = (sorai_host_device *)base;
    if (units <= 0)
        return SORA_OK;
    if (op < 0 || op >= SK_OP_COUNT || dtype < 0 || dtype >= SK_DT_COUNT)
        return SORA_E_INVALID;
    const sorak_env nothing = {0, 0, NULL};
    const sorak_row *row = dev->known[op][dtype];
    if (!row || row->fn(args, &nothing) != 0)
        row = sorak_pick(op, dtype, SK_DEV_cpu, dev->flags, args);
    if (!row)
        return SORA_E_UNSUPPORTED;
    /* A few items per worker even out their speeds; the split never changes a result. */
    const int64_t wide = (int64_t)sorai_pool_width(dev->pool) * 4;
    launch l = {dev, row, args, units, units <= wide ? 1 : units / wide, SORA_OK};
    sorai_pool_run(dev->pool, launch_item, &l, (units + l.grain - 1) / l.grain);
    return atomic_load(&l.status);
}

static int host_sync(sorai_device *dev) {
    (void)dev;
    return SORA_OK;
}

int sorai_host_device_open(sorai_device **out, const sorai_backend *backend, uint32_t flags, sorai_mem *mem, sorai_pool *pool,
                           sora_error *err) {
    *out = NULL;
    sorai_host_device *dev = sorai_calloc(mem, 1, sizeof *dev);
    if (!dev)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the %s device", backend->name);
    dev->base = (sorai_device){backend, 1, host_alloc, host_free, host_to, host_to, host_to, host_zero, sorai_host_device_run, host_sync};
    dev->mem = mem;
    dev->pool = pool;
    dev->flags = flags;
    const uint32_t width = sorai_pool_width(pool);
    dev->scratch = sorai_calloc(mem, width, sizeof *dev->scratch);
    for (uint32_t i = 0; dev->scratch && i < width; i++)
        if (!(dev->scratch[i] = sorai_alloc(mem, SORAK_SCRATCH))) {
            sorai_host_device_close(&dev->base);
            return sorai_fail(err, SORA_E_NOMEM, "no memory for the %s device's scratch", backend->name);
        }
    if (!dev->scratch) {
        sorai_host_device_close(&dev->base);
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the %s device", backend->name);
    }
    for (int op = 0; op < SK_OP_COUNT; op++)
        for (int dtype = 0; dtype < SK_DT_COUNT; dtype++)
            dev->known[op][dtype] = sorak_pick(op, dtype, SK_DEV_cpu, flags, NULL);
    *out = &dev->base;
    return SORA_OK;
}

void sorai_host_device_close(sorai_device *base) {
    sorai_host_device *dev = (sorai_host_device *)base;
    if (!dev)
        return;
    for (uint32_t i = 0; dev->scratch && i < sorai_pool_width(dev->pool); i++)
        sorai_free(dev->mem, dev->scratch[i]);
    sorai_free(dev->mem, dev->scratch);
    sorai_free(dev->mem, dev);
}
