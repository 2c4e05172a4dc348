#include <math.h>
#include <string.h>

#include "kernels/embed/embed.h"
#include "lib/ops/ops.h"
#include "lib/ops/util.h"

static void embed_backward(sorai_exec *x, const sorai_node *node) {
    sorai_param *const table = node->param[0];
    sora_tensor *const grad = sorai_temp(x, 2, table->value->shape);
    if (!grad)
        return;
    sorak_embed_bwd_args a;
    memset(&a, 0, sizeof a);
    a.dout = node->out->grad->data;
    a.ids = node->in[0]->data;
    a.dtable = grad->data;
    a.rows = table->value->shape[0];
    a.cols = table->value->shape[1];
    a.count = node->in[0]->shape[0];
    sorai_run(x, SK_OP_embed_bwd, SK_DT_f32, &a, sorak_embed_bwd_units(&a));
    sorai_param_add_grad(x, table, grad);
}

sora_tensor *sorai_embed(sorai_exec *x, sorai_param *table, const int32_t *ids, int64_t count) {
    if (x->status != SORA_OK || !table)
        return NULL;
    const sora_tensor *const value = table->value;
    if (value->rank != 2 || count < 0 || (count > 0 && !ids))
        return sorai_exec_fail(x, SORA_E_INVALID, "embed: %s is not a table, or there are no indices", table->name);
    for (int64_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= value->shape[0])
            return sorai_exec_fail(x, SORA_E_INVALID, "embed: index %d is not in %s of %lld rows", ids[i], table->name,
                                   (long long)value->shape[0]);
    sorak_embed_args a;
    memset(&a, 0, sizeof a);
    a.dtype = sorai_stored_dt(value->dtype);
    a.scale = sorai_scale_of(value, 0, &a.scale_step);
    if (a.dtype < 0 || value->up)
        return sorai_exec_fail(x, SORA_E_UNSUPPORTED, "embed: %s has an element type that is not floating, or a LoRA", table->name);
    const int64_t shape[] = {count, value->shape[1]};
    sora_tensor *const index = sorai_upload(x, SORA_DTYPE_I32, 1, &count, ids), *const out = sorai_temp(x, 2, shape);
    if (x->status != SORA_OK)
        return NULL;
    a.table = value->data;
    a.ids = index->data;
    a.out = out->data;
    a.rows = value->shape[0];
    a.cols = value->shape[1];
    a.count = count;
    sorai_run(x, SK_OP_embed, SK_DT_f32, &a, sorak_embed_units(&a));
    if (x->tape && table->trainable) {
        sorai_node *const node = sorai_tape_record(x, embed_backward, out);
        if (!node)
            return NULL;
        node->in[0] = index;
        node->param[0] = table;
    }
    return x->status == SORA_OK ? out : NULL;
}

sora_tensor *sorai_timestep_embedding(sorai_exec *x, const float *t, int64_t count, int64_t dim) {
    if (x->status != SORA_OK)
        return NULL;
    if (!t || count < 1 || dim < 2 || dim > 65536 || count > (INT64_C(1) << 40) / dim)
        return sorai_exec_fail(x, SORA_E_INVALID, "timestep embedding: %lld values, %lld columns", (long long)count, (long long)dim);
    float *const values = sorai_calloc(x->mem, (size_t)count * (size_t)dim, sizeof *values);
    if (!values)
        return sorai_exec_fail(x, SORA_E_NOMEM, "timestep embedding: no memory");
    const int64_t half = dim / 2;
    for (int64_t i = 0; i < half; i++) {
        /* Each step is rounded to f32, as in the published models: at t = 999 the angle's rounding is what is seen. */
        const float exponent = (float)-log(10000.0) * (float)i / (float)half, frequency = (float)exp((double)exponent);
        for (int64_t r = 0; r < count; r++) {
            const float angle = t[r] * frequency;
            values[r * dim + i] = (float)cos((double)angle);
            values[r * dim + half + i] = (float)sin((double)angle);
        }
    }
    const int64_t shape[] = {count, dim};
    sora_tensor *const out = sorai_upload(x, SORA_DTYPE_F32, 2, shape, values);
    sorai_free(x->mem, values);
    return out;
}

/* The fewest groups that say the same: 1 when each sample has one time, `frames` when each frame has, else as given. */
static int64_t fewest_groups(const float *t, int64_t batch, int64_t groups, int64_t frames) {
    const int64_t candidates[2] = {1, frames};
    for (int i = 0; i < 2; i++) {
        const int64_t g = candidates[i];
        if (g >= groups || groups % g)
            continue;
        int same = 1;
        for (int64_t k = 0; same && k < batch * groups; k++) {
            const int64_t run = groups / g;
            same = t[k] == t[k / run * run];
        }
        if (same)
            return g;
    }
    return groups;
}

const float *sorai_fewest_timesteps(sorai_exec *x, const float *t, int64_t batch, int64_t *groups, int64_t frames) {
    const int64_t fewer = fewest_groups(t, batch, *groups, frames), run = *groups / fewer;
    if (run == 1)
        return t;
    float *const kept = sorai_arena_alloc(&x->meta, (size_t)(batch * fewer) * sizeof *kept);
    if (!kept)
        return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for timesteps");
    for (int64_t i = 0; i < batch * fewer; i++)
        kept[i] = t[i * run];
    *groups = fewer;
    return kept;
}
