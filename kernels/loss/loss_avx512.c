#define ISA avx512
#include "kernels/loss/loss_body.h"
