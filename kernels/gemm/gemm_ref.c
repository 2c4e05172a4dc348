#include <math.h>
#include <string.h>

#include "kernels/gemm/gemm.h"
#include "kernels/stored.h"

/* Values k .. k + count of column n of a segment. */
static void read_column(const sorak_gemm_pack_args *a, int64_t segment, int64_t k, int64_t n, int64_t count, float *v) {
    const int64_t at = (segment * a->k + k) * a->k_stride + n * a->n_stride;
    if (a->k_stride == 1)
        sorak_stored_f32(a->src_dtype, a->src, at, count, v);
    for (int64_t i = 0; i < count && a->k_stride != 1; i++)
        sorak_stored_f32(a->src_dtype, a->src, at + i * a->k_stride, 1, v + i);
    for (int64_t i = 0; i < count && a->scale; i++)
        v[i] *= a->scale[n * a->scale_step];
}

/* Steps begin..end of one panel of one segment. */
static void pack_block(const sorak_gemm_pack_args *a, int bf16, int64_t unit) {
    const int64_t width = sorak_panel(a->n), blocks = sorak_gemm_pack_blocks(a->k), steps = sorak_steps(bf16 ? SK_DT_bf16 : SK_DT_f32, a->k);
    const int64_t block = unit % blocks, segment = unit / blocks % a->segments, panel = unit / blocks / a->segments;
    const int64_t k0 = block * 2 * SORAK_PACK_STEPS, k1 = k0 + 2 * SORAK_PACK_STEPS, base = (panel * a->segments + segment) * steps;
    for (int64_t j = 0; j < width; j++) {
        const int64_t n = panel * width + j;
        float v[2 * SORAK_PACK_STEPS] = {0};
        if (n < a->n)
            read_column(a, segment, k0, n, (k1 < a->k ? k1 : a->k) - k0, v);
        for (int64_t k = k0; k < k1 && k < (bf16 ? 2 * steps : steps); k++)
            if (bf16)
                ((uint16_t *)a->dst)[((base + k / 2) * width + j) * 2 + k % 2] = sorak_f32_to_bf16(v[k - k0]);
            else
                ((float *)a->dst)[(base + k) * width + j] = v[k - k0];
    }
}

/* Blocks begin where a unit begins, as SORAK_PACK_STEPS is a multiple of theirs. */
static int pack(const sorak_gemm_pack_args *a, int bf16, const sorak_env *env) {
    const int64_t values = sorak_stored_known(a->src_dtype) ? sorak_block_values(a->src_dtype) : 0;
    if (values < 1 || (values > 1 && (a->k_stride != 1 || a->n_stride % values || a->segments != 1)))
        return -1;
    for (int64_t u = env->begin; u < env->end; u++)
        pack_block(a, bf16, u);
    return 0;
}

int sorak_gemm_pack_f32_ref(const void *args, const sorak_env *env) { return pack(args, 0, env); }
int sorak_gemm_pack_bf16_ref(const void *args, const sorak_env *env) { return pack(args, 1, env); }

static double b_value(const sorak_gemm_args *a, int bf16, int64_t k, int64_t n) {
    const int64_t steps = sorak_steps(bf16 ? SK_DT_bf16 : SK_DT_f32, a->k), width = sorak_panel(a->n);
    const int64_t panel = n / width, j = n % width;
    if (bf16)
        return (double)sorak_bf16_to_f32(((const uint16_t *)a->b)[((panel * steps + k / 2) * width + j) * 2 + k % 2]);
    return (double)((const float *)a->b)[(panel * steps + k) * width + j];
}

static double a_value(const sorak_gemm_args *a, int bf16, int64_t at) {
    if (a->a_bf16)
        return (double)sorak_bf16_to_f32(((const uint16_t *)a->a)[at]);
    const float v = ((const float *)a->a)[at];
    return (double)(bf16 ? sorak_bf16_to_f32(sorak_f32_to_bf16(v)) : v);
}

static double activated(int act, double x) {
    if (act == SORAK_GEMM_SILU)
        return x / (1 + exp(-x));
    if (act == SORAK_GEMM_GELU_TANH)
        return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
}

/* A finished sum to its place in c. */
static void put(const sorak_gemm_args *a, int64_t at, double sum, double bias) {
    sum += bias;
    if (a->act)
        sum = activated(a->act, sum);
    if (a->c_bf16)
        ((uint16_t *)a->c)[at] = sorak_f32_to_bf16((float)sum);
    else
        ((float *)a->c)[at] = (float)(a->accumulate ? sum + (double)((float *)a->c)[at] : sum);
}

static void gemm_unit(const sorak_gemm_args *a, int bf16, int64_t unit) {
    const int64_t across = (a->n + SORAK_GEMM_COLS - 1) / SORAK_GEMM_COLS;
    const int64_t row0 = unit / across * SORAK_GEMM_ROWS, col0 = unit % across * SORAK_GEMM_COLS;
    for (int64_t i = row0; i < row0 + SORAK_GEMM_ROWS && i < a->m; i++)
        for (int64_t j = col0; j < col0 + SORAK_GEMM_COLS && j < a->n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < a->k; k++) {
                sum += a_value(a, bf16, i * a->a_row + k * a->a_col) * b_value(a, bf16, k, j);
            }
            put(a, i * a->ldc + j, sum * (double)a->scale, a->bias ? (double)a->bias[j] : 0.0);
        }
}

int sorak_gemm_f32_ref(const void *args, const sorak_env *env) {
    const sorak_gemm_args *const a = args;
    if (a->a_bf16 || a->c_bf16)
        return -1;
    for (int64_t u = env->begin; u < env->end; u++)
        gemm_unit(args, 0, u);
    return 0;
}

int sorak_gemm_bf16_ref(const void *args, const sorak_env *env) {
    for (int64_t u = env->begin; u < env->end; u++)
        gemm_unit(args, 1, u);
    return 0;
}

static int gemm_stored(const sorak_gemm_stored_args *g, int bf16, const sorak_env *env) {
    const int64_t down = (g->n + SORAK_STORED_ROWS - 1) / SORAK_STORED_ROWS, values = sorak_stored_known(g->w_dtype) ? sorak_block_values(g->w_dtype) : 0;
    const sorak_gemm_args a = {.b = g->a, .n = g->m, .k = g->k};
    if (values < 1 || g->k % values || (g->c_bf16 && !bf16))
        return -1;
    for (int64_t u = env->begin; u < env->end; u++)
        for (int64_t j = u % down * SORAK_STORED_ROWS; j < (u % down + 1) * SORAK_STORED_ROWS && j < g->n; j++)
            for (int64_t i = u / down * SORAK_STORED_COLS; i < (u / down + 1) * SORAK_STORED_COLS && i < g->m; i++) {
                double sum = 0;
                float v[256];
                for (int64_t k = 0; k < g->k; k++) {
                    if (k % 256 == 0)
                        sorak_stored_f32(g->w_dtype, g->w, j * g->k + k, g->k - k < 256 ? g->k - k : 256, v);
                    const float w = g->scale ? v[k % 256] * g->scale[j * g->scale_step] : v[k % 256];
                    sum += (double)(bf16 ? sorak_bf16_to_f32(sorak_f32_to_bf16(w)) : w) * b_value(&a, bf16, k, i);
                }
                sum += g->bias ? (double)g->bias[j] : 0.0;
                if (g->act)
                    sum = activated(g->act, sum);
                if (g->c_bf16)
                    ((uint16_t *)g->c)[i * g->ldc + j] = sorak_f32_to_bf16((float)sum);
                else
                    ((float *)g->c)[i * g->ldc + j] = (float)sum;
            }
    return 0;
}

int sorak_gemm_stored_f32_ref(const void *args, const sorak_env *env) { return gemm_stored(args, 0, env); }
int sorak_gemm_stored_bf16_ref(const void *args, const sorak_env *env) { return gemm_stored(args, 1, env); }

/* ---- int8 ---------------------------------------------------------------------------------------------------------------- */

static float largest(const float *v, int64_t n, int64_t step) {
    float most = 0;
    for (int64_t i = 0; i < n; i++)
        if (fabsf(v[i * step]) > most || v[i * step] != v[i * step])
            most = fabsf(v[i * step]);
        else if (most != most)
            break;
    return most;
}

static int byte_of(float v, float most) { return sorak_i8_inverse(most) == 0.0f ? 0 : (int)rintf(v * sorak_i8_inverse(most)); }

int sorak_gemm_pack_i8_ref(const void *args, const sorak_env *env) {
    const sorak_gemm_pack_args *a = args;
    const int64_t blocks = sorak_gemm_pack_blocks(a->k), values = sorak_stored_known(a->src_dtype) ? sorak_block_values(a->src_dtype) : 0;
    if (values < 1 || a->segments != 1 || (values > 1 && (a->k_stride != 1 || a->n_stride % values)))
        return -1;
    for (int64_t u = env->begin; u < env->end; u++) {
        const sorak_i8_panel p = sorak_i8_panel_of(a->dst, a->n, a->k, u / blocks);
        for (int64_t j = 0; u % blocks == 0 && j < p.width; j++) { /* a panel's first unit does all of k */
            const int64_t n = u / blocks * p.width + j;
            float v[256], most = 0;
            for (int64_t k = 0; n < a->n && k < a->k; k += 256) {
                const int64_t count = a->k - k < 256 ? a->k - k : 256;
                read_column(a, 0, k, n, count, v);
                const float here = largest(v, count, 1);
                most = here > most || here != here ? here : most;
                if (most != most)
                    break;
            }
            ((float *)(uintptr_t)p.scale)[j] = sorak_i8_step(most);
            for (int64_t b = 0; b < sorak_i8_blocks(a->k); b++)
                ((int32_t *)(uintptr_t)p.sums)[b * p.sums_step + j] = 0;
            for (int64_t k = 0; k < 4 * p.steps; k++) {
                if (k % 256 == 0 && k < a->k && n < a->n)
                    read_column(a, 0, k, n, a->k - k < 256 ? a->k - k : 256, v);
                const int q = k < a->k && n < a->n ? byte_of(v[k % 256], most) : 0;
                ((int8_t *)(uintptr_t)p.b)[(k / 4 * p.width + j) * 4 + k % 4] = (int8_t)q;
                ((int32_t *)(uintptr_t)p.sums)[k / SORAK_I8_BLOCK * p.sums_step + j] += q;
            }
        }
    }
    return 0;
}

int sorak_gemm_i8_ref(const void *args, const sorak_env *env) {
    const sorak_gemm_args *a = args;
    const int64_t across = (a->n + SORAK_GEMM_COLS - 1) / SORAK_GEMM_COLS;
    for (int64_t u = env->begin; u < env->end; u++)
        for (int64_t i = u / across * SORAK_GEMM_ROWS; i < (u / across + 1) * SORAK_GEMM_ROWS && i < a->m; i++)
            for (int64_t j = u % across * SORAK_GEMM_COLS; j < (u % across + 1) * SORAK_GEMM_COLS && j < a->n; j++) {
                const sorak_i8_panel p = sorak_i8_panel_of(a->b, a->n, a->k, j / sorak_panel(a->n));
                double sum = 0;
                for (int64_t k0 = 0; k0 < a->k; k0 += SORAK_I8_BLOCK) {
                    const int64_t count = a->k - k0 < SORAK_I8_BLOCK ? a->k - k0 : SORAK_I8_BLOCK;
                    float v[SORAK_I8_BLOCK];
                    for (int64_t k = 0; k < count; k++)
                        v[k] = (float)a_value(a, 0, i * a->a_row + (k0 + k) * a->a_col);
                    const float most = largest(v, count, 1);
                    int64_t exact = 0;
                    for (int64_t k = 0; k < count; k++)
                        exact += byte_of(v[k], most) * p.b[((k0 + k) / 4 * p.width + j % p.width) * 4 + (k0 + k) % 4];
                    sum += (double)exact * (double)sorak_i8_step(most);
                }
                put(a, i * a->ldc + j, sum * (double)p.scale[j % p.width] * (double)a->scale, a->bias ? (double)a->bias[j] : 0.0);
            }
    return 0;
}
