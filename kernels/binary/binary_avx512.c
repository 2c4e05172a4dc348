#define ISA avx512
#include "kernels/binary/binary_body.h"
