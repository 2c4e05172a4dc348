#define ISA avx512
#include "kernels/rmsnorm/rmsnorm_body.h"
