/* The register block for AVX2 and AVX-512, f32 and bf16 (template: BLOCK_BF16 and BLOCK_NAME come first). A block is 12 x 32 or 24 x 16
 * with AVX-512, 6 x 16 or 12 x 8 with AVX2: as many sums as there are registers, less three. */
#include <string.h>

#include "kernels/gemm/block.h"
#include "kernels/simd.h"

#if defined(__clang__)
#define BLOCK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define BLOCK_UNROLL _Pragma("GCC unroll 24")
#endif

#define BLOCK_AHEAD 3072 /* bytes of b fetched early: it streams from the second or third level cache */
#if VW == 16
#define BLOCK_ROWS(w) ((w) == 2 ? 12 : 24)
#else
#define BLOCK_ROWS(w) ((w) == 2 ? 6 : 12)
#endif
/* Four bytes of a, in all lanes. */
static inline vf block_a(const char *p) {
    int32_t v;
    memcpy(&v, p, sizeof v);
#if VW == 16
    return _mm512_castsi512_ps(_mm512_set1_epi32(v));
#else
    return _mm256_castsi256_ps(_mm256_set1_epi32(v));
#endif
}

static inline vf block_dot(vf sum, vf a, vf b) {
#if !BLOCK_BF16
    return vfma(a, b, sum);
#elif VW == 16
    return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
#else
    const __m256i ai = _mm256_castps_si256(a), bi = _mm256_castps_si256(b), high = _mm256_set1_epi32(-65536);
    const vf al = _mm256_castsi256_ps(_mm256_slli_epi32(ai, 16)), bl = _mm256_castsi256_ps(_mm256_slli_epi32(bi, 16));
    const vf ah = _mm256_castsi256_ps(_mm256_and_si256(ai, high)), bh = _mm256_castsi256_ps(_mm256_and_si256(bi, high));
    return vfma(ah, bh, vfma(al, bl, sum));
#endif
}

static inline void block_put(const sorak_block_args *p, float *c, int64_t n, vf v) {
    if (p->accumulate)
        v = v + vload_n(c, n);
    vstore_n(c, v, n);
}

/* Rows are addressed as four pointers (or eight) times {0, 1, 2} row strides, which x86 has in its addresses. */
static inline __attribute__((always_inline)) void block_body(const int rows, const int w, const sorak_block_args *p) {
    const char *b = p->b;
    const int64_t r1 = p->a_row, bs = p->b_step;
    vf acc[24];
    BLOCK_UNROLL
    for (int i = 0; i < rows * w; i++)
        acc[i] = vset(0.0f);
    if (p->init) {
        BLOCK_UNROLL
        for (int i = 0; i < rows; i++) {
            acc[i * w] = vload_n(p->init + i * p->init_ld, p->cols);
            if (w == 2)
                acc[i * w + 1] = vload_n(p->init + i * p->init_ld + VW, p->cols - VW);
        }
    }
    for (int64_t s = 0; s < p->segments; s++) {
        const char *a[8];
        BLOCK_UNROLL
        for (int i = 0; i < (rows + 2) / 3; i++)
            a[i] = p->a + p->offset[s] + 3 * i * r1;
        for (int64_t k = p->steps; k > 0; k--) {
            /* Written out for two columns: clang unrolls a loop around a loop of one round too late to keep the sums in registers. */
            const vf b0 = vload((const float *)(const void *)b), b1 = w == 2 ? vload((const float *)(const void *)b + VW) : b0;
            _mm_prefetch(b + BLOCK_AHEAD, _MM_HINT_T0);
            if (w * VW == 32)
                _mm_prefetch(b + BLOCK_AHEAD + 64, _MM_HINT_T0);
            BLOCK_UNROLL
            for (int i = 0; i < rows; i++) {
                const vf av = block_a(a[i / 3] + (i % 3) * r1);
                acc[i * w] = block_dot(acc[i * w], av, b0);
                if (w == 2)
                    acc[i * w + 1] = block_dot(acc[i * w + 1], av, b1);
            }
            BLOCK_UNROLL
            for (int i = 0; i < (rows + 2) / 3; i++) {
                a[i] += 4;
                __asm__("" : "+r"(a[i])); /* keeps compilers from making a pointer per row, more than there are registers */
            }
            b += bs;
        }
    }
    const vf scale = vset(p->scale), bias0 = p->bias ? vload_n(p->bias, p->cols) : vset(0.0f);
    const vf bias1 = w == 2 && p->bias ? vload_n(p->bias + VW, p->cols - VW) : vset(0.0f);
    BLOCK_UNROLL
    for (int i = 0; i < rows; i++) {
        block_put(p, p->c + i * p->ldc, p->cols, vfma(acc[i * w], scale, bias0));
        if (w == 2)
            block_put(p, p->c + i * p->ldc + VW, p->cols - VW, vfma(acc[i * w + 1], scale, bias1));
    }
}

#define BLOCK_FN(rows, w) \
    static void block_##rows##_##w(const sorak_block_args *p) { block_body(rows, w, p); }
#define BLOCK_6(f, w) f(1, w) f(2, w) f(3, w) f(4, w) f(5, w) f(6, w)
#define BLOCK_12(f, w) BLOCK_6(f, w) f(7, w) f(8, w) f(9, w) f(10, w) f(11, w) f(12, w)
#define BLOCK_24(f, w) \
    BLOCK_12(f, w) f(13, w) f(14, w) f(15, w) f(16, w) f(17, w) f(18, w) f(19, w) f(20, w) f(21, w) f(22, w) f(23, w) f(24, w)
#define BLOCK_ENTRY(rows, w) block_##rows##_##w,

typedef void block_fn(const sorak_block_args *p);
#if VW == 16
BLOCK_12(BLOCK_FN, 2)
BLOCK_24(BLOCK_FN, 1)
static block_fn *const block_two[12] = {BLOCK_12(BLOCK_ENTRY, 2)};
static block_fn *const block_one[24] = {BLOCK_24(BLOCK_ENTRY, 1)};
#else
BLOCK_6(BLOCK_FN, 2)
BLOCK_12(BLOCK_FN, 1)
static block_fn *const block_two[6] = {BLOCK_6(BLOCK_ENTRY, 2)};
static block_fn *const block_one[12] = {BLOCK_12(BLOCK_ENTRY, 1)};
#endif

void BLOCK_NAME(const sorak_block_args *args, int64_t rows) {
    sorak_block_args p = *args;
    const int w = p.cols > VW ? 2 : 1;
    const int64_t count = (rows + BLOCK_ROWS(w) - 1) / BLOCK_ROWS(w), each = rows / count, more = rows % count;
    for (int64_t i = 0; i < count; i++) { /* of nearly equal height */
        const int64_t n = each + (i < more);
        (w == 2 ? block_two[n - 1] : block_one[n - 1])(&p);
        p.a += n * p.a_row;
        p.c += n * p.ldc;
        if (p.init)
            p.init += n * p.init_ld;
    }
}
