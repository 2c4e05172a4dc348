/* int8 by VPDPBUSD, which takes bytes without a sign on one side: those of a, 128 more than they are. */
#define GEMM_NAME(op) sorak_##op##_i8_avx512vnni
#define I8_ROWS 12
#define I8_UNSIGNED 1
#define I8_BEGIN
#define I8_END

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#if defined(__clang__)
#define I8_UNROLL _Pragma("clang loop unroll(full)")
#else
#define I8_UNROLL _Pragma("GCC unroll 24")
#endif

/* Four bytes of a, in all lanes. */
static inline __m512i four(const uint8_t *p) {
    int32_t v;
    memcpy(&v, p, sizeof v);
    return _mm512_set1_epi32(v);
}

/* Rows are addressed as four pointers times {0, 1, 2} row strides, which x86 has in its addresses. */
static inline __attribute__((always_inline)) void sums_of(const int rows, const int w, const uint8_t *first, int64_t row, const int8_t *b,
                                                          int64_t steps, const int32_t *begin, int32_t *sums) {
    __m512i acc[24];
    const uint8_t *a[4];
    I8_UNROLL
    for (int i = 0; i < rows * w; i++)
        acc[i] = _mm512_loadu_si512(begin + i % w * 16);
    I8_UNROLL
    for (int i = 0; i < (rows + 2) / 3; i++)
        a[i] = first + 3 * i * row;
    for (; steps > 0; steps--) {
        const __m512i b0 = _mm512_loadu_si512(b), b1 = w == 2 ? _mm512_loadu_si512(b + 64) : b0;
        I8_UNROLL
        for (int i = 0; i < rows; i++) {
            const __m512i v = four(a[i / 3] + i % 3 * row);
            acc[i * w] = _mm512_dpbusd_epi32(acc[i * w], v, b0);
            if (w == 2)
                acc[i * w + 1] = _mm512_dpbusd_epi32(acc[i * w + 1], v, b1);
        }
        I8_UNROLL
        for (int i = 0; i < (rows + 2) / 3; i++) {
            a[i] += 4;
            __asm__("" : "+r"(a[i])); /* keeps compilers from making a pointer per row, more than there are registers */
        }
        b += 64 * w;
    }
    I8_UNROLL
    for (int i = 0; i < rows * w; i++)
        _mm512_storeu_si512(sums + i / w * 32 + i % w * 16, acc[i]);
}

#define SUMS_FN(rows)                                                                                                                      \
    static void sums_##rows(const uint8_t *a, int64_t row, const int8_t *b, int64_t width, int64_t steps, const int32_t *begin,            \
                            int32_t *sums) {                                                                                               \
        if (width > 16)                                                                                                                    \
            sums_of(rows, 2, a, row, b, steps, begin, sums);                                                                               \
        else                                                                                                                               \
            sums_of(rows, 1, a, row, b, steps, begin, sums);                                                                               \
    }
SUMS_FN(1) SUMS_FN(2) SUMS_FN(3) SUMS_FN(4) SUMS_FN(5) SUMS_FN(6) SUMS_FN(7) SUMS_FN(8) SUMS_FN(9) SUMS_FN(10) SUMS_FN(11) SUMS_FN(12)

static void block_sums(const uint8_t *a, int64_t a_row, const int8_t *b, int64_t width, int64_t steps, int64_t rows, const int32_t *begin,
                       int32_t *sums) {
    static void (*const of[I8_ROWS])(const uint8_t *, int64_t, const int8_t *, int64_t, int64_t, const int32_t *, int32_t *) = {
        sums_1, sums_2, sums_3, sums_4, sums_5, sums_6, sums_7, sums_8, sums_9, sums_10, sums_11, sums_12};
    of[rows - 1](a, a_row, b, width, steps, begin, sums);
}

#include "kernels/gemm/gemm_i8_body.h"
