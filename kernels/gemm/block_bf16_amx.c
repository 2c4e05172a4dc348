/* The register block on tiles: 32 x 32 sums in four tiles, 16 steps (32 values of k) at a time. */
#include <string.h>

#include "kernels/gemm/block.h"
#include "kernels/simd.h"
#include "kernels/tiles.h"

#define STEPS 16 /* rows of a tile of b */
#define AHEAD 128 /* bytes: two tiles of each row are on the way, which keeps memory busy; more push each other out */

/* Tiles 0..3: sums, 4 and 5: rows of a, 6 and 7: columns of b. `low` rows in the second row of tiles may be 0. */
static void configure(int64_t high, int64_t low) {
    sorak_tile_config c = sorak_tiles_full();
    c.rows[0] = c.rows[1] = c.rows[4] = (uint8_t)high;
    c.rows[2] = c.rows[3] = c.rows[5] = (uint8_t)(low > 0 ? low : 1);
    sorak_tiles_configure(&c);
}

/* One set of tiles: sums += a (rows a_row bytes apart) times b (steps b_step bytes apart). two_a, two_b: both tiles are in use. */
static inline void step(const char *a, int64_t a_row, const char *b, int64_t b_step, int two_a, int two_b) {
    _tile_loadd(6, b, (int)b_step);
    _tile_loadd(4, a, (int)a_row);
    _tile_dpbf16ps(0, 4, 6);
    if (two_b) {
        _tile_loadd(7, b + 64, (int)b_step);
        _tile_dpbf16ps(1, 4, 7);
    }
    if (two_a) {
        _tile_loadd(5, a + 16 * a_row, (int)a_row);
        _tile_dpbf16ps(2, 5, 6);
        if (two_b)
            _tile_dpbf16ps(3, 5, 7);
    }
}

/* Lines [from, to) into the second level cache. */
static inline void fetch(const char *p, int64_t from, int64_t to) {
    for (; from < to; from++)
        _mm_prefetch(p + from * 64, _MM_HINT_T1);
}

static void finish(const sorak_block_args *p, int64_t row0, int64_t rows, const float *sums) {
    for (int64_t j = 0; j < p->cols; j += VW) {
        const int64_t n = p->cols - j;
        const vf scale = vset(p->scale), bias = p->bias ? vload_n(p->bias + j, n) : vset(0.0f);
        for (int64_t i = 0; i < rows; i++) {
            float *const c = p->c + (row0 + i) * p->ldc + j;
            vf v = vload(sums + i * 32 + j);
            if (p->init)
                v = v + vload_n(p->init + (row0 + i) * p->init_ld + j, n);
            v = vfma(v, scale, bias);
            if (p->accumulate)
                v = (v + vload_n(c, n));
            if (p->stream && n >= VW && (uintptr_t)c % 64 == 0)
                _mm512_stream_ps(c, v);
            else
                vstore_n(c, v, n);
        }
    }
}

void sorak_block_bf16_amx(const sorak_block_args *p, int64_t rows) {
    _Alignas(64) float sums[32 * 32];
    _Alignas(64) char tail[STEPS * 128];
    const int64_t whole = p->steps / STEPS * STEPS, rest = p->steps - whole;
    const int two_b = p->cols > 16;
    int64_t set = -1;
    memset(tail, 0, sizeof tail);
    sorak_tiles_fence();
    for (int64_t r = 0; r < rows;) {
        const int64_t n = rows - r < 32 ? rows - r : 32, high = n < 16 ? n : 16, low = n - high;
        if (set != n)
            configure(high, low);
        set = n;
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        const char *b = p->b;
        /* Each block of rows fetches its share of what comes next. */
        const int64_t lines = STEPS * p->b_step / 64, from = lines * r / rows, to = lines * (r + n) / rows;
        for (int64_t s = 0; s < p->segments; s++) {
            const char *const a = p->a + p->offset[s] + r * p->a_row;
            for (int64_t k = 0; k < whole; k += STEPS) {
                if (p->next)
                    fetch(p->next + (b - p->b) + k * p->b_step, from, to);
                for (int64_t i = 0; p->rare && i < n; i++)
                    _mm_prefetch(a + i * p->a_row + 4 * k + AHEAD, _MM_HINT_T0);
                step(a + 4 * k, p->a_row, b + k * p->b_step, p->b_step, low > 0, two_b);
            }
            if (rest) {
                /* What follows in b is another segment's: the steps that are left, then zeros. */
                memcpy(tail, b + whole * p->b_step, (size_t)(rest * p->b_step));
                sorak_tiles_fence();
                step(a + 4 * whole, p->a_row, tail, p->b_step, low > 0, two_b);
            }
            b += p->steps * p->b_step;
        }
        _tile_stored(0, sums, 128);
        if (two_b)
            _tile_stored(1, sums + 16, 128);
        if (low > 0) {
            _tile_stored(2, sums + 16 * 32, 128);
            if (two_b)
                _tile_stored(3, sums + 16 * 32 + 16, 128);
        }
        finish(p, r, n, sums);
        r += n;
    }
    _tile_release();
}
