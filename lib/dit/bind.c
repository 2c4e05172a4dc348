#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/dit/dit.h"

#define MAX_DIM 65536

static int field(sora_error *err, const char *name) {
    return sorai_fail(err, SORA_E_FORMAT, "transformer config: %s is out of range", name);
}

int sorai_dit_config_check(const sorai_dit_config *c, sora_error *err) {
    for (int i = 0; i < 3; i++)
        if (c->patch_size[i] < 1 || c->patch_size[i] > 64)
            return field(err, "patch_size");
    if (c->num_attention_heads < 1 || c->num_attention_heads > 1024)
        return field(err, "num_attention_heads");
    /* Rotary positions turn pairs. */
    if (c->attention_head_dim < 2 || c->attention_head_dim > 1024 || c->attention_head_dim % 2)
        return field(err, "attention_head_dim");
    if ((int64_t)c->num_attention_heads * c->attention_head_dim > MAX_DIM)
        return field(err, "num_attention_heads times attention_head_dim");
    if (c->in_channels < 1 || c->in_channels > 4096)
        return field(err, "in_channels");
    if (c->out_channels < 1 || c->out_channels > 4096)
        return field(err, "out_channels");
    if (c->text_dim < 1 || c->text_dim > MAX_DIM)
        return field(err, "text_dim");
    if (c->freq_dim < 2 || c->freq_dim > MAX_DIM)
        return field(err, "freq_dim");
    if (c->ffn_dim < 1 || c->ffn_dim > 4 * MAX_DIM)
        return field(err, "ffn_dim");
    if (c->num_layers < 1 || c->num_layers > 1024)
        return field(err, "num_layers");
    if (!(c->eps > 0.0 && c->eps < 1.0))
        return field(err, "eps");
    if (c->image_dim < 0 || c->image_dim > MAX_DIM)
        return field(err, "image_dim");
    /* Image keys are made of the embedder's rows, which have the width of the model. */
    if (c->added_kv_proj_dim != 0 && (c->added_kv_proj_dim != c->num_attention_heads * c->attention_head_dim || !c->image_dim))
        return field(err, "added_kv_proj_dim");
    if (c->pos_embed_seq_len < 0 || c->pos_embed_seq_len > MAX_DIM || (c->pos_embed_seq_len && !c->image_dim))
        return field(err, "pos_embed_seq_len");
    if (c->vace_in_channels < 0 || c->vace_in_channels > 4096)
        return field(err, "vace_in_channels");
    if (c->vace_count < 0 || c->vace_count > SORAI_DIT_MAX_CONTROLS || !c->vace_count != !c->vace_in_channels)
        return field(err, "vace_layers");
    for (int32_t i = 0; i < c->vace_count; i++)
        if (c->vace_layers[i] >= c->num_layers || (i ? c->vace_layers[i] <= c->vace_layers[i - 1] : c->vace_layers[i] != 0))
            return field(err, "vace_layers");
    return SORA_OK;
}

/* Walks through the names; after the first failure the rest does nothing. */
typedef struct binder {
    sorai_store *store;
    sora_error *err;
    int status;
} binder;

static sorai_param *get(binder *b, const char *path, const char *leaf, int32_t rank, const int64_t *shape, enum sorai_init init,
                        double scale) {
    char name[160];
    sorai_param *p = NULL;
    if (b->status != SORA_OK)
        return NULL;
    snprintf(name, sizeof name, "%s%s%s", path, path[0] && leaf[0] ? "." : "", leaf);
    b->status = sorai_store_get(b->store, &p, name, rank, shape, init, scale, b->err);
    return b->status == SORA_OK ? p : NULL;
}

/* gain: 0 for zeros; sqrt(3) keeps the variance of the input. */
static sorai_dit_linear bind_linear(binder *b, const char *path, const char *leaf, int64_t in, int64_t out, double gain) {
    char name[144];
    const int64_t shape[2] = {out, in};
    sorai_dit_linear l;
    snprintf(name, sizeof name, "%s.%s", path, leaf);
    l.weight = get(b, leaf[0] ? name : path, "weight", 2, shape, gain > 0.0 ? SORAI_INIT_FAN_IN : SORAI_INIT_ZERO, gain);
    l.bias = get(b, leaf[0] ? name : path, "bias", 1, shape, SORAI_INIT_ZERO, 0.0);
    return l;
}

static void bind_attention(binder *b, sorai_dit_attention *a, const char *path, int64_t dim, int64_t added) {
    const double keep = sqrt(3.0);
    a->q = bind_linear(b, path, "to_q", dim, dim, keep);
    a->k = bind_linear(b, path, "to_k", dim, dim, keep);
    a->v = bind_linear(b, path, "to_v", dim, dim, keep);
    a->out = bind_linear(b, path, "to_out.0", dim, dim, 1.0);
    a->norm_q = get(b, path, "norm_q.weight", 1, &dim, SORAI_INIT_ONE, 0.0);
    a->norm_k = get(b, path, "norm_k.weight", 1, &dim, SORAI_INIT_ONE, 0.0);
    if (added) {
        a->image_k = bind_linear(b, path, "add_k_proj", added, dim, keep);
        a->image_v = bind_linear(b, path, "add_v_proj", added, dim, keep);
        a->norm_image_k = get(b, path, "norm_added_k.weight", 1, &dim, SORAI_INIT_ONE, 0.0);
    }
}

static void bind_block(binder *b, sorai_dit_block *block, const sorai_dit_config *c, const char *path, int64_t dim) {
    char name[96];
    const int64_t table[3] = {1, 6, dim};
    b->store->eight = 1;
    snprintf(name, sizeof name, "%s.attn1", path);
    bind_attention(b, &block->self, name, dim, 0);
    snprintf(name, sizeof name, "%s.attn2", path);
    bind_attention(b, &block->cross, name, dim, c->added_kv_proj_dim);
    if (c->cross_attn_norm) {
        block->norm_weight = get(b, path, "norm2.weight", 1, &dim, SORAI_INIT_ONE, 0.0);
        block->norm_bias = get(b, path, "norm2.bias", 1, &dim, SORAI_INIT_ZERO, 0.0);
    }
    block->up = bind_linear(b, path, "ffn.net.0.proj", dim, c->ffn_dim, sqrt(3.0));
    block->down = bind_linear(b, path, "ffn.net.2", c->ffn_dim, dim, sqrt(3.0));
    b->store->eight = 0;
    block->table = get(b, path, "scale_shift_table", 3, table, SORAI_INIT_NORMAL, 1.0 / sqrt((double)dim));
}

static void bind_all(binder *b, sorai_dit *dit) {
    const sorai_dit_config *c = &dit->config;
    const int64_t dim = dit->dim, patch[5] = {dim, c->in_channels, c->patch_size[0], c->patch_size[1], c->patch_size[2]};
    const int64_t head = (int64_t)c->out_channels * c->patch_size[0] * c->patch_size[1] * c->patch_size[2], table[3] = {1, 2, dim};
    const double keep = sqrt(3.0);
    char path[64];
    const char *embed = "condition_embedder", *image = "condition_embedder.image_embedder";
    dit->patch.weight = get(b, "patch_embedding", "weight", 5, patch, SORAI_INIT_FAN_IN, keep);
    dit->patch.bias = get(b, "patch_embedding", "bias", 1, &dim, SORAI_INIT_ZERO, 0.0);
    dit->time1 = bind_linear(b, embed, "time_embedder.linear_1", c->freq_dim, dim, keep);
    dit->time2 = bind_linear(b, embed, "time_embedder.linear_2", dim, dim, keep);
    dit->time_proj = bind_linear(b, embed, "time_proj", dim, 6 * dim, 0.1);
    dit->text1 = bind_linear(b, embed, "text_embedder.linear_1", c->text_dim, dim, keep);
    dit->text2 = bind_linear(b, embed, "text_embedder.linear_2", dim, dim, keep);
    if (c->image_dim) {
        const int64_t width = c->image_dim, pos[3] = {1, c->pos_embed_seq_len, width};
        dit->image.norm1_weight = get(b, image, "norm1.weight", 1, &width, SORAI_INIT_ONE, 0.0);
        dit->image.norm1_bias = get(b, image, "norm1.bias", 1, &width, SORAI_INIT_ZERO, 0.0);
        dit->image.up = bind_linear(b, image, "ff.net.0.proj", width, width, keep);
        dit->image.down = bind_linear(b, image, "ff.net.2", width, dim, keep);
        dit->image.norm2_weight = get(b, image, "norm2.weight", 1, &dim, SORAI_INIT_ONE, 0.0);
        dit->image.norm2_bias = get(b, image, "norm2.bias", 1, &dim, SORAI_INIT_ZERO, 0.0);
        if (c->pos_embed_seq_len)
            dit->image.pos_embed = get(b, image, "pos_embed", 3, pos, SORAI_INIT_ZERO, 0.0);
    }
    for (int32_t i = 0; i < c->num_layers; i++) {
        snprintf(path, sizeof path, "blocks.%d", i);
        bind_block(b, &dit->blocks[i], c, path, dim);
    }
    if (c->vace_count) {
        const int64_t control[5] = {dim, c->vace_in_channels, patch[2], patch[3], patch[4]};
        dit->control_patch.weight = get(b, "vace_patch_embedding", "weight", 5, control, SORAI_INIT_FAN_IN, keep);
        dit->control_patch.bias = get(b, "vace_patch_embedding", "bias", 1, &dim, SORAI_INIT_ZERO, 0.0);
    }
    for (int32_t i = 0; i < c->vace_count; i++) {
        snprintf(path, sizeof path, "vace_blocks.%d", i);
        bind_block(b, &dit->controls[i].block, c, path, dim);
        if (i == 0)
            dit->controls[i].in = bind_linear(b, path, "proj_in", dim, dim, keep);
        dit->controls[i].out = bind_linear(b, path, "proj_out", dim, dim, 0.0);
    }
    dit->proj_out = bind_linear(b, "proj_out", "", dim, head, 0.0);
    dit->table = get(b, "", "scale_shift_table", 3, table, SORAI_INIT_NORMAL, 1.0 / sqrt((double)dim));
}

int sorai_dit_bind(sorai_dit *dit, sorai_store *store, const sorai_dit_config *config, sora_error *err) {
    memset(dit, 0, sizeof *dit);
    SORA_TRY(sorai_dit_config_check(config, err));
    dit->config = *config;
    dit->dim = config->num_attention_heads * config->attention_head_dim;
    dit->mem = store->mem;
    dit->blocks = sorai_calloc(store->mem, (size_t)config->num_layers, sizeof *dit->blocks);
    if (dit->blocks && config->vace_count)
        dit->controls = sorai_calloc(store->mem, (size_t)config->vace_count, sizeof *dit->controls);
    if (!dit->blocks || (config->vace_count && !dit->controls)) {
        sorai_dit_release(dit);
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the list of blocks");
    }
    binder b = {store, err, SORA_OK};
    bind_all(&b, dit);
    if (b.status != SORA_OK)
        sorai_dit_release(dit);
    return b.status;
}

void sorai_dit_release(sorai_dit *dit) {
    if (dit->blocks)
        sorai_free(dit->mem, dit->blocks);
    if (dit->controls)
        sorai_free(dit->mem, dit->controls);
    dit->blocks = NULL;
    dit->controls = NULL;
}
