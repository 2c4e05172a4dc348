/* The layers that encoder and decoder share. Private to lib/vae. `stream` NULL: the whole clip at once. */
#ifndef SORAI_VAE_BLOCKS_H
#define SORAI_VAE_BLOCKS_H

#include "lib/vae/vae.h"

/* A convolution with same-sized output (3x3x3 causal, 3x3, 1x1x1), after its norm and SiLU when norm is given. */
sora_tensor *sorai_vae_conv_same(sorai_exec *x, const sorai_vae_conv *c, sorai_vae_stream *stream, sorai_param *norm, sora_tensor *in);
/* conv with given geometry; looks back into the stream when c has a slot. Keeps `keep` last frames for the next piece. */
sora_tensor *sorai_vae_conv_run(sorai_exec *x, const sorai_vae_conv *c, sorai_vae_stream *stream, sora_tensor *in, const sorai_conv *conv,
                                int32_t keep);
/* Puts the last `keep` (1 or 2) of frames [b, t, h, w, c] into the stream's own memory. */
void sorai_vae_remember(sorai_exec *x, sorai_vae_stream *s, int32_t slot, const sora_tensor *frames, int64_t keep);
sora_tensor *sorai_vae_res_run(sorai_exec *x, const sorai_vae_res *r, sorai_vae_stream *stream, sora_tensor *in);
/* Self-attention of one head within each frame. */
sora_tensor *sorai_vae_attention_run(sorai_exec *x, const sorai_vae_attention *a, sora_tensor *in);
sora_tensor *sorai_vae_middle(sorai_exec *x, const sorai_vae_net *n, sorai_vae_stream *stream, sora_tensor *in);

/* Rows or columns begin..end-1 of a window. */
typedef struct sorai_vae_span {
    int64_t begin, end;
} sorai_vae_span;
/* With what lies up to `reach` further on each side, of an axis that ends at `whole`. Even borders keep kernels that work on pairs of pixels at
 * the same pairs. */
sorai_vae_span sorai_vae_widen(sorai_vae_span s, int64_t reach, int64_t whole);
/* `in` begins at (y, left) of the frame: the rows and columns asked for. */
sora_tensor *sorai_vae_cut(sorai_exec *x, sora_tensor *in, int64_t y, int64_t left, sorai_vae_span rows, sorai_vae_span columns);

/* True for a piece that begins the clip, as far as `level` has seen. */
static inline int sorai_vae_first(const sorai_vae_stream *stream, int32_t level) { return !stream || !stream->started[level]; }

/* [b, t, h, w, c] -> [b, t, h / p, w / p, c p p] and back. The new channel is (c p + x) p + y: columns before rows. */
sora_tensor *sorai_vae_patchify(sorai_exec *x, sora_tensor *in, int32_t p);
sora_tensor *sorai_vae_unpatchify(sorai_exec *x, sora_tensor *in, int32_t p);

#endif
