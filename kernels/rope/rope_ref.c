#include "kernels/rope/rope.h"

int sorak_rope_f32_ref(const void *args, const sorak_env *env) {
    const sorak_rope_args *a = args;
    if (a->d < 2 || a->d % 2)
        return -1;
    for (int64_t r = env->begin; r < env->end; r++)
        for (int64_t h = 0; h < a->heads; h++)
            for (int64_t i = 0; i < a->d; i += 2) {
                const float *const angle = a->table + r % a->length * a->d + i;
                const double c = (double)angle[0], s = a->inverse ? -(double)angle[1] : (double)angle[1];
                const int64_t at = (r * a->heads + h) * a->d + i;
                const double even = (double)a->x[at], odd = (double)a->x[at + 1];
                a->y[at] = (float)(even * c - odd * s);
                a->y[at + 1] = (float)(even * s + odd * c);
            }
    return 0;
}
