#include "lib/vae/blocks.h"

#include <math.h>
#include <string.h>

void sorai_vae_remember(sorai_exec *x, sorai_vae_stream *s, int32_t slot, const sora_tensor *frames, int64_t keep) {
    if (!frames || x->status != SORA_OK)
        return;
    sora_tensor *t = s->slot[slot].frames;
    const int64_t *f = frames->shape;
    if (t && (t->device != x->device || s->slot[slot].capacity < keep || t->shape[0] != f[0] || memcmp(t->shape + 2, f + 2, 3 * sizeof *f))) {
        sorai_tensor_unref(&s->slot[slot].frames);
        t = NULL;
    }
    if (!t) {
        const int64_t shape[5] = {f[0], 2, f[2], f[3], f[4]};
        sora_error err;
        err.struct_size = 0;
        const int status = sorai_device_tensor(&t, s->mem, x->device, SORA_DTYPE_F32, 5, shape, &err);
        if (status != SORA_OK) {
            sorai_exec_fail(x, status, "%s", err.message);
            return;
        }
        s->slot[slot].frames = t;
        s->slot[slot].capacity = 2;
    }
    t->shape[1] = keep;
    s->slot[slot].valid = 1;
    sorai_copy_range(x, frames, f[1] - keep, t, 0, keep, 1);
}

sora_tensor *sorai_vae_conv_run(sorai_exec *x, const sorai_vae_conv *c, sorai_vae_stream *stream, sora_tensor *in, const sorai_conv *conv,
                                int32_t keep) {
    if (!stream || c->slot < 0)
        return sorai_conv3d(x, in, NULL, c->weight, c->bias, conv);
    sora_tensor *history = stream->slot[c->slot].valid ? stream->slot[c->slot].frames : NULL;
    sora_tensor *out = sorai_conv3d(x, in, history, c->weight, c->bias, conv);
    if (!out)
        return NULL;
    const int64_t t = in->shape[1];
    const sorai_exec_mark mark = sorai_exec_here(x);
    if (t >= keep) {
        sorai_vae_remember(x, stream, c->slot, in, keep);
    } else if (!history) {
        sorai_vae_remember(x, stream, c->slot, in, t);
    } else {
        const int64_t n = history->shape[1], more = n < keep - t ? n : keep - t;
        sora_tensor *parts[2] = {sorai_slice(x, history, 1, n - more, n), in};
        sorai_vae_remember(x, stream, c->slot, sorai_concat(x, parts, 2, 1), more + t);
    }
    sorai_exec_rewind(x, mark);
    return out;
}

sora_tensor *sorai_vae_conv_same(sorai_exec *x, const sorai_vae_conv *c, sorai_vae_stream *stream, sorai_param *norm, sora_tensor *in) {
    if (norm)
        in = sorai_channel_norm(x, in, norm, SORAI_ACT_SILU);
    const int32_t rank = c->weight->value->rank;
    const int32_t kt = rank == 5 ? (int32_t)c->weight->value->shape[2] : 1, k = (int32_t)c->weight->value->shape[rank - 1];
    const sorai_conv conv = {.front_t = kt - 1, .front_h = k / 2, .back_h = k / 2, .front_w = k / 2, .back_w = k / 2};
    return sorai_vae_conv_run(x, c, stream, in, &conv, 2);
}

sora_tensor *sorai_vae_res_run(sorai_exec *x, const sorai_vae_res *r, sorai_vae_stream *stream, sora_tensor *in) {
    sora_tensor *shortcut = r->shortcut.weight ? sorai_vae_conv_same(x, &r->shortcut, NULL, NULL, in) : in;
    sora_tensor *h = sorai_vae_conv_same(x, &r->conv1, stream, r->norm1, in);
    return sorai_add(x, sorai_vae_conv_same(x, &r->conv2, stream, r->norm2, h), shortcut);
}

sora_tensor *sorai_vae_attention_run(sorai_exec *x, const sorai_vae_attention *a, sora_tensor *in) {
    sora_tensor *h = sorai_channel_norm(x, in, a->norm, SORAI_ACT_NONE);
    h = sorai_vae_conv_same(x, &a->qkv, NULL, NULL, h);
    if (!h)
        return NULL;
    const int64_t c = in->shape[4], shape[4] = {in->shape[0] * in->shape[1], in->shape[2] * in->shape[3], 1, 3 * c};
    h = sorai_reshape(x, h, 4, shape);
    sora_tensor *q = sorai_slice(x, h, 3, 0, c), *k = sorai_slice(x, h, 3, c, 2 * c), *v = sorai_slice(x, h, 3, 2 * c, 3 * c);
    h = sorai_attention(x, q, k, v, 1.0 / sqrt((double)c), NULL, NULL);
    h = sorai_reshape(x, h, 5, in->shape);
    return sorai_add(x, in, sorai_vae_conv_same(x, &a->proj, NULL, NULL, h));
}

sora_tensor *sorai_vae_middle(sorai_exec *x, const sorai_vae_net *n, sorai_vae_stream *stream, sora_tensor *in) {
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *h = sorai_exec_rewind_keep(x, mark, sorai_vae_res_run(x, &n->mid[0], stream, in));
    h = sorai_exec_rewind_keep(x, mark, sorai_vae_attention_run(x, &n->mid_attention, h));
    return sorai_exec_rewind_keep(x, mark, sorai_vae_res_run(x, &n->mid[1], stream, h));
}

sorai_vae_span sorai_vae_widen(sorai_vae_span s, int64_t reach, int64_t whole) {
    s = (sorai_vae_span){(s.begin - reach) & ~INT64_C(1), (s.end + reach + 1) & ~INT64_C(1)};
    s.begin = s.begin > 0 ? s.begin : 0;
    s.end = s.end < whole ? s.end : whole;
    return s;
}

sora_tensor *sorai_vae_cut(sorai_exec *x, sora_tensor *in, int64_t y, int64_t left, sorai_vae_span rows, sorai_vae_span columns) {
    if (in && (rows.begin != y || rows.end - rows.begin != in->shape[2]))
        in = sorai_slice(x, in, 2, rows.begin - y, rows.end - y);
    if (in && (columns.begin != left || columns.end - columns.begin != in->shape[3]))
        in = sorai_slice(x, in, 3, columns.begin - left, columns.end - left);
    return in;
}

sora_tensor *sorai_vae_patchify(sorai_exec *x, sora_tensor *in, int32_t p) {
    if (!in || p <= 1)
        return in;
    const int64_t *s = in->shape, h = s[2] / p, w = s[3] / p, c = s[4];
    const int64_t apart[6] = {s[0] * s[1], h, p, w, p, c}, joined[5] = {s[0], s[1], h, w, c * p * p};
    const int32_t axes[6] = {0, 1, 3, 5, 4, 2};
    return sorai_reshape(x, sorai_permute(x, sorai_reshape(x, in, 6, apart), axes), 5, joined);
}

sora_tensor *sorai_vae_unpatchify(sorai_exec *x, sora_tensor *in, int32_t p) {
    if (!in || p <= 1)
        return in;
    const int64_t *s = in->shape, c = s[4] / (p * p);
    const int64_t apart[6] = {s[0] * s[1], s[2], s[3], c, p, p}, joined[5] = {s[0], s[1], s[2] * p, s[3] * p, c};
    const int32_t axes[6] = {0, 1, 5, 2, 4, 3};
    return sorai_reshape(x, sorai_permute(x, sorai_reshape(x, in, 6, apart), axes), 5, joined);
}
