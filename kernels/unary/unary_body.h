/* The vector rows of unary and unary_bwd; see kernels/simd.h. */
#include "kernels/unary/activation.h"
#include "kernels/unary/unary.h"

#define INV_SQRT_2PI 0.398942280f

static inline vf f_relu(vf x, vf p0, vf p1) {
    (void)p0, (void)p1;
    return vmax(vset(0.0f), x);
}
static inline vf f_exp(vf x, vf p0, vf p1) {
    (void)p0, (void)p1;
    return vexp(x);
}
static inline vf f_clamp(vf x, vf p0, vf p1) { return vmin(p1, vmax(p0, x)); }
static inline vf f_affine(vf x, vf p0, vf p1) { return vfma(x, p0, p1); }

static inline vf d_silu(vf x, vf p0, vf p1) {
    (void)p0, (void)p1;
    const vf s = vsigmoid(x);
    return s * vfma(x, vset(1.0f) - s, vset(1.0f));
}
static inline vf d_gelu_tanh(vf x, vf p0, vf p1) {
    (void)p0, (void)p1;
    const vf c = vmin(vset(20.0f), vmax(vset(-20.0f), x)), c2 = c * c; /* flat outside; keeps the cube finite */
    const vf s = vsigmoid(c * vset(GELU_A) * vfma(c2, vset(GELU_B), vset(1.0f)));
    const vf du = vset(GELU_A) * vfma(c2, vset(3 * GELU_B), vset(1.0f));
    return vfma(c * s * (vset(1.0f) - s), du, s);
}
static inline vf d_gelu(vf x, vf p0, vf p1) {
    (void)p0, (void)p1;
    vf e;
    const vf cdf = vnormal_cdf(x, &e), c = vmin(vset(20.0f), vmax(vset(-20.0f), x));
    return vfma(c * vset(INV_SQRT_2PI), e, cdf);
}
static inline vf d_relu(vf x, vf p0, vf p1) {
    (void)p0, (void)p1;
    return vpick(vless(vset(0.0f), x), vset(1.0f), vset(0.0f));
}
static inline vf d_clamp(vf x, vf p0, vf p1) {
    return vpick(vless(x, p0), vset(0.0f), vpick(vless(p1, x), vset(0.0f), vset(1.0f)));
}

#define EACH(f)                                                          \
    for (; i + VW <= end; i += VW)                                       \
        vstore(a->y + i, f(vload(a->x + i), p0, p1));                    \
    if (i < end)                                                         \
        vstore_m(a->y + i, f(vload_m(a->x + i, rest), p0, p1), rest);    \
    break

int SORAK_NAME(unary)(const void *args, const sorak_env *env) {
    const sorak_unary_args *a = args;
    if (a->kind < 0 || a->kind >= SORAK_UNARY_KINDS)
        return -1;
    int64_t i = env->begin * SORAK_BLOCK, end = sorak_min_i64(env->end * SORAK_BLOCK, a->n);
    if (i >= end)
        return 0;
    const vf p0 = vset(a->p0), p1 = vset(a->p1);
    const vmask rest = vfirst((end - i) % VW);
    switch (a->kind) {
    case SORAK_UNARY_SILU: EACH(f_silu);
    case SORAK_UNARY_GELU_TANH: EACH(f_gelu_tanh);
    case SORAK_UNARY_GELU: EACH(f_gelu);
    case SORAK_UNARY_RELU: EACH(f_relu);
    case SORAK_UNARY_EXP: EACH(f_exp);
    case SORAK_UNARY_CLAMP: EACH(f_clamp);
    case SORAK_UNARY_AFFINE: EACH(f_affine);
    default:
        for (; i + VW <= end; i += VW)
            vstore(a->y + i, p0);
        if (i < end)
            vstore_m(a->y + i, p0, rest);
    }
    return 0;
}

#define EACH_BWD(d)                                                                                      \
    for (; i + VW <= end; i += VW)                                                                       \
        vstore(a->dx + i, vload(a->dy + i) * d(vload(a->x + i), p0, p1));                                \
    if (i < end)                                                                                         \
        vstore_m(a->dx + i, vload_m(a->dy + i, rest) * d(vload_m(a->x + i, rest), p0, p1), rest);        \
    break

int SORAK_NAME(unary_bwd)(const void *args, const sorak_env *env) {
    const sorak_unary_args *a = args;
    if (a->kind < 0 || a->kind >= SORAK_UNARY_AFFINE)
        return -1;
    int64_t i = env->begin * SORAK_BLOCK, end = sorak_min_i64(env->end * SORAK_BLOCK, a->n);
    if (i >= end)
        return 0;
    const vf p0 = vset(a->p0), p1 = vset(a->p1);
    const vmask rest = vfirst((end - i) % VW);
    switch (a->kind) {
    case SORAK_UNARY_SILU: EACH_BWD(d_silu);
    case SORAK_UNARY_GELU_TANH: EACH_BWD(d_gelu_tanh);
    case SORAK_UNARY_GELU: EACH_BWD(d_gelu);
    case SORAK_UNARY_RELU: EACH_BWD(d_relu);
    case SORAK_UNARY_EXP: EACH_BWD(f_exp);
    default: EACH_BWD(d_clamp);
    }
    return 0;
}
