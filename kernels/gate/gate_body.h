/* The vector rows of gate and gate_bwd; see kernels/simd.h. */
#include <string.h>

#include "kernels/gate/gate.h"
#include "kernels/simd.h"

int SORAK_NAME(gate)(const void *args, const sorak_env *env) {
    const sorak_gate_args *a = args;
    const int64_t per = sorak_unit_rows(a->cols);
    for (int64_t row = env->begin * per; row < sorak_min_i64(env->end * per, a->rows); row++) {
        const float *gate = a->gate + row / a->group_rows * a->cols, *y = a->y + row * a->cols;
        const float *x = a->x ? a->x + row * a->cols : NULL;
        float *out = a->out + row * a->cols;
        for (int64_t c = 0; c < a->cols; c += VW) {
            const int64_t n = a->cols - c;
            const vf g = vload_n(gate + c, n), v = vload_n(y + c, n);
            if (x)
                vstore_n(out + c, vfma(g, v, vload_n(x + c, n)), n);
            else
                vstore_n(out + c, g * v, n);
        }
    }
    return 0;
}

int SORAK_NAME(gate_bwd)(const void *args, const sorak_env *env) {
    const sorak_gate_args *a = args;
    if (a->cols > (int64_t)(SORAK_SCRATCH / sizeof(float)))
        return -1;
    const int64_t chunks = sorak_chunks(a->group_rows, a->cols);
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        const int64_t group = unit / chunks, chunk = unit % chunks, first = group * a->group_rows;
        const int64_t end = first + sorak_chunk_begin(a->group_rows, chunks, chunk + 1);
        const float *gate = a->gate + group * a->cols;
        float *dgate = a->dgate ? a->dgate + unit * a->cols : env->scratch;
        memset(dgate, 0, (size_t)a->cols * sizeof *dgate);
        for (int64_t row = first + sorak_chunk_begin(a->group_rows, chunks, chunk); row < end; row++) {
            const float *y = a->y + row * a->cols, *dout = a->dout + row * a->cols;
            float *dy = a->dy ? a->dy + row * a->cols : NULL;
            for (int64_t c = 0; c < a->cols; c += VW) {
                const int64_t n = a->cols - c;
                const vf d = vload_n(dout + c, n);
                vstore_n(dgate + c, vfma(d, vload_n(y + c, n), vload_n(dgate + c, n)), n);
                if (dy)
                    vstore_n(dy + c, d * vload_n(gate + c, n), n);
            }
        }
    }
    return 0;
}
