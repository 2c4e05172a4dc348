#include "lib/ops/ops.h"
#include "lib/ops/util.h"

static sora_tensor *scaled(sorai_exec *x, const sora_tensor *like, double alpha, sora_tensor *g) {
    sora_tensor *out = sorai_temp_like(x, like);
    if (out)
        sorai_run_unary(x, SORAK_UNARY_AFFINE, alpha, 0, g->data, out->data, sorai_tensor_count(g));
    return out;
}

static void axpby_backward(sorai_exec *x, const sorai_node *node) {
    for (int i = 0; i < 2; i++) {
        sora_tensor *in = node->in[i], *g = node->out->grad;
        if (!sorai_wants(in))
            continue;
        if (node->f[i] != 1.0)
            g = scaled(x, in, node->f[i], g);
        sorai_tape_add_grad(x, in, g);
    }
}

sora_tensor *sorai_axpby(sorai_exec *x, double alpha, sora_tensor *a, double beta, sora_tensor *b) {
    if (!sorai_ready(x, a))
        return NULL;
    if (b && !sorai_same_shape(a, b))
        return sorai_exec_fail(x, SORA_E_INVALID, "a sum of tensors of different shapes");
    sora_tensor *out = sorai_temp_like(x, a);
    if (!out)
        return NULL;
    const int64_t n = sorai_tensor_count(a);
    if (b)
        sorai_run_axpby(x, out->data, alpha, a->data, beta, b->data, n, n);
    else
        sorai_run_unary(x, SORAK_UNARY_AFFINE, alpha, 0, a->data, out->data, n);
    sorai_node *node = x->tape && (sorai_wants(a) || sorai_wants(b)) ? sorai_tape_record(x, axpby_backward, out) : NULL;
    if (node) {
        node->in[0] = a;
        node->in[1] = b;
        node->f[0] = alpha;
        node->f[1] = beta;
    }
    return out;
}

sora_tensor *sorai_add(sorai_exec *x, sora_tensor *a, sora_tensor *b) {
    return sorai_ready(x, a) && sorai_ready(x, b) ? sorai_axpby(x, 1, a, 1, b) : NULL;
}

static sora_tensor *product(sorai_exec *x, const sora_tensor *a, const sora_tensor *b) {
    sora_tensor *out = sorai_temp_like(x, a);
    if (!out)
        return NULL;
    const int64_t n = sorai_tensor_count(a);
    const sorak_binary_args args = {SORAK_BINARY_MUL, 1.0f, 0.0f, a->data, b->data, out->data, n, n};
    sorai_run(x, SK_OP_binary, SK_DT_f32, &args, sorak_binary_units(&args));
    return out;
}

static void mul_backward(sorai_exec *x, const sorai_node *node) {
    for (int i = 0; i < 2; i++)
        if (sorai_wants(node->in[i]))
            sorai_tape_add_grad(x, node->in[i], product(x, node->in[1 - i], node->out->grad));
}

sora_tensor *sorai_mul(sorai_exec *x, sora_tensor *a, sora_tensor *b) {
    if (!sorai_ready(x, a) || !sorai_ready(x, b))
        return NULL;
    if (!sorai_same_shape(a, b))
        return sorai_exec_fail(x, SORA_E_INVALID, "a product of tensors of different shapes");
    sora_tensor *out = product(x, a, b);
    sorai_node *node = x->tape && (sorai_wants(a) || sorai_wants(b)) ? sorai_tape_record(x, mul_backward, out) : NULL;
    if (node) {
        node->in[0] = a;
        node->in[1] = b;
    }
    return out;
}

static void broadcast_backward(sorai_exec *x, const sorai_node *node) {
    sora_tensor *a = node->in[0], *b = node->in[1], *g = node->out->grad;
    sorai_tape_add_grad(x, a, g);
    if (!sorai_wants(b))
        return;
    const int64_t nb = sorai_tensor_count(b);
    sora_tensor *sum = sorai_sum_middle(x, g->data, 1, sorai_tensor_count(g) / nb, nb, 1.0);
    sorai_tape_add_grad(x, b, sum ? sorai_reshape(x, sum, b->rank, b->shape) : NULL);
}

sora_tensor *sorai_add_broadcast(sorai_exec *x, sora_tensor *a, sora_tensor *b) {
    if (!sorai_ready(x, a) || !sorai_ready(x, b))
        return NULL;
    int fits = b->rank <= a->rank;
    for (int32_t i = 0; fits && i < b->rank; i++)
        fits = b->shape[i] == a->shape[a->rank - b->rank + i] && b->shape[i] > 0;
    if (!fits)
        return sorai_exec_fail(x, SORA_E_INVALID, "broadcast: the second shape is not the end of the first");
    sora_tensor *out = sorai_temp_like(x, a);
    if (!out)
        return NULL;
    sorai_run_axpby(x, out->data, 1, a->data, 1, b->data, sorai_tensor_count(a), sorai_tensor_count(b));
    sorai_node *node = x->tape && (sorai_wants(a) || sorai_wants(b)) ? sorai_tape_record(x, broadcast_backward, out) : NULL;
    if (node) {
        node->in[0] = a;
        node->in[1] = b;
    }
    return out;
}

static void param_backward(sorai_exec *x, const sorai_node *node) {
    sorai_param_add_grad(x, node->param[0], node->out->grad);
}

sora_tensor *sorai_param_tensor(sorai_exec *x, sorai_param *p) {
    sora_tensor *out = sorai_param_value(x, p);
    sorai_node *node = out && x->tape && sorai_wants_param(p) ? sorai_tape_record(x, param_backward, out) : NULL;
    if (node)
        node->param[0] = p;
    return out;
}
