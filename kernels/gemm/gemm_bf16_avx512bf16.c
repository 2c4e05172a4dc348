#define BLOCK_BF16 1
#define BLOCK_NAME sorak_block_bf16_avx512bf16
#define GEMM_NAME(op) sorak_##op##_bf16_avx512bf16
#include "kernels/gemm/gemm_body.h"
#include "kernels/gemm/stored_body.h"
