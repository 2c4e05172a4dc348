/* Convolution over channels-last video as indirect matrix products: no column buffer, no bounds checks inside.
 *
 * conv3d_prep copies the input once into the type of the products, with its padding around it. For an output row and a tap (kt, kh), the kw * cp values that an output position needs then lie side by side, so
 * the product runs over kt * kh such segments, and neighbouring outputs lie stride_w * cp values apart.
 *
 * The gradient of the input is conv3d over the prepared gradient of the output with weights packed flipped; under a stride s, one for
 * every remainder of the input position modulo s, with every s-th tap and writing every s-th position. The gradient of the
 * weights, conv3d_dw, is a product over positions: its left factor is the input prepared "planar" (channel rows, w running fastest), its
 * right one the gradient of the output from gemm_pack with n = co, k = wo, segments = b * to * ho. */
#ifndef SORAK_CONV3D_H
#define SORAK_CONV3D_H

#include "kernels/gemm/gemm.h"

/* Zero bytes behind a prepared buffer: tiles may read past its end. */
#define SORAK_CONV_SLACK 256

/* Channels of the prepared form: even in bf16. */
static inline int64_t sorak_conv_channels(int dtype, int64_t c) { return dtype == SK_DT_bf16 ? (c + 1) / 2 * 2 : c; }
static inline size_t sorak_conv_width(int dtype) { return dtype == SK_DT_bf16 ? 2 : 4; }

/* x [b, t, h, w, c] f32 -> y, zero where x does not reach. Source frame i stands at t index front_t + i, and so for h and w; what falls outside of 0..tp-1 (front may be negative) is left out. history [b, history_t, h, w, c] stands right before frame 0.
 * planar = 0: y [b, tp, hp, wp, cp] with cp >= c, then SORAK_CONV_SLACK zero bytes. planar = s > 0: y [b, tp, hp, c, wp] (cp unused), where
 * w is taken apart by its remainder modulo s: index j of it stands at (j % s) * (wp / s) + j / s; wp is a multiple of s; also slack.
 * A unit is one row (b, t, h). */
typedef struct sorak_conv3d_prep_args {
    const float *x, *history;
    void *y;
    int64_t b, t, h, w, c, history_t;
    int64_t tp, hp, wp, cp;
    int64_t front_t, front_h, front_w;
    int64_t planar;
} sorak_conv3d_prep_args;

static inline int64_t sorak_conv3d_prep_units(const sorak_conv3d_prep_args *a) { return a->b * a->tp * a->hp; }
static inline size_t sorak_conv3d_prep_bytes(int dtype, const sorak_conv3d_prep_args *a) {
    return (size_t)(a->b * a->tp * a->hp * a->wp * (a->planar ? a->c : a->cp)) * sorak_conv_width(dtype) + SORAK_CONV_SLACK;
}

/* Weights [co, ci, kt, kh, kw] (f32, bf16 or f16) -> panels as in gemm.h with a segment of (taps in w) * cp values for each tap in t and h, cp
 * the input channels made even for bf16 (the added one has zero weights). On every axis the taps from, from + every ... are
 * taken (every = 0 is read as 1); at least one. flip = 0: n = co, c = ci. flip = 1: n = ci, c = co and the order of taps reversed.
 * A unit is one segment of one panel. */
typedef struct sorak_conv3d_pack_args {
    const void *src;
    void *dst;
    int64_t co, ci, k[3];       /* extents of the weight along t, h, w */
    int64_t from[3], every[3];
    int32_t src_dtype, flip;
} sorak_conv3d_pack_args;

static inline int64_t sorak_conv3d_pack_taps(const sorak_conv3d_pack_args *a, int axis) {
    const int64_t every = a->every[axis] > 1 ? a->every[axis] : 1;
    return (a->k[axis] - a->from[axis] + every - 1) / every;
}
/* The tap of the weight that stands at place i of an axis of the packed form. */
static inline int64_t sorak_conv3d_pack_tap(const sorak_conv3d_pack_args *a, int axis, int64_t i) {
    const int64_t every = a->every[axis] > 1 ? a->every[axis] : 1;
    return a->from[axis] + (a->flip ? sorak_conv3d_pack_taps(a, axis) - 1 - i : i) * every;
}
static inline int64_t sorak_conv3d_pack_units(const sorak_conv3d_pack_args *a) {
    return sorak_panels(a->flip ? a->ci : a->co) * sorak_conv3d_pack_taps(a, 0) * sorak_conv3d_pack_taps(a, 1);
}
static inline size_t sorak_conv3d_packed_bytes(int dtype, const sorak_conv3d_pack_args *a) {
    const int64_t n = a->flip ? a->ci : a->co, c = sorak_conv_channels(dtype, a->flip ? a->co : a->ci);
    return sorak_gemm_packed_bytes(dtype, n, sorak_conv3d_pack_taps(a, 2) * c,
                                   sorak_conv3d_pack_taps(a, 0) * sorak_conv3d_pack_taps(a, 1));
}

/* y [b, to, ho, wo, co] = conv(x [b, tp, hp, wp, cp] prepared, w packed) + bias. Output (t, h, w) takes inputs (t st + kt - front_t, h sh + kh,
 * w sw + kw), in h and w all inside of x. Frames before and behind x are zero and are not stored: a causal convolution of one image needs
 * a third of the work so, and a third of the memory.
 * y_step: distances in elements between samples, frames, rows and positions of y; all 0: dense. A unit is SORAK_CONV_COLS channels of one output
 * row (b, t, h), rows running faster: where frames are small, threads share the weights out instead of reading all of them each. */
#define SORAK_CONV_COLS 64
typedef struct sorak_conv3d_args {
    const void *x, *w;
    const float *bias; /* [co] or NULL */
    float *y;
    int64_t b, tp, hp, wp, cp;
    int64_t to, ho, wo, co;
    int64_t kt, kh, kw;
    int64_t st, sh, sw;
    int64_t front_t; /* may be negative */
    int64_t y_step[4];
} sorak_conv3d_args;

/* Where an output row (b, t, h) begins, and the distance of its positions. */
static inline float *sorak_conv3d_row(const sorak_conv3d_args *a, int64_t row, int64_t *step) {
    const int64_t h = row % a->ho, t = row / a->ho % a->to, b = row / a->ho / a->to;
    *step = a->y_step[3] ? a->y_step[3] : a->co;
    return a->y + (a->y_step[3] ? b * a->y_step[0] + t * a->y_step[1] + h * a->y_step[2] : row * a->wo * a->co);
}

static inline int64_t sorak_conv3d_rows(const sorak_conv3d_args *a) { return a->b * a->to * a->ho; }
static inline int64_t sorak_conv3d_units(const sorak_conv3d_args *a) {
    return sorak_conv3d_rows(a) * ((a->co + SORAK_CONV_COLS - 1) / SORAK_CONV_COLS);
}

/* partial [chunks, kt, kh, kw, ci, co] = sums of x * dy over the positions of each chunk of output rows; their sum over chunks is the
 * gradient. x: prepared planar with planar = sw and wp = sorak_conv3d_dw_width; dy: packed as said above. The chunks depend on the
 * sizes alone: many where there are few channels (then positions should be read once, not once per tap), one where there are many.
 * A unit is one chunk, one (kt, kh), one panel of co and SORAK_DW_CHANNELS channels of ci. */
#define SORAK_DW_CHANNELS 32
typedef struct sorak_conv3d_dw_args {
    const void *x, *dy;
    float *partial;
    int64_t chunks; /* sorak_conv3d_dw_chunks */
    int64_t b, tp, hp, wp, ci;
    int64_t to, ho, wo, co;
    int64_t kt, kh, kw;
    int64_t st, sh, sw;
    int64_t front_t; /* as above */
} sorak_conv3d_dw_args;

static inline int64_t sorak_conv3d_dw_units(const sorak_conv3d_dw_args *a) {
    return a->chunks * a->kt * a->kh * sorak_panels(a->co) * ((a->ci + SORAK_DW_CHANNELS - 1) / SORAK_DW_CHANNELS);
}
/* About one chunk for every 768 KiB of the factors, as long as the partial sums stay small beside them. */
static inline int64_t sorak_conv3d_dw_chunks(const sorak_conv3d_dw_args *a) {
    const int64_t rows = a->b * a->to * a->ho, factors = rows * a->wo * (a->ci * a->sw * a->sh + a->co) * 4;
    const int64_t sums = a->kt * a->kh * a->kw * a->ci * a->co * 4, by_cache = factors / (768 << 10), by_sums = factors / 8 / sums;
    const int64_t most = by_cache < by_sums ? by_cache : by_sums;
    return most < 1 ? 1 : most > rows ? rows : most > 256 ? 256 : most;
}
/* wp of the planar form for an input that is `padded` wide: room for what is read, and each phase whole cache lines (in f32), which
 * makes writing it twice as fast. */
static inline int64_t sorak_conv3d_dw_width(int64_t padded, int64_t wo, int64_t kw, int64_t sw) {
    const int64_t have = (padded + sw - 1) / sw, need = (kw - 1) / sw + (wo + 1) / 2 * 2;
    return ((have > need ? have : need) + 15) / 16 * 16 * sw;
}

#endif
