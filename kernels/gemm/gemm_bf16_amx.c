#define BLOCK_BF16 1
#define BLOCK_NAME sorak_block_bf16_amx
#define GEMM_NAME(op) sorak_##op##_bf16_amx
#define GEMM_PRODUCT_ONLY /* packing is that of AVX512-BF16 */
#define GEMM_STREAM (4 << 20) /* what is larger than the second level cache would only push out what is multiplied */
#define GEMM_ROWS 256 /* tiles eat columns faster than the third level cache gives them: each must serve many rows */
#include "kernels/gemm/gemm_body.h"
#include "kernels/gemm/stored_body.h"
