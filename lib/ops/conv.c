/* Convolutions over channels-last video. */
#include "kernels/conv3d/conv3d.h"
#include "lib/ops/ops.h"
#include "lib/ops/product.h"
#include "lib/ops/util.h"

/* Sizes of one convolution; kept with the tape. */
typedef struct shape {
    int64_t b, t, h, w, ci, history_t;
    int64_t to, ho, wo, co;
    int64_t kt, kh, kw, st, sh, sw;
    int64_t front_t, front_h, front_w;
    int64_t hp, wp; /* with padding */
    const float *history;
} shape;

/* Axes of a weight: [co, ci, kt, kh, kw], [co, ci, kh, kw] or [co, ci, kt]. */
static int weight_axes(const sora_tensor *w, int64_t *co, int64_t *ci, int64_t *kt, int64_t *kh, int64_t *kw) {
    if (w->rank < 3 || w->rank > 5)
        return 0;
    *co = w->shape[0];
    *ci = w->shape[1];
    *kt = w->rank == 4 ? 1 : w->shape[2];
    *kh = w->rank == 3 ? 1 : w->shape[w->rank - 2];
    *kw = w->rank == 3 ? 1 : w->shape[w->rank - 1];
    return *co > 0 && *ci > 0 && *kt > 0 && *kh > 0 && *kw > 0;
}

static int64_t stride_of(int32_t s) {
    return s > 1 ? s : 1;
}

/* Fills s from the tensors; 0 (and the sticky error) when they do not fit. */
static int measure(sorai_exec *x, shape *s, const sora_tensor *in, const sora_tensor *history, const sorai_param *w,
                   const sorai_conv *conv) {
    int64_t ci;
    if (in->rank != 5 || in->dtype != SORA_DTYPE_F32 || !weight_axes(w->value, &s->co, &ci, &s->kt, &s->kh, &s->kw) || in->shape[4] != ci) {
        sorai_exec_fail(x, SORA_E_INVALID, "%s: this convolution does not fit its input", w->name);
        return 0;
    }
    s->b = in->shape[0];
    s->t = in->shape[1];
    s->h = in->shape[2];
    s->w = in->shape[3];
    s->ci = ci;
    s->st = stride_of(conv->stride_t);
    s->sh = stride_of(conv->stride_h);
    s->sw = stride_of(conv->stride_w);
    s->front_t = conv->front_t;
    s->front_h = conv->front_h;
    s->front_w = conv->front_w;
    s->hp = s->h + conv->front_h + conv->back_h;
    s->wp = s->w + conv->front_w + conv->back_w;
    s->history_t = 0;
    s->history = NULL;
    if (conv->front_t < 0 || conv->back_t < 0 || conv->front_h < 0 || conv->back_h < 0 || conv->front_w < 0 || conv->back_w < 0 ||
        s->b < 1 || s->t < 1 || s->t + conv->front_t + conv->back_t < s->kt || s->hp < s->kh || s->wp < s->kw || s->h < 1 || s->w < 1) {
        sorai_exec_fail(x, SORA_E_INVALID, "%s: the input is smaller than the convolution", w->name);
        return 0;
    }
    if (history) {
        if (history->rank != 5 || history->dtype != SORA_DTYPE_F32 || history->shape[0] != s->b || history->shape[1] > s->front_t ||
            history->shape[2] != s->h || history->shape[3] != s->w || history->shape[4] != ci) {
            sorai_exec_fail(x, SORA_E_INVALID, "%s: the frames before do not fit the input", w->name);
            return 0;
        }
        s->history_t = history->shape[1];
        s->history = s->history_t > 0 ? history->data : NULL;
    }
    s->to = (s->t + conv->front_t + conv->back_t - s->kt) / s->st + 1;
    s->ho = (s->hp - s->kh) / s->sh + 1;
    s->wo = (s->wp - s->kw) / s->sw + 1;
    return 1;
}

static sorak_conv3d_pack_args pack_args(const sorai_param *p, int flip) {
    sorak_conv3d_pack_args args = {.src_dtype = SK_DT_f32, .flip = flip};
    (void)weight_axes(p->value, &args.co, &args.ci, &args.k[0], &args.k[1], &args.k[2]);
    return args;
}

/* One remainder of the position modulo the strides: which taps the gradient of the input takes there. 0 when there are none. */
static int choose_taps(sorak_conv3d_pack_args *args, const int64_t stride[3], const int64_t remainder[3]) {
    for (int i = 0; i < 3; i++) {
        args->from[i] = remainder[i];
        args->every[i] = stride[i];
        if (remainder[i] >= args->k[i])
            return 0;
    }
    return 1;
}

static void pack_weight(sorai_exec *x, const sorai_param *p, int flip, const void *how, void *dst) {
    const int64_t once[3] = {1, 1, 1}, *const stride = flip ? how : once;
    sorak_conv3d_pack_args args = pack_args(p, flip);
    const int dt = sorai_product_dt(x);
    args.dst = dst;
    args.src = sorai_param_f32(x, p);
    for (int64_t i = 0; args.src && i < stride[0] * stride[1] * stride[2]; i++) {
        const int64_t remainder[3] = {i / stride[2] / stride[1], i / stride[2] % stride[1], i % stride[2]};
        if (!choose_taps(&args, stride, remainder))
            continue;
        sorai_run(x, SK_OP_conv3d_pack, dt, &args, sorak_conv3d_pack_units(&args));
        args.dst = (char *)args.dst + sorak_conv3d_packed_bytes(dt, &args);
    }
}

static const void *packed_weight(sorai_exec *x, sorai_param *p, int flip, const int64_t stride[3]) {
    /* The taps of all remainders together are those of the whole weight. */
    const sorak_conv3d_pack_args args = pack_args(p, flip);
    return sorai_packed(x, p, flip, sorak_conv3d_packed_bytes(sorai_product_dt(x), &args), pack_weight, stride);
}

/* Fills args->y with scratch and runs; NULL on failure. */
static const void *prepare(sorai_exec *x, sorak_conv3d_prep_args *args) {
    const int dt = sorai_product_dt(x);
    args->cp = sorak_conv_channels(dt, args->c);
    args->y = sorai_temp_bytes(x, sorak_conv3d_prep_bytes(dt, args));
    if (!args->y)
        return NULL;
    sorai_run(x, SK_OP_conv3d_prep, dt, args, sorak_conv3d_prep_units(args));
    return x->status == SORA_OK ? args->y : NULL;
}

/* The input with its padding, planar = 0 for the convolution, the stride in w for the gradient of the weights. */
static const void *prepare_input(sorai_exec *x, const shape *s, const float *in, int64_t planar) {
    const int plain = !s->history_t && s->hp == s->h && s->wp == s->w;
    if (plain && !planar && sorai_product_dt(x) == SK_DT_f32)
        return in; /* nothing to pad and nothing to convert */
    sorak_conv3d_prep_args args = {
        .x = in, .history = s->history, .b = s->b, .t = s->t, .h = s->h, .w = s->w, .c = s->ci, .history_t = s->history_t,
        .tp = s->history_t + s->t, .hp = s->hp, .wp = planar ? sorak_conv3d_dw_width(s->wp, s->wo, s->kw, s->sw) : s->wp,
        .front_t = s->history_t, .front_h = s->front_h, .front_w = s->front_w, .planar = planar};
    return prepare(x, &args);
}

/* One axis of the gradient of the input. Input i went into output o by tap k = i + front - o * stride; so the positions i = first,
 * first + stride ... take every stride-th tap from `remainder` on, reversed, over outputs that begin at `begin` (may be negative). */
typedef struct axis {
    int64_t first, count, remainder, taps, begin;
} axis;

static axis axis_of(int64_t n, int64_t k, int64_t stride, int64_t front, int64_t first) {
    axis a = {.first = first, .count = (n - first + stride - 1) / stride, .remainder = (first + front) % stride};
    a.taps = a.remainder < k ? (k - a.remainder + stride - 1) / stride : 0;
    a.begin = (first + front - a.remainder) / stride - (a.taps - 1);
    return a;
}

/* Padding of the gradient of the output that suits all remainders. */
static void pad_axis(int64_t n, int64_t k, int64_t stride, int64_t front, int64_t *pad, int64_t *size) {
    int64_t low = 0, high = 0;
    for (int64_t i = 0; i < stride && i < n; i++) {
        const axis a = axis_of(n, k, stride, front, i);
        const int64_t end = a.begin + a.count + a.taps - 1;
        low = i == 0 || a.begin < low ? a.begin : low;
        high = i == 0 || end > high ? end : high;
    }
    *pad = -low;
    *size = high - low;
}

static void input_gradient(sorai_exec *x, const shape *s, sorai_param *w, const float *dy, float *dx) {
    const int dt = sorai_product_dt(x);
    const int64_t stride[3] = {s->st, s->sh, s->sw}, cp = sorak_conv_channels(dt, s->co);
    sorak_conv3d_prep_args prep = {.x = dy, .b = s->b, .t = s->to, .tp = s->to, .h = s->ho, .w = s->wo, .c = s->co};
    pad_axis(s->h, s->kh, s->sh, s->front_h, &prep.front_h, &prep.hp);
    pad_axis(s->w, s->kw, s->sw, s->front_w, &prep.front_w, &prep.wp);
    const int plain = prep.hp == s->ho && prep.wp == s->wo && !prep.front_h && !prep.front_w;
    const char *const padded = plain && dt == SK_DT_f32 ? (const void *)dy : prepare(x, &prep);
    const char *weight = packed_weight(x, w, 1, stride);
    if (!padded || !weight)
        return;
    if ((s->kt < s->st || s->kh < s->sh || s->kw < s->sw) &&
        x->device->zero(x->device, dx, (size_t)(s->b * s->t * s->h * s->w * s->ci) * sizeof *dx) != SORA_OK) {
        sorai_exec_fail(x, SORA_E_BACKEND, "the device could not clear memory");
        return;
    }
    for (int64_t i = 0; i < s->st * s->sh * s->sw; i++) {
        const int64_t remainder[3] = {i / s->sw / s->sh, i / s->sw % s->sh, i % s->sw};
        sorak_conv3d_pack_args taps = pack_args(w, 1);
        if (!choose_taps(&taps, stride, remainder))
            continue;
        /* The first input position with this remainder. */
        const axis at = axis_of(s->t, s->kt, s->st, s->front_t, ((remainder[0] - s->front_t) % s->st + s->st) % s->st);
        const axis ah = axis_of(s->h, s->kh, s->sh, s->front_h, ((remainder[1] - s->front_h) % s->sh + s->sh) % s->sh);
        const axis aw = axis_of(s->w, s->kw, s->sw, s->front_w, ((remainder[2] - s->front_w) % s->sw + s->sw) % s->sw);
        const int64_t skip = (ah.begin + prep.front_h) * prep.wp + aw.begin + prep.front_w;
        sorak_conv3d_args args = {
            .x = padded + (size_t)(skip * cp) * sorak_conv_width(dt), .w = weight,
            .y = dx + ((at.first * s->h + ah.first) * s->w + aw.first) * s->ci, .b = s->b, .tp = prep.tp, .hp = prep.hp, .wp = prep.wp,
            .cp = cp, .to = at.count, .ho = ah.count, .wo = aw.count, .co = s->ci, .kt = at.taps, .kh = ah.taps, .kw = aw.taps,
            .st = 1, .sh = 1, .sw = 1, .front_t = -at.begin,
            .y_step = {s->t * s->h * s->w * s->ci, s->st * s->h * s->w * s->ci, s->sh * s->w * s->ci, s->sw * s->ci}};
        weight += sorak_conv3d_packed_bytes(dt, &taps);
        if (at.count > 0 && ah.count > 0 && aw.count > 0)
            sorai_run(x, SK_OP_conv3d, dt, &args, sorak_conv3d_units(&args));
    }
}

static void weight_gradient(sorai_exec *x, const shape *s, sorai_param *w, const float *in, const float *dy) {
    const int dt = sorai_product_dt(x);
    sorak_gemm_pack_args pack = {.src = dy, .n = s->co, .k = s->wo, .segments = s->b * s->to * s->ho, .n_stride = 1, .k_stride = s->co,
                                 .src_dtype = SK_DT_f32};
    pack.dst = sorai_temp_bytes(x, sorak_gemm_packed_bytes(dt, pack.n, pack.k, pack.segments));
    if (!pack.dst)
        return;
    sorai_run(x, SK_OP_gemm_pack, dt, &pack, sorak_gemm_pack_units(&pack));
    sorak_conv3d_dw_args args = {
        .x = prepare_input(x, s, in, s->sw), .dy = pack.dst, .b = s->b, .tp = s->history_t + s->t, .hp = s->hp,
        .wp = sorak_conv3d_dw_width(s->wp, s->wo, s->kw, s->sw), .ci = s->ci, .to = s->to, .ho = s->ho, .wo = s->wo, .co = s->co,
        .kt = s->kt, .kh = s->kh, .kw = s->kw, .st = s->st, .sh = s->sh, .sw = s->sw,
        .front_t = s->front_t - s->history_t};
    args.chunks = sorak_conv3d_dw_chunks(&args);
    const int64_t taps = s->kt * s->kh * s->kw, all = taps * s->ci * s->co, parts[2] = {args.chunks, all};
    sora_tensor *const partial = sorai_temp(x, 2, parts), *const dw = sorai_temp_like(x, w->grad);
    if (!args.x || !partial || !dw)
        return;
    args.partial = partial->data;
    sorai_run(x, SK_OP_conv3d_dw, dt, &args, sorak_conv3d_dw_units(&args));
    /* [chunks, taps, ci, co] -> [co, ci, taps] */
    const sora_tensor *const sum = args.chunks > 1 ? sorai_sum_middle(x, partial->data, 1, args.chunks, all, 1.0) : partial;
    if (!sum)
        return;
    sorak_copy_args turn = {.src = sum->data, .dst = dw->data, .rank = 3, .shape = {s->co, s->ci, taps},
                            .src_stride = {1, s->co, s->ci * s->co}, .dst_stride = {s->ci * taps, taps, 1}};
    sorai_run_copy(x, &turn);
    sorai_param_add_grad(x, w, dw);
}

static void conv_backward(sorai_exec *x, const sorai_node *node) {
    const shape *const s = node->param[2];
    sora_tensor *const in = node->in[0];
    sorai_param *const w = node->param[0];
    const float *const dy = node->out->grad->data;
    if (sorai_wants(in)) {
        sora_tensor *const dx = sorai_temp_like(x, in);
        if (!dx)
            return;
        const sorai_exec_mark mark = sorai_exec_here(x);
        input_gradient(x, s, w, dy, dx->data);
        sorai_drop_scratch(x, mark);
        sorai_tape_add_grad(x, in, dx);
    }
    if (sorai_wants_param(w)) {
        const sorai_exec_mark mark = sorai_exec_here(x);
        weight_gradient(x, s, w, in->data, dy);
        sorai_drop_scratch(x, mark);
    }
    sorai_bias_grad(x, node->param[1], dy, s->b * s->to * s->ho * s->wo, s->co);
}

sora_tensor *sorai_conv3d(sorai_exec *x, sora_tensor *in, sora_tensor *history, sorai_param *w, sorai_param *b, const sorai_conv *conv) {
    shape s;
    if (!sorai_ready(x, in) || !w || !measure(x, &s, in, history, w, conv))
        return NULL;
    if (b && sorai_tensor_count(b->value) != s.co)
        return sorai_exec_fail(x, SORA_E_INVALID, "%s: a bias needs %lld values", b->name, (long long)s.co);
    const int64_t dims[5] = {s.b, s.to, s.ho, s.wo, s.co};
    sora_tensor *const out = sorai_temp(x, 5, dims);
    if (!out)
        return NULL;
    const sorai_exec_mark mark = sorai_exec_here(x);
    const sorak_conv3d_args args = {
        .x = prepare_input(x, &s, in->data, 0), .w = packed_weight(x, w, 0, NULL), .bias = sorai_param_f32(x, b), .y = out->data, .b = s.b,
        .tp = s.history_t + s.t, .hp = s.hp, .wp = s.wp, .cp = sorak_conv_channels(sorai_product_dt(x), s.ci), .to = s.to, .ho = s.ho, .wo = s.wo,
        .co = s.co, .kt = s.kt, .kh = s.kh, .kw = s.kw, .st = s.st, .sh = s.sh, .sw = s.sw,
        .front_t = s.front_t - s.history_t};
    if (args.x && args.w)
        sorai_run(x, SK_OP_conv3d, sorai_product_dt(x), &args, sorak_conv3d_units(&args));
    sorai_drop_scratch(x, mark);
    if (x->tape && x->status == SORA_OK && (sorai_wants(in) || sorai_wants_param(w) || sorai_wants_param(b))) {
        shape *const kept = sorai_arena_alloc(&x->meta, sizeof *kept);
        if (!kept)
            return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for the tape");
        *kept = s;
        sorai_node *const node = sorai_tape_record(x, conv_backward, out);
        if (node) {
            node->in[0] = in;
            node->in[1] = history;
            node->param[0] = w;
            node->param[1] = b;
            node->param[2] = kept;
        }
    }
    return x->status == SORA_OK ? out : NULL;
}
