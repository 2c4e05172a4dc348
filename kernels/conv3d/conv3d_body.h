/* Convolutions for AVX2 and AVX-512 (template: BLOCK_BF16, BLOCK_NAME and CONV_NAME(op) come first). */
#include <string.h>

#include "kernels/conv3d/conv3d.h"
#include "kernels/gemm/block.h"
#include "kernels/simd.h"

#if BLOCK_BF16
#define CONV_DT SK_DT_bf16
typedef uint16_t element;
#else
#define CONV_DT SK_DT_f32
typedef float element;
#endif
#define CONV_BYTES ((int64_t)sizeof(element))

#ifndef CONV_PRODUCT_ONLY

/* --- the input, padded ----------------------------------------------------------------------------------------------------- */

/* n values to elements; `to` has room for whole vectors. */
static inline void convert_row(element *to, const float *from, int64_t n) {
#if BLOCK_BF16
    int64_t i = 0;
    for (; i + VW <= n; i += VW) {
#if VW == 16
        _mm256_storeu_si256((__m256i *)(void *)(to + i), (__m256i)_mm512_cvtneps_pbh(vload(from + i)));
#else
        const __m256i x = _mm256_srli_epi32(_mm256_castps_si256(vround_bf16(vload(from + i))), 16);
        _mm_storeu_si128((__m128i *)(void *)(to + i),
                         _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi32(x, x), 0xd8)));
#endif
    }
    for (; i < n; i++)
        to[i] = sorak_f32_to_bf16(from[i]);
#else
    memcpy(to, from, (size_t)n * sizeof *to);
#endif
}

/* One vector of elements, the first n of them. */
static inline void put_vector(element *to, vf v, int64_t n) {
#if !BLOCK_BF16
    if (n >= VW)
        vstore(to, v);
    else
        vstore_n(to, v, n);
#elif VW == 16
    _mm256_mask_storeu_epi16(to, (n < VW ? vfirst(n) : vfirst(VW)), (__m256i)_mm512_cvtneps_pbh(v));
#else
    const __m256i x = _mm256_srli_epi32(_mm256_castps_si256(vround_bf16(v)), 16);
    element all[VW];
    _mm_storeu_si128((__m128i *)(void *)all, _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi32(x, x), 0xd8)));
    memcpy(to, all, (size_t)(n < VW ? n : VW) * sizeof *to);
#endif
}

static int64_t place(int64_t p, int64_t front, int64_t n) { return p >= front && p - front < n ? p - front : -1; }

static const float *prep_source(const sorak_conv3d_prep_args *a, int64_t unit) {
    const int64_t hp = unit % a->hp, tp = unit / a->hp % a->tp, b = unit / a->hp / a->tp;
    const int64_t t = place(tp, a->front_t, a->t), h = place(hp, a->front_h, a->h);
    const int64_t past = a->history_t - (a->front_t - tp);
    if (h < 0)
        return NULL;
    if (t >= 0)
        return a->x + ((b * a->t + t) * a->h + h) * a->w * a->c;
    if (a->history && tp < a->front_t && past >= 0)
        return a->history + ((b * a->history_t + past) * a->h + h) * a->w * a->c;
    return NULL;
}

static void prep_rows(const sorak_conv3d_prep_args *a, element *to, const float *row) {
    /* places p0 .. p1 - 1 hold source values from w0 on */
    const int64_t w0 = a->front_w >= 0 ? 0 : -a->front_w, p0 = a->front_w + w0;
    int64_t p1 = a->front_w + a->w < a->wp ? a->front_w + a->w : a->wp;
    p1 = p1 > p0 ? p1 : p0;
    if (a->cp != a->c) {
        memset(to, 0, (size_t)(a->wp * a->cp * CONV_BYTES));
        for (int64_t p = p0; p < p1; p++)
            convert_row(to + p * a->cp, row + (w0 + p - p0) * a->c, a->c);
        return;
    }
    memset(to, 0, (size_t)(p0 * a->cp * CONV_BYTES));
    convert_row(to + p0 * a->cp, row + w0 * a->c, (p1 - p0) * a->c);
    memset(to + p1 * a->cp, 0, (size_t)((a->wp - p1) * a->cp * CONV_BYTES));
}

/* [w, c] -> [c, phases of w]. Places j, j + s, ... of a phase form a vector. */
static void prep_planar(const sorak_conv3d_prep_args *a, element *to, const float *row) {
    const int64_t s = a->planar, length = a->wp / s;
    for (int64_t phase = 0; phase < s; phase++)
        for (int64_t j = 0; j < length; j += VW)
            for (int64_t c = 0; c < a->c; c += VW) {
                vf r[VW];
                const int64_t lanes = a->c - c < VW ? a->c - c : VW;
                for (int64_t i = 0; i < VW; i++) {
                    const int64_t w = place((j + i) * s + phase, a->front_w, a->w);
                    r[i] = w < 0 ? vset(0.0f) : lanes == VW ? vload(row + w * a->c + c) : vload_n(row + w * a->c + c, lanes);
                }
                vtranspose(r);
                for (int64_t i = 0; i < lanes; i++)
                    put_vector(to + (c + i) * a->wp + phase * length + j, r[i], length - j);
            }
}

int CONV_NAME(conv3d_prep)(const void *args, const sorak_env *env) {
    const sorak_conv3d_prep_args *const a = args;
    const int64_t size = a->wp * (a->planar ? a->c : a->cp), units = sorak_conv3d_prep_units(a);
    for (int64_t u = env->begin; u < env->end; u++) {
        element *const to = (element *)a->y + u * size;
        const float *const row = prep_source(a, u);
        if (!row)
            memset(to, 0, (size_t)(size * CONV_BYTES));
        else if (a->planar)
            prep_planar(a, to, row);
        else
            prep_rows(a, to, row);
        if (u == units - 1)
            memset(to + size, 0, SORAK_CONV_SLACK);
    }
    return 0;
}

#endif

/* --- the product ------------------------------------------------------------------------------------------------------------ */

#define CONV_MAX_SEGMENTS 4096
#ifndef CONV_LEAST_STEPS
#define CONV_LEAST_STEPS 1
#endif
#ifndef CONV_POSITIONS
#define CONV_POSITIONS 16 /* at least, and 4 rows: a panel is used so often while it is near */
#endif
#ifndef CONV_STREAM
#define CONV_STREAM INT64_MAX /* bytes of y from which on it is written past the caches */
#endif

/* Output rows r0 .. r1 - 1 of channels n0 .. n1 - 1. */
static void conv_rows(const sorak_conv3d_args *a, const int64_t *offset, int64_t r0, int64_t r1, int64_t n0, int64_t n1, int stream) {
    const int64_t segments = a->kt * a->kh, steps = sorak_steps(CONV_DT, a->kw * a->cp), width = sorak_panel(a->co);
    const int64_t row_bytes = a->wp * a->cp * CONV_BYTES, panel_bytes = segments * steps * width * 4;
    for (int64_t n = n0; n < n1; n += SORAK_BLOCK_COLS)
        for (int64_t r = r0; r < r1; r++) {
            const int64_t h = r % a->ho, t = r / a->ho % a->to, b = r / a->ho / a->to;
            int64_t step;
            float *const y = sorak_conv3d_row(a, r, &step);
            /* Taps kt0 .. kt1 - 1 reach stored frames, from frame t0 on; there may be none. */
            const int64_t at = t * a->st - a->front_t, kt0 = at < 0 ? -at : 0, kt1 = a->tp - at < a->kt ? a->tp - at : a->kt;
            const int64_t t0 = kt0 < kt1 ? at + kt0 : 0, tap = kt0 < kt1 ? kt0 * a->kh : 0, taps = kt0 < kt1 ? (kt1 - kt0) * a->kh : 0;
            sorak_block_args p = {.a = (const char *)a->x + ((b * a->tp + t0) * a->hp + h * a->sh) * row_bytes,
                       .a_row = a->sw * a->cp * CONV_BYTES, .offset = offset, .segments = taps, .steps = steps,
                       .b = (const char *)a->w + n / width * panel_bytes + (tap * steps * width + n % width) * 4, .b_step = width * 4,
                       .c = y + n, .ldc = step, .cols = n1 - n < SORAK_BLOCK_COLS ? n1 - n : SORAK_BLOCK_COLS,
                       .bias = a->bias ? a->bias + n : NULL, .scale = 1.0f, .stream = stream};
            BLOCK_NAME(&p, a->wo);
        }
}

int CONV_NAME(conv3d)(const void *args, const sorak_env *env) {
    const sorak_conv3d_args *const a = args;
    const int64_t segments = a->kt * a->kh, row_bytes = a->wp * a->cp * CONV_BYTES, rows = sorak_conv3d_rows(a);
    int64_t *const offset = env->scratch;
    if (segments > CONV_MAX_SEGMENTS || sorak_steps(CONV_DT, a->kw * a->cp) < CONV_LEAST_STEPS)
        return -1;
    if (env->begin == env->end)
        return 0;
    for (int64_t s = 0; s < segments; s++)
        offset[s] = (s / a->kh * a->hp + s % a->kh) * row_bytes;
    const int64_t fit = (CONV_POSITIONS - 1 + a->wo) / a->wo, some = fit > 4 ? fit : 4;
    const int stream = rows * a->wo * a->co * 4 >= CONV_STREAM;
    for (int64_t u = env->begin; u < env->end;) {
        const int64_t r = u % rows, n = u / rows * SORAK_CONV_COLS, left = env->end - u < rows - r ? env->end - u : rows - r;
        const int64_t count = left < some ? left : some;
        conv_rows(a, offset, r, r + count, n, a->co - n < SORAK_CONV_COLS ? a->co : n + SORAK_CONV_COLS, stream);
        u += count;
    }
    if (stream)
        _mm_sfence();
    return 0;
}

/* --- the gradient of the weights ---------------------------------------------------------------------------------------------- */

#define DW_ROWS 2048       /* output rows at a time at most: their offsets */
#define DW_BYTES (700 << 10) /* of the factors at a time: what a second level cache holds */

int CONV_NAME(conv3d_dw)(const void *args, const sorak_env *env) {
    const sorak_conv3d_dw_args *const a = args;
    const int64_t blocks = (a->ci + SORAK_DW_CHANNELS - 1) / SORAK_DW_CHANNELS, panels = sorak_panels(a->co), taps = a->kt * a->kh;
    const int64_t rows = a->b * a->to * a->ho, steps = sorak_steps(CONV_DT, a->wo), width = sorak_panel(a->co);
    const int64_t plane = a->ci * a->wp * CONV_BYTES; /* of one input row */
    int64_t *const offset = env->scratch;
    if (steps < CONV_LEAST_STEPS)
        return -1;
    for (int64_t u = env->begin; u < env->end; u++) {
        const int64_t c0 = u % blocks * SORAK_DW_CHANNELS, n0 = u / blocks % panels * width, s = u / blocks / panels % taps;
        const int64_t kt = s / a->kh, kh = s % a->kh, chunk = u / blocks / panels / taps;
        const int64_t first = rows * chunk / a->chunks, last = rows * (chunk + 1) / a->chunks;
        const int64_t channels = a->ci - c0 < SORAK_DW_CHANNELS ? a->ci - c0 : SORAK_DW_CHANNELS;
        int64_t some = DW_BYTES / (channels * a->wp * CONV_BYTES + steps * width * 4);
        some = some < 1 ? 1 : some > DW_ROWS ? DW_ROWS : some;
        /* Output frames t0..t1-1 see stored frames through this tap. Rows of the others add nothing. */
        const int64_t ahead = a->front_t - kt, t0 = ahead > 0 ? (ahead + a->st - 1) / a->st : 0;
        int64_t t1 = a->tp + ahead > 0 ? (a->tp + ahead + a->st - 1) / a->st : 0;
        t1 = t1 < a->to ? t1 : a->to;
        const int whole = t0 == 0 && t1 == a->to;
        int started = 0;
        for (int64_t r0 = first, count; r0 < last && t0 < t1; r0 += count) {
            count = last - r0 < some ? last - r0 : some;
            if (!whole) {
                const int64_t clip = a->to * a->ho, at = r0 % clip, begin = r0 - at + t0 * a->ho, end = r0 - at + t1 * a->ho;
                if (r0 < begin || r0 >= end) {
                    count = r0 < begin ? begin - r0 : clip - at;
                    continue;
                }
                count = end - r0 < count ? end - r0 : count;
            }
            for (int64_t i = 0; i < count; i++) {
                const int64_t r = r0 + i, hp = r % a->ho * a->sh + kh, tp = r / a->ho % a->to * a->st - ahead, b = r / a->ho / a->to;
                offset[i] = ((b * a->tp + tp) * a->hp + hp) * plane;
            }
            for (int64_t n = n0; n < a->co && n < n0 + width; n += SORAK_BLOCK_COLS)
                for (int64_t kw = 0; kw < a->kw; kw++) {
                    float *const c = a->partial + (((chunk * taps + s) * a->kw + kw) * a->ci + c0) * a->co + n;
                    const int64_t shift = kw % a->sw * (a->wp / a->sw) + kw / a->sw;
                    sorak_block_args p = {.a = (const char *)a->x + (c0 * a->wp + shift) * CONV_BYTES, .a_row = a->wp * CONV_BYTES,
                               .offset = offset, .segments = count, .steps = steps,
                               .b = (const char *)a->dy + ((n0 / width * rows + r0) * steps * width + n % width) * 4, .b_step = width * 4,
                               .init = started ? c : NULL, .init_ld = a->co, .c = c, .ldc = a->co,
                               .cols = a->co - n < SORAK_BLOCK_COLS ? a->co - n : SORAK_BLOCK_COLS, .scale = 1.0f};
                    BLOCK_NAME(&p, channels);
                }
            started = 1;
        }
        const int64_t cols = a->co - n0 < width ? a->co - n0 : width;
        for (int64_t i = 0; !started && i < a->kw * channels; i++)
            memset(a->partial + (((chunk * taps + s) * a->kw + i / channels) * a->ci + c0 + i % channels) * a->co + n0, 0,
                   (size_t)cols * sizeof *a->partial);
    }
    return 0;
}

#ifndef CONV_PRODUCT_ONLY

/* --- weights ------------------------------------------------------------------------------------------------------------------- */

int CONV_NAME(conv3d_pack)(const void *args, const sorak_env *env) {
    const sorak_conv3d_pack_args *const a = args;
    const int64_t nh = sorak_conv3d_pack_taps(a, 1), nw = sorak_conv3d_pack_taps(a, 2), segments = sorak_conv3d_pack_taps(a, 0) * nh;
    const int64_t n = a->flip ? a->ci : a->co, c = a->flip ? a->co : a->ci, cp = sorak_conv_channels(CONV_DT, c);
    const int64_t width = sorak_panel(n), steps = sorak_steps(CONV_DT, nw * cp), taps = a->k[0] * a->k[1] * a->k[2];
    const int64_t n_stride = a->flip ? taps : a->ci * taps, c_stride = a->flip ? a->ci * taps : taps, in_step = BLOCK_BF16 ? 2 : 1;
    if (a->src_dtype != SK_DT_f32)
        return -1;
    for (int64_t u = env->begin; u < env->end; u++) {
        const int64_t panel = u / segments, lanes = n - panel * width < width ? n - panel * width : width;
        const int64_t kt = sorak_conv3d_pack_tap(a, 0, u % segments / nh), kh = sorak_conv3d_pack_tap(a, 1, u % nh);
        element *to = (element *)a->dst + u * steps * width * in_step;
        memset(to, 0, (size_t)(steps * width * 4));
        for (int64_t w = 0; w < nw; w++) {
            const int64_t tap = (kt * a->k[1] + kh) * a->k[2] + sorak_conv3d_pack_tap(a, 2, w);
            const float *const src = (const float *)a->src + panel * width * n_stride + tap;
            for (int64_t i = 0; i < c; i++) {
                element *const at = to + ((w * cp + i) / in_step * width) * in_step + (w * cp + i) % in_step;
                for (int64_t j = 0; j < lanes; j++) {
                    const float v = src[j * n_stride + i * c_stride];
#if BLOCK_BF16
                    at[j * in_step] = sorak_f32_to_bf16(v);
#else
                    at[j * in_step] = v;
#endif
                }
            }
        }
    }
    return 0;
}

#endif
