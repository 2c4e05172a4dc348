#include "kernels/reduce/reduce.h"

int sorak_reduce_f32_ref(const void *args, const sorak_env *env) {
    const sorak_reduce_args *a = args;
    int64_t wide = (a->inner + SORAK_REDUCE_COLS - 1) / SORAK_REDUCE_COLS;
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        int64_t col = unit % wide * SORAK_REDUCE_COLS, part = unit / wide;
        int64_t outer = part / a->chunks, chunk = part % a->chunks;
        int64_t begin = sorak_chunk_begin(a->n, a->chunks, chunk), end = sorak_chunk_begin(a->n, a->chunks, chunk + 1);
        for (int64_t c = col; c < sorak_min_i64(col + SORAK_REDUCE_COLS, a->inner); c++) {
            double sum = 0;
            for (int64_t i = begin; i < end; i++)
                sum += (double)a->x[(outer * a->n + i) * a->inner + c];
            a->y[part * a->inner + c] = (float)(sum * (double)a->scale);
        }
    }
    return 0;
}
