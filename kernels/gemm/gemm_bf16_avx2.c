#include "kernels/vec_avx2.h"

#define BLOCK_BF16 1
#define GEMM_NAME(op) sorak_##op##_bf16_avx2
#include "kernels/gemm/gemm_body.h"
