#define BLOCK_BF16 1
#define BLOCK_NAME sorak_block_bf16_avx512bf16
#define CONV_NAME(op) sorak_##op##_bf16_avx512bf16
#include "kernels/conv3d/conv3d_body.h"
