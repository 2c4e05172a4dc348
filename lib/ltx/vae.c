#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/ltx/ltx.h"

#define MAX_DIM  8192
#define RMS_EPS  1e-8
#define TIME_DIM 256

static int field(sora_error *err, const char *name) {
    return sorai_fail(err, SORA_E_FORMAT, "vae config: %s is out of range", name);
}

static int in_range(int32_t v, int32_t low, int32_t high) { return v >= low && v <= high; }

/* Neighbours that a level joins in time, or in each direction of space. */
static int32_t joined(int32_t kind, int time) {
    return kind == SORAI_LTX_DOWN_BOTH || kind == (time ? SORAI_LTX_DOWN_TEMPORAL : SORAI_LTX_DOWN_SPATIAL) ? 2 : 1;
}

int sorai_ltx_vae_config_check(const sorai_ltx_vae_config *c, sora_error *err) {
    if (c->in_channels != 3) return field(err, "in_channels");
    if (c->out_channels != 3) return field(err, "out_channels");
    if (!in_range(c->latent_channels, 1, SORAI_LTX_MAX_Z)) return field(err, "latent_channels");
    if (!in_range(c->levels, 1, SORAI_LTX_MAX_LEVELS)) return field(err, "block_out_channels");
    if (!in_range(c->decoder_levels, 1, SORAI_LTX_MAX_LEVELS)) return field(err, "decoder_block_out_channels");
    for (int32_t i = 0; i < c->levels + c->joins; i++)
        if (!in_range(c->block_out_channels[i], 1, MAX_DIM)) return field(err, "block_out_channels");
    for (int32_t i = 0; c->joins && i < c->levels; i++) {
        const int32_t in = c->block_out_channels[i], out = c->block_out_channels[i + 1], kind = c->downsample_type[i];
        const int32_t n = joined(kind, 1) * joined(kind, 0) * joined(kind, 0);
        if (!c->spatio_temporal_scaling[i] || n == 1 ? in != out : out % n || in * n % out)
            return field(err, "block_out_channels (downsample_type)");
    }
    for (int32_t i = 0; i < c->decoder_levels; i++) {
        const int32_t n = c->decoder_block_out_channels[i], f = c->upsample_factor[i];
        if (!in_range(n, 1, MAX_DIM)) return field(err, "decoder_block_out_channels");
        if ((f != 1 && f != 2 && f != 4 && f != 8) || n % f) return field(err, "upsample_factor");
        if (c->upsample_residual[i] && c->decoder_spatio_temporal_scaling[i] && n % 8) return field(err, "upsample_residual");
    }
    for (int32_t i = 0; i <= c->levels; i++)
        if (!in_range(c->layers_per_block[i], 0, SORAI_LTX_MAX_LAYERS)) return field(err, "layers_per_block");
    for (int32_t i = 0; i <= c->decoder_levels; i++)
        if (!in_range(c->decoder_layers_per_block[i], 0, SORAI_LTX_MAX_LAYERS))
            return field(err, "decoder_layers_per_block");
    if (!in_range(c->patch_size, 1, 16)) return field(err, "patch_size");
    if (c->patch_size_t != 1) return field(err, "patch_size_t");
    if (!(c->resnet_norm_eps > 0.0 && c->resnet_norm_eps < 1.0)) return field(err, "resnet_norm_eps");
    if (!(c->scaling_factor > 0.0)) return field(err, "scaling_factor");
    return SORA_OK;
}

/* How often the encoder halves time, or space. */
static int32_t halvings(const sorai_ltx_vae_config *c, int time) {
    int32_t n = 0;
    for (int32_t i = 0; i < c->levels; i++)
        n += c->spatio_temporal_scaling[i] &&
             (c->downsample_type[i] == SORAI_LTX_DOWN_CONV || joined(c->downsample_type[i], time) == 2);
    return n;
}

int32_t sorai_ltx_vae_space_factor(const sorai_ltx_vae_config *c) { return c->patch_size << halvings(c, 0); }

int32_t sorai_ltx_vae_time_factor(const sorai_ltx_vae_config *c) { return c->patch_size_t << halvings(c, 1); }

static int32_t doublings(const sorai_ltx_vae_config *c) {
    int32_t n = 0;
    for (int32_t i = 0; i < c->decoder_levels; i++) n += c->decoder_spatio_temporal_scaling[i];
    return n;
}

int32_t sorai_ltx_vae_decoded_space(const sorai_ltx_vae_config *c) { return c->patch_size << doublings(c); }

int32_t sorai_ltx_vae_decoded_time(const sorai_ltx_vae_config *c) { return c->patch_size_t << doublings(c); }

/* ---- binding -------------------------------------------------------------------------------------------------- */

/* After the first failure the rest does nothing. */
typedef struct binder {
    sorai_store *store;
    sora_error *err;
    int status, timed;
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

static sorai_ltx_linear bind_conv(binder *b, const char *path, const char *leaf, int64_t in, int64_t out, int64_t k) {
    char name[144];
    const int64_t shape[5] = {out, in, k, k, k};
    sorai_ltx_linear l;
    snprintf(name, sizeof name, "%s.%s.conv", path, leaf);
    l.weight = get(b, name, "weight", 5, shape, SORAI_INIT_FAN_IN, sqrt(3.0));
    l.bias = get(b, name, "bias", 1, shape, SORAI_INIT_ZERO, 0.0);
    return l;
}

static void bind_time(binder *b, sorai_ltx_time *t, const char *path, int32_t dim) {
    char name[128];
    const int64_t up[2] = {dim, TIME_DIM}, down[2] = {dim, dim};
    t->dim = dim;
    snprintf(name, sizeof name, "%s.time_embedder.timestep_embedder.linear_1", path);
    t->up.weight = get(b, name, "weight", 2, up, SORAI_INIT_FAN_IN, 1.0);
    t->up.bias = get(b, name, "bias", 1, up, SORAI_INIT_ZERO, 0.0);
    snprintf(name, sizeof name, "%s.time_embedder.timestep_embedder.linear_2", path);
    t->down.weight = get(b, name, "weight", 2, down, SORAI_INIT_FAN_IN, 1.0);
    t->down.bias = get(b, name, "bias", 1, down, SORAI_INIT_ZERO, 0.0);
}

static void bind_res(binder *b, sorai_ltx_res *r, const char *path, int64_t in, int64_t out) {
    r->conv1 = bind_conv(b, path, "conv1", in, out, 3);
    r->conv2 = bind_conv(b, path, "conv2", out, out, 3);
    if (in != out) {
        r->norm3.weight = get(b, path, "norm3.weight", 1, &in, SORAI_INIT_ONE, 0.0);
        r->norm3.bias = get(b, path, "norm3.bias", 1, &in, SORAI_INIT_ZERO, 0.0);
        r->shortcut = bind_conv(b, path, "conv_shortcut", in, out, 1);
    }
    const int64_t table[2] = {4, in};
    if (b->timed) r->table = get(b, path, "scale_shift_table", 2, table, SORAI_INIT_NORMAL, 1.0 / sqrt((double)in));
}

static void bind_row(binder *b, sorai_ltx_level *l, const char *path, int32_t dim, int32_t blocks) {
    char name[96];
    l->blocks = blocks;
    for (int32_t i = 0; i < blocks; i++) {
        snprintf(name, sizeof name, "%s.resnets.%d", path, i);
        bind_res(b, &l->res[i], name, dim, dim);
    }
    if (b->timed) bind_time(b, &l->time, path, 4 * dim);
}

static void bind_encoder(binder *b, sorai_ltx_net *n, const sorai_ltx_vae_config *c) {
    char path[64], name[96];
    int32_t dim = c->block_out_channels[0];
    n->causal = c->encoder_causal;
    n->levels = c->levels;
    n->conv_in = bind_conv(b, "encoder", "conv_in", 3 * c->patch_size * c->patch_size, dim, 3);
    for (int32_t i = 0; i < c->levels; i++) {
        sorai_ltx_level *l = &n->level[i];
        const int32_t next = c->block_out_channels[c->joins || i + 1 < c->levels ? i + 1 : i],
                      kind = c->downsample_type[i];
        snprintf(path, sizeof path, "encoder.down_blocks.%d", i);
        bind_row(b, l, path, dim, c->layers_per_block[i]);
        l->samples = c->spatio_temporal_scaling[i];
        if (l->samples && kind == SORAI_LTX_DOWN_CONV) {
            l->sample = bind_conv(b, path, "downsamplers.0", dim, dim, 3);
        } else if (l->samples) {
            l->step_t = joined(kind, 1);
            l->step = joined(kind, 0);
            snprintf(name, sizeof name, "%s.downsamplers.0", path);
            l->sample = bind_conv(b, name, "conv", dim, next / (l->step_t * l->step * l->step), 3);
        }
        l->has_first = !c->joins && next != dim;
        snprintf(name, sizeof name, "%s.conv_out", path);
        if (l->has_first) bind_res(b, &l->first, name, dim, next);
        dim = next;
    }
    bind_row(b, &n->mid, "encoder.mid_block", dim, c->layers_per_block[c->levels]);
    n->conv_out = bind_conv(b, "encoder", "conv_out", dim, c->latent_channels + 1, 3);
}

static void bind_decoder(binder *b, sorai_ltx_vae *vae) {
    sorai_ltx_net *n = &vae->decoder;
    const sorai_ltx_vae_config *c = &vae->config;
    const int32_t count = c->decoder_levels;
    char path[64], name[96];
    int32_t dim = c->decoder_block_out_channels[count - 1];
    n->causal = c->decoder_causal;
    n->levels = count;
    b->timed = c->timestep_conditioning;
    n->conv_in = bind_conv(b, "decoder", "conv_in", c->latent_channels, dim, 3);
    bind_row(b, &n->mid, "decoder.mid_block", dim, c->decoder_layers_per_block[count]);
    for (int32_t i = 0; i < count; i++) {
        sorai_ltx_level *l = &n->level[i];
        const int32_t from = count - 1 - i;
        l->factor = c->upsample_factor[from];
        l->residual = c->upsample_residual[from];
        l->samples = c->decoder_spatio_temporal_scaling[from];
        const int32_t in = dim / l->factor, out = c->decoder_block_out_channels[from] / l->factor;
        snprintf(path, sizeof path, "decoder.up_blocks.%d", i);
        l->has_first = in != out;
        snprintf(name, sizeof name, "%s.conv_in", path);
        if (l->has_first) bind_res(b, &l->first, name, in, out);
        if (l->samples) {
            snprintf(name, sizeof name, "%s.upsamplers.0", path);
            l->sample = bind_conv(b, name, "conv", (int64_t)out * l->factor, (int64_t)out * 8, 3);
        }
        bind_row(b, l, path, out, c->decoder_layers_per_block[from]);
        dim = out;
    }
    n->conv_out = bind_conv(b, "decoder", "conv_out", dim, 3 * c->patch_size * c->patch_size, 3);
    if (b->timed) {
        const int64_t table[2] = {2, dim}, one[1] = {1};
        bind_time(b, &n->time, "decoder", 2 * dim);
        n->table = get(b, "decoder", "scale_shift_table", 2, table, SORAI_INIT_NORMAL, 1.0 / sqrt((double)dim));
        vae->multiplier = get(b, "decoder", "timestep_scale_multiplier", 1, one, SORAI_INIT_ONE, 0.0);
    }
}

int sorai_ltx_vae_bind(sorai_ltx_vae *vae, sorai_store *store, const sorai_ltx_vae_config *config, sora_error *err) {
    memset(vae, 0, sizeof *vae);
    SORA_TRY(sorai_ltx_vae_config_check(config, err));
    vae->config = *config;
    binder b = {store, err, SORA_OK, 0};
    const int64_t z = config->latent_channels;
    vae->mean = get(&b, "", "latents_mean", 1, &z, SORAI_INIT_ZERO, 0.0);
    vae->std = get(&b, "", "latents_std", 1, &z, SORAI_INIT_ONE, 0.0);
    bind_encoder(&b, &vae->encoder, config);
    bind_decoder(&b, vae);
    return b.status;
}

/* ---- layers --------------------------------------------------------------------------------------------------- */

/* Padding in time repeats the ends: all of it in front when causal, else half on each side. Zeros around the picture.
 */
static sora_tensor *conv(sorai_exec *x, const sorai_ltx_linear *l, int causal, int32_t stride, sora_tensor *in) {
    if (!in) return NULL;
    const int32_t k = (int32_t)l->weight->value->shape[2], pad = k / 2;
    const sorai_conv how = {.stride_t = stride,
                            .stride_h = stride,
                            .stride_w = stride,
                            .front_h = pad,
                            .back_h = pad,
                            .front_w = pad,
                            .back_w = pad};
    if (k > 1) {
        const int64_t t = in->shape[1];
        sora_tensor *first = sorai_slice(x, in, 1, 0, 1), *last = sorai_slice(x, in, 1, t - 1, t);
        sora_tensor *const around[3] = {first, causal ? first : in, causal ? in : last};
        in = sorai_concat(x, around, 3, 1);
    }
    return sorai_conv3d(x, in, NULL, l->weight, l->bias, &how);
}

/* temb [b, n dim] (NULL: none) plus row i of a table: [b, 1, dim]. */
static sora_tensor *part(sorai_exec *x, sora_tensor *temb, sorai_param *table, int64_t i) {
    if (!temb) return NULL;
    const int64_t dim = table->value->shape[1], row[1] = {dim}, shape[3] = {temb->shape[0], 1, dim};
    sora_tensor *tab = sorai_reshape(x, sorai_slice(x, sorai_param_tensor(x, table), 0, i, i + 1), 1, row);
    return sorai_reshape(x, sorai_add_broadcast(x, sorai_slice(x, temb, 1, i * dim, (i + 1) * dim), tab), 3, shape);
}

/* rms over channels, times (1 + scale) plus shift of rows i + 1 and i of the table, SiLU. */
static sora_tensor *normed(sorai_exec *x, sora_tensor *in, sora_tensor *temb, sorai_param *table, int64_t i) {
    sora_tensor *n = sorai_rmsnorm(x, in, NULL, RMS_EPS);
    if (n && table) {
        int64_t whole[5], rows[3] = {n->shape[0], n->shape[1] * n->shape[2] * n->shape[3], n->shape[4]};
        memcpy(whole, n->shape, sizeof whole);
        n = sorai_reshape(x, n, 3, rows);
        n = sorai_gate_add(x, n, n, part(x, temb, table, i + 1));
        n = sorai_add(x, n, sorai_repeat(x, part(x, temb, table, i), 1, rows[1]));
        n = sorai_reshape(x, n, 5, whole);
    }
    return sorai_act(x, n, SORAI_ACT_SILU);
}

static sora_tensor *res_run(sorai_exec *x, const sorai_ltx_vae *vae, const sorai_ltx_res *r, int causal,
                            sora_tensor *temb, sora_tensor *in) {
    sora_tensor *y = conv(x, &r->conv1, causal, 1, normed(x, in, temb, r->table, 0));
    y = conv(x, &r->conv2, causal, 1, normed(x, y, temb, r->table, 2));
    if (r->shortcut.weight) {
        in = sorai_layernorm(x, in, r->norm3.weight, r->norm3.bias, vae->config.resnet_norm_eps);
        in = conv(x, &r->shortcut, causal, 1, in);
    }
    return sorai_add(x, y, in);
}

/* [b] host values -> [b, dim]; NULL when there is no embedder. */
static sora_tensor *time_run(sorai_exec *x, const sorai_ltx_time *t, const float *times, int64_t b) {
    if (!t->up.weight || !times) return NULL;
    sora_tensor *e = sorai_timestep_embedding(x, times, b, TIME_DIM);
    e = sorai_linear(x, e, t->up.weight, t->up.bias, SORAI_ACT_SILU);
    return sorai_linear(x, e, t->down.weight, t->down.bias, SORAI_ACT_NONE);
}

static sora_tensor *row_run(sorai_exec *x, const sorai_ltx_vae *vae, const sorai_ltx_level *l, int causal,
                            const float *times, sora_tensor *in) {
    if (!in) return NULL;
    const sorai_exec_mark mark = sorai_exec_here(x);
    for (int32_t i = 0; i < l->blocks && in; i++) {
        sora_tensor *temb = time_run(x, &l->time, times, in->shape[0]);
        in = sorai_exec_rewind_keep(x, mark, res_run(x, vae, &l->res[i], causal, temb, in));
    }
    return in;
}

/* [b, t, h, w, c] -> [b, t / st, h / s, w / s, c st s s], c slowest. */
static sora_tensor *join(sorai_exec *x, sora_tensor *in, int64_t st, int64_t s) {
    if (!in) return NULL;
    const int64_t *n = in->shape, b = n[0], t = n[1] / st, h = n[2] / s, w = n[3] / s;
    const int64_t apart[7] = {b * t, st, h, s, w, s, n[4]}, whole[5] = {b, t, h, w, n[4] * st * s * s};
    const int32_t axes[7] = {0, 2, 4, 6, 1, 3, 5};
    return sorai_reshape(x, sorai_permute(x, sorai_reshape(x, in, 7, apart), axes), 5, whole);
}

/* Neighbours become channels, behind a convolution and, as means of groups, past it. The first frames are there twice.
 */
static sora_tensor *down_run(sorai_exec *x, const sorai_ltx_level *l, int causal, sora_tensor *in) {
    if (!in) return NULL;
    if (!l->step) return conv(x, &l->sample, causal, 2, in);
    if (l->step_t > 1) {
        sora_tensor *const parts[2] = {sorai_slice(x, in, 1, 0, l->step_t - 1), in};
        in = sorai_concat(x, parts, 2, 1);
    }
    sora_tensor *y = join(x, conv(x, &l->sample, causal, 1, in), l->step_t, l->step),
                *all = join(x, in, l->step_t, l->step);
    if (!y || !all) return NULL;
    const int64_t out = y->shape[4], rows[3] = {sorai_tensor_count(all) / all->shape[4], out, all->shape[4] / out};
    all = sorai_mean_axis(x, sorai_reshape(x, all, 3, rows), 2);
    return sorai_add(x, y, sorai_reshape(x, all, 5, y->shape));
}

/* [b, t, h, w, c 8] -> [b, 2 t - 1, 2 h, 2 w, c]: c slowest; the first frame keeps its second copy only, where the clip begins with it. */
static sora_tensor *spread(sorai_exec *x, sora_tensor *in, int begins) {
    if (!in) return NULL;
    const int64_t b = in->shape[0], t = in->shape[1], h = in->shape[2], w = in->shape[3], c = in->shape[4] / 8;
    const int64_t apart[7] = {b * t, h, w, c, 2, 2, 2}, joined[5] = {b, 2 * t, 2 * h, 2 * w, c};
    const int32_t axes[7] = {0, 4, 1, 5, 2, 6, 3};
    sora_tensor *y = sorai_reshape(x, sorai_permute(x, sorai_reshape(x, in, 7, apart), axes), 5, joined);
    return begins ? sorai_slice(x, y, 1, 1, 2 * t) : y;
}

static sora_tensor *up_run(sorai_exec *x, const sorai_ltx_level *l, int causal, int begins, sora_tensor *in) {
    sora_tensor *y = spread(x, conv(x, &l->sample, causal, 1, in), begins);
    if (!l->residual) return y;
    sora_tensor *copies[8], *one = spread(x, in, begins);
    const int32_t n = 8 / l->factor;
    for (int32_t i = 0; i < n; i++) copies[i] = one;
    return sorai_add(x, y, sorai_concat(x, copies, n, 4));
}

/* [b, t, h, w, 3] -> [b, t, h / p, w / p, 3 p p], channel (c p + x) p + y; and back. */
static sora_tensor *join_pixels(sorai_exec *x, sora_tensor *in, int64_t p) {
    const int64_t *s = in->shape, apart[6] = {s[0] * s[1], s[2] / p, p, s[3] / p, p, s[4]};
    const int64_t joined[5] = {s[0], s[1], s[2] / p, s[3] / p, s[4] * p * p};
    const int32_t axes[6] = {0, 1, 3, 5, 4, 2};
    return sorai_reshape(x, sorai_permute(x, sorai_reshape(x, in, 6, apart), axes), 5, joined);
}

static sora_tensor *split_pixels(sorai_exec *x, sora_tensor *in, int64_t p) {
    if (!in) return NULL;
    const int64_t *s = in->shape, c = s[4] / (p * p), apart[6] = {s[0] * s[1], s[2], s[3], c, p, p};
    const int64_t joined[5] = {s[0], s[1], s[2] * p, s[3] * p, c};
    const int32_t axes[6] = {0, 1, 5, 2, 4, 3};
    return sorai_reshape(x, sorai_permute(x, sorai_reshape(x, in, 6, apart), axes), 5, joined);
}

/* ---- both ways ------------------------------------------------------------------------------------------------ */

sora_tensor *sorai_ltx_vae_encode(sorai_exec *x, const sorai_ltx_vae *vae, sora_tensor *video, sora_tensor **logvar) {
    const sorai_ltx_net *n = &vae->encoder;
    const int64_t space = sorai_ltx_vae_space_factor(&vae->config), time = sorai_ltx_vae_time_factor(&vae->config);
    const int64_t z = vae->config.latent_channels;
    if (logvar) *logvar = NULL;
    if (!video || x->status != SORA_OK) return NULL;
    if (video->rank != 5 || video->shape[4] != 3 || video->shape[1] < 1 || (video->shape[1] - 1) % time ||
        video->shape[2] % space || video->shape[3] % space)
        return sorai_exec_fail(x, SORA_E_INVALID, "video must have %lld k + 1 frames, sides multiples of %lld",
                               (long long)time, (long long)space);
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *h = conv(x, &n->conv_in, n->causal, 1, join_pixels(x, video, vae->config.patch_size));
    h = sorai_exec_rewind_keep(x, mark, h);
    for (int32_t i = 0; i < n->levels && h; i++) {
        const sorai_ltx_level *l = &n->level[i];
        h = row_run(x, vae, l, n->causal, NULL, h);
        if (l->samples) h = down_run(x, l, n->causal, h);
        if (l->has_first) h = res_run(x, vae, &l->first, n->causal, NULL, h);
        h = sorai_exec_rewind_keep(x, mark, h);
    }
    h = row_run(x, vae, &n->mid, n->causal, NULL, h);
    h = conv(x, &n->conv_out, n->causal, 1, normed(x, h, NULL, NULL, 0));
    if (logvar) *logvar = sorai_clamp(x, sorai_slice(x, h, 4, z, z + 1), -30.0, 20.0);
    return sorai_slice(x, h, 4, 0, z);
}

/* ---- parts of the decoder's work: boxes of places ------------------------------------------------------------- */

/* What n convolutions look at to give a box of places. Where that ends before the clip does, they see a false end, and what they give there is
 * wrong as far as they look: it is cut off. */
static sorai_ltx_box seen(sorai_ltx_box b, int64_t n, int causal, const int64_t *size) {
    for (int a = 0; a < 3; a++) {
        const int64_t front = a == 0 && causal ? 2 * n : n, back = a == 0 && causal ? 0 : n;
        b.begin[a] = b.begin[a] > front ? b.begin[a] - front : 0;
        b.end[a] = b.end[a] + back < size[a] ? b.end[a] + back : size[a];
    }
    return b;
}

/* What an upsampler makes a box of, and what it makes of a box. */
static sorai_ltx_box before_up(sorai_ltx_box b) {
    return (sorai_ltx_box){{(b.begin[0] + 1) / 2, b.begin[1] / 2, b.begin[2] / 2}, {b.end[0] / 2 + 1, (b.end[1] + 1) / 2, (b.end[2] + 1) / 2}};
}

static sorai_ltx_box after_up(sorai_ltx_box b) {
    return (sorai_ltx_box){{b.begin[0] ? 2 * b.begin[0] - 1 : 0, 2 * b.begin[1], 2 * b.begin[2]}, {2 * b.end[0] - 1, 2 * b.end[1], 2 * b.end[2]}};
}

/* From a tensor that holds `*held`, the part that holds `to`. */
static sora_tensor *cut(sorai_exec *x, sora_tensor *in, sorai_ltx_box *held, sorai_ltx_box to) {
    for (int32_t a = 0; a < 3; a++) in = sorai_slice(x, in, a + 1, to.begin[a] - held->begin[a], to.end[a] - held->begin[a]);
    *held = to;
    return in;
}

/* What each piece of the decoder is given so that a part of the video comes out. */
typedef struct route {
    sorai_ltx_box conv_in, mid, first[SORAI_LTX_MAX_LEVELS], up[SORAI_LTX_MAX_LEVELS], row[SORAI_LTX_MAX_LEVELS], conv_out, out;
} route;

static void plan_route(route *r, const sorai_ltx_net *n, const int64_t *latent, const sorai_ltx_box *part) {
    int64_t size[SORAI_LTX_MAX_LEVELS + 1][3];
    r->out = (sorai_ltx_box){{0, 0, 0}, {latent[0], latent[1], latent[2]}};
    if (part) r->out = *part;
    memcpy(size[0], latent, sizeof size[0]);
    for (int32_t i = 0; i < n->levels; i++) {
        const int64_t *s = size[i], twice[3] = {2 * s[0] - 1, 2 * s[1], 2 * s[2]};
        memcpy(size[i + 1], n->level[i].samples ? twice : s, sizeof twice);
        if (n->level[i].samples) r->out = after_up(r->out);
    }
    r->conv_out = seen(r->out, 1, n->causal, size[n->levels]);
    sorai_ltx_box b = r->conv_out;
    for (int32_t i = n->levels - 1; i >= 0; i--) {
        const sorai_ltx_level *l = &n->level[i];
        b = r->row[i] = seen(b, 2 * l->blocks, n->causal, size[i + 1]);
        b = r->up[i] = l->samples ? seen(before_up(b), 1, n->causal, size[i]) : b;
        b = r->first[i] = l->has_first ? seen(b, 2, n->causal, size[i]) : b;
    }
    r->mid = seen(b, 2 * n->mid.blocks, n->causal, latent);
    r->conv_in = seen(r->mid, 1, n->causal, latent);
}

sora_tensor *sorai_ltx_vae_decode(sorai_exec *x, const sorai_ltx_vae *vae, sora_tensor *latent,
                                  const float *timesteps, const sorai_ltx_box *part) {
    const sorai_ltx_net *n = &vae->decoder;
    float *times = NULL;
    if (!latent || x->status != SORA_OK) return NULL;
    if (latent->rank != 5 || latent->shape[4] != vae->config.latent_channels || latent->shape[0] < 1)
        return sorai_exec_fail(x, SORA_E_INVALID, "latents for this autoencoder have %d channels",
                               (int)vae->config.latent_channels);
    if (!vae->config.timestep_conditioning != !timesteps)
        return sorai_exec_fail(x, SORA_E_INVALID,
                               timesteps ? "this autoencoder takes no timestep" : "this autoencoder needs a timestep");
    const int64_t b = latent->shape[0];
    if (timesteps) {
        float by = 0.0f;
        times = sorai_arena_alloc(&x->meta, (size_t)b * sizeof *times);
        if (!times) return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for timesteps");
        sora_tensor *value = sorai_param_tensor(x, vae->multiplier);
        if (!value || sorai_download(x, value, &by) != SORA_OK) return NULL;
        for (int64_t i = 0; i < b; i++) times[i] = timesteps[i] * by;
    }
    route r;
    plan_route(&r, n, latent->shape + 1, part);
    sorai_ltx_box held = {{0, 0, 0}, {latent->shape[1], latent->shape[2], latent->shape[3]}};
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *h = conv(x, &n->conv_in, n->causal, 1, cut(x, latent, &held, r.conv_in));
    h = sorai_exec_rewind_keep(x, mark, cut(x, h, &held, r.mid));
    h = row_run(x, vae, &n->mid, n->causal, times, h);
    for (int32_t i = 0; i < n->levels && h; i++) {
        const sorai_ltx_level *l = &n->level[i];
        h = cut(x, h, &held, r.first[i]);
        if (l->has_first) h = res_run(x, vae, &l->first, n->causal, time_run(x, &l->time, times, b), h);
        h = cut(x, h, &held, r.up[i]);
        if (l->samples) {
            h = up_run(x, l, n->causal, held.begin[0] == 0, h);
            held = after_up(held);
        }
        h = sorai_exec_rewind_keep(x, mark, cut(x, h, &held, r.row[i]));
        h = row_run(x, vae, l, n->causal, times, h);
    }
    h = normed(x, cut(x, h, &held, r.conv_out), time_run(x, &n->time, times, b), n->table, 0);
    h = cut(x, conv(x, &n->conv_out, n->causal, 1, h), &held, r.out);
    h = split_pixels(x, h, vae->config.patch_size);
    return x->status == SORA_OK ? sorai_exec_rewind_keep(x, mark, h) : NULL;
}

/* in * by + add for each channel. */
static sora_tensor *per_channel(sorai_exec *x, sora_tensor *in, const float *by, const float *add, int64_t z) {
    if (!in) return NULL;
    const int64_t b = in->shape[0], rows[3] = {b, sorai_tensor_count(in) / (b * z), z}, gate[3] = {1, 1, z};
    sora_tensor *flat = sorai_reshape(x, in, 3, rows);
    sora_tensor *g = sorai_repeat(x, sorai_upload(x, SORA_DTYPE_F32, 3, gate, by), 0, b);
    sora_tensor *y = sorai_gate_add(x, sorai_axpby(x, 0.0, flat, 0.0, NULL), flat, g);
    y = sorai_add_broadcast(x, y, sorai_upload(x, SORA_DTYPE_F32, 1, &z, add));
    return sorai_reshape(x, y, in->rank, in->shape);
}

static sora_tensor *statistics(sorai_exec *x, const sorai_ltx_vae *vae, sora_tensor *in, int back) {
    float mean[SORAI_LTX_MAX_Z], std[SORAI_LTX_MAX_Z], by[SORAI_LTX_MAX_Z], add[SORAI_LTX_MAX_Z];
    const int64_t z = vae->config.latent_channels;
    const double s = vae->config.scaling_factor;
    if (!in || x->status != SORA_OK) return NULL;
    if (sorai_download(x, sorai_param_tensor(x, vae->mean), mean) != SORA_OK ||
        sorai_download(x, sorai_param_tensor(x, vae->std), std) != SORA_OK)
        return NULL;
    for (int64_t i = 0; i < z; i++) {
        by[i] = (float)(back ? (double)std[i] / s : s / (double)std[i]);
        add[i] = back ? mean[i] : (float)(-(double)mean[i] * s / (double)std[i]);
    }
    return per_channel(x, in, by, add, z);
}

sora_tensor *sorai_ltx_vae_normalize(sorai_exec *x, const sorai_ltx_vae *vae, sora_tensor *mean) {
    return statistics(x, vae, mean, 0);
}

sora_tensor *sorai_ltx_vae_denormalize(sorai_exec *x, const sorai_ltx_vae *vae, sora_tensor *latent) {
    return statistics(x, vae, latent, 1);
}
