/* Elements of two bf16, for the rows that multiply them. */
#ifndef SORAK_ATTENTION_PAIRS_H
#define SORAK_ATTENTION_PAIRS_H

#include "kernels/attention/lanes.h"

/* Two vectors of floats as bf16: those of `low` in the lower half of the register. */
static inline __m512i narrow(vf low, vf high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

static inline vf v_elements(const float *p, int64_t n) {
    return _mm512_castsi512_ps(narrow(vload_n(p, n), n > VW ? vload_n(p + VW, n - VW) : vset(0.0f)));
}

/* Pairs (p0[i], p1[i]). */
static inline vf v_join(vf p0, vf p1) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4,
                                           19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, narrow(p0, p1)));
}

#endif
