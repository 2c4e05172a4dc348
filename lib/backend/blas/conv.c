/* Convolutions as products with packed panels: the factor that is read at many places is laid out in scratch memory
 * first. */
#include <limits.h>
#include <string.h>

#include "lib/backend/blas/blas.h"

#define ROOM_FLOATS ((int64_t)(SORAI_BLAS_ROOM / sizeof(float)))

typedef struct conv {
    const sorai_host_device *dev;
    const sorak_conv3d_args *a;
    int64_t rows_in_line; /* rows of the output whose positions follow each other at one distance */
    int64_t blocks, col_blocks;
} conv;

/* Values k0 .. k0 + count - 1 of what output positions p0 .. p0 + n - 1 of (b, t), counted over h and w, read; tp0 is
 * the first frame. */
static void lay_out(const sorak_conv3d_args *a, int64_t b, int64_t tp0, int64_t p0, int64_t n, int64_t k0,
                    int64_t count, float *to) {
    const int64_t segment = a->kw * a->cp;
    for (int64_t i = 0; i < n; i++) {
        const int64_t h = (p0 + i) / a->wo, w = (p0 + i) % a->wo;
        for (int64_t k = k0; k < k0 + count;) {
            const int64_t s = k / segment, left = k0 + count - k, from = k % segment;
            const int64_t now = segment - from < left ? segment - from : left;
            const int64_t row = (b * a->tp + tp0 + s / a->kh) * a->hp + h * a->sh + s % a->kh;
            memcpy(to, (const float *)a->x + (row * a->wp + w * a->sw) * a->cp + from, (size_t)now * sizeof *to);
            to += now;
            k += now;
        }
    }
}

static void conv_item(void *arg, int64_t item, uint32_t worker) {
    const conv *const l = arg;
    const sorak_conv3d_args *const a = l->a;
    const int64_t col = item % l->col_blocks, block = item / l->col_blocks % l->blocks,
                  line = item / l->col_blocks / l->blocks;
    const int64_t positions = l->rows_in_line * a->wo, unit = line * l->rows_in_line, frame = unit / a->ho;
    const int64_t p0 = sorai_blas_cut(positions, l->blocks, block),
                  p1 = sorai_blas_cut(positions, l->blocks, block + 1);
    const int64_t panels = sorak_panels(a->co), width = sorak_panel(a->co), segment = a->kw * a->cp;
    const int64_t panel0 = sorai_blas_cut(panels, l->col_blocks, col),
                  panel1 = sorai_blas_cut(panels, l->col_blocks, col + 1);
    const int64_t col0 = panel0 * width, end = panel1 * width < a->co ? panel1 * width : a->co;
    /* The taps that reach frames which are there. */
    const int64_t tp = frame % a->to * a->st - a->front_t, t0 = tp < 0 ? -tp : 0;
    const int64_t t1 = tp + a->kt > a->tp ? a->tp - tp : a->kt;
    const int64_t total = t1 > t0 ? (t1 - t0) * a->kh * segment : 0;
    float *const room = l->dev->scratch[worker], *const rows = room + ROOM_FLOATS;
    int64_t step;
    float *const line_y = sorak_conv3d_row(a, unit, &step);
    sorai_blas_block p = {.a = rows,
                          .b = (const float *)a->w + panel0 * a->kt * a->kh * segment * width,
                          .width = width,
                          .k_total = a->kt * a->kh * segment,
                          .c = line_y + p0 * step + col0,
                          .ldc = step,
                          .rows = p1 - p0,
                          .cols = end - col0,
                          .scale = 1.0f};
    for (int64_t r = 0; r < p.rows && (a->bias || total == 0); r++) {
        if (a->bias)
            memcpy(p.c + r * step, a->bias + col0, (size_t)p.cols * sizeof *p.c);
        else
            memset(p.c + r * step, 0, (size_t)p.cols * sizeof *p.c);
    }
    const int64_t per = ROOM_FLOATS / p.rows;
    for (int64_t k = 0; k < total; k += per) {
        p.k = p.lda = total - k < per ? total - k : per;
        p.k0 = t0 * a->kh * segment + k;
        lay_out(a, frame / a->to, tp + t0, unit % a->ho * a->wo + p0, p.rows, k, p.k, rows);
        sorai_blas_multiply(&p, a->bias || k > 0 ? 1.0f : 0.0f, room);
    }
}

int sorai_blas_conv(sorai_host_device *dev, const sorak_conv3d_args *a) {
    const int64_t step = a->y_step[3] ? a->y_step[3] : a->co;
    const int whole = !a->y_step[3] || a->y_step[2] == a->wo * step;
    if (step < a->co || step > INT_MAX || a->co < 1 || a->wo < 1 || a->cp < 1) return 0;
    conv l = {dev, a, whole ? a->ho : 1, 0, (sorak_panels(a->co) + SORAI_BLAS_PANELS - 1) / SORAI_BLAS_PANELS};
    l.blocks = (l.rows_in_line * a->wo + SORAI_BLAS_ROWS - 1) / SORAI_BLAS_ROWS;
    sorai_pool_run(dev->pool, conv_item, &l, sorak_conv3d_rows(a) / l.rows_in_line * l.blocks * l.col_blocks);
    return 1;
}

typedef struct conv_dw {
    const sorai_host_device *dev;
    const sorak_conv3d_dw_args *a;
    int64_t blocks, col_blocks;
} conv_dw;

static void dw_item(void *arg, int64_t item, uint32_t worker) {
    const conv_dw *const l = arg;
    const sorak_conv3d_dw_args *const a = l->a;
    const int64_t col = item % l->col_blocks, block = item / l->col_blocks % l->blocks;
    const int64_t tap = item / l->col_blocks / l->blocks; /* (chunk, kt, kh, kw), as in partial */
    const int64_t kw = tap % a->kw, kh = tap / a->kw % a->kh, kt = tap / a->kw / a->kh % a->kt,
                  chunk = tap / a->kw / a->kh / a->kt;
    const int64_t count = a->b * a->to * a->ho, row0 = count * chunk / a->chunks,
                  row1 = count * (chunk + 1) / a->chunks;
    const int64_t panels = sorak_panels(a->co), width = sorak_panel(a->co);
    const int64_t panel0 = sorai_blas_cut(panels, l->col_blocks, col),
                  panel1 = sorai_blas_cut(panels, l->col_blocks, col + 1);
    const int64_t col0 = panel0 * width, end = panel1 * width < a->co ? panel1 * width : a->co;
    const int64_t c0 = sorai_blas_cut(a->ci, l->blocks, block), c1 = sorai_blas_cut(a->ci, l->blocks, block + 1);
    const int64_t shift = kw % a->sw * (a->wp / a->sw) + kw / a->sw;
    float *const room = l->dev->scratch[worker], *const lines = room + ROOM_FLOATS;
    sorai_blas_block p = {.a = lines,
                          .b = (const float *)a->dy + panel0 * count * a->wo * width,
                          .width = width,
                          .k_total = count * a->wo,
                          .c = a->partial + (tap * a->ci + c0) * a->co + col0,
                          .ldc = a->co,
                          .rows = c1 - c0,
                          .cols = end - col0,
                          .scale = 1.0f};
    const int64_t most = ROOM_FLOATS / (p.rows * a->wo);
    int started = 0;
    for (int64_t r = row0; r < row1;) {
        /* Rows of the output that follow each other in one frame, as many as there is room for. */
        const int64_t tp = r / a->ho % a->to * a->st + kt - a->front_t, b = r / a->ho / a->to, h = r % a->ho;
        int64_t now = a->ho - h < row1 - r ? a->ho - h : row1 - r;
        now = now < most ? now : most;
        if (tp >= 0 && tp < a->tp) {
            for (int64_t i = 0; i < now; i++) {
                const int64_t row = (b * a->tp + tp) * a->hp + (h + i) * a->sh + kh;
                for (int64_t c = c0; c < c1; c++)
                    memcpy(lines + ((c - c0) * now + i) * a->wo,
                           (const float *)a->x + (row * a->ci + c) * a->wp + shift, (size_t)a->wo * sizeof *lines);
            }
            p.k = p.lda = now * a->wo;
            p.k0 = r * a->wo;
            sorai_blas_multiply(&p, started ? 1.0f : 0.0f, room);
            started = 1;
        }
        r += now;
    }
    for (int64_t c = 0; c < p.rows && !started; c++) memset(p.c + c * a->co, 0, (size_t)p.cols * sizeof *p.c);
}

int sorai_blas_conv_dw(sorai_host_device *dev, const sorak_conv3d_dw_args *a) {
    if (a->ci < 1 || a->co < 1 || a->co > INT_MAX || a->wo < 1 || a->wo > ROOM_FLOATS / SORAI_BLAS_ROWS) return 0;
    conv_dw l = {dev, a, (a->ci + SORAI_BLAS_ROWS - 1) / SORAI_BLAS_ROWS,
                 (sorak_panels(a->co) + SORAI_BLAS_PANELS - 1) / SORAI_BLAS_PANELS};
    sorai_pool_run(dev->pool, dw_item, &l, a->chunks * a->kt * a->kh * a->kw * l.blocks * l.col_blocks);
    return 1;
}
