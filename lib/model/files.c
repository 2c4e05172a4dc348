#define _POSIX_C_SOURCE 200809L
#include "lib/model/files.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/io/encoding.h"
#include "lib/io/json.h"
#include "lib/io/sora_file.h"
#include "lib/io/weights.h"
#include "lib/model/infer.h"
#include "lib/model/names.h"

/* folder(path)/name as a source; NULL without an error when there is none. */
static int beside(sorai_mem *mem, const char *path, const char *name, sorai_source **out, sora_error *err) {
    const char *slash = strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash - path) + 1 : 0, n = strlen(name);
    char *there = sorai_alloc(mem, folder + n + 1);
    *out = NULL;
    if (!there) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", path);
    memcpy(there, path, folder);
    memcpy(there + folder, name, n + 1);
    const int status = sorai_source_open(out, mem, there, NULL);
    sorai_free(mem, there);
    return status == SORA_E_NOMEM ? sorai_fail(err, status, "%.300s: no memory to open it", path) : SORA_OK;
}

static bool is_class(json_t *config, const char *const *names) {
    const char *class = json_string_value(json_object_get(config, "_class_name"));
    if (!class) class = json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
    for (; class && *names; names++)
        if (strcmp(class, *names) == 0) return true;
    return false;
}

/* The config.json beside a file, when it is of that kind of network; *whole: it is a config of diffusers or
 * transformers, else of the authors. Anything else that lies there is nobody's business. */
static int config_beside(sorai_mem *mem, const char *path, enum sorai_kind kind, json_t **out, bool *whole,
                         sora_error *err) {
    static const char *const classes[5][4] = {
        [SORAI_KIND_DIT] = {"WanTransformer3DModel", "WanVACETransformer3DModel"},
        [SORAI_KIND_VAE] = {"AutoencoderKLWan"},
        [SORAI_KIND_TEXT] = {"UMT5EncoderModel", "T5EncoderModel", "UMT5Model"},
        [SORAI_KIND_VISION] = {"CLIPVisionModel", "CLIPVisionModelWithProjection", "CLIPModel"}};
    static const char *const authors[] = {"WanModel", "VaceWanModel", NULL};
    sorai_source *source;
    *out = NULL;
    *whole = false;
    SORA_TRY(beside(mem, path, "config.json", &source, err));
    if (!source) return SORA_OK;
    sora_error why = {.struct_size = sizeof why};
    json_t *json = NULL;
    const int status = sorai_json_load(&json, source, "config", &why);
    sorai_source_unref(&source);
    if (status == SORA_E_NOMEM) return sorai_fail(err, status, "%s", why.message);
    *whole = is_class(json, classes[kind]);
    if (*whole || (kind == SORAI_KIND_DIT && is_class(json, authors)))
        *out = json;
    else
        json_decref(json);
    return SORA_OK;
}

/* Some writers of GGUF have four axes at most: the patch embedding lost one. Its bias says how wide the model is. */
static int add_patch(sorai_part *part, const char *prefix, const char *name, size_t i, sora_error *err) {
    const sorai_table *table = sorai_weights_table(part->weights);
    const sorai_tensor_info *info = &table->items[i];
    char bias_name[2 * SORAI_NAME_ROOM];
    snprintf(bias_name, sizeof bias_name, "%s%.*sbias", prefix, (int)(strlen(name) - strlen("weight")), name);
    const sorai_tensor_info *bias = sorai_table_find(table, bias_name);
    int64_t shape[5] = {0, 0, 1, 2, 2}, count = 1;
    for (int32_t a = 0; a < info->rank; a++) count *= info->shape[a];
    if (!bias || bias->rank != 1 || bias->shape[0] < 1) return sorai_part_add(part, name, i, -1, NULL, err);
    shape[0] = bias->shape[0];
    if (info->rank == 4 && info->shape[0] != shape[0]) memcpy(shape + 2, info->shape + 1, 3 * sizeof *shape);
    const int64_t each = shape[2] * shape[3] * shape[4];
    shape[1] = each > 0 ? count / shape[0] / each : 0;
    return sorai_part_add(part, name, i, 5, shape, err);
}

/* ComfyUI's note about how a layer is stored: eight-bit floats are what is understood. */
static int check_note(const sorai_weights *w, const sorai_tensor_info *info, sora_error *err) {
    sora_tensor *t = NULL;
    SORA_TRY(sorai_weights_load(w, info, &t, err));
    json_t *note = NULL;
    const char *format = NULL;
    const bool bytes = t->dtype == SORA_DTYPE_U8 && sorai_tensor_bytes(t) < 4096;
    if (bytes && sorai_json_parse(&note, t->data, sorai_tensor_bytes(t), 64, false, "note", "note", NULL) == SORA_OK)
        format = json_string_value(json_object_get(note, "format"));
    const int status =
        format && strncmp(format, "float8_e", 8) == 0
            ? SORA_OK
            : sorai_fail(err, SORA_E_UNSUPPORTED, "%.200s: \"%.150s\" says %.60s, which is not supported",
                         sorai_weights_name(w), info->name, format ? format : "nothing");
    json_decref(note);
    sorai_tensor_unref(&t);
    return status;
}

static int add_tensors(sorai_part *part, enum sorai_kind kind, enum sorai_naming naming, const char *prefix,
                       sora_error *err) {
    const sorai_table *table = sorai_weights_table(part->weights);
    const size_t length = strlen(prefix);
    for (size_t i = 0; i < table->count; i++) {
        const char *name = table->items[i].name;
        char mapped[SORAI_NAME_ROOM];
        if (strncmp(name, prefix, length) != 0) continue;
        name += length;
        const size_t n = strlen(name);
        if (n > 12 && strcmp(name + n - 12, ".comfy_quant") == 0) {
            SORA_TRY(check_note(part->weights, &table->items[i], err));
            continue;
        }
        if (sorai_names_ignored(kind, name)) continue;
        char joined[3][SORAI_NAME_ROOM];
        if (kind == SORAI_KIND_VISION && naming == SORAI_NAMES_OFFICIAL && sorai_names_joined(name, joined)) {
            const int64_t rows = table->items[i].rank > 0 ? table->items[i].shape[0] / 3 : 0;
            for (int k = 0; k < 3; k++) SORA_TRY(sorai_part_add_rows(part, joined[k], i, k * rows, rows, err));
            continue;
        }
        if (!sorai_names_map(kind, naming, table, prefix, name, mapped))
            return sorai_fail(err, SORA_E_UNSUPPORTED, "%.250s: tensor \"%.150s\" belongs to no network that is known",
                              sorai_weights_name(part->weights), table->items[i].name);
        const bool patch =
            naming != SORAI_NAMES_DIFFUSERS && table->items[i].rank != 5 &&
            (strcmp(mapped, "patch_embedding.weight") == 0 || strcmp(mapped, "vace_patch_embedding.weight") == 0);
        SORA_TRY(patch ? add_patch(part, prefix, mapped, i, err) : sorai_part_add(part, mapped, i, -1, NULL, err));
    }
    return sorai_part_finish(part, err);
}

/* path: where a config may lie beside; NULL: nowhere. */
static int make_part(sorai_part **out, sorai_mem *mem, const char *name, enum sorai_kind kind, sorai_weights *w,
                     const char *path, sora_error *err) {
    enum sorai_naming naming;
    char prefix[SORAI_NAME_ROOM];
    json_t *config = NULL;
    bool whole = false;
    *out = NULL;
    if (!sorai_names_detect(sorai_weights_table(w), kind, &naming, prefix)) return SORA_OK;
    sorai_part *part;
    SORA_TRY(sorai_part_create(&part, mem, name, w, err));
    int status = add_tensors(part, kind, naming, prefix, err);
    if (status == SORA_OK && path) status = config_beside(mem, path, kind, &config, &whole, err);
    if (status == SORA_OK && whole && naming == SORAI_NAMES_DIFFUSERS)
        part->config = json_incref(config);
    else if (status == SORA_OK)
        status =
            sorai_infer_config(kind, &part->names, whole ? NULL : config, sorai_weights_name(w), &part->config, err);
    json_decref(config);
    if (status != SORA_OK)
        sorai_part_free(&part);
    else
        *out = part;
    return status;
}

/* tokenizer.json begins with a brace, spiece.model never does. */
static int put_tokenizer_source(sorai_package *pkg, sorai_source *source, sora_error *err) {
    char head = 0;
    for (uint64_t at = 0; at < sorai_source_size(source) && at < 64; at++)
        if (sorai_source_read(source, at, &head, 1, NULL) != SORA_OK ||
            (head != ' ' && head != '\t' && head != '\r' && head != '\n'))
            break;
    return sorai_package_put_blob(pkg, head == '{' ? "tokenizer/tokenizer.json" : "tokenizer/spiece.model", source,
                                  err);
}

/* The tokenizer that is packed into the text encoder's file, if there is one. */
static int packed_tokenizer(sorai_package *pkg, const sorai_weights *w, sora_error *err) {
    sorai_source *source = NULL;
    sora_error why = {.struct_size = sizeof why};
    int status = sorai_weights_tokenizer(w, &source, &why);
    if (status == SORA_E_NOTFOUND) return SORA_OK;
    if (status != SORA_OK) return sorai_fail(err, status, "%s", why.message);
    status = put_tokenizer_source(pkg, source, err);
    sorai_source_unref(&source);
    return status;
}

static const struct {
    enum sorai_kind kind;
    const char *part, *what;
} kinds[] = {{SORAI_KIND_DIT, "transformer", "transformer"},
             {SORAI_KIND_VAE, "vae", "autoencoder"},
             {SORAI_KIND_TEXT, "text_encoder", "text encoder"},
             {SORAI_KIND_VISION, "image_encoder", "image encoder"}};

/* Every network that the file holds. */
static int put_all(sorai_package *pkg, sorai_mem *mem, sorai_weights *w, const char *path, sora_error *err) {
    bool any = false;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        sorai_part *part;
        SORA_TRY(make_part(&part, mem, kinds[k].part, kinds[k].kind, w, path, err));
        if (!part) continue;
        any = true;
        SORA_TRY(sorai_package_put_part(pkg, part, err));
        if (kinds[k].kind == SORAI_KIND_TEXT) SORA_TRY(packed_tokenizer(pkg, w, err));
    }
    return any ? SORA_OK
               : sorai_fail(err, SORA_E_FORMAT, "%.300s: not a model: its tensors are those of no known network",
                            sorai_weights_name(w));
}

static int put_file(sorai_package *pkg, sorai_mem *mem, const char *path, size_t k, const char *name, bool tokenizer,
                    sora_error *err) {
    sorai_weights *w;
    sorai_part *part = NULL;
    SORA_TRY(sorai_weights_open(&w, mem, path, err));
    int status = make_part(&part, mem, name, kinds[k].kind, w, path, err);
    if (status == SORA_OK && !part)
        status = sorai_fail(err, SORA_E_FORMAT, "%.300s: holds no %s under names that are known", path, kinds[k].what);
    if (status == SORA_OK) status = sorai_package_put_part(pkg, part, err);
    if (status == SORA_OK && tokenizer) status = packed_tokenizer(pkg, w, err);
    sorai_weights_unref(&w);
    return status;
}

/* A file, or the folder where one lies. */
static int put_tokenizer(sorai_package *pkg, sorai_mem *mem, const char *path, sora_error *err) {
    static const char *const names[] = {"tokenizer.json", "spiece.model"};
    sorai_source *source = NULL;
    sora_error why = {.struct_size = sizeof why};
    int status = sorai_source_open(&source, mem, path, &why);
    char inner[4096];
    for (int i = 0; status == SORA_E_IO && i < 2; i++)
        if (snprintf(inner, sizeof inner, "%s/%s", path, names[i]) < (int)sizeof inner &&
            sorai_source_open(&source, mem, inner, NULL) == SORA_OK)
            status = SORA_OK;
    if (status != SORA_OK) return sorai_fail(err, status, "%s", why.message);
    status = put_tokenizer_source(pkg, source, err);
    sorai_source_unref(&source);
    return status;
}

/* What a folder's index would say of the pipeline. */
static int put_index(sorai_package *pkg, sora_error *err) {
    json_t *config = NULL, *index = json_pack("{s:s}", "_class_name", "WanPipeline");
    const bool there = sorai_package_index(pkg) != NULL;
    if (!there && sorai_package_has(pkg, "transformer") &&
        sorai_package_config(pkg, "transformer", &config, NULL) == SORA_OK &&
        json_integer_value(json_object_get(config, "in_channels")) == 48 && index) /* Wan 2.2 TI2V: times per token */
        json_object_set_new(index, "expand_timesteps", json_true());
    if (!there && index && sorai_package_has(pkg, "transformer_2"))
        json_object_set_new(index, "boundary_ratio",
                            json_real(json_integer_value(json_object_get(config, "in_channels")) == 36 ? 0.9 : 0.875));
    if (!there && index) sorai_package_put_index(pkg, index);
    const int status = index ? SORA_OK : sorai_fail(err, SORA_E_NOMEM, "no memory to open a model");
    json_decref(index);
    return status;
}

int sorai_files_open_source(sorai_package **out, sorai_mem *mem, sorai_source *source, sora_error *err) {
    sorai_package *pkg = NULL;
    sorai_weights *w = NULL;
    *out = NULL;
    if (sorai_sora_file_probe(source)) return sorai_package_open_source(out, mem, source, err);
    int status = sorai_weights_open_source(&w, mem, source, err);
    if (status == SORA_OK) status = sorai_package_new(&pkg, mem, sorai_source_name(source), err);
    if (status == SORA_OK) status = put_all(pkg, mem, w, NULL, err);
    if (status == SORA_OK) status = put_index(pkg, err);
    sorai_weights_unref(&w);
    if (status != SORA_OK)
        sorai_package_close(&pkg);
    else
        *out = pkg;
    return status;
}

/* A folder as the authors publish it: what lies where. The first of each line that is there counts. */
static const struct {
    const char *part;
    int32_t kind; /* of kinds[]; -1: the tokenizer */
    const char *names[5];
} official[] = {
    {"transformer",
     0,
     {"diffusion_pytorch_model.safetensors.index.json", "diffusion_pytorch_model.safetensors",
      "high_noise_model/diffusion_pytorch_model.safetensors.index.json",
      "high_noise_model/diffusion_pytorch_model.safetensors"}},
    {"transformer_2",
     0,
     {"low_noise_model/diffusion_pytorch_model.safetensors.index.json",
      "low_noise_model/diffusion_pytorch_model.safetensors"}},
    {"vae", 1, {"Wan2.1_VAE.pth", "Wan2.2_VAE.pth", "Wan2.1_VAE.safetensors", "Wan2.2_VAE.safetensors"}},
    {"text_encoder", 2, {"models_t5_umt5-xxl-enc-bf16.pth", "models_t5_umt5-xxl-enc-bf16.safetensors"}},
    {"image_encoder",
     3,
     {"models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth",
      "models_clip_open-clip-xlm-roberta-large-vit-huge-14.safetensors"}},
    {"tokenizer", -1, {"google/umt5-xxl/tokenizer.json", "google/umt5-xxl/spiece.model"}},
};

static char *inside(sorai_mem *mem, const char *folder, const char *name) {
    const size_t room = strlen(folder) + strlen(name) + 2;
    char *path = sorai_alloc(mem, room);
    if (path) snprintf(path, room, "%s/%s", folder, name);
    return path;
}

static bool is_there(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* *out NULL: this is no such folder. */
static int open_official(sorai_package **out, sorai_mem *mem, const char *folder, sora_error *err) {
    sorai_package *pkg = NULL;
    bool any = false;
    int status = SORA_OK;
    *out = NULL;
    for (size_t i = 0; i < sizeof official / sizeof *official && status == SORA_OK; i++)
        for (int k = 0; official[i].names[k] && status == SORA_OK; k++) {
            char *path = inside(mem, folder, official[i].names[k]);
            if (!path) status = sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", folder);
            if (path && is_there(path)) {
                if (!pkg) status = sorai_package_new(&pkg, mem, folder, err);
                if (status == SORA_OK)
                    status = official[i].kind < 0
                                 ? put_tokenizer(pkg, mem, path, err)
                                 : put_file(pkg, mem, path, (size_t)official[i].kind, official[i].part, false, err);
                any = any || official[i].kind >= 0;
                sorai_free(mem, path);
                break;
            }
            sorai_free(mem, path);
        }
    if (status != SORA_OK || !any) sorai_package_close(&pkg);
    *out = pkg;
    return status;
}

/* Whether diffusers wrote it: an index, or a part's folder. */
static bool is_diffusers(sorai_mem *mem, const char *folder) {
    static const char *const names[] = {"model_index.json", "transformer/config.json", "vae/config.json",
                                        "text_encoder/config.json"};
    bool found = false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !found; i++) {
        char *path = inside(mem, folder, names[i]);
        found = !path || is_there(path);
        sorai_free(mem, path);
    }
    return found;
}

/* path: a folder or a .sora file goes to the package's own readers, weights come here. */
static int open_base(sorai_package **out, sorai_mem *mem, const char *path, sora_error *err) {
    sorai_source *source = NULL;
    sorai_weights *w = NULL;
    const size_t n = strlen(path);
    const bool named = n > 5 && strcmp(path + n - 5, ".sora") == 0;
    const int opened = sorai_source_open(&source, mem, path, NULL);
    const bool single = opened == SORA_OK && !named && !sorai_sora_file_probe(source);
    sorai_source_unref(&source);
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) && !is_diffusers(mem, path)) {
        SORA_TRY(open_official(out, mem, path, err));
        if (*out) return SORA_OK;
    }
    if (!single) return sorai_package_open(out, mem, path, err);
    SORA_TRY(sorai_package_new(out, mem, path, err));
    int status = sorai_weights_open(&w, mem, path, err);
    if (status == SORA_OK) status = put_all(*out, mem, w, path, err);
    sorai_weights_unref(&w);
    if (status != SORA_OK) sorai_package_close(out);
    return status;
}

int sorai_files_open(sorai_package **out, sorai_mem *mem, const sorai_model_files *f, sora_error *err) {
    const char *first = f->dit ? f->dit : f->vae ? f->vae : f->text ? f->text : f->clip ? f->clip : f->tokenizer;
    *out = NULL;
    if (!f->path && !first) return sorai_fail(err, SORA_E_INVALID, "no model is named");
    SORA_TRY(f->path ? open_base(out, mem, f->path, err) : sorai_package_new(out, mem, first, err));
    int status = SORA_OK;
    if (f->dit) status = put_file(*out, mem, f->dit, 0, "transformer", false, err);
    if (status == SORA_OK && f->dit2) status = put_file(*out, mem, f->dit2, 0, "transformer_2", false, err);
    if (status == SORA_OK && f->vae) status = put_file(*out, mem, f->vae, 1, "vae", false, err);
    if (status == SORA_OK && f->text) status = put_file(*out, mem, f->text, 2, "text_encoder", !f->tokenizer, err);
    if (status == SORA_OK && f->clip) status = put_file(*out, mem, f->clip, 3, "image_encoder", false, err);
    if (status == SORA_OK && f->tokenizer) status = put_tokenizer(*out, mem, f->tokenizer, err);
    if (status == SORA_OK) status = put_index(*out, err);
    if (status != SORA_OK) sorai_package_close(out);
    return status;
}

const char *sorai_package_layout(const sorai_package *pkg) {
    const char *format = sorai_package_format(pkg);
    return strcmp(format, "folder") == 0 ? "diffusers folder" : format;
}
