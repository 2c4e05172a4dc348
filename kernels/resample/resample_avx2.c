#define ISA avx2
#include "kernels/resample/resample_body.h"
