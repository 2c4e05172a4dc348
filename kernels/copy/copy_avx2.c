#define ISA avx2
#include "kernels/copy/copy_body.h"
