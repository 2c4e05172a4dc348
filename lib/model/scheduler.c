/* Configs of schedulers: which solver, which levels. */
#include <stdio.h>
#include <string.h>

#include "lib/model/config.h"
#include "lib/model/fields.h"
#include "sora/pipeline.h"

enum { UNIPC = 1, DPMPP = 2, EULER = 4, LCM = 8, MULTISTEP = UNIPC | DPMPP, MATCHING = EULER | LCM, ALL = MULTISTEP | MATCHING };

/* Fields that change results, and the values that the samplers here have; null and absent fields are as the families need them. The rest
 * (betas, spacing of timesteps, clipping of lambdas) plays no part in levels of flow matching. */
static const struct {
    int classes;
    const char *name, *values[4];
} known[] = {
    {ALL, "num_train_timesteps", {"1000"}},
    {ALL, "use_karras_sigmas", {"false"}},
    {ALL, "use_exponential_sigmas", {"false"}},
    {ALL, "use_beta_sigmas", {"false"}},
    {MULTISTEP, "use_flow_sigmas", {"true"}},
    {MULTISTEP, "prediction_type", {"flow_prediction"}},
    {MULTISTEP, "solver_order", {"2"}},
    {MULTISTEP, "thresholding", {"false"}},
    {MULTISTEP, "final_sigmas_type", {"zero"}},
    {MULTISTEP, "use_dynamic_shifting", {"false"}}, /* no pipeline here tells these classes by how much */
    {UNIPC, "solver_type", {"bh2", "midpoint", "heun", "logrho"}}, /* the last three mean the first there */
    {UNIPC, "predict_x0", {"true"}},
    {UNIPC, "lower_order_final", {"true"}},
    {UNIPC, "disable_corrector", {"[]"}},
    {UNIPC, "solver_p", {NULL}},
    {UNIPC, "shift_terminal", {"0"}},
    {DPMPP, "algorithm_type", {"dpmsolver++"}},
    {DPMPP, "solver_type", {"midpoint", "logrho", "bh1", "bh2"}},
    {DPMPP, "use_lu_lambdas", {"false"}},
    {MATCHING, "invert_sigmas", {"false"}},
    {LCM, "scale_factors", {NULL}},
};

static const char *text_of(const json_t *value, char room[40]) {
    if (json_is_string(value)) return json_string_value(value);
    if (json_is_boolean(value)) return json_is_true(value) ? "true" : "false";
    if (json_is_array(value)) return json_array_size(value) ? "that is a list" : "[]";
    snprintf(room, 40, "%g", json_number_value(value)); /* whole numbers have no point in any locale */
    return room;
}

static int unsupported(const char *name, const char *value, sora_error *err) {
    return sorai_fail(err, SORA_E_UNSUPPORTED, "scheduler config: %s %.64s is not supported", name, value);
}

static int check(const json_t *json, int class, sora_error *err) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const json_t *value = json_object_get(json, known[i].name);
        char room[40];
        int fits = !(known[i].classes & class) || !value || json_is_null(value);
        for (int k = 0; k < 4 && !fits && known[i].values[k]; k++)
            fits = strcmp(known[i].values[k], text_of(value, room)) == 0;
        if (!fits) return unsupported(known[i].name, text_of(value, room), err);
    }
    return SORA_OK;
}

int sorai_config_scheduler(json_t *json, int32_t ltx, sorai_scheduler_config *out, sora_error *err) {
    static const struct {
        const char *name;
        int class, solver;
    } classes[] = {{"UniPCMultistepScheduler", UNIPC, SORA_SAMPLER_UNIPC},
                   {"DPMSolverMultistepScheduler", DPMPP, SORA_SAMPLER_DPMPP},
                   {"FlowMatchEulerDiscreteScheduler", EULER, SORA_SAMPLER_EULER},
                   {"FlowMatchLCMScheduler", LCM, SORA_SAMPLER_LCM}};
    if (!json_is_object(json)) return sorai_fail(err, SORA_E_FORMAT, "scheduler config: not an object");
    sorai_fields f = {json, "scheduler", err, SORA_OK};
    const char *kind = sorai_field_text(&f, "_class_name", classes[0].name);
    size_t k = 0;
    SORA_TRY(f.status);
    while (k < 4 && strcmp(kind, classes[k].name) != 0) k++;
    if (k == 4) return sorai_fail(err, SORA_E_UNSUPPORTED, "scheduler config: a %.64s is not supported", kind);
    const int matching = classes[k].class & MATCHING;
    SORA_TRY(check(json, classes[k].class, err));
    out->solver = classes[k].solver;
    /* A config made from another class's keeps that one's field beside its own. */
    out->shift = sorai_field_number(&f, matching ? "shift" : "flow_shift", sorai_field_number(&f, matching ? "flow_shift" : "shift", 1.0));
    out->dynamic = matching && sorai_field_bool(&f, "use_dynamic_shifting", 0);
    out->low = sorai_field_number(&f, "base_shift", 0.5);
    out->high = sorai_field_number(&f, "max_shift", 1.15);
    out->low_tokens = sorai_field_number(&f, "base_image_seq_len", 256);
    out->high_tokens = sorai_field_number(&f, "max_image_seq_len", 4096);
    out->terminal = matching ? sorai_field_number(&f, "shift_terminal", 0) : 0.0;
    /* Euler that adds fresh noise on its way is what is called LCM here. */
    if (classes[k].class == EULER && sorai_field_bool(&f, "stochastic_sampling", 0)) out->solver = SORA_SAMPLER_LCM;
    const char *move = sorai_field_text(&f, "time_shift_type", "exponential");
    SORA_TRY(f.status);
    if (!(out->shift > 0.0)) return sorai_fail(err, SORA_E_FORMAT, "scheduler config: %s must be positive", matching ? "shift" : "flow_shift");
    if (out->dynamic && !ltx) return unsupported("use_dynamic_shifting", "true", err);
    if (out->dynamic && strcmp(move, "exponential") != 0) return unsupported("time_shift_type", move, err);
    if (!out->dynamic && out->terminal != 0.0) return unsupported("shift_terminal", "without use_dynamic_shifting", err);
    if (out->dynamic && (out->high_tokens == out->low_tokens || !(out->terminal >= 0.0 && out->terminal < 1.0)))
        return sorai_fail(err, SORA_E_FORMAT, "scheduler config: dynamic shifting is out of range");
    return SORA_OK;
}
