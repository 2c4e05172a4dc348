#include <math.h>

#include "kernels/unary/unary.h"

#define SQRT_2_PI 0.79788456080286535588 /* sqrt(2 / pi) */
#define INV_SQRT_2 0.70710678118654752440
#define INV_SQRT_2PI 0.39894228040143267794

static double value(const sorak_unary_args *a, int64_t i) {
    double x = a->kind == SORAK_UNARY_FILL ? 0 : (double)a->x[i], p0 = (double)a->p0, p1 = (double)a->p1;
    switch (a->kind) {
    case SORAK_UNARY_SILU: return x / (1 + exp(-x));
    case SORAK_UNARY_GELU_TANH: return 0.5 * x * (1 + tanh(SQRT_2_PI * (x + 0.044715 * x * x * x)));
    case SORAK_UNARY_GELU: return 0.5 * x * (1 + erf(x * INV_SQRT_2));
    case SORAK_UNARY_RELU: return x < 0 ? 0 : x;
    case SORAK_UNARY_EXP: return exp(x);
    case SORAK_UNARY_CLAMP: return x < p0 ? p0 : x > p1 ? p1 : x;
    case SORAK_UNARY_AFFINE: return p0 * x + p1;
    default: return p0;
    }
}

static double slope(const sorak_unary_args *a, int64_t i) {
    double x = a->kind == SORAK_UNARY_AFFINE || a->kind == SORAK_UNARY_FILL ? 0 : (double)a->x[i];
    switch (a->kind) {
    case SORAK_UNARY_SILU: {
        double s = 1 / (1 + exp(-x));
        return s * (1 + x * (1 - s));
    }
    case SORAK_UNARY_GELU_TANH: {
        double t = tanh(SQRT_2_PI * (x + 0.044715 * x * x * x));
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * SQRT_2_PI * (1 + 3 * 0.044715 * x * x);
    }
    case SORAK_UNARY_GELU: return 0.5 * (1 + erf(x * INV_SQRT_2)) + x * INV_SQRT_2PI * exp(-0.5 * x * x);
    case SORAK_UNARY_RELU: return x > 0 ? 1 : 0;
    case SORAK_UNARY_EXP: return exp(x);
    case SORAK_UNARY_CLAMP: return a->x[i] >= a->p0 && a->x[i] <= a->p1 ? 1 : 0;
    case SORAK_UNARY_AFFINE: return (double)a->p0;
    default: return 0;
    }
}

int sorak_unary_f32_ref(const void *args, const sorak_env *env) {
    const sorak_unary_args *a = args;
    if (a->kind < 0 || a->kind >= SORAK_UNARY_KINDS)
        return -1;
    for (int64_t i = env->begin * SORAK_BLOCK; i < sorak_min_i64(env->end * SORAK_BLOCK, a->n); i++)
        a->y[i] = (float)value(a, i);
    return 0;
}

int sorak_unary_bwd_f32_ref(const void *args, const sorak_env *env) {
    const sorak_unary_args *a = args;
    if (a->kind < 0 || a->kind >= SORAK_UNARY_KINDS)
        return -1;
    for (int64_t i = env->begin * SORAK_BLOCK; i < sorak_min_i64(env->end * SORAK_BLOCK, a->n); i++)
        a->dx[i] = (float)((double)a->dy[i] * slope(a, i));
    return 0;
}
