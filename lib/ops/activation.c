#include "lib/ops/ops.h"
#include "lib/ops/util.h"

static void unary_backward(sorai_exec *x, const sorai_node *node) {
    sora_tensor *in = node->in[0], *dx = sorai_temp_like(x, in);
    if (!dx)
        return;
    const sorak_unary_args args = {
        .kind = (int32_t)node->i[0], .p0 = (float)node->f[0], .p1 = (float)node->f[1], .x = in->data,
        .n = sorai_tensor_count(in), .dy = node->out->grad->data, .dx = dx->data,
    };
    sorai_run(x, SK_OP_unary_bwd, SK_DT_f32, &args, sorak_unary_bwd_units(&args));
    sorai_tape_add_grad(x, in, dx);
}

static sora_tensor *unary(sorai_exec *x, sora_tensor *in, int kind, double p0, double p1) {
    if (!sorai_ready(x, in))
        return NULL;
    sora_tensor *out = sorai_temp_like(x, in);
    if (!out)
        return NULL;
    sorai_run_unary(x, kind, p0, p1, in->data, out->data, sorai_tensor_count(in));
    sorai_node *node = x->tape && sorai_wants(in) ? sorai_tape_record(x, unary_backward, out) : NULL;
    if (node) {
        node->in[0] = in;
        node->i[0] = kind;
        node->f[0] = p0;
        node->f[1] = p1;
    }
    return out;
}

sora_tensor *sorai_act(sorai_exec *x, sora_tensor *in, enum sorai_act act) {
    switch (act) {
    case SORAI_ACT_SILU: return unary(x, in, SORAK_UNARY_SILU, 0, 0);
    case SORAI_ACT_GELU_TANH: return unary(x, in, SORAK_UNARY_GELU_TANH, 0, 0);
    case SORAI_ACT_GELU: return unary(x, in, SORAK_UNARY_GELU, 0, 0);
    case SORAI_ACT_RELU: return unary(x, in, SORAK_UNARY_RELU, 0, 0);
    default: return sorai_ready(x, in) ? in : NULL;
    }
}

sora_tensor *sorai_clamp(sorai_exec *x, sora_tensor *in, double lo, double hi) {
    return unary(x, in, SORAK_UNARY_CLAMP, lo, hi);
}

sora_tensor *sorai_exp(sorai_exec *x, sora_tensor *in) {
    return unary(x, in, SORAK_UNARY_EXP, 0, 0);
}
