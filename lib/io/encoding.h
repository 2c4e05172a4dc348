/* Numbers as files store them where that is no element type of the library: eight-bit floats, and the block formats of
 * GGUF. Here stands what each of them means; loading multiplies out. */
#ifndef SORAI_IO_ENCODING_H
#define SORAI_IO_ENCODING_H

#include "lib/io/source.h"

enum sorai_encoding {
    SORAI_PLAIN, /* elements as they are */
    SORAI_F8_E4M3,
    SORAI_F8_E5M2, /* these two become bf16, which holds each of their values */
    SORAI_Q4_0,    /* from here on: blocks with scales, become f32 */
    SORAI_Q4_1,
    SORAI_Q5_0,
    SORAI_Q5_1,
    SORAI_Q8_0,
    SORAI_Q2_K,
    SORAI_Q3_K,
    SORAI_Q4_K,
    SORAI_Q5_K,
    SORAI_Q6_K,
    SORAI_F64, /* rounded to f32; no type that a model keeps as it is stored */
    SORAI_ENCODINGS
};

typedef struct sorai_encoding_info {
    char name[12];   /* lower case: "f8_e4m3", "q4_k" */
    int32_t dtype;   /* SORA_DTYPE_* of what comes out */
    uint32_t values; /* in a block */
    uint32_t bytes;  /* of a block */
} sorai_encoding_info;

/* NULL for SORAI_PLAIN and numbers that are none. */
const sorai_encoding_info *sorai_encoding_find(int32_t encoding);

/* Multiplies out `blocks` blocks; dst has room for all their values. src needs no alignment. */
void sorai_encoding_expand(int32_t encoding, const void *src, size_t blocks, void *dst);

/* The values of a weight that is as stored (sorai_dtype_small), times its scale if it has one, as f32. */
void sorai_stored_expand(const sora_tensor *t, float *dst);

/* *t, a reference that is given up, becomes an f32 tensor of the same values, times their scale. SORA_E_UNSUPPORTED: whole numbers without a scale;
 * on failure *t is as it was. */
int sorai_tensor_to_f32(sorai_mem *mem, sora_tensor **t, sora_error *err);

/* A tensor of an encoded range (`stored` bytes at offset), multiplied out. SORA_E_FORMAT when the bytes are not those
 * of the shape or not in the file. */
int sorai_source_expand(sorai_source *s, uint64_t offset, uint64_t stored, int32_t encoding, int32_t rank,
                        const int64_t *shape, sora_tensor **out, sora_error *err);

#endif
