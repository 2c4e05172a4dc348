#include <string.h>

#include "kernels/embed/embed.h"

static float half(uint16_t v) {
    const uint32_t sign = (uint32_t)(v & 0x8000u) << 16, exponent = v >> 10 & 31u, fraction = v & 1023u;
    union {
        uint32_t u;
        float f;
    } x;
    if (exponent == 0) {
        x.f = (float)fraction * 0x1p-24f;
        x.u |= sign;
    } else {
        x.u = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13;
    }
    return x.f;
}

int sorak_embed_f32_ref(const void *args, const sorak_env *env) {
    const sorak_embed_args *a = args;
    if (a->dtype < 0 || a->dtype >= SK_DT_COUNT)
        return -1;
    for (int64_t i = env->begin; i < env->end; i++) {
        const int64_t from = a->ids[i] * a->cols, to = i * a->cols;
        if (a->dtype == SK_DT_f32) {
            memcpy(a->out + to, (const float *)a->table + from, (size_t)a->cols * sizeof(float));
            continue;
        }
        const uint16_t *const row = (const uint16_t *)a->table + from;
        for (int64_t c = 0; c < a->cols; c++)
            a->out[to + c] = a->dtype == SK_DT_bf16 ? sorak_bf16_to_f32(row[c]) : half(row[c]);
    }
    return 0;
}

int sorak_embed_bwd_f32_ref(const void *args, const sorak_env *env) {
    const sorak_embed_bwd_args *a = args;
    for (int64_t u = env->begin; u < env->end; u++) {
        const int64_t c0 = u * SORAK_EMBED_COLS, c1 = c0 + SORAK_EMBED_COLS < a->cols ? c0 + SORAK_EMBED_COLS : a->cols;
        for (int64_t r = 0; r < a->rows; r++)
            memset(a->dtable + r * a->cols + c0, 0, (size_t)(c1 - c0) * sizeof(float));
        for (int64_t i = 0; i < a->count; i++)
            for (int64_t c = c0; c < c1; c++)
                a->dtable[a->ids[i] * a->cols + c] += a->dout[i * a->cols + c];
    }
    return 0;
}
