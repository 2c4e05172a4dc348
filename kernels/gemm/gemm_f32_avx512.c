#include "kernels/vec_avx512.h"

#define BLOCK_BF16 0
#define GEMM_NAME(op) sorak_##op##_f32_avx512
#include "kernels/gemm/gemm_body.h"
