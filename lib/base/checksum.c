#include "lib/base/checksum.h"

#include <string.h>

/* The five odd primes of the specification. */
#define P1 UINT64_C(0x9E3779B185EBCA87)
#define P2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define P3 UINT64_C(0x165667B19E3779F9)
#define P4 UINT64_C(0x85EBCA77C2B2AE63)
#define P5 UINT64_C(0x27D4EB2F165667C5)

static uint64_t rotate(uint64_t x, int by) { return x << by | x >> (64 - by); }

static uint64_t load(const unsigned char *p, int bytes) { /* little-endian on every machine */
    uint64_t x = 0;
    for (int i = bytes - 1; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

static uint64_t mix(uint64_t lane, uint64_t input) { return rotate(lane + input * P2, 31) * P1; }

static void stripes(uint64_t lane[4], const unsigned char *p, size_t count) {
    uint64_t a = lane[0], b = lane[1], c = lane[2], d = lane[3];
    for (; count > 0; count--, p += 32) {
        a = mix(a, load(p, 8));
        b = mix(b, load(p + 8, 8));
        c = mix(c, load(p + 16, 8));
        d = mix(d, load(p + 24, 8));
    }
    lane[0] = a;
    lane[1] = b;
    lane[2] = c;
    lane[3] = d;
}

void sorai_checksum_begin(sorai_checksum_state *state) {
    memset(state, 0, sizeof *state);
    state->lane[0] = P1 + P2;
    state->lane[1] = P2;
    state->lane[3] = 0 - P1;
}

void sorai_checksum_add(sorai_checksum_state *state, const void *data, size_t n) {
    const unsigned char *p = data;
    if (n == 0) return;
    state->total += n;
    if (state->tail_size) {
        size_t take = sizeof state->tail - state->tail_size;
        if (take > n) take = n;
        memcpy(state->tail + state->tail_size, p, take);
        state->tail_size += take;
        p += take;
        n -= take;
        if (state->tail_size < sizeof state->tail) return;
        stripes(state->lane, state->tail, 1);
        state->tail_size = 0;
    }
    stripes(state->lane, p, n / 32);
    state->tail_size = n % 32;
    memcpy(state->tail, p + (n - state->tail_size), state->tail_size);
}

uint64_t sorai_checksum_end(const sorai_checksum_state *state) {
    uint64_t h = P5;
    if (state->total >= 32) {
        const uint64_t *l = state->lane;
        h = rotate(l[0], 1) + rotate(l[1], 7) + rotate(l[2], 12) + rotate(l[3], 18);
        for (int i = 0; i < 4; i++) h = (h ^ mix(0, l[i])) * P1 + P4;
    }
    h += state->total;
    const unsigned char *p = state->tail;
    size_t n = state->tail_size;
    for (; n >= 8; n -= 8, p += 8) h = rotate(h ^ mix(0, load(p, 8)), 27) * P1 + P4;
    for (; n >= 4; n -= 4, p += 4) h = rotate(h ^ load(p, 4) * P1, 23) * P2 + P3;
    for (; n > 0; n--, p++) h = rotate(h ^ *p * P5, 11) * P1;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P3;
    return h ^ h >> 32;
}

uint64_t sorai_checksum(const void *data, size_t n) {
    sorai_checksum_state state;
    sorai_checksum_begin(&state);
    sorai_checksum_add(&state, data, n);
    return sorai_checksum_end(&state);
}
