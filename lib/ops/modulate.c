#include "kernels/gate/gate.h"
#include "kernels/layernorm/layernorm.h"
#include "lib/ops/ops.h"
#include "lib/ops/util.h"

/* Rows that share one row of m: x [b, l, c], m [b, g, c]. 0 and the error when they do not fit. */
static int64_t group_rows(sorai_exec *x, const sora_tensor *in, const sora_tensor *m) {
    if (in->rank == 3 && m->rank == 3 && in->shape[0] == m->shape[0] && in->shape[2] == m->shape[2] && m->shape[1] > 0 &&
        in->shape[1] > 0 && in->shape[2] > 0 && in->shape[1] % m->shape[1] == 0)
        return in->shape[1] / m->shape[1];
    sorai_exec_fail(x, SORA_E_INVALID, "modulation: the groups of rows do not divide the rows, or shapes differ");
    return 0;
}

/* Sums of chunks [groups, chunks, cols] -> gradient of m; one chunk a group is the gradient already. */
static void add_chunks(sorai_exec *x, sora_tensor *m, sora_tensor *parts, int64_t groups, int64_t chunks, int64_t cols) {
    if (!parts)
        return;
    sora_tensor *sum = chunks > 1 ? sorai_sum_middle(x, parts->data, groups, chunks, cols, 1.0) : parts;
    sorai_tape_add_grad(x, m, sum ? sorai_reshape(x, sum, m->rank, m->shape) : NULL);
}

static void modulate_backward(sorai_exec *x, const sorai_node *node) {
    sora_tensor *in = node->in[0], *shift = node->in[1], *scale = node->in[2];
    sorak_layernorm_args args = {
        .x = in->data,
        .scale = scale->data,
        .rows = in->shape[0] * in->shape[1],
        .cols = in->shape[2],
        .group_rows = node->i[0],
        .eps = (float)node->f[0],
        .plus = 1.0f,
        .dy = node->out->grad->data,
    };
    const int64_t groups = args.rows / args.group_rows, units = sorak_layernorm_bwd_units(&args), chunks = units / groups;
    const int64_t parts[2] = {units, args.cols};
    sora_tensor *dx = sorai_temp_like(x, in);
    sora_tensor *dscale = sorai_wants(scale) ? sorai_temp(x, 2, parts) : NULL;
    sora_tensor *dshift = sorai_wants(shift) ? sorai_temp(x, 2, parts) : NULL;
    if (x->status != SORA_OK)
        return;
    args.dx = dx->data;
    args.dscale = dscale ? dscale->data : NULL;
    args.dshift = dshift ? dshift->data : NULL;
    sorai_run(x, SK_OP_layernorm_bwd, SK_DT_f32, &args, units);
    sorai_tape_add_grad(x, in, dx);
    add_chunks(x, scale, dscale, groups, chunks, args.cols);
    add_chunks(x, shift, dshift, groups, chunks, args.cols);
}

static sora_tensor *norm_modulate(sorai_exec *x, sora_tensor *in, sora_tensor *shift, sora_tensor *scale, double eps, int32_t dtype) {
    if (!sorai_ready(x, in) || !sorai_ready(x, shift) || !sorai_ready(x, scale))
        return NULL;
    const int64_t rows = group_rows(x, in, shift);
    if (rows && !sorai_same_shape(shift, scale))
        return sorai_exec_fail(x, SORA_E_INVALID, "modulation: shift and scale differ in shape");
    sora_tensor *out = rows ? sorai_temp_typed(x, dtype, in->rank, in->shape) : NULL;
    if (!out)
        return NULL;
    const sorak_layernorm_args args = {
        .y_bf16 = dtype == SORA_DTYPE_BF16, .x = in->data, .scale = scale->data, .shift = shift->data, .y = out->data, .rows = in->shape[0] * in->shape[1],
        .cols = in->shape[2], .group_rows = rows, .eps = (float)eps, .plus = 1.0f,
    };
    sorai_run(x, SK_OP_layernorm, SK_DT_f32, &args, sorak_layernorm_units(&args));
    sorai_node *node = NULL;
    if (x->tape && (sorai_wants(in) || sorai_wants(shift) || sorai_wants(scale)))
        node = sorai_tape_record(x, modulate_backward, out);
    if (node) {
        node->in[0] = in;
        node->in[1] = shift;
        node->in[2] = scale;
        node->i[0] = rows;
        node->f[0] = eps;
    }
    return out;
}

sora_tensor *sorai_norm_modulate(sorai_exec *x, sora_tensor *in, sora_tensor *shift, sora_tensor *scale, double eps) {
    return norm_modulate(x, in, shift, scale, eps, SORA_DTYPE_F32);
}

sora_tensor *sorai_norm_modulate_factor(sorai_exec *x, sora_tensor *in, sora_tensor *shift, sora_tensor *scale, double eps) {
    return norm_modulate(x, in, shift, scale, eps, sorai_factor_dtype(x));
}

static void gate_backward(sorai_exec *x, const sorai_node *node) {
    sora_tensor *in = node->in[0], *y = node->in[1], *gate = node->in[2];
    sorak_gate_args args = {
        .y = y->data,
        .gate = gate->data,
        .rows = y->shape[0] * y->shape[1],
        .cols = y->shape[2],
        .group_rows = node->i[0],
        .dout = node->out->grad->data,
    };
    const int64_t groups = args.rows / args.group_rows, units = sorak_gate_bwd_units(&args);
    const int64_t parts[2] = {units, args.cols};
    sora_tensor *dy = sorai_wants(y) ? sorai_temp_like(x, y) : NULL;
    sora_tensor *dgate = sorai_wants(gate) ? sorai_temp(x, 2, parts) : NULL;
    if (x->status != SORA_OK)
        return;
    sorai_tape_add_grad(x, in, node->out->grad);
    if (!dy && !dgate)
        return;
    args.dy = dy ? dy->data : NULL;
    args.dgate = dgate ? dgate->data : NULL;
    sorai_run(x, SK_OP_gate_bwd, SK_DT_f32, &args, units);
    sorai_tape_add_grad(x, y, dy);
    add_chunks(x, gate, dgate, groups, units / groups, args.cols);
}

sora_tensor *sorai_gate_add(sorai_exec *x, sora_tensor *in, sora_tensor *y, sora_tensor *gate) {
    if (!sorai_ready(x, in) || !sorai_ready(x, y) || !sorai_ready(x, gate))
        return NULL;
    const int64_t rows = group_rows(x, in, gate);
    if (rows && !sorai_same_shape(in, y))
        return sorai_exec_fail(x, SORA_E_INVALID, "gated sum: the two sides differ in shape");
    sora_tensor *out = rows ? sorai_temp_like(x, in) : NULL;
    if (!out)
        return NULL;
    const sorak_gate_args args = {
        .x = in->data, .y = y->data, .gate = gate->data, .out = out->data, .rows = in->shape[0] * in->shape[1],
        .cols = in->shape[2], .group_rows = rows,
    };
    sorai_run(x, SK_OP_gate, SK_DT_f32, &args, sorak_gate_units(&args));
    sorai_node *node = NULL;
    if (x->tape && (sorai_wants(in) || sorai_wants(y) || sorai_wants(gate)))
        node = sorai_tape_record(x, gate_backward, out);
    if (node) {
        node->in[0] = in;
        node->in[1] = y;
        node->in[2] = gate;
        node->i[0] = rows;
    }
    return out;
}
