/* The built-in backend: the processor's best rows on the context's pool. */
#include "lib/backend/host_device.h"

static int cpu_open(sorai_device **out, sorai_mem *mem, sorai_pool *pool, sora_error *err);

static const sorai_backend cpu_backend = {SORAI_BACKEND_ABI, "cpu", "this processor, best instruction set found",
                                          cpu_open, sorai_host_device_close};

static int cpu_open(sorai_device **out, sorai_mem *mem, sorai_pool *pool, sora_error *err) {
    return sorai_host_device_open(out, &cpu_backend, sorai_cpu_flags(), mem, pool, err);
}

const sorai_backend *sorai_backend_cpu(void) {
    return &cpu_backend;
}
