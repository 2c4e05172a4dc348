/* The products in tiles of 16 x 16 sums. A panel of lanes is already what TDPBF16PS wants on its right side. */
#include "kernels/attention/pairs.h"
#include "kernels/tiles.h"

#define PAIR 1
#define LANE_VECS 4
#define BLOCK 256
#define IN_PLACE 0
#define TILED 1
#define NAME(x) x##_bf16
#define LANE_BYTES (LANE_VECS * VW * 4)

/* c = (or with `add` +=) a b for one or two tiles each way; depth in elements, a multiple of 16. */
static void tile_block(const float *a, int64_t a_stride, int two_rows, const float *b, int two_lanes, int64_t depth, float *c, int add) {
    const size_t a_bytes = (size_t)a_stride * sizeof *a;
    float *const low = c + VW * LANE_VECS * VW;
    sorak_tiles_fence();
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    if (add) {
        _tile_loadd(0, c, LANE_BYTES);
        if (two_lanes)
            _tile_loadd(1, c + VW, LANE_BYTES);
        if (two_rows)
            _tile_loadd(2, low, LANE_BYTES);
        if (two_rows && two_lanes)
            _tile_loadd(3, low + VW, LANE_BYTES);
    }
    for (int64_t k = 0; k < depth; k += VW) {
        const float *const right = b + k * LANE_VECS * VW;
        _tile_loadd(4, a + k, a_bytes);
        _tile_loadd(6, right, LANE_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        if (two_lanes) {
            _tile_loadd(7, right + VW, LANE_BYTES);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (two_rows) {
            _tile_loadd(5, a + VW * a_stride + k, a_bytes);
            _tile_dpbf16ps(2, 5, 6);
            if (two_lanes)
                _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, c, LANE_BYTES);
    if (two_lanes)
        _tile_stored(1, c + VW, LANE_BYTES);
    if (two_rows)
        _tile_stored(2, low, LANE_BYTES);
    if (two_rows && two_lanes)
        _tile_stored(3, low + VW, LANE_BYTES);
}

static void tile_scores(int vecs, const float *wide, int64_t wide_stride, int64_t rows, int64_t depth, const float *panel, float *c) {
    for (int64_t m = 0; m < rows; m += 2 * VW)
        for (int z = 0; z < vecs; z += 2)
            tile_block(wide + m * wide_stride, wide_stride, m + VW < rows, panel + z * VW, z + 1 < vecs, depth,
                       c + m * LANE_VECS * VW + z * VW, 0);
}

static void tile_accumulate(int vecs, const float *deep, int64_t deep_stride, int64_t columns, int64_t depth, float *elements, float *c,
                            const float *factor) {
    const int64_t whole = (depth + VW - 1) / VW * VW, lanes = LANE_VECS * VW;
    for (int64_t k = depth; k < whole; k++)
        for (int z = 0; z < vecs; z++)
            vstore(elements + k * lanes + z * VW, vset(0.0f));
    for (int z = 0; z < vecs; z++) {
        const vf f = vload(factor + z * VW);
        if (_mm512_cmp_ps_mask(f, vset(1.0f), _CMP_NEQ_UQ))
            for (int64_t m = 0; m < columns; m++)
                vstore(c + m * lanes + z * VW, vload(c + m * lanes + z * VW) * f);
    }
    for (int64_t m = 0; m < columns; m += 2 * VW)
        for (int z = 0; z < vecs; z += 2)
            tile_block(deep + m * deep_stride, deep_stride, m + VW < columns, elements + z * VW, z + 1 < vecs, whole,
                       c + m * lanes + z * VW, 1);
}

#define v_power(t) vexp2_rough(t)
#include "kernels/attention/attention_simd.h"

static int with_tiles(sorak_fn *fn, const void *args, const sorak_env *env) {
    if (env->begin == env->end)
        return fn(args, env);
    const sorak_tile_config config = sorak_tiles_full();
    sorak_tiles_configure(&config);
    const int status = fn(args, env);
    _tile_release();
    return status;
}

int sorak_attention_bf16_amx(const void *args, const sorak_env *env) { return with_tiles(forward_bf16, args, env); }
int sorak_attention_bwd_dq_bf16_amx(const void *args, const sorak_env *env) { return with_tiles(backward_dq_bf16, args, env); }
int sorak_attention_bwd_dkv_bf16_amx(const void *args, const sorak_env *env) { return with_tiles(backward_dkv_bf16, args, env); }
