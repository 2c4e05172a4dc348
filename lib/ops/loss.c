#include "kernels/loss/loss.h"

#include "lib/ops/ops.h"
#include "lib/ops/util.h"

static void loss_backward(sorai_exec *x, const sorai_node *node) {
    sora_tensor *a = node->in[0], *b = node->in[1];
    const int kl = node->i[0] == SORAK_LOSS_KL;
    sora_tensor *da = sorai_temp_like(x, a), *db = kl ? sorai_temp_like(x, b) : NULL;
    if (x->status != SORA_OK)
        return;
    const sorak_loss_args args = {
        .kind = (int32_t)node->i[0], .mode = SORAK_LOSS_GRAD, .a = a->data, .b = b->data,
        .weight = node->in[2] ? node->in[2]->data : NULL, .n = sorai_tensor_count(a), .weight_run = node->i[1], .len = node->i[2],
        .inner = node->i[3], .scale = node->f[0], .dout = node->out->grad->data, .da = da->data, .db = db ? db->data : NULL,
    };
    sorai_run(x, SK_OP_loss, SK_DT_f32, &args, sorak_loss_units(&args));
    sorai_tape_add_grad(x, a, da);
    sorai_tape_add_grad(x, b, db);
}

/* scale: 1 / number of terms */
static sora_tensor *loss(sorai_exec *x, int kind, sora_tensor *a, sora_tensor *b, sora_tensor *weight, int64_t len, int64_t inner,
                         double scale) {
    const int64_t n = sorai_tensor_count(a), one = 1;
    int64_t run = 1;
    if (weight) {
        const int64_t count = sorai_tensor_count(weight);
        if (count < 1 || n % count)
            return sorai_exec_fail(x, SORA_E_INVALID, "%lld loss weights do not divide %lld elements", (long long)count, (long long)n);
        run = n / count;
    }
    sora_tensor *out = sorai_temp(x, 1, &one);
    const int64_t units = sorak_blocks(n);
    double *partial = out ? sorai_temp_bytes(x, (size_t)units * sizeof *partial) : NULL;
    if (!partial)
        return NULL;
    sorak_loss_args args = {
        .kind = kind, .mode = SORAK_LOSS_VALUE, .a = a->data, .b = b->data, .weight = weight ? weight->data : NULL, .n = n,
        .weight_run = run, .len = len, .inner = inner, .scale = scale, .partial = partial, .total = out->data,
    };
    sorai_run(x, SK_OP_loss, SK_DT_f32, &args, units);
    args.mode = SORAK_LOSS_TOTAL;
    args.n = units;
    sorai_run(x, SK_OP_loss, SK_DT_f32, &args, 1);
    sorai_node *node = NULL;
    if (x->tape && (sorai_wants(a) || (kind == SORAK_LOSS_KL && sorai_wants(b))))
        node = sorai_tape_record(x, loss_backward, out);
    if (node) {
        node->in[0] = a;
        node->in[1] = b;
        node->in[2] = weight;
        node->i[0] = kind;
        node->i[1] = run;
        node->i[2] = len;
        node->i[3] = inner;
        node->f[0] = scale;
    }
    return out;
}

static int pair_ok(sorai_exec *x, const sora_tensor *a, const sora_tensor *b) {
    if (!sorai_ready(x, a) || !sorai_ready(x, b))
        return 0;
    if (sorai_same_shape(a, b) && sorai_tensor_count(a) > 0)
        return 1;
    sorai_exec_fail(x, SORA_E_INVALID, "a loss between tensors of different shapes, or of no elements");
    return 0;
}

sora_tensor *sorai_mse(sorai_exec *x, sora_tensor *a, sora_tensor *b, sora_tensor *weight) {
    return pair_ok(x, a, b) ? loss(x, SORAK_LOSS_MSE, a, b, weight, 1, 1, 1.0 / (double)sorai_tensor_count(a)) : NULL;
}

sora_tensor *sorai_l1(sorai_exec *x, sora_tensor *a, sora_tensor *b, sora_tensor *weight) {
    return pair_ok(x, a, b) ? loss(x, SORAK_LOSS_L1, a, b, weight, 1, 1, 1.0 / (double)sorai_tensor_count(a)) : NULL;
}

sora_tensor *sorai_difference_l1(sorai_exec *x, sora_tensor *a, sora_tensor *b, int32_t axis) {
    if (!pair_ok(x, a, b))
        return NULL;
    if (axis < 0 || axis >= a->rank || a->shape[axis] < 2)
        return sorai_exec_fail(x, SORA_E_INVALID, "differences need two places along axis %d", (int)axis);
    int64_t len = a->shape[axis], inner = 1;
    for (int32_t i = axis + 1; i < a->rank; i++)
        inner *= a->shape[i];
    const double terms = (double)(sorai_tensor_count(a) / len * (len - 1));
    return loss(x, SORAK_LOSS_DIFF, a, b, NULL, len, inner, 1.0 / terms);
}

sora_tensor *sorai_kl(sorai_exec *x, sora_tensor *mean, sora_tensor *logvar) {
    return pair_ok(x, mean, logvar) ? loss(x, SORAK_LOSS_KL, mean, logvar, NULL, 1, 1, 1.0 / (double)sorai_tensor_count(mean)) : NULL;
}
