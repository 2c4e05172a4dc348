#define ISA avx2
#include "kernels/rmsnorm/rmsnorm_body.h"
