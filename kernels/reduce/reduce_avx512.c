#define ISA avx512
#include "kernels/reduce/reduce_body.h"
