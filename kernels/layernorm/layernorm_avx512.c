#define ISA avx512
#include "kernels/layernorm/layernorm_body.h"
