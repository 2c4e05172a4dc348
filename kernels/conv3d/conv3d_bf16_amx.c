#define BLOCK_BF16 1
#define BLOCK_NAME sorak_block_bf16_amx
#define CONV_NAME(op) sorak_##op##_bf16_amx
#define CONV_PRODUCT_ONLY  /* preparing and packing are those of AVX512-BF16 */
#define CONV_LEAST_STEPS 6 /* of a tile's 16: below, the AVX512-BF16 row is as fast */
#define CONV_POSITIONS 256 /* tiles eat weights faster than the third level cache gives them */
#define CONV_STREAM (4 << 20)
#include "kernels/conv3d/conv3d_body.h"
