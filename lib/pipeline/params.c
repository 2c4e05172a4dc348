#include "lib/pipeline/params.h"

#include <math.h>
#include <string.h>

#define SIZE (uint32_t)sizeof(sora_param_desc)
#define WHOLE(id, name, unit, help, lo, hi, def) {SIZE, SORA_KIND_I64, id, 0, name, unit, help, NULL, lo, hi, def}
#define REAL(id, name, unit, help, lo, hi, def) {SIZE, SORA_KIND_F64, id, 0, name, unit, help, NULL, lo, hi, def}
#define TEXT(id, name, help) {SIZE, SORA_KIND_TEXT, id, 0, name, "", help, NULL, 0, 0, 0}
#define CHOICE(id, name, help, values, last) {SIZE, SORA_KIND_ENUM, id, 0, name, "", help, values, 0, last, 0}

static const sora_param_desc table[] = {
    TEXT(SORA_PARAM_PROMPT, "prompt", "what the video shows"),
    TEXT(SORA_PARAM_NEGATIVE, "negative", "what guidance moves away from"),
    WHOLE(SORA_PARAM_WIDTH, "width", "pixels", "width of the video; 0: the model's own", 0, 16384, 0),
    WHOLE(SORA_PARAM_HEIGHT, "height", "pixels", "height of the video; 0: the model's own", 0, 16384, 0),
    WHOLE(SORA_PARAM_FRAMES, "frames", "frames", "number of frames, 1 for an image; 0: the model's own", 0, 100000, 0),
    REAL(SORA_PARAM_FPS, "fps", "frames per second", "frame rate of the video; 0: the model's own", 0, 1000, 0),
    WHOLE(SORA_PARAM_SEED, "seed", "", "of the noise: the same seed gives the same video", 0, 9007199254740991.0, 0),
    WHOLE(SORA_PARAM_STEPS, "steps", "steps", "denoising steps; 0: the model's own", 0, 1000, 0),
    REAL(SORA_PARAM_GUIDANCE, "guidance", "", "strength of the prompt, up to 1: none; below 0: the model's own", -1, 100, -1),
    REAL(SORA_PARAM_SHIFT, "shift", "", "moves steps towards the noisy end; 0: the model's own", 0, 100, 0),
    CHOICE(SORA_PARAM_SAMPLER, "sampler", "the solver; default: the model's own", "default|euler|unipc|dpmpp|lcm", 4),
    REAL(SORA_PARAM_GUIDANCE_2, "guidance_2", "", "guidance of the second expert of models with two; below 0: as the first", -1, 100, -1),
    TEXT(SORA_PARAM_TIMESTEPS, "timesteps", "timesteps in place of the sampler's own, as of distilled models: \"1000,757,522\""),
    REAL(SORA_PARAM_CONTROL_SCALE, "control_scale", "", "strength of the control video", 0, 100, 1),
    WHOLE(SORA_PARAM_KEEP, "keep", "", "1: given pixels come out as they were given, made frames beside them blend in; 0: as the autoencoder gives them back", 0, 1, 1),
    WHOLE(SORA_PARAM_RESAMPLE, "resample", "times", "steps beside given pixels are done over so often, with noise put back between (RePaint)", 0, 100, 0),
    REAL(SORA_PARAM_STEP_CACHE, "step_cache", "", "steps whose embedding of time changed by less than this share reuse an earlier one's blocks; 0: none", 0, 100, 0),
    WHOLE(SORA_PARAM_FOLLOW, "follow", "", "1: clips that may change do so only where the prompt asks for something else than the source (FlowEdit)", 0, 1, 0),
    TEXT(SORA_PARAM_SOURCE, "source", "with follow: what the clip shows, as far as it is to change"),
    REAL(SORA_PARAM_GUIDANCE_UNTIL, "guidance_until", "", "noise level, 0 to 1, below which steps go without guidance, half the work; below 0: the model's own", -1, 1, -1),
};

#define COUNT (sizeof table / sizeof *table)

const sora_param_desc *sorai_param_list(uint32_t index) {
    return index < COUNT ? &table[index] : NULL;
}

const sora_param_desc *sorai_param_find(sora_param id) {
    for (uint32_t i = 0; i < COUNT; i++)
        if (table[i].id == id)
            return &table[i];
    return NULL;
}

void sorai_params_init(sorai_params *p, sorai_mem *mem) {
    memset(p, 0, sizeof *p);
    p->mem = mem;
    for (uint32_t k = 0; k < COUNT; k++) {
        p->i[table[k].id] = (int64_t)table[k].initial;
        p->f[table[k].id] = table[k].initial;
    }
}

void sorai_params_release(sorai_params *p) {
    for (int i = 0; p->mem && i < SORAI_PARAMS; i++)
        sorai_free(p->mem, p->text[i]);
}

int sorai_params_set_i64(sorai_params *p, sora_param id, int64_t value) {
    const sora_param_desc *d = sorai_param_find(id);
    if (!d)
        return SORA_E_NOTFOUND;
    if ((d->kind != SORA_KIND_I64 && d->kind != SORA_KIND_ENUM) || value < (int64_t)d->lowest || value > (int64_t)d->highest)
        return SORA_E_INVALID;
    p->i[id] = value;
    return SORA_OK;
}

int sorai_params_set_f64(sorai_params *p, sora_param id, double value) {
    const sora_param_desc *d = sorai_param_find(id);
    if (!d)
        return SORA_E_NOTFOUND;
    if (d->kind != SORA_KIND_F64 || !(value >= d->lowest && value <= d->highest))
        return SORA_E_INVALID;
    p->f[id] = value;
    return SORA_OK;
}

int sorai_params_set_text(sorai_params *p, sora_param id, const char *text, size_t length) {
    const sora_param_desc *d = sorai_param_find(id);
    if (!d)
        return SORA_E_NOTFOUND;
    if (d->kind != SORA_KIND_TEXT || !text)
        return SORA_E_INVALID;
    if (length == (size_t)-1)
        length = strlen(text);
    char *copy = length < SIZE_MAX ? sorai_alloc(p->mem, length + 1) : NULL;
    if (!copy)
        return SORA_E_NOMEM;
    memcpy(copy, text, length);
    copy[length] = 0;
    sorai_free(p->mem, p->text[id]);
    p->text[id] = copy;
    p->length[id] = length;
    return SORA_OK;
}
