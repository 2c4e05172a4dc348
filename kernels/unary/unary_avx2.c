#define ISA avx2
#include "kernels/unary/unary_body.h"
