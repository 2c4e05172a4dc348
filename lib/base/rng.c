#include "lib/base/rng.h"

#include <math.h>
#include <string.h>

/* A fused multiply-add would round differently from machine to machine; the build also forbids it by flag. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

void sorai_rng_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]) {
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)c0 * 0xD2511F53u, b = (uint64_t)c2 * 0xCD9E8D57u;
        uint32_t n0 = (uint32_t)(b >> 32) ^ c1 ^ k0, n2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c0 = n0;
        c1 = (uint32_t)b;
        c2 = n2;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* Natural logarithm of x > 0 by exact operations: x = m 2^e with m in [sqrt(1/2), sqrt(2)), then the series of atanh.
 * Good to a few units in the last place, and the same bits everywhere, which is what counts here. */
static double plain_log(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int e = (int)(bits >> 52) - 1022;
    bits = (bits & UINT64_C(0x000FFFFFFFFFFFFF)) | UINT64_C(0x3FE0000000000000);
    double m;
    memcpy(&m, &bits, sizeof m); /* [0.5, 1) */
    if (m < 0.70710678118654752) {
        m = m * 2;
        e = e - 1;
    }
    double z = (m - 1) / (m + 1), w = z * z, sum = 0;
    for (int k = 25; k >= 1; k -= 2) {
        sum = sum * w;
        sum = sum + 1.0 / k;
    }
    sum = sum * z;
    sum = sum * 2;
    double big = e * 0.693147180559945309;
    return big + sum;
}

/* cos and sin of 2 pi u, u in [0, 1): the eighth of the circle first, then Taylor series on at most pi / 4. */
static void circle(double u, double *c, double *s) {
    double t = u * 4;
    int quarter = (int)(t + 0.5); /* 0..4 */
    double x = (t - quarter) * 1.57079632679489662, w = x * x;
    double sum_s = 0, sum_c = 0;
    for (int k = 8; k >= 1; k--) { /* 1 - w/(2k(2k+1)) (...) and 1 - w/((2k-1)2k) (...) */
        double q = w / (double)(2 * k * (2 * k + 1));
        sum_s = (1 - sum_s) * q;
        q = w / (double)((2 * k - 1) * 2 * k);
        sum_c = (1 - sum_c) * q;
    }
    double sn = (1 - sum_s) * x, cs = 1 - sum_c;
    switch (quarter & 3) {
    case 0:
        *c = cs, *s = sn;
        break;
    case 1:
        *c = -sn, *s = cs;
        break;
    case 2:
        *c = -cs, *s = -sn;
        break;
    default:
        *c = sn, *s = -cs;
        break;
    }
}

/* Two normal numbers from one block (Box-Muller). */
static void normal_pair(const uint32_t block[4], double out[2]) {
    uint64_t a = (uint64_t)block[0] << 32 | block[1], b = (uint64_t)block[2] << 32 | block[3];
    double u = ((double)(a >> 11) + 0.5) * 0x1p-53; /* (0, 1) */
    double v = (double)(b >> 11) * 0x1p-53;
    double r = sqrt(-2 * plain_log(u)), c, s;
    circle(v, &c, &s);
    out[0] = r * c;
    out[1] = r * s;
}

void sorai_rng_normals(uint64_t seed, uint64_t stream, uint64_t first, float *out, size_t n) {
    uint32_t block[4];
    double pair[2];
    for (size_t i = 0; i < n;) {
        uint64_t number = first + i;
        sorai_rng_block(seed, stream, number >> 1, block);
        normal_pair(block, pair);
        if (!(number & 1)) {
            out[i++] = (float)pair[0];
            if (i < n) out[i++] = (float)pair[1];
        } else
            out[i++] = (float)pair[1];
    }
}

void sorai_rng_uniforms(uint64_t seed, uint64_t stream, uint64_t first, float *out, size_t n) {
    uint32_t block[4];
    for (size_t i = 0; i < n;) {
        uint64_t number = first + i;
        sorai_rng_block(seed, stream, number >> 2, block);
        for (unsigned k = (unsigned)(number & 3); k < 4 && i < n; k++) out[i++] = (float)(block[k] >> 8) * 0x1p-24f;
    }
}

void sorai_rng_init(sorai_rng *rng, uint64_t seed, uint64_t stream) {
    memset(rng, 0, sizeof *rng);
    rng->seed = seed;
    rng->stream = stream;
}

uint32_t sorai_rng_u32(sorai_rng *rng) {
    if (rng->left == 0) {
        sorai_rng_block(rng->seed, rng->stream, rng->index++, rng->block);
        rng->left = 4;
    }
    return rng->block[4 - rng->left--];
}

uint64_t sorai_rng_u64(sorai_rng *rng) {
    uint64_t high = sorai_rng_u32(rng);
    return high << 32 | sorai_rng_u32(rng);
}

uint32_t sorai_rng_below(sorai_rng *rng, uint32_t n) {
    if (n < 2) return 0;
    uint32_t reject = (0u - n) % n; /* 2^32 mod n: low products under it are drawn again */
    for (;;) {
        uint64_t product = (uint64_t)sorai_rng_u32(rng) * n;
        if ((uint32_t)product >= reject) return (uint32_t)(product >> 32);
    }
}

double sorai_rng_f64(sorai_rng *rng) { return (double)(sorai_rng_u64(rng) >> 11) * 0x1p-53; }

double sorai_rng_normal(sorai_rng *rng) {
    uint32_t block[4];
    for (int i = 0; i < 4; i++) block[i] = sorai_rng_u32(rng);
    double pair[2];
    normal_pair(block, pair);
    return pair[0];
}

uint64_t sorai_rng_stream(const char *name) {
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h;
}
