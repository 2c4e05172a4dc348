/* gemm and gemm_pack for AVX2 and AVX-512 (template: BLOCK_BF16, BLOCK_NAME and GEMM_NAME(op) come first). */
#include <string.h>

#include "kernels/gemm/block.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/put_row.h"
#include "kernels/simd.h"
#include "kernels/stored_simd.h"

#if BLOCK_BF16
#define GEMM_DT SK_DT_bf16
#else
#define GEMM_DT SK_DT_f32
#endif

#ifndef GEMM_ROWS
#define GEMM_ROWS 96               /* at a time */
#endif
#define GEMM_STEPS 1024            /* of k at a time: these rows of a and a panel of b stay in the second level cache */
#define GEMM_STRIP 2048            /* columns at a time */
#define GEMM_SUMS_AT (5 << 18)     /* bytes of scratch before the sums of a strip */
#define GEMM_PANEL_AT (SORAK_SCRATCH - GEMM_ROWS * SORAK_BLOCK_COLS * 4) /* and before a panel that is not what c gets */
_Static_assert(GEMM_ROWS * (GEMM_STEPS + 48) * 4 <= GEMM_SUMS_AT && GEMM_SUMS_AT + GEMM_ROWS * GEMM_STRIP * 4 <= GEMM_PANEL_AT, "scratch");
#ifndef GEMM_STREAM
#define GEMM_STREAM INT64_MAX      /* bytes of c from which on it is written past the caches */
#endif

#if BLOCK_BF16
/* Rounded to bf16: the even k in the low halves of the lanes, the odd one in the high halves. */
static inline vf pair(vf even, vf odd) {
#if VW == 16
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(odd, even);
    const __m512i order = _mm512_set_epi32(0x1f000f, 0x1e000e, 0x1d000d, 0x1c000c, 0x1b000b, 0x1a000a, 0x190009, 0x180008, 0x170007,
                                           0x160006, 0x150005, 0x140004, 0x130003, 0x120002, 0x110001, 0x100000);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, both));
#else
    const __m256i e = _mm256_castps_si256(vround_bf16(even)), o = _mm256_castps_si256(vround_bf16(odd));
    const __m256i high = _mm256_set1_epi32(-65536);
    return _mm256_castsi256_ps(_mm256_or_si256(_mm256_srli_epi32(e, 16), _mm256_and_si256(o, high)));
#endif
}
#endif

#if BLOCK_BF16
/* Values as bf16, one after the other, and zeros up to a multiple of 2 VW. */
static inline void round_row(const float *src, int64_t count, char *to) {
    for (int64_t k = 0; k < count; k += 2 * VW) {
        const vf a = vload_n(src + k, count - k), b = vload_n(src + k + VW, count - k - VW);
#if VW == 16
        const vf both = (vf)_mm512_cvtne2ps_pbh(b, a);
#else
        /* packus works per half: the quarters come out as 0 2 1 3 */
        const __m256i x = _mm256_srli_epi32(_mm256_castps_si256(vround_bf16(a)), 16);
        const __m256i y = _mm256_srli_epi32(_mm256_castps_si256(vround_bf16(b)), 16);
        const vf both = _mm256_castsi256_ps(_mm256_permute4x64_epi64(_mm256_packus_epi32(x, y), 0xd8));
#endif
        vstore((float *)(void *)(to + 2 * k), both);
    }
}
#endif

/* VW rows (fewer: zeros) of `width` values each (at most VW), turned: r[j] = value j of all rows. */
static inline void load_turned(vf r[VW], const float *src, int64_t stride, int64_t rows, int64_t width) {
    for (int64_t i = 0; i < VW; i++)
        r[i] = i < rows ? vload_n(src + i * stride, width) : vset(0.0f);
    vtranspose(r);
}

/* Rows [rows] x steps k0 .. k0 + steps of a, as the block wants them: rows `stride` bytes apart. */
static void convert_a(const sorak_gemm_args *g, int64_t row0, int64_t rows, int64_t k0, int64_t count, char *dst, int64_t stride) {
    if (g->a_col == 1) {
        for (int64_t i = 0; i < rows; i++) {
            const float *src = (const float *)g->a + (row0 + i) * g->a_row + k0;
            char *to = dst + i * stride;
#if BLOCK_BF16
            if (g->a_bf16) {
                memcpy(to, (const uint16_t *)g->a + (row0 + i) * g->a_row + k0, (size_t)count * 2);
                memset(to + 2 * count, 0, 64);
                continue;
            }
            round_row(src, count, to);
#else
            memcpy(to, src, (size_t)count * 4);
#endif
        }
        return;
    }
    const int64_t whole = BLOCK_BF16 ? (count + 31) / 32 * 32 : count; /* tiles read 32 at a time: zeros follow */
    for (int64_t k = 0; k < whole; k += VW)
        for (int64_t i = 0; i < rows; i += VW) {
            vf r[VW];
            const int64_t n = rows - i < VW ? rows - i : VW;
            load_turned(r, (const float *)g->a + (row0 + i) + (k0 + k) * g->a_col, g->a_col, count - k, n);
            for (int64_t j = 0; j < n; j++) {
#if BLOCK_BF16 && VW == 16
                const __m256i half = (__m256i)_mm512_cvtneps_pbh(r[j]);
                _mm256_storeu_si256((__m256i *)(void *)(dst + (i + j) * stride + 2 * k), half);
#elif BLOCK_BF16
                const __m256i x = _mm256_srli_epi32(_mm256_castps_si256(vround_bf16(r[j])), 16);
                const __m256i p = _mm256_permute4x64_epi64(_mm256_packus_epi32(x, x), 0xd8);
                _mm_storeu_si128((__m128i *)(void *)(dst + (i + j) * stride + 2 * k), _mm256_castsi256_si128(p));
#else
                vstore((float *)(void *)(dst + (i + j) * stride + 4 * k), r[j]);
#endif
            }
        }
}

/* Steps of k that are done at a time, nearly equal pieces; and the bytes from one converted row of them to the next: an odd number of cache lines
 * keeps rows from falling on the same sets. */
static inline int64_t piece_of(int64_t steps) {
    const int64_t pieces = (steps + GEMM_STEPS - 1) / GEMM_STEPS;
    return ((steps + pieces - 1) / pieces + 15) / 16 * 16;
}
static inline int64_t stride_of(int64_t per) { return ((per + 2 * VW + 15) / 16 | 1) * 64; }

/* All of k for up to GEMM_ROWS rows and a range of columns. */
static void run_strip(const sorak_gemm_args *g, void *scratch, int64_t row0, int64_t rows, int64_t col0, int64_t cols) {
    const int64_t steps = sorak_steps(GEMM_DT, g->k), width = sorak_panel(g->n), in_step = BLOCK_BF16 ? 2 : 1, zero = 0;
    const int64_t per = piece_of(steps), stride = stride_of(per);
    /* Rows that are f32 already are read where they are, unless they lie so that they push each other out of the first level cache. */
    const int direct = !BLOCK_BF16 && g->a_col == 1 && g->a_row % 256 != 0;
    const int stream = g->m * g->ldc * (g->c_bf16 ? 2 : 4) >= GEMM_STREAM && !g->accumulate, apart = g->act || g->c_bf16 || stream;
    char *const a = scratch;
    float *const sums = (float *)(void *)((char *)scratch + GEMM_SUMS_AT), *const panel = (float *)(void *)((char *)scratch + GEMM_PANEL_AT);
    for (int64_t k = 0; k < steps; k += per) {
        const int64_t now = steps - k < per ? steps - k : per, left = g->k - k * in_step;
        if (!direct)
            convert_a(g, row0, rows, k * in_step, left < now * in_step ? left : now * in_step, a, stride);
        for (int64_t c = 0; c < cols; c += SORAK_BLOCK_COLS) {
            const int64_t j = col0 + c, after = j + SORAK_BLOCK_COLS, here = cols - c < SORAK_BLOCK_COLS ? cols - c : SORAK_BLOCK_COLS;
            sorak_block_args p = {.a = direct ? (const char *)((const float *)g->a + row0 * g->a_row + k) : a,
                                  .a_row = direct ? g->a_row * 4 : stride, .offset = &zero, .segments = 1, .steps = now, .b_step = width * 4,
                                  .b = (const char *)g->b + ((j / width * steps + k) * width + j % width) * 4,
                                  .next = after < col0 + cols ? (const char *)g->b + ((after / width * steps + k) * width + after % width) * 4
                                                              : NULL,
                                  .init = k > 0 ? sums + c : NULL, .init_ld = GEMM_STRIP, .c = sums + c, .ldc = GEMM_STRIP,
                                  .cols = here, .scale = 1.0f};
            const int last = k + now >= steps;
            if (last) {
                p.c = apart ? panel : (float *)g->c + row0 * g->ldc + j;
                p.ldc = apart ? SORAK_BLOCK_COLS : g->ldc;
                p.bias = g->bias ? g->bias + j : NULL;
                p.scale = g->scale;
                p.accumulate = g->accumulate;
            }
            BLOCK_NAME(&p, rows);
            for (int64_t i = 0; last && apart && i < rows; i++)
                put_row(g, (row0 + i) * g->ldc + j, panel + i * SORAK_BLOCK_COLS, here, stream);
        }
    }
#if VW == 16
    if (stream)
        _mm_sfence();
#endif
}

int GEMM_NAME(gemm)(const void *args, const sorak_env *env) {
    const sorak_gemm_args *const g = args;
    const int64_t across = (g->n + SORAK_GEMM_COLS - 1) / SORAK_GEMM_COLS;
    if (BLOCK_BF16 ? g->a_bf16 && g->a_col != 1 : g->a_bf16 || g->c_bf16)
        return -1;
    for (int64_t u = env->begin; u < env->end;) {
        /* As many units side by side as there are: they share the converted rows of a. */
        int64_t last = u / across * across + across;
        last = last < env->end ? last : env->end;
        last = last < u + GEMM_STRIP / SORAK_GEMM_COLS ? last : u + GEMM_STRIP / SORAK_GEMM_COLS;
        const int64_t col0 = u % across * SORAK_GEMM_COLS, end = col0 + (last - u) * SORAK_GEMM_COLS, cols = (end < g->n ? end : g->n) - col0;
        const int64_t row0 = u / across * SORAK_GEMM_ROWS, rows = g->m - row0 < SORAK_GEMM_ROWS ? g->m - row0 : SORAK_GEMM_ROWS;
        const int64_t parts = (rows + GEMM_ROWS - 1) / GEMM_ROWS;
        for (int64_t i = 0; i < parts; i++) /* of nearly equal height */
            run_strip(g, env->scratch, row0 + rows * i / parts, rows * (i + 1) / parts - rows * i / parts, col0, cols);
        u = last;
    }
    return 0;
}

#ifndef GEMM_PRODUCT_ONLY
/* Columns n .. n + lanes of b, k of them from k0 on, as f32: in scratch, rows of `k` values one after the other. */
static const float *unpack(const sorak_gemm_pack_args *g, int64_t seg, int64_t n, int64_t lanes, int64_t k0, int64_t k, float *scratch) {
    for (int64_t i = 0; i < lanes; i++) {
        const float *const by = g->scale ? g->scale + (n + i) * g->scale_step : NULL;
        vstored_f32(g->src_dtype, g->src, (n + i) * g->n_stride + seg * g->k + k0, k, by, scratch + i * 2 * SORAK_PACK_STEPS);
    }
    return scratch;
}

int GEMM_NAME(gemm_pack)(const void *args, const sorak_env *env) {
    const sorak_gemm_pack_args *const g = args;
    const int64_t width = sorak_panel(g->n), blocks = sorak_gemm_pack_blocks(g->k), steps = sorak_steps(GEMM_DT, g->k);
    const int64_t in_step = BLOCK_BF16 ? 2 : 1, per = 2 * SORAK_PACK_STEPS / in_step;
    const int plain = g->src_dtype == SK_DT_f32 && !g->scale;
    const int64_t values = sorak_stored_known(g->src_dtype) ? sorak_block_values(g->src_dtype) : 0;
    if (values < 1 || (plain ? g->n_stride != 1 && g->k_stride != 1 : g->k_stride != 1) ||
        (values > 1 && (g->n_stride % values || g->segments != 1)))
        return -1;
    for (int64_t u = env->begin; u < env->end; u++) {
        const int64_t seg = u / blocks % g->segments, panel = u / blocks / g->segments, s0 = u % blocks * per;
        const int64_t s1 = s0 + per < steps ? s0 + per : steps, k0 = s0 * in_step, count = g->k - k0 < in_step * per ? g->k - k0 : in_step * per;
        float *const dst = (float *)g->dst + (panel * g->segments + seg) * steps * width;
        for (int64_t j = 0; j < width; j += VW) {
            const int64_t n = panel * width + j, lanes = g->n - n;
            const float *src = (const float *)g->src + (seg * g->k + k0) * g->k_stride + n * g->n_stride;
            int64_t n_stride = g->n_stride;
            if (lanes > 0 && !plain) {
                src = unpack(g, seg, n, lanes < VW ? lanes : VW, k0, count, env->scratch);
                n_stride = 2 * SORAK_PACK_STEPS;
            }
            if (lanes <= 0) {
                for (int64_t s = s0; s < s1; s++)
                    vstore(dst + s * width + j, vset(0.0f));
            } else if (plain && n_stride == 1) {
                for (int64_t s = s0; s < s1; s++) {
                    const float *const row = src + (s - s0) * in_step * g->k_stride;
#if BLOCK_BF16
                    const vf odd = 2 * s + 1 < g->k ? vload_n(row + g->k_stride, lanes) : vset(0.0f);
                    vstore(dst + s * width + j, pair(vload_n(row, lanes), odd));
#else
                    vstore(dst + s * width + j, vload_n(row, lanes));
#endif
                }
            } else {
                for (int64_t s = s0; s < s1; s += VW / in_step) {
                    vf r[VW];
                    load_turned(r, src + (s - s0) * in_step, n_stride, lanes, g->k - s * in_step);
                    for (int64_t i = 0; i < VW / in_step && s + i < s1; i++) {
#if BLOCK_BF16
                        vstore(dst + (s + i) * width + j, pair(r[2 * i], r[2 * i + 1]));
#else
                        vstore(dst + (s + i) * width + j, r[i]);
#endif
                    }
                }
            }
        }
    }
    return 0;
}
#endif
