#include "lib/base/rng.h"

#include <math.h>

/* x86-64 baseline never contracts a * b + c; elsewhere the pragma forbids it (gcc heeds -ffp-contract=off, see the Makefile). */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

void sorai_philox(uint64_t key, uint64_t counter, uint64_t stream, uint32_t out[4]) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32), c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t sorai_rng_u64(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t w[4];
    sorai_philox(seed, index >> 1, stream, w);
    const size_t half = (size_t)(index & 1) * 2;
    return (uint64_t)w[half + 1] << 32 | w[half];
}

float sorai_rng_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t w[4];
    sorai_philox(seed, index >> 2, stream, w);
    return (float)(w[index & 3] >> 8) * 0x1p-24f;
}

/* ln(x) for x in (0, 1]: x = m 2^e with m in [sqrt(1/2), sqrt(2)), ln m = 2 artanh((m - 1) / (m + 1)). */
static double fixed_log(double x) {
    int e;
    double m = frexp(x, &e); /* exact */
    if (m < 0.70710678118654752) {
        m *= 2.0;
        e--;
    }
    const double s = (m - 1.0) / (m + 1.0), z = s * s;
    double p = 1.0 / 21.0;
    for (int k = 19; k >= 1; k -= 2)
        p = p * z + 1.0 / (double)k;
    return 2.0 * s * p + (double)e * 0.69314718055994531;
}

/* cos and sin of 2 pi u, u in [0, 1): reduced to an eighth of a turn, then Taylor series. */
static void fixed_turn(double u, double *c, double *s) {
    const double q = floor(u * 4.0 + 0.5);      /* nearest quarter turn, 0..4 */
    const double a = (u - q * 0.25) * 6.28318530717958648; /* the difference is exact; |a| <= pi / 4 */
    const double z = a * a;
    double ps = 1.0, pc = 1.0;
    for (int k = 16; k >= 2; k -= 2) {
        ps = 1.0 - ps * z / (double)(k * (k + 1));
        pc = 1.0 - pc * z / (double)(k * (k - 1));
    }
    const double sine = a * ps, cosine = pc;
    switch ((int)q & 3) {
    case 0:
        *c = cosine, *s = sine;
        break;
    case 1:
        *c = -sine, *s = cosine;
        break;
    case 2:
        *c = -cosine, *s = -sine;
        break;
    default:
        *c = sine, *s = -cosine;
        break;
    }
}

void sorai_rng_normal(uint64_t seed, uint64_t stream, uint64_t first, float *out, size_t count) {
    /* One Philox block gives two uniform doubles (53 and 32 bits of use), hence two normals: elements 2i and 2i + 1. */
    for (size_t n = 0; n < count;) {
        const uint64_t index = first + n;
        uint32_t w[4];
        sorai_philox(seed, index >> 1, stream, w);
        const uint64_t a = ((uint64_t)w[1] << 32 | w[0]) >> 11, b = ((uint64_t)w[3] << 32 | w[2]) >> 11;
        const double radius = sqrt(-2.0 * fixed_log(((double)a + 1.0) * 0x1p-53));
        double c, s;
        fixed_turn((double)b * 0x1p-53, &c, &s);
        if (!(index & 1))
            out[n++] = (float)(radius * c);
        if (n < count && ((first + n) & 1) && (first + n) >> 1 == index >> 1)
            out[n++] = (float)(radius * s);
    }
}

uint64_t sorai_rng_stream(const char *name) {
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h;
}
