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
    }
    if (l->sample == SORAI_VAE_KEEP)
        return h;
    h = upsample(x, l, stream, h, first);
    if (!c->is_residual)
        return h;
    h = sorai_exec_rewind_keep(x, mark, h);
    return sorai_add(x, h, duplicate_up(x, in, l->out_dim, l->sample == SORAI_VAE_SPACE_TIME ? 2 : 1, 2, first));
}

/* ---- windows ---------------------------------------------------------------------------------------------------------------- */

/* What a window needs of one axis: of each level's input, and of the input of conv_out (the last). Convolutions of three look one further on
 * each side, and what is computed there from zeros that are not the frame's own border is cut off again level by level: so a window has the
 * same bits as the same place of the whole. */
static void spans(const sorai_vae *vae, int64_t begin, int64_t size, int64_t whole, sorai_vae_span *out) {
    const int32_t levels = vae->config.levels;
    sorai_vae_span s = {begin << (levels - 1), (begin + size) << (levels - 1)};
    out[levels] = s;
    int64_t reach = 1; /* conv_out */
    for (int32_t i = levels - 1; i >= 0; i--) {
        if (i < levels - 1) {
            s = (sorai_vae_span){(s.begin - 1) / 2, (s.end + 2) / 2}; /* the enlarging convolution, on pixels that are doubled */
            reach = 0;
        }
        reach += 2 * vae->decoder.level[i].blocks;
        out[i] = s = sorai_vae_widen(s, reach, whole << i);
    }
}

typedef struct decoding {
    sorai_exec *x;
    const sorai_vae *vae;
    sorai_vae_stream *stream;
    sora_tensor *out; /* NULL: the result is returned */
    int64_t frames;   /* of out that are filled */
    sorai_vae_span y[SORAI_VAE_MAX_LEVELS + 1], w[SORAI_VAE_MAX_LEVELS + 1];
} decoding;

/* `in` begins at (y, w) of the frame: what of it stage i takes. */
static sora_tensor *cut(const decoding *d, sora_tensor *in, int64_t y, int64_t w, int32_t i) {
    return sorai_vae_cut(d->x, in, y, w, d->y[i], d->w[i]);
}

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
        const int64_t twice = n->level[level].sample == SORAI_VAE_KEEP ? 1 : 2;
        h = level_run(x, c, &n->level[level], d->stream, h, first);
        if (level + 1 < c->levels)
            h = cut(d, h, twice * d->y[level].begin, twice * d->w[level].begin, level + 1);
        h = sorai_exec_rewind_keep(x, mark, h);
        if (d->stream)
            d->stream->started[level] = 1;
    }
    h = sorai_vae_conv_same(x, &n->conv_out, d->stream, n->norm_out, h);
    h = cut(d, h, d->y[c->levels - 1].begin, d->w[c->levels - 1].begin, c->levels);
    h = sorai_vae_unpatchify(x, h, c->patch_size);
    if (!d->out)
        return sorai_exec_rewind_keep(x, mark, h);
    append(d, h);
    return NULL;
}

static int can_decode(sorai_exec *x, const sorai_vae *vae, const sorai_vae_stream *stream) {
    if (vae->decoder.bound && !(stream && x->tape))
        return 1;
    sorai_exec_fail(x, SORA_E_STATE, "this autoencoder can't decode here");
    return 0;
}

sora_tensor *sorai_vae_decode_middle(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *latent) {
    const sorai_vae_net *n = &vae->decoder;
    if (!latent || x->status != SORA_OK || !can_decode(x, vae, stream))
        return NULL;
    if (latent->rank != 5 || latent->shape[0] < 1 || latent->shape[1] < 1 || latent->shape[4] != vae->config.z_dim)
        return sorai_exec_fail(x, SORA_E_INVALID, "latents are [batch, frames, height, width, %d]", (int)vae->config.z_dim);
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *h = sorai_vae_conv_same(x, &n->quant, NULL, NULL, latent);
    h = sorai_vae_conv_same(x, &n->conv_in, stream, NULL, h);
    return sorai_exec_rewind_keep(x, mark, sorai_vae_middle(x, n, stream, h));
}

sora_tensor *sorai_vae_decode_window(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *middle,
                                     const sorai_vae_window *window) {
    const sorai_vae_config *c = &vae->config;
    if (!middle || x->status != SORA_OK || !can_decode(x, vae, stream))
        return NULL;
    const int64_t *s = middle->shape, space = sorai_vae_space_factor(c), time = sorai_vae_time_factor(c);
    const sorai_vae_window all = {0, 0, s[2], s[3]}, *at = window ? window : &all;
    if (at->y < 0 || at->x < 0 || at->h < 1 || at->w < 1 || at->y > s[2] - at->h || at->x > s[3] - at->w)
        return sorai_exec_fail(x, SORA_E_INVALID, "a window lies within the latent");
    decoding d = {.x = x, .vae = vae, .stream = stream};
    spans(vae, at->y, at->h, s[2], d.y);
    spans(vae, at->x, at->w, s[3], d.w);
    if (stream) {
        const int64_t shape[5] = {s[0], s[1] * time - (stream->pieces == 0 ? time - 1 : 0), at->h * space, at->w * space, 3};
        if (!(d.out = sorai_temp(x, 5, shape)))
            return NULL;
    }
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *h = decode_from(&d, cut(&d, middle, 0, 0, 0), 0);
    if (!stream)
        return sorai_exec_rewind_keep(x, mark, h);
    sorai_exec_rewind(x, mark);
    stream->pieces++;
    if (x->status == SORA_OK && d.frames != d.out->shape[1])
        return sorai_exec_fail(x, SORA_E_INTERNAL, "decoding gave fewer frames than it should");
    return x->status == SORA_OK ? d.out : NULL;
}

sora_tensor *sorai_vae_decode(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *latent) {
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *middle = sorai_vae_decode_middle(x, vae, stream, latent);
    return sorai_exec_rewind_keep(x, mark, sorai_vae_decode_window(x, vae, stream, middle, NULL));
}
