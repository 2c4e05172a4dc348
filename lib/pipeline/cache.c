/* Step caching after TeaCache (Liu et al., arXiv 2411.19108): where the transformer's embedding of time has changed little since the last step that
 * was computed, its blocks would add about the same once more, and are left out. Which steps these are follows from timesteps and weights alone:
 * it is known before the first step, and a run that is resumed comes to the same. Without the paper's polynomials, which are fitted to published
 * models: the change itself is summed. */
#include <math.h>

#include "lib/ops/ops.h"
#include "lib/pipeline/pipeline.h"

float *sorai_cache_rows(sorai_exec *x, const sorai_kind *kind) {
    return sorai_arena_alloc(&x->meta, (size_t)(2 * 6 * kind->dim) * sizeof(float));
}

sora_tensor *sorai_cache_residual(sorai_exec *x, const sorai_kind *kind, int64_t passes, int64_t tokens) {
    return sorai_temp(x, 3, (const int64_t[]){passes, tokens, kind->dim});
}

void sorai_cache_plan(sora_pipeline *p, sorai_loop *l) {
    sorai_exec *x = &p->exec;
    const sorai_sampler *s = &l->sampler;
    const sorai_kind kind = sorai_kind_of(p->model, l->net);
    const int64_t n = 6 * kind.dim;
    const sorai_exec_mark mark = sorai_exec_here(x);
    float *rows = sorai_cache_rows(x, &kind);
    double sum = INFINITY; /* an expert's first step is computed */
    if (!rows)
        sorai_exec_fail(x, SORA_E_NOMEM, "no memory for step caching");
    for (int32_t i = 0; rows && i < s->steps; i++) {
        float *const now = rows + i % 2 * n, *const before = rows + (i + 1) % 2 * n;
        const sorai_exec_mark inner = sorai_exec_here(x);
        sora_tensor *row = sorai_denoiser_time(x, &l->denoiser, s->timesteps[i]);
        if (!row || sorai_download(x, row, now) != SORA_OK)
            return;
        sorai_exec_rewind(x, inner);
        double change = 0.0, size = 0.0;
        for (int64_t k = 0; i > 0 && k < n; k++) {
            change += fabs((double)now[k] - (double)before[k]);
            size += fabs((double)before[k]);
        }
        if (sorai_model_expert(p->model, s->timesteps[i]) != l->net)
            continue;
        sum += size > 0.0 ? change / size : INFINITY;
        l->reuses[i] = sum < l->plan->step_cache && i + 1 < s->steps;
        sum = l->reuses[i] ? sum : 0.0;
    }
    sorai_exec_rewind(x, mark);
}
