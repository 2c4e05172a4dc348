#define ISA avx512
#include "kernels/softmax/softmax_body.h"
