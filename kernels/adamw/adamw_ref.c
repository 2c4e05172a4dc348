#include <math.h>

#include "kernels/adamw/adamw.h"

int sorak_adamw_f32_ref(const void *args, const sorak_env *env) {
    const sorak_adamw_args *a = args;
    for (int64_t i = env->begin * SORAK_BLOCK; i < sorak_min_i64(env->end * SORAK_BLOCK, a->n); i++) {
        double g = a->grad_scale * (double)a->g[i];
        double m = a->beta1 * (double)a->m[i] + (1 - a->beta1) * g;
        double v = a->beta2 * (double)a->v[i] + (1 - a->beta2) * g * g;
        double p = (double)a->p[i] * (1 - a->lr * a->decay) - a->lr * (m / a->bias1) / (sqrt(v / a->bias2) + a->eps);
        a->m[i] = (float)m;
        a->v[i] = (float)v;
        a->p[i] = (float)p;
        if (a->ema)
            a->ema[i] = (float)(a->ema_decay * (double)a->ema[i] + (1 - a->ema_decay) * p);
    }
    return 0;
}

int sorak_sumsq_f32_ref(const void *args, const sorak_env *env) {
    const sorak_sumsq_args *a = args;
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        double sum = 0;
        for (int64_t i = unit * SORAK_BLOCK; i < sorak_min_i64((unit + 1) * SORAK_BLOCK, a->n); i++)
            sum += (double)a->x[i] * (double)a->x[i];
        a->partial[unit] = sum;
    }
    return 0;
}
