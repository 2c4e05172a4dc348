/* What the backends whose memory is the host's share: copies, and running kernels on the pool. They differ in the rows they may
 * use and in where their memory comes from. */
#ifndef SORAI_BACKEND_HOST_DEVICE_H
#define SORAI_BACKEND_HOST_DEVICE_H

#include "lib/backend/iface.h"

typedef struct sorai_host_device {
    sorai_device base;
    sorai_mem *mem;
    sorai_pool *pool;
    uint32_t flags; /* rows that may be used */
    void **scratch; /* one per worker */
    const sorak_row *known[SK_OP_COUNT][SK_DT_COUNT]; /* the best row whatever the arguments */
} sorai_host_device;

int sorai_host_device_open(sorai_device **out, const sorai_backend *backend, uint32_t flags, sorai_mem *mem, sorai_pool *pool,
                           sora_error *err);
void sorai_host_device_close(sorai_device *dev);
/* What `run` of the device is; for backends that take some operations themselves and leave the others to the rows. */
int sorai_host_device_run(sorai_device *dev, int op, int dtype, const void *args, int64_t units);

#endif
