#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/ltx/ltx.h"

#define MAX_DIM  65536
#define QK_EPS   1e-5 /* of the norms of queries and keys: not the model's */
#define TIME_DIM 256  /* sinusoids of a timestep */

static int field(sora_error *err, const char *name) {
    return sorai_fail(err, SORA_E_FORMAT, "transformer config: %s is out of range", name);
}

int sorai_ltx_config_check(const sorai_ltx_config *c, sora_error *err) {
    if (c->patch_size < 1 || c->patch_size > 64) return field(err, "patch_size");
    if (c->patch_size_t < 1 || c->patch_size_t > 64) return field(err, "patch_size_t");
    const int32_t patch = c->patch_size * c->patch_size * c->patch_size_t;
    if (c->in_channels < 1 || c->in_channels > MAX_DIM || c->in_channels % patch) return field(err, "in_channels");
    if (c->out_channels < 1 || c->out_channels > MAX_DIM || c->out_channels % patch) return field(err, "out_channels");
    if (c->num_attention_heads < 1 || c->num_attention_heads > 1024) return field(err, "num_attention_heads");
    if (c->attention_head_dim < 1 || c->attention_head_dim > 1024) return field(err, "attention_head_dim");
    const int64_t dim = (int64_t)c->num_attention_heads * c->attention_head_dim;
    if (dim > MAX_DIM || dim < 6 || dim % 2) return field(err, "num_attention_heads times attention_head_dim");
    if (c->num_layers < 1 || c->num_layers > 1024) return field(err, "num_layers");
    if (c->caption_channels < 1 || c->caption_channels > MAX_DIM) return field(err, "caption_channels");
    if (!(c->norm_eps > 0.0 && c->norm_eps < 1.0)) return field(err, "norm_eps");
    return SORA_OK;
}

/* ---- binding -------------------------------------------------------------------------------------------------- */

/* After the first failure the rest does nothing. */
typedef struct binder {
    sorai_store *store;
    sora_error *err;
    int status;
} binder;

static sorai_param *get(binder *b, const char *path, const char *leaf, int32_t rank, const int64_t *shape,
                        enum sorai_init init, double scale) {
    char name[160];
    sorai_param *p = NULL;
    if (b->status != SORA_OK) return NULL;
    snprintf(name, sizeof name, "%s%s%s", path, path[0] ? "." : "", leaf);
    b->status = sorai_store_get(b->store, &p, name, rank, shape, init, scale, b->err);
    return b->status == SORA_OK ? p : NULL;
}

static sorai_ltx_linear bind_linear(binder *b, const char *path, const char *leaf, int64_t in, int64_t out, int bias,
                                    double gain) {
    char name[144];
    const int64_t shape[2] = {out, in};
    sorai_ltx_linear l;
    snprintf(name, sizeof name, "%s%s%s", path, path[0] ? "." : "", leaf);
    l.weight = get(b, name, "weight", 2, shape, gain > 0.0 ? SORAI_INIT_FAN_IN : SORAI_INIT_ZERO, gain);
    l.bias = bias ? get(b, name, "bias", 1, shape, SORAI_INIT_ZERO, 0.0) : NULL;
    return l;
}

static void bind_attention(binder *b, sorai_ltx_attention *a, const sorai_ltx_config *c, const char *path,
                           int64_t dim) {
    const double keep = sqrt(3.0);
    a->q = bind_linear(b, path, "to_q", dim, dim, c->attention_bias, keep);
    a->k = bind_linear(b, path, "to_k", dim, dim, c->attention_bias, keep);
    a->v = bind_linear(b, path, "to_v", dim, dim, c->attention_bias, keep);
    a->out = bind_linear(b, path, "to_out.0", dim, dim, c->attention_out_bias, 1.0);
    a->norm_q = get(b, path, "norm_q.weight", 1, &dim, SORAI_INIT_ONE, 0.0);
    a->norm_k = get(b, path, "norm_k.weight", 1, &dim, SORAI_INIT_ONE, 0.0);
}

static void bind_block(binder *b, sorai_ltx_block *block, const sorai_ltx_config *c, int32_t i, int64_t dim) {
    char path[64], name[80];
    const int64_t table[2] = {6, dim};
    snprintf(path, sizeof path, "transformer_blocks.%d", i);
    b->store->eight = 1;
    snprintf(name, sizeof name, "%s.attn1", path);
    bind_attention(b, &block->self, c, name, dim);
    snprintf(name, sizeof name, "%s.attn2", path);
    bind_attention(b, &block->cross, c, name, dim);
    if (c->norm_elementwise_affine) {
        block->norm1 = get(b, path, "norm1.weight", 1, &dim, SORAI_INIT_ONE, 0.0);
        block->norm2 = get(b, path, "norm2.weight", 1, &dim, SORAI_INIT_ONE, 0.0);
    }
    block->up = bind_linear(b, path, "ff.net.0.proj", dim, 4 * dim, 1, sqrt(3.0));
    block->down = bind_linear(b, path, "ff.net.2", 4 * dim, dim, 1, sqrt(3.0));
    b->store->eight = 0;
    block->table = get(b, path, "scale_shift_table", 2, table, SORAI_INIT_NORMAL, 1.0 / sqrt((double)dim));
}

int sorai_ltx_bind(sorai_ltx *ltx, sorai_store *store, const sorai_ltx_config *config, sora_error *err) {
    memset(ltx, 0, sizeof *ltx);
    SORA_TRY(sorai_ltx_config_check(config, err));
    ltx->config = *config;
    ltx->dim = config->num_attention_heads * config->attention_head_dim;
    ltx->mem = store->mem;
    ltx->blocks = sorai_calloc(store->mem, (size_t)config->num_layers, sizeof *ltx->blocks);
    if (!ltx->blocks) return sorai_fail(err, SORA_E_NOMEM, "no memory for the list of blocks");
    binder b = {store, err, SORA_OK};
    const int64_t dim = ltx->dim, table[2] = {2, dim};
    const double keep = sqrt(3.0);
    const char *embed = "time_embed.emb.timestep_embedder";
    ltx->proj_in = bind_linear(&b, "", "proj_in", config->in_channels, dim, 1, keep);
    ltx->time1 = bind_linear(&b, embed, "linear_1", TIME_DIM, dim, 1, keep);
    ltx->time2 = bind_linear(&b, embed, "linear_2", dim, dim, 1, keep);
    ltx->time_proj = bind_linear(&b, "time_embed", "linear", dim, 6 * dim, 1, 0.1);
    ltx->text1 = bind_linear(&b, "caption_projection", "linear_1", config->caption_channels, dim, 1, keep);
    ltx->text2 = bind_linear(&b, "caption_projection", "linear_2", dim, dim, 1, keep);
    for (int32_t i = 0; i < config->num_layers; i++) bind_block(&b, &ltx->blocks[i], config, i, dim);
    ltx->proj_out = bind_linear(&b, "", "proj_out", dim, config->out_channels, 1, 0.0);
    ltx->table = get(&b, "", "scale_shift_table", 2, table, SORAI_INIT_NORMAL, 1.0 / sqrt((double)dim));
    if (b.status != SORA_OK) sorai_ltx_release(ltx);
    return b.status;
}

void sorai_ltx_release(sorai_ltx *ltx) {
    if (ltx->blocks) sorai_free(ltx->mem, ltx->blocks);
    ltx->blocks = NULL;
}

/* ---- text ----------------------------------------------------------------------------------------------------- */

static sora_tensor *linear(sorai_exec *x, const sorai_ltx_linear *l, sora_tensor *in, enum sorai_act act) {
    return sorai_linear(x, in, l->weight, l->bias, act);
}

/* [b, n, dim] -> [b, n, count, dim / count] */
static sora_tensor *split(sorai_exec *x, sora_tensor *in, int64_t count) {
    if (!in) return NULL;
    const int64_t shape[4] = {in->shape[0], in->shape[1], count, in->shape[in->rank - 1] / count};
    return sorai_reshape(x, in, 4, shape);
}

static sora_tensor *flat(sorai_exec *x, const sorai_ltx *ltx, sora_tensor *in) {
    if (!in) return NULL;
    const int64_t shape[3] = {in->shape[0], in->shape[1], ltx->dim};
    return sorai_reshape(x, in, 3, shape);
}

sorai_ltx_prompt *sorai_ltx_prepare(sorai_exec *x, const sorai_ltx *ltx, sora_tensor *text, const int32_t *lengths) {
    const sorai_ltx_config *c = &ltx->config;
    if (!text || x->status != SORA_OK) return NULL;
    if (text->rank != 3 || text->shape[0] < 1 || text->shape[1] < 1 || text->shape[2] != c->caption_channels)
        return sorai_exec_fail(x, SORA_E_INVALID, "text for this transformer is [batch, rows, %d]",
                               (int)c->caption_channels);
    const int64_t b = text->shape[0], heads = c->num_attention_heads;
    for (int64_t i = 0; lengths && i < b; i++)
        if (lengths[i] < 1 || lengths[i] > text->shape[1])
            return sorai_exec_fail(x, SORA_E_INVALID, "the length of a text is not within its rows");
    sorai_ltx_prompt *prompt = sorai_arena_alloc(&x->meta, sizeof *prompt);
    int32_t *kept = sorai_arena_alloc(&x->meta, (size_t)b * sizeof *kept);
    if (!prompt || !kept ||
        !(prompt->layer = sorai_arena_alloc(&x->meta, (size_t)c->num_layers * sizeof *prompt->layer)))
        return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for a prompt");
    prompt->batch = b;
    prompt->layers = c->num_layers;
    prompt->lengths = lengths ? kept : NULL;
    if (lengths) memcpy(kept, lengths, (size_t)b * sizeof *kept);
    sora_tensor *h = linear(x, &ltx->text2, linear(x, &ltx->text1, text, SORAI_ACT_GELU_TANH), SORAI_ACT_NONE);
    for (int32_t n = 0; n < c->num_layers; n++) {
        const sorai_ltx_attention *a = &ltx->blocks[n].cross;
        sora_tensor *k = sorai_rmsnorm(x, linear(x, &a->k, h, SORAI_ACT_NONE), a->norm_k, QK_EPS);
        prompt->layer[n].k = split(x, k, heads);
        prompt->layer[n].v = split(x, linear(x, &a->v, h, SORAI_ACT_NONE), heads);
    }
    return x->status == SORA_OK ? prompt : NULL;
}

const sorai_ltx_prompt *sorai_ltx_prompt_sample(sorai_exec *x, const sorai_ltx_prompt *prompt, int64_t i) {
    const size_t layers = (size_t)prompt->layers;
    sorai_ltx_prompt *one = sorai_arena_alloc(&x->meta, sizeof *one);
    int32_t *length = sorai_arena_alloc(&x->meta, sizeof *length);
    if (!one || !length || !(one->layer = sorai_arena_alloc(&x->meta, layers * sizeof *one->layer)))
        return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for a prompt");
    one->batch = 1;
    one->layers = prompt->layers;
    one->lengths = prompt->lengths ? length : NULL;
    *length = prompt->lengths ? prompt->lengths[i] : 0;
    for (size_t n = 0; n < layers; n++) {
        one->layer[n].k = sorai_slice(x, prompt->layer[n].k, 0, i, i + 1);
        one->layer[n].v = sorai_slice(x, prompt->layer[n].v, 0, i, i + 1);
    }
    return x->status == SORA_OK ? one : NULL;
}

/* ---- positions ------------------------------------------------------------------------------------------------ */

/* Level i of F from 1 to 10000, times pi / 2. Arguments of the angles are large, so the reference's rounding shows:
 * each step here is a step there, in f32. */
static float frequency(int64_t i, int64_t count) {
    const float step = count > 1 ? 1.0f / (float)(count - 1) : 0.0f;
    const float level =
        i < count / 2 ? (float)((double)step * (double)i) : (float)(1.0 - (double)step * (double)(count - 1 - i));
    const float power = (float)pow(10000.0, (double)(count > 1 ? level : 0.0f));
    return power * 3.14159265358979323846f / 2.0f;
}

/* Tokens: those of keys, then the grid's. */
typedef struct layout {
    int64_t size[3], keys; /* keys: frames of patches in front */
} layout;

static int64_t tokens_of(const layout *g) { return (g->keys + g->size[0]) * g->size[1] * g->size[2]; }

/* Frame of patches i, which may be a key's, in time. Each step is rounded as in the reference. */
static float time_of(const sorai_ltx *ltx, const layout *g, const sorai_ltx_places *p, int64_t i) {
    const int64_t pt = ltx->config.patch_size_t, own = i - g->keys;
    if (!p) return (float)own;
    if (!p->first) return (float)own * (float)p->scale[0] * (float)pt / 20.0f;
    const int64_t time = (int64_t)(p->scale[0] * p->rate + 0.5), begin = own * pt * time + 1 - time;
    const int64_t at = own < 0 ? p->keys->at[i * pt] : begin > 0 ? begin : 0;
    return (float)at * (float)(1.0 / p->rate) / 20.0f;
}

static float place_of(const sorai_ltx *ltx, const layout *g, const sorai_ltx_places *p, int axis, int64_t i) {
    if (axis == 0) return time_of(ltx, g, p, i);
    return p ? (float)i * (float)p->scale[axis] * (float)ltx->config.patch_size / 2048.0f : (float)i;
}

/* Pairs of the whole width, all heads in a row: a rest that six does not divide stands in front and is not turned, then
 * the frequencies, each for t, h and w. */
static void fill_positions(float *table, float *axis, const sorai_ltx *ltx, const layout *g, const sorai_ltx_places *places) {
    const int64_t count = ltx->dim / 6, rest = ltx->dim % 6 / 2, tokens = tokens_of(g);
    const int64_t size[3] = {g->keys + g->size[0], g->size[1], g->size[2]}, step[3] = {size[1] * size[2], size[2], 1};
    for (int64_t n = 0; n < tokens; n++)
        for (int64_t i = 0; i < rest; i++) table[n * ltx->dim + 2 * i] = 1.0f;
    for (int a = 0; a < 3; a++) {
        for (int64_t at = 0; at < size[a]; at++) {
            const float place = place_of(ltx, g, places, a, at) * 2.0f - 1.0f;
            for (int64_t i = 0; i < count; i++) {
                const double angle = (double)(frequency(i, count) * place);
                axis[2 * (at * count + i)] = (float)cos(angle);
                axis[2 * (at * count + i) + 1] = (float)sin(angle);
            }
        }
        for (int64_t n = 0; n < tokens; n++) {
            const float *from = axis + 2 * (n / step[a] % size[a]) * count;
            float *row = table + n * ltx->dim + 2 * (rest + a);
            for (int64_t i = 0; i < count; i++) memcpy(row + 6 * i, from + 2 * i, 2 * sizeof *row);
        }
    }
}

static sora_tensor *positions(sorai_exec *x, const sorai_ltx *ltx, const layout *g, const sorai_ltx_places *places) {
    const int64_t tokens = tokens_of(g), shape[3] = {tokens, ltx->dim / 2, 2}, frames = g->keys + g->size[0];
    const int64_t side = g->size[1] > g->size[2] ? g->size[1] : g->size[2], longest = frames > side ? frames : side;
    size_t values;
    if (!sorai_mul_ok((size_t)tokens, (size_t)ltx->dim, &values))
        return sorai_exec_fail(x, SORA_E_NOMEM, "too many tokens");
    float *table = sorai_calloc(x->mem, values, sizeof *table);
    float *axis = sorai_calloc(x->mem, (size_t)longest, (size_t)ltx->dim * sizeof *axis);
    sora_tensor *t = NULL;
    if (table && axis) {
        fill_positions(table, axis, ltx, g, places);
        t = sorai_upload(x, SORA_DTYPE_F32, 3, shape, table);
    } else {
        sorai_exec_fail(x, SORA_E_NOMEM, "no memory for positions");
    }
    sorai_free(x->mem, table);
    sorai_free(x->mem, axis);
    return t;
}

/* ---- blocks --------------------------------------------------------------------------------------------------- */

typedef struct times {
    int64_t batch, groups;
    sora_tensor *temb; /* [b g, dim] */
    sora_tensor *mod;  /* [b g, 6 dim] */
} times;

static void embed_times(sorai_exec *x, const sorai_ltx *ltx, times *out, const float *timesteps, int64_t batch,
                        int64_t groups, int64_t frames) {
    const int32_t product = x->product;
    timesteps = sorai_fewest_timesteps(x, timesteps, batch, &groups, frames);
    out->batch = batch;
    out->groups = groups;
    out->temb = out->mod = NULL;
    if (!timesteps) return;
    x->product = SORA_DTYPE_F32; /* few rows, and everything depends on it */
    sora_tensor *t = sorai_timestep_embedding(x, timesteps, batch * groups, TIME_DIM);
    out->temb = linear(x, &ltx->time2, linear(x, &ltx->time1, t, SORAI_ACT_SILU), SORAI_ACT_NONE);
    x->product = product;
    out->mod = linear(x, &ltx->time_proj, sorai_act(x, out->temb, SORAI_ACT_SILU), SORAI_ACT_NONE);
}

/* Row i of a table plus part i of `per` [b g, n dim], or all of [b g, dim]: -> [b, g, dim]. */
static sora_tensor *part(sorai_exec *x, const sorai_ltx *ltx, const times *t, sorai_param *table, sora_tensor *per,
                         int64_t i) {
    if (!per) return NULL;
    const int64_t dim = ltx->dim, row[1] = {dim}, shape[3] = {t->batch, t->groups, dim};
    sora_tensor *tab = sorai_reshape(x, sorai_slice(x, sorai_param_tensor(x, table), 0, i, i + 1), 1, row);
    sora_tensor *own = per->shape[1] == dim ? per : sorai_slice(x, per, 1, i * dim, (i + 1) * dim);
    return sorai_reshape(x, sorai_add_broadcast(x, own, tab), 3, shape);
}

/* rms(in) (1 + scale) + shift, a group of rows at a time. */
static sora_tensor *modulate(sorai_exec *x, sora_tensor *in, sorai_param *gamma, double eps, sora_tensor *shift,
                             sora_tensor *scale) {
    sora_tensor *n = sorai_rmsnorm(x, in, gamma, eps);
    if (!n || !shift) return NULL;
    n = sorai_gate_add(x, n, n, scale);
    return sorai_add(x, n, sorai_repeat(x, shift, 1, in->shape[1] / shift->shape[1]));
}

static sora_tensor *self_attention(sorai_exec *x, const sorai_ltx *ltx, const sorai_ltx_attention *a, sora_tensor *in,
                                   sora_tensor *rope) {
    const int64_t heads = ltx->config.num_attention_heads;
    sora_tensor *q = sorai_rmsnorm(x, linear(x, &a->q, in, SORAI_ACT_NONE), a->norm_q, QK_EPS);
    sora_tensor *k = sorai_rmsnorm(x, linear(x, &a->k, in, SORAI_ACT_NONE), a->norm_k, QK_EPS);
    q = split(x, flat(x, ltx, sorai_rope(x, split(x, q, 1), rope)), heads);
    k = split(x, flat(x, ltx, sorai_rope(x, split(x, k, 1), rope)), heads);
    sora_tensor *v = split(x, linear(x, &a->v, in, SORAI_ACT_NONE), heads);
    const double scale = 1.0 / sqrt((double)ltx->config.attention_head_dim);
    return linear(x, &a->out, flat(x, ltx, sorai_attention(x, q, k, v, scale, NULL, NULL)), SORAI_ACT_NONE);
}

static sora_tensor *block_run(sorai_exec *x, const sorai_ltx *ltx, int32_t layer, sora_tensor *h, const times *t,
                              sora_tensor *rope, const sorai_ltx_prompt *prompt) {
    const sorai_ltx_block *b = &ltx->blocks[layer];
    const double eps = ltx->config.norm_eps, scale = 1.0 / sqrt((double)ltx->config.attention_head_dim);
    enum { SHIFT, SCALE, GATE, FF_SHIFT, FF_SCALE, FF_GATE, PARTS };
    sora_tensor *m[PARTS];
    for (int i = 0; i < PARTS; i++) m[i] = part(x, ltx, t, b->table, t->mod, i);
    sora_tensor *y = self_attention(x, ltx, &b->self, modulate(x, h, b->norm1, eps, m[SHIFT], m[SCALE]), rope);
    h = sorai_gate_add(x, h, y, m[GATE]);
    /* The text sees the stream as it is. */
    y = sorai_rmsnorm(x, linear(x, &b->cross.q, h, SORAI_ACT_NONE), b->cross.norm_q, QK_EPS);
    y = sorai_attention(x, split(x, y, ltx->config.num_attention_heads), prompt->layer[layer].k, prompt->layer[layer].v,
                        scale, NULL, prompt->lengths);
    h = sorai_add(x, h, linear(x, &b->cross.out, flat(x, ltx, y), SORAI_ACT_NONE));
    y = linear(x, &b->up, modulate(x, h, b->norm2, eps, m[FF_SHIFT], m[FF_SCALE]), SORAI_ACT_GELU_TANH);
    return sorai_gate_add(x, h, linear(x, &b->down, y, SORAI_ACT_NONE), m[FF_GATE]);
}

/* [b, t, h, w, c] -> [b, tokens, c pt p p], c slowest; and back. */
static sora_tensor *pack(sorai_exec *x, const sorai_ltx_config *c, sora_tensor *in, const int64_t *grid) {
    const int64_t b = in->shape[0], p = c->patch_size, pt = c->patch_size_t, ch = in->shape[4];
    const int64_t apart[7] = {b * grid[0], pt, grid[1], p, grid[2], p, ch},
                  joined[3] = {b, grid[0] * grid[1] * grid[2], ch * pt * p * p};
    const int32_t axes[7] = {0, 2, 4, 6, 1, 3, 5};
    return sorai_reshape(x, sorai_permute(x, sorai_reshape(x, in, 7, apart), axes), 3, joined);
}

static sora_tensor *unpack(sorai_exec *x, const sorai_ltx_config *c, sora_tensor *in, const int64_t *grid) {
    if (!in) return NULL;
    const int64_t b = in->shape[0], p = c->patch_size, pt = c->patch_size_t, ch = c->out_channels / (pt * p * p);
    const int64_t apart[7] = {b * grid[0], grid[1], grid[2], ch, pt, p, p};
    const int64_t joined[5] = {b, grid[0] * pt, grid[1] * p, grid[2] * p, ch};
    const int32_t axes[7] = {0, 4, 1, 5, 2, 6, 3};
    return sorai_reshape(x, sorai_permute(x, sorai_reshape(x, in, 7, apart), axes), 5, joined);
}

sora_tensor *sorai_ltx_told(sorai_exec *x, const sorai_ltx *ltx, float timestep) {
    times t;
    embed_times(x, ltx, &t, &timestep, 1, 1, 1);
    return t.mod;
}

/* All blocks, or what they added before. inner: where y lies, and what comes of it. */
static sora_tensor *blocks_run(sorai_exec *x, const sorai_ltx *ltx, sorai_exec_mark inner, sora_tensor *y, const times *time,
                               sora_tensor *rope, const sorai_ltx_prompt *prompt, const sorai_step_cache *cache) {
    y = sorai_step_cache_begin(x, cache, y);
    for (int32_t i = 0; i < ltx->config.num_layers && y && !(cache && cache->reuse); i++)
        y = sorai_exec_rewind_keep(x, inner, block_run(x, ltx, i, y, time, rope, prompt));
    sorai_step_cache_end(x, cache, y);
    return y;
}

/* Times of all tokens from those of the latent's own: a group for each frame of patches, or for each token; keys are at 0. */
static const float *times_with_keys(sorai_exec *x, const layout *g, const float *t, int64_t batch, int64_t *groups) {
    const int64_t frame = g->size[1] * g->size[2], tokens = g->size[0] * frame, all = g->keys * frame + tokens;
    float *const out = sorai_arena_alloc(&x->meta, (size_t)(batch * all) * sizeof *out);
    if (!out) return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for timesteps");
    for (int64_t i = 0; i < batch * all; i++) {
        const int64_t own = i % all - g->keys * frame;
        out[i] = own < 0 ? 0.0f : t[i / all * *groups + own * *groups / tokens];
    }
    *groups = all;
    return out;
}

/* The keys' tokens in front of each sample's. */
static sora_tensor *with_keys(sorai_exec *x, const sorai_ltx_config *c, sora_tensor *tokens, const layout *g, const sorai_ltx_keys *keys, int64_t batch) {
    const int64_t size[3] = {g->keys, g->size[1], g->size[2]};
    sora_tensor *given = sorai_repeat(x, pack(x, c, keys->latent, size), 0, batch);
    sora_tensor *const both[2] = {given, tokens};
    return sorai_concat(x, both, 2, 1);
}

sora_tensor *sorai_ltx_forward(sorai_exec *x, const sorai_ltx *ltx, sora_tensor *latent, const float *timesteps,
                               int64_t groups, const sorai_ltx_places *places, const sorai_ltx_prompt *prompt,
                               const sorai_step_cache *cache) {
    const sorai_ltx_config *c = &ltx->config;
    const sorai_ltx_keys *keys = places ? places->keys : NULL;
    const int64_t p = c->patch_size, pt = c->patch_size_t;
    if (!latent || !prompt || x->status != SORA_OK) return NULL;
    const int64_t *s = latent->shape;
    if (latent->rank != 5 || s[4] * pt * p * p != c->in_channels || s[1] < pt || s[1] % pt || s[2] < p || s[2] % p ||
        s[3] < p || s[3] % p)
        return sorai_exec_fail(x, SORA_E_INVALID, "latents for this transformer have %lld channels, in whole patches",
                               (long long)(c->in_channels / (pt * p * p)));
    if (keys && (keys->latent->rank != 5 || keys->latent->shape[1] % pt || memcmp(keys->latent->shape + 2, s + 2, 3 * sizeof *s) != 0))
        return sorai_exec_fail(x, SORA_E_INVALID, "latents that are given beside the video's must be of its size");
    const layout g = {{s[1] / pt, s[2] / p, s[3] / p}, keys ? keys->latent->shape[1] / pt : 0};
    const int64_t b = s[0], tokens = g.size[0] * g.size[1] * g.size[2], all = tokens_of(&g);
    if (b < 1 || b != prompt->batch)
        return sorai_exec_fail(x, SORA_E_INVALID, "latents and text are batches of different size");
    if (!timesteps || groups < 1 || tokens % groups)
        return sorai_exec_fail(x, SORA_E_INVALID, "timesteps are given per sample, per frame or per token");
    const sorai_exec_mark mark = sorai_exec_here(x);
    if (keys && !(timesteps = times_with_keys(x, &g, timesteps, b, &groups))) return NULL;
    times time;
    embed_times(x, ltx, &time, timesteps, b, groups, g.keys + g.size[0]);
    sora_tensor *rope = positions(x, ltx, &g, places);
    const sorai_exec_mark inner = sorai_exec_here(x);
    sora_tensor *y = pack(x, c, latent, g.size);
    y = linear(x, &ltx->proj_in, keys ? with_keys(x, c, y, &g, keys, b) : y, SORAI_ACT_NONE);
    y = sorai_exec_rewind_keep(x, inner, y);
    y = blocks_run(x, ltx, inner, y, &time, rope, prompt, cache);
    sora_tensor *shift = part(x, ltx, &time, ltx->table, time.temb, 0),
                *size = part(x, ltx, &time, ltx->table, time.temb, 1);
    y = linear(x, &ltx->proj_out, sorai_norm_modulate(x, y, shift, size, 1e-6), SORAI_ACT_NONE);
    y = unpack(x, c, sorai_slice(x, y, 1, all - tokens, all), g.size);
    return x->status == SORA_OK ? sorai_exec_rewind_keep(x, mark, y) : NULL;
}
