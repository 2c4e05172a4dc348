#include "lib/io/encoding.h"

#include <string.h>

#include "kernels/stored.h"
#include "lib/tensor/half.h"

static const sorai_encoding_info infos[SORAI_ENCODINGS] = {
    [SORAI_F8_E4M3] = {"f8_e4m3", SORA_DTYPE_BF16, 1, 1}, [SORAI_F8_E5M2] = {"f8_e5m2", SORA_DTYPE_BF16, 1, 1},
    [SORAI_Q4_0] = {"q4_0", SORA_DTYPE_F32, 32, 18},      [SORAI_Q4_1] = {"q4_1", SORA_DTYPE_F32, 32, 20},
    [SORAI_Q5_0] = {"q5_0", SORA_DTYPE_F32, 32, 22},      [SORAI_Q5_1] = {"q5_1", SORA_DTYPE_F32, 32, 24},
    [SORAI_Q8_0] = {"q8_0", SORA_DTYPE_F32, 32, 34},      [SORAI_Q2_K] = {"q2_k", SORA_DTYPE_F32, 256, 84},
    [SORAI_Q3_K] = {"q3_k", SORA_DTYPE_F32, 256, 110},    [SORAI_Q4_K] = {"q4_k", SORA_DTYPE_F32, 256, 144},
    [SORAI_Q5_K] = {"q5_k", SORA_DTYPE_F32, 256, 176},    [SORAI_Q6_K] = {"q6_k", SORA_DTYPE_F32, 256, 210},
    [SORAI_F64] = {"f64", SORA_DTYPE_F32, 1, 8},
};

const sorai_encoding_info *sorai_encoding_find(int32_t encoding) {
    return encoding > SORAI_PLAIN && encoding < SORAI_ENCODINGS ? &infos[encoding] : NULL;
}

void sorai_encoding_expand(int32_t encoding, const void *src, size_t blocks, void *dst) {
    static const int stored[SORAI_F64] = {SK_DT_f32,  SK_DT_f8e4m3, SK_DT_f8e5m2, SK_DT_q4_0, SK_DT_q4_1, SK_DT_q5_0, SK_DT_q5_1,
                                                SK_DT_q8_0, SK_DT_q2_k,   SK_DT_q3_k,   SK_DT_q4_k, SK_DT_q5_k, SK_DT_q6_k};
    const sorai_encoding_info *info = sorai_encoding_find(encoding);
    if (!info) return;
    if (encoding == SORAI_F64) {
        for (size_t i = 0; i < blocks; i++) {
            double wide; /* beyond f32's range: infinity, as torch makes it */
            memcpy(&wide, (const unsigned char *)src + i * sizeof wide, sizeof wide);
            ((float *)dst)[i] = (float)wide;
        }
        return;
    }
    if (info->dtype == SORA_DTYPE_F32)
        sorak_stored_f32(stored[encoding], src, 0, (int64_t)(blocks * info->values), dst);
    float v[256];
    for (size_t at = 0; at < blocks && info->dtype == SORA_DTYPE_BF16; at += 256) {
        const size_t n = blocks - at < 256 ? blocks - at : 256;
        sorak_stored_f32(stored[encoding], src, (int64_t)at, (int64_t)n, v);
        for (size_t i = 0; i < n; i++) ((uint16_t *)dst)[at + i] = sorai_f32_to_bf16(v[i]);
    }
}

void sorai_stored_expand(const sora_tensor *t, float *dst) {
    const int dtype = t->dtype == SORA_DTYPE_I8 ? SK_DT_i8 : SK_DT_f8e4m3 + t->dtype - SORAI_DTYPE_F8_E4M3;
    const int64_t count = sorai_tensor_count(t), scales = t->scale ? sorai_tensor_count(t->scale) : 0;
    sorak_stored_f32(dtype, t->data, 0, count, dst);
    for (int64_t r = 0; r < scales; r++) { /* of a row, or of all */
        const float by = ((const float *)t->scale->data)[r];
        for (int64_t i = count / scales * r; i < count / scales * (r + 1); i++) dst[i] *= by;
    }
}

int sorai_tensor_to_f32(sorai_mem *mem, sora_tensor **t, sora_error *err) {
    sora_tensor *from = *t, *to = NULL;
    const int64_t n = sorai_tensor_count(from);
    const bool small = sorai_dtype_stored(from->dtype) || (from->dtype == SORA_DTYPE_I8 && from->scale);
    if (from->dtype != SORA_DTYPE_F32 && from->dtype != SORA_DTYPE_BF16 && from->dtype != SORA_DTYPE_F16 && !small)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "weights of type %s have no values in f32", sorai_dtype_name(from->dtype));
    SORA_TRY(sorai_tensor_new(&to, mem, SORA_DTYPE_F32, from->rank, from->shape, err));
    float *out = to->data;
    if (small)
        sorai_stored_expand(from, out);
    else if (from->dtype == SORA_DTYPE_F32 && n)
        memcpy(out, from->data, (size_t)n * sizeof *out);
    else
        for (int64_t i = 0; i < n; i++) {
            const uint16_t half = ((const uint16_t *)from->data)[i];
            out[i] = from->dtype == SORA_DTYPE_BF16 ? sorai_bf16_to_f32(half) : sorai_f16_to_f32(half);
        }
    sorai_tensor_unref(t);
    *t = to;
    return SORA_OK;
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
