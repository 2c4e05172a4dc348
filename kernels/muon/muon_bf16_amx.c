#define BLOCK_BF16 1
#define BLOCK_NAME sorak_block_bf16_amx
#define MUON_NAME sorak_muon_bf16_amx
#include "kernels/muon/muon_body.h"
