#include "kernels/tiles.h"
#include "test/bench/kernels/ceiling.h"

#define TILES 1024 /* of 1 KiB: they lie in the second level cache, as the factors of real products do */

typedef uint8_t tile[1024];

/* Values of size 1 to 2 of either sign. Zeros, and pages that were never written, would be faster than any product: they take less power, and the clock of all goes by that. */
static void fill(tile *data) {
    uint32_t x = 1;
    for (int64_t i = 0; i < TILES; i++)
        for (int64_t j = 0; j < (int64_t)sizeof *data; j += 2) {
            x = x * 1664525u + 1013904223u;
            const uint32_t v = 0x3f80u ^ (x >> 16 & 0x807fu);
            data[i][j] = (uint8_t)v;
            data[i][j + 1] = (uint8_t)(v >> 8);
        }
}

#define PEAK(name, product, values)                              \
    double name(int64_t rounds) {                                \
        const sorak_tile_config config = sorak_tiles_full();     \
        static _Thread_local tile data[TILES];                   \
        fill(data);                                              \
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
