#define ATTENTION_ISA avx2
#define LANE_VECS 2
#include "kernels/attention/attention_vector.h"
