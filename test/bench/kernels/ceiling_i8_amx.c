#include <string.h>

#include "kernels/tiles.h"
#include "test/bench/kernels/ceiling.h"

#define TILES 1024 /* of 1 KiB, as for bf16 */

double bench_peak_i8_amx(int64_t rounds) {
    static _Thread_local int8_t data[TILES][1024];
    const sorak_tile_config config = sorak_tiles_full();
    memset(data, 0, sizeof data);
    sorak_tiles_configure(&config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t r = 0; r < rounds; r++) {
        int8_t(*const at)[1024] = data + r * 4 % TILES;
        _tile_loadd(4, at[0], 64);
        _tile_loadd(6, at[2], 64);
        _tile_dpbssd(0, 4, 6);
        _tile_loadd(7, at[3], 64);
        _tile_dpbssd(1, 4, 7);
        _tile_loadd(5, at[1], 64);
        _tile_dpbssd(2, 5, 6);
        _tile_dpbssd(3, 5, 7);
    }
    _tile_release();
    return (double)rounds * 4 * 2 * 16 * 16 * 64;
}
