/* The typed operations that networks are written in. Each checks shapes, picks a kernel through the device, runs it, and records
 * itself when a tape is active. Inputs are f32 and contiguous unless said; results are temporaries of the exec. NULL in, NULL out
 * (see exec.h). `rows x cols` means: all axes but the last make the rows.
 *
 * An operation that ends in _factor is the one without it, for a result that goes only into products (linear): without a tape it is held
 * in their type (sorai_factor_dtype), which moves half as much memory and changes no bit of what they give (in int8 it is rounded to bf16 before).
 *
 * Files: linear.c conv.c attention.c norm.c modulate.c activation.c elementwise.c shape.c resample.c embed.c loss.c */
#ifndef SORAI_OPS_OPS_H
#define SORAI_OPS_OPS_H

#include "lib/ops/exec.h"
#include "lib/ops/param.h"
#include "lib/ops/tape.h"

/* ---- linear.c ------------------------------------------------------------------------------------------------------------ */

enum sorai_act { SORAI_ACT_NONE, SORAI_ACT_SILU, SORAI_ACT_GELU_TANH, SORAI_ACT_GELU, SORAI_ACT_RELU };

/* y[..., n] = act(x[..., k] w[n, k]^T + b[n]); b may be NULL; what lies beside w's value (scale, factors of LoRAs) counts. With a tape and an activation, runs as two recorded operations. */
sora_tensor *sorai_linear(sorai_exec *x, sora_tensor *in, sorai_param *w, sorai_param *b, enum sorai_act act);
sora_tensor *sorai_linear_factor(sorai_exec *x, sora_tensor *in, sorai_param *w, sorai_param *b, enum sorai_act act);
/* Plain products of temporaries, batched over equal leading axes: y[.., m, n] = scale * a b, b as [.., k, n], or [.., n, k] when
 * transpose_b. */
sora_tensor *sorai_matmul(sorai_exec *x, sora_tensor *a, sora_tensor *b, int transpose_b, double scale);

/* ---- conv.c -------------------------------------------------------------------------------------------------------------- */

/* Convolution over channels-last video. Weights are stored as in checkpoints: [co, ci, kt, kh, kw] (or [co, ci, kh, kw]: kt = 1,
 * or [co, ci, kt]). Pads are counts of zeros; time is padded in front only unless back_t. */
typedef struct sorai_conv {
    int32_t stride_t, stride_h, stride_w;                 /* 0 is read as 1 */
    int32_t front_t, back_t, front_h, back_h, front_w, back_w;
} sorai_conv;
/* x [b, t, h, w, ci] -> y [b, t', h', w', co]. `history` (NULL, or [b, n, h, w, ci] with n <= front_t) stands in the last n places of the
 * front padding in time: the frames that came before, for streamed decoding; no gradient goes to it. */
sora_tensor *sorai_conv3d(sorai_exec *x, sora_tensor *in, sora_tensor *history, sorai_param *w, sorai_param *b, const sorai_conv *conv);

/* ---- attention.c --------------------------------------------------------------------------------------------------------- */

/* softmax(scale q k^T + bias) v, per head, never storing the scores. q [b, lq, heads, d], k and v [b, lk, heads, d] -> [b, lq, heads, d].
 * bias: NULL or [heads, lq, lk], shared by the batch (gets a gradient). k_lengths: NULL or host array of b counts: keys past them
 * are ignored (at least 1). d up to 1024; may be odd. */
sora_tensor *sorai_attention(sorai_exec *x, sora_tensor *q, sora_tensor *k, sora_tensor *v, double scale, sora_tensor *bias,
                             const int32_t *k_lengths);
sora_tensor *sorai_attention_factor(sorai_exec *x, sora_tensor *q, sora_tensor *k, sora_tensor *v, double scale, sora_tensor *bias,
                                    const int32_t *k_lengths);
/* Rotates adjacent pairs of the last axis: x [b, l, heads, d], table [l, d/2, 2] with (cos, sin). Shared by batch and heads. */
sora_tensor *sorai_rope(sorai_exec *x, sora_tensor *in, sora_tensor *table);
/* The Wan table for a grid t x h x w: adjacent pairs, axes (t, h, w) with h = w = 2 (d // 6) and t the rest, theta 10000, f64 angles; t0 is the
 * index of the first frame, rows and columns are `step` apart. */
sora_tensor *sorai_rope_table(sorai_exec *x, int64_t t, int64_t h, int64_t w, int64_t d, int64_t t0, double step);

/* ---- norm.c -------------------------------------------------------------------------------------------------------------- */

/* x / sqrt(mean(x^2) + eps) * gamma over the last axis; gamma [cols] or NULL. */
sora_tensor *sorai_rmsnorm(sorai_exec *x, sora_tensor *in, sorai_param *gamma, double eps);
/* x / max(|x|, 1e-12) * sqrt(cols) * gamma, then act (NONE or SILU): the norm of the Wan autoencoder over channels. gamma has cols elements of any shape. */
sora_tensor *sorai_channel_norm(sorai_exec *x, sora_tensor *in, sorai_param *gamma, enum sorai_act act);
/* (x - mean) / sqrt(var + eps), then * gamma + beta when given. */
sora_tensor *sorai_layernorm(sorai_exec *x, sora_tensor *in, sorai_param *gamma, sorai_param *beta, double eps);
sora_tensor *sorai_layernorm_factor(sorai_exec *x, sora_tensor *in, sorai_param *gamma, sorai_param *beta, double eps);

/* ---- modulate.c: adaptive norm of diffusion transformers ------------------------------------------------------------------- */

/* layernorm without affine part, then * (1 + scale) + shift. x [b, l, c]; shift and scale [b, g, c] where g divides l: group i covers
 * l / g consecutive rows (g = 1: per sample, g = frames: per frame, g = l: per token). */
sora_tensor *sorai_norm_modulate(sorai_exec *x, sora_tensor *in, sora_tensor *shift, sora_tensor *scale, double eps);
sora_tensor *sorai_norm_modulate_factor(sorai_exec *x, sora_tensor *in, sora_tensor *shift, sora_tensor *scale, double eps);
/* x + gate * y, gate [b, g, c] as above. */
sora_tensor *sorai_gate_add(sorai_exec *x, sora_tensor *in, sora_tensor *y, sora_tensor *gate);

/* ---- activation.c, elementwise.c ---------------------------------------------------------------------------------------- */

sora_tensor *sorai_act(sorai_exec *x, sora_tensor *in, enum sorai_act act);
sora_tensor *sorai_add(sorai_exec *x, sora_tensor *a, sora_tensor *b);                /* same shape */
sora_tensor *sorai_mul(sorai_exec *x, sora_tensor *a, sora_tensor *b);                /* same shape */
sora_tensor *sorai_axpby(sorai_exec *x, double alpha, sora_tensor *a, double beta, sora_tensor *b); /* alpha a + beta b, b may be NULL */
/* a [..., shape of b]: b repeats over the leading axes. With a parameter: trained biases, tables. */
sora_tensor *sorai_add_broadcast(sorai_exec *x, sora_tensor *a, sora_tensor *b);
sora_tensor *sorai_param_tensor(sorai_exec *x, sorai_param *p); /* a parameter as an f32 input (tensor) of operations; its gradient goes to the parameter */
/* clamp to lo..hi; gradient passes inside. */
sora_tensor *sorai_clamp(sorai_exec *x, sora_tensor *in, double lo, double hi);
sora_tensor *sorai_exp(sorai_exec *x, sora_tensor *in);
sora_tensor *sorai_softmax(sorai_exec *x, sora_tensor *in); /* over the last axis */

/* ---- shape.c ------------------------------------------------------------------------------------------------------------- */

sora_tensor *sorai_reshape(sorai_exec *x, sora_tensor *in, int32_t rank, const int64_t *shape);       /* no copy */
sora_tensor *sorai_permute(sorai_exec *x, sora_tensor *in, const int32_t *axes);                        /* out axis i = in axis axes[i]; a copy */
sora_tensor *sorai_slice(sorai_exec *x, sora_tensor *in, int32_t axis, int64_t begin, int64_t end);    /* a copy (no copy when it is whole) */
/* Copies (src NULL: clears) `n` places along `axis`, from place `from` of src to place `to` of dst, which is there already. Other axes are equal. No tape sees it. */
void sorai_copy_range(sorai_exec *x, const sora_tensor *src, int64_t from, sora_tensor *dst, int64_t to, int64_t n, int32_t axis);
sora_tensor *sorai_concat(sorai_exec *x, sora_tensor *const *parts, int32_t count, int32_t axis);
sora_tensor *sorai_repeat(sorai_exec *x, sora_tensor *in, int32_t axis, int64_t times);                /* each element `times` times in place: interleaved */
sora_tensor *sorai_pad_front(sorai_exec *x, sora_tensor *in, int32_t axis, int64_t zeros);
/* mean over `axis` (the axis stays, with extent 1). */
sora_tensor *sorai_mean_axis(sorai_exec *x, sora_tensor *in, int32_t axis);

/* ---- resample.c: channels-last video [b, t, h, w, c] ------------------------------------------------------------------------- */

sora_tensor *sorai_upsample_nearest(sorai_exec *x, sora_tensor *in, int32_t ft, int32_t fh, int32_t fw);
sora_tensor *sorai_avg_pool(sorai_exec *x, sora_tensor *in, int32_t ft, int32_t fh, int32_t fw);

/* ---- embed.c ------------------------------------------------------------------------------------------------------------- */

/* rows of table [n, c] by host ids -> [count, c]; an id outside 0..n-1 is SORA_E_INVALID. */
sora_tensor *sorai_embed(sorai_exec *x, sorai_param *table, const int32_t *ids, int64_t count);
/* Sinusoids of `count` host values: [count, dim], cos before sin, frequency exp(-ln(10000) i / half). No gradient. */
sora_tensor *sorai_timestep_embedding(sorai_exec *x, const float *t, int64_t count, int64_t dim);
/* Times of tokens, batch * groups host values, with those left out that say the same as their neighbours: one for each sample, or for each of
 * `frames` frames, where that is all they say. Gives the new number of groups. The result is t itself or a temporary. */
const float *sorai_fewest_timesteps(sorai_exec *x, const float *t, int64_t batch, int64_t *groups, int64_t frames);

/* ---- loss.c: scalars [1] ------------------------------------------------------------------------------------------------------ */

/* mean over all elements of weight * (a - b)^2; weight: NULL, or a host-made tensor whose count divides a's: it repeats each value over
 * the trailing elements (per sample, per token ...). No gradient to b. */
sora_tensor *sorai_mse(sorai_exec *x, sora_tensor *a, sora_tensor *b, sora_tensor *weight);
sora_tensor *sorai_l1(sorai_exec *x, sora_tensor *a, sora_tensor *b, sora_tensor *weight); /* |a - b| */
/* mean |d(a) - d(b)| where d is the difference of neighbours along `axis`. */
sora_tensor *sorai_difference_l1(sorai_exec *x, sora_tensor *a, sora_tensor *b, int32_t axis);
/* mean over elements of 0.5 (mean^2 + exp(logvar) - 1 - logvar). */
sora_tensor *sorai_kl(sorai_exec *x, sora_tensor *mean, sora_tensor *logvar);
/* mean over rows of -log softmax(logits)[label]; a negative label leaves its row out. */
sora_tensor *sorai_cross_entropy(sorai_exec *x, sora_tensor *logits, const int32_t *labels);

#endif
