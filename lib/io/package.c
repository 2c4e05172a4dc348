#define _POSIX_C_SOURCE 200809L
#include "lib/io/package.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/io/encoding.h"
#include "lib/io/folder.h"
#include "lib/io/sora_file.h"
#include "lib/tensor/half.h"

#define MAX_PARTS 16
#define MAX_BLOBS 4

struct sorai_package {
    sorai_mem *mem;
    char *name;
    sorai_sora_file *file; /* NULL: a folder, or single files only */
    sorai_folder folder;   /* path NULL: single files only */
    sorai_part *own[MAX_PARTS];
    size_t own_count;
    struct {
        char *name;
        sorai_source *source;
    } blobs[MAX_BLOBS];
    size_t blob_count;
    json_t *index;
    bool narrow, keep, mapped; /* mapped: file is */
    sorai_adapter adapter; /* changes NULL: none */
};

static int create(sorai_package **out, sorai_mem *mem, const char *name, sora_error *err) {
    *out = NULL;
    sorai_package *p = sorai_calloc(mem, 1, sizeof *p);
    if (p) p->name = sorai_strdup(mem, name);
    if (!p || !p->name) {
        sorai_free(mem, p);
        return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", name);
    }
    p->mem = mem;
    *out = p;
    return SORA_OK;
}

int sorai_package_open_source(sorai_package **out, sorai_mem *mem, sorai_source *source, sora_error *err) {
    *out = NULL;
    if (!sorai_sora_file_probe(source)) {
        char head[8]; /* told apart from a host that could not read */
        if (sorai_source_size(source) >= sizeof head) SORA_TRY(sorai_source_read(source, 0, head, sizeof head, err));
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: neither a model folder nor a .sora file",
                          sorai_source_name(source));
    }
    sorai_package *p;
    SORA_TRY(create(&p, mem, sorai_source_name(source), err));
    p->mapped = sorai_source_peek(source, 0, 1) != NULL;
    int status = sorai_sora_file_open(&p->file, mem, source, err);
    if (status != SORA_OK) sorai_package_close(&p);
    *out = p;
    return status;
}

int sorai_package_open(sorai_package **out, sorai_mem *mem, const char *path, sora_error *err) {
    *out = NULL;
    struct stat st;
    int status;
    if (path && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        sorai_package *p;
        SORA_TRY(create(&p, mem, path, err));
        status = sorai_folder_open(&p->folder, mem, path, err);
        if (status != SORA_OK) sorai_package_close(&p);
        *out = p;
        return status;
    }
    sorai_source *source;
    SORA_TRY(sorai_source_open(&source, mem, path, err));
    status = sorai_package_open_source(out, mem, source, err);
    sorai_source_unref(&source);
    return status;
}

void sorai_package_close(sorai_package **pp) {
    sorai_package *p = *pp;
    *pp = NULL;
    if (!p) return;
    if (p->adapter.changes) p->adapter.release(p->adapter.user);
    for (size_t i = 0; i < p->own_count; i++) sorai_part_free(&p->own[i]);
    for (size_t i = 0; i < p->blob_count; i++) {
        sorai_free(p->mem, p->blobs[i].name);
        sorai_source_unref(&p->blobs[i].source);
    }
    json_decref(p->index);
    sorai_sora_file_close(&p->file);
    if (p->folder.path) sorai_folder_release(&p->folder);
    sorai_free(p->mem, p->name);
    sorai_free(p->mem, p);
}

int sorai_package_new(sorai_package **out, sorai_mem *mem, const char *name, sora_error *err) {
    return create(out, mem, name, err);
}

static sorai_part *own_part(const sorai_package *p, const char *part) {
    for (size_t i = 0; i < p->own_count; i++)
        if (strcmp(p->own[i]->name, part) == 0) return p->own[i];
    return NULL;
}

int sorai_package_put_part(sorai_package *p, sorai_part *part, sora_error *err) {
    for (size_t i = 0; i < p->own_count; i++)
        if (strcmp(p->own[i]->name, part->name) == 0) {
            sorai_part_free(&p->own[i]);
            p->own[i] = part;
            return SORA_OK;
        }
    if (p->own_count == MAX_PARTS) {
        sorai_part_free(&part);
        return sorai_fail(err, SORA_E_INVALID, "%.300s: too many parts", p->name);
    }
    p->own[p->own_count++] = part;
    return SORA_OK;
}

int sorai_package_put_blob(sorai_package *p, const char *name, sorai_source *source, sora_error *err) {
    for (size_t i = 0; i < p->blob_count; i++)
        if (strcmp(p->blobs[i].name, name) == 0) {
            sorai_source_unref(&p->blobs[i].source);
            p->blobs[i].source = sorai_source_ref(source);
            return SORA_OK;
        }
    char *copy = p->blob_count < MAX_BLOBS ? sorai_strdup(p->mem, name) : NULL;
    if (!copy) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", p->name);
    p->blobs[p->blob_count].name = copy;
    p->blobs[p->blob_count++].source = sorai_source_ref(source);
    return SORA_OK;
}

void sorai_package_put_index(sorai_package *p, json_t *index) {
    json_decref(p->index);
    p->index = json_incref(index);
}

void sorai_package_put_adapter(sorai_package *p, const sorai_adapter *adapter) {
    if (p->adapter.changes) p->adapter.release(p->adapter.user);
    p->adapter = *adapter;
}

static int64_t changes(const sorai_package *p, const char *part, const char *name) {
    return p->adapter.changes ? p->adapter.changes(p->adapter.user, part, name) : 0;
}

const char *sorai_package_name(const sorai_package *p) { return p->name; }

const char *sorai_package_format(const sorai_package *p) {
    if (p->file) return "sora";
    if (p->folder.path || !p->own_count) return "folder";
    const char *format = sorai_weights_format(p->own[0]->weights);
    for (size_t i = 1; i < p->own_count; i++)
        if (strcmp(sorai_weights_format(p->own[i]->weights), format) != 0) return "files";
    return format;
}

json_t *sorai_package_metadata(const sorai_package *p) { return p->file ? sorai_sora_file_metadata(p->file) : NULL; }

json_t *sorai_package_index(const sorai_package *p) {
    json_t *index = p->file ? json_object_get(sorai_sora_file_metadata(p->file), "model_index") : p->folder.index;
    return index ? index : p->index;
}

/* The i-th part of the folder or file. */
static const char *base_part(const sorai_package *p, size_t i) {
    if (!p->file) return i < p->folder.part_count ? p->folder.parts[i].name : NULL;
    const char *key;
    json_t *value;
    json_object_foreach(sorai_sora_file_parts(p->file), key, value) if (i-- == 0) return key;
    return NULL;
}

const char *sorai_package_part(const sorai_package *p, size_t i) {
    const char *name;
    if (i < p->own_count) return p->own[i]->name;
    i -= p->own_count;
    for (size_t k = 0; (name = base_part(p, k)) != NULL; k++)
        if (!own_part(p, name) && i-- == 0) return name;
    return NULL;
}

bool sorai_package_has(const sorai_package *p, const char *part) {
    if (own_part(p, part)) return true;
    if (p->file) return json_object_get(sorai_sora_file_parts(p->file), part) != NULL;
    for (size_t i = 0; i < p->folder.part_count; i++)
        if (strcmp(p->folder.parts[i].name, part) == 0) return true;
    return false;
}

const sorai_weights *sorai_package_weights(const sorai_package *p, const char *part) {
    const sorai_part *own = own_part(p, part);
    return own ? own->weights : NULL;
}

static int missing_part(const sorai_package *p, const char *part, sora_error *err) {
    return sorai_fail(err, SORA_E_NOTFOUND, "%.300s: part \"%.80s\" is missing", p->name, part);
}

int sorai_package_config(sorai_package *p, const char *part, json_t **out, sora_error *err) {
    const sorai_part *own = own_part(p, part);
    *out = own ? own->config : NULL;
    if (own) return *out ? SORA_OK : sorai_fail(err, SORA_E_NOTFOUND, "%.300s: has no config", p->name);
    if (p->file) {
        *out = json_object_get(json_object_get(sorai_sora_file_parts(p->file), part), "config");
        return *out ? SORA_OK : missing_part(p, part, err);
    }
    sorai_folder_part *found = sorai_folder_find(&p->folder, part);
    if (!found) return missing_part(p, part, err);
    SORA_TRY(sorai_folder_config(&p->folder, found, err));
    *out = found->config;
    return SORA_OK;
}

/* The folder's part with its weights open. */
static int folder_part(sorai_package *p, const char *part, sorai_folder_part **out, sora_error *err) {
    *out = sorai_folder_find(&p->folder, part);
    return *out ? sorai_folder_weights(&p->folder, *out, err) : missing_part(p, part, err);
}

/* NAME.scale of an i8 tensor, where there is one. */
static int attach_rows(const sorai_package *p, char full[640], sora_tensor *t, sora_error *err) {
    const size_t n = strlen(full);
    if (t->dtype != SORA_DTYPE_I8 || n + 6 >= 640) return SORA_OK;
    memcpy(full + n, ".scale", 7);
    const sorai_tensor_info *info = sorai_table_find(sorai_sora_file_tensors(p->file), full);
    sora_tensor *scale = NULL;
    if (!info) return SORA_OK;
    SORA_TRY(sorai_sora_file_lookup(p->file, full, &scale, err));
    const bool fits = t->rank > 0 && scale->dtype == SORA_DTYPE_F32 && sorai_tensor_count(scale) == t->shape[0];
    if (fits) t->scale = scale;
    else sorai_tensor_unref(&scale);
    return fits ? SORA_OK : sorai_fail(err, SORA_E_FORMAT, "%.200s: %.200s is no f32 scale for each row", p->name, full);
}

static int look_up(sorai_package *p, const char *part, const char *name, bool keep, sora_tensor **out, sora_error *err) {
    const sorai_part *own = own_part(p, part);
    *out = NULL;
    if (own) return sorai_part_load(own, name, keep, out, err);
    if (p->file) {
        char full[640];
        if (!sorai_package_has(p, part)) return missing_part(p, part, err);
        if (snprintf(full, sizeof full, "%s/%s", part, name) >= (int)sizeof full)
            return sorai_fail(err, SORA_E_NOTFOUND, "%.200s: tensor \"%.200s\" is missing", p->name, name);
        int status = sorai_sora_file_lookup(p->file, full, out, err);
        if (status == SORA_OK) status = attach_rows(p, full, *out, err);
        if (status != SORA_OK) sorai_tensor_unref(out);
        return status;
    }
    sorai_folder_part *found;
    SORA_TRY(folder_part(p, part, &found, err));
    if (!found->weights)
        return sorai_fail(err, SORA_E_NOTFOUND, "%.200s/%.60s: no safetensors weights in this folder", p->name, part);
    const sorai_table *table = sorai_safetensors_table(found->weights);
    const sorai_tensor_info *info = sorai_table_find(table, name),
                            *scale = info && info->encoding ? sorai_scale_find(table, info) : NULL;
    sorai_tensor_info kept;
    if (info && keep) kept = *info;
    keep = info && keep && sorai_keep_stored(table, &kept);
    SORA_TRY(keep ? sorai_safetensors_load(found->weights, &kept, out, err) : sorai_safetensors_lookup(found->weights, name, out, err));
    if (!scale) return SORA_OK;
    sora_tensor *factor;
    int status = sorai_safetensors_load(found->weights, scale, &factor, err);
    if (status == SORA_OK)
        status = keep ? sorai_scale_attach(p->mem, p->name, scale->name, factor, *out, err)
                      : sorai_scale_apply(p->mem, p->name, scale->name, factor, out, err);
    sorai_tensor_unref(&factor);
    if (status != SORA_OK) sorai_tensor_unref(out);
    return status;
}

void sorai_package_narrow(sorai_package *p, bool on) { p->narrow = on; }
void sorai_package_keep(sorai_package *p, bool on) { p->keep = on; }

static int to_bf16(sorai_mem *mem, sora_tensor **t, sora_error *err) {
    sora_tensor *from = *t, *to;
    SORA_TRY(sorai_tensor_new(&to, mem, SORA_DTYPE_BF16, from->rank, from->shape, err));
    const int64_t n = sorai_tensor_count(from);
    for (int64_t i = 0; i < n; i++) ((uint16_t *)to->data)[i] = sorai_f32_to_bf16(((const float *)from->data)[i]);
    sorai_tensor_unref(t);
    *t = to;
    return SORA_OK;
}

/* Whether a tensor of a single file has to be multiplied out to f32. */
static bool made_f32(const sorai_tensor_info *info) {
    return info->encoding && info->encoding != SORAI_F64 && info->dtype == SORA_DTYPE_F32 && info->rank >= 2;
}

int sorai_package_lookup(sorai_package *p, const char *part, const char *name, sora_tensor **out, sora_error *err) {
    const int64_t change = changes(p, part, name);
    SORA_TRY(look_up(p, part, name, p->keep && change >= 0, out, err));
    const sorai_part *own = own_part(p, part);
    const sorai_tensor_info *info = own && p->narrow ? sorai_table_find(&own->names, name) : NULL;
    const int32_t before = (*out)->dtype;
    const bool beside = p->keep && change > 0 && sorai_dtype_small(before) && (*out)->rank == 2;
    int status = change ? p->adapter.adapt(p->adapter.user, part, name, beside, out, err) : SORA_OK;
    if (status == SORA_OK && beside && p->narrow) status = to_bf16(p->mem, &(*out)->down, err);
    if (status == SORA_OK && beside && p->narrow) status = to_bf16(p->mem, &(*out)->up, err);
    if (status == SORA_OK && p->narrow && (*out)->dtype == SORA_DTYPE_F32 && (*out)->rank >= 2 &&
        (before != SORA_DTYPE_F32 || (info && made_f32(info))))
        status = to_bf16(p->mem, out, err);
    if (status != SORA_OK) sorai_tensor_unref(out);
    return status;
}

/* A part's entries stand together in the sorted table of a .sora file: the first, and how many. */
static void sora_range(const sorai_package *p, const char *part, const sorai_tensor_info **first, size_t *count) {
    const sorai_table *table = sorai_sora_file_tensors(p->file);
    const size_t length = strlen(part);
    size_t begin = 0, n = 0;
    for (size_t i = 0; i < table->count; i++)
        if (strncmp(table->items[i].name, part, length) == 0 && table->items[i].name[length] == '/' && n++ == 0)
            begin = i;
    *first = n ? table->items + begin : NULL;
    *count = n;
}

static int tensors_of(sorai_package *p, const char *part, const sorai_tensor_info **first, size_t *count,
                      sora_error *err) {
    const sorai_part *own = own_part(p, part);
    *first = own ? own->names.items : NULL;
    *count = own ? own->names.count : 0;
    if (own) return SORA_OK;
    if (p->file) {
        if (!sorai_package_has(p, part)) return missing_part(p, part, err);
        sora_range(p, part, first, count);
        return SORA_OK;
    }
    sorai_folder_part *found;
    SORA_TRY(folder_part(p, part, &found, err));
    if (found->weights) {
        *first = sorai_safetensors_table(found->weights)->items;
        *count = sorai_safetensors_table(found->weights)->count;
    }
    return SORA_OK;
}

int sorai_package_tensor_count(sorai_package *p, const char *part, size_t *count, sora_error *err) {
    const sorai_tensor_info *first;
    return tensors_of(p, part, &first, count, err);
}

int sorai_package_tensor(sorai_package *p, const char *part, size_t i, sorai_tensor_info *info, sora_error *err) {
    const sorai_tensor_info *first;
    size_t count;
    SORA_TRY(tensors_of(p, part, &first, &count, err));
    if (i >= count)
        return sorai_fail(err, SORA_E_NOTFOUND, "%.300s: part \"%.80s\" has %zu tensors", p->name, part, count);
    *info = first[i];
    const sorai_part *own = own_part(p, part);
    const bool eight = !own && p->file && info->dtype == SORA_DTYPE_I8;
    if (p->file && !own) info->name += strlen(part) + 1;
    info->scales = eight ? info->rank > 0 ? info->shape[0] : 1 : 0;
    info->added = 0;
    const int64_t change = changes(p, part, info->name);
    if (p->keep && (change == 0 || (change > 0 && info->rank == 2))) {
        sorai_tensor_info file;
        if (eight || (own ? sorai_part_keeps(own, info, &file)
                          : !p->file && sorai_keep_stored(sorai_safetensors_table(sorai_folder_find(&p->folder, part)->weights), info))) {
            info->added = change;
            return SORA_OK;
        }
    }
    const int32_t before = info->dtype;
    if (change && before) info->dtype = SORA_DTYPE_F32;
    if (p->narrow && info->dtype == SORA_DTYPE_F32 && info->rank >= 2 && (before != SORA_DTYPE_F32 || (own && made_f32(info))))
        info->dtype = SORA_DTYPE_BF16;
    if (info->dtype != before) info->size = info->size / sorai_dtype_size(before) * sorai_dtype_size(info->dtype);
    return SORA_OK;
}

int sorai_package_find(sorai_package *p, const char *part, const char *name, sorai_tensor_info *info, sora_error *err) {
    const sorai_tensor_info *first;
    size_t low = 0, high = 0;
    SORA_TRY(tensors_of(p, part, &first, &high, err));
    const size_t skip = p->file && !own_part(p, part) ? strlen(part) + 1 : 0;
    while (low < high) { /* sorted by name */
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(first[middle].name + skip, name);
        if (order == 0) return sorai_package_tensor(p, part, middle, info, err);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const sorai_weights *own = sorai_package_weights(p, part);
    return sorai_fail(err, SORA_E_NOTFOUND, "%.250s: tensor \"%.80s/%.120s\" is missing", own ? sorai_weights_name(own) : p->name, part, name);
}

bool sorai_package_maps(const sorai_package *p, const char *part, const sorai_tensor_info *info) {
    const sorai_part *own = own_part(p, part);
    const sorai_tensor_info *stored = own ? &sorai_weights_table(own->weights)->items[info->file] : info;
    const size_t width = sorai_dtype_size(stored->dtype);
    if (sorai_dtype_stored(info->dtype)) return true;
    if ((!info->added && changes(p, part, info->name)) || (!own && p->file && !p->mapped)) return false;
    return width && !stored->encoding && stored->codec == SORAI_CODEC_NONE && stored->row == 0 &&
           stored->size == info->size && stored->offset % width == 0;
}

const char *sorai_package_blob_place(const sorai_package *p, const char *name) {
    for (size_t i = 0; i < p->blob_count; i++)
        if (strcmp(p->blobs[i].name, name) == 0) return sorai_source_name(p->blobs[i].source);
    return NULL;
}

int sorai_package_blob(sorai_package *p, const char *name, sorai_bytes *out, sora_error *err) {
    const char *slash = strchr(name, '/');
    const size_t folder = slash ? (size_t)(slash - name) + 1 : 0;
    bool here = false;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < p->blob_count; i++) {
        if (strcmp(p->blobs[i].name, name) == 0)
            return sorai_source_bytes(p->blobs[i].source, 0, sorai_source_size(p->blobs[i].source), out, err);
        here = here || (folder && strncmp(p->blobs[i].name, name, folder) == 0);
    }
    if (p->file && !here) return sorai_sora_file_blob(p->file, name, out, err);
    if (p->folder.path && !here) return sorai_folder_file(&p->folder, name, out, err);
    return sorai_fail(err, SORA_E_NOTFOUND, "%.300s: \"%.150s\" is missing", p->name, name);
}

int sorai_package_verify(sorai_package *p, sora_error *err) {
    if (p->file) return sorai_sora_file_verify(p->file, err);
    for (size_t i = 0; i < p->folder.part_count; i++) {
        sora_error why = {.struct_size = sizeof why};
        SORA_TRY(sorai_folder_weights(&p->folder, &p->folder.parts[i], err));
        const int status = sorai_folder_config(&p->folder, &p->folder.parts[i], &why);
        /* A tokenizer is often without one; a network can't be. */
        if (status != SORA_OK && (status != SORA_E_NOTFOUND || p->folder.parts[i].weights))
            return sorai_fail(err, status, "%s", why.message);
    }
    return SORA_OK;
}
