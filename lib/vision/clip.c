#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/vision/vision.h"

#define MAX_DIM 65536

static int field(sora_error *err, const char *name) {
    return sorai_fail(err, SORA_E_FORMAT, "image_encoder config: %s is out of range", name);
}

int sorai_vision_config_check(const sorai_vision_config *c, sora_error *err) {
    if (c->hidden_size < 1 || c->hidden_size > MAX_DIM) return field(err, "hidden_size");
    if (c->intermediate_size < 1 || c->intermediate_size > 4 * MAX_DIM) return field(err, "intermediate_size");
    if (c->num_hidden_layers < 1 || c->num_hidden_layers > 1024) return field(err, "num_hidden_layers");
    if (c->num_attention_heads < 1 || c->hidden_size % c->num_attention_heads ||
        c->hidden_size / c->num_attention_heads > 1024)
        return field(err, "num_attention_heads");
    if (c->num_channels != 3) return field(err, "num_channels");
    if (c->image_size < 1 || c->image_size > 4096) return field(err, "image_size");
    if (c->patch_size < 1 || c->patch_size > c->image_size) return field(err, "patch_size");
    if (!(c->layer_norm_eps > 0.0 && c->layer_norm_eps < 1.0)) return field(err, "layer_norm_eps");
    return SORA_OK;
}

int64_t sorai_vision_rows(const sorai_vision_config *config) {
    const int64_t side = config->image_size / config->patch_size;
    return side * side + 1;
}

/* ---- binding -------------------------------------------------------------------------------------------------- */

/* After the first failure the rest does nothing. */
typedef struct binder {
    sorai_store *store;
    sora_error *err;
    const char *front; /* "vision_model." or "" */
    int status;
} binder;

static sorai_param *get(binder *b, const char *path, const char *leaf, int32_t rank, const int64_t *shape,
                        enum sorai_init init, double scale) {
    char name[160];
    sorai_param *p = NULL;
    if (b->status != SORA_OK) return NULL;
    snprintf(name, sizeof name, "%s%s.%s", b->front, path, leaf);
    b->status = sorai_store_get(b->store, &p, name, rank, shape, init, scale, b->err);
    return b->status == SORA_OK ? p : NULL;
}

static sorai_vision_linear bind_linear(binder *b, const char *layer, const char *leaf, int64_t in, int64_t out) {
    char path[96];
    const int64_t shape[2] = {out, in};
    sorai_vision_linear l;
    snprintf(path, sizeof path, "%s.%s", layer, leaf);
    l.weight = get(b, path, "weight", 2, shape, SORAI_INIT_FAN_IN, 1.0);
    l.bias = get(b, path, "bias", 1, shape, SORAI_INIT_ZERO, 0.0);
    return l;
}

static sorai_vision_linear bind_norm(binder *b, const char *path, int64_t dim) {
    sorai_vision_linear n;
    n.weight = get(b, path, "weight", 1, &dim, SORAI_INIT_ONE, 0.0);
    n.bias = get(b, path, "bias", 1, &dim, SORAI_INIT_ZERO, 0.0);
    return n;
}

static void bind_layer(binder *b, sorai_vision_layer *layer, const sorai_vision_config *c, int32_t i) {
    char path[64], norm[80];
    const int64_t dim = c->hidden_size, wide = c->intermediate_size;
    snprintf(path, sizeof path, "encoder.layers.%d", i);
    snprintf(norm, sizeof norm, "%s.layer_norm1", path);
    layer->norm1 = bind_norm(b, norm, dim);
    snprintf(norm, sizeof norm, "%s.layer_norm2", path);
    layer->norm2 = bind_norm(b, norm, dim);
    layer->q = bind_linear(b, path, "self_attn.q_proj", dim, dim);
    layer->k = bind_linear(b, path, "self_attn.k_proj", dim, dim);
    layer->v = bind_linear(b, path, "self_attn.v_proj", dim, dim);
    layer->out = bind_linear(b, path, "self_attn.out_proj", dim, dim);
    layer->up = bind_linear(b, path, "mlp.fc1", dim, wide);
    layer->down = bind_linear(b, path, "mlp.fc2", wide, dim);
}

int sorai_vision_bind(sorai_vision *vision, sorai_store *store, const sorai_vision_config *config, sora_error *err) {
    memset(vision, 0, sizeof *vision);
    SORA_TRY(sorai_vision_config_check(config, err));
    vision->config = *config;
    vision->mem = store->mem;
    vision->layers = sorai_calloc(store->mem, (size_t)config->num_hidden_layers, sizeof *vision->layers);
    if (!vision->layers) return sorai_fail(err, SORA_E_NOMEM, "no memory for the list of layers");
    const int64_t dim = config->hidden_size, patch[4] = {dim, 3, config->patch_size, config->patch_size};
    const int64_t positions[2] = {sorai_vision_rows(config), dim};
    binder b = {store, err, "vision_model.", SORA_OK};
    /* Older checkpoints have a prefix, newer ones may not. */
    vision->class_embedding = get(&b, "embeddings", "class_embedding", 1, &dim, SORAI_INIT_NORMAL, 0.02);
    if (b.status == SORA_E_NOTFOUND) {
        b.front = "";
        b.status = SORA_OK;
        vision->class_embedding = get(&b, "embeddings", "class_embedding", 1, &dim, SORAI_INIT_NORMAL, 0.02);
    }
    vision->patch = get(&b, "embeddings.patch_embedding", "weight", 4, patch, SORAI_INIT_FAN_IN, 1.0);
    vision->positions = get(&b, "embeddings.position_embedding", "weight", 2, positions, SORAI_INIT_NORMAL, 0.02);
    vision->pre_norm = bind_norm(&b, "pre_layrnorm", dim); /* spelt so in the files */
    for (int32_t i = 0; i + 1 < config->num_hidden_layers; i++) bind_layer(&b, &vision->layers[i], config, i);
    if (b.status != SORA_OK) sorai_vision_release(vision);
    return b.status;
}

void sorai_vision_release(sorai_vision *vision) {
    if (vision->layers) sorai_free(vision->mem, vision->layers);
    vision->layers = NULL;
}

/* ---- the network ---------------------------------------------------------------------------------------------- */

static sora_tensor *linear(sorai_exec *x, const sorai_vision_linear *l, sora_tensor *in) {
    return sorai_linear(x, in, l->weight, l->bias, SORAI_ACT_NONE);
}

static sora_tensor *heads(sorai_exec *x, const sorai_vision_config *c, const sorai_vision_linear *l, sora_tensor *in) {
    sora_tensor *y = linear(x, l, in);
    if (!y) return NULL;
    const int64_t n = c->num_attention_heads, shape[4] = {y->shape[0], y->shape[1], n, c->hidden_size / n};
    return sorai_reshape(x, y, 4, shape);
}

static sora_tensor *activate(sorai_exec *x, enum sorai_vision_act act, sora_tensor *in) {
    switch (act) {
    case SORAI_VISION_QUICK_GELU: /* x sigmoid(1.702 x) */
        return sorai_axpby(x, 1.0 / 1.702, sorai_act(x, sorai_axpby(x, 1.702, in, 0.0, NULL), SORAI_ACT_SILU), 0.0,
                           NULL);
    case SORAI_VISION_GELU_TANH:
        return sorai_act(x, in, SORAI_ACT_GELU_TANH);
    case SORAI_VISION_GELU:
    default:
        return sorai_act(x, in, SORAI_ACT_GELU);
    }
}

static sora_tensor *layer_run(sorai_exec *x, const sorai_vision *v, const sorai_vision_layer *l, sora_tensor *h) {
    const sorai_vision_config *c = &v->config;
    const double eps = c->layer_norm_eps, scale = 1.0 / sqrt((double)(c->hidden_size / c->num_attention_heads));
    sora_tensor *y = sorai_layernorm(x, h, l->norm1.weight, l->norm1.bias, eps);
    sora_tensor *k = heads(x, c, &l->k, y), *value = heads(x, c, &l->v, y);
    y = sorai_attention(x, heads(x, c, &l->q, y), k, value, scale, NULL, NULL);
    if (!y) return NULL;
    const int64_t flat[3] = {y->shape[0], y->shape[1], c->hidden_size};
    h = sorai_add(x, h, linear(x, &l->out, sorai_reshape(x, y, 3, flat)));
    y = linear(x, &l->up, sorai_layernorm(x, h, l->norm2.weight, l->norm2.bias, eps));
    return sorai_add(x, h, linear(x, &l->down, activate(x, c->hidden_act, y)));
}

/* [b, c, s, s] -> [b, 1 + patches, dim]: patches do not overlap, so the convolution is a product; pixels that no
 * whole patch covers are left out, as a convolution leaves them. */
static sora_tensor *embed(sorai_exec *x, const sorai_vision *v, sora_tensor *pixels) {
    const sorai_vision_config *c = &v->config;
    const int64_t b = pixels->shape[0], p = c->patch_size, n = c->image_size / p, dim = c->hidden_size;
    const int64_t apart[6] = {b, 3, n, p, n, p}, joined[3] = {b, n * n, 3 * p * p}, one[3] = {1, 1, dim};
    const int32_t axes[6] = {0, 2, 4, 1, 3, 5};
    pixels = sorai_slice(x, sorai_slice(x, pixels, 2, 0, n * p), 3, 0, n * p);
    pixels = sorai_reshape(x, sorai_permute(x, sorai_reshape(x, pixels, 6, apart), axes), 3, joined);
    sora_tensor *whole = sorai_reshape(x, sorai_param_tensor(x, v->class_embedding), 3, one);
    sora_tensor *const parts[2] = {sorai_repeat(x, whole, 0, b),
                                   sorai_linear(x, pixels, v->patch, NULL, SORAI_ACT_NONE)};
    return sorai_add_broadcast(x, sorai_concat(x, parts, 2, 1), sorai_param_tensor(x, v->positions));
}

sora_tensor *sorai_vision_forward(sorai_exec *x, const sorai_vision *vision, sora_tensor *pixels) {
    const sorai_vision_config *c = &vision->config;
    if (!pixels || x->status != SORA_OK) return NULL;
    if (pixels->rank != 4 || pixels->shape[0] < 1 || pixels->shape[1] != 3 || pixels->shape[2] != c->image_size ||
        pixels->shape[3] != c->image_size)
        return sorai_exec_fail(x, SORA_E_INVALID, "pictures for this image encoder are [batch, 3, %d, %d]",
                               (int)c->image_size, (int)c->image_size);
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *h = embed(x, vision, pixels);
    h = sorai_layernorm(x, h, vision->pre_norm.weight, vision->pre_norm.bias, c->layer_norm_eps);
    h = sorai_exec_rewind_keep(x, mark, h);
    for (int32_t i = 0; i + 1 < c->num_hidden_layers && h; i++) {
        h = sorai_exec_rewind_keep(x, mark, layer_run(x, vision, &vision->layers[i], h));
    }
    return x->status == SORA_OK ? h : NULL;
}
