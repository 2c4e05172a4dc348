#define ISA avx2
#include "kernels/binary/binary_body.h"
