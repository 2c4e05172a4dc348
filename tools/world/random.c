#include <math.h>

#include "tools/world/internal.h"

/* splitmix64's finaliser over a seed and a label: counter-based, so any draw can be made alone and in any order. */
uint64_t world_hash(uint64_t seed, uint64_t label) {
    uint64_t z = seed + 0x9e3779b97f4a7c15u * (label + 1u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    z = (z + 0x2545f4914f6cdd1du) * 0xd6e8feb86659fd93u;
    return z ^ (z >> 32);
}

double world_unit(uint64_t seed, uint64_t label) {
    return (double)(world_hash(seed, label) >> 11) * (1.0 / 9007199254740992.0);
}

double world_range(uint64_t seed, uint64_t label, double lo, double hi) {
    return lo + (hi - lo) * world_unit(seed, label);
}

double world_noise(uint64_t seed, double x) {
    double i = floor(x), u = x - i;
    uint64_t k = (uint64_t)((int64_t)i + (1 << 30));
    double a = world_unit(seed, k), b = world_unit(seed, k + 1);
    u = u * u * (3 - 2 * u);
    return (a + (b - a) * u) * 2 - 1;
}
