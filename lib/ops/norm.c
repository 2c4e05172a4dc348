#include "kernels/layernorm/layernorm.h"
#include "kernels/rmsnorm/rmsnorm.h"
#include "lib/ops/ops.h"
#include "lib/ops/util.h"

static int check_affine(sorai_exec *x, const sorai_param *p, int64_t cols) {
    if (p && sorai_tensor_count(p->value) != cols) {
        sorai_exec_fail(x, SORA_E_INVALID, "%s: a norm over %lld columns needs as many values", p->name, (long long)cols);
        return 0;
    }
    return 1;
}

/* ---- root mean square ------------------------------------------------------------------------------------------------- */

static void rms_backward(sorai_exec *x, const sorai_node *node) {
    const sora_tensor *in = node->in[0];
    sorai_param *gamma = node->param[0];
    sorak_rmsnorm_args args = {
        .x = in->data,
        .gamma = sorai_param_f32(x, gamma),
        .rows = node->i[0],
        .cols = node->i[1],
        .eps = (float)node->f[0],
        .l2 = (int32_t)node->i[2],
        .silu = (int32_t)node->i[3],
        .dy = node->out->grad->data,
    };
    const int64_t units = sorak_rmsnorm_bwd_units(&args), parts[2] = {units, args.cols};
    sora_tensor *dx = sorai_temp_like(x, in), *dgamma = NULL;
    if (sorai_wants_param(gamma))
        dgamma = sorai_temp(x, 2, parts);
    if (!dx || (sorai_wants_param(gamma) && !dgamma))
        return;
    args.dx = dx->data;
    args.dgamma = dgamma ? dgamma->data : NULL;
    sorai_run(x, SK_OP_rmsnorm_bwd, SK_DT_f32, &args, units);
    sorai_tape_add_grad(x, node->in[0], dx);
    if (dgamma)
        sorai_param_add_grad(x, gamma, sorai_sum_middle(x, dgamma->data, 1, units, args.cols, 1.0));
}

static sora_tensor *rms(sorai_exec *x, sora_tensor *in, sorai_param *gamma, double eps, int l2, int silu) {
    int64_t rows, cols;
    if (!sorai_ready(x, in) || !sorai_rows_cols(x, in, &rows, &cols) || !check_affine(x, gamma, cols))
        return NULL;
    sora_tensor *out = sorai_temp_like(x, in);
    if (!out)
        return NULL;
    const sorak_rmsnorm_args args = {
        .x = in->data, .gamma = sorai_param_f32(x, gamma), .y = out->data, .rows = rows, .cols = cols, .eps = (float)eps,
        .l2 = l2, .silu = silu,
    };
    sorai_run(x, SK_OP_rmsnorm, SK_DT_f32, &args, sorak_rmsnorm_units(&args));
    sorai_node *node = NULL;
    if (x->tape && (sorai_wants(in) || sorai_wants_param(gamma)))
        node = sorai_tape_record(x, rms_backward, out);
    if (node) {
        node->in[0] = in;
        node->param[0] = gamma;
        node->i[0] = rows;
        node->i[1] = cols;
        node->i[2] = l2;
        node->i[3] = silu;
        node->f[0] = eps;
    }
    return out;
}

sora_tensor *sorai_rmsnorm(sorai_exec *x, sora_tensor *in, sorai_param *gamma, double eps) {
    return rms(x, in, gamma, eps, 0, 0);
}

sora_tensor *sorai_channel_norm(sorai_exec *x, sora_tensor *in, sorai_param *gamma, enum sorai_act act) {
    if (act == SORAI_ACT_NONE || act == SORAI_ACT_SILU)
        return rms(x, in, gamma, 1e-12, 1, act == SORAI_ACT_SILU);
    return sorai_act(x, rms(x, in, gamma, 1e-12, 1, 0), act);
}

/* ---- layer norm -------------------------------------------------------------------------------------------------------- */

static void layer_backward(sorai_exec *x, const sorai_node *node) {
    const sora_tensor *in = node->in[0];
    sorai_param *gamma = node->param[0], *beta = node->param[1];
    sorak_layernorm_args args = {
        .x = in->data,
        .scale = sorai_param_f32(x, gamma),
        .rows = node->i[0],
        .cols = node->i[1],
        .group_rows = node->i[0],
        .eps = (float)node->f[0],
        .dy = node->out->grad->data,
    };
    if (args.rows == 0)
        return;
    const int64_t units = sorak_layernorm_bwd_units(&args), parts[2] = {units, args.cols};
    sora_tensor *dx = sorai_temp_like(x, in), *dgamma = NULL, *dbeta = NULL;
    if (sorai_wants_param(gamma))
        dgamma = sorai_temp(x, 2, parts);
    if (sorai_wants_param(beta))
        dbeta = sorai_temp(x, 2, parts);
    if (x->status != SORA_OK)
        return;
    args.dx = dx->data;
    args.dscale = dgamma ? dgamma->data : NULL;
    args.dshift = dbeta ? dbeta->data : NULL;
    sorai_run(x, SK_OP_layernorm_bwd, SK_DT_f32, &args, units);
    sorai_tape_add_grad(x, node->in[0], dx);
    if (dgamma)
        sorai_param_add_grad(x, gamma, sorai_sum_middle(x, dgamma->data, 1, units, args.cols, 1.0));
    if (dbeta)
        sorai_param_add_grad(x, beta, sorai_sum_middle(x, dbeta->data, 1, units, args.cols, 1.0));
}

static sora_tensor *layernorm(sorai_exec *x, sora_tensor *in, sorai_param *gamma, sorai_param *beta, double eps, int32_t dtype) {
    int64_t rows, cols;
    if (!sorai_ready(x, in) || !sorai_rows_cols(x, in, &rows, &cols) || !check_affine(x, gamma, cols) ||
        !check_affine(x, beta, cols))
        return NULL;
    sora_tensor *out = sorai_temp_typed(x, dtype, in->rank, in->shape);
    if (!out)
        return NULL;
    const sorak_layernorm_args args = {
        .y_bf16 = dtype == SORA_DTYPE_BF16, .x = in->data, .scale = sorai_param_f32(x, gamma), .shift = sorai_param_f32(x, beta), .y = out->data, .rows = rows,
        .cols = cols, .group_rows = rows > 0 ? rows : 1, .eps = (float)eps,
    };
    sorai_run(x, SK_OP_layernorm, SK_DT_f32, &args, sorak_layernorm_units(&args));
    sorai_node *node = NULL;
    if (x->tape && (sorai_wants(in) || sorai_wants_param(gamma) || sorai_wants_param(beta)))
        node = sorai_tape_record(x, layer_backward, out);
    if (node) {
        node->in[0] = in;
        node->param[0] = gamma;
        node->param[1] = beta;
        node->i[0] = rows;
        node->i[1] = cols;
        node->f[0] = eps;
    }
    return out;
}

sora_tensor *sorai_layernorm(sorai_exec *x, sora_tensor *in, sorai_param *gamma, sorai_param *beta, double eps) {
    return layernorm(x, in, gamma, beta, eps, SORA_DTYPE_F32);
}

sora_tensor *sorai_layernorm_factor(sorai_exec *x, sora_tensor *in, sorai_param *gamma, sorai_param *beta, double eps) {
    return layernorm(x, in, gamma, beta, eps, sorai_factor_dtype(x));
}
