#define ISA avx2
#include "kernels/gate/gate_body.h"
