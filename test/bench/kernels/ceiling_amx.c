#include "kernels/tiles.h"
#include "test/bench/kernels/ceiling.h"

double bench_peak_bf16_amx(int64_t rounds) {
    static const uint16_t data[4][512];
    const sorak_tile_config config = sorak_tiles_full();
    sorak_tiles_configure(&config);
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
