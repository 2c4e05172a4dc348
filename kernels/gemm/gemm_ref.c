#include <string.h>

#include "kernels/gemm/source.h"

/* Steps begin..end of one panel of one segment. */
static void pack_block(const sorak_gemm_pack_args *a, int bf16, int64_t unit) {
    const int64_t width = sorak_panel(a->n), blocks = sorak_gemm_pack_blocks(a->k), steps = sorak_steps(bf16 ? SK_DT_bf16 : SK_DT_f32, a->k);
    const int64_t block = unit % blocks, segment = unit / blocks % a->segments, panel = unit / blocks / a->segments;
    const int64_t per = bf16 ? SORAK_PACK_STEPS : 2 * SORAK_PACK_STEPS;
    const int64_t begin = block * per, end = begin + per < steps ? begin + per : steps;
    const int64_t base = (panel * a->segments + segment) * steps;
    for (int64_t s = begin; s < end; s++)
        for (int64_t j = 0; j < width; j++)
            for (int64_t half = 0; half < (bf16 ? 2 : 1); half++) {
                const int64_t n = panel * width + j, k = bf16 ? 2 * s + half : s;
                float v = 0;
                if (n < a->n && k < a->k)
                    v = sorak_source_f32(a->src, a->src_dtype, (segment * a->k + k) * a->k_stride + n * a->n_stride);
                if (bf16)
                    ((uint16_t *)a->dst)[((base + s) * width + j) * 2 + half] = sorak_f32_to_bf16(v);
                else
                    ((float *)a->dst)[(base + s) * width + j] = v;
            }
}

int sorak_gemm_pack_f32_ref(const void *args, const sorak_env *env) {
    for (int64_t u = env->begin; u < env->end; u++)
        pack_block(args, 0, u);
    return 0;
}

int sorak_gemm_pack_bf16_ref(const void *args, const sorak_env *env) {
    for (int64_t u = env->begin; u < env->end; u++)
        pack_block(args, 1, u);
    return 0;
}

static double b_value(const sorak_gemm_args *a, int bf16, int64_t k, int64_t n) {
    const int64_t steps = sorak_steps(bf16 ? SK_DT_bf16 : SK_DT_f32, a->k), width = sorak_panel(a->n);
    const int64_t panel = n / width, j = n % width;
    if (bf16)
        return (double)sorak_bf16_to_f32(((const uint16_t *)a->b)[((panel * steps + k / 2) * width + j) * 2 + k % 2]);
    return (double)((const float *)a->b)[(panel * steps + k) * width + j];
}

static void gemm_unit(const sorak_gemm_args *a, int bf16, int64_t unit) {
    const int64_t across = (a->n + SORAK_GEMM_COLS - 1) / SORAK_GEMM_COLS;
    const int64_t row0 = unit / across * SORAK_GEMM_ROWS, col0 = unit % across * SORAK_GEMM_COLS;
    for (int64_t i = row0; i < row0 + SORAK_GEMM_ROWS && i < a->m; i++)
        for (int64_t j = col0; j < col0 + SORAK_GEMM_COLS && j < a->n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < a->k; k++) {
                float v = a->a[i * a->a_row + k * a->a_col];
                if (bf16)
                    v = sorak_bf16_to_f32(sorak_f32_to_bf16(v));
                sum += (double)v * b_value(a, bf16, k, j);
            }
            sum *= (double)a->scale;
            if (a->bias)
                sum += (double)a->bias[j];
            if (a->accumulate)
                sum += (double)a->c[i * a->ldc + j];
            a->c[i * a->ldc + j] = (float)sum;
        }
}

int sorak_gemm_f32_ref(const void *args, const sorak_env *env) {
    for (int64_t u = env->begin; u < env->end; u++)
        gemm_unit(args, 0, u);
    return 0;
}

int sorak_gemm_bf16_ref(const void *args, const sorak_env *env) {
    for (int64_t u = env->begin; u < env->end; u++)
        gemm_unit(args, 1, u);
    return 0;
}
