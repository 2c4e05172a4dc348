#define ISA avx2
#include "kernels/adamw/adamw_body.h"
