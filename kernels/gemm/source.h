/* One element of a weight as stored. Scalar code for the packers. */
#ifndef SORAK_SOURCE_H
#define SORAK_SOURCE_H

#include "kernels/gemm/gemm.h"

static inline float sorak_half_to_f32(uint16_t v) {
    union {
        uint32_t u;
        float f;
    } x;
    const uint32_t sign = (uint32_t)(v & 0x8000u) << 16, body = v & 0x7fffu;
    if (body >= 0x7c00u) {
        x.u = sign | 0x7f800000u | (body & 0x3ffu) << 13;
    } else if (body >= 0x400u) {
        x.u = sign | ((body << 13) + 0x38000000u);
    } else {
        x.f = (float)body * 0x1p-24f;
        x.u |= sign;
    }
    return x.f;
}

static inline float sorak_source_f32(const void *src, int dtype, int64_t i) {
    if (dtype == SK_DT_bf16)
        return sorak_bf16_to_f32(((const uint16_t *)src)[i]);
    if (dtype == SK_DT_f16)
        return sorak_half_to_f32(((const uint16_t *)src)[i]);
    return ((const float *)src)[i];
}

#endif
