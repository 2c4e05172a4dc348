#include <math.h>

#include "kernels/softmax/softmax.h"

int sorak_softmax_f32_ref(const void *args, const sorak_env *env) {
    const sorak_softmax_args *a = args;
    for (int64_t r = env->begin; r < env->end; r++) {
        const float *const x = a->x + r * a->cols;
        double max = -INFINITY, sum = 0;
        for (int64_t c = 0; c < a->cols; c++)
            max = (double)x[c] > max ? (double)x[c] : max;
        for (int64_t c = 0; c < a->cols; c++)
            sum += exp((double)x[c] - max);
        if (a->labels)
            a->row_loss[r] = a->labels[r] < 0 ? 0.0f : (float)(max + log(sum) - (double)x[a->labels[r]]);
        for (int64_t c = 0; c < a->cols; c++)
            a->y[r * a->cols + c] = (float)(exp((double)x[c] - max) / sum);
    }
    return 0;
}

int sorak_softmax_bwd_f32_ref(const void *args, const sorak_env *env) {
    const sorak_softmax_bwd_args *a = args;
    for (int64_t r = env->begin; r < env->end; r++) {
        const float *const y = a->y + r * a->cols;
        float *const dx = a->dx + r * a->cols;
        if (a->labels) {
            const double g = a->labels[r] < 0 ? 0.0 : (double)a->grad[0] * (double)a->scale;
            for (int64_t c = 0; c < a->cols; c++)
                dx[c] = (float)(((double)y[c] - (c == a->labels[r] ? 1.0 : 0.0)) * g);
        } else {
            const float *const dy = a->dy + r * a->cols;
            double sum = 0;
            for (int64_t c = 0; c < a->cols; c++)
                sum += (double)dy[c] * (double)y[c];
            for (int64_t c = 0; c < a->cols; c++)
                dx[c] = (float)((double)y[c] * ((double)dy[c] - sum));
        }
    }
    return 0;
}
