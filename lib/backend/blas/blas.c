#include "lib/backend/blas/blas.h"

#include <cblas.h>

static int blas_open(sorai_device **out, sorai_mem *mem, sorai_pool *pool, sora_error *err);

static const sorai_backend blas_backend = {SORAI_BACKEND_ABI, "blas", "this processor, f32 matrix products by OpenBLAS",
                                           blas_open, sorai_host_device_close};

static int blas_run(sorai_device *base, int op, int dtype, const void *args, int64_t units) {
    sorai_host_device *const dev = (sorai_host_device *)base;
    if (units > 0 && op == SK_OP_gemm && dtype == SK_DT_f32 && sorai_blas_gemm(dev, args)) return SORA_OK;
    return sorai_host_device_run(base, op, dtype, args, units);
}

static int blas_open(sorai_device **out, sorai_mem *mem, sorai_pool *pool, sora_error *err) {
    *out = NULL;
    if (openblas_get_parallel() == OPENBLAS_OPENMP)
        return sorai_fail(err, SORA_E_BACKEND,
                          "this OpenBLAS uses OpenMP, which starts threads in every thread that calls it; "
                          "one with POSIX threads or without threads is needed");
    openblas_set_num_threads(1);
    SORA_TRY(sorai_host_device_open(out, &blas_backend, sorai_cpu_flags(), mem, pool, err));
    (*out)->run = blas_run;
    return SORA_OK;
}

__attribute__((visibility("default"))) const sorai_backend *sora_backend_entry(void);

const sorai_backend *sora_backend_entry(void) { return &blas_backend; }
