#define ISA avx512
#include "kernels/convert/convert_body.h"
