#define ISA avx2
#include "kernels/layernorm/layernorm_body.h"
