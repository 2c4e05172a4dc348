#define ATTENTION_ISA avx512
#define LANE_VECS 4
#include "kernels/attention/attention_vector.h"
