#include <math.h>
#include <string.h>

#include "kernels/layernorm/layernorm.h"

static void moments(const sorak_layernorm_args *a, const float *x, double *mean, double *r) {
    double sum = 0, var = 0;
    for (int64_t c = 0; c < a->cols; c++)
        sum += (double)x[c];
    *mean = sum / (double)a->cols;
    for (int64_t c = 0; c < a->cols; c++)
        var += ((double)x[c] - *mean) * ((double)x[c] - *mean);
    *r = 1 / sqrt(var / (double)a->cols + (double)a->eps);
}

int sorak_layernorm_f32_ref(const void *args, const sorak_env *env) {
    const sorak_layernorm_args *a = args;
    int64_t per = sorak_unit_rows(a->cols);
    for (int64_t row = env->begin * per; row < sorak_min_i64(env->end * per, a->rows); row++) {
        const float *x = a->x + row * a->cols;
        const int64_t group = row / a->group_rows * a->cols;
        double mean, r;
        moments(a, x, &mean, &r);
        for (int64_t c = 0; c < a->cols; c++) {
            double z = ((double)x[c] - mean) * r;
            if (a->scale)
                z *= (double)a->plus + (double)a->scale[group + c];
            if (a->shift)
                z += (double)a->shift[group + c];
            if (a->y_bf16)
                ((uint16_t *)a->y)[row * a->cols + c] = sorak_f32_to_bf16((float)z);
            else
                ((float *)a->y)[row * a->cols + c] = (float)z;
        }
    }
    return 0;
}

/* With n = (x - mean) r and g = dy (plus + scale): dx = r (g - mean(g) - n mean(g n)). */
int sorak_layernorm_bwd_f32_ref(const void *args, const sorak_env *env) {
    const sorak_layernorm_args *a = args;
    if (a->cols > (int64_t)(SORAK_SCRATCH / (3 * sizeof(double))))
        return -1;
    int64_t chunks = sorak_chunks(a->group_rows, a->cols);
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        double *dscale = env->scratch, *dshift = dscale + a->cols, *g = dshift + a->cols;
        int64_t group = unit / chunks, chunk = unit % chunks, first = group * a->group_rows;
        memset(dscale, 0, 2 * (size_t)a->cols * sizeof(double));
        for (int64_t row = first + sorak_chunk_begin(a->group_rows, chunks, chunk);
             row < first + sorak_chunk_begin(a->group_rows, chunks, chunk + 1); row++) {
            const float *x = a->x + row * a->cols, *dy = a->dy + row * a->cols;
            double mean, r, sum = 0, dot = 0;
            moments(a, x, &mean, &r);
            for (int64_t c = 0; c < a->cols; c++) {
                double n = ((double)x[c] - mean) * r;
                dscale[c] += (double)dy[c] * n;
                dshift[c] += (double)dy[c];
                g[c] = (double)dy[c];
                if (a->scale)
                    g[c] *= (double)a->plus + (double)a->scale[group * a->cols + c];
                sum += g[c];
                dot += g[c] * n;
            }
            for (int64_t c = 0; c < a->cols; c++) {
                double n = ((double)x[c] - mean) * r;
                a->dx[row * a->cols + c] = (float)(r * (g[c] - sum / (double)a->cols - n * dot / (double)a->cols));
            }
        }
        for (int64_t c = 0; c < a->cols; c++) {
            if (a->dscale)
                a->dscale[unit * a->cols + c] = (float)dscale[c];
            if (a->dshift)
                a->dshift[unit * a->cols + c] = (float)dshift[c];
        }
    }
    return 0;
}
