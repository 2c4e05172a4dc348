#include "lib/io/encoding.h"

#include <math.h>
#include <string.h>

#include "lib/tensor/half.h"

static const sorai_encoding_info infos[SORAI_ENCODINGS] = {
    [SORAI_F8_E4M3] = {"f8_e4m3", SORA_DTYPE_BF16, 1, 1}, [SORAI_F8_E5M2] = {"f8_e5m2", SORA_DTYPE_BF16, 1, 1},
    [SORAI_Q4_0] = {"q4_0", SORA_DTYPE_F32, 32, 18},      [SORAI_Q4_1] = {"q4_1", SORA_DTYPE_F32, 32, 20},
    [SORAI_Q5_0] = {"q5_0", SORA_DTYPE_F32, 32, 22},      [SORAI_Q5_1] = {"q5_1", SORA_DTYPE_F32, 32, 24},
    [SORAI_Q8_0] = {"q8_0", SORA_DTYPE_F32, 32, 34},      [SORAI_Q2_K] = {"q2_k", SORA_DTYPE_F32, 256, 84},
    [SORAI_Q3_K] = {"q3_k", SORA_DTYPE_F32, 256, 110},    [SORAI_Q4_K] = {"q4_k", SORA_DTYPE_F32, 256, 144},
    [SORAI_Q5_K] = {"q5_k", SORA_DTYPE_F32, 256, 176},    [SORAI_Q6_K] = {"q6_k", SORA_DTYPE_F32, 256, 210},
};

const sorai_encoding_info *sorai_encoding_find(int32_t encoding) {
    return encoding > SORAI_PLAIN && encoding < SORAI_ENCODINGS ? &infos[encoding] : NULL;
}

/* A half float at p. */
static float half_at(const uint8_t *p) { return sorai_f16_to_f32((uint16_t)(p[0] | p[1] << 8)); }

/* Sign, 4 bits of exponent (bias 7), 3 of fraction; no infinities, all ones is NaN. */
static float e4m3(uint32_t v) {
    const int e = (int)(v >> 3 & 15), m = (int)(v & 7);
    const float f = e == 15 && m == 7 ? NAN : e ? ldexpf((float)(8 + m), e - 10) : ldexpf((float)m, -9);
    return v & 0x80 ? -f : f;
}

static void f8(int32_t encoding, const uint8_t *src, size_t n, uint16_t *dst) {
    uint16_t value[256];
    for (uint32_t v = 0; v < 256; v++) /* five bits of exponent are the upper half of a half float */
        value[v] = sorai_f32_to_bf16(encoding == SORAI_F8_E4M3 ? e4m3(v) : sorai_f16_to_f32((uint16_t)(v << 8)));
    for (size_t i = 0; i < n; i++) dst[i] = value[src[i]];
}

/* 32 values: the lower four bits of 16 bytes, then their upper four; a fifth bit from `high`. */
static void q4_0(const uint8_t *b, float *y) {
    const float d = half_at(b);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((b[2 + i] & 15) - 8);
        y[16 + i] = d * (float)((b[2 + i] >> 4) - 8);
    }
}

static void q4_1(const uint8_t *b, float *y) {
    const float d = half_at(b), m = half_at(b + 2);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)(b[4 + i] & 15) + m;
        y[16 + i] = d * (float)(b[4 + i] >> 4) + m;
    }
}

static uint32_t word_at(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void q5_0(const uint8_t *b, float *y) {
    const float d = half_at(b);
    const uint32_t high = word_at(b + 2);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((b[6 + i] & 15) + (int)(high >> i << 4 & 16) - 16);
        y[16 + i] = d * (float)((b[6 + i] >> 4) + (int)(high >> (16 + i) << 4 & 16) - 16);
    }
}

static void q5_1(const uint8_t *b, float *y) {
    const float d = half_at(b), m = half_at(b + 2);
    const uint32_t high = word_at(b + 4);
    for (int i = 0; i < 16; i++) {
        y[i] = d * (float)((b[8 + i] & 15) + (int)(high >> i << 4 & 16)) + m;
        y[16 + i] = d * (float)((b[8 + i] >> 4) + (int)(high >> (16 + i) << 4 & 16)) + m;
    }
}

static void q8_0(const uint8_t *b, float *y) {
    const float d = half_at(b);
    for (int i = 0; i < 32; i++) y[i] = (float)(int8_t)b[2 + i] * d;
}

/* 256 values in groups of 16 or 32 with scales of their own. Bits of the value `i` lie in byte i mod 32 of the i /
 * 128-th 32 bytes, two bits for each of four quarters. */
static void q2_k(const uint8_t *b, float *y) {
    const uint8_t *scales = b, *qs = b + 16;
    const float d = half_at(b + 80), least = half_at(b + 82);
    for (int i = 0; i < 256; i++) {
        const uint8_t s = scales[i / 16];
        const int q = qs[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
        y[i] = d * (float)(s & 15) * (float)q - least * (float)(s >> 4);
    }
}

static void q3_k(const uint8_t *b, float *y) {
    const uint8_t *high = b, *qs = b + 32, *scales = b + 96;
    const float d = half_at(b + 108);
    for (int i = 0; i < 256; i++) {
        const int k = i / 16; /* six bits of scale: four in eight bytes, two in the next four */
        const int s =
            ((k < 8 ? scales[k] & 15 : scales[k - 8] >> 4) | (scales[8 + k % 4] >> (k / 4 * 2) & 3) << 4) - 32;
        const int low = qs[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
        y[i] = d * (float)s * (float)(low - (high[i % 32] >> (i / 32) & 1 ? 0 : 4)); /* the bit says: not 4 less */
    }
}

/* Six bits each for scale and minimum of the k-th of eight groups, in 12 bytes. */
static void scale_min(const uint8_t *p, int k, int *scale, int *least) {
    if (k < 4) {
        *scale = p[k] & 63;
        *least = p[4 + k] & 63;
    } else {
        *scale = (p[4 + k] & 15) | (p[k - 4] >> 6) << 4;
        *least = p[4 + k] >> 4 | (p[k] >> 6) << 4;
    }
}

/* high: a byte for each i mod 32 with the fifth bits of eight groups, or NULL. */
static void q45_k(const uint8_t *b, const uint8_t *high, const uint8_t *qs, float *y) {
    const float d = half_at(b), dmin = half_at(b + 2);
    for (int k = 0; k < 8; k++) {
        int s, m;
        scale_min(b + 4, k, &s, &m);
        const float step = d * (float)s, least = dmin * (float)m;
        for (int i = 0; i < 32; i++) {
            int q = qs[k / 2 * 32 + i] >> (k % 2 * 4) & 15;
            if (high) q |= (high[i] >> k & 1) << 4;
            y[k * 32 + i] = step * (float)q - least;
        }
    }
}

static void q6_k(const uint8_t *b, float *y) {
    const uint8_t *low = b, *high = b + 128, *scales = b + 192;
    const float d = half_at(b + 208);
    for (int i = 0; i < 256; i++) {
        const int q = (low[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4) & 15) |
                      (high[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3) << 4;
        y[i] = d * (float)(int8_t)scales[i / 16] * (float)(q - 32);
    }
}

static void block(int32_t encoding, const uint8_t *b, float *y) {
    switch (encoding) {
    case SORAI_Q4_0:
        q4_0(b, y);
        break;
    case SORAI_Q4_1:
        q4_1(b, y);
        break;
    case SORAI_Q5_0:
        q5_0(b, y);
        break;
    case SORAI_Q5_1:
        q5_1(b, y);
        break;
    case SORAI_Q8_0:
        q8_0(b, y);
        break;
    case SORAI_Q2_K:
        q2_k(b, y);
        break;
    case SORAI_Q3_K:
        q3_k(b, y);
        break;
    case SORAI_Q4_K:
        q45_k(b, NULL, b + 16, y);
        break;
    case SORAI_Q5_K:
        q45_k(b, b + 16, b + 48, y);
        break;
    case SORAI_Q6_K:
        q6_k(b, y);
        break;
    default:
        break;
    }
}

void sorai_encoding_expand(int32_t encoding, const void *src, size_t blocks, void *dst) {
    const sorai_encoding_info *info = sorai_encoding_find(encoding);
    if (!info) return;
    if (info->values == 1) {
        f8(encoding, src, blocks, dst);
        return;
    }
    const uint8_t *from = src;
    float *to = dst;
    for (size_t i = 0; i < blocks; i++) block(encoding, from + i * info->bytes, to + i * info->values);
}

int sorai_source_expand(sorai_source *s, uint64_t offset, uint64_t stored, int32_t encoding, int32_t rank,
                        const int64_t *shape, sora_tensor **out, sora_error *err) {
    const sorai_encoding_info *info = sorai_encoding_find(encoding);
    size_t bytes;
    *out = NULL;
    if (!info)
        return sorai_fail(err, SORA_E_INTERNAL, "%.300s: encoding %d is none", sorai_source_name(s), (int)encoding);
    SORA_TRY(sorai_shape_bytes(info->dtype, rank, shape, &bytes, err));
    const uint64_t count = bytes / sorai_dtype_size(info->dtype), blocks = count / info->values;
    const uint64_t size = sorai_source_size(s);
    if (count % info->values || stored != blocks * info->bytes || offset > size || stored > size - offset)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: a tensor's %llu bytes are not those of its shape in %s",
                          sorai_source_name(s), (unsigned long long)stored, info->name);
    SORA_TRY(sorai_tensor_new(out, sorai_source_mem(s), info->dtype, rank, shape, err));
    const void *all = sorai_source_peek(s, offset, (size_t)stored);
    if (all) {
        sorai_encoding_expand(encoding, all, (size_t)blocks, (*out)->data);
        return SORA_OK;
    }
    unsigned char part[16384]; /* through the host's I/O: piece by piece */
    const size_t step = sizeof part / info->bytes, result = sorai_dtype_size(info->dtype) * info->values;
    for (uint64_t at = 0; at < blocks; at += step) {
        const size_t n = blocks - at < step ? (size_t)(blocks - at) : step;
        const int status = sorai_source_read(s, offset + at * info->bytes, part, n * info->bytes, err);
        if (status != SORA_OK) {
            sorai_tensor_unref(out);
            return status;
        }
        sorai_encoding_expand(encoding, part, n, (unsigned char *)(*out)->data + (size_t)at * result);
    }
    return SORA_OK;
}
