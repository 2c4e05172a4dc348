/* The end of a product: sums as c wants them. */
#ifndef SORAK_GEMM_PUT_ROW_H
#define SORAK_GEMM_PUT_ROW_H

#include "kernels/gemm/gemm.h"
#include "kernels/simd.h"
#include "kernels/unary/activation.h"

static inline vf gemm_activated(int act, vf x) {
    const vf none = vset(0.0f);
    return act == SORAK_GEMM_SILU ? f_silu(x, none, none) : act == SORAK_GEMM_GELU_TANH ? f_gelu_tanh(x, none, none) : f_gelu(x, none, none);
}

/* `cols` values from `from` on, of a row of c from its value `at` on; `from` has room for a multiple of 2 VW. `stream`: past the caches where whole lines
 * can be written. */
static inline void put_row(const sorak_gemm_args *g, int64_t at, const float *from, int64_t cols, int stream) {
    (void)stream;
    for (int64_t j = 0; j < cols; j += 2 * VW) {
        vf a = vload(from + j), b = vload(from + j + VW);
        if (g->act) {
            a = gemm_activated(g->act, a);
            b = gemm_activated(g->act, b);
        }
        if (g->c_bf16) {
            uint16_t *const c = (uint16_t *)g->c + at + j;
#ifdef __AVX512BF16__
            const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(b, a);
            if (stream && cols - j >= 32 && (uintptr_t)c % 64 == 0)
                _mm512_stream_si512((__m512i *)(void *)c, both);
            else
                _mm512_mask_storeu_epi16(c, cols - j >= 32 ? ~0u : (1u << (cols - j)) - 1u, both);
#else
            float v[2 * VW];
            vstore(v, a);
            vstore(v + VW, b);
            for (int64_t i = 0; i < 2 * VW && j + i < cols; i++)
                c[i] = sorak_f32_to_bf16(v[i]);
#endif
            continue;
        }
        float *const c = (float *)g->c + at + j;
#if VW == 16
        if (stream && cols - j >= 32 && (uintptr_t)c % 64 == 0) {
            _mm512_stream_ps(c, a);
            _mm512_stream_ps(c + VW, b);
            continue;
        }
#endif
        vstore_n(c, a, cols - j);
        vstore_n(c + VW, b, cols - j - VW);
    }
}

#endif
