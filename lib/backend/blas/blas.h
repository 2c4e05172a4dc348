/* The BLAS backend, a plugin of its own (libsora-blas.so, "blas"): the rows of the cpu backend, with f32 matrix
 * products computed by cblas_sgemm of OpenBLAS. Where the processor has no vector rows, convolutions and attention,
 * with their gradients, are cut into such products too. Products of bf16 stay with the rows.
 *
 * Calls of sgemm are single-threaded and made from the context's own threads. What a call multiplies depends on the
 * shapes alone, so results have the same bits for any number of threads; they change with the OpenBLAS and the core
 * that it finds, though.
 *
 * Loading the plugin loads OpenBLAS, which starts threads of its own if it was built with them (one less than there are
 * cores); they idle and end when the last context that loaded the plugin goes. Opening the device calls
 * openblas_set_num_threads(1), which holds for the whole process. A single-threaded OpenBLAS starts none; it must be
 * one that may be called from several threads (USE_LOCKING=1, as Debian's libopenblas0-serial), which cannot be asked
 * of it. One built with OpenMP is refused: its number of threads belongs to each calling thread, and cannot be set for
 * all.
 *
 * The functions below return 1 when they have run the operation, 0 when they do not take the arguments. */
#ifndef SORAI_BACKEND_BLAS_H
#define SORAI_BACKEND_BLAS_H

#include "kernels/attention/attention.h"
#include "kernels/conv3d/conv3d.h"
#include "lib/backend/host_device.h"

int sorai_blas_gemm(sorai_host_device *dev, const sorak_gemm_args *args);
int sorai_blas_gemm_stored(sorai_host_device *dev, const sorak_gemm_stored_args *args);
int sorai_blas_conv(sorai_host_device *dev, const sorak_conv3d_args *args);
int sorai_blas_conv_dw(sorai_host_device *dev, const sorak_conv3d_dw_args *args);
int sorai_blas_attention(sorai_host_device *dev, const sorak_attention_args *args);
int sorai_blas_attention_dq(sorai_host_device *dev, const sorak_attention_bwd_args *args);
int sorai_blas_attention_dkv(sorai_host_device *dev, const sorak_attention_bwd_args *args);

/* A block of a product with packed panels: c[rows, cols] = scale a b + beta c, where b begins with the panel that holds
 * column 0 of the block and has k_total steps in a panel, of which the k from step k0 on are taken. `room` holds
 * SORAI_BLAS_ROOM bytes; contents undefined. */
#define SORAI_BLAS_ROWS   192
#define SORAI_BLAS_PANELS 4
#define SORAI_BLAS_ROOM   (SORAK_SCRATCH / 2)
typedef struct sorai_blas_block {
    const float *a;
    int64_t lda;
    int transposed; /* 1: a(i, k) is a[k * lda + i] */
    const float *b;
    int64_t width, k_total, k0, k;
    float *c;
    int64_t ldc, rows, cols;
    float scale;
} sorai_blas_block;
void sorai_blas_multiply(const sorai_blas_block *block, float beta, float *room);

/* The i-th of `parts` nearly equal parts of n begins here. */
static inline int64_t sorai_blas_cut(int64_t n, int64_t parts, int64_t i) {
    return n / parts * i + (i < n % parts ? i : n % parts);
}

#endif
