#include "lib/model/infer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/model/config.h"

#define HEAD_DIM 128

/* What was asked for so far; the first thing that is missing sticks. */
typedef struct finder {
    const sorai_table *names;
    const char *file;
    sora_error *err;
    int status;
} finder;

/* The extent of an axis of a tensor that must be there with `rank` axes. */
static int64_t extent(finder *f, const char *name, int32_t rank, int32_t axis) {
    const sorai_tensor_info *info = sorai_table_find(f->names, name);
    if (f->status != SORA_OK) return 1;
    if (!info)
        f->status = sorai_fail(f->err, SORA_E_FORMAT, "%.250s: tensor \"%.150s\" is missing", f->file, name);
    else if (info->rank != rank || info->shape[axis] < 1 || info->shape[axis] > INT32_MAX)
        f->status = sorai_fail(f->err, SORA_E_FORMAT, "%.250s: tensor \"%.150s\": unexpected shape", f->file, name);
    else
        return info->shape[axis];
    return 1;
}

static const sorai_tensor_info *find(const finder *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const sorai_tensor_info *find(const finder *f, const char *format, ...) {
    char name[256];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return n > 0 && n < (int)sizeof name ? sorai_table_find(f->names, name) : NULL;
}

/* How many of a numbered list there are: format has one %d. */
static int64_t count_blocks(const finder *f, const char *before, const char *after) {
    int n = 0;
    while (n < 4096 && find(f, "%s%d%s", before, n, after)) n++;
    return n;
}

static int finish(finder *f, json_t *config, json_t **out) {
    if (f->status == SORA_OK && !config)
        f->status = sorai_fail(f->err, SORA_E_NOMEM, "%.300s: no memory to open it", f->file);
    if (f->status == SORA_OK)
        *out = config;
    else
        json_decref(config);
    return f->status;
}

static void set(json_t *config, const char *name, int64_t value) {
    if (config) json_object_set_new(config, name, json_integer((json_int_t)value));
}

/* Control blocks stand beside every (layers / count)-th block. */
static json_t *vace_layers(int64_t layers, int64_t count) {
    json_t *list = json_array();
    const int64_t step = count > 0 && layers > count ? layers / count : 1;
    for (int64_t i = 0; i < count; i++) json_array_append_new(list, json_integer((json_int_t)(i * step)));
    return list;
}

static int infer_dit(finder *f, json_t *hint, json_t **out) {
    const char *embed = "condition_embedder.text_embedder.linear_1.weight";
    const int64_t dim = extent(f, "patch_embedding.weight", 5, 0), in = extent(f, "patch_embedding.weight", 5, 1);
    int64_t patch[3];
    for (int i = 0; i < 3; i++) patch[i] = extent(f, "patch_embedding.weight", 5, 2 + i);
    const int64_t volume = patch[0] * patch[1] * patch[2], head = extent(f, "proj_out.weight", 2, 0);
    const int64_t layers = count_blocks(f, "blocks.", ".attn1.to_q.weight"),
                  control = count_blocks(f, "vace_blocks.", ".attn1.to_q.weight");
    const int64_t given = (int64_t)json_integer_value(json_object_get(hint, "num_heads"));
    const int64_t heads = given > 0 ? given : dim / HEAD_DIM;
    json_t *eps = json_object_get(hint, "eps");
    const sorai_tensor_info *pos = find(f, "condition_embedder.image_embedder.pos_embed");
    if (f->status == SORA_OK && (volume < 1 || head % volume))
        f->status = sorai_fail(f->err, SORA_E_FORMAT, "%.300s: the head does not fit the patch", f->file);
    if (f->status == SORA_OK && (heads < 1 || dim % heads || (given <= 0 && dim % HEAD_DIM)))
        f->status = sorai_fail(f->err, SORA_E_FORMAT,
                               "%.300s: a width of %lld is no whole number of heads of 128; a config.json beside it "
                               "with num_heads would tell",
                               f->file, (long long)dim);
    json_t *c = json_pack("{s:s, s:[I,I,I], s:s, s:f, s:b}", "_class_name",
                          control ? "WanVACETransformer3DModel" : "WanTransformer3DModel", "patch_size",
                          (json_int_t)patch[0], (json_int_t)patch[1], (json_int_t)patch[2], "qk_norm",
                          "rms_norm_across_heads", "eps", json_is_number(eps) ? json_number_value(eps) : 1e-6,
                          "cross_attn_norm", find(f, "blocks.0.norm2.weight") != NULL);
    set(c, "num_attention_heads", heads);
    set(c, "attention_head_dim", heads > 0 ? dim / heads : 0);
    set(c, "in_channels", in);
    set(c, "out_channels", volume > 0 ? head / volume : 0);
    set(c, "text_dim", extent(f, embed, 2, 1));
    set(c, "freq_dim", extent(f, "condition_embedder.time_embedder.linear_1.weight", 2, 1));
    set(c, "ffn_dim", extent(f, "blocks.0.ffn.net.0.proj.weight", 2, 0));
    set(c, "num_layers", layers);
    if (find(f, "condition_embedder.image_embedder.norm1.weight"))
        set(c, "image_dim", extent(f, "condition_embedder.image_embedder.norm1.weight", 1, 0));
    if (find(f, "blocks.0.attn2.add_k_proj.weight"))
        set(c, "added_kv_proj_dim", extent(f, "blocks.0.attn2.add_k_proj.weight", 2, 1));
    if (pos && pos->rank >= 2) set(c, "pos_embed_seq_len", pos->shape[pos->rank - 2]);
    if (control) {
        json_t *list = json_object_get(hint, "vace_layers");
        if (c)
            json_object_set_new(c, "vace_layers",
                                json_is_array(list) ? json_incref(list) : vace_layers(layers, control));
        set(c, "vace_in_channels", extent(f, "vace_patch_embedding.weight", 5, 1));
    }
    return finish(f, c, out);
}

static int infer_text(finder *f, json_t **out) {
    const char *q = "encoder.block.0.layer.0.SelfAttention.q.weight";
    const char *bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
    const char *embed = find(f, "shared.weight") ? "shared.weight" : "encoder.embed_tokens.weight";
    const bool shared = !find(f, "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight") &&
                        find(f, "encoder.block.1.layer.0.SelfAttention.q.weight");
    const int64_t heads = extent(f, bias, 2, 1), inner = extent(f, q, 2, 0);
    if (f->status == SORA_OK && inner % heads)
        f->status = sorai_fail(f->err, SORA_E_FORMAT, "%.300s: queries of %lld values are not divided by %lld heads",
                               f->file, (long long)inner, (long long)heads);
    json_t *c = json_pack("{s:s, s:[s], s:s, s:f, s:i}", "model_type", shared ? "t5" : "umt5", "architectures",
                          shared ? "T5EncoderModel" : "UMT5EncoderModel", "feed_forward_proj", "gated-gelu",
                          "layer_norm_epsilon", 1e-6, "relative_attention_max_distance", 128);
    set(c, "vocab_size", extent(f, embed, 2, 0));
    set(c, "d_model", extent(f, embed, 2, 1));
    set(c, "d_kv", inner / heads);
    set(c, "d_ff", extent(f, "encoder.block.0.layer.1.DenseReluDense.wi_0.weight", 2, 0));
    set(c, "num_layers", count_blocks(f, "encoder.block.", ".layer.0.SelfAttention.q.weight"));
    set(c, "num_heads", heads);
    set(c, "relative_attention_num_buckets", extent(f, bias, 2, 0));
    return finish(f, c, out);
}

/* Published with Wan2.2_VAE. */
static const double mean22[48] = {
    -0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174,  0.1838,  0.1557,  -0.1382, 0.0542,  0.2813,  0.0891,
    0.1570,  -0.0098, 0.0375,  -0.1825, -0.2246, -0.1207, -0.0698, 0.5109,  0.2665,  -0.2108, -0.2158, 0.2502,
    -0.2055, -0.0322, 0.1109,  0.1567,  -0.0729, 0.0899,  -0.2799, -0.1230, -0.0313, -0.1649, 0.0117,  0.0723,
    -0.2839, -0.2083, -0.0520, 0.3748,  0.0152,  0.1957,  0.1433,  -0.2944, 0.3573,  -0.0548, -0.1681, -0.0667};
static const double std22[48] = {0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013, 0.8158, 1.0344,
                                 0.5894, 1.0901, 0.6885, 0.6165, 0.8454, 0.4978, 0.5759, 0.3523, 0.7135, 0.6804,
                                 0.5833, 1.4146, 0.8986, 0.5659, 0.7069, 0.5338, 0.4889, 0.4917, 0.4069, 0.4999,
                                 0.6866, 0.4093, 0.5709, 0.6065, 0.6415, 0.4944, 0.5726, 1.2042, 0.5458, 1.6887,
                                 0.3971, 1.0600, 0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744};

static json_t *numbers(const double *values, int64_t n) {
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++) json_array_append_new(list, json_real(values[i]));
    return list;
}

#define MAX_LEVELS 8

typedef struct levels {
    int64_t width[MAX_LEVELS], residuals;
    bool time[MAX_LEVELS], attention[MAX_LEVELS];
    int count;
} levels;

/* Walks along the encoder's flat list (2.1) and notes where levels end. */
static void flat_levels(const finder *f, levels *l) {
    for (int i = 0; i < 512 && l->count < MAX_LEVELS; i++) {
        const sorai_tensor_info *conv = find(f, "encoder.down_blocks.%d.conv1.weight", i);
        if (conv && conv->rank > 0) {
            l->width[l->count] = conv->shape[0];
            if (l->count == 0) l->residuals++;
        } else if (find(f, "encoder.down_blocks.%d.to_qkv.weight", i)) {
            l->attention[l->count] = true;
        } else if (find(f, "encoder.down_blocks.%d.resample.1.weight", i)) {
            l->time[l->count++] = find(f, "encoder.down_blocks.%d.time_conv.weight", i) != NULL;
        } else {
            break;
        }
    }
    l->count++;
}

static void nested_levels(const finder *f, levels *l) {
    for (; l->count < MAX_LEVELS; l->count++) {
        const sorai_tensor_info *conv = find(f, "encoder.down_blocks.%d.resnets.0.conv1.weight", l->count);
        if (!conv || conv->rank < 1) break;
        l->width[l->count] = conv->shape[0];
        l->time[l->count] = find(f, "encoder.down_blocks.%d.downsampler.time_conv.weight", l->count) != NULL;
    }
    while (find(f, "encoder.down_blocks.0.resnets.%lld.conv1.weight", (long long)l->residuals)) l->residuals++;
}

static int infer_vae(finder *f, json_t **out) {
    levels l;
    memset(&l, 0, sizeof l);
    const bool residual = find(f, "encoder.down_blocks.0.resnets.0.conv1.weight") != NULL;
    if (residual)
        nested_levels(f, &l);
    else
        flat_levels(f, &l);
    const int64_t base = extent(f, "encoder.conv_in.weight", 5, 0), in = extent(f, "encoder.conv_in.weight", 5, 1);
    const int64_t z = extent(f, "post_quant_conv.weight", 5, 0), top = extent(f, "decoder.conv_in.weight", 5, 0);
    int64_t patch = 1;
    while (3 * patch * patch < in && patch < 64) patch++;
    for (int i = 0; i < l.count && f->status == SORA_OK; i++)
        if (l.count > MAX_LEVELS || l.width[i] < 1 || l.width[i] % base)
            f->status = sorai_fail(f->err, SORA_E_FORMAT,
                                   "%.300s: level %d of the encoder has %lld channels, the first convolution %lld",
                                   f->file, i, (long long)l.width[i], (long long)base);
    const int64_t last = l.count > 0 && l.count <= MAX_LEVELS ? l.width[l.count - 1] / base : 1;
    if (f->status == SORA_OK && (l.residuals < 1 || last < 1 || top % last))
        f->status = sorai_fail(f->err, SORA_E_FORMAT, "%.300s: encoder and decoder do not fit together", f->file);
    if (f->status != SORA_OK) return f->status;
    json_t *mult = json_array(), *time = json_array(), *scales = json_array();
    double scale = 1.0;
    for (int i = 0; i < l.count; i++, scale /= 2.0) {
        json_array_append_new(mult, json_integer((json_int_t)(l.width[i] / base)));
        if (i + 1 < l.count) json_array_append_new(time, json_boolean(l.time[i]));
        if (l.attention[i]) json_array_append_new(scales, json_real(scale));
    }
    json_t *c = json_pack("{s:s, s:o, s:o, s:o, s:b}", "_class_name", "AutoencoderKLWan", "dim_mult", mult,
                          "temperal_downsample", time, "attn_scales", scales, "is_residual", (int)residual);
    set(c, "base_dim", base);
    set(c, "decoder_base_dim", top / last);
    set(c, "z_dim", z);
    set(c, "num_res_blocks", l.residuals);
    set(c, "in_channels", in);
    set(c, "out_channels", extent(f, "decoder.conv_out.weight", 5, 0));
    if (patch > 1) set(c, "patch_size", patch);
    set(c, "scale_factor_spatial", patch << (l.count - 1));
    if (c && (z == 16 || z == 48)) {
        json_object_set_new(c, "latents_mean", numbers(z == 16 ? sorai_vae_mean21 : mean22, z));
        json_object_set_new(c, "latents_std", numbers(z == 16 ? sorai_vae_std21 : std22, z));
    }
    return finish(f, c, out);
}

static int infer_vision(finder *f, json_t **out) {
    const char *patch = "vision_model.embeddings.patch_embedding.weight";
    const sorai_tensor_info *positions = find(f, "vision_model.embeddings.position_embedding.weight");
    const int64_t hidden = extent(f, patch, 4, 0), size = extent(f, patch, 4, 2);
    const int64_t rows = positions && positions->rank >= 2 ? positions->shape[positions->rank - 2] : 0;
    int64_t side = 1;
    while (side < 1024 && side * side + 1 < rows) side++;
    if (f->status == SORA_OK && side * side + 1 != rows)
        f->status = sorai_fail(f->err, SORA_E_FORMAT, "%.300s: %lld positions are no square of patches and one",
                               f->file, (long long)rows);
    json_t *c = json_pack("{s:s, s:[s], s:s, s:f}", "model_type", "clip_vision_model", "architectures",
                          "CLIPVisionModel", "hidden_act", "gelu", "layer_norm_eps", 1e-5);
    set(c, "hidden_size", hidden);
    set(c, "intermediate_size", extent(f, "vision_model.encoder.layers.0.mlp.fc1.weight", 2, 0));
    set(c, "num_hidden_layers", count_blocks(f, "vision_model.encoder.layers.", ".self_attn.q_proj.weight"));
    set(c, "num_attention_heads", hidden % 80 == 0 ? hidden / 80 : hidden / 64); /* ViT-H has heads of 80 */
    set(c, "num_channels", extent(f, patch, 4, 1));
    set(c, "patch_size", size);
    set(c, "image_size", side * size);
    return finish(f, c, out);
}

int sorai_infer_config(enum sorai_kind kind, const sorai_table *names, json_t *hint, const char *file, json_t **out,
                       sora_error *err) {
    finder f = {names, file, err, SORA_OK};
    *out = NULL;
    switch (kind) {
    case SORAI_KIND_DIT:
        return infer_dit(&f, hint, out);
    case SORAI_KIND_VAE:
        return infer_vae(&f, out);
    case SORAI_KIND_TEXT:
        return infer_text(&f, out);
    case SORAI_KIND_VISION:
        return infer_vision(&f, out);
    default:
        return sorai_fail(err, SORA_E_INTERNAL, "%.300s: no kind of network", file);
    }
}
