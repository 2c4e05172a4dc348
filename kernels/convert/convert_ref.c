#include <math.h>
#include <string.h>

#include "kernels/convert/convert.h"

static float from_f16(uint16_t v) {
    int exponent = v >> 10 & 31, mantissa = v & 1023;
    float magnitude;
    if (exponent == 31)
        magnitude = mantissa ? NAN : INFINITY;
    else
        magnitude = exponent ? ldexpf((float)(mantissa | 1024), exponent - 25) : ldexpf((float)mantissa, -24);
    return v & 0x8000 ? -magnitude : magnitude;
}

static uint16_t to_f16(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    uint32_t sign = u >> 16 & 0x8000u, magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x1ffu));
    if (magnitude >= 0x477ff000u) /* 65520 and more round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    uint32_t exponent = magnitude >> 23, shift = 13, value;
    if (exponent >= 113) {
        value = magnitude - (112u << 23);
    } else { /* subnormal, in steps of 2^-24 */
        if (exponent < 102)
            return (uint16_t)sign;
        value = (magnitude & 0x7fffffu) | 0x800000u;
        shift = 126 - exponent;
    }
    uint32_t result = value >> shift, rest = value & ((1u << shift) - 1), half = 1u << (shift - 1);
    result += rest > half || (rest == half && (result & 1u));
    return (uint16_t)(sign | result);
}

/* Four bits of exponent, no infinities, all ones is NaN. */
static float from_e4m3(uint8_t v) {
    int exponent = v >> 3 & 15, mantissa = v & 7;
    float magnitude;
    if (exponent == 15 && mantissa == 7)
        magnitude = NAN;
    else
        magnitude = exponent ? ldexpf((float)(mantissa | 8), exponent - 10) : ldexpf((float)mantissa, -9);
    return v & 0x80 ? -magnitude : magnitude;
}

static float load(const sorak_convert_args *a, int64_t i) {
    if (a->from == SK_DT_bf16)
        return sorak_bf16_to_f32(((const uint16_t *)a->x)[i]);
    if (a->from == SK_DT_f16)
        return from_f16(((const uint16_t *)a->x)[i]);
    if (a->from == SK_DT_f8e4m3)
        return from_e4m3(((const uint8_t *)a->x)[i]);
    if (a->from == SK_DT_f8e5m2) /* the upper half of an f16 */
        return from_f16((uint16_t)(((const uint8_t *)a->x)[i] << 8));
    return ((const float *)a->x)[i];
}

static int convert(const void *args, const sorak_env *env, int to) {
    const sorak_convert_args *a = args;
    if (a->from < 0 || a->from >= SK_DT_COUNT)
        return -1;
    for (int64_t i = env->begin * SORAK_BLOCK; i < sorak_min_i64(env->end * SORAK_BLOCK, a->n); i++) {
        float v = load(a, i);
        if (to == SK_DT_f32)
            ((float *)a->y)[i] = v;
        else
            ((uint16_t *)a->y)[i] = to == SK_DT_bf16 ? sorak_f32_to_bf16(v) : to_f16(v);
    }
    return 0;
}

int sorak_convert_f32_ref(const void *args, const sorak_env *env) {
    return convert(args, env, SK_DT_f32);
}
int sorak_convert_bf16_ref(const void *args, const sorak_env *env) {
    return convert(args, env, SK_DT_bf16);
}
int sorak_convert_f16_ref(const void *args, const sorak_env *env) {
    return convert(args, env, SK_DT_f16);
}
