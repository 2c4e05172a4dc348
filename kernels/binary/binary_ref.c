#include "kernels/binary/binary.h"

int sorak_binary_f32_ref(const void *args, const sorak_env *env) {
    const sorak_binary_args *a = args;
    for (int64_t i = env->begin * SORAK_BLOCK; i < sorak_min_i64(env->end * SORAK_BLOCK, a->n); i++) {
        double u = (double)a->a[i], v = (double)a->b[i % a->nb];
        if (a->kind == SORAK_BINARY_MUL)
            a->y[i] = (float)((double)a->alpha * u * v);
        else
            a->y[i] = (float)((double)a->alpha * u + (double)a->beta * v);
    }
    return 0;
}
