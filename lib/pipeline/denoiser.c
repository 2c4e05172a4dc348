#include "lib/pipeline/denoiser.h"

#include "lib/ops/ops.h"

sorai_kind sorai_kind_of(const sora_model *m, enum sorai_model_net net) {
    if (net == SORAI_NET_LTX) {
        const sorai_ltx_config *c = &m->ltx_config;
        const int32_t joined = c->patch_size * c->patch_size * c->patch_size_t;
        return (sorai_kind){{c->patch_size_t, c->patch_size, c->patch_size}, c->in_channels / joined, c->out_channels / joined,
                            c->caption_channels, (int64_t)c->num_attention_heads * c->attention_head_dim};
    }
    const sorai_dit_config *c = net == SORAI_NET_TRANSFORMER_2 ? &m->dit2_config : &m->dit_config;
    return (sorai_kind){{c->patch_size[0], c->patch_size[1], c->patch_size[2]}, c->in_channels, c->out_channels, c->text_dim,
                        (int64_t)c->num_attention_heads * c->attention_head_dim};
}

int64_t sorai_kind_tokens(const sorai_kind *kind, const int64_t *latent) {
    return latent[1] / kind->patch[0] * (latent[2] / kind->patch[1]) * (latent[3] / kind->patch[2]);
}

sorai_denoiser sorai_denoiser_of(const sora_model *m, enum sorai_model_net net, double fps) {
    if (net != SORAI_NET_LTX)
        return (sorai_denoiser){.dit = sorai_model_dit(m, net)};
    const double space = sorai_model_space_factor(m), rate = fps > 0.0 ? fps : m->defaults.fps;
    return (sorai_denoiser){.ltx = &m->ltx,
                            .places = {.scale = {sorai_model_time_factor(m) / rate, space, space}, .first = m->keyframes, .rate = rate}};
}

sorai_prompt sorai_denoiser_prepare(sorai_exec *x, const sorai_denoiser *d, sora_tensor *text, sora_tensor *image, const int32_t *lengths) {
    sorai_prompt prompt = {0};
    if (d->ltx)
        prompt.ltx = sorai_ltx_prepare(x, d->ltx, text, lengths);
    else
        prompt.dit = sorai_dit_prepare(x, d->dit, text, image);
    prompt.batch = prompt.ltx ? prompt.ltx->batch : prompt.dit ? prompt.dit->batch : 0;
    return prompt;
}

sorai_prompt sorai_denoiser_sample(sorai_exec *x, const sorai_prompt *prompt, int64_t i) {
    sorai_prompt one = {.batch = 1};
    if (prompt->ltx)
        one.ltx = sorai_ltx_prompt_sample(x, prompt->ltx, i);
    else
        one.dit = sorai_dit_prompt_sample(x, prompt->dit, i);
    return one.ltx || one.dit ? one : (sorai_prompt){0};
}

int32_t sorai_text_length(const sora_tensor *text) {
    const int64_t d = text->shape[1];
    int64_t n = text->shape[0];
    for (; n > 1; n--) {
        const float *row = (const float *)text->data + (n - 1) * d;
        int64_t i = 0;
        while (i < d && row[i] == 0.0f)
            i++;
        if (i < d)
            break;
    }
    return (int32_t)n;
}

sora_tensor *sorai_denoiser_forward(sorai_exec *x, const sorai_denoiser *d, sora_tensor *latent, const sorai_dit_control *control,
                                    const float *times, int64_t groups, const sorai_prompt *prompt, const sorai_step_cache *cache) {
    if (d->dit)
        return sorai_dit_forward_control(x, d->dit, latent, control, times, groups, prompt->dit, cache);
    sorai_ltx_places places = d->places;
    places.keys = d->keys.latent ? &d->keys : NULL;
    return sorai_ltx_forward(x, d->ltx, latent, times, groups, &places, prompt->ltx, cache);
}

sora_tensor *sorai_denoiser_time(sorai_exec *x, const sorai_denoiser *d, float timestep) {
    return d->dit ? sorai_dit_time(x, d->dit, timestep) : sorai_ltx_told(x, d->ltx, timestep);
}
