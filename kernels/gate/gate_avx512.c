#define ISA avx512
#include "kernels/gate/gate_body.h"
