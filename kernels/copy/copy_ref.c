#include "kernels/copy/copy.h"

int sorak_copy_f32_ref(const void *args, const sorak_env *env) {
    const sorak_copy_args *a = args;
    int64_t count = sorak_copy_count(a);
    for (int64_t i = env->begin * SORAK_BLOCK; i < sorak_min_i64(env->end * SORAK_BLOCK, count); i++) {
        int64_t from = 0, to = 0, rest = i;
        for (int32_t k = a->rank - 1; k >= 0; k--) {
            int64_t index = rest % a->shape[k];
            rest /= a->shape[k];
            from += index * a->src_stride[k];
            to += index * a->dst_stride[k];
        }
        a->dst[to] = a->src ? a->src[from] : 0.0f;
    }
    return 0;
}
