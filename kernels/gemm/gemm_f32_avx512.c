#define BLOCK_BF16 0
#define BLOCK_NAME sorak_block_f32_avx512
#define GEMM_NAME(op) sorak_##op##_f32_avx512
#include "kernels/gemm/gemm_body.h"
#include "kernels/gemm/stored_body.h"
