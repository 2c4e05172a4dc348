#define ISA avx2
#include "kernels/softmax/softmax_body.h"
