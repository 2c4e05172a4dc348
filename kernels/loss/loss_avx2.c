#define ISA avx2
#include "kernels/loss/loss_body.h"
