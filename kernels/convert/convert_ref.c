#include <string.h>

#include "kernels/convert/convert.h"
#include "kernels/stored.h"

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

static int convert(const void *args, const sorak_env *env, int to) {
    const sorak_convert_args *a = args;
    float v[256];
    if (!sorak_stored_known(a->from))
        return -1;
    for (int64_t at = env->begin * SORAK_BLOCK; at < sorak_min_i64(env->end * SORAK_BLOCK, a->n); at += 256) {
        const int64_t n = sorak_min_i64(256, a->n - at);
        sorak_stored_f32(a->from, a->x, at, n, v);
        for (int64_t i = 0; i < n; i++) {
            if (a->scale)
                v[i] *= a->scale[(at + i) / a->cols * a->scale_step];
            if (to == SK_DT_f32)
                ((float *)a->y)[at + i] = v[i];
            else
                ((uint16_t *)a->y)[at + i] = to == SK_DT_bf16 ? sorak_f32_to_bf16(v[i]) : to_f16(v[i]);
        }
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
