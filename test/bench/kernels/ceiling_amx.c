#include <string.h>

#include "kernels/tiles.h"
#include "test/bench/kernels/ceiling.h"

#define TILES 1024 /* of 1 KiB: they lie in the second level cache, as the factors of real products do */

typedef uint8_t tile[1024];

#define PEAK(name, product, values)                              \
    double name(int64_t rounds) {                                \
        const sorak_tile_config config = sorak_tiles_full();     \
        static _Thread_local tile data[TILES];                   \
        memset(data, 0, sizeof data); /* else all pages are the one page of zeros */ \
        sorak_tiles_configure(&config);                          \
        sorak_tiles_fence();                                     \
        _tile_zero(0);                                           \
        _tile_zero(1);                                           \
        _tile_zero(2);                                           \
        _tile_zero(3);                                           \
        for (int64_t r = 0; r < rounds; r++) {                   \
            tile *const at = data + r * 4 % TILES;               \
            _tile_loadd(4, at[0], 64);                           \
            _tile_loadd(6, at[2], 64);                           \
            product(0, 4, 6);                                    \
            _tile_loadd(7, at[3], 64);                           \
            product(1, 4, 7);                                    \
            _tile_loadd(5, at[1], 64);                           \
            product(2, 5, 6);                                    \
            product(3, 5, 7);                                    \
        }                                                        \
        _tile_release();                                         \
        return (double)rounds * 4 * 2 * 16 * 16 * (values);      \
    }

PEAK(bench_peak_bf16_amx, _tile_dpbf16ps, 32)
PEAK(bench_peak_i8_amx, _tile_dpbssd, 64)
