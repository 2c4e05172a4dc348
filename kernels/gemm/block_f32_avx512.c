#define BLOCK_BF16 0
#define BLOCK_NAME sorak_block_f32_avx512
#include "kernels/gemm/block_body.h"
