/* The vector rows of resample; see kernels/simd.h. */
#include "kernels/resample/resample.h"
#include "kernels/simd.h"

static void up_row(const sorak_resample_args *a, const float *x, float *y) {
    const vf scale = vset(a->scale);
    for (int64_t w = 0; w < a->w; w++, x += a->c)
        for (int32_t f = 0; f < a->fw; f++, y += a->c)
            for (int64_t c = 0; c < a->c; c += VW)
                vstore_n(y + c, scale * vload_n(x + c, a->c - c), a->c - c);
}

/* The sum of the block at x, which is fh rows of fw places in ft frames. */
static inline vf block(const sorak_resample_args *a, const float *x, int64_t n) {
    const int64_t row = a->w * a->fw * a->c, frame = row * a->h * a->fh;
    vf sum = vset(0.0f);
    for (int32_t t = 0; t < a->ft; t++)
        for (int32_t h = 0; h < a->fh; h++)
            for (int32_t w = 0; w < a->fw; w++)
                sum = sum + vload_n(x + t * frame + h * row + w * a->c, n);
    return sum;
}

int SORAK_NAME(resample)(const void *args, const sorak_env *env) {
    const sorak_resample_args *a = args;
    const int64_t row = a->w * a->fw * a->c, frame = row * a->h * a->fh;
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        const int64_t h = unit % a->h, bt = unit / a->h, small = unit * a->w * a->c;
        const int64_t large = bt * a->ft * frame + h * a->fh * row;
        if (a->kind == SORAK_RESAMPLE_UP) {
            for (int32_t t = 0; t < a->ft; t++)
                for (int32_t k = 0; k < a->fh; k++)
                    up_row(a, a->x + small, a->y + large + t * frame + k * row);
            continue;
        }
        for (int64_t w = 0; w < a->w; w++)
            for (int64_t c = 0; c < a->c; c += VW) {
                const vf sum = block(a, a->x + large + w * a->fw * a->c + c, a->c - c);
                vstore_n(a->y + small + w * a->c + c, sum * vset(a->scale), a->c - c);
            }
    }
    return 0;
}
