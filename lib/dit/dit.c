#include "lib/dit/dit.h"

#include <math.h>
#include <string.h>

static sora_tensor *linear(sorai_exec *x, const sorai_dit_linear *l, sora_tensor *in, enum sorai_act act) {
    return sorai_linear(x, in, l->weight, l->bias, act);
}

/* [b, n, dim] -> [b, n, heads, head dim] */
static sora_tensor *heads(sorai_exec *x, const sorai_dit *dit, sora_tensor *in) {
    if (!in)
        return NULL;
    const int64_t shape[4] = {in->shape[0], in->shape[1], dit->config.num_attention_heads, dit->config.attention_head_dim};
    return sorai_reshape(x, in, 4, shape);
}

static sora_tensor *flat(sorai_exec *x, const sorai_dit *dit, sora_tensor *in) {
    if (!in)
        return NULL;
    const int64_t shape[3] = {in->shape[0], in->shape[1], dit->dim};
    return sorai_reshape(x, in, 3, shape);
}

/* Queries and keys are normalised over all heads together, then split. */
static sora_tensor *normed(sorai_exec *x, const sorai_dit *dit, const sorai_dit_linear *l, sorai_param *norm, sora_tensor *in) {
    return heads(x, dit, sorai_rmsnorm(x, linear(x, l, in, SORAI_ACT_NONE), norm, dit->config.eps));
}

sorai_dit_prompt *sorai_dit_prepare(sorai_exec *x, const sorai_dit *dit, sora_tensor *text, sora_tensor *image) {
    const sorai_dit_config *c = &dit->config;
    if (!text || x->status != SORA_OK)
        return NULL;
    if (text->rank != 3 || text->shape[0] < 1 || text->shape[1] < 1 || text->shape[2] != c->text_dim)
        return sorai_exec_fail(x, SORA_E_INVALID, "text for this transformer is [batch, rows, %d]", (int)c->text_dim);
    if (image && (!c->image_dim || !c->added_kv_proj_dim))
        return sorai_exec_fail(x, SORA_E_INVALID, "this transformer takes no image embeddings");
    if (image && (image->rank != 3 || image->shape[0] != text->shape[0] || image->shape[1] < 1 || image->shape[2] != c->image_dim ||
                  (c->pos_embed_seq_len && image->shape[1] != c->pos_embed_seq_len)))
        return sorai_exec_fail(x, SORA_E_INVALID, "image embeddings for this transformer are [batch, %s, %d]",
                               c->pos_embed_seq_len ? "the rows of its positions" : "rows", (int)c->image_dim);
    sorai_dit_prompt *prompt = sorai_arena_alloc(&x->meta, sizeof *prompt);
    const int32_t layers = c->num_layers + c->vace_count;
    const size_t bytes = (size_t)layers * sizeof *prompt->layer;
    if (!prompt || !(prompt->layer = sorai_arena_alloc(&x->meta, bytes)))
        return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for a prompt");
    memset(prompt->layer, 0, bytes);
    prompt->batch = text->shape[0];
    prompt->layers = layers;
    prompt->from = 0;
    prompt->next = NULL;

    sora_tensor *h = linear(x, &dit->text2, sorai_linear_factor(x, text, dit->text1.weight, dit->text1.bias, SORAI_ACT_GELU_TANH), SORAI_ACT_NONE);
    sora_tensor *i = image;
    if (i) {
        if (dit->image.pos_embed) {
            const int64_t rows[2] = {c->pos_embed_seq_len, c->image_dim}; /* the same for every sample */
            i = sorai_add_broadcast(x, i, sorai_reshape(x, sorai_param_tensor(x, dit->image.pos_embed), 2, rows));
        }
        /* These two norms have torch's default eps, not the model's; the activation is the exact GELU. */
        i = sorai_layernorm(x, i, dit->image.norm1_weight, dit->image.norm1_bias, 1e-5);
        i = linear(x, &dit->image.down, linear(x, &dit->image.up, i, SORAI_ACT_GELU), SORAI_ACT_NONE);
        i = sorai_layernorm(x, i, dit->image.norm2_weight, dit->image.norm2_bias, 1e-5);
    }
    for (int32_t n = 0; n < layers && x->status == SORA_OK; n++) {
        const sorai_dit_attention *a = n < c->num_layers ? &dit->blocks[n].cross : &dit->controls[n - c->num_layers].block.cross;
        prompt->layer[n].k = normed(x, dit, &a->k, a->norm_k, h);
        prompt->layer[n].v = heads(x, dit, linear(x, &a->v, h, SORAI_ACT_NONE));
        if (i) {
            prompt->layer[n].image_k = normed(x, dit, &a->image_k, a->norm_image_k, i);
            prompt->layer[n].image_v = heads(x, dit, linear(x, &a->image_v, i, SORAI_ACT_NONE));
        }
    }
    return x->status == SORA_OK ? prompt : NULL;
}

static sorai_dit_prompt *one_sample(sorai_exec *x, const sorai_dit_prompt *prompt, int64_t i) {
    sorai_dit_prompt *one = sorai_arena_alloc(&x->meta, sizeof *one);
    if (!one || !(one->layer = sorai_arena_alloc(&x->meta, (size_t)prompt->layers * sizeof *one->layer)))
        return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for a prompt");
    one->batch = 1;
    one->layers = prompt->layers;
    one->from = prompt->from;
    one->next = NULL;
    for (int32_t n = 0; n < prompt->layers; n++) {
        const struct sorai_dit_prompt_layer *from = &prompt->layer[n];
        one->layer[n].k = sorai_slice(x, from->k, 0, i, i + 1);
        one->layer[n].v = sorai_slice(x, from->v, 0, i, i + 1);
        one->layer[n].image_k = from->image_k ? sorai_slice(x, from->image_k, 0, i, i + 1) : NULL;
        one->layer[n].image_v = from->image_v ? sorai_slice(x, from->image_v, 0, i, i + 1) : NULL;
    }
    return x->status == SORA_OK ? one : NULL;
}

sorai_dit_prompt *sorai_dit_prompt_sample(sorai_exec *x, const sorai_dit_prompt *prompt, int64_t i) {
    sorai_dit_prompt *first = NULL, **last = &first;
    for (; prompt && x->status == SORA_OK; prompt = prompt->next) {
        if (!(*last = one_sample(x, prompt, i)))
            return NULL;
        last = &(*last)->next;
    }
    return x->status == SORA_OK ? first : NULL;
}

/* ---- times -------------------------------------------------------------------------------------------------------------- */

typedef struct times {
    int64_t batch, groups;
    sora_tensor *temb; /* [b g, dim] */
    sora_tensor *mod;  /* [b g, 6 dim] */
} times;

static int embed_times(sorai_exec *x, const sorai_dit *dit, times *out, const float *timesteps, int64_t batch, int64_t groups,
                       int64_t frames) {
    const float *const values = sorai_fewest_timesteps(x, timesteps, batch, &groups, frames);
    if (!values)
        return 0;
    out->batch = batch;
    out->groups = groups;
    /* The time embedder stays f32 whatever the products are, as in the reference: few rows, and everything depends on it. */
    const int32_t product = x->product;
    x->product = SORA_DTYPE_F32;
    sora_tensor *t = sorai_timestep_embedding(x, values, batch * groups, dit->config.freq_dim);
    out->temb = linear(x, &dit->time2, linear(x, &dit->time1, t, SORAI_ACT_SILU), SORAI_ACT_NONE);
    x->product = product;
    out->mod = linear(x, &dit->time_proj, sorai_act(x, out->temb, SORAI_ACT_SILU), SORAI_ACT_NONE);
    return out->mod != NULL;
}

/* Adds a table of n rows and splits: parts[i] is [b, g, dim]. `per` is [b g, n dim], or [b g, dim] for the same in all. */
static void modulation(sorai_exec *x, const sorai_dit *dit, const times *t, sorai_param *table, sora_tensor *per, int64_t n,
                       sora_tensor **parts) {
    const int64_t dim = dit->dim, row[1] = {n * dim}, shape[3] = {t->batch, t->groups, dim};
    sora_tensor *tab = sorai_reshape(x, sorai_param_tensor(x, table), 1, row);
    sora_tensor *all = per && per->shape[1] == n * dim ? sorai_add_broadcast(x, per, tab) : NULL;
    for (int64_t i = 0; i < n; i++) {
        sora_tensor *part = all ? sorai_slice(x, all, 1, i * dim, (i + 1) * dim)
                                : sorai_add_broadcast(x, per, sorai_slice(x, tab, 0, i * dim, (i + 1) * dim));
        parts[i] = sorai_reshape(x, part, 3, shape);
    }
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------- */

static sora_tensor *self_attention(sorai_exec *x, const sorai_dit *dit, const sorai_dit_attention *a, sora_tensor *in, sora_tensor *rope) {
    sora_tensor *q = sorai_rope(x, normed(x, dit, &a->q, a->norm_q, in), rope);
    sora_tensor *k = sorai_rope(x, normed(x, dit, &a->k, a->norm_k, in), rope);
    sora_tensor *v = heads(x, dit, linear(x, &a->v, in, SORAI_ACT_NONE));
    sora_tensor *h = sorai_attention_factor(x, q, k, v, 1.0 / sqrt((double)dit->config.attention_head_dim), NULL, NULL);
    return linear(x, &a->out, flat(x, dit, h), SORAI_ACT_NONE);
}

static sora_tensor *cross_attention(sorai_exec *x, const sorai_dit *dit, const sorai_dit_attention *a, sora_tensor *in,
                                    const sorai_dit_prompt *prompt, int32_t layer) {
    const double scale = 1.0 / sqrt((double)dit->config.attention_head_dim);
    sora_tensor *q = normed(x, dit, &a->q, a->norm_q, in);
    sora_tensor *h = NULL;
    if (!prompt->next && !prompt->layer[layer].image_k)
        h = sorai_attention_factor(x, q, prompt->layer[layer].k, prompt->layer[layer].v, scale, NULL, NULL);
    else if (!prompt->next)
        h = sorai_attention(x, q, prompt->layer[layer].k, prompt->layer[layer].v, scale, NULL, NULL);
    for (const sorai_dit_prompt *p = prompt->next ? prompt : NULL; p && q; p = p->next) {
        sora_tensor *part = sorai_slice(x, q, 1, p->from, p->next ? p->next->from : q->shape[1]);
        part = sorai_attention(x, part, p->layer[layer].k, p->layer[layer].v, scale, NULL, NULL);
        sora_tensor *const both[2] = {h, part};
        h = p == prompt ? part : sorai_concat(x, both, 2, 1);
    }
    if (prompt->layer[layer].image_k) /* a softmax of its own, then one output projection for the sum */
        h = sorai_add(x, h, sorai_attention(x, q, prompt->layer[layer].image_k, prompt->layer[layer].image_v, scale, NULL, NULL));
    return linear(x, &a->out, flat(x, dit, h), SORAI_ACT_NONE);
}

/* layer: of the prompt. */
static sora_tensor *block_run(sorai_exec *x, const sorai_dit *dit, const sorai_dit_block *b, int32_t layer, sora_tensor *h, const times *t,
                              sora_tensor *rope, const sorai_dit_prompt *prompt) {
    const double eps = dit->config.eps;
    enum { SHIFT, SCALE, GATE, FF_SHIFT, FF_SCALE, FF_GATE, PARTS };
    sora_tensor *m[PARTS];
    modulation(x, dit, t, b->table, t->mod, PARTS, m);
    sora_tensor *y = self_attention(x, dit, &b->self, sorai_norm_modulate_factor(x, h, m[SHIFT], m[SCALE], eps), rope);
    h = sorai_gate_add(x, h, y, m[GATE]);
    y = b->norm_weight ? sorai_layernorm_factor(x, h, b->norm_weight, b->norm_bias, eps) : h;
    h = sorai_add(x, h, cross_attention(x, dit, &b->cross, y, prompt, layer));
    y = sorai_norm_modulate_factor(x, h, m[FF_SHIFT], m[FF_SCALE], eps);
    y = sorai_linear_factor(x, y, b->up.weight, b->up.bias, SORAI_ACT_GELU_TANH);
    return sorai_gate_add(x, h, linear(x, &b->down, y, SORAI_ACT_NONE), m[FF_GATE]);
}

/* [b, t, h, w, c] -> [b, l, dim]. Patches do not overlap, so the convolution is a product; its weight has c slowest. */
static sora_tensor *embed_patches(sorai_exec *x, const sorai_dit *dit, const sorai_dit_linear *l, sora_tensor *in, int64_t t, int64_t h,
                                  int64_t w) {
    const int32_t *p = dit->config.patch_size;
    const int64_t b = in->shape[0], c = in->shape[4], apart[7] = {b * t, p[0], h, p[1], w, p[2], c};
    const int64_t joined[3] = {b, t * h * w, c * p[0] * p[1] * p[2]};
    const int32_t axes[7] = {0, 2, 4, 6, 1, 3, 5};
    in = sorai_permute(x, sorai_reshape(x, in, 7, apart), axes);
    return linear(x, l, sorai_reshape(x, in, 3, joined), SORAI_ACT_NONE);
}

/* [b, l, pt ph pw c] -> [b, t, h, w, c]; c is the fastest in a token's row. */
static sora_tensor *unpatch(sorai_exec *x, const sorai_dit_config *c, sora_tensor *in, int64_t t, int64_t h, int64_t w) {
    if (!in)
        return NULL;
    const int32_t *p = c->patch_size;
    const int64_t b = in->shape[0], apart[7] = {b * t, h, w, p[0], p[1], p[2], c->out_channels};
    const int64_t joined[5] = {b, t * p[0], h * p[1], w * p[2], c->out_channels};
    const int32_t axes[7] = {0, 3, 1, 4, 2, 5, 6};
    return sorai_reshape(x, sorai_permute(x, sorai_reshape(x, in, 7, apart), axes), 5, joined);
}

/* ---- the control branch --------------------------------------------------------------------------------------------------- */

/* Rows of the control latent, zeros behind them up to all tokens. */
static sora_tensor *embed_control(sorai_exec *x, const sorai_dit *dit, sora_tensor *latent, const int64_t *grid) {
    const sorai_dit_config *c = &dit->config;
    const int64_t b = latent->shape[0], t = latent->shape[1] / c->patch_size[0], missing = (grid[0] - t) * grid[1] * grid[2];
    sora_tensor *rows = embed_patches(x, dit, &dit->control_patch, latent, t, grid[1], grid[2]);
    if (!missing)
        return rows;
    sora_tensor *zeros = sorai_temp(x, 3, (const int64_t[]){b, missing, dit->dim});
    if (zeros && x->device->zero(x->device, zeros->data, sorai_tensor_bytes(zeros)) != SORA_OK)
        return sorai_exec_fail(x, SORA_E_BACKEND, "the device could not clear memory");
    sora_tensor *const parts[2] = {rows, zeros};
    return sorai_concat(x, parts, 2, 1);
}

/* A network sees positions that it was not trained on as others once more: one car at 128 pixels, many at 512. Drawn together until they lie within
 * what it knows, the picture stays one (position interpolation, arXiv 2306.15595). Both axes alike, so that nothing changes its shape. */
static double drawn_together(const sorai_dit_config *c, const int64_t *grid) {
    const int64_t h = grid[1] * c->patch_size[1], w = grid[2] * c->patch_size[2], side = h > w ? h : w;
    return c->rope_trained_side && side > c->rope_trained_side ? (double)c->rope_trained_side / (double)side : 1.0;
}

static int check_control(sorai_exec *x, const sorai_dit_config *c, const sora_tensor *latent, const sorai_dit_control *control) {
    if (!c->vace_count != !control) {
        sorai_exec_fail(x, SORA_E_INVALID, c->vace_count ? "this transformer needs a control latent" : "this transformer takes no control");
        return 0;
    }
    if (!control)
        return 1;
    if (!control->latent) /* its own failure is noted already */
        return 0;
    const int64_t *k = control->latent->shape, *s = latent->shape;
    if (control->latent->rank != 5 || k[0] != s[0] || k[1] < 1 || k[1] > s[1] || k[1] % c->patch_size[0] || k[2] != s[2] || k[3] != s[3] ||
        k[4] != c->vace_in_channels) {
        sorai_exec_fail(x, SORA_E_INVALID, "the control latent must have %d channels and the latent's size", (int)c->vace_in_channels);
        return 0;
    }
    return 1;
}

/* The branch advances only when its next result is wanted, so that one state of it is held at a time. `state` is the branch's own
 * tensor, outside the scope that the caller rewinds. */
static sora_tensor *add_control(sorai_exec *x, const sorai_dit *dit, int32_t k, sora_tensor **state, sora_tensor *y, double scale,
                                const times *t, sora_tensor *rope, const sorai_dit_prompt *prompt) {
    const sorai_dit_control_block *b = &dit->controls[k];
    sora_tensor *now = block_run(x, dit, &b->block, dit->config.num_layers + k, *state, t, rope, prompt);
    y = sorai_axpby(x, 1.0, y, scale, linear(x, &b->out, now, SORAI_ACT_NONE));
    if (x->tape)
        *state = now;
    else if (now && x->device->copy(x->device, (*state)->data, now->data, sorai_tensor_bytes(now)) != SORA_OK)
        return sorai_exec_fail(x, SORA_E_BACKEND, "the device could not copy");
    return y;
}

sora_tensor *sorai_dit_time(sorai_exec *x, const sorai_dit *dit, float timestep) {
    times t;
    return embed_times(x, dit, &t, &timestep, 1, 1, 1) ? t.mod : NULL;
}

sora_tensor *sorai_dit_forward(sorai_exec *x, const sorai_dit *dit, sora_tensor *latent, const float *timesteps, int64_t groups,
                               const sorai_dit_prompt *prompt) {
    return sorai_dit_forward_control(x, dit, latent, NULL, timesteps, groups, prompt, NULL);
}

sora_tensor *sorai_dit_forward_control(sorai_exec *x, const sorai_dit *dit, sora_tensor *latent, const sorai_dit_control *control,
                                       const float *timesteps, int64_t groups, const sorai_dit_prompt *prompt, const sorai_step_cache *cache) {
    const sorai_dit_config *c = &dit->config;
    const int32_t *p = c->patch_size;
    if (!latent || !prompt || x->status != SORA_OK)
        return NULL;
    if (latent->rank != 5 || latent->shape[4] != c->in_channels)
        return sorai_exec_fail(x, SORA_E_INVALID, "latents for this transformer have %d channels", (int)c->in_channels);
    const int64_t *s = latent->shape;
    for (int i = 0; i < 3; i++)
        if (s[1 + i] < p[i] || s[1 + i] % p[i])
            return sorai_exec_fail(x, SORA_E_INVALID, "latent frames, height and width must be multiples of %d, %d and %d", (int)p[0],
                                   (int)p[1], (int)p[2]);
    const int64_t b = s[0], grid[3] = {s[1] / p[0], s[2] / p[1], s[3] / p[2]}, tokens = grid[0] * grid[1] * grid[2];
    if (b < 1 || b != prompt->batch)
        return sorai_exec_fail(x, SORA_E_INVALID, "latents and text are batches of different size");
    if (!timesteps || groups < 1 || tokens % groups)
        return sorai_exec_fail(x, SORA_E_INVALID, "timesteps are given per sample, per frame or per token");
    if (!check_control(x, c, latent, control))
        return NULL;
    const int reuse = cache && cache->reuse;

    const sorai_exec_mark mark = sorai_exec_here(x);
    times time;
    if (!embed_times(x, dit, &time, timesteps, b, groups, grid[0]))
        return NULL;
    sora_tensor *rope = sorai_rope_table(x, grid[0], grid[1], grid[2], c->attention_head_dim, 0, drawn_together(c, grid)), *state = NULL;
    if (control && !reuse) {
        const sorai_exec_mark here = sorai_exec_here(x);
        sora_tensor *first = embed_patches(x, dit, &dit->patch, latent, grid[0], grid[1], grid[2]);
        sora_tensor *in = linear(x, &dit->controls[0].in, embed_control(x, dit, control->latent, grid), SORAI_ACT_NONE);
        state = sorai_exec_rewind_keep(x, here, sorai_add(x, in, first));
    }
    const sorai_exec_mark inner = sorai_exec_here(x);
    sora_tensor *y = sorai_exec_rewind_keep(x, inner, embed_patches(x, dit, &dit->patch, latent, grid[0], grid[1], grid[2]));
    y = sorai_step_cache_begin(x, cache, y);
    for (int32_t i = 0, k = 0; i < c->num_layers && y && !reuse; i++) {
        y = block_run(x, dit, &dit->blocks[i], i, y, &time, rope, prompt);
        if (k < c->vace_count && c->vace_layers[k] == i) {
            y = add_control(x, dit, k, &state, y, control->scale ? (double)control->scale[k] : 1.0, &time, rope, prompt);
            k++;
        }
        y = sorai_exec_rewind_keep(x, inner, y);
    }
    sorai_step_cache_end(x, cache, y);
    sora_tensor *m[2];
    modulation(x, dit, &time, dit->table, time.temb, 2, m); /* of temb itself, not of its projection */
    y = linear(x, &dit->proj_out, sorai_norm_modulate_factor(x, y, m[0], m[1], c->eps), SORAI_ACT_NONE);
    y = unpatch(x, c, y, grid[0], grid[1], grid[2]);
    return x->status == SORA_OK ? sorai_exec_rewind_keep(x, mark, y) : NULL;
}

sora_tensor *sorai_dit_from_planes(sorai_exec *x, sora_tensor *planes) {
    const int32_t axes[5] = {0, 2, 3, 4, 1};
    if (planes && planes->rank != 5)
        return sorai_exec_fail(x, SORA_E_INVALID, "latents in planes are [batch, channels, frames, height, width]");
    return sorai_permute(x, planes, axes);
}

sora_tensor *sorai_dit_to_planes(sorai_exec *x, sora_tensor *video) {
    const int32_t axes[5] = {0, 4, 1, 2, 3};
    if (video && video->rank != 5)
        return sorai_exec_fail(x, SORA_E_INVALID, "latents are [batch, frames, height, width, channels]");
    return sorai_permute(x, video, axes);
}
