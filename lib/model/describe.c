/* Everything known about a model, as JSON. */
#include <stdlib.h>
#include <string.h>

#include "lib/io/encoding.h"
#include "lib/model/files.h"
#include "lib/model/model.h"

/* Tensors told so far, and sums over them. */
typedef struct listing {
    json_t *tensors, *types;
    uint64_t parameters, bytes;
    int bad; /* no memory */
} listing;

static listing listing_begin(void) {
    listing l = {json_object(), json_object(), 0, 0, 0};
    l.bad = !l.tensors || !l.types;
    return l;
}

static void listing_add(listing *l, const sorai_tensor_info *info) {
    const size_t length = strlen(info->name);
    const sorai_encoding_info *encoded = sorai_encoding_find(info->encoding);
    const char *type = encoded ? encoded->name : info->dtype ? sorai_dtype_name(info->dtype) : info->type;
    json_t *shape = json_array();
    uint64_t elements = 1;
    for (int32_t a = 0; a < info->rank; a++) {
        elements *= (uint64_t)info->shape[a];
        l->bad = json_array_append_new(shape, json_integer(info->shape[a])) != 0 || l->bad;
    }
    const json_int_t before = json_integer_value(json_object_get(l->types, type));
    l->bytes += encoded ? info->stored : info->size;
    if (length < 6 || strcmp(info->name + length - 6, ".scale") != 0) /* of int8 rows */
        l->parameters += elements;
    l->bad = json_object_set_new(l->types, type, json_integer(before + (json_int_t)elements)) != 0 || l->bad;
    l->bad = json_object_set_new(l->tensors, info->name, json_pack("{s:s, s:O}", "type", type, "shape", shape)) != 0 ||
             l->bad;
    json_decref(shape);
}

static int listing_end(listing *l, json_t *into, sora_error *err) {
    const int bad = l->bad || json_object_set_new(into, "parameters", json_integer((json_int_t)l->parameters)) != 0 ||
                    json_object_set_new(into, "bytes", json_integer((json_int_t)l->bytes)) != 0 ||
                    json_object_set(into, "types", l->types) != 0 || json_object_set(into, "tensors", l->tensors) != 0;
    json_decref(l->types);
    json_decref(l->tensors);
    return bad ? sorai_fail(err, SORA_E_NOMEM, "no memory for a description") : SORA_OK;
}

static int describe_tensors(sora_model *m, const char *part, json_t *into, uint64_t *parameters, sora_error *err) {
    size_t n = 0;
    SORA_TRY(sorai_package_tensor_count(m->package, part, &n, err));
    listing l = listing_begin();
    int status = SORA_OK;
    for (size_t i = 0; i < n && status == SORA_OK; i++) {
        sorai_tensor_info info;
        status = sorai_package_tensor(m->package, part, i, &info, err);
        if (status == SORA_OK) listing_add(&l, &info);
    }
    *parameters += l.parameters;
    const int ended = listing_end(&l, into, err);
    return status != SORA_OK ? status : ended;
}

/* root's text in memory of mem; root goes. */
static char *give_text(sorai_mem *mem, json_t *root, sora_error *err) {
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL, *out = text ? sorai_strdup(mem, text) : NULL;
    free(text);
    json_decref(root);
    if (!out) sorai_fail(err, SORA_E_NOMEM, "no memory for a description");
    return out;
}

/* Of a file of low-rank additions: the largest rank; 0: it is none. */
static int64_t lora_rank(const sorai_table *table) {
    static const char *const ends[] = {".lora_A.weight", ".lora_down.weight", ".lora.down.weight"};
    int64_t rank = 0;
    for (size_t i = 0; i < table->count; i++)
        for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
            const size_t n = strlen(table->items[i].name), m = strlen(ends[k]);
            if (n > m && strcmp(table->items[i].name + n - m, ends[k]) == 0 && table->items[i].rank >= 2 &&
                table->items[i].shape[0] > rank)
                rank = table->items[i].shape[0];
        }
    return rank;
}

char *sorai_weights_describe(sorai_mem *mem, const sorai_weights *file, const char *path, sora_error *err) {
    const sorai_table *table = sorai_weights_table(file);
    json_t *metadata = sorai_weights_metadata(file);
    json_t *root =
        json_pack("{s:s, s:s, s:O*}", "format", sorai_weights_format(file), "file", path, "metadata", metadata);
    listing l = listing_begin();
    for (size_t i = 0; i < table->count; i++) listing_add(&l, &table->items[i]);
    const int64_t rank = lora_rank(table);
    if (rank > 0 && (json_object_set_new(root, "family", json_string("lora")) != 0 ||
                     json_object_set_new(root, "rank", json_integer((json_int_t)rank)) != 0))
        l.bad = 1;
    if (listing_end(&l, root, err) == SORA_OK) return give_text(mem, root, err);
    json_decref(root);
    return NULL;
}

/* What checkpoints call the class of a network. */
static const char *architecture(json_t *config) {
    const char *name = json_string_value(json_object_get(config, "_class_name"));
    if (!name) name = json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
    return name ? name : "";
}

static int describe_part(sora_model *m, const char *part, json_t *parts, uint64_t *parameters, sora_error *err) {
    json_t *config = NULL, *one = json_object();
    size_t n = 0;
    if (!one || json_object_set_new(parts, part, one) != 0)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a description");
    SORA_TRY(sorai_package_tensor_count(m->package, part, &n, err));
    sora_error why = {.struct_size = sizeof why};
    const int status = sorai_package_config(m->package, part, &config, &why);
    /* A tokenizer or a scheduler may do without one, a network may not. */
    if (status != SORA_OK && (n || status != SORA_E_NOTFOUND)) return sorai_fail(err, status, "%s", why.message);
    if (config && (json_object_set_new(one, "architecture", json_string(architecture(config))) != 0 ||
                   json_object_set(one, "config", config) != 0))
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a description");
    const sorai_weights *file = sorai_package_weights(m->package, part);
    if (file && (json_object_set_new(one, "format", json_string(sorai_weights_format(file))) != 0 ||
                 json_object_set_new(one, "file", json_string(sorai_weights_name(file))) != 0))
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a description");
    return n ? describe_tensors(m, part, one, parameters, err) : SORA_OK;
}

/* Sums over the parts: elements by type. */
static int describe_types(json_t *parts, json_t *root) {
    json_t *sum = json_object(), *part, *count;
    const char *name, *type;
    int bad = !sum || json_object_set_new(root, "types", sum) != 0;
    json_object_foreach(parts, name, part) json_object_foreach(json_object_get(part, "types"), type, count) {
        const json_int_t before = json_integer_value(json_object_get(sum, type));
        bad = bad || json_object_set_new(sum, type, json_integer(before + json_integer_value(count))) != 0;
    }
    return bad;
}

/* What a run from words to frames would miss. */
static int describe_missing(const sora_model *m, json_t *parts, json_t *root) {
    static const char *const needed[] = {"transformer", "vae", "text_encoder"};
    json_t *list = json_array();
    int bad = !list || json_object_set_new(root, "missing", list) != 0;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) /* a config without weights is no network */
        if (!json_object_get(json_object_get(parts, needed[i]), "tensors"))
            bad = bad || json_array_append_new(list, json_string(needed[i])) != 0;
    json_t *config = NULL; /* the transformer is given a picture's rows */
    if (sorai_package_has(m->package, "transformer") &&
        sorai_package_config(m->package, "transformer", &config, NULL) == SORA_OK &&
        json_is_integer(json_object_get(config, "image_dim")) && !sorai_package_has(m->package, "image_encoder"))
        bad = bad || json_array_append_new(list, json_string("image_encoder")) != 0;
    if (!json_object_get(root, "tokenizer")) bad = bad || json_array_append_new(list, json_string("tokenizer")) != 0;
    return bad;
}

static int describe_tokenizer(sora_model *m, json_t *root) {
    sorai_bytes bytes = {0};
    static const char *const names[] = {"tokenizer/tokenizer.json", "tokenizer/spiece.model"};
    for (int i = 0; i < 2; i++)
        if (sorai_package_blob(m->package, names[i], &bytes, NULL) == SORA_OK) {
            const json_int_t size = (json_int_t)bytes.size;
            sorai_bytes_release(&bytes);
            return json_object_set_new(root, "tokenizer", json_pack("{s:s, s:I}", "file", names[i], "bytes", size));
        }
    return 0;
}

static json_t *describe_defaults(const sorai_model_defaults *d) {
    static const char *const samplers[] = {"default", "euler", "unipc", "dpmpp", "lcm"};
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:s}", "text_length", d->text_length, "width", d->width,
                     "height", d->height, "frames", d->frames, "steps", d->steps, "fps", d->fps, "guidance",
                     d->guidance, "guidance_given", d->guidance_given, "guidance_until", d->guidance_until, "shift", d->shift, "sampler", samplers[d->solver]);
}

/* How pictures and clips that are given reach the transformer: docs/conditions.md. */
static const char *conditions_of(const sora_model *m) {
    return !m->has_dit || !m->has_vae                        ? "none"
           : m->dit_config.vace_count                        ? "control branch, replacement"
           : m->dit_config.in_channels > m->vae_config.z_dim ? "joined channels, replacement"
           : m->expand_timesteps                             ? "timesteps of tokens"
                                                             : "replacement";
}

char *sorai_model_describe(sora_model *m, sora_error *err) {
    uint64_t parameters = 0;
    const char *part;
    int status = sorai_package_verify(m->package, err);
    if (status == SORA_OK) status = sorai_model_check(m, err);
    if (status != SORA_OK) return NULL;
    json_t *root = json_object(), *parts = json_object();
    const char *format = sorai_package_layout(m->package);
    int bad = !root || !parts || json_object_set_new(root, "format", json_string(format)) != 0 ||
              json_object_set_new(root, "file", json_string(sorai_package_name(m->package))) != 0 ||
              json_object_set_new(root, "family", json_string(sorai_model_family(m))) != 0 ||
              json_object_set_new(root, "name", json_string(m->defaults.name ? m->defaults.name : "")) != 0;
    for (size_t i = 0; !bad && status == SORA_OK && (part = sorai_package_part(m->package, i)) != NULL; i++)
        status = describe_part(m, part, parts, &parameters, err);
    bad = bad || json_object_set_new(root, "parameters", json_integer((json_int_t)parameters)) != 0 ||
          json_object_set_new(root, "defaults", describe_defaults(&m->defaults)) != 0 ||
          json_object_set_new(root, "conditions", json_string(conditions_of(m))) != 0 ||
          describe_tokenizer(m, root) != 0 || describe_types(parts, root) || describe_missing(m, parts, root) ||
          json_object_set(root, "parts", parts) != 0;
    json_decref(parts);
    if (status == SORA_OK && !bad) return give_text(m->mem, root, err);
    if (status == SORA_OK) sorai_fail(err, SORA_E_NOMEM, "no memory for a description");
    json_decref(root);
    return NULL;
}
