/* muon for AVX2, AVX-512 and tiles (template: BLOCK_BF16, BLOCK_NAME and MUON_NAME come first).
 *
 * All products have the form a b with a in rows and b packed in panels of 32 columns, as kernels/gemm/gemm.h says. A product fills one
 * panel of sums at a time, [r][32]; from there it is spread into the forms that later products need:
 *     rows    as factor a
 *     panels  as factor b
 *     turned  its transpose as factor b
 * Everything is padded with zeros to multiples of 32. */
#include <math.h>
#include <string.h>

#include "kernels/gemm/block.h"
#include "kernels/muon/muon.h"
#include "kernels/simd.h"

#define VALUE (BLOCK_BF16 ? 2 : 4) /* bytes of a factor's value */
#define PER (4 / VALUE)            /* values of a step */
#define PANEL 32

/* 2 VW values (VW in f32) side by side as VW steps. */
static inline vf packed(const float *p) {
#if !BLOCK_BF16
    return vload(p);
#elif VW == 16
    return (vf)_mm512_cvtne2ps_pbh(vload(p + VW), vload(p));
#else
    const __m256i x = _mm256_srli_epi32(_mm256_castps_si256(vround_bf16(vload(p))), 16);
    const __m256i y = _mm256_srli_epi32(_mm256_castps_si256(vround_bf16(vload(p + VW))), 16);
    return _mm256_castsi256_ps(_mm256_permute4x64_epi64(_mm256_packus_epi32(x, y), 0xd8));
#endif
}

#if BLOCK_BF16
/* Pairs (even[i], odd[i]). */
static inline vf paired(vf even, vf odd) {
#if VW == 16
    const __m512i order = _mm512_set_epi32(0x1f000f, 0x1e000e, 0x1d000d, 0x1c000c, 0x1b000b, 0x1a000a, 0x190009, 0x180008, 0x170007,
                                           0x160006, 0x150005, 0x140004, 0x130003, 0x120002, 0x110001, 0x100000);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(odd, even)));
#else
    const __m256i e = _mm256_castps_si256(vround_bf16(even)), o = _mm256_castps_si256(vround_bf16(odd));
    return _mm256_castsi256_ps(_mm256_or_si256(_mm256_srli_epi32(e, 16), _mm256_and_si256(o, _mm256_set1_epi32(-65536))));
#endif
}
#endif

typedef struct room {
    int64_t r, c;            /* padded */
    int64_t x_row, s_row;    /* bytes from row to row of what has c and what has r columns */
    char *x;                 /* rows */
    char *x_panels;
    char *x_turned;
    char *s, *f;             /* rows: x x^T; A + s (B + C s) */
    char *t_panels;          /* B + C s */
    float *sums;             /* [r][PANEL] */
} room;

/* Rows an odd number of cache lines apart do not push each other out of the first level cache. */
static int64_t row_bytes(int64_t cols) { return (cols * VALUE / 64 | 1) * 64; }

static char *take(char **at, int64_t bytes) {
    char *const p = *at;
    *at += bytes;
    return p;
}

static room make_room(void *scratch, int64_t r, int64_t c) {
    room w = {.r = (r + 31) / 32 * 32, .c = (c + 31) / 32 * 32};
    char *at = scratch;
    w.x_row = row_bytes(w.c);
    w.s_row = row_bytes(w.r);
    w.sums = (float *)(void *)take(&at, w.r * PANEL * 4);
    w.x = take(&at, w.r * w.x_row);
    w.x_panels = take(&at, w.r * w.c * VALUE);
    w.x_turned = take(&at, w.r * w.c * VALUE);
    w.s = take(&at, w.r * w.s_row);
    w.f = take(&at, w.r * w.s_row);
    w.t_panels = take(&at, w.r * w.r * VALUE);
    return w;
}

/* sums = a b for one panel of b with k steps. */
static void product(const room *w, const char *a, int64_t a_row, const char *panel, int64_t k) {
    const int64_t zero = 0;
    for (int64_t j = 0; j < PANEL; j += SORAK_BLOCK_COLS) {
        const sorak_block_args p = {.a = a, .b = panel + 4 * j, .a_row = a_row, .b_step = 4 * PANEL, .offset = &zero, .segments = 1,
                                    .steps = k / PER, .c = w->sums + j, .ldc = PANEL, .cols = SORAK_BLOCK_COLS, .scale = 1.0f};
        BLOCK_NAME(&p, w->r);
    }
}

/* The sums, which are columns j0 .. j0 + PANEL of a matrix, in the forms asked for. */
static void spread(const room *w, int64_t j0, char *rows, int64_t row, char *panels, float scale, char *turned, int64_t cols) {
    float *const across = (float *)(void *)(panels ? panels + j0 * w->r * VALUE : NULL);
    for (int64_t i = 0; i < w->r; i += VW) {
        const float *const in = w->sums + i * PANEL;
        for (int64_t j = 0; j < PANEL && (rows || turned); j += VW * PER) {
            vf v[VW];
            for (int64_t k = 0; k < VW; k++) {
                v[k] = packed(in + k * PANEL + j);
                if (rows)
                    vstore((float *)(void *)(rows + (i + k) * row + (j0 + j) * VALUE), v[k]);
            }
            if (!turned)
                continue;
            vtranspose(v);
            float *const to = (float *)(void *)turned + ((i / PANEL * cols + j0 + j) / PER) * PANEL + i % PANEL;
            for (int64_t k = 0; k < VW; k++)
                vstore(to + k * PANEL, v[k]);
        }
        for (int64_t k = 0; k < VW && across; k += PER)
            for (int64_t j = 0; j < PANEL; j += VW) {
                const vf v = vload(in + k * PANEL + j) * vset(scale);
#if BLOCK_BF16
                vstore(across + (i + k) / 2 * PANEL + j, paired(v, vload(in + (k + 1) * PANEL + j) * vset(scale)));
#else
                vstore(across + (i + k) * PANEL + j, v);
#endif
            }
    }
}

static void store_value(char *p, float v) {
#if BLOCK_BF16
    const uint16_t half = sorak_f32_to_bf16(v);
    memcpy(p, &half, sizeof half);
#else
    memcpy(p, &v, sizeof v);
#endif
}

/* f = A + s (B + C s) with s = x x^T. */
static void polynomial(const room *w) {
    for (int64_t j = 0; j < w->r; j += PANEL) {
        product(w, w->x, w->x_row, w->x_turned + j * w->c * VALUE, w->c);
        spread(w, j, w->s, w->s_row, w->t_panels, (float)SORAK_MUON_C, NULL, 0);
        for (int64_t i = 0; i < PANEL; i++) /* the diagonal again, with B */
            store_value(w->t_panels + (j * w->r + (j + i) / PER * PER * PANEL + i * PER + (j + i) % PER) * VALUE,
                        (float)(SORAK_MUON_C * (double)w->sums[(j + i) * PANEL + i] + SORAK_MUON_B));
    }
    for (int64_t j = 0; j < w->r; j += PANEL) {
        product(w, w->s, w->s_row, w->t_panels + j * w->r * VALUE, w->r);
        for (int64_t i = 0; i < PANEL; i++)
            w->sums[(j + i) * PANEL + i] += (float)SORAK_MUON_A;
        spread(w, j, w->f, w->s_row, NULL, 1.0f, NULL, 0);
    }
}

/* Momentum into m; returns the norm of the direction u. */
static double direction(const sorak_muon_args *a, const sorak_muon_matrix *w, vf c0, vf c1) {
    const int64_t n = w->rows * w->cols;
    double sum = 0;
    for (int64_t begin = 0; begin < n; begin += SORAK_BLOCK) {
        const int64_t end = sorak_min_i64(begin + SORAK_BLOCK, n);
        vf squares = vset(0.0f);
        for (int64_t i = begin; i < end; i += VW) {
            const vf g = c1 * vload_n(w->g + i, end - i), m = vfma(c0, vload_n(w->m + i, end - i), g);
            const vf u = a->nesterov ? vfma(c0, m, g) : m;
            vstore_n(w->m + i, m, end - i);
            squares = vfma(u, u, squares);
        }
        sum += vsum_f64(squares);
    }
    return sqrt(sum);
}

static void matrix_step(const sorak_muon_args *a, const sorak_muon_matrix *m, void *scratch) {
    const int tall = m->rows > m->cols;
    const int64_t r = tall ? m->cols : m->rows, c = tall ? m->rows : m->cols;
    const room w = make_room(scratch, r, c);
    const vf c0 = vset((float)a->momentum), c1 = vset((float)((1 - a->momentum) * a->grad_scale));
    const vf inverse = vset((float)(1 / fmax(direction(a, m, c0, c1), 1e-7)));
    const double size = a->match_rms ? 0.2 * sqrt((double)c) : sqrt(fmax(1, (double)m->rows / (double)m->cols));
    const vf keep = vset((float)(1 - a->lr * a->decay)), rate = vset((float)(a->lr * size));
    const vf e0 = vset((float)a->ema_decay), e1 = vset((float)(1 - a->ema_decay));
    /* Squares of VW x VW: `lines` of memory with `lanes` values each, rows of x or, when tall, columns. */
    for (int64_t j0 = 0; j0 < w.c; j0 += PANEL) {
        for (int64_t i = 0; i < w.r; i += VW)
            for (int64_t j = 0; j < PANEL; j += VW) {
                const int64_t line = tall ? j0 + j : i, lane = tall ? i : j0 + j, lines = (tall ? c : r) - line;
                const int64_t lanes = (tall ? r : c) - lane, at = line * m->cols + lane;
                vf v[VW];
                for (int64_t k = 0; k < VW; k++) {
                    v[k] = vset(0.0f);
                    if (k >= lines || lanes <= 0)
                        continue;
                    v[k] = vload_n(m->m + at + k * m->cols, lanes);
                    if (a->nesterov)
                        v[k] = vfma(c0, v[k], c1 * vload_n(m->g + at + k * m->cols, lanes));
                    v[k] = v[k] * inverse;
                }
                if (tall)
                    vtranspose(v);
                for (int64_t k = 0; k < VW; k++)
                    vstore(w.sums + (i + k) * PANEL + j, v[k]);
            }
        spread(&w, j0, w.x, w.x_row, w.x_panels, 1.0f, w.x_turned, w.c);
    }
    for (int32_t step = 0; step < a->steps; step++) {
        polynomial(&w);
        for (int64_t j0 = 0; j0 < w.c; j0 += PANEL) {
            product(&w, w.f, w.s_row, w.x_panels + j0 * w.r * VALUE, w.r);
            if (step + 1 < a->steps) {
                spread(&w, j0, w.x, w.x_row, w.x_panels, 1.0f, w.x_turned, w.c);
                continue;
            }
            for (int64_t i = 0; i < w.r; i += VW)
                for (int64_t j = 0; j < PANEL; j += VW) {
                    const int64_t line = tall ? j0 + j : i, lane = tall ? i : j0 + j, lines = (tall ? c : r) - line;
                    const int64_t lanes = (tall ? r : c) - lane, at = line * m->cols + lane;
                    vf v[VW];
                    for (int64_t k = 0; k < VW; k++)
                        v[k] = vload(w.sums + (i + k) * PANEL + j);
                    if (tall)
                        vtranspose(v);
                    for (int64_t k = 0; k < VW && k < lines && lanes > 0; k++) {
                        float *const to = m->p + at + k * m->cols, *const ema = m->ema ? m->ema + at + k * m->cols : NULL;
                        const vf p = vfnma(rate, v[k], keep * vload_n(to, lanes));
                        vstore_n(to, p, lanes);
                        if (ema)
                            vstore_n(ema, vfma(e0, vload_n(ema, lanes), e1 * p), lanes);
                    }
                }
        }
    }
}

int MUON_NAME(const void *args, const sorak_env *env) {
    const sorak_muon_args *const a = args;
    for (int64_t u = env->begin; u < env->end; u++)
        matrix_step(a, &a->matrix[u], env->scratch);
    return 0;
}
