#include "kernels/vec_avx512.h"

#define BLOCK_BF16 1
#define GEMM_NAME(op) sorak_##op##_bf16_avx512bf16
#include "kernels/gemm/gemm_body.h"
