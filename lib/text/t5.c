#include "lib/text/t5.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_LENGTH 4096

static int field(sora_error *err, const char *name) {
    return sorai_fail(err, SORA_E_FORMAT, "text encoder config: %s is out of range", name);
}

int sorai_t5_config_check(const sorai_t5_config *c, sora_error *err) {
    if (c->vocab_size < 1 || c->vocab_size > 1 << 24)
        return field(err, "vocab_size");
    if (c->d_model < 1 || c->d_model > 65536)
        return field(err, "d_model");
    if (c->d_kv < 1 || c->d_kv > 1024)
        return field(err, "d_kv");
    if (c->d_ff < 1 || c->d_ff > 1 << 18)
        return field(err, "d_ff");
    if (c->num_layers < 1 || c->num_layers > 1024)
        return field(err, "num_layers");
    if (c->num_heads < 1 || c->num_heads > 1024 || (int64_t)c->num_heads * c->d_kv > 65536)
        return field(err, "num_heads");
    if (c->relative_attention_num_buckets < 4 || c->relative_attention_num_buckets > 65536)
        return field(err, "relative_attention_num_buckets");
    if (c->relative_attention_max_distance <= c->relative_attention_num_buckets / 4 || c->relative_attention_max_distance > 1 << 24)
        return field(err, "relative_attention_max_distance");
    if (!(c->layer_norm_epsilon > 0.0 && c->layer_norm_epsilon < 1.0))
        return field(err, "layer_norm_epsilon");
    return SORA_OK;
}

typedef struct binder {
    sorai_store *store;
    sora_error *err;
    int status;
} binder;

static sorai_param *get(binder *b, const char *name, int64_t rows, int64_t cols, double deviation) {
    const int64_t shape[2] = {rows, cols};
    sorai_param *p = NULL;
    if (b->status != SORA_OK)
        return NULL;
    if (cols) /* a matrix; else a norm's weight */
        b->status = sorai_store_get(b->store, &p, name, 2, shape, SORAI_INIT_NORMAL, deviation, b->err);
    else
        b->status = sorai_store_get(b->store, &p, name, 1, shape, SORAI_INIT_ONE, 0.0, b->err);
    return b->status == SORA_OK ? p : NULL;
}

static void bind_layer(binder *b, const sorai_t5_config *c, sorai_t5_layer *l, int32_t i) {
    const int64_t d = c->d_model, inner = (int64_t)c->num_heads * c->d_kv, ff = c->d_ff;
    const double in = pow((double)d, -0.5);
    char n[128];
    int at = snprintf(n, sizeof n, "encoder.block.%d.layer.", i);
    if (at < 0)
        at = 0;
    const size_t room = sizeof n - (size_t)at;
    char *leaf = n + at;
#define T5_GET(field, text, rows, cols, deviation) (snprintf(leaf, room, "%s", text), l->field = get(b, n, rows, cols, deviation))
    T5_GET(norm1, "0.layer_norm.weight", d, 0, 0.0);
    /* No score scaling in this family: the queries are made small instead. */
    T5_GET(q, "0.SelfAttention.q.weight", inner, d, pow((double)d * c->d_kv, -0.5));
    T5_GET(k, "0.SelfAttention.k.weight", inner, d, in);
    T5_GET(v, "0.SelfAttention.v.weight", inner, d, in);
    T5_GET(o, "0.SelfAttention.o.weight", d, inner, pow((double)inner, -0.5));
    if (i == 0 || !c->shared_bias)
        T5_GET(bias, "0.SelfAttention.relative_attention_bias.weight", c->relative_attention_num_buckets, c->num_heads, in);
    T5_GET(norm2, "1.layer_norm.weight", d, 0, 0.0);
    T5_GET(gate, "1.DenseReluDense.wi_0.weight", ff, d, in);
    T5_GET(up, "1.DenseReluDense.wi_1.weight", ff, d, in);
    T5_GET(down, "1.DenseReluDense.wo.weight", d, ff, pow((double)ff, -0.5));
#undef T5_GET
}

int sorai_t5_bind(sorai_t5 *t5, sorai_store *store, const sorai_t5_config *config, sora_error *err) {
    memset(t5, 0, sizeof *t5);
    SORA_TRY(sorai_t5_config_check(config, err));
    t5->config = *config;
    t5->mem = store->mem;
    t5->layers = sorai_calloc(store->mem, (size_t)config->num_layers, sizeof *t5->layers);
    if (!t5->layers)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the list of layers");
    binder b = {store, err, SORA_OK};
    t5->embed = get(&b, "shared.weight", config->vocab_size, config->d_model, 1.0);
    if (b.status == SORA_E_NOTFOUND) { /* some files hold the tied matrix under its other name */
        sora_error first;
        first.struct_size = 0;
        b.err = &first;
        b.status = SORA_OK;
        t5->embed = get(&b, "encoder.embed_tokens.weight", config->vocab_size, config->d_model, 1.0);
        b.err = err;
        if (b.status != SORA_OK && b.status != SORA_E_NOTFOUND)
            sorai_fail(err, b.status, "%s", first.message);
    }
    for (int32_t i = 0; i < config->num_layers; i++)
        bind_layer(&b, config, &t5->layers[i], i);
    t5->norm_out = get(&b, "encoder.final_layer_norm.weight", config->d_model, 0, 0.0);
    if (b.status != SORA_OK)
        sorai_t5_release(t5);
    return b.status;
}

void sorai_t5_release(sorai_t5 *t5) {
    if (t5->layers)
        sorai_free(t5->mem, t5->layers);
    t5->layers = NULL;
}

int32_t sorai_t5_bucket(int64_t distance, int32_t buckets, int32_t max_distance) {
    const int32_t half = buckets / 2, exact = half / 2, base = distance > 0 ? half : 0;
    const int64_t d = distance < 0 ? -distance : distance;
    if (d < exact)
        return base + (int32_t)d;
    /* In f32 and in this order: at powers of two the reference's rounding decides the bucket. */
    const float ratio = logf((float)d / (float)exact) / (float)log((double)max_distance / exact) * (float)(half - exact);
    const int64_t far = exact + (int64_t)ratio;
    return base + (int32_t)(far < half - 1 ? far : half - 1);
}

/* [heads, l, l] from a table [buckets, heads]. */
static sora_tensor *position_bias(sorai_exec *x, sorai_param *table, const int32_t *buckets, int64_t l, int64_t heads) {
    const int64_t shape[3] = {l, l, heads};
    const int32_t axes[3] = {2, 0, 1};
    return sorai_permute(x, sorai_reshape(x, sorai_embed(x, table, buckets, l * l), 3, shape), axes);
}

static sora_tensor *layer_run(sorai_exec *x, const sorai_t5 *t5, const sorai_t5_layer *l, sora_tensor *h, sora_tensor *bias,
                              const int32_t *lengths) {
    const sorai_t5_config *c = &t5->config;
    const int64_t heads[4] = {h ? h->shape[0] : 0, h ? h->shape[1] : 0, c->num_heads, c->d_kv};
    const int64_t flat[3] = {heads[0], heads[1], (int64_t)c->num_heads * c->d_kv};
    sora_tensor *y = sorai_rmsnorm(x, h, l->norm1, c->layer_norm_epsilon);
    sora_tensor *q = sorai_reshape(x, sorai_linear(x, y, l->q, NULL, SORAI_ACT_NONE), 4, heads);
    sora_tensor *k = sorai_reshape(x, sorai_linear(x, y, l->k, NULL, SORAI_ACT_NONE), 4, heads);
    sora_tensor *v = sorai_reshape(x, sorai_linear(x, y, l->v, NULL, SORAI_ACT_NONE), 4, heads);
    y = sorai_reshape(x, sorai_attention_factor(x, q, k, v, 1.0, bias, lengths), 3, flat);
    h = sorai_add(x, h, sorai_linear(x, y, l->o, NULL, SORAI_ACT_NONE));
    y = sorai_rmsnorm(x, h, l->norm2, c->layer_norm_epsilon);
    y = sorai_mul(x, sorai_linear(x, y, l->gate, NULL, SORAI_ACT_GELU_TANH), sorai_linear(x, y, l->up, NULL, SORAI_ACT_NONE));
    return sorai_add(x, h, sorai_linear(x, y, l->down, NULL, SORAI_ACT_NONE));
}

sora_tensor *sorai_t5_forward(sorai_exec *x, const sorai_t5 *t5, const int32_t *ids, const int32_t *lengths, int64_t b, int64_t l) {
    const sorai_t5_config *c = &t5->config;
    if (x->status != SORA_OK)
        return NULL;
    if (!ids || b < 1 || l < 1 || l > MAX_LENGTH || b > INT64_MAX / l)
        return sorai_exec_fail(x, SORA_E_INVALID, "a text has 1 to %d tokens", MAX_LENGTH);
    for (int64_t i = 0; lengths && i < b; i++)
        if (lengths[i] < 1 || lengths[i] > l)
            return sorai_exec_fail(x, SORA_E_INVALID, "length %d of text %lld is out of range", (int)lengths[i], (long long)i);
    const sorai_exec_mark mark = sorai_exec_here(x);
    int32_t *buckets = sorai_arena_alloc(&x->meta, (size_t)(l * l) * sizeof *buckets);
    if (!buckets)
        return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for position biases");
    for (int64_t i = 0; i < l; i++) /* the first row; others are the same, moved */
        buckets[i] = sorai_t5_bucket(i, c->relative_attention_num_buckets, c->relative_attention_max_distance);
    for (int64_t q = 1; q < l; q++) {
        buckets[q * l] = sorai_t5_bucket(-q, c->relative_attention_num_buckets, c->relative_attention_max_distance);
        memcpy(buckets + q * l + 1, buckets + (q - 1) * l, (size_t)(l - 1) * sizeof *buckets);
    }
    const int64_t rows[3] = {b, l, c->d_model};
    sora_tensor *bias = c->shared_bias ? position_bias(x, t5->layers[0].bias, buckets, l, c->num_heads) : NULL;
    sora_tensor *h = sorai_reshape(x, sorai_embed(x, t5->embed, ids, b * l), 3, rows);
    const sorai_exec_mark inner = sorai_exec_here(x);
    for (int32_t i = 0; i < c->num_layers && h; i++) {
        sora_tensor *own = c->shared_bias ? bias : position_bias(x, t5->layers[i].bias, buckets, l, c->num_heads);
        h = sorai_exec_rewind_keep(x, inner, layer_run(x, t5, &t5->layers[i], h, own, lengths));
    }
    h = sorai_rmsnorm(x, h, t5->norm_out, c->layer_norm_epsilon);
    return x->status == SORA_OK ? sorai_exec_rewind_keep(x, mark, h) : NULL;
}

sora_tensor *sorai_t5_pad(sorai_exec *x, sora_tensor *hidden, const int32_t *lengths, int64_t rows) {
    if (!hidden || x->status != SORA_OK)
        return NULL;
    if (hidden->rank != 3 || rows < hidden->shape[1])
        return sorai_exec_fail(x, SORA_E_INVALID, "a text of %lld rows does not fit into %lld", (long long)hidden->shape[1],
                               (long long)rows);
    const int64_t b = hidden->shape[0], l = hidden->shape[1], d = hidden->shape[2];
    int cut = 0;
    for (int64_t i = 0; lengths && i < b; i++)
        cut |= lengths[i] < l;
    if (cut) {
        /* The mask is made per row and widened on the device; it stays as long as the result does, which a tape may look at. */
        const int64_t flags[3] = {b, l, 1};
        float *host = sorai_alloc(x->mem, (size_t)(b * l) * sizeof *host);
        if (!host)
            return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for a mask");
        for (int64_t i = 0; i < b * l; i++)
            host[i] = i % l < lengths[i / l] ? 1.0f : 0.0f;
        sora_tensor *mask = sorai_repeat(x, sorai_upload(x, SORA_DTYPE_F32, 3, flags, host), 2, d);
        sorai_free(x->mem, host);
        hidden = sorai_mul(x, hidden, mask);
    }
    if (rows == l || !hidden)
        return hidden;
    const int64_t rest[3] = {b, rows - l, d};
    sora_tensor *zeros = sorai_temp(x, 3, rest);
    if (zeros && x->device->zero(x->device, zeros->data, sorai_tensor_bytes(zeros)) != SORA_OK)
        return sorai_exec_fail(x, SORA_E_BACKEND, "the device could not clear memory");
    sora_tensor *parts[2] = {hidden, zeros};
    return sorai_concat(x, parts, 2, 1);
}
