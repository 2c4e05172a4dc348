#include <stdio.h>
#include <string.h>

#include "lib/vae/vae.h"

#define MAX_DIM 8192

static int field(sora_error *err, const char *name) {
    return sorai_fail(err, SORA_E_FORMAT, "autoencoder config: %s is out of range", name);
}

int sorai_vae_config_check(const sorai_vae_config *c, sora_error *err) {
    if (c->base_dim < 1 || c->base_dim > MAX_DIM)
        return field(err, "base_dim");
    if (c->decoder_base_dim < 0 || c->decoder_base_dim > MAX_DIM)
        return field(err, "decoder_base_dim");
    if (c->z_dim < 1 || c->z_dim > SORAI_VAE_MAX_Z)
        return field(err, "z_dim");
    if (c->levels < 1 || c->levels > SORAI_VAE_MAX_LEVELS)
        return field(err, "dim_mult (its length)");
    if (c->num_res_blocks < 1 || c->num_res_blocks > SORAI_VAE_MAX_RES)
        return field(err, "num_res_blocks");
    if (c->attn_scale_count < 0 || c->attn_scale_count > SORAI_VAE_MAX_SCALES)
        return field(err, "attn_scales (its length)");
    if (c->patch_size < 0 || c->patch_size > 16)
        return field(err, "patch_size");
    const int32_t p = c->patch_size > 1 ? c->patch_size : 1;
    if (c->in_channels != 3 * p * p)
        return field(err, "in_channels");
    if (c->out_channels != 3 * p * p)
        return field(err, "out_channels");
    const int32_t decoder = c->decoder_base_dim ? c->decoder_base_dim : c->base_dim;
    for (int32_t i = 0; i < c->levels; i++) {
        if (c->dim_mult[i] < 1 || (int64_t)c->dim_mult[i] * c->base_dim > MAX_DIM || (int64_t)c->dim_mult[i] * decoder > MAX_DIM)
            return field(err, "dim_mult");
        /* 2.1 halves the channels when it goes up, rounding down. */
        if (!c->is_residual && i > 0 && c->dim_mult[i] * decoder < 2)
            return field(err, "dim_mult (a single channel)");
        if (c->is_residual) {
            const int32_t last = i == c->levels - 1, time = !last && c->temperal_downsample[i];
            const int32_t factor = last ? 1 : time ? 8 : 4, before = i ? c->dim_mult[i - 1] : 1;
            if (before * c->base_dim * factor % (c->dim_mult[i] * c->base_dim))
                return field(err, "dim_mult (channels do not divide)");
        }
    }
    for (int32_t i = 0; c->is_residual && i < c->levels - 1; i++) { /* going up: i-th level of the decoder */
        const int32_t from = c->dim_mult[i ? c->levels - i : c->levels - 1] * decoder, to = c->dim_mult[c->levels - 1 - i] * decoder;
        if (to * (c->temperal_downsample[c->levels - 2 - i] ? 8 : 4) % from)
            return field(err, "dim_mult (channels do not divide)");
    }
    for (int32_t i = 0; i < c->z_dim; i++)
        if (!(c->latents_std[i] > 0.0f) || c->latents_std[i] > 1e30f || !(c->latents_mean[i] > -1e30f && c->latents_mean[i] < 1e30f))
            return field(err, "latents_mean or latents_std");
    return SORA_OK;
}

int32_t sorai_vae_space_factor(const sorai_vae_config *c) {
    return (c->patch_size > 1 ? c->patch_size : 1) << (c->levels - 1);
}

int32_t sorai_vae_time_factor(const sorai_vae_config *c) {
    int32_t factor = 1;
    for (int32_t i = 0; i < c->levels - 1; i++)
        factor *= c->temperal_downsample[i] ? 2 : 1;
    return factor;
}

/* Walks through a network's names; after the first failure the rest does nothing. */
typedef struct binder {
    sorai_store *store;
    sora_error *err;
    int status;
    int32_t slots;
} binder;

static sorai_param *get(binder *b, const char *path, const char *leaf, int32_t rank, const int64_t *shape, enum sorai_init init) {
    char name[192];
    sorai_param *p = NULL;
    if (b->status != SORA_OK)
        return NULL;
    snprintf(name, sizeof name, "%s.%s", path, leaf);
    b->status = sorai_store_get(b->store, &p, name, rank, shape, init, 1.0, b->err);
    return b->status == SORA_OK ? p : NULL;
}

static sorai_vae_conv bind_conv3d(binder *b, const char *path, int64_t in, int64_t out, int64_t kt, int64_t k) {
    const int64_t shape[5] = {out, in, kt, k, k};
    sorai_vae_conv c = {NULL, NULL, -1};
    c.weight = get(b, path, "weight", 5, shape, SORAI_INIT_FAN_IN);
    c.bias = get(b, path, "bias", 1, shape, SORAI_INIT_ZERO);
    if (kt > 1)
        c.slot = b->slots++;
    return c;
}

static sorai_vae_conv bind_conv2d(binder *b, const char *path, int64_t in, int64_t out, int64_t k) {
    const int64_t shape[4] = {out, in, k, k};
    sorai_vae_conv c = {NULL, NULL, -1};
    c.weight = get(b, path, "weight", 4, shape, SORAI_INIT_FAN_IN);
    c.bias = get(b, path, "bias", 1, shape, SORAI_INIT_ZERO);
    return c;
}

static sorai_param *bind_norm(binder *b, const char *path, int64_t dim, int32_t rank) {
    const int64_t shape[4] = {dim, 1, 1, 1};
    return get(b, path, "gamma", rank, shape, SORAI_INIT_ONE);
}

static sorai_vae_res bind_res(binder *b, const char *path, int64_t in, int64_t out) {
    char name[160];
    sorai_vae_res r = {NULL, NULL, {NULL, NULL, -1}, {NULL, NULL, -1}, {NULL, NULL, -1}};
    snprintf(name, sizeof name, "%s.norm1", path);
    r.norm1 = bind_norm(b, name, in, 4);
    snprintf(name, sizeof name, "%s.conv1", path);
    r.conv1 = bind_conv3d(b, name, in, out, 3, 3);
    snprintf(name, sizeof name, "%s.norm2", path);
    r.norm2 = bind_norm(b, name, out, 4);
    snprintf(name, sizeof name, "%s.conv2", path);
    r.conv2 = bind_conv3d(b, name, out, out, 3, 3);
    snprintf(name, sizeof name, "%s.conv_shortcut", path);
    if (in != out)
        r.shortcut = bind_conv3d(b, name, in, out, 1, 1);
    return r;
}

static sorai_vae_attention bind_attention(binder *b, const char *path, int64_t dim) {
    char name[160];
    sorai_vae_attention a = {NULL, {NULL, NULL, -1}, {NULL, NULL, -1}};
    snprintf(name, sizeof name, "%s.norm", path);
    a.norm = bind_norm(b, name, dim, 3);
    snprintf(name, sizeof name, "%s.to_qkv", path);
    a.qkv = bind_conv2d(b, name, dim, 3 * dim, 1);
    snprintf(name, sizeof name, "%s.proj", path);
    a.proj = bind_conv2d(b, name, dim, dim, 1);
    return a;
}

static void bind_resample(binder *b, sorai_vae_level *l, const char *path, int64_t in, int64_t out, int64_t time_out) {
    char name[160];
    snprintf(name, sizeof name, "%s.resample.1", path);
    l->resample = bind_conv2d(b, name, in, out, 3);
    snprintf(name, sizeof name, "%s.time_conv", path);
    if (l->sample == SORAI_VAE_SPACE_TIME) {
        const int64_t shape[5] = {time_out, in, 3, 1, 1};
        l->time_conv.weight = get(b, name, "weight", 5, shape, SORAI_INIT_FAN_IN);
        l->time_conv.bias = get(b, name, "bias", 1, shape, SORAI_INIT_ZERO);
        l->time_conv.slot = b->slots++;
    }
}

static void bind_middle(binder *b, sorai_vae_net *n, const char *half, int64_t dim) {
    char path[96];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s.mid_block.resnets.%d", half, i);
        n->mid[i] = bind_res(b, path, dim, dim);
    }
    snprintf(path, sizeof path, "%s.mid_block.attentions.0", half);
    n->mid_attention = bind_attention(b, path, dim);
}

static int has_attention(const sorai_vae_config *c, int32_t level) {
    const double scale = 1.0 / (double)(1 << level);
    for (int32_t i = 0; i < c->attn_scale_count; i++)
        if (c->attn_scales[i] == scale)
            return 1;
    return 0;
}

int sorai_vae_encodes_windows(const sorai_vae_config *c) {
    for (int32_t i = 0; i < c->levels - 1 && !c->is_residual; i++)
        if (has_attention(c, i))
            return 0;
    return 1;
}

static void bind_encoder(binder *b, sorai_vae_net *n, const sorai_vae_config *c) {
    char path[96];
    int64_t dim = c->base_dim;
    int flat = 0; /* 2.1 counts blocks, attentions and resamplers in one list */
    n->conv_in = bind_conv3d(b, "encoder.conv_in", c->in_channels, dim, 3, 3);
    for (int32_t i = 0; i < c->levels; i++) {
        sorai_vae_level *l = &n->level[i];
        const int32_t last = i == c->levels - 1;
        l->in_dim = (int32_t)dim;
        l->out_dim = c->base_dim * c->dim_mult[i];
        l->blocks = c->num_res_blocks;
        l->sample = last ? SORAI_VAE_KEEP : c->temperal_downsample[i] ? SORAI_VAE_SPACE_TIME : SORAI_VAE_SPACE;
        for (int32_t j = 0; j < l->blocks; j++) {
            if (c->is_residual)
                snprintf(path, sizeof path, "encoder.down_blocks.%d.resnets.%d", i, j);
            else
                snprintf(path, sizeof path, "encoder.down_blocks.%d", flat++);
            l->res[j] = bind_res(b, path, dim, l->out_dim);
            dim = l->out_dim;
            if (!c->is_residual && has_attention(c, i)) {
                snprintf(path, sizeof path, "encoder.down_blocks.%d", flat++);
                l->attention[j] = bind_attention(b, path, dim);
            }
        }
        if (last)
            break;
        if (c->is_residual)
            snprintf(path, sizeof path, "encoder.down_blocks.%d.downsampler", i);
        else
            snprintf(path, sizeof path, "encoder.down_blocks.%d", flat++);
        bind_resample(b, l, path, dim, dim, dim);
    }
    bind_middle(b, n, "encoder", dim);
    n->norm_out = bind_norm(b, "encoder.norm_out", dim, 4);
    n->conv_out = bind_conv3d(b, "encoder.conv_out", dim, 2 * c->z_dim, 3, 3);
    n->quant = bind_conv3d(b, "quant_conv", 2 * c->z_dim, 2 * c->z_dim, 1, 1);
    n->slots = b->slots;
    n->bound = 1;
}

static void bind_decoder(binder *b, sorai_vae_net *n, const sorai_vae_config *c) {
    char path[96];
    const int32_t base = c->decoder_base_dim ? c->decoder_base_dim : c->base_dim;
    int64_t dim = base * c->dim_mult[c->levels - 1];
    n->quant = bind_conv3d(b, "post_quant_conv", c->z_dim, c->z_dim, 1, 1);
    n->conv_in = bind_conv3d(b, "decoder.conv_in", c->z_dim, dim, 3, 3);
    bind_middle(b, n, "decoder", dim);
    for (int32_t i = 0; i < c->levels; i++) {
        sorai_vae_level *l = &n->level[i];
        const int32_t last = i == c->levels - 1;
        l->in_dim = (int32_t)dim;
        l->out_dim = base * c->dim_mult[c->levels - 1 - i];
        l->blocks = c->num_res_blocks + 1;
        l->sample = last                                            ? SORAI_VAE_KEEP
                    : c->temperal_downsample[c->levels - 2 - i] ? SORAI_VAE_SPACE_TIME
                                                                    : SORAI_VAE_SPACE;
        for (int32_t j = 0; j < l->blocks; j++) {
            snprintf(path, sizeof path, "decoder.up_blocks.%d.resnets.%d", i, j);
            l->res[j] = bind_res(b, path, dim, l->out_dim);
            dim = l->out_dim;
        }
        if (last)
            break;
        snprintf(path, sizeof path, "decoder.up_blocks.%d.%s", i, c->is_residual ? "upsampler" : "upsamplers.0");
        bind_resample(b, l, path, dim, c->is_residual ? dim : dim / 2, 2 * dim);
        dim = c->is_residual ? dim : dim / 2;
    }
    n->norm_out = bind_norm(b, "decoder.norm_out", dim, 4);
    n->conv_out = bind_conv3d(b, "decoder.conv_out", dim, c->out_channels, 3, 3);
    n->slots = b->slots;
    n->bound = 1;
}

int sorai_vae_bind(sorai_vae *vae, sorai_store *store, const sorai_vae_config *config, int parts, sora_error *err) {
    memset(vae, 0, sizeof *vae);
    SORA_TRY(sorai_vae_config_check(config, err));
    vae->config = *config;
    if (parts & SORAI_VAE_ENCODER) {
        binder b = {store, err, SORA_OK, 0};
        bind_encoder(&b, &vae->encoder, config);
        SORA_TRY(b.status);
    }
    if (parts & SORAI_VAE_DECODER) {
        binder b = {store, err, SORA_OK, 0};
        bind_decoder(&b, &vae->decoder, config);
        SORA_TRY(b.status);
    }
    return SORA_OK;
}
