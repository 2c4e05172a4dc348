/* How a limit of memory is kept: of what a plan leaves open the cheapest that helps, until the estimate fits. */
#include "lib/pipeline/estimate.h"

#define MOST_WINDOWS 256

/* Tokens of a text that the run will encode. */
static int count_tokens(sora_pipeline *p, sora_slot slot, sora_param param, int32_t *most, sora_error *err) {
    if (p->slots[slot])
        return SORA_OK;
    sorai_ids ids;
    sorai_ids_init(&ids, p->mem);
    const char *text = p->params.text[param];
    const int status = sorai_model_tokenize(p->model, text ? text : "", p->params.length[param], &ids, err);
    *most = (int32_t)ids.count > *most ? (int32_t)ids.count : *most;
    sorai_ids_release(&ids);
    return status;
}

/* One more window where a frame can still be cut. 0: it can't. */
static int halve(int64_t windows[2], const int64_t size[2]) {
    const int64_t h = size[0] / windows[0], w = size[1] / windows[1];
    if ((h < 2 && w < 2) || windows[0] * windows[1] >= MOST_WINDOWS)
        return 0;
    windows[w >= h ? 1 : 0] *= 2;
    return 1;
}

static int cut_decoding(sorai_plan *plan) {
    if (plan->whole && 2 * plan->spans <= plan->latent[1]) { /* first in time: what lies around a part is done twice, and frames leave early */
        plan->spans *= 2;
        return 1;
    }
    return halve(plan->windows, plan->latent + 2);
}

static int cut_encoding(const sora_model *m, sorai_plan *plan) {
    return !m->has_ltx_vae && sorai_vae_encodes_windows(&m->vae_config) && halve(plan->encoded_in, plan->latent + 2);
}

int sorai_plan_decoding(sora_pipeline *p, sorai_plan *plan, sora_error *err) {
    uint64_t bytes;
    do {
        if (!p->mem->limit)
            return SORA_OK;
        SORA_TRY(sorai_estimate_decoding(p, plan, &bytes, err));
    } while (atomic_load(&p->mem->used) + bytes > p->mem->limit && cut_decoding(plan));
    return SORA_OK;
}

int sorai_plan_encoding(sora_pipeline *p, sorai_plan *plan, sora_error *err) {
    if (!p->mem->limit)
        return SORA_OK;
    for (;;) {
        uint64_t bytes;
        SORA_TRY(sorai_estimate_encoding(p, plan, &bytes, err));
        const uint64_t used = atomic_load(&p->mem->used);
        if (used + bytes <= p->mem->limit)
            return SORA_OK;
        if (!cut_encoding(p->model, plan))
            return sorai_fail(err, SORA_E_LIMIT, "encoding needs %llu MiB more, the limit leaves %llu", (unsigned long long)(bytes >> 20),
                              (unsigned long long)((p->mem->limit - used) >> 20));
    }
}

int sorai_plan_choose(sora_pipeline *p, sorai_plan *plan, uint64_t *after, uint64_t *peak, sora_error *err) {
    int32_t tokens = 0; /* counting them makes the tokenizer, whose size is known once it is there */
    SORA_TRY(count_tokens(p, SORA_SLOT_TEXT, SORA_PARAM_PROMPT, &tokens, err));
    if (plan->guided)
        SORA_TRY(count_tokens(p, SORA_SLOT_NEGATIVE, SORA_PARAM_NEGATIVE, &tokens, err));
    if (plan->follows)
        SORA_TRY(count_tokens(p, SORA_SLOT_SOURCE, SORA_PARAM_SOURCE, &tokens, err));
    for (;;) {
        enum sorai_most most = SORAI_MOST_DENOISING;
        SORA_TRY(sorai_estimate_run(p, plan, tokens, after, peak, &most, err));
        if (!p->mem->limit || atomic_load(&p->mem->used) + *peak <= p->mem->limit)
            return SORA_OK;
        /* What is cheapest of what helps. Windows cost an eighth of the decoder's work and frames come late, weights that are packed anew
         * cost each step a part that shrinks with the number of tokens. */
        if ((most == SORAI_MOST_DECODING && cut_decoding(plan)) || (most == SORAI_MOST_ENCODING && cut_encoding(p->model, plan)))
            continue;
        if (most == SORAI_MOST_DENOISING && plan->guided && !plan->unbatched)
            plan->unbatched = 1;
        else if (!plan->streamed)
            plan->streamed = 1, plan->spans = plan->windows[0] = plan->windows[1] = plan->encoded_in[0] = plan->encoded_in[1] = 1;
        else
            return SORA_OK;
    }
}

int sorai_pipeline_estimate(sora_pipeline *p, uint64_t *after, uint64_t *peak, sora_error *err) {
    sorai_plan plan;
    SORA_TRY(sorai_plan_make(p, &plan, err));
    return sorai_plan_choose(p, &plan, after, peak, err);
}
