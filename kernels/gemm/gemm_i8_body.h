/* gemm and gemm_pack in int8 (template: GEMM_NAME(op), I8_ROWS and I8_UNSIGNED come first, and the function
 *
 *     static void block_sums(const uint8_t *a, int64_t a_row, const int8_t *b, int64_t width, int64_t steps, int64_t rows,
 *                            const int32_t *begin, int32_t *sums);
 *
 * that fills sums [rows][32] with begin [32] plus a b over `steps` steps of 4 k; up to I8_ROWS rows, `width` columns.) */
#include <string.h>

#include "kernels/gemm/gemm.h"
#include "kernels/gemm/put_row.h"
#include "kernels/simd.h"
#include "kernels/stored_simd.h"

#define I8_MAGIC 12582912.0f       /* 1.5 * 2^23: what is added to it is rounded to a whole number, ties to even, in the lowest bits */
#define I8_PIECE 4096 /* of k at a time: the bytes of a block of rows stay in the second level cache while all columns pass by */
#define I8_STRIP 64   /* panels whose sums are kept from piece to piece */
/* Bytes of scratch: rows of a as bytes (whole tiles are read, so that up to 31 rows lie behind them), then sums, then scales of a. */
#define I8_SUMS_AT ((size_t)5 << 18)
#define I8_SCALES_AT (I8_SUMS_AT + (size_t)I8_STRIP * SORAK_GEMM_ROWS * 32 * 4)
_Static_assert((SORAK_GEMM_ROWS + 32) * (I8_PIECE + 64) <= I8_SUMS_AT, "scratch");
_Static_assert(I8_SCALES_AT + I8_PIECE / SORAK_I8_BLOCK * SORAK_GEMM_ROWS * 4 <= SORAK_SCRATCH, "scratch");
#ifndef I8_STREAM
#define I8_STREAM INT64_MAX /* bytes of c from which on it is written past the caches */
#endif

static inline uint32_t bits_of(float f) {
    union {
        float f;
        uint32_t u;
    } x = {f};
    return x.u;
}

/* The largest |v|; NaN if there is one. */
static inline float largest(const float *v, int64_t n) {
    uint32_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint32_t size = bits_of(v[i]) & 0x7fffffffu;
        most = size > most ? size : most;
    }
    return sorak_bits_f32(most);
}

/* The bytes of n values divided by sorak_i8_step(largest). */
static inline void to_bytes(uint8_t *q, const float *v, int64_t n, float most, uint8_t flip) {
    const float inverse = sorak_i8_inverse(most);
    for (int64_t i = 0; i < n; i++)
        q[i] = (uint8_t)(bits_of(v[i] * inverse + I8_MAGIC) ^ flip);
}

/* Rows of a as bytes, values [k0, k0 + k) of them, `stride` apart, zeros up to 64 k; scales [block][rows]. */
static void quantise(const sorak_gemm_args *g, int64_t row0, int64_t rows, int64_t k0, int64_t k, uint8_t *q, int64_t stride, float *scale) {
    float wide[SORAK_I8_BLOCK];
    for (int64_t i = 0; i < rows; i++) {
        const int64_t row = (row0 + i) * g->a_row + k0;
        for (int64_t at = 0; at < k; at += SORAK_I8_BLOCK) {
            const int64_t n = k - at < SORAK_I8_BLOCK ? k - at : SORAK_I8_BLOCK;
            const float *a = (const float *)g->a + row + at;
            if (g->a_bf16) {
                for (int64_t j = 0; j < n; j++)
                    wide[j] = sorak_bf16_to_f32(((const uint16_t *)g->a)[row + at + j]);
                a = wide;
            }
            const float most = largest(a, n);
            scale[at / SORAK_I8_BLOCK * rows + i] = sorak_i8_step(most);
            to_bytes(q + i * stride + at, a, n, most, I8_UNSIGNED ? 0x80 : 0);
        }
        memset(q + i * stride + k, 0, (size_t)(4 * sorak_steps(SK_DT_i8, k) - k));
    }
}

static inline vf from_i32(const int32_t *p) {
#if VW == 16
    return _mm512_cvtepi32_ps(_mm512_loadu_si512(p));
#else
    return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
#endif
}

/* Lines [from, to) into the second level cache. */
static inline void fetch(const int8_t *p, int64_t from, int64_t to) {
    for (; from < to; from++)
        _mm_prefetch((const char *)p + from * 64, _MM_HINT_T1);
}

/* Sums of a panel's columns, as c wants them. */
static void put(const sorak_gemm_args *g, const sorak_i8_panel *p, int64_t row0, int64_t rows, int64_t col0, const float *sums) {
    const int64_t cols = g->n - col0 < p->width ? g->n - col0 : p->width;
    const int stream = g->m * g->ldc * (g->c_bf16 ? 2 : 4) >= I8_STREAM && !g->accumulate;
    float by[32], bias[32] = {0}, row[32] = {0};
    for (int64_t j = 0; j < p->width; j++) {
        by[j] = p->scale[j] * g->scale;
        if (g->bias && j < cols)
            bias[j] = g->bias[col0 + j];
    }
    for (int64_t i = 0; i < rows; i++) {
        const int64_t at = (row0 + i) * g->ldc + col0;
        for (int64_t j = 0; j < p->width; j += VW) {
            vf v = vfma(vload(sums + i * 32 + j), vload(by + j), vload(bias + j));
            if (g->accumulate)
                v = v + vload_n((const float *)g->c + at + j, cols - j);
            vstore(row + j, v);
        }
        put_row(g, at, row, cols, stream);
    }
#if VW == 16
    if (stream)
        _mm_sfence();
#endif
}

/* To sums [rows][32] (not read where `first`) come the products of a piece of k, which begins k0 steps into the panel, with its columns. next: the
 * bytes of b that follow, as many, which are fetched meanwhile, or NULL. */
static void add_products(const sorak_i8_panel *p, const uint8_t *a, int64_t stride, const float *scale, int64_t rows, int64_t k0, int64_t steps,
                         int first, const int8_t *next, float *sums) {
    static const int32_t zeros[32];
    int32_t begin[32], exact[I8_ROWS * 32];
    for (int64_t k = 0, block = 0; k < steps; k += SORAK_I8_BLOCK / 4, block++) {
        const int64_t now = steps - k < SORAK_I8_BLOCK / 4 ? steps - k : SORAK_I8_BLOCK / 4;
        for (int64_t j = 0; I8_UNSIGNED && j < p->width; j++)
            begin[j] = -128 * p->sums[((k0 + k) / (SORAK_I8_BLOCK / 4)) * p->sums_step + j];
        for (int64_t i = 0; i < rows; i += I8_ROWS) {
            const int64_t n = rows - i < I8_ROWS ? rows - i : I8_ROWS, lines = now * p->width / 16;
            if (next)
                fetch(next + 4 * k * p->width, lines * i / rows, lines * (i + n) / rows);
            block_sums(a + i * stride + 4 * k, stride, p->b + 4 * (k0 + k) * p->width, p->width, now, n, I8_UNSIGNED ? begin : zeros, exact);
            for (int64_t r = 0; r < n; r++)
                for (int64_t j = 0; j < p->width; j += VW) {
                    float *const sum = sums + (i + r) * 32 + j;
                    const vf part = from_i32(exact + r * 32 + j), by = vset(scale[block * rows + i + r]);
                    vstore(sum, vfma(part, by, first && block == 0 ? vset(0.0f) : vload(sum)));
                }
        }
    }
}

/* A block of rows and a range of panels. */
static void run_rows(const sorak_gemm_args *g, void *scratch, int64_t row0, int64_t rows, int64_t panel, int64_t end) {
    uint8_t *const a = scratch;
    float *const sums = (float *)(void *)((char *)scratch + I8_SUMS_AT), *const scale = (float *)(void *)((char *)scratch + I8_SCALES_AT);
    const int64_t pieces = (g->k + I8_PIECE - 1) / I8_PIECE, blocks = sorak_i8_blocks(g->k);
    const int64_t per = (blocks + pieces - 1) / pieces * SORAK_I8_BLOCK, strip = pieces > 1 ? I8_STRIP : end - panel;
    for (; panel < end; panel += strip) {
        const int64_t last = end - panel < strip ? end : panel + strip;
        for (int64_t k0 = 0; k0 < g->k; k0 += per) {
            const int64_t k = g->k - k0 < per ? g->k - k0 : per, stride = (4 * sorak_steps(SK_DT_i8, k) / 64 | 1) * 64;
            quantise(g, row0, rows, k0, k, a, stride, scale);
            for (int64_t i = panel; i < last; i++) {
                const sorak_i8_panel p = sorak_i8_panel_of(g->b, g->n, g->k, i);
                const int8_t *const next = i + 1 < last ? sorak_i8_panel_of(g->b, g->n, g->k, i + 1).b + k0 * p.width : NULL;
                float *const sum = sums + (pieces > 1 ? i - panel : 0) * SORAK_GEMM_ROWS * 32;
                add_products(&p, a, stride, scale, rows, k0 / 4, sorak_steps(SK_DT_i8, k), k0 == 0, next, sum);
                if (k0 + k == g->k)
                    put(g, &p, row0, rows, i * p.width, sum);
            }
        }
    }
}

int GEMM_NAME(gemm)(const void *args, const sorak_env *env) {
    const sorak_gemm_args *const g = args;
    const int64_t across = (g->n + SORAK_GEMM_COLS - 1) / SORAK_GEMM_COLS;
    if (g->a_col != 1)
        return -1;
    if (env->begin == env->end)
        return 0;
    I8_BEGIN
    for (int64_t u = env->begin; u < env->end;) {
        const int64_t row0 = u / across * SORAK_GEMM_ROWS, rows = g->m - row0 < SORAK_GEMM_ROWS ? g->m - row0 : SORAK_GEMM_ROWS;
        const int64_t first = u % across, left = env->end - u, last = across - first < left ? across : first + left;
        const int64_t end = last * SORAK_GEMM_COLS / 32 < sorak_panels(g->n) ? last * SORAK_GEMM_COLS / 32 : sorak_panels(g->n);
        run_rows(g, env->scratch, row0, rows, first * SORAK_GEMM_COLS / 32, end);
        u += last - first;
    }
    I8_END
    return 0;
}

#ifndef GEMM_PRODUCT_ONLY
int GEMM_NAME(gemm_pack)(const void *args, const sorak_env *env) {
    const sorak_gemm_pack_args *const g = args;
    const int64_t blocks = sorak_gemm_pack_blocks(g->k), values = sorak_stored_known(g->src_dtype) ? sorak_block_values(g->src_dtype) : 0;
    const int64_t room = (int64_t)(SORAK_SCRATCH / 8);
    if (values < 1 || g->segments != 1 || g->k_stride != 1 || g->n_stride % values || g->k > room - 64)
        return -1;
    if (env->begin == env->end)
        return 0;
    float *const v = env->scratch;
    uint8_t *const q = (uint8_t *)env->scratch + SORAK_SCRATCH / 2;
    for (int64_t u = env->begin; u < env->end; u++) {
        if (u % blocks) /* the first of a panel's units does it all: the scale is that of whole columns */
            continue;
        const sorak_i8_panel p = sorak_i8_panel_of(g->dst, g->n, g->k, u / blocks);
        for (int64_t j = 0; j < p.width; j++) {
            const int64_t n = u / blocks * p.width + j, k = n < g->n ? g->k : 0;
            if (k > 0)
                vstored_f32(g->src_dtype, g->src, n * g->n_stride, k, g->scale ? g->scale + n * g->scale_step : NULL, v);
            const float most = largest(v, k);
            to_bytes(q, v, k, most, 0);
            memset(q + k, 0, (size_t)(4 * p.steps - k));
            for (int64_t s = 0; s < p.steps; s++)
                memcpy((int8_t *)(uintptr_t)p.b + (s * p.width + j) * 4, q + 4 * s, 4);
            ((float *)(uintptr_t)p.scale)[j] = sorak_i8_step(most);
            for (int64_t i = 0, block = 0; i < 4 * p.steps; i += SORAK_I8_BLOCK, block++) {
                int32_t sum = 0;
                for (int64_t e = i; e < i + SORAK_I8_BLOCK && e < 4 * p.steps; e++)
                    sum += (int8_t)q[e];
                ((int32_t *)(uintptr_t)p.sums)[block * p.sums_step + j] = sum;
            }
        }
    }
    return 0;
}
#endif
