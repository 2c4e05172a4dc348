#define ISA avx512
#include "kernels/copy/copy_body.h"
