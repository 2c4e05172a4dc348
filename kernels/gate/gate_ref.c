#include <string.h>

#include "kernels/gate/gate.h"

int sorak_gate_f32_ref(const void *args, const sorak_env *env) {
    const sorak_gate_args *a = args;
    int64_t per = sorak_unit_rows(a->cols);
    for (int64_t row = env->begin * per; row < sorak_min_i64(env->end * per, a->rows); row++) {
        const float *gate = a->gate + row / a->group_rows * a->cols;
        for (int64_t c = 0, i = row * a->cols; c < a->cols; c++, i++)
            a->out[i] = (float)((a->x ? (double)a->x[i] : 0.0) + (double)gate[c] * (double)a->y[i]);
    }
    return 0;
}

int sorak_gate_bwd_f32_ref(const void *args, const sorak_env *env) {
    const sorak_gate_args *a = args;
    if (a->cols > (int64_t)(SORAK_SCRATCH / sizeof(double)))
        return -1;
    int64_t chunks = sorak_chunks(a->group_rows, a->cols);
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        double *dgate = env->scratch;
        int64_t group = unit / chunks, chunk = unit % chunks, first = group * a->group_rows;
        const float *gate = a->gate + group * a->cols;
        memset(dgate, 0, (size_t)a->cols * sizeof(double));
        for (int64_t row = first + sorak_chunk_begin(a->group_rows, chunks, chunk);
             row < first + sorak_chunk_begin(a->group_rows, chunks, chunk + 1); row++) {
            for (int64_t c = 0, i = row * a->cols; c < a->cols; c++, i++) {
                dgate[c] += (double)a->dout[i] * (double)a->y[i];
                if (a->dy)
                    a->dy[i] = gate[c] * a->dout[i];
            }
        }
        for (int64_t c = 0; a->dgate && c < a->cols; c++)
            a->dgate[unit * a->cols + c] = (float)dgate[c];
    }
    return 0;
}
