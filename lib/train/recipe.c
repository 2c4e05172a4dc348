#include "lib/train/recipe.h"

#include <string.h>

#include "lib/io/json.h"

#define RECIPE_MAX_VALUES 100000u

static int known_only(json_t *object, const char *where, const char *const *names, sora_error *err) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        size_t i = 0;
        while (names[i] && strcmp(names[i], key) != 0)
            i++;
        if (!names[i])
            return sorai_fail(err, SORA_E_INVALID, "recipe: unknown field %s%s", where, key);
    }
    return SORA_OK;
}

typedef struct reader {
    json_t *object;
    const char *where; /* "optimizer." */
    sora_error *err;
    int status;
} reader;

static double number(reader *r, const char *name, double initial, double lowest, double highest) {
    json_t *value = r->object ? json_object_get(r->object, name) : NULL;
    if (!value || r->status != SORA_OK)
        return initial;
    const double v = json_number_value(value);
    if (!json_is_number(value) || !(v >= lowest && v <= highest)) {
        r->status = sorai_fail(r->err, SORA_E_INVALID, "recipe: %s%s must be a number in its range", r->where, name);
        return initial;
    }
    return v;
}

static const char *text_of(reader *r, const char *name, const char *initial) {
    json_t *value = r->object ? json_object_get(r->object, name) : NULL;
    if (!value || r->status != SORA_OK)
        return initial;
    if (!json_is_string(value)) {
        r->status = sorai_fail(r->err, SORA_E_INVALID, "recipe: %s%s must be a text", r->where, name);
        return initial;
    }
    return json_string_value(value);
}

static json_t *section(reader *r, const char *name, const char *const *names) {
    json_t *value = json_object_get(r->object, name);
    if (!value || r->status != SORA_OK)
        return NULL;
    if (!json_is_object(value)) {
        r->status = sorai_fail(r->err, SORA_E_INVALID, "recipe: %s must be an object", name);
        return NULL;
    }
    char where[64] = {0};
    strncat(where, name, sizeof where - 2);
    strcat(where, ".");
    r->status = known_only(value, where, names, r->err);
    return value;
}

static void read_optimizer(reader *top, sorai_optimizer_config *c) {
    static const char *const names[] = {"name",  "rate",  "rate_last", "muon_scale", "beta1",  "beta2", "eps",
                                        "decay", "momentum", "clip",   "ema",        "warmup", NULL};
    reader r = {section(top, "optimizer", names), "optimizer.", top->err, top->status};
    const char *name = text_of(&r, "name", "adamw");
    c->muon = strcmp(name, "muon") == 0;
    if (r.status == SORA_OK && !c->muon && strcmp(name, "adamw") != 0)
        r.status = sorai_fail(r.err, SORA_E_INVALID, "recipe: optimizer.name is adamw or muon");
    c->rate = number(&r, "rate", 1e-3, 0, 10);
    c->rate_last = number(&r, "rate_last", c->rate * 0.02, 0, 10);
    c->muon_scale = number(&r, "muon_scale", 1.0, 0, 100);
    c->beta1 = number(&r, "beta1", 0.9, 0, 0.99999);
    c->beta2 = number(&r, "beta2", 0.99, 0, 0.99999);
    c->eps = number(&r, "eps", 1e-8, 0, 1);
    c->decay = number(&r, "decay", 0.01, 0, 10);
    c->momentum = number(&r, "momentum", 0.95, 0, 0.99999);
    c->clip = number(&r, "clip", 1.0, 0, 1e9);
    c->ema = number(&r, "ema", 0.999, 0, 0.9999999);
    c->warmup = (uint64_t)number(&r, "warmup", 100, 0, 1e9);
    top->status = r.status;
}

static void read_vae(reader *top, sorai_recipe *recipe) {
    static const char *const names[] = {"gradient", "temporal", "kl", NULL};
    reader r = {section(top, "loss", names), "loss.", top->err, top->status};
    recipe->vae.gradient = number(&r, "gradient", 0.5, 0, 1e6);
    recipe->vae.temporal = number(&r, "temporal", 0.25, 0, 1e6);
    recipe->vae.kl = number(&r, "kl", 1e-5, 0, 1e6);
    top->status = r.status;
}

static void read_transformer(reader *top, sorai_recipe *recipe) {
    static const char *const noise_names[] = {"shift", "mean", "deviation", NULL};
    static const char *const mask_names[] = {"first", "last", "ends", "gaps", "regions", "noisy", NULL};
    reader r = {section(top, "noise", noise_names), "noise.", top->err, top->status};
    recipe->transformer.shift = number(&r, "shift", 1.0, 0.01, 100);
    recipe->transformer.mean = number(&r, "mean", 0.0, -10, 10);
    recipe->transformer.deviation = number(&r, "deviation", 1.0, 0, 10);
    top->status = r.status;
    reader m = {section(top, "masks", mask_names), "masks.", top->err, top->status};
    sorai_mask_shares *s = &recipe->transformer.masks;
    s->first = number(&m, "first", 0, 0, 1);
    s->last = number(&m, "last", 0, 0, 1);
    s->ends = number(&m, "ends", 0, 0, 1);
    s->gaps = number(&m, "gaps", 0, 0, 1);
    s->regions = number(&m, "regions", 0, 0, 1);
    s->noisy = number(&m, "noisy", 0, 0, 1);
    if (m.status == SORA_OK && s->first + s->last + s->ends + s->gaps > 1.0)
        m.status = sorai_fail(top->err, SORA_E_INVALID, "recipe: masks are shares: their sum is at most 1");
    top->status = m.status;
    recipe->transformer.caption_drop = number(top, "caption_drop", 0.1, 0, 1);
}

int sorai_recipe_parse(sorai_recipe *recipe, const char *text, size_t length, sora_error *err) {
    static const char *const names[] = {"train",     "seed",  "steps", "parts",       "products",     "init",    "tokenizer",
                                        "grow",      "freeze",
                                        "optimizer", "loss",  "noise", "masks",       "caption_drop", "vae",     "transformer",
                                        "probe",     "text_encoder",   "text_length", "data",         "comment", "model", NULL};
    memset(recipe, 0, sizeof *recipe);
    SORA_TRY(sorai_json_parse(&recipe->root, text, length, RECIPE_MAX_VALUES, false, "recipe", "recipe", err));
    reader r = {recipe->root, "", err, SORA_OK};
    if (!json_is_object(recipe->root)) {
        r.status = sorai_fail(err, SORA_E_INVALID, "recipe: not an object");
        goto fail;
    }
    if ((r.status = known_only(recipe->root, "", names, err)) != SORA_OK)
        goto fail;
    const char *kind = text_of(&r, "train", "");
    if (strcmp(kind, "vae") == 0)
        recipe->kind = SORAI_TRAIN_VAE;
    else if (strcmp(kind, "transformer") == 0)
        recipe->kind = SORAI_TRAIN_TRANSFORMER;
    else if (strcmp(kind, "probe") == 0)
        recipe->kind = SORAI_TRAIN_PROBE;
    else if (r.status == SORA_OK)
        r.status = sorai_fail(err, SORA_E_INVALID, "recipe: train is vae, transformer or probe");
    recipe->seed = (uint64_t)number(&r, "seed", 1, 0, 9e15);
    recipe->parts = (int32_t)number(&r, "parts", 1, 1, 1024);
    recipe->init = text_of(&r, "init", NULL);
    recipe->freeze = json_object_get(recipe->root, "freeze");
    for (size_t i = 0; r.status == SORA_OK && recipe->freeze && (i == 0 || i < json_array_size(recipe->freeze)); i++)
        if (!json_is_string(json_array_get(recipe->freeze, i)))
            r.status = sorai_fail(err, SORA_E_INVALID, "recipe: freeze must be a list of beginnings of names");
    recipe->grow = json_is_true(json_object_get(recipe->root, "grow"));
    recipe->tokenizer = text_of(&r, "tokenizer", NULL);
    const char *products = text_of(&r, "products", "auto");
    recipe->product = strcmp(products, "f32") == 0 ? SORA_DTYPE_F32 : strcmp(products, "bf16") == 0 ? SORA_DTYPE_BF16 : 0;
    if (r.status == SORA_OK && recipe->product == 0 && strcmp(products, "auto") != 0)
        r.status = sorai_fail(err, SORA_E_INVALID, "recipe: products is auto, f32 or bf16");
    recipe->optimizer.steps = (uint64_t)number(&r, "steps", 1000, 1, 1e12);
    read_optimizer(&r, &recipe->optimizer);
    read_vae(&r, recipe);
    read_transformer(&r, recipe);
    if (r.status == SORA_OK)
        return SORA_OK;
fail:
    sorai_recipe_release(recipe);
    return r.status;
}

void sorai_recipe_release(sorai_recipe *recipe) {
    json_decref(recipe->root);
    recipe->root = NULL;
}
