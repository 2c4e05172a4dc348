/* gemm_stored for AVX2, AVX-512 and tiles (template, behind gemm_body.h): blocks whose rows are those of w, as they lie where the block can
 * read them, and whose columns are the rows of a. */

#define STORED_PANEL_AT (GEMM_SUMS_AT + SORAK_STORED_ROWS * SORAK_STORED_COLS * 4) /* bytes of scratch before VW rows of c, or one of w */
_Static_assert(SORAK_STORED_ROWS <= GEMM_ROWS && SORAK_STORED_COLS <= GEMM_STRIP, "scratch");

/* Rows of w [rows] x values k0 .. k0 + count, rounded, `stride` bytes apart; zeros follow, as many as a tile may read. */
static void lay_rows(const sorak_gemm_stored_args *g, int64_t row0, int64_t rows, int64_t k0, int64_t count, float *one, char *dst, int64_t stride) {
    const int64_t skip = k0 % sorak_block_values(g->w_dtype);
    for (int64_t i = 0; i < rows; i++) {
        const int64_t at = (row0 + i) * g->k + k0;
        char *const to = dst + i * stride;
        if (g->w_dtype == GEMM_DT && !g->scale) {
            memcpy(to, (const char *)g->w + at * (BLOCK_BF16 ? 2 : 4), (size_t)count * (BLOCK_BF16 ? 2 : 4));
            memset(to + count * (BLOCK_BF16 ? 2 : 4), 0, 64);
            continue;
        }
        vstored_f32(g->w_dtype, g->w, at - skip, count + skip, g->scale ? g->scale + (row0 + i) * g->scale_step : NULL, one);
#if BLOCK_BF16
        round_row(one + skip, count, to);
#else
        memcpy(to, one + skip, (size_t)count * 4);
#endif
    }
}

/* Sums [rows of w][SORAK_STORED_COLS] as rows of c. */
static void put_turned(const sorak_gemm_stored_args *g, const float *sums, int64_t row0, int64_t rows, int64_t col0, int64_t cols, float *panel) {
    const sorak_gemm_args to = {.c = g->c, .act = g->act, .c_bf16 = g->c_bf16};
    for (int64_t i = 0; i < cols; i += VW) {
        for (int64_t j = 0; j < rows; j += VW) {
            vf r[VW];
            const vf bias = g->bias ? vload_n(g->bias + row0 + j, rows - j) : vset(0.0f);
            load_turned(r, sums + j * SORAK_STORED_COLS + i, SORAK_STORED_COLS, rows - j, cols - i);
            for (int64_t k = 0; k < VW; k++)
                vstore(panel + k * SORAK_STORED_ROWS + j, r[k] + bias);
        }
        for (int64_t k = 0; k < VW && i + k < cols; k++)
            put_row(&to, (col0 + i + k) * g->ldc + row0, panel + k * SORAK_STORED_ROWS, rows, 0);
    }
}

int GEMM_NAME(gemm_stored)(const void *args, const sorak_env *env) {
    const sorak_gemm_stored_args *const g = args;
    const int64_t values = sorak_stored_known(g->w_dtype) ? sorak_block_values(g->w_dtype) : 0;
    if (values < 1 || g->k % values || (g->c_bf16 && !BLOCK_BF16))
        return -1;
    const int64_t down = (g->n + SORAK_STORED_ROWS - 1) / SORAK_STORED_ROWS, steps = sorak_steps(GEMM_DT, g->k), in_step = BLOCK_BF16 ? 2 : 1;
    const int64_t per = piece_of(steps), stride = stride_of(per), width = sorak_panel(g->m), zero = 0;
    /* Tiles read 32 values at a time, others a step. */
    const int direct = g->w_dtype == GEMM_DT && !g->scale && g->k % (BLOCK_BF16 ? 32 : 1) == 0;
    char *const laid = env->scratch;
    float *const sums = (float *)(void *)((char *)env->scratch + GEMM_SUMS_AT), *const panel = (float *)(void *)((char *)env->scratch + STORED_PANEL_AT);
    for (int64_t u = env->begin; u < env->end; u++) {
        const int64_t row0 = u % down * SORAK_STORED_ROWS, rows = g->n - row0 < SORAK_STORED_ROWS ? g->n - row0 : SORAK_STORED_ROWS;
        const int64_t col0 = u / down * SORAK_STORED_COLS, cols = g->m - col0 < SORAK_STORED_COLS ? g->m - col0 : SORAK_STORED_COLS;
        for (int64_t k = 0; k < steps; k += per) {
            const int64_t now = steps - k < per ? steps - k : per, left = g->k - k * in_step, count = left < now * in_step ? left : now * in_step;
            if (!direct)
                lay_rows(g, row0, rows, k * in_step, count, panel, laid, stride);
            for (int64_t c = 0; c < cols; c += SORAK_BLOCK_COLS) {
                const int64_t j = col0 + c;
                const sorak_block_args p = {
                    .a = direct ? (const char *)g->w + row0 * g->k * (4 / in_step) + k * 4 : laid, .a_row = direct ? g->k * (4 / in_step) : stride,
                    .offset = &zero, .segments = 1, .steps = now, .b = (const char *)g->a + ((j / width * steps + k) * width + j % width) * 4,
                    .b_step = width * 4, .init = k > 0 ? sums + c : NULL, .init_ld = SORAK_STORED_COLS, .c = sums + c,
                    .ldc = SORAK_STORED_COLS, .cols = cols - c < SORAK_BLOCK_COLS ? cols - c : SORAK_BLOCK_COLS, .rare = direct && c == 0, .scale = 1.0f};
                BLOCK_NAME(&p, rows);
            }
        }
        put_turned(g, sums, row0, rows, col0, cols, panel);
    }
    return 0;
}
