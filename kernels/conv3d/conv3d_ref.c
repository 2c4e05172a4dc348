#include <string.h>

#include "kernels/conv3d/conv3d.h"
#include "kernels/stored.h"

static void put(void *y, int bf16, int64_t i, float v) {
    if (bf16)
        ((uint16_t *)y)[i] = sorak_f32_to_bf16(v);
    else
        ((float *)y)[i] = v;
}

static double get(const void *x, int bf16, int64_t i) {
    return bf16 ? (double)sorak_bf16_to_f32(((const uint16_t *)x)[i]) : (double)((const float *)x)[i];
}

/* The source index that stands at place p of the padded axis, or -1. */
static int64_t source_of(int64_t p, int64_t front, int64_t n) { return p >= front && p - front < n ? p - front : -1; }

static const float *source_row(const sorak_conv3d_prep_args *a, int64_t b, int64_t tp, int64_t hp) {
    const int64_t t = source_of(tp, a->front_t, a->t), h = source_of(hp, a->front_h, a->h);
    const int64_t past = a->history_t - (a->front_t - tp);
    if (h < 0)
        return NULL;
    if (t >= 0)
        return a->x + ((b * a->t + t) * a->h + h) * a->w * a->c;
    if (a->history && tp < a->front_t && past >= 0)
        return a->history + ((b * a->history_t + past) * a->h + h) * a->w * a->c;
    return NULL;
}

static void prep(const sorak_conv3d_prep_args *a, const sorak_env *env, int bf16) {
    const int64_t channels = a->planar ? a->c : a->cp, size = a->wp * channels;
    for (int64_t u = env->begin; u < env->end; u++) {
        const float *row = source_row(a, u / a->hp / a->tp, u / a->hp % a->tp, u % a->hp);
        for (int64_t p = 0; p < a->wp; p++) {
            const int64_t w = source_of(p, a->front_w, a->w);
            for (int64_t c = 0; c < channels; c++) {
                const float v = row && w >= 0 && c < a->c ? row[w * a->c + c] : 0.0f;
                const int64_t at = a->planar ? c * a->wp + p % a->planar * (a->wp / a->planar) + p / a->planar : p * channels + c;
                put(a->y, bf16, u * size + at, v);
            }
        }
        if (u == sorak_conv3d_prep_units(a) - 1)
            memset((char *)a->y + (size_t)((u + 1) * size) * (bf16 ? 2 : 4), 0, SORAK_CONV_SLACK);
    }
}

int sorak_conv3d_prep_f32_ref(const void *args, const sorak_env *env) {
    prep(args, env, 0);
    return 0;
}

int sorak_conv3d_prep_bf16_ref(const void *args, const sorak_env *env) {
    prep(args, env, 1);
    return 0;
}

static void pack(const sorak_conv3d_pack_args *a, const sorak_env *env, int bf16) {
    const int64_t nh = sorak_conv3d_pack_taps(a, 1), nw = sorak_conv3d_pack_taps(a, 2), segments = sorak_conv3d_pack_taps(a, 0) * nh;
    const int64_t n = a->flip ? a->ci : a->co, c = a->flip ? a->co : a->ci, width = sorak_panel(n);
    const int64_t cp = sorak_conv_channels(bf16 ? SK_DT_bf16 : SK_DT_f32, c), steps = nw * cp / (bf16 ? 2 : 1);
    for (int64_t u = env->begin; u < env->end; u++) {
        const int64_t panel = u / segments;
        const int64_t kt = sorak_conv3d_pack_tap(a, 0, u % segments / nh), kh = sorak_conv3d_pack_tap(a, 1, u % nh);
        for (int64_t i = 0; i < nw * cp; i++)
            for (int64_t j = 0; j < width; j++) {
                const int64_t in = i % cp, out = panel * width + j, kw = sorak_conv3d_pack_tap(a, 2, i / cp);
                const int64_t co = a->flip ? in : out, ci = a->flip ? out : in;
                float v = 0;
                if (in < c && out < n)
                    sorak_stored_f32(a->src_dtype, a->src, (((co * a->ci + ci) * a->k[0] + kt) * a->k[1] + kh) * a->k[2] + kw, 1, &v);
                if (bf16)
                    put(a->dst, 1, ((u * steps + i / 2) * width + j) * 2 + i % 2, v);
                else
                    put(a->dst, 0, (u * steps + i) * width + j, v);
            }
    }
}

int sorak_conv3d_pack_f32_ref(const void *args, const sorak_env *env) {
    pack(args, env, 0);
    return 0;
}

int sorak_conv3d_pack_bf16_ref(const void *args, const sorak_env *env) {
    pack(args, env, 1);
    return 0;
}

/* Value k of segment s of column n in packed panels of this width whose segments have `steps` steps. */
static double packed(const void *w, int bf16, int64_t width, int64_t segments, int64_t steps, int64_t s, int64_t k, int64_t n) {
    const int64_t at = (n / width * segments + s) * steps, j = n % width;
    return bf16 ? get(w, 1, ((at + k / 2) * width + j) * 2 + k % 2) : get(w, 0, (at + k) * width + j);
}

static void conv(const sorak_conv3d_args *a, const sorak_env *env, int bf16) {
    const int64_t steps = a->kw * a->cp / (bf16 ? 2 : 1), rows = sorak_conv3d_rows(a);
    for (int64_t u = env->begin; u < env->end; u++) {
        const int64_t h = u % rows % a->ho, t = u % rows / a->ho % a->to, b = u % rows / a->ho / a->to, n0 = u / rows * SORAK_CONV_COLS;
        int64_t step;
        float *const y = sorak_conv3d_row(a, u % rows, &step);
        for (int64_t w = 0; w < a->wo; w++)
            for (int64_t n = n0; n < a->co && n < n0 + SORAK_CONV_COLS; n++) {
                double sum = 0;
                for (int64_t s = 0; s < a->kt * a->kh; s++) {
                    const int64_t tp = t * a->st + s / a->kh - a->front_t, hp = h * a->sh + s % a->kh;
                    if (tp < 0 || tp >= a->tp)
                        continue;
                    const int64_t at = (((b * a->tp + tp) * a->hp + hp) * a->wp + w * a->sw) * a->cp;
                    for (int64_t k = 0; k < a->kw * a->cp; k++)
                        sum += get(a->x, bf16, at + k) * packed(a->w, bf16, sorak_panel(a->co), a->kt * a->kh, steps, s, k, n);
                }
                if (a->bias)
                    sum += (double)a->bias[n];
                y[w * step + n] = (float)sum;
            }
    }
}

int sorak_conv3d_f32_ref(const void *args, const sorak_env *env) {
    conv(args, env, 0);
    return 0;
}

int sorak_conv3d_bf16_ref(const void *args, const sorak_env *env) {
    conv(args, env, 1);
    return 0;
}

static void dw(const sorak_conv3d_dw_args *a, const sorak_env *env, int bf16) {
    const int64_t blocks = (a->ci + SORAK_DW_CHANNELS - 1) / SORAK_DW_CHANNELS, panels = sorak_panels(a->co), width = sorak_panel(a->co);
    const int64_t rows = a->b * a->to * a->ho, steps = sorak_steps(bf16 ? SK_DT_bf16 : SK_DT_f32, a->wo), phase = a->wp / a->sw;
    for (int64_t u = env->begin; u < env->end; u++) {
        const int64_t c0 = u % blocks * SORAK_DW_CHANNELS, n0 = u / blocks % panels * width, s = u / blocks / panels % (a->kt * a->kh);
        const int64_t kt = s / a->kh, kh = s % a->kh, chunk = u / blocks / panels / (a->kt * a->kh);
        const int64_t row0 = rows * chunk / a->chunks, row1 = rows * (chunk + 1) / a->chunks;
        for (int64_t c = c0; c < a->ci && c < c0 + SORAK_DW_CHANNELS; c++)
            for (int64_t n = n0; n < a->co && n < n0 + width; n++)
                for (int64_t kw = 0; kw < a->kw; kw++) {
                    double sum = 0;
                    for (int64_t r = row0; r < row1; r++) {
                        const int64_t hp = r % a->ho * a->sh + kh, tp = r / a->ho % a->to * a->st + kt - a->front_t, b = r / a->ho / a->to;
                        if (tp < 0 || tp >= a->tp)
                            continue;
                        const int64_t at = (((b * a->tp + tp) * a->hp + hp) * a->ci + c) * a->wp + kw % a->sw * phase + kw / a->sw;
                        for (int64_t w = 0; w < a->wo; w++)
                            sum += get(a->x, bf16, at + w) * packed(a->dy, bf16, width, rows, steps, r, w, n);
                    }
                    a->partial[(((chunk * a->kt * a->kh + s) * a->kw + kw) * a->ci + c) * a->co + n] = (float)sum;
                }
    }
}

int sorak_conv3d_dw_f32_ref(const void *args, const sorak_env *env) {
    dw(args, env, 0);
    return 0;
}

int sorak_conv3d_dw_bf16_ref(const void *args, const sorak_env *env) {
    dw(args, env, 1);
    return 0;
}
