#include <math.h>
#include <stddef.h>

#include "kernels/muon/muon.h"

/* x, s and the factors lie in scratch as f32, sums are double. */
static float factor(double v, int bf16) {
    return bf16 ? sorak_bf16_to_f32(sorak_f32_to_bf16((float)v)) : (float)v;
}

static void newton_schulz(float *x, float *s, float *f, double *column, int64_t r, int64_t c, int bf16) {
    for (int64_t i = 0; i < r; i++)
        for (int64_t j = 0; j < r; j++) {
            double sum = 0;
            for (int64_t k = 0; k < c; k++)
                sum += (double)x[i * c + k] * (double)x[j * c + k];
            s[i * r + j] = (float)sum;
        }
    for (int64_t i = 0; i < r; i++)
        for (int64_t j = 0; j < r; j++) {
            double sum = i == j ? SORAK_MUON_A : 0;
            for (int64_t k = 0; k < r; k++)
                sum += (double)factor((double)s[i * r + k], bf16) *
                       (double)factor(SORAK_MUON_C * (double)s[k * r + j] + (k == j ? SORAK_MUON_B : 0), bf16);
            f[i * r + j] = factor(sum, bf16);
        }
    for (int64_t j = 0; j < c; j++) {
        for (int64_t i = 0; i < r; i++) {
            column[i] = 0;
            for (int64_t k = 0; k < r; k++)
                column[i] += (double)f[i * r + k] * (double)x[k * c + j];
        }
        for (int64_t i = 0; i < r; i++)
            x[i * c + j] = (float)column[i];
    }
}

static void matrix_step(const sorak_muon_args *a, const sorak_muon_matrix *w, float *x, int bf16) {
    const int tall = w->rows > w->cols;
    const int64_t r = tall ? w->cols : w->rows, c = tall ? w->rows : w->cols;
    float *const s = x + r * c, *const f = s + r * r;
    double *const column = (double *)(void *)((char *)x + SORAK_SCRATCH - (size_t)r * sizeof *column);
    double norm = 0;
    for (int64_t i = 0; i < r * c; i++) {
        const double g = (1 - a->momentum) * a->grad_scale * (double)w->g[i], m = a->momentum * (double)w->m[i] + g;
        const double u = a->nesterov ? a->momentum * m + g : m;
        w->m[i] = (float)m;
        x[tall ? i % r * c + i / r : i] = (float)u;
        norm += u * u;
    }
    norm = fmax(sqrt(norm), 1e-7);
    for (int64_t i = 0; i < r * c; i++)
        x[i] = factor((double)x[i] / norm, bf16);
    for (int32_t step = 0; step < a->steps; step++) {
        newton_schulz(x, s, f, column, r, c, bf16);
        for (int64_t i = 0; i < r * c && step + 1 < a->steps; i++)
            x[i] = factor((double)x[i], bf16);
    }
    const double size = a->match_rms ? 0.2 * sqrt((double)c) : sqrt(fmax(1, (double)w->rows / (double)w->cols));
    for (int64_t i = 0; i < r * c; i++) {
        const double p = (double)w->p[i] * (1 - a->lr * a->decay) - a->lr * size * (double)x[tall ? i % r * c + i / r : i];
        w->p[i] = (float)p;
        if (w->ema)
            w->ema[i] = (float)(a->ema_decay * (double)w->ema[i] + (1 - a->ema_decay) * p);
    }
}

int sorak_muon_f32_ref(const void *args, const sorak_env *env) {
    const sorak_muon_args *const a = args;
    for (int64_t u = env->begin; u < env->end; u++)
        matrix_step(a, &a->matrix[u], env->scratch, 0);
    return 0;
}

int sorak_muon_bf16_ref(const void *args, const sorak_env *env) {
    const sorak_muon_args *const a = args;
    for (int64_t u = env->begin; u < env->end; u++)
        matrix_step(a, &a->matrix[u], env->scratch, 1);
    return 0;
}
