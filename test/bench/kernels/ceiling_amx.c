#include <immintrin.h>
#include <string.h>

#include "test/bench/kernels/ceiling.h"

double bench_peak_bf16_amx(int64_t rounds) {
    struct {
        uint8_t palette, start, zero[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config;
    static const uint16_t data[4][512];
    memset(&config, 0, sizeof config);
    config.palette = 1;
    for (int i = 0; i < 8; i++) {
        config.bytes[i] = 64;
        config.rows[i] = 16;
    }
    _tile_loadconfig(&config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t r = 0; r < rounds; r++) {
        _tile_loadd(4, data[0], 64);
        _tile_loadd(5, data[1], 64);
        _tile_loadd(6, data[2], 64);
        _tile_loadd(7, data[3], 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
    return (double)rounds * 4 * 2 * 16 * 16 * 32;
}
