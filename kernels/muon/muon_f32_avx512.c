#define BLOCK_BF16 0
#define BLOCK_NAME sorak_block_f32_avx512
#define MUON_NAME sorak_muon_f32_avx512
#include "kernels/muon/muon_body.h"
