#define ISA avx512
#include "kernels/resample/resample_body.h"
