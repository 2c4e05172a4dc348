#include <string.h>

#include "lib/vae/blocks.h"

/* Mean over groups of neighbouring channels and the pixels (and frames) that become one: the shortcut past a level of 2.2. */
static sora_tensor *average_down(sorai_exec *x, sora_tensor *in, int64_t out_dim, int32_t ft, int32_t fs) {
    if (!in)
        return NULL;
    if (ft > 1 && in->shape[1] % ft) /* the first frame is joined by zeros, which count in the mean */
        in = sorai_pad_front(x, in, 1, ft - in->shape[1] % ft);
    if (!in || (ft == 1 && fs == 1 && in->shape[4] == out_dim))
        return in;
    const int64_t *s = in->shape, t = s[1] / ft, h = s[2] / fs, w = s[3] / fs, c = s[4];
    const int64_t apart[7] = {s[0] * t, ft, h, fs, w, fs, c}, group[2] = {s[0] * t * h * w * out_dim, c * ft * fs * fs / out_dim};
    const int64_t joined[5] = {s[0], t, h, w, out_dim};
    const int32_t axes[7] = {0, 2, 4, 6, 1, 3, 5};
    in = sorai_permute(x, sorai_reshape(x, in, 7, apart), axes);
    return sorai_reshape(x, sorai_mean_axis(x, sorai_reshape(x, in, 2, group), 1), 5, joined);
}

static sora_tensor *downsample(sorai_exec *x, const sorai_vae_level *l, sorai_vae_stream *stream, sora_tensor *in, int first) {
    /* Zeros right and below only. */
    const sorai_conv space = {.stride_h = 2, .stride_w = 2, .back_h = 1, .back_w = 1};
    in = sorai_vae_conv_run(x, &l->resample, NULL, in, &space, 0);
    if (!in || l->sample != SORAI_VAE_SPACE_TIME)
        return in;
    /* Output k looks at frames 2k - 2 .. 2k; the first frame of the clip passes as it is. */
    if (!first) {
        const sorai_conv time = {.stride_t = 2, .front_t = 1};
        return sorai_vae_conv_run(x, &l->time_conv, stream, in, &time, 1);
    }
    sora_tensor *parts[2] = {sorai_slice(x, in, 1, 0, 1), NULL};
    const sorai_conv time = {.stride_t = 2};
    if (in->shape[1] >= 3)
        parts[1] = sorai_vae_conv_run(x, &l->time_conv, NULL, in, &time, 0);
    if (stream)
        sorai_vae_remember(x, stream, l->time_conv.slot, in, 1);
    return in->shape[1] >= 3 ? sorai_concat(x, parts, 2, 1) : parts[0];
}

static sora_tensor *level_run(sorai_exec *x, const sorai_vae_config *c, const sorai_vae_level *l, sorai_vae_stream *stream, sora_tensor *in,
                              int first) {
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *h = in;
    for (int32_t j = 0; j < l->blocks; j++) {
        h = sorai_exec_rewind_keep(x, mark, sorai_vae_res_run(x, &l->res[j], stream, h));
        if (l->attention[j].norm)
            h = sorai_exec_rewind_keep(x, mark, sorai_vae_attention_run(x, &l->attention[j], h));
    }
    if (l->sample != SORAI_VAE_KEEP)
        h = sorai_exec_rewind_keep(x, mark, downsample(x, l, stream, h, first));
    if (c->is_residual) {
        const int32_t ft = l->sample == SORAI_VAE_SPACE_TIME ? 2 : 1, fs = l->sample == SORAI_VAE_KEEP ? 1 : 2;
        h = sorai_add(x, h, average_down(x, in, l->out_dim, ft, fs));
    }
    return h;
}

sora_tensor *sorai_vae_encode(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *video, sora_tensor **logvar) {
    const sorai_vae_config *c = &vae->config;
    const sorai_vae_net *n = &vae->encoder;
    const int32_t space = sorai_vae_space_factor(c), time = sorai_vae_time_factor(c);
    if (logvar)
        *logvar = NULL;
    if (!video || x->status != SORA_OK)
        return NULL;
    if (!n->bound || (stream && x->tape))
        return sorai_exec_fail(x, SORA_E_STATE, "this autoencoder can't encode here");
    if (video->rank != 5 || video->shape[0] < 1 || video->shape[4] != 3)
        return sorai_exec_fail(x, SORA_E_INVALID, "a video to encode is [batch, frames, height, width, 3]");
    if (video->shape[2] < space || video->shape[3] < space || video->shape[2] % space || video->shape[3] % space)
        return sorai_exec_fail(x, SORA_E_INVALID, "height and width to encode must be multiples of %d", (int)space);
    const int first = !stream || stream->pieces == 0;
    if (video->shape[1] < 1 || (video->shape[1] - first) % time)
        return sorai_exec_fail(x, SORA_E_INVALID, "frames to encode must be %d n%s", (int)time, first ? " + 1" : "");
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *h = sorai_vae_patchify(x, video, c->patch_size);
    h = sorai_exec_rewind_keep(x, mark, sorai_vae_conv_same(x, &n->conv_in, stream, NULL, h));
    for (int32_t i = 0; i < c->levels; i++)
        h = sorai_exec_rewind_keep(x, mark, level_run(x, c, &n->level[i], stream, h, first));
    h = sorai_vae_middle(x, n, stream, h);
    h = sorai_vae_conv_same(x, &n->conv_out, stream, n->norm_out, h);
    h = sorai_exec_rewind_keep(x, mark, sorai_vae_conv_same(x, &n->quant, NULL, NULL, h));
    if (stream)
        stream->pieces++;
    sora_tensor *mean = sorai_slice(x, h, 4, 0, c->z_dim);
    if (logvar)
        *logvar = sorai_clamp(x, sorai_slice(x, h, 4, c->z_dim, 2 * c->z_dim), -30.0, 20.0);
    return mean;
}

/* in * scale + shift per channel. */
static sora_tensor *affine(sorai_exec *x, sora_tensor *in, int32_t z, const float *scale, const float *shift) {
    if (!in || x->status != SORA_OK)
        return NULL;
    if (in->rank != 5 || in->shape[4] != z)
        return sorai_exec_fail(x, SORA_E_INVALID, "latents are [batch, frames, height, width, %d]", (int)z);
    const int64_t b = in->shape[0], rows[3] = {b, in->shape[1] * in->shape[2] * in->shape[3], z}, one[3] = {1, 1, z}, shape[1] = {z};
    float gate[SORAI_VAE_MAX_Z];
    for (int32_t i = 0; i < z; i++)
        gate[i] = scale[i] - 1.0f; /* in + (scale - 1) in */
    sora_tensor *g = sorai_repeat(x, sorai_upload(x, SORA_DTYPE_F32, 3, one, gate), 0, b);
    sora_tensor *flat = sorai_reshape(x, in, 3, rows);
    flat = sorai_add_broadcast(x, sorai_gate_add(x, flat, flat, g), sorai_upload(x, SORA_DTYPE_F32, 1, shape, shift));
    return sorai_reshape(x, flat, 5, in->shape);
}

sora_tensor *sorai_vae_normalize(sorai_exec *x, const sorai_vae *vae, sora_tensor *mean) {
    const sorai_vae_config *c = &vae->config;
    float scale[SORAI_VAE_MAX_Z], shift[SORAI_VAE_MAX_Z];
    for (int32_t i = 0; i < c->z_dim; i++) {
        scale[i] = 1.0f / c->latents_std[i];
        shift[i] = -c->latents_mean[i] / c->latents_std[i];
    }
    return affine(x, mean, c->z_dim, scale, shift);
}

sora_tensor *sorai_vae_denormalize(sorai_exec *x, const sorai_vae *vae, sora_tensor *latent) {
    return affine(x, latent, vae->config.z_dim, vae->config.latents_std, vae->config.latents_mean);
}
