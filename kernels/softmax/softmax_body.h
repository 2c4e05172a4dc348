/* The vector form of softmax, for ISA. */
#include <math.h>

#include "kernels/simd.h"
#include "kernels/softmax/softmax.h"

static float highest(const float *x, int64_t n) {
    float lane[VW], top = -INFINITY;
    vf max = vset(-INFINITY);
    int64_t i = 0;
    for (; i + VW <= n; i += VW)
        max = vmax(vload(x + i), max);
    vstore(lane, max);
    for (int l = 0; l < VW; l++)
        top = lane[l] > top ? lane[l] : top;
    for (; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

int SORAK_NAME(softmax)(const void *args, const sorak_env *env) {
    const sorak_softmax_args *a = args;
    for (int64_t r = env->begin; r < env->end; r++) {
        const float *const x = a->x + r * a->cols;
        float *const y = a->y + r * a->cols;
        const float max = highest(x, a->cols);
        const float own = a->labels && a->labels[r] >= 0 ? x[a->labels[r]] : 0.0f; /* before y, which may be x, is written */
        vf sum = vset(0.0f);
        for (int64_t i = 0; i < a->cols; i += VW) {
            const int64_t n = a->cols - i;
            const vf e = vexp(vload_n(x + i, n) - vset(max));
            sum += n >= VW ? e : vpick(vfirst(n), e, vset(0.0f));
            vstore_n(y + i, e, n);
        }
        const float total = vsum(sum);
        const vf by = vset(1.0f / total);
        for (int64_t i = 0; i < a->cols; i += VW)
            vstore_n(y + i, vload_n(y + i, a->cols - i) * by, a->cols - i);
        if (a->labels)
            a->row_loss[r] = a->labels[r] < 0 ? 0.0f : (float)((double)max - (double)own + log((double)total));
    }
    return 0;
}

int SORAK_NAME(softmax_bwd)(const void *args, const sorak_env *env) {
    const sorak_softmax_bwd_args *a = args;
    for (int64_t r = env->begin; r < env->end; r++) {
        const float *const y = a->y + r * a->cols;
        float *const dx = a->dx + r * a->cols;
        if (a->labels) {
            const float g = a->labels[r] < 0 ? 0.0f : a->grad[0] * a->scale;
            for (int64_t i = 0; i < a->cols; i += VW)
                vstore_n(dx + i, vload_n(y + i, a->cols - i) * vset(g), a->cols - i);
            if (a->labels[r] >= 0)
                dx[a->labels[r]] = (y[a->labels[r]] - 1.0f) * g;
            continue;
        }
        const float *const dy = a->dy + r * a->cols;
        vf sum = vset(0.0f);
        for (int64_t i = 0; i < a->cols; i += VW)
            sum = vfma(vload_n(y + i, a->cols - i), vload_n(dy + i, a->cols - i), sum);
        const vf mean = vset(vsum(sum));
        for (int64_t i = 0; i < a->cols; i += VW)
            vstore_n(dx + i, vload_n(y + i, a->cols - i) * (vload_n(dy + i, a->cols - i) - mean), a->cols - i);
    }
    return 0;
}
