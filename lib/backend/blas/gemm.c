/* Packed products by sgemm. */
#include <cblas.h>
#include <limits.h>
#include <string.h>

#include "kernels/stored.h"
#include "lib/backend/blas/blas.h"

/* Fewer rows than this are not worth a copy of b. */
#define GATHER_ROWS 16

static void sgemm(const sorai_blas_block *p, int64_t k0, int64_t k, const float *b, int64_t ldb, int64_t col0,
                  int64_t cols, float beta) {
    const float *const a = p->a + (p->transposed ? k0 * p->lda : k0);
    /* With a single line there is no distance between lines; the least that sgemm accepts stands for it. */
    const int64_t lda = p->transposed ? (k == 1 ? p->rows : p->lda) : p->rows == 1 ? k : p->lda;
    cblas_sgemm(CblasRowMajor, p->transposed ? CblasTrans : CblasNoTrans, CblasNoTrans, (blasint)p->rows, (blasint)cols,
                (blasint)k, p->scale, a, (blasint)lda, b, (blasint)ldb, beta, p->c + col0,
                (blasint)(p->rows == 1 ? cols : p->ldc));
}

void sorai_blas_multiply(const sorai_blas_block *p, float beta, float *room) {
    const int64_t panels = (p->cols + p->width - 1) / p->width, ld = panels * p->width;
    if (p->rows < GATHER_ROWS || panels == 1) {
        for (int64_t j = 0; j < panels; j++) {
            const int64_t left = p->cols - j * p->width;
            sgemm(p, 0, p->k, p->b + (j * p->k_total + p->k0) * p->width, p->width, j * p->width,
                  left < p->width ? left : p->width, beta);
        }
        return;
    }
    /* Side by side, the panels make one product: sgemm lays a out anew in every call. */
    const int64_t per = (int64_t)(SORAI_BLAS_ROOM / sizeof(float)) / ld;
    for (int64_t k = 0; k < p->k; k += per) {
        const int64_t now = p->k - k < per ? p->k - k : per;
        for (int64_t j = 0; j < panels; j++) {
            const float *const from = p->b + (j * p->k_total + p->k0 + k) * p->width;
            for (int64_t i = 0; i < now; i++)
                memcpy(room + i * ld + j * p->width, from + i * p->width, (size_t)p->width * sizeof *room);
        }
        sgemm(p, k, now, room, ld, 0, p->cols, k > 0 ? 1.0f : beta);
    }
}

typedef struct gemm {
    const sorai_host_device *dev;
    const sorak_gemm_args *g;
    int transposed;
    int64_t row_blocks, col_blocks;
} gemm;

static void gemm_item(void *arg, int64_t item, uint32_t worker) {
    const gemm *const l = arg;
    const sorak_gemm_args *const g = l->g;
    const int64_t i = item / l->col_blocks, j = item % l->col_blocks, panels = sorak_panels(g->n),
                  width = sorak_panel(g->n);
    const int64_t row0 = sorai_blas_cut(g->m, l->row_blocks, i), row1 = sorai_blas_cut(g->m, l->row_blocks, i + 1);
    const int64_t panel0 = sorai_blas_cut(panels, l->col_blocks, j),
                  panel1 = sorai_blas_cut(panels, l->col_blocks, j + 1);
    const int64_t col0 = panel0 * width, end = panel1 * width < g->n ? panel1 * width : g->n;
    const sorai_blas_block p = {.a = (const float *)g->a + row0 * g->a_row,
                                .lda = l->transposed ? g->a_col : g->a_row,
                                .transposed = l->transposed,
                                .b = (const float *)g->b + panel0 * g->k * width,
                                .width = width,
                                .k_total = g->k,
                                .k = g->k,
                                .c = (float *)g->c + row0 * g->ldc + col0,
                                .ldc = g->ldc,
                                .rows = row1 - row0,
                                .cols = end - col0,
                                .scale = g->scale};
    for (int64_t r = 0; g->bias && r < p.rows; r++) {
        float *const c = p.c + r * g->ldc;
        if (g->accumulate)
            for (int64_t n = 0; n < p.cols; n++) c[n] += g->bias[col0 + n];
        else
            memcpy(c, g->bias + col0, (size_t)p.cols * sizeof *c);
    }
    sorai_blas_multiply(&p, g->bias || g->accumulate ? 1.0f : 0.0f, l->dev->scratch[worker]);
}

int sorai_blas_gemm(sorai_host_device *dev, const sorak_gemm_args *g) {
    /* What sgemm would refuse (by printing), and a scale of zero, which would hide what is not finite. */
    const int rows = g->a_col == 1 && (g->a_row >= g->k || g->m == 1),
              columns = g->a_row == 1 && (g->a_col >= g->m || g->k == 1);
    if (g->act || g->a_bf16 || g->c_bf16)
        return 0;
    if ((!rows && !columns) || g->m < 1 || g->n < 1 || g->k < 1 || g->scale == 0.0f || (g->ldc < g->n && g->m > 1))
        return 0;
    if (g->m > INT_MAX || g->n > INT_MAX || g->k > INT_MAX || g->a_row > INT_MAX || g->a_col > INT_MAX ||
        g->ldc > INT_MAX)
        return 0;
    gemm l = {dev, g, !rows, (g->m + SORAI_BLAS_ROWS - 1) / SORAI_BLAS_ROWS,
              (sorak_panels(g->n) + SORAI_BLAS_PANELS - 1) / SORAI_BLAS_PANELS};
    sorai_pool_run(dev->pool, gemm_item, &l, l.row_blocks * l.col_blocks);
    return 1;
}

typedef struct stored {
    const sorai_host_device *dev;
    const sorak_gemm_stored_args *g;
} stored;

/* SORAK_STORED_ROWS rows of w by every panel of a. */
static void stored_item(void *arg, int64_t item, uint32_t worker) {
    const stored *const l = arg;
    const sorak_gemm_stored_args *const g = l->g;
    const int64_t row0 = item * SORAK_STORED_ROWS, width = sorak_panel(g->m);
    const int64_t rows = g->n - row0 < SORAK_STORED_ROWS ? g->n - row0 : SORAK_STORED_ROWS;
    const float *w = (const float *)g->w + row0 * g->k;
    float *const c = (float *)g->c + row0;
    if (g->w_dtype != SK_DT_f32 || g->scale) {
        float *const laid = l->dev->scratch[worker];
        sorak_stored_f32(g->w_dtype, g->w, row0 * g->k, rows * g->k, laid);
        for (int64_t i = 0; g->scale && i < rows * g->k; i++) laid[i] *= g->scale[(row0 + i / g->k) * g->scale_step];
        w = laid;
    }
    for (int64_t i = 0; g->bias && i < g->m; i++) memcpy(c + i * g->ldc, g->bias + row0, (size_t)rows * sizeof *c);
    for (int64_t i = 0; i < g->m; i += width) {
        const int64_t now = g->m - i < width ? g->m - i : width;
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasTrans, (blasint)now, (blasint)rows, (blasint)g->k, 1.0f,
                    (const float *)g->a + i * g->k, (blasint)width, w, (blasint)g->k, g->bias ? 1.0f : 0.0f, c + i * g->ldc,
                    (blasint)g->ldc);
    }
}

int sorai_blas_gemm_stored(sorai_host_device *dev, const sorak_gemm_stored_args *g) {
    const int64_t room = SORAK_SCRATCH / sizeof(float) / SORAK_STORED_ROWS;
    if (g->act || g->c_bf16 || g->m < 1 || g->n < 1 || g->k < 1 || g->ldc < g->n || ((g->w_dtype != SK_DT_f32 || g->scale) && g->k > room))
        return 0;
    if (!sorak_stored_known(g->w_dtype) || g->k % sorak_block_values(g->w_dtype) || g->m > INT_MAX || g->k > INT_MAX || g->ldc > INT_MAX)
        return 0;
    stored l = {dev, g};
    sorai_pool_run(dev->pool, stored_item, &l, (g->n + SORAK_STORED_ROWS - 1) / SORAK_STORED_ROWS);
    return 1;
}
