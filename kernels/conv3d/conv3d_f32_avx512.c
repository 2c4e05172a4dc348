#define BLOCK_BF16 0
#define BLOCK_NAME sorak_block_f32_avx512
#define CONV_NAME(op) sorak_##op##_f32_avx512
#include "kernels/conv3d/conv3d_body.h"
