#include "lib/vae/blocks.h"

/* Channels repeated and laid out as new pixels (and frames): the shortcut past a level of 2.2. */
static sora_tensor *duplicate_up(sorai_exec *x, sora_tensor *in, int64_t out_dim, int32_t ft, int32_t fs, int first) {
    if (!in)
        return NULL;
    const int64_t *s = in->shape, factor = (int64_t)ft * fs * fs;
    const int64_t apart[8] = {s[0], s[1], s[2], s[3], out_dim, ft, fs, fs}, joined[5] = {s[0], s[1] * ft, s[2] * fs, s[3] * fs, out_dim};
    const int32_t axes[8] = {0, 1, 5, 2, 6, 3, 7, 4};
    in = sorai_repeat(x, in, 4, out_dim * factor / s[4]);
    in = sorai_reshape(x, sorai_permute(x, sorai_reshape(x, in, 8, apart), axes), 5, joined);
    return first && ft > 1 ? sorai_slice(x, in, 1, ft - 1, joined[1]) : in;
}

/* Every frame becomes two: the two halves of the channels of a convolution in time. */
static sora_tensor *double_time(sorai_exec *x, const sorai_vae_level *l, sorai_vae_stream *stream, sora_tensor *in) {
    const sorai_conv time = {.front_t = 2};
    sora_tensor *h = sorai_vae_conv_run(x, &l->time_conv, stream, in, &time, 2);
    if (!h)
        return NULL;
    const int64_t *s = in->shape, apart[6] = {s[0], s[1], s[2], s[3], 2, s[4]}, joined[5] = {s[0], 2 * s[1], s[2], s[3], s[4]};
    const int32_t axes[6] = {0, 1, 4, 2, 3, 5};
    return sorai_reshape(x, sorai_permute(x, sorai_reshape(x, h, 6, apart), axes), 5, joined);
}

static sora_tensor *upsample(sorai_exec *x, const sorai_vae_level *l, sorai_vae_stream *stream, sora_tensor *in, int first) {
    if (!in)
        return NULL;
    if (l->sample == SORAI_VAE_SPACE_TIME && !first) {
        in = double_time(x, l, stream, in);
    } else if (l->sample == SORAI_VAE_SPACE_TIME && in->shape[1] > 1) {
        /* The first frame of the clip stays one, and the convolution sees zeros in its place. */
        sora_tensor *parts[2] = {sorai_slice(x, in, 1, 0, 1), NULL};
        parts[1] = double_time(x, l, stream, sorai_slice(x, in, 1, 1, in->shape[1]));
        in = sorai_concat(x, parts, 2, 1);
    }
    const sorai_conv space = {.front_h = 1, .back_h = 1, .front_w = 1, .back_w = 1};
    return sorai_vae_conv_run(x, &l->resample, NULL, sorai_upsample_nearest(x, in, 1, 2, 2), &space, 0);
}

static sora_tensor *level_run(sorai_exec *x, const sorai_vae_config *c, const sorai_vae_level *l, sorai_vae_stream *stream, sora_tensor *in,
                              int first) {
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *h = in;
    for (int32_t j = 0; j < l->blocks; j++) {
        h = sorai_exec_rewind_keep(x, mark, sorai_vae_res_run(x, &l->res[j], stream, h));
        sorai_exec_poll(x);
    }
    if (l->sample == SORAI_VAE_KEEP)
        return h;
    h = upsample(x, l, stream, h, first);
    if (!c->is_residual)
        return h;
    h = sorai_exec_rewind_keep(x, mark, h);
    return sorai_add(x, h, duplicate_up(x, in, l->out_dim, l->sample == SORAI_VAE_SPACE_TIME ? 2 : 1, 2, first));
}

typedef struct decoding {
    sorai_exec *x;
    const sorai_vae *vae;
    sorai_vae_stream *stream;
    sora_tensor *out; /* NULL: the result is returned */
    int64_t frames;   /* of out that are filled */
} decoding;

static void append(decoding *d, const sora_tensor *part) {
    sora_tensor *out = d->out;
    if (!part || d->x->status != SORA_OK)
        return;
    const size_t frame = (size_t)(part->shape[2] * part->shape[3] * part->shape[4]) * sizeof(float), n = (size_t)part->shape[1];
    if (d->frames + part->shape[1] > out->shape[1]) {
        sorai_exec_fail(d->x, SORA_E_INTERNAL, "decoding gave more frames than it should");
        return;
    }
    for (int64_t b = 0; b < part->shape[0]; b++) {
        char *to = (char *)out->data + (size_t)(b * out->shape[1] + d->frames) * frame;
        const char *from = (const char *)part->data + (size_t)b * n * frame;
        if (d->x->device->copy(d->x->device, to, from, n * frame) != SORA_OK)
            sorai_exec_fail(d->x, SORA_E_BACKEND, "the device could not copy frames");
    }
    d->frames += part->shape[1];
}

/* From `level` to pictures. Since everything looks back only, a large result may go on frame by frame: the frames above are then
 * done before the next one below begins, and memory stays that of one frame. */
static sora_tensor *decode_from(decoding *d, sora_tensor *h, int32_t level) {
    sorai_exec *x = d->x;
    const sorai_vae_config *c = &d->vae->config;
    const sorai_vae_net *n = &d->vae->decoder;
    const sorai_exec_mark mark = sorai_exec_here(x);
    const size_t split = d->stream && d->stream->split_bytes > 0 ? (size_t)d->stream->split_bytes : (size_t)32 << 20;
    for (; h && level < c->levels; level++) {
        if (d->stream && h->shape[1] > 1 && sorai_tensor_bytes(h) > split) {
            for (int64_t f = 0; f < h->shape[1] && x->status == SORA_OK; f++) {
                const sorai_exec_mark inner = sorai_exec_here(x);
                decode_from(d, sorai_slice(x, h, 1, f, f + 1), level);
                sorai_exec_rewind(x, inner);
            }
            return NULL;
        }
        const int first = sorai_vae_first(d->stream, level);
        h = sorai_exec_rewind_keep(x, mark, level_run(x, c, &n->level[level], d->stream, h, first));
        if (d->stream)
            d->stream->started[level] = 1;
    }
    h = sorai_vae_conv_same(x, &n->conv_out, d->stream, n->norm_out, h);
    h = sorai_vae_unpatchify(x, h, c->patch_size);
    if (!d->out)
        return sorai_exec_rewind_keep(x, mark, h);
    append(d, h);
    return NULL;
}

sora_tensor *sorai_vae_decode(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *latent) {
    const sorai_vae_config *c = &vae->config;
    const sorai_vae_net *n = &vae->decoder;
    if (!latent || x->status != SORA_OK)
        return NULL;
    if (!n->bound || (stream && x->tape))
        return sorai_exec_fail(x, SORA_E_STATE, "this autoencoder can't decode here");
    if (latent->rank != 5 || latent->shape[0] < 1 || latent->shape[1] < 1 || latent->shape[4] != c->z_dim)
        return sorai_exec_fail(x, SORA_E_INVALID, "latents are [batch, frames, height, width, %d]", (int)c->z_dim);
    const int64_t *s = latent->shape, space = sorai_vae_space_factor(c), time = sorai_vae_time_factor(c);
    decoding d = {x, vae, stream, NULL, 0};
    if (stream) {
        const int64_t shape[5] = {s[0], s[1] * time - (stream->pieces == 0 ? time - 1 : 0), s[2] * space, s[3] * space, 3};
        if (!(d.out = sorai_temp(x, 5, shape)))
            return NULL;
    }
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *h = sorai_vae_conv_same(x, &n->quant, NULL, NULL, latent);
    h = sorai_vae_conv_same(x, &n->conv_in, stream, NULL, h);
    h = sorai_exec_rewind_keep(x, mark, sorai_vae_middle(x, n, stream, h));
    h = decode_from(&d, h, 0);
    if (!stream)
        return sorai_exec_rewind_keep(x, mark, h);
    sorai_exec_rewind(x, mark);
    stream->pieces++;
    if (x->status == SORA_OK && d.frames != d.out->shape[1])
        return sorai_exec_fail(x, SORA_E_INTERNAL, "decoding gave fewer frames than it should");
    return x->status == SORA_OK ? d.out : NULL;
}
