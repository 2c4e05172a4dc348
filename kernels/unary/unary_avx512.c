#define ISA avx512
#include "kernels/unary/unary_body.h"
