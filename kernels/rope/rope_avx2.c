#define ISA avx2
#include "kernels/rope/rope_body.h"
