/* The vector rows of convert: f32 <-> bf16, f32 <-> f16, eight-bit floats -> f32 and bf16; see kernels/simd.h. Same results as the reference for every input but the
 * payload of a NaN. */
#include <string.h>

#include "kernels/convert/convert.h"
#include "kernels/simd.h"
#include "kernels/stored_simd.h"

#define NAME3(dt, isa) sorak_convert_##dt##_##isa
#define NAME2(dt, isa) NAME3(dt, isa)
#define NAME(dt) NAME2(dt, ISA)

/* Eight at a time in both sets: the work is memory traffic. */
#define STEP 8

static inline __m256 load_half(const uint16_t *p, int from) {
    const __m128i h = _mm_loadu_si128((const __m128i *)(const void *)p);
    if (from == SK_DT_f16)
        return _mm256_cvtph_ps(h);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

static inline __m128i to_half(__m256 v, int to) {
    if (to == SK_DT_f16)
        return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m256i u = _mm256_castps_si256(v), one = _mm256_set1_epi32(1);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), one);
    __m256i r = _mm256_srli_epi32(_mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
    const __m256i nan = _mm256_or_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(0x40));
    r = _mm256_blendv_epi8(r, nan, _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)));
    return _mm_packus_epi32(_mm256_castsi256_si128(r), _mm256_extracti128_si256(r, 1));
}

static void widen(const uint16_t *x, float *y, int64_t n, int from) {
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        _mm256_storeu_ps(y + i, load_half(x + i, from));
    if (i < n) {
        uint16_t in[STEP] = {0};
        float out[STEP];
        memcpy(in, x + i, (size_t)(n - i) * sizeof *in);
        _mm256_storeu_ps(out, load_half(in, from));
        memcpy(y + i, out, (size_t)(n - i) * sizeof *out);
    }
}

static void narrow(const float *x, uint16_t *y, int64_t n, int to) {
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        _mm_storeu_si128((__m128i *)(void *)(y + i), to_half(_mm256_loadu_ps(x + i), to));
    if (i < n) {
        float in[STEP] = {0};
        uint16_t out[STEP];
        memcpy(in, x + i, (size_t)(n - i) * sizeof *in);
        _mm_storeu_si128((__m128i *)(void *)out, to_half(_mm256_loadu_ps(in), to));
        memcpy(y + i, out, (size_t)(n - i) * sizeof *out);
    }
}

static void f8_to_bf16(const uint8_t *x, uint16_t *y, int64_t n, int from) {
    float v[256];
    for (int64_t i = 0; i < n; i += 256) {
        const int64_t here = sorak_min_i64(n - i, 256);
        vstored_f32(from, x, i, here, NULL, v);
        narrow(v, y + i, here, SK_DT_bf16);
    }
}

static void widen_stored(const sorak_convert_args *a, int64_t first, int64_t n) {
    float *const y = (float *)a->y + first;
    vstored_f32(a->from, a->x, first, n, NULL, y);
    for (int64_t i = 0; a->scale && i < n;) { /* row by row */
        const int64_t row = (first + i) / a->cols, end = sorak_min_i64(n, (row + 1) * a->cols - first);
        for (const float f = a->scale[row * a->scale_step]; i < end; i++)
            y[i] *= f;
    }
}

int NAME(f32)(const void *args, const sorak_env *env) {
    const sorak_convert_args *a = args;
    if (!sorak_stored_known(a->from))
        return -1;
    const int64_t i = env->begin * SORAK_BLOCK, n = sorak_min_i64(env->end * SORAK_BLOCK, a->n) - i;
    if (a->scale || (a->from != SK_DT_bf16 && a->from != SK_DT_f16))
        widen_stored(a, i, n);
    else
        widen((const uint16_t *)a->x + i, (float *)a->y + i, n, a->from);
    return 0;
}

int NAME(bf16)(const void *args, const sorak_env *env) {
    const sorak_convert_args *a = args;
    const int eight = a->from == SK_DT_f8e4m3 || a->from == SK_DT_f8e5m2;
    if (a->scale || (a->from != SK_DT_f32 && !eight))
        return -1;
    const int64_t i = env->begin * SORAK_BLOCK, n = sorak_min_i64(env->end * SORAK_BLOCK, a->n) - i;
    if (eight)
        f8_to_bf16((const uint8_t *)a->x + i, (uint16_t *)a->y + i, n, a->from);
    else
        narrow((const float *)a->x + i, (uint16_t *)a->y + i, n, SK_DT_bf16);
    return 0;
}

int NAME(f16)(const void *args, const sorak_env *env) {
    const sorak_convert_args *a = args;
    if (a->scale || a->from != SK_DT_f32)
        return -1;
    const int64_t i = env->begin * SORAK_BLOCK, n = sorak_min_i64(env->end * SORAK_BLOCK, a->n) - i;
    narrow((const float *)a->x + i, (uint16_t *)a->y + i, n, SK_DT_f16);
    return 0;
}
