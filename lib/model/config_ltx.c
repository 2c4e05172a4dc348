/* Configs of LTX-Video. */
#include <string.h>

#include "lib/model/config.h"
#include "lib/model/fields.h"

#define WIDEST 65536

static int begin(sorai_fields *f, json_t *json, const char *part, sora_error *err) {
    *f = (sorai_fields){json, part, err, SORA_OK};
    return json_is_object(json) ? SORA_OK : sorai_fail(err, SORA_E_FORMAT, "%s config: not an object", part);
}

int sorai_config_ltx(json_t *json, sorai_ltx_config *out, sora_error *err) {
    sorai_fields f;
    SORA_TRY(begin(&f, json, "transformer", err));
    memset(out, 0, sizeof *out);
    out->in_channels = sorai_field_int(&f, "in_channels", 128, 1, WIDEST);
    const int same = json_is_null(json_object_get(json, "out_channels")); /* null and absent differ here */
    out->out_channels = sorai_field_int(&f, "out_channels", same ? out->in_channels : 128, 1, WIDEST);
    out->patch_size = sorai_field_int(&f, "patch_size", 1, 1, 64);
    out->patch_size_t = sorai_field_int(&f, "patch_size_t", 1, 1, 64);
    out->num_attention_heads = sorai_field_int(&f, "num_attention_heads", 32, 1, WIDEST);
    out->attention_head_dim = sorai_field_int(&f, "attention_head_dim", 64, 1, WIDEST);
    const int32_t cross = sorai_field_int(&f, "cross_attention_dim", 2048, 1, WIDEST);
    out->num_layers = sorai_field_int(&f, "num_layers", 28, 1, 1024);
    out->caption_channels = sorai_field_int(&f, "caption_channels", 4096, 1, WIDEST);
    out->attention_bias = sorai_field_bool(&f, "attention_bias", 1);
    out->attention_out_bias = sorai_field_bool(&f, "attention_out_bias", 1);
    out->norm_elementwise_affine = sorai_field_bool(&f, "norm_elementwise_affine", 0);
    out->norm_eps = sorai_field_number(&f, "norm_eps", 1e-6);
    const char *norm = sorai_field_text(&f, "qk_norm", "rms_norm_across_heads");
    const char *act = sorai_field_text(&f, "activation_fn", "gelu-approximate");
    if (f.status != SORA_OK) return f.status;
    if (strcmp(norm, "rms_norm_across_heads") != 0)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "transformer config: qk_norm %.64s is not supported", norm);
    if (strcmp(act, "gelu-approximate") != 0)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "transformer config: activation_fn %.64s is not supported", act);
    /* The text has the stream's width when its keys are made. */
    if (cross != out->num_attention_heads * out->attention_head_dim)
        return sorai_fail(err, SORA_E_FORMAT, "transformer config: cross_attention_dim is out of range");
    return sorai_ltx_config_check(out, err);
}

/* Entries of a list of texts as numbers: their places in `words` (NULL ends them). Entries that are not there stay. */
static void read_words(sorai_fields *f, const char *name, const char *const *words, int32_t *to, size_t most) {
    json_t *list = json_object_get(f->object, name);
    for (size_t i = 0; f->status == SORA_OK && i < json_array_size(list) && i < most; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        int32_t k = 0;
        while (words[k] && (!text || strcmp(text, words[k]) != 0)) k++;
        to[i] = k;
        if (!words[k])
            f->status = sorai_fail(f->err, SORA_E_UNSUPPORTED, "vae config: %s %.64s is not supported", name,
                                   text ? text : "that is no text");
    }
}

/* The kinds of blocks of the encoder: all old ones or all new ones. */
static void read_down(sorai_fields *f, sorai_ltx_vae_config *out, size_t entries) {
    static const char *const blocks[] = {"LTXVideoDownBlock3D", "LTXVideo095DownBlock3D", NULL};
    static const char *const kinds[] = {"conv", "spatial", "temporal", "spatiotemporal", NULL};
    int32_t block[SORAI_LTX_MAX_LEVELS] = {0};
    read_words(f, "down_block_types", blocks, block, SORAI_LTX_MAX_LEVELS);
    read_words(f, "downsample_type", kinds, out->downsample_type, SORAI_LTX_MAX_LEVELS);
    if (f->status != SORA_OK) return;
    out->joins = block[0];
    out->levels = (int32_t)entries - out->joins;
    for (int32_t i = 0; i < out->levels; i++) {
        if (block[i] != out->joins)
            f->status =
                sorai_fail(f->err, SORA_E_UNSUPPORTED, "vae config: down_block_types of two kinds are not supported");
        if (!out->joins) out->downsample_type[i] = SORAI_LTX_DOWN_CONV; /* old blocks know no other */
    }
}

static void fill(int32_t *to, const int32_t *from, size_t n) { memcpy(to, from, n * sizeof *to); }

int sorai_config_ltx_vae(json_t *json, sorai_ltx_vae_config *out, sora_error *err) {
    static const int32_t widths[] = {128, 256, 512, 512}, layers[] = {4, 3, 3, 3, 4}, scaled[] = {1, 1, 1, 0};
    const int32_t most = SORAI_LTX_MAX_LEVELS;
    sorai_fields f;
    SORA_TRY(begin(&f, json, "vae", err));
    memset(out, 0, sizeof *out);
    out->in_channels = sorai_field_int(&f, "in_channels", 3, 1, WIDEST);
    out->out_channels = sorai_field_int(&f, "out_channels", 3, 1, WIDEST);
    out->latent_channels = sorai_field_int(&f, "latent_channels", 128, 1, WIDEST);
    fill(out->block_out_channels, widths, 4);
    fill(out->decoder_block_out_channels, widths, 4);
    fill(out->layers_per_block, layers, 5);
    fill(out->decoder_layers_per_block, layers, 5);
    fill(out->spatio_temporal_scaling, scaled, 4);
    fill(out->decoder_spatio_temporal_scaling, scaled, 4);
    for (int32_t i = 0; i < most; i++) out->upsample_factor[i] = 1;
    const int32_t entries = sorai_field_ints(&f, "block_out_channels", out->block_out_channels, most + 1, 4);
    out->decoder_levels = sorai_field_ints(&f, "decoder_block_out_channels", out->decoder_block_out_channels, most, 4);
    const int32_t down = sorai_field_ints(&f, "layers_per_block", out->layers_per_block, most + 1, 5);
    const int32_t up = sorai_field_ints(&f, "decoder_layers_per_block", out->decoder_layers_per_block, most + 1, 5);
    const int32_t down_scaled = sorai_field_bools(&f, "spatio_temporal_scaling", out->spatio_temporal_scaling, most, 4);
    const int32_t up_scaled =
        sorai_field_bools(&f, "decoder_spatio_temporal_scaling", out->decoder_spatio_temporal_scaling, most, 4);
    const int32_t residual = sorai_field_bools(&f, "upsample_residual", out->upsample_residual, most, 4);
    const int32_t factors = sorai_field_ints(&f, "upsample_factor", out->upsample_factor, most, 4);
    int32_t noise[SORAI_LTX_MAX_LEVELS + 1] = {0};
    sorai_field_bools(&f, "decoder_inject_noise", noise, most + 1, 5);
    out->timestep_conditioning = sorai_field_bool(&f, "timestep_conditioning", 0);
    out->patch_size = sorai_field_int(&f, "patch_size", 4, 1, 16);
    out->patch_size_t = sorai_field_int(&f, "patch_size_t", 1, 1, 16);
    out->encoder_causal = sorai_field_bool(&f, "encoder_causal", 1);
    out->decoder_causal = sorai_field_bool(&f, "decoder_causal", 0);
    out->resnet_norm_eps = sorai_field_number(&f, "resnet_norm_eps", 1e-6);
    out->scaling_factor = sorai_field_number(&f, "scaling_factor", 1.0);
    if (f.status == SORA_OK) read_down(&f, out, (size_t)entries);
    if (f.status != SORA_OK) return f.status;
    for (int32_t i = 0; i <= most; i++)
        if (noise[i]) return sorai_fail(err, SORA_E_UNSUPPORTED, "vae config: decoder_inject_noise is not supported");
    if (down != out->levels + 1 || down_scaled < out->levels)
        return sorai_fail(err, SORA_E_FORMAT, "vae config: layers_per_block and block_out_channels do not go together");
    if (up != out->decoder_levels + 1 || up_scaled < out->decoder_levels || residual < out->decoder_levels ||
        factors < out->decoder_levels)
        return sorai_fail(err, SORA_E_FORMAT,
                          "vae config: decoder_layers_per_block and decoder_block_out_channels do not go together");
    return sorai_ltx_vae_config_check(out, err);
}
