#define ISA avx2
#include "kernels/reduce/reduce_body.h"
