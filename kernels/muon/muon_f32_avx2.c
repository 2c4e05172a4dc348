#define BLOCK_BF16 0
#define BLOCK_NAME sorak_block_f32_avx2
#define MUON_NAME sorak_muon_f32_avx2
#include "kernels/muon/muon_body.h"
