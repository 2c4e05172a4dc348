/* The reference backend, a plugin of its own: only reference rows, memory of its own. It proves that nothing above the device
 * contract depends on a particular backend, and runs the parity tests exactly as operations are defined. */
#include <stdlib.h>

#include "lib/backend/host_device.h"

static int reference_open(sorai_device **out, sorai_mem *mem, sorai_pool *pool, sora_error *err);

static const sorai_backend reference_backend = {SORAI_BACKEND_ABI, "reference", "scalar definitions of every operation",
                                                reference_open, sorai_host_device_close};

static void *own_alloc(sorai_device *dev, size_t size) {
    (void)dev;
    const size_t rounded = (size + SORAI_ALIGN - 1) / SORAI_ALIGN * SORAI_ALIGN;
    return rounded < size ? NULL : aligned_alloc(SORAI_ALIGN, rounded ? rounded : SORAI_ALIGN);
}

static void own_free(sorai_device *dev, void *ptr) {
    (void)dev;
    free(ptr);
}

static int reference_open(sorai_device **out, sorai_mem *mem, sorai_pool *pool, sora_error *err) {
    SORA_TRY(sorai_host_device_open(out, &reference_backend, 0, mem, pool, err));
    (*out)->alloc = own_alloc;
    (*out)->free = own_free;
    return SORA_OK;
}

__attribute__((visibility("default"))) const sorai_backend *sora_backend_entry(void);

const sorai_backend *sora_backend_entry(void) {
    return &reference_backend;
}
