#include <string.h>

#include "kernels/embed/embed.h"
#include "kernels/stored.h"

int sorak_embed_f32_ref(const void *args, const sorak_env *env) {
    const sorak_embed_args *a = args;
    const int64_t values = sorak_stored_known(a->dtype) ? sorak_block_values(a->dtype) : 0;
    if (values < 1 || a->cols % values)
        return -1;
    for (int64_t i = env->begin; i < env->end; i++) {
        float *const out = a->out + i * a->cols;
        sorak_stored_f32(a->dtype, a->table, a->ids[i] * a->cols, a->cols, out);
        for (int64_t c = 0; a->scale && c < a->cols; c++)
            out[c] *= a->scale[a->ids[i] * a->scale_step];
    }
    return 0;
}

int sorak_embed_bwd_f32_ref(const void *args, const sorak_env *env) {
    const sorak_embed_bwd_args *a = args;
    for (int64_t u = env->begin; u < env->end; u++) {
        const int64_t c0 = u * SORAK_EMBED_COLS, c1 = c0 + SORAK_EMBED_COLS < a->cols ? c0 + SORAK_EMBED_COLS : a->cols;
        for (int64_t r = 0; r < a->rows; r++)
            memset(a->dtable + r * a->cols + c0, 0, (size_t)(c1 - c0) * sizeof(float));
        for (int64_t i = 0; i < a->count; i++)
            for (int64_t c = c0; c < c1; c++)
                a->dtable[a->ids[i] * a->cols + c] += a->dout[i * a->cols + c];
    }
    return 0;
}
