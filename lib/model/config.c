#include "lib/model/config.h"

#include <string.h>

#include "lib/model/fields.h"

#define WIDEST 65536

static int begin(sorai_fields *f, json_t *json, const char *part, sora_error *err) {
    *f = (sorai_fields){json, part, err, SORA_OK};
    return json_is_object(json) ? SORA_OK : sorai_fail(err, SORA_E_FORMAT, "%s config: not an object", part);
}

/* Other classes have parts of their own that would go unused: better refused than wrong. A config need not name one. */
static int known_class(json_t *json, const char *part, const char *const *names, sora_error *err) {
    const char *kind = json_string_value(json_object_get(json, "_class_name"));
    for (size_t i = 0; kind && names[i]; i++)
        if (strcmp(kind, names[i]) == 0)
            return SORA_OK;
    return kind ? sorai_fail(err, SORA_E_UNSUPPORTED, "%s config: a %.64s is not supported", part, kind) : SORA_OK;
}

const double sorai_vae_mean21[16] = {-0.7571, -0.7089, -0.9113, 0.1075,  -0.1745, 0.9653,  -0.1517, 1.5508,
                                     0.4134,  -0.0715, 0.5517,  -0.3632, -0.1922, -0.9497, 0.2503,  -0.2921};
const double sorai_vae_std21[16] = {2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
                                    3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160};

int sorai_config_vae(json_t *json, sorai_vae_config *out, sora_error *err) {
    static const char *const classes[] = {"AutoencoderKLWan", NULL};
    sorai_fields f;
    double latents[SORAI_VAE_MAX_Z];
    SORA_TRY(begin(&f, json, "vae", err));
    SORA_TRY(known_class(json, "vae", classes, err));
    memset(out, 0, sizeof *out);
    out->base_dim = sorai_field_int(&f, "base_dim", 96, 1, WIDEST);
    out->decoder_base_dim = sorai_field_int(&f, "decoder_base_dim", 0, 0, WIDEST);
    out->z_dim = sorai_field_int(&f, "z_dim", 16, 1, SORAI_VAE_MAX_Z);
    memcpy(out->dim_mult, (const int32_t[]){1, 2, 4, 4}, 4 * sizeof *out->dim_mult);
    out->levels = sorai_field_ints(&f, "dim_mult", out->dim_mult, SORAI_VAE_MAX_LEVELS, 4);
    out->num_res_blocks = sorai_field_int(&f, "num_res_blocks", 2, 1, SORAI_VAE_MAX_RES);
    out->attn_scale_count = sorai_field_numbers(&f, "attn_scales", out->attn_scales, SORAI_VAE_MAX_SCALES, 0);
    memcpy(out->temperal_downsample, (const int32_t[]){0, 1, 1}, 3 * sizeof *out->temperal_downsample);
    const int32_t times = sorai_field_bools(&f, "temperal_downsample", out->temperal_downsample, SORAI_VAE_MAX_LEVELS, 3);
    out->is_residual = sorai_field_bool(&f, "is_residual", 0);
    out->in_channels = sorai_field_int(&f, "in_channels", 3, 1, WIDEST);
    out->out_channels = sorai_field_int(&f, "out_channels", 3, 1, WIDEST);
    out->patch_size = sorai_field_int(&f, "patch_size", 0, 0, 16);
    for (int32_t i = 0; i < out->z_dim; i++) {
        out->latents_mean[i] = out->z_dim == 16 ? (float)sorai_vae_mean21[i] : 0.0f;
        out->latents_std[i] = out->z_dim == 16 ? (float)sorai_vae_std21[i] : 1.0f;
    }
    const char *const names[] = {"latents_mean", "latents_std"};
    for (int k = 0; k < 2; k++) {
        const int32_t n = sorai_field_numbers(&f, names[k], latents, SORAI_VAE_MAX_Z, 0);
        if (f.status == SORA_OK && n != 0 && n != out->z_dim)
            return sorai_fail(err, SORA_E_FORMAT, "vae config: %s must have z_dim numbers", names[k]);
        for (int32_t i = 0; i < n && f.status == SORA_OK; i++)
            (k ? out->latents_std : out->latents_mean)[i] = (float)latents[i];
    }
    if (f.status == SORA_OK && times < out->levels - 1)
        return sorai_fail(err, SORA_E_FORMAT, "vae config: temperal_downsample needs one entry less than dim_mult");
    return f.status == SORA_OK ? sorai_vae_config_check(out, err) : f.status;
}

int sorai_config_probe(json_t *json, sorai_probe_config *out, sora_error *err) {
    sorai_fields f;
    SORA_TRY(begin(&f, json, "probe", err));
    memset(out, 0, sizeof *out);
    out->width = sorai_field_int(&f, "width", 24, 8, 256);
    out->attributes = sorai_field_ints(&f, "values", out->values, SORAI_PROBE_MAX_ATTRIBUTES, 0);
    return f.status;
}

static void read_vace(sorai_fields *f, sorai_dit_config *out) {
    int32_t layers[SORAI_DIT_MAX_CONTROLS] = {0, 5, 10, 15, 20, 25, 30, 35}, most = 0;
    const int32_t n = sorai_field_ints(f, "vace_layers", layers, SORAI_DIT_MAX_CONTROLS, 8);
    out->vace_in_channels = sorai_field_int(f, "vace_in_channels", 96, 1, 4096);
    /* Any order means the same: the blocks are used in order, each behind the next layer that is listed. */
    for (int32_t i = 0; i < n; i++)
        most = layers[i] > most ? layers[i] : most;
    for (int32_t layer = 0; layer <= most && most < 1024; layer++)
        for (int32_t i = 0; i < n; i++)
            if (layers[i] == layer)
                out->vace_layers[out->vace_count++] = layer;
    if (f->status == SORA_OK && out->vace_count != n) /* some are no layers at all */
        f->status = sorai_fail(f->err, SORA_E_FORMAT, "transformer config: vace_layers is out of range");
}

int sorai_config_dit(json_t *json, sorai_dit_config *out, sora_error *err) {
    /* CausalWan: the network of self-forcing distillations, the same weights. */
    static const char *const classes[] = {"WanTransformer3DModel", "WanVACETransformer3DModel", "WanModel", "VaceWanModel", "CausalWanModel", NULL};
    sorai_fields f;
    SORA_TRY(begin(&f, json, "transformer", err));
    SORA_TRY(known_class(json, "transformer", classes, err));
    memset(out, 0, sizeof *out);
    memcpy(out->patch_size, (const int32_t[]){1, 2, 2}, sizeof out->patch_size);
    const int32_t axes = sorai_field_ints(&f, "patch_size", out->patch_size, 3, 3);
    out->num_attention_heads = sorai_field_int(&f, "num_attention_heads", 40, 1, WIDEST);
    out->attention_head_dim = sorai_field_int(&f, "attention_head_dim", 128, 1, WIDEST);
    out->in_channels = sorai_field_int(&f, "in_channels", 16, 1, WIDEST);
    const int same = json_is_null(json_object_get(json, "out_channels")); /* null and absent differ here */
    out->out_channels = sorai_field_int(&f, "out_channels", same ? out->in_channels : 16, 1, WIDEST);
    out->text_dim = sorai_field_int(&f, "text_dim", 4096, 1, WIDEST);
    out->freq_dim = sorai_field_int(&f, "freq_dim", 256, 1, WIDEST);
    out->ffn_dim = sorai_field_int(&f, "ffn_dim", 13824, 1, 4 * WIDEST);
    out->num_layers = sorai_field_int(&f, "num_layers", 40, 1, 1024);
    out->cross_attn_norm = sorai_field_bool(&f, "cross_attn_norm", 1);
    out->eps = sorai_field_number(&f, "eps", 1e-6);
    out->image_dim = sorai_field_int(&f, "image_dim", 0, 0, WIDEST);
    out->added_kv_proj_dim = sorai_field_int(&f, "added_kv_proj_dim", 0, 0, WIDEST);
    out->pos_embed_seq_len = sorai_field_int(&f, "pos_embed_seq_len", 0, 0, WIDEST);
    out->rope_trained_side = sorai_field_int(&f, "rope_trained_side", 0, 0, WIDEST); /* ours */
    /* A control branch: by the class, or by a config without class that has its fields. */
    const char *kind = sorai_field_text(&f, "_class_name", "");
    if (strcmp(kind, "WanVACETransformer3DModel") == 0 || (!kind[0] && json_object_get(json, "vace_layers")))
        read_vace(&f, out);
    const char *norm = sorai_field_text(&f, "qk_norm", "rms_norm_across_heads");
    if (f.status == SORA_OK && axes != 3)
        return sorai_fail(err, SORA_E_FORMAT, "transformer config: patch_size must have three entries");
    if (f.status == SORA_OK && strcmp(norm, "rms_norm_across_heads") != 0)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "transformer config: qk_norm %.64s is not supported", norm);
    return f.status == SORA_OK ? sorai_dit_config_check(out, err) : f.status;
}

int sorai_config_t5(json_t *json, sorai_t5_config *out, sora_error *err) {
    sorai_fields f;
    SORA_TRY(begin(&f, json, "text_encoder", err));
    memset(out, 0, sizeof *out);
    out->vocab_size = sorai_field_int(&f, "vocab_size", 256384, 1, 1 << 24);
    out->d_model = sorai_field_int(&f, "d_model", 4096, 1, WIDEST);
    out->d_kv = sorai_field_int(&f, "d_kv", 64, 1, WIDEST);
    out->d_ff = sorai_field_int(&f, "d_ff", 10240, 1, 4 * WIDEST);
    out->num_layers = sorai_field_int(&f, "num_layers", 24, 1, 1024);
    out->num_heads = sorai_field_int(&f, "num_heads", 64, 1, WIDEST);
    out->relative_attention_num_buckets = sorai_field_int(&f, "relative_attention_num_buckets", 32, 2, WIDEST);
    out->relative_attention_max_distance = sorai_field_int(&f, "relative_attention_max_distance", 128, 2, WIDEST);
    out->layer_norm_epsilon = sorai_field_number(&f, "layer_norm_epsilon", 1e-6);
    const char *kind = sorai_field_text(&f, "model_type", "umt5");
    out->shared_bias = strcmp(kind, "t5") == 0;
    const char *act = sorai_field_text(&f, "feed_forward_proj", "gated-gelu");
    if (f.status == SORA_OK && strcmp(act, "gated-gelu") != 0)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "text_encoder config: feed_forward_proj %.64s is not supported", act);
    return f.status == SORA_OK ? sorai_t5_config_check(out, err) : f.status;
}

int sorai_config_vision(json_t *json, sorai_vision_config *out, sora_error *err) {
    static const struct {
        const char *name;
        enum sorai_vision_act act;
    } acts[] = {{"gelu", SORAI_VISION_GELU},
                {"quick_gelu", SORAI_VISION_QUICK_GELU},
                {"gelu_new", SORAI_VISION_GELU_TANH},
                {"gelu_pytorch_tanh", SORAI_VISION_GELU_TANH}};
    sorai_fields f;
    SORA_TRY(begin(&f, json, "image_encoder", err));
    /* The config of a whole CLIP model holds that of its picture side. */
    json_t *inner = json_object_get(json, "vision_config");
    if (json_is_object(inner))
        f.object = inner;
    memset(out, 0, sizeof *out);
    out->hidden_size = sorai_field_int(&f, "hidden_size", 768, 1, WIDEST);
    out->intermediate_size = sorai_field_int(&f, "intermediate_size", 3072, 1, 4 * WIDEST);
    out->num_hidden_layers = sorai_field_int(&f, "num_hidden_layers", 12, 1, 1024);
    out->num_attention_heads = sorai_field_int(&f, "num_attention_heads", 12, 1, WIDEST);
    out->num_channels = sorai_field_int(&f, "num_channels", 3, 1, WIDEST);
    out->image_size = sorai_field_int(&f, "image_size", 224, 1, WIDEST);
    out->patch_size = sorai_field_int(&f, "patch_size", 32, 1, WIDEST);
    out->layer_norm_eps = sorai_field_number(&f, "layer_norm_eps", 1e-5);
    const char *act = sorai_field_text(&f, "hidden_act", "quick_gelu");
    size_t k = 0;
    while (k < sizeof acts / sizeof *acts && strcmp(acts[k].name, act) != 0)
        k++;
    if (f.status == SORA_OK && k == sizeof acts / sizeof *acts)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "image_encoder config: hidden_act %.64s is not supported", act);
    if (f.status == SORA_OK)
        out->hidden_act = acts[k].act;
    return f.status == SORA_OK ? sorai_vision_config_check(out, err) : f.status;
}

/* A size is a number, {"shortest_edge": n} or {"height": h, "width": w}; a number means the shorter side where `shortest` is given. */
static void read_size(sorai_fields *f, const char *name, int32_t *shortest, int32_t *height, int32_t *width) {
    json_t *value = json_object_get(f->object, name);
    if (!value || json_is_null(value))
        return;
    if (json_is_object(value)) {
        sorai_fields inner = {value, f->part, f->err, f->status};
        const int edge = shortest && json_object_get(value, "shortest_edge");
        if (edge) {
            *shortest = sorai_field_int(&inner, "shortest_edge", 0, 1, WIDEST);
        } else {
            *height = sorai_field_int(&inner, "height", *height, 1, WIDEST);
            *width = sorai_field_int(&inner, "width", *width, 1, WIDEST);
            if (shortest)
                *shortest = 0;
        }
        f->status = inner.status;
    } else {
        const int32_t n = sorai_field_int(f, name, 0, 1, WIDEST);
        if (shortest)
            *shortest = n;
        else
            *height = *width = n;
    }
}

int sorai_config_prepare(json_t *json, sorai_vision_prepare *out, sora_error *err) {
    sorai_fields f;
    SORA_TRY(begin(&f, json, "image_processor", err));
    sorai_vision_prepare_init(out);
    out->resize = sorai_field_bool(&f, "do_resize", 1);
    out->crop = sorai_field_bool(&f, "do_center_crop", 1);
    out->rescale = sorai_field_bool(&f, "do_rescale", 1);
    out->normalize = sorai_field_bool(&f, "do_normalize", 1);
    out->height = out->width = 224;
    read_size(&f, "size", &out->shortest, &out->height, &out->width);
    read_size(&f, "crop_size", NULL, &out->crop_height, &out->crop_width);
    out->filter = (enum sorai_filter)sorai_field_int(&f, "resample", SORAI_FILTER_BICUBIC, 0, SORAI_FILTER_HAMMING);
    out->factor = sorai_field_number(&f, "rescale_factor", 1.0 / 255.0);
    const char *const names[] = {"image_mean", "image_std"};
    for (int k = 0; k < 2; k++) {
        double values[3] = {0};
        const int32_t n = sorai_field_numbers(&f, names[k], values, 3, 0);
        if (f.status == SORA_OK && n != 0 && n != 3)
            return sorai_fail(err, SORA_E_FORMAT, "image_processor config: %s must have three numbers", names[k]);
        for (int32_t i = 0; i < n; i++)
            (k ? out->std : out->mean)[i] = (float)values[i];
    }
    for (int i = 0; i < 3 && f.status == SORA_OK; i++)
        if (!(out->std[i] > 0.0f))
            return sorai_fail(err, SORA_E_FORMAT, "image_processor config: image_std must be positive");
    return f.status;
}
