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

static sora_tensor *halve_time(sorai_exec *x, const sorai_vae_level *l, sorai_vae_stream *stream, sora_tensor *in, int first) {
    if (!in)
        return NULL;
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

/* ---- windows ---------------------------------------------------------------------------------------------------------------- */

typedef struct sides {
    sorai_vae_span y[SORAI_VAE_MAX_LEVELS + 1], x[SORAI_VAE_MAX_LEVELS + 1];
} sides;

/* What a window needs of one axis: of the input of each level up to the last, and of conv_in's (behind them). As in decode.c what is computed
 * from zeros that are not the frame's own border is cut off again level by level. */
static void spans(const sorai_vae *vae, int64_t begin, int64_t size, int64_t whole, sorai_vae_span *out) {
    const int32_t last = vae->config.levels - 1;
    sorai_vae_span s = out[last] = (sorai_vae_span){begin, begin + size};
    for (int32_t i = last - 1; i >= 0; i--) {
        s = (sorai_vae_span){2 * s.begin, 2 * s.end + 1}; /* the halving convolution looks right and below */
        out[i] = s = sorai_vae_widen(s, 2 * vae->encoder.level[i].blocks, whole << (last - i));
    }
    out[last + 1] = sorai_vae_widen(s, 1, whole << last);
}

static sides sides_of(const sorai_vae *vae, const int64_t size[2], const sorai_vae_window *at) {
    sides s;
    spans(vae, at->y, at->h, size[0], s.y);
    spans(vae, at->x, at->w, size[1], s.x);
    return s;
}

sorai_vae_window sorai_vae_encode_reach(const sorai_vae *vae, const int64_t size[2], const sorai_vae_window *window) {
    const int64_t levels = vae->config.levels, p = vae->config.patch_size > 1 ? vae->config.patch_size : 1;
    const sides s = sides_of(vae, size, window);
    const sorai_vae_span y = s.y[levels], x = s.x[levels];
    return (sorai_vae_window){p * y.begin, p * x.begin, p * (y.end - y.begin), p * (x.end - x.begin)};
}

/* ---- levels ----------------------------------------------------------------------------------------------------------------- */

typedef struct encoding {
    sorai_exec *x;
    const sorai_vae *vae;
    sorai_vae_stream *stream;
    int first; /* the piece begins the clip */
    sides sides;
} encoding;

static sora_tensor *begin_run(const encoding *e, sora_tensor *video) {
    const sides *s = &e->sides;
    const int32_t levels = e->vae->config.levels;
    sora_tensor *h = sorai_vae_patchify(e->x, video, e->vae->config.patch_size);
    h = sorai_vae_conv_same(e->x, &e->vae->encoder.conv_in, e->stream, NULL, h);
    return sorai_vae_cut(e->x, h, s->y[levels].begin, s->x[levels].begin, s->y[0], s->x[0]);
}

static int joins_time(const encoding *e, int32_t i) { return e->vae->encoder.level[i].sample == SORAI_VAE_SPACE_TIME; }

/* The first level goes together with conv_in, unless its shortcut joins frames of what that gives or it belongs to the middle. */
static int takes_pixels(const encoding *e, int32_t i) { return i == 0 && e->vae->config.levels > 1 && !(e->vae->config.is_residual && joins_time(e, 0)); }

/* A level as far as it joins no frames. */
static sora_tensor *level_space(const encoding *e, int32_t i, sora_tensor *in) {
    sorai_exec *x = e->x;
    const sorai_vae_level *l = &e->vae->encoder.level[i];
    const sorai_exec_mark mark = sorai_exec_here(x);
    if (takes_pixels(e, i))
        in = sorai_exec_rewind_keep(x, mark, begin_run(e, in));
    const sorai_exec_mark inner = sorai_exec_here(x);
    sora_tensor *h = in;
    for (int32_t j = 0; j < l->blocks; j++) {
        h = sorai_exec_rewind_keep(x, inner, sorai_vae_res_run(x, &l->res[j], e->stream, h));
        if (l->attention[j].norm)
            h = sorai_exec_rewind_keep(x, inner, sorai_vae_attention_run(x, &l->attention[j], h));
    }
    /* Zeros right and below only. */
    const sorai_conv space = {.stride_h = 2, .stride_w = 2, .back_h = 1, .back_w = 1};
    if (l->sample != SORAI_VAE_KEEP)
        h = sorai_exec_rewind_keep(x, inner, sorai_vae_conv_run(x, &l->resample, NULL, h, &space, 0));
    if (e->vae->config.is_residual && !joins_time(e, i))
        h = sorai_add(x, h, average_down(x, in, l->out_dim, 1, l->sample == SORAI_VAE_KEEP ? 1 : 2));
    return h;
}

/* The same, one frame after the other: since everything looks back only, memory is that of one frame. */
static sora_tensor *frame_by_frame(const encoding *e, int32_t i, sora_tensor *in, int64_t h, int64_t w) {
    sorai_exec *x = e->x;
    const sorai_vae_level *l = &e->vae->encoder.level[i];
    const int64_t by = l->sample == SORAI_VAE_KEEP ? 1 : 2, shape[5] = {in->shape[0], in->shape[1], h / by, w / by, l->out_dim};
    sora_tensor *out = sorai_temp(x, 5, shape);
    const sorai_exec_mark mark = sorai_exec_here(x);
    for (int64_t f = 0; out && f < shape[1] && x->status == SORA_OK; f++) {
        sorai_copy_range(x, level_space(e, i, sorai_slice(x, in, 1, f, f + 1)), 0, out, f, 1, 1);
        sorai_exec_rewind(x, mark);
    }
    return x->status == SORA_OK ? out : NULL;
}

static sora_tensor *level_run(const encoding *e, int32_t i, sora_tensor *in) {
    sorai_exec *x = e->x;
    const sorai_vae_level *l = &e->vae->encoder.level[i];
    const int64_t split = e->stream && e->stream->split_bytes > 0 ? e->stream->split_bytes : (int64_t)32 << 20;
    const int64_t rows = e->sides.y[i].end - e->sides.y[i].begin, columns = e->sides.x[i].end - e->sides.x[i].begin;
    if (!in)
        return NULL;
    const sorai_exec_mark mark = sorai_exec_here(x);
    const int64_t t = in->shape[1], bytes = in->shape[0] * t * rows * columns * l->in_dim * (int64_t)sizeof(float);
    sora_tensor *h = e->stream && t > 1 && bytes > split ? frame_by_frame(e, i, in, rows, columns) : level_space(e, i, in);
    if (!joins_time(e, i))
        return h;
    h = sorai_exec_rewind_keep(x, mark, halve_time(x, l, e->stream, h, e->first));
    return e->vae->config.is_residual ? sorai_add(x, h, average_down(x, in, l->out_dim, 2, 2)) : h;
}

static int can_encode(sorai_exec *x, const sorai_vae *vae, const sorai_vae_stream *stream) {
    if (vae->encoder.bound && !(stream && x->tape))
        return 1;
    sorai_exec_fail(x, SORA_E_STATE, "this autoencoder can't encode here");
    return 0;
}

sora_tensor *sorai_vae_encode_window(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *video, const int64_t size[2],
                                     const sorai_vae_window *window) {
    const sorai_vae_config *c = &vae->config;
    const int32_t time = sorai_vae_time_factor(c), last = c->levels - 1;
    if (!video || x->status != SORA_OK || !can_encode(x, vae, stream))
        return NULL;
    if (window->y < 0 || window->x < 0 || window->h < 1 || window->w < 1 || window->y > size[0] - window->h || window->x > size[1] - window->w)
        return sorai_exec_fail(x, SORA_E_INVALID, "a window lies within the latent");
    if ((window->h < size[0] || window->w < size[1]) && !sorai_vae_encodes_windows(c))
        return sorai_exec_fail(x, SORA_E_UNSUPPORTED, "this autoencoder sees whole frames");
    const sorai_vae_window reach = sorai_vae_encode_reach(vae, size, window);
    if (video->rank != 5 || video->shape[0] < 1 || video->shape[2] != reach.h || video->shape[3] != reach.w || video->shape[4] != 3)
        return sorai_exec_fail(x, SORA_E_INVALID, "a video to encode is [batch, frames, height, width, 3]");
    const int first = !stream || stream->pieces == 0;
    if (video->shape[1] < 1 || (video->shape[1] - first) % time)
        return sorai_exec_fail(x, SORA_E_INVALID, "frames to encode must be %d n%s", (int)time, first ? " + 1" : "");
    const encoding e = {x, vae, stream, first, sides_of(vae, size, window)};
    const sides *s = &e.sides;
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *h = video;
    if (!takes_pixels(&e, 0))
        h = sorai_exec_rewind_keep(x, mark, begin_run(&e, h));
    for (int32_t i = 0; i < last; i++) {
        h = level_run(&e, i, h);
        h = sorai_exec_rewind_keep(x, mark, sorai_vae_cut(x, h, s->y[i].begin / 2, s->x[i].begin / 2, s->y[i + 1], s->x[i + 1]));
    }
    if (stream)
        stream->pieces++;
    return h;
}

sora_tensor *sorai_vae_encode_middle(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *front, sora_tensor **logvar) {
    const sorai_vae_config *c = &vae->config;
    const sorai_vae_net *n = &vae->encoder;
    if (logvar)
        *logvar = NULL;
    if (!front || x->status != SORA_OK || !can_encode(x, vae, stream))
        return NULL;
    const encoding e = {x, vae, stream, 0, {{{0}}, {{0}}}};
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *h = sorai_exec_rewind_keep(x, mark, level_space(&e, c->levels - 1, front));
    h = sorai_vae_middle(x, n, stream, h);
    h = sorai_vae_conv_same(x, &n->conv_out, stream, n->norm_out, h);
    h = sorai_exec_rewind_keep(x, mark, sorai_vae_conv_same(x, &n->quant, NULL, NULL, h));
    sora_tensor *mean = sorai_slice(x, h, 4, 0, c->z_dim);
    if (logvar)
        *logvar = sorai_clamp(x, sorai_slice(x, h, 4, c->z_dim, 2 * c->z_dim), -30.0, 20.0);
    return mean;
}

sora_tensor *sorai_vae_encode(sorai_exec *x, const sorai_vae *vae, sorai_vae_stream *stream, sora_tensor *video, sora_tensor **logvar) {
    const int32_t space = sorai_vae_space_factor(&vae->config);
    if (logvar)
        *logvar = NULL;
    if (!video || x->status != SORA_OK)
        return NULL;
    if (video->rank != 5 || video->shape[2] < space || video->shape[3] < space || video->shape[2] % space || video->shape[3] % space)
        return sorai_exec_fail(x, SORA_E_INVALID, "a video to encode is [batch, frames, height, width, 3], sides multiples of %d", (int)space);
    const int64_t size[2] = {video->shape[2] / space, video->shape[3] / space};
    const sorai_vae_window all = {0, 0, size[0], size[1]};
    return sorai_vae_encode_middle(x, vae, stream, sorai_vae_encode_window(x, vae, stream, video, size, &all), logvar);
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
