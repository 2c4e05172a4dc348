#define ISA avx2
#include "kernels/convert/convert_body.h"
