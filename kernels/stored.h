/* Numbers as files store them -> f32: half and eight-bit floats, int8, and the block formats of GGUF. The one definition for kernels and for
 * readers of files. Loops are short and without branches, so that compilers turn them into vectors; the order of roundings is that of
 * the format's own package, to the bit (d * scale is rounded before it meets the quantum). */
#ifndef SORAK_STORED_H
#define SORAK_STORED_H

#include "kernels/kernel.h"

/* Values in a block, and its bytes; 1 and the size of an element for what is not in blocks. */
static inline int64_t sorak_block_values(int dtype) {
    return dtype >= SK_DT_q2_k ? 256 : dtype >= SK_DT_q4_0 ? 32 : 1;
}
static inline int64_t sorak_block_bytes(int dtype) {
    static const uint8_t bytes[SK_DT_COUNT] = {
        [SK_DT_f32] = 4,  [SK_DT_bf16] = 2,  [SK_DT_f16] = 2,  [SK_DT_i8] = 1,   [SK_DT_f8e4m3] = 1, [SK_DT_f8e5m2] = 1,
        [SK_DT_q4_0] = 18, [SK_DT_q4_1] = 20, [SK_DT_q5_0] = 22, [SK_DT_q5_1] = 24, [SK_DT_q8_0] = 34,
        [SK_DT_q2_k] = 84, [SK_DT_q3_k] = 110, [SK_DT_q4_k] = 144, [SK_DT_q5_k] = 176, [SK_DT_q6_k] = 210};
    return bytes[dtype];
}

static inline const char *sorak_stored_name(int dtype) {
    static const char *const names[SK_DT_COUNT] = {"f32",  "bf16", "f16",  "i8",   "f8e4m3", "f8e5m2", "q4_0", "q4_1",
                                                   "q5_0", "q5_1", "q8_0", "q2_k", "q3_k",   "q4_k",   "q5_k", "q6_k"};
    return names[dtype];
}

static inline float sorak_bits_f32(uint32_t bits) {
    union {
        uint32_t u;
        float f;
    } x = {bits};
    return x.f;
}

/* Exponent and fraction keep their places in the wider number; a product puts the bias right, also of what has no leading one. */
static inline float sorak_half_to_f32(uint16_t v) {
    const uint32_t body = v & 0x7fffu, sign = (uint32_t)(v & 0x8000u) << 16;
    union {
        float f;
        uint32_t u;
    } x = {sorak_bits_f32(body << 13) * 0x1p112f};
    return sorak_bits_f32(sign | (body >= 0x7c00u ? 0x7f800000u | body << 13 : x.u));
}
/* Sign, 4 bits of exponent (bias 7), 3 of fraction; no infinities, all ones is NaN. */
static inline float sorak_f8e4m3_to_f32(uint8_t v) {
    const uint32_t body = v & 0x7fu, sign = (uint32_t)(v & 0x80u) << 24;
    union {
        float f;
        uint32_t u;
    } x = {sorak_bits_f32(body << 20) * 0x1p120f};
    return sorak_bits_f32(sign | (body == 0x7fu ? 0x7fc00000u : x.u));
}

static inline float sorak_half_at(const uint8_t *p) { return sorak_half_to_f32((uint16_t)(p[0] | p[1] << 8)); }
static inline uint32_t sorak_word_at(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* 32 values: the lower four bits of 16 bytes, then their upper four; a fifth bit from `high`. value = d * (q - less) + least. */
static inline void sorak_block_q4_0(const uint8_t *b, float *y) {
    const float d = sorak_half_at(b);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((b[2 + i] & 15) - 8);
        y[16 + i] = d * (float)((b[2 + i] >> 4) - 8);
    }
}

static inline void sorak_block_q4_1(const uint8_t *b, float *y) {
    const float d = sorak_half_at(b), m = sorak_half_at(b + 2);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)(b[4 + i] & 15) + m;
        y[16 + i] = d * (float)(b[4 + i] >> 4) + m;
    }
}

static inline void sorak_block_q5_0(const uint8_t *b, float *y) {
    const float d = sorak_half_at(b);
    const uint32_t high = sorak_word_at(b + 2);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((b[6 + i] & 15) + (int)(high >> i << 4 & 16) - 16);
        y[16 + i] = d * (float)((b[6 + i] >> 4) + (int)(high >> (16 + i) << 4 & 16) - 16);
    }
}

static inline void sorak_block_q5_1(const uint8_t *b, float *y) {
    const float d = sorak_half_at(b), m = sorak_half_at(b + 2);
    const uint32_t high = sorak_word_at(b + 4);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((b[8 + i] & 15) + (int)(high >> i << 4 & 16)) + m;
        y[16 + i] = d * (float)((b[8 + i] >> 4) + (int)(high >> (16 + i) << 4 & 16)) + m;
    }
}

static inline void sorak_block_q8_0(const uint8_t *b, float *y) {
    const float d = sorak_half_at(b);
    for (int i = 0; i < 32; i++)
        y[i] = (float)(int8_t)b[2 + i] * d;
}

/* 256 values in 16 groups of 16 with scales of their own: two halves of four quarters of two groups. Two bits of a quarter's 32 values lie
 * in the half's 32 bytes. */
static inline void sorak_block_q2_k(const uint8_t *b, float *y) {
    const float d = sorak_half_at(b + 80), least = sorak_half_at(b + 82);
    for (int g = 0; g < 16; g++) {
        const uint8_t *const q = b + 16 + g / 8 * 32 + g % 2 * 16;
        const float step = d * (float)(b[g] & 15), m = least * (float)(b[g] >> 4);
        const int shift = g % 8 / 2 * 2;
        for (int i = 0; i < 16; i++)
            y[g * 16 + i] = step * (float)(q[i] >> shift & 3) - m;
    }
}

static inline void sorak_block_q3_k(const uint8_t *b, float *y) {
    const uint8_t *const scales = b + 96;
    const float d = sorak_half_at(b + 108);
    for (int g = 0; g < 16; g++) {
        /* six bits of scale: four in eight bytes, two in the next four; the high bit of a value says: not 4 less */
        const int s = ((g < 8 ? scales[g] & 15 : scales[g - 8] >> 4) | (scales[8 + g % 4] >> (g / 4 * 2) & 3) << 4) - 32;
        const uint8_t *const q = b + 32 + g / 8 * 32 + g % 2 * 16, *const high = b + g % 2 * 16;
        const float step = d * (float)s;
        const int shift = g % 8 / 2 * 2, bit = g / 2;
        for (int i = 0; i < 16; i++)
            y[g * 16 + i] = step * (float)((q[i] >> shift & 3) + (high[i] >> bit & 1) * 4 - 4);
    }
}

/* Six bits each for scale and minimum of eight groups of 32, in 12 bytes; high: a fifth bit of every value, or NULL. */
static inline void sorak_block_q45_k(const uint8_t *b, const uint8_t *high, const uint8_t *qs, float *y) {
    const float d = sorak_half_at(b), dmin = sorak_half_at(b + 2);
    const uint8_t *const p = b + 4;
    for (int k = 0; k < 8; k++) {
        const int s = k < 4 ? p[k] & 63 : (p[4 + k] & 15) | (p[k - 4] >> 6) << 4;
        const int m = k < 4 ? p[4 + k] & 63 : p[4 + k] >> 4 | (p[k] >> 6) << 4;
        const float step = d * (float)s, least = dmin * (float)m;
        const uint8_t *const q = qs + k / 2 * 32;
        const int shift = k % 2 * 4;
        if (high) {
            for (int i = 0; i < 32; i++)
                y[k * 32 + i] = step * (float)((q[i] >> shift & 15) | (high[i] >> k & 1) << 4) - least;
        } else {
            for (int i = 0; i < 32; i++)
                y[k * 32 + i] = step * (float)(q[i] >> shift & 15) - least;
        }
    }
}

static inline void sorak_block_q6_k(const uint8_t *b, float *y) {
    const float d = sorak_half_at(b + 208);
    for (int g = 0; g < 16; g++) {
        const uint8_t *const low = b + g / 8 * 64 + g % 4 * 16, *const high = b + 128 + g / 8 * 32 + g % 2 * 16;
        const float step = d * (float)(int8_t)b[192 + g];
        const int four = g % 8 / 4 * 4, two = g % 8 / 2 * 2;
        for (int i = 0; i < 16; i++)
            y[g * 16 + i] = step * (float)(((low[i] >> four & 15) | (high[i] >> two & 3) << 4) - 32);
    }
}

static inline void sorak_block_f32(int dtype, const uint8_t *b, float *y) {
    switch (dtype) {
    case SK_DT_q4_0: sorak_block_q4_0(b, y); break;
    case SK_DT_q4_1: sorak_block_q4_1(b, y); break;
    case SK_DT_q5_0: sorak_block_q5_0(b, y); break;
    case SK_DT_q5_1: sorak_block_q5_1(b, y); break;
    case SK_DT_q8_0: sorak_block_q8_0(b, y); break;
    case SK_DT_q2_k: sorak_block_q2_k(b, y); break;
    case SK_DT_q3_k: sorak_block_q3_k(b, y); break;
    case SK_DT_q4_k: sorak_block_q45_k(b, NULL, b + 16, y); break;
    case SK_DT_q5_k: sorak_block_q45_k(b, b + 16, b + 48, y); break;
    case SK_DT_q6_k: sorak_block_q6_k(b, y); break;
    default: break;
    }
}

/* The values first .. first + n of src as f32; first begins a block. */
static inline void sorak_stored_f32(int dtype, const void *src, int64_t first, int64_t n, float *y) {
    switch (dtype) {
    case SK_DT_f32:
        for (int64_t i = 0; i < n; i++)
            y[i] = ((const float *)src)[first + i];
        return;
    case SK_DT_bf16:
        for (int64_t i = 0; i < n; i++)
            y[i] = sorak_bf16_to_f32(((const uint16_t *)src)[first + i]);
        return;
    case SK_DT_f16:
        for (int64_t i = 0; i < n; i++)
            y[i] = sorak_half_to_f32(((const uint16_t *)src)[first + i]);
        return;
    case SK_DT_i8:
        for (int64_t i = 0; i < n; i++)
            y[i] = (float)((const int8_t *)src)[first + i];
        return;
    case SK_DT_f8e4m3:
        for (int64_t i = 0; i < n; i++)
            y[i] = sorak_f8e4m3_to_f32(((const uint8_t *)src)[first + i]);
        return;
    case SK_DT_f8e5m2: /* the upper half of a half float */
        for (int64_t i = 0; i < n; i++)
            y[i] = sorak_half_to_f32((uint16_t)(((const uint8_t *)src)[first + i] << 8));
        return;
    default:
        break;
    }
    const int64_t values = sorak_block_values(dtype), bytes = sorak_block_bytes(dtype);
    const uint8_t *b = (const uint8_t *)src + first / values * bytes;
    int64_t i = 0;
    for (; i + values <= n; i += values, b += bytes)
        sorak_block_f32(dtype, b, y + i);
    if (i < n) { /* a part of the last block */
        float whole[256];
        sorak_block_f32(dtype, b, whole);
        for (int64_t j = 0; i + j < n; j++)
            y[i + j] = whole[j];
    }
}

/* A type that values can be stored in. */
static inline int sorak_stored_known(int dtype) { return dtype >= 0 && dtype < SK_DT_COUNT; }

#endif
