/* The vector rows of loss; see kernels/simd.h. Each unit is cut into stretches in which the weight is one number, or, for DIFF, in which
 * the neighbours on both sides exist or do not. */
#include "kernels/loss/loss.h"
#include "kernels/simd.h"

static inline vf sign(vf d) {
    return vpick(vless(vset(0.0f), d), vset(1.0f), vpick(vless(d, vset(0.0f)), vset(-1.0f), vset(0.0f)));
}

static inline vf difference(const sorak_loss_args *a, int64_t i, int64_t n) {
    const int64_t j = i + a->inner;
    return (vload_n(a->a + j, n) - vload_n(a->a + i, n)) - (vload_n(a->b + j, n) - vload_n(a->b + i, n));
}

/* sum over i .. end - 1; w: NULL, or a weight for each element */
static vf sum_pairs(const sorak_loss_args *a, int64_t i, int64_t end, const float *w) {
    vf sum = vset(0.0f);
    for (; i < end; i += VW) {
        const int64_t n = end - i;
        const vf d = vload_n(a->a + i, n) - vload_n(a->b + i, n);
        vf v = vabs(d);
        if (a->kind == SORAK_LOSS_MSE)
            v = d * d;
        if (w)
            sum = vfma(v, vload_n(w + i, n), sum);
        else
            sum = sum + v;
    }
    return sum;
}

static vf sum_kl(const sorak_loss_args *a, int64_t i, int64_t end) {
    vf sum = vset(0.0f);
    for (; i < end; i += VW) {
        const int64_t n = end - i;
        const vf m = vload_n(a->a + i, n), v = vload_n(a->b + i, n); /* lanes past the end: 0 + exp(0) - 1 - 0 = 0 */
        sum = vfma(vset(0.5f), vfma(m, m, (vexp(v) - vset(1.0f)) - v), sum);
    }
    return sum;
}

static vf sum_differences(const sorak_loss_args *a, int64_t i, int64_t end) {
    vf sum = vset(0.0f);
    for (; i < end; i += VW)
        sum = sum + vabs(difference(a, i, end - i));
    return sum;
}

static void grad_pairs(const sorak_loss_args *a, int64_t i, int64_t end, vf s, const float *w) {
    for (; i < end; i += VW) {
        const int64_t n = end - i;
        const vf d = vload_n(a->a + i, n) - vload_n(a->b + i, n);
        vf g = s * sign(d);
        if (a->kind == SORAK_LOSS_MSE)
            g = s * (d + d);
        if (w)
            g = g * vload_n(w + i, n);
        vstore_n(a->da + i, g, n);
    }
}

static void grad_kl(const sorak_loss_args *a, int64_t i, int64_t end, vf s) {
    for (; i < end; i += VW) {
        const int64_t n = end - i;
        vstore_n(a->da + i, s * vload_n(a->a + i, n), n);
        vstore_n(a->db + i, s * vset(0.5f) * (vexp(vload_n(a->b + i, n)) - vset(1.0f)), n);
    }
}

static void grad_differences(const sorak_loss_args *a, int64_t i, int64_t end, vf s, int before, int after) {
    for (; i < end; i += VW) {
        const int64_t n = end - i;
        vf g = vset(0.0f);
        if (before)
            g = sign(difference(a, i - a->inner, n));
        if (after)
            g = g - sign(difference(a, i, n));
        vstore_n(a->da + i, s * g, n);
    }
}

/* DIFF: walks over i .. end - 1; in a slab of len * inner, the first `inner` elements have no neighbour before, the last none after. */
static double differences(const sorak_loss_args *a, int64_t i, int64_t end, vf s) {
    const int64_t slab = a->len * a->inner;
    double sum = 0;
    while (i < end) {
        const int64_t at = i % slab;
        const int before = at >= a->inner, after = at < slab - a->inner;
        const int64_t stop = !before ? a->inner : after ? slab - a->inner : slab, to = sorak_min_i64(end, i - at + stop);
        if (a->mode == SORAK_LOSS_GRAD)
            grad_differences(a, i, to, s, before, after);
        else if (after)
            sum += vsum_f64(sum_differences(a, i, to));
        i = to;
    }
    return sum;
}

static double pairs(const sorak_loss_args *a, int64_t i, int64_t end, vf s) {
    const float *each = a->weight && a->weight_run == 1 ? a->weight : NULL;
    const int stretches = a->weight && !each;
    double sum = 0;
    while (i < end) {
        const int64_t to = stretches ? sorak_min_i64(end, (i / a->weight_run + 1) * a->weight_run) : end;
        const float w = stretches ? a->weight[i / a->weight_run] : 1.0f;
        if (a->mode == SORAK_LOSS_GRAD)
            grad_pairs(a, i, to, s * vset(w), each);
        else
            sum += (double)w * vsum_f64(sum_pairs(a, i, to, each));
        i = to;
    }
    return sum;
}

int SORAK_NAME(loss)(const void *args, const sorak_env *env) {
    const sorak_loss_args *a = args;
    if (a->kind < 0 || a->kind >= SORAK_LOSS_KINDS || a->mode == SORAK_LOSS_TOTAL)
        return -1;
    const vf s = vset(a->mode == SORAK_LOSS_GRAD && env->begin < env->end ? (float)(a->scale * (double)*a->dout) : 0.0f);
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        const int64_t i = unit * SORAK_BLOCK, end = sorak_min_i64(i + SORAK_BLOCK, a->n);
        double sum = 0;
        if (a->kind == SORAK_LOSS_DIFF)
            sum = differences(a, i, end, s);
        else if (a->kind != SORAK_LOSS_KL)
            sum = pairs(a, i, end, s);
        else if (a->mode == SORAK_LOSS_GRAD)
            grad_kl(a, i, end, s);
        else
            sum = vsum_f64(sum_kl(a, i, end));
        if (a->mode == SORAK_LOSS_VALUE)
            a->partial[unit] = sum;
    }
    return 0;
}
