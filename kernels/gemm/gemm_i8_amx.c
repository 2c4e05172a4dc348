/* int8 on tiles: 32 x 32 sums in four tiles, 16 steps (64 values of k) at a time. */
#define GEMM_NAME(op) sorak_##op##_i8_amx
#define GEMM_PRODUCT_ONLY /* packing is that of AVX512-VNNI */
#define I8_ROWS 32
#define I8_UNSIGNED 0
#define I8_STREAM (4 << 20) /* what is larger than the second level cache would only push out what is multiplied */

#include "kernels/tiles.h"

#define I8_BEGIN                                             \
    const sorak_tile_config config = sorak_tiles_full();     \
    sorak_tiles_configure(&config);
#define I8_END _tile_release();

/* Whole tiles of rows, whatever lies behind the last one. Tiles 0..3: sums, 4 and 5: rows of a, 6 and 7: columns of b. */
static void block_sums(const uint8_t *a, int64_t a_row, const int8_t *b, int64_t width, int64_t steps, int64_t rows, const int32_t *begin,
                       int32_t *sums) {
    const int row = (int)a_row, step = (int)width * 4;
    (void)begin;
    sorak_tiles_fence();
    _tile_zero(0);
    if (rows > 16 && width > 16) {
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        for (int64_t s = 0; s < steps; s += 16, a += 64, b += 16 * step) {
            _tile_loadd(6, b, step);
            _tile_loadd(4, a, row);
            _tile_loadd(7, b + 64, step);
            _tile_dpbssd(0, 4, 6);
            _tile_loadd(5, a + 16 * a_row, row);
            _tile_dpbssd(1, 4, 7);
            _tile_dpbssd(2, 5, 6);
            _tile_dpbssd(3, 5, 7);
        }
        _tile_stored(0, sums, 128);
        _tile_stored(1, sums + 16, 128);
        _tile_stored(2, sums + 16 * 32, 128);
        _tile_stored(3, sums + 16 * 32 + 16, 128);
        sorak_tiles_fence();
        return;
    }
    for (int64_t i = 0; i < rows; i += 16)
        for (int64_t j = 0; j < width; j += 16) {
            _tile_zero(0);
            for (int64_t s = 0; s < steps; s += 16) {
                _tile_loadd(4, a + i * a_row + 4 * s, row);
                _tile_loadd(6, b + s * step + 4 * j, step);
                _tile_dpbssd(0, 4, 6);
            }
            _tile_stored(0, sums + i * 32 + j, 128);
        }
    sorak_tiles_fence();
}

#include "kernels/gemm/gemm_i8_body.h"
