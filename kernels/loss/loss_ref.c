#include <math.h>

#include "kernels/loss/loss.h"

static double sign(double v) {
    return v > 0 ? 1 : v < 0 ? -1 : 0;
}

/* (a[i+1] - a[i]) - (b[i+1] - b[i]) along the middle axis */
static double difference(const sorak_loss_args *a, int64_t i) {
    int64_t j = i + a->inner;
    return ((double)a->a[j] - (double)a->a[i]) - ((double)a->b[j] - (double)a->b[i]);
}

static double value(const sorak_loss_args *a, int64_t i) {
    double u = (double)a->a[i], v = (double)a->b[i], w = a->weight ? (double)a->weight[i / a->weight_run] : 1;
    switch (a->kind) {
    case SORAK_LOSS_MSE: return w * (u - v) * (u - v);
    case SORAK_LOSS_L1: return w * fabs(u - v);
    case SORAK_LOSS_DIFF: return i / a->inner % a->len + 1 < a->len ? fabs(difference(a, i)) : 0;
    default: return 0.5 * (u * u + exp(v) - 1 - v);
    }
}

static void gradient(const sorak_loss_args *a, int64_t i, double s) {
    double u = (double)a->a[i], v = (double)a->b[i], w = a->weight ? (double)a->weight[i / a->weight_run] : 1, g = 0;
    int64_t place;
    switch (a->kind) {
    case SORAK_LOSS_MSE: g = 2 * w * (u - v); break;
    case SORAK_LOSS_L1: g = w * sign(u - v); break;
    case SORAK_LOSS_DIFF:
        place = i / a->inner % a->len;
        g = (place > 0 ? sign(difference(a, i - a->inner)) : 0) - (place + 1 < a->len ? sign(difference(a, i)) : 0);
        break;
    default: g = u; a->db[i] = (float)(s * 0.5 * (exp(v) - 1)); break;
    }
    a->da[i] = (float)(s * g);
}

int sorak_loss_f32_ref(const void *args, const sorak_env *env) {
    const sorak_loss_args *a = args;
    if (a->kind < 0 || a->kind >= SORAK_LOSS_KINDS)
        return -1;
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        double sum = 0;
        if (a->mode == SORAK_LOSS_TOTAL) {
            for (int64_t i = 0; i < a->n; i++)
                sum += a->partial[i];
            *a->total = (float)(a->scale * sum);
            continue;
        }
        double s = a->mode == SORAK_LOSS_GRAD ? a->scale * (double)*a->dout : 0;
        for (int64_t i = unit * SORAK_BLOCK; i < sorak_min_i64((unit + 1) * SORAK_BLOCK, a->n); i++) {
            if (a->mode == SORAK_LOSS_GRAD)
                gradient(a, i, s);
            else
                sum += value(a, i);
        }
        if (a->mode == SORAK_LOSS_VALUE)
            a->partial[unit] = sum;
    }
    return 0;
}
