/* Whole runs against the pipelines of diffusers (make_pipeline_fixtures.py): what is made of pictures, the sample after
 * the last step, the frames. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/pipeline/pipeline.h"
#include "parity.h"

#define LOOP_LIMIT 1e-7

static const struct {
    const char *name;
    sora_slot slot;
} ins[] = {{"noise", SORA_SLOT_NOISE},
           {"text", SORA_SLOT_TEXT},
           {"negative", SORA_SLOT_NEGATIVE},
           {"image", SORA_SLOT_IMAGE},
           {"last_image", SORA_SLOT_LAST_IMAGE},
           {"video", SORA_SLOT_VIDEO},
           {"mask", SORA_SLOT_MASK},
           {"reference0", SORA_SLOT_REFERENCE},
           {"reference1", SORA_SLOT_REFERENCE + 1}},
  outs[] = {{"image_embeds", SORA_SLOT_IMAGE_EMBEDS},
            {"condition", SORA_SLOT_CONDITION},
            {"control", SORA_SLOT_CONTROL},
            {"latent", SORA_SLOT_LATENT}};

/* width, height, frames, steps, guidance, guidance of the second expert, strength of control */
static void settings(sora_pipeline *r, const float *v) {
    static const sora_param whole[] = {SORA_PARAM_WIDTH, SORA_PARAM_HEIGHT, SORA_PARAM_FRAMES, SORA_PARAM_STEPS};
    for (int i = 0; i < 4; i++) sorai_params_set_i64(&r->params, whole[i], (int64_t)v[i]);
    sorai_params_set_f64(&r->params, SORA_PARAM_GUIDANCE, v[4]);
    sorai_params_set_f64(&r->params, SORA_PARAM_GUIDANCE_2, v[5]);
    sorai_params_set_f64(&r->params, SORA_PARAM_CONTROL_SCALE, v[6]);
}

/* As text, with a comma too many, as people write. */
static void give_timesteps(sora_pipeline *r, const sora_tensor *given) {
    char text[256] = "";
    size_t at = 0;
    for (int64_t i = 0; given && i < sorai_tensor_count(given); i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%.2f, ", (double)((const float *)given->data)[i]);
    sorai_params_set_text(&r->params, SORA_PARAM_TIMESTEPS, text, at);
}

/* Clips as condition0, condition5, ...: of strength 1 at that frame. What comes out is the autoencoder's, as in the reference. */
static int give_conditions(parity_case *c, sora_pipeline *r, sora_error *err) {
    char name[32];
    sorai_params_set_i64(&r->params, SORA_PARAM_KEEP, 0);
    for (int at = 0; at < 64; at++) {
        sora_condition one;
        snprintf(name, sizeof name, "condition%d", at);
        sora_condition_init(&one);
        one.frames = parity_tensor(c->p, c->part, c->name, name, 0);
        one.at_frame = at;
        const int status = one.frames ? sorai_conditions_add(r, &one, err) : SORA_OK; /* which keeps a reference */
        sorai_tensor_unref(&one.frames);
        SORA_TRY(status);
    }
    return SORA_OK;
}

/* Bytes against values in 0..1: never further than rounding, and what a difference within the limit makes of it. */
static void check_frames(parity *p, const char *what, const sora_pipeline *r, const sora_tensor *want) {
    const sorai_plan *plan = &r->plan;
    const int64_t n = plan->frames * plan->height * plan->width * 3;
    double worst = 0.0;
    if (r->ready != plan->frames || sorai_tensor_count(want) != n) {
        parity_fail(p, what, "another number of frames");
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)r->rgb[i] - 255.0 * (double)((const float *)want->data)[i]);
        worst = d > worst ? d : worst;
    }
    if (worst > 0.55)
        parity_fail(p, what, "a byte is off by more than rounding");
    else
        p->passed++;
}

static void compare(parity_case *c, sora_pipeline *r, const char *name, sora_slot slot) {
    const sora_tensor *want = parity_in(c, name, 0), *got = r->made[slot];
    char what[128];
    snprintf(what, sizeof what, "%.60s %.30s", c->name, name);
    if (!want) return;
    if (!got || sorai_tensor_count(got) != sorai_tensor_count(want))
        parity_fail(c->p, what, got ? "another number of values" : "was not made");
    else
        parity_compare(c->p, what, got->data, want->data, sorai_tensor_count(want),
                       slot == SORA_SLOT_LATENT ? LOOP_LIMIT : PARITY_F32);
}

static void run_case(parity *p, const parity_part *part, sora_model *model, const char *name) {
    parity_case c = {.p = p, .part = part, .name = name};
    sora_pipeline *r = NULL;
    sora_error err = {.struct_size = sizeof err};
    const sora_tensor *values = parity_in(&c, "settings", 1), *frames = parity_in(&c, "frames", 1);
    int status = sorai_pipeline_create(&r, model, &err);
    if (status == SORA_OK && values && frames) {
        settings(r, values->data);
        give_timesteps(r, parity_in(&c, "given", 0));
        for (size_t i = 0; i < sizeof ins / sizeof *ins; i++) {
            const sora_tensor *t = parity_in(&c, ins[i].name, 0);
            if (t) r->slots[ins[i].slot] = sorai_tensor_ref((sora_tensor *)(uintptr_t)t);
        }
        status = give_conditions(&c, r, &err);
        if (status == SORA_OK) status = sorai_pipeline_begin(r, &err);
        while (status == SORA_OK && r->state != SORAI_RUN_DONE) {
            status = sorai_pipeline_step(r, &err);
            if (status == SORA_MORE) status = SORA_OK;
        }
    }
    if (status != SORA_OK || !values || !frames) {
        parity_fail(p, name, err.message);
    } else {
        for (size_t i = 0; i < sizeof outs / sizeof *outs; i++) compare(&c, r, outs[i].name, outs[i].slot);
        char what[128];
        snprintf(what, sizeof what, "%.60s frames", name);
        check_frames(p, what, r, frames);
        if (model->boundary > 0.0 && model->bound[SORAI_NET_TRANSFORMER] && model->bound[SORAI_NET_TRANSFORMER_2])
            parity_fail(p, name, "both transformers are held");
    }
    sorai_pipeline_destroy(&r);
    parity_case_end(&c);
}

static void loop(parity *p, const char *name) {
    char path[1024], names[PARITY_MAX_CASES][64];
    parity_part part = {0};
    sorai_package *package = NULL;
    sora_model *model = NULL;
    sora_error err = {.struct_size = sizeof err};
    snprintf(p->model, sizeof p->model, "loop_%s", name);
    snprintf(path, sizeof path, "%s/loop_%s", p->root, name);
    int status = sorai_package_open(&package, &p->context->mem, path, &err);
    if (status == SORA_OK)
        status = sorai_model_create(&model, &p->context->mem, p->device, SORA_DTYPE_F32, package, &err);
    snprintf(path, sizeof path, "%s/loop_%s.cases.safetensors", p->root, name);
    if (status == SORA_OK) status = sorai_safetensors_open_path(&part.cases, &p->context->mem, path, &err);
    if (status != SORA_OK) {
        parity_fail(p, "open", err.message);
    } else {
        const int n = parity_cases(&part, "settings", names);
        for (int i = 0; i < n; i++) run_case(p, &part, model, names[i]);
        if (n == 0) parity_fail(p, "cases", "there are none");
    }
    sorai_safetensors_close(&part.cases);
    sorai_model_unref(&model);
}

void parity_loops(parity *p) {
    static const char *const names[] = {"t2v",      "fast", "a14b", "i2v",       "flf",
                                        "i2v_a14b", "ti2v", "vace", "vace_a14b", "ltx", "ltx_i2v", "ltx_condition"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) loop(p, names[i]);
}
