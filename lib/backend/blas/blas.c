#include "lib/backend/blas/blas.h"

#include <cblas.h>

static int blas_open(sorai_device **out, sorai_mem *mem, sorai_pool *pool, sora_error *err);

static const sorai_backend blas_backend = {SORAI_BACKEND_ABI, "blas", "this processor, f32 matrix products by OpenBLAS",
                                           blas_open, sorai_host_device_close};

/* 1 when the operation was run here. */
static int by_products(sorai_host_device *dev, int op, const void *args) {
    if (op == SK_OP_gemm) return sorai_blas_gemm(dev, args);
    if (op == SK_OP_gemm_stored) return sorai_blas_gemm_stored(dev, args);
    /* The vector rows of the others do less work than what follows. */
    if (dev->known[op][SK_DT_f32] && dev->known[op][SK_DT_f32]->prio > 0) return 0;
    switch (op) {
    case SK_OP_conv3d:
        return sorai_blas_conv(dev, args);
    case SK_OP_conv3d_dw:
        return sorai_blas_conv_dw(dev, args);
    case SK_OP_attention:
        return sorai_blas_attention(dev, args);
    case SK_OP_attention_bwd_dq:
        return sorai_blas_attention_dq(dev, args);
    case SK_OP_attention_bwd_dkv:
        return sorai_blas_attention_dkv(dev, args);
    default:
        return 0;
    }
}

static int blas_run(sorai_device *base, int op, int dtype, const void *args, int64_t units) {
    if (units > 0 && dtype == SK_DT_f32 && op >= 0 && op < SK_OP_COUNT &&
        by_products((sorai_host_device *)base, op, args))
        return SORA_OK;
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
