#define _POSIX_C_SOURCE 200809L
#include "lib/io/folder.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/io/json.h"

static const char *const known_parts[] = {"transformer",   "transformer_2", "vae",      "text_encoder",
                                          "image_encoder", "tokenizer",     "scheduler"};
static const char *const config_names[] = {"config.json", "scheduler_config.json", "tokenizer_config.json",
                                           "preprocessor_config.json"};
static const char *const weight_names[] = {"diffusion_pytorch_model.safetensors",
                                           "diffusion_pytorch_model.safetensors.index.json", "model.safetensors",
                                           "model.safetensors.index.json"};
static const char *const foreign_names[] = {"diffusion_pytorch_model.bin", "diffusion_pytorch_model.bin.index.json",
                                            "pytorch_model.bin", "pytorch_model.bin.index.json"};

/* folder/part/name from mem; part NULL: folder/name. NULL without memory. */
static char *join(const sorai_folder *f, const char *part, const char *name) {
    const size_t room = strlen(f->path) + (part ? strlen(part) : 0) + strlen(name) + 3;
    char *path = sorai_alloc(f->mem, room);
    if (path) snprintf(path, room, "%s/%s%s%s", f->path, part ? part : "", part ? "/" : "", name);
    return path;
}

static int no_memory(const sorai_folder *f, sora_error *err) {
    return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", f->path);
}

static bool is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

/* A single path element. */
static bool plain_name(const char *name) {
    return sorai_name_ok(name, strlen(name)) && !strchr(name, '/') && name[0] != '.';
}

static int add_part(sorai_folder *f, const char *name, sora_error *err) {
    if (!plain_name(name) || sorai_folder_find(f, name) || f->part_count == SORAI_FOLDER_MAX_PARTS) return SORA_OK;
    char *path = join(f, NULL, name);
    if (!path) return no_memory(f, err);
    const bool there = is_folder(path);
    sorai_free(f->mem, path);
    if (!there) return SORA_OK;
    char *copy = sorai_strdup(f->mem, name);
    if (!copy) return no_memory(f, err);
    f->parts[f->part_count++] = (sorai_folder_part){.name = copy};
    return SORA_OK;
}

static int load_json(sorai_folder *f, const char *path, const char *what, json_t **out, sora_error *err) {
    sorai_source *source;
    SORA_TRY(sorai_source_open(&source, f->mem, path, err));
    int status = sorai_json_load(out, source, what, err);
    if (status == SORA_OK && !json_is_object(*out)) {
        status = sorai_fail(err, SORA_E_FORMAT, "%.300s: a JSON object was expected", path);
        json_decref(*out);
        *out = NULL;
    }
    sorai_source_unref(&source);
    return status;
}

int sorai_folder_open(sorai_folder *f, sorai_mem *mem, const char *path, sora_error *err) {
    memset(f, 0, sizeof *f);
    f->mem = mem;
    f->path = sorai_strdup(mem, path);
    if (!f->path) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", path);
    for (size_t n = strlen(f->path); n > 1 && f->path[n - 1] == '/'; n--) f->path[n - 1] = 0;
    char *index = join(f, NULL, "model_index.json");
    if (!index) return no_memory(f, err);
    int status = exists(index) ? load_json(f, index, "model index", &f->index, err) : SORA_OK;
    sorai_free(mem, index);
    if (status != SORA_OK) return status;
    for (size_t i = 0; i < sizeof known_parts / sizeof *known_parts; i++) SORA_TRY(add_part(f, known_parts[i], err));
    const char *key;
    json_t *value;
    json_object_foreach(f->index, key, value) if (json_is_array(value)) SORA_TRY(add_part(f, key, err));
    if (!f->index && f->part_count == 0)
        return sorai_fail(err, SORA_E_NOTFOUND, "%.300s: not a model: model_index.json is missing", path);
    return SORA_OK;
}

void sorai_folder_release(sorai_folder *f) {
    for (size_t i = 0; i < f->part_count; i++) {
        sorai_free(f->mem, f->parts[i].name);
        json_decref(f->parts[i].config);
        sorai_safetensors_close(&f->parts[i].weights);
    }
    json_decref(f->index);
    if (f->path) sorai_free(f->mem, f->path);
    memset(f, 0, sizeof *f);
}

sorai_folder_part *sorai_folder_find(sorai_folder *f, const char *part) {
    for (size_t i = 0; i < f->part_count; i++)
        if (strcmp(f->parts[i].name, part) == 0) return &f->parts[i];
    return NULL;
}

/* The path of the first of `names` that the part's folder has; *out NULL when it has none. */
static int first_of(sorai_folder *f, const sorai_folder_part *part, const char *const *names, size_t count, char **out,
                    sora_error *err) {
    *out = NULL;
    for (size_t i = 0; i < count; i++) {
        char *path = join(f, part->name, names[i]);
        if (!path) return no_memory(f, err);
        if (exists(path)) {
            *out = path;
            return SORA_OK;
        }
        sorai_free(f->mem, path);
    }
    return SORA_OK;
}

int sorai_folder_config(sorai_folder *f, sorai_folder_part *part, sora_error *err) {
    if (part->config) return SORA_OK;
    char *path;
    SORA_TRY(first_of(f, part, config_names, sizeof config_names / sizeof *config_names, &path, err));
    if (!path) return sorai_fail(err, SORA_E_NOTFOUND, "%.250s/%.60s: config.json is missing", f->path, part->name);
    int status = load_json(f, path, "config", &part->config, err);
    sorai_free(f->mem, path);
    return status;
}

int sorai_folder_weights(sorai_folder *f, sorai_folder_part *part, sora_error *err) {
    if (part->opened) return SORA_OK;
    char *path;
    SORA_TRY(first_of(f, part, weight_names, sizeof weight_names / sizeof *weight_names, &path, err));
    int status = SORA_OK;
    if (path)
        status = sorai_safetensors_open_path(&part->weights, f->mem, path, err);
    else {
        status = first_of(f, part, foreign_names, sizeof foreign_names / sizeof *foreign_names, &path, err);
        if (status == SORA_OK && path)
            status =
                sorai_fail(err, SORA_E_UNSUPPORTED, "%.300s: a pickle; weights are read from safetensors only", path);
    }
    if (path) sorai_free(f->mem, path);
    part->opened = status == SORA_OK;
    return status;
}

int sorai_folder_file(sorai_folder *f, const char *name, sorai_bytes *out, sora_error *err) {
    memset(out, 0, sizeof *out);
    char part[256] = "";
    const char *slash = strchr(name, '/'), *file = slash ? slash + 1 : name;
    if (slash && (size_t)(slash - name) < sizeof part) {
        memcpy(part, name, (size_t)(slash - name));
        part[slash - name] = 0;
    }
    if (!plain_name(file) || (slash && !plain_name(part)))
        return sorai_fail(err, SORA_E_INVALID, "%.250s: \"%.150s\" is no name of a file in it", f->path, name);
    char *path = join(f, slash ? part : NULL, file);
    if (!path) return no_memory(f, err);
    sorai_source *source;
    int status = sorai_source_open(&source, f->mem, path, err);
    sorai_free(f->mem, path);
    if (status != SORA_OK) return status;
    status = sorai_source_bytes(source, 0, sorai_source_size(source), out, err);
    sorai_source_unref(&source);
    return status;
}
