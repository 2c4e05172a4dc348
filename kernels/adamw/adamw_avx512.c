#define ISA avx512
#include "kernels/adamw/adamw_body.h"
