#define BLOCK_BF16 1
#define BLOCK_NAME sorak_block_bf16_amx
#define GEMM_NAME(op) sorak_##op##_bf16_amx
#define GEMM_PRODUCT_ONLY /* packing is that of AVX512-BF16 */
#include "kernels/gemm/gemm_body.h"
