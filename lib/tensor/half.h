/* One 16-bit float at a time, for code that walks weights on the host. Kernels have their own, since they include nothing of lib. */
#ifndef SORAI_TENSOR_HALF_H
#define SORAI_TENSOR_HALF_H

#include <stdint.h>
#include <string.h>

static inline float sorai_bf16_to_f32(uint16_t v) {
    const uint32_t bits = (uint32_t)v << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* To nearest, ties to even; NaN stays NaN. */
static inline uint16_t sorai_f32_to_bf16(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((bits >> 16) | 0x40u);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

/* Every half float is an f32: exponent and fraction move, and what has no leading one there is a multiple of 2^-24. */
static inline float sorai_f16_to_f32(uint16_t v) {
    const uint32_t sign = (uint32_t)(v & 0x8000) << 16, exponent = v >> 10 & 31, fraction = v & 1023;
    float f;
    if (exponent == 0) {
        f = (float)fraction * 0x1p-24f;
        return sign ? -f : f;
    }
    const uint32_t bits = sign | (exponent == 31 ? 255u : exponent + 112u) << 23 | fraction << 13;
    memcpy(&f, &bits, sizeof f);
    return f;
}

#endif
