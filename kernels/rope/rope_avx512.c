#define ISA avx512
#include "kernels/rope/rope_body.h"
