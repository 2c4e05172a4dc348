#include "kernels/resample/resample.h"

int sorak_resample_f32_ref(const void *args, const sorak_env *env) {
    const sorak_resample_args *a = args;
    int64_t large_h = a->h * a->fh, large_w = a->w * a->fw;
    for (int64_t unit = env->begin; unit < env->end; unit++) {
        int64_t h = unit % a->h, bt = unit / a->h; /* time of all batches in one run: t * ft frames each */
        for (int64_t i = 0; i < a->w * a->c; i++) {
            int64_t w = i / a->c, c = i % a->c, small = unit * a->w * a->c + i;
            double sum = 0;
            for (int64_t dt = 0; dt < a->ft; dt++)
                for (int64_t dh = 0; dh < a->fh; dh++)
                    for (int64_t dw = 0; dw < a->fw; dw++) {
                        int64_t large = (((bt * a->ft + dt) * large_h + h * a->fh + dh) * large_w + w * a->fw + dw) * a->c + c;
                        if (a->kind == SORAK_RESAMPLE_UP)
                            a->y[large] = a->scale * a->x[small];
                        else
                            sum += (double)a->x[large];
                    }
            if (a->kind == SORAK_RESAMPLE_POOL)
                a->y[small] = (float)(sum * (double)a->scale);
        }
    }
    return 0;
}
