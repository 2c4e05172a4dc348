#include "kernels/resample/resample.h"

#include "lib/ops/ops.h"
#include "lib/ops/util.h"

/* `small` gives the small grid's shape. */
static void run(sorai_exec *x, int kind, const sora_tensor *from, sora_tensor *to, const sora_tensor *small, const int32_t *f, double scale) {
    const sorak_resample_args args = {
        .kind = kind, .scale = (float)scale, .x = from->data, .y = to->data, .b = small->shape[0], .t = small->shape[1],
        .h = small->shape[2], .w = small->shape[3], .c = small->shape[4], .ft = f[0], .fh = f[1], .fw = f[2],
    };
    sorai_run(x, SK_OP_resample, SK_DT_f32, &args, sorak_resample_units(&args));
}

static void up_backward(sorai_exec *x, const sorai_node *node) {
    const int32_t f[3] = {(int32_t)node->i[0], (int32_t)node->i[1], (int32_t)node->i[2]};
    sora_tensor *in = node->in[0], *dx = sorai_temp_like(x, in);
    if (!dx)
        return;
    run(x, SORAK_RESAMPLE_POOL, node->out->grad, dx, in, f, 1.0);
    sorai_tape_add_grad(x, in, dx);
}

static void pool_backward(sorai_exec *x, const sorai_node *node) {
    const int32_t f[3] = {(int32_t)node->i[0], (int32_t)node->i[1], (int32_t)node->i[2]};
    sora_tensor *in = node->in[0], *dx = sorai_temp_like(x, in);
    if (!dx)
        return;
    run(x, SORAK_RESAMPLE_UP, node->out->grad, dx, node->out, f, 1.0 / ((double)f[0] * f[1] * f[2]));
    sorai_tape_add_grad(x, in, dx);
}

static int check(sorai_exec *x, const sora_tensor *in, const int32_t *f) {
    if (!sorai_ready(x, in))
        return 0;
    if (in->rank == 5 && f[0] > 0 && f[1] > 0 && f[2] > 0)
        return 1;
    sorai_exec_fail(x, SORA_E_INVALID, "resampling takes [b, t, h, w, c] and factors of 1 and more");
    return 0;
}

static sora_tensor *record(sorai_exec *x, sora_tensor *in, sora_tensor *out, sorai_backward_fn *backward, const int32_t *f) {
    sorai_node *node = x->tape && sorai_wants(in) ? sorai_tape_record(x, backward, out) : NULL;
    if (node) {
        node->in[0] = in;
        for (int i = 0; i < 3; i++)
            node->i[i] = f[i];
    }
    return out;
}

sora_tensor *sorai_upsample_nearest(sorai_exec *x, sora_tensor *in, int32_t ft, int32_t fh, int32_t fw) {
    const int32_t f[3] = {ft, fh, fw};
    if (!check(x, in, f))
        return NULL;
    int64_t shape[5] = {in->shape[0], 0, 0, 0, in->shape[4]};
    for (int i = 0; i < 3; i++)
        if (__builtin_mul_overflow(in->shape[i + 1], (int64_t)f[i], &shape[i + 1]))
            return sorai_exec_fail(x, SORA_E_LIMIT, "upsampling is too large");
    sora_tensor *out = sorai_temp(x, 5, shape);
    if (!out)
        return NULL;
    run(x, SORAK_RESAMPLE_UP, in, out, in, f, 1.0);
    return record(x, in, out, up_backward, f);
}

sora_tensor *sorai_avg_pool(sorai_exec *x, sora_tensor *in, int32_t ft, int32_t fh, int32_t fw) {
    const int32_t f[3] = {ft, fh, fw};
    if (!check(x, in, f))
        return NULL;
    int64_t shape[5] = {in->shape[0], 0, 0, 0, in->shape[4]};
    for (int i = 0; i < 3; i++) {
        if (in->shape[i + 1] % f[i])
            return sorai_exec_fail(x, SORA_E_INVALID, "pooling by %d does not divide %lld", (int)f[i], (long long)in->shape[i + 1]);
        shape[i + 1] = in->shape[i + 1] / f[i];
    }
    sora_tensor *out = sorai_temp(x, 5, shape);
    if (!out)
        return NULL;
    run(x, SORAK_RESAMPLE_POOL, in, out, out, f, 1.0 / ((double)ft * fh * fw));
    return record(x, in, out, pool_backward, f);
}
