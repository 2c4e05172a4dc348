#include "lib/model/lora.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/io/encoding.h"
#include "lib/io/json.h"
#include "lib/io/weights.h"
#include "lib/model/names.h"

#define MAX_FILES 64

/* One addition to one weight: two factors, or a difference of the weight's own size. -1: not there. */
typedef struct delta {
    char *name; /* of the weight, as networks ask for it */
    int32_t file, up, down, alpha, whole;
    double strength; /* of the file, times what its metadata says */
    int32_t target;
} delta;

struct sorai_loras {
    sorai_mem *mem;
    sorai_weights *files[MAX_FILES];
    int32_t file_count;
    delta *items;
    size_t count, capacity;
};

int sorai_loras_create(sorai_loras **out, sorai_mem *mem, sora_error *err) {
    *out = sorai_calloc(mem, 1, sizeof **out);
    if (!*out) return sorai_fail(err, SORA_E_NOMEM, "no memory for a LoRA");
    (*out)->mem = mem;
    return SORA_OK;
}

void sorai_loras_free(sorai_loras **lp) {
    sorai_loras *l = *lp;
    *lp = NULL;
    if (!l) return;
    for (size_t i = 0; i < l->count; i++) sorai_free(l->mem, l->items[i].name);
    for (int32_t i = 0; i < l->file_count; i++) sorai_weights_unref(&l->files[i]);
    sorai_free(l->mem, l->items);
    sorai_free(l->mem, l);
}

/* --- which weight a name means
 * ------------------------------------------------------------------------------------------ */

/* Every spelling of the transformer's weights without ".weight": dots or underscores, ours or the authors'. .file is
 * the place in the list of weights. */
typedef struct spellings {
    sorai_table table;
    sorai_package *pkg;
    const char *part;
} spellings;

static int add_spelling(spellings *s, const char *name, size_t i, sora_error *err) {
    sorai_tensor_info info;
    memset(&info, 0, sizeof info);
    info.name = name;
    info.file = (int32_t)i;
    return sorai_table_add(&s->table, &info, "the transformer", err);
}

/* Adds a name with its dots and with underscores. */
static int add_both(spellings *s, char *name, size_t length, size_t i, sora_error *err) {
    name[length] = 0;
    SORA_TRY(add_spelling(s, name, i, err));
    bool dots = false;
    for (char *c = name; *c; c++)
        if (*c == '.') {
            *c = '_';
            dots = true;
        }
    return dots ? add_spelling(s, name, i, err) : SORA_OK;
}

static int collect(spellings *s, sora_error *err) {
    size_t n = 0;
    SORA_TRY(sorai_package_tensor_count(s->pkg, s->part, &n, err));
    for (size_t i = 0; i < n; i++) {
        sorai_tensor_info info;
        char name[SORAI_NAME_ROOM], official[SORAI_NAME_ROOM];
        SORA_TRY(sorai_package_tensor(s->pkg, s->part, i, &info, err));
        const size_t length = strlen(info.name);
        if (length < 8 || length >= sizeof name) continue;
        const bool weight = strcmp(info.name + length - 7, ".weight") == 0;
        const bool table = length >= 17 && strcmp(info.name + length - 17, "scale_shift_table") == 0;
        if (!weight && !table) continue;
        const bool other = sorai_names_official(info.name, official) && strcmp(official, info.name) != 0;
        memcpy(name, info.name, length + 1);
        SORA_TRY(add_both(s, name, length - (weight ? 7 : 0), i, err));
        if (other) SORA_TRY(add_both(s, official, strlen(official) - (weight ? 7 : 0), i, err));
    }
    return sorai_table_finish(&s->table, "the transformer", err);
}

/* Endings, and which member of a delta they fill. */
enum slot { UP, DOWN, ALPHA, WHOLE, WHOLE_BIAS, WHOLE_TABLE, REFUSED };
static const struct {
    const char *end;
    enum slot slot;
} endings[] = {
    {".lora_A.weight", DOWN},
    {".lora_B.weight", UP},
    {".lora_A.default.weight", DOWN},
    {".lora_B.default.weight", UP},
    {".lora_down.weight", DOWN},
    {".lora_up.weight", UP},
    {".lora.down.weight", DOWN},
    {".lora.up.weight", UP},
    {".alpha", ALPHA},
    {".diff", WHOLE},
    {".diff_b", WHOLE_BIAS},
    {".diff_m", WHOLE_TABLE},
    {".dora_scale", REFUSED},
    {".lora_magnitude_vector", REFUSED},
    {".lora_B.bias", REFUSED},
};
static const char *const before[] = {"base_model.model.",
                                     "model.diffusion_model.",
                                     "diffusion_model.",
                                     "transformer.",
                                     "lora_unet__",
                                     "lora_unet_",
                                     "unet.",
                                     "lora_transformer_",
                                     "model."};

/* base: the name without its ending. Leaves the name of the weight in `out`. */
static bool find_weight(const spellings *s, const char *base, enum slot slot, char out[SORAI_NAME_ROOM]) {
    const sorai_tensor_info *found = NULL;
    char name[SORAI_NAME_ROOM + 16];
    for (int prefixes = 0; prefixes < 4 && !found; prefixes++) {
        const char *table = slot != WHOLE_TABLE ? "" : strchr(base, '.') ? ".modulation" : "_modulation";
        snprintf(name, sizeof name, "%s%s", base, table);
        found = sorai_table_find(&s->table, name);
        size_t i = 0;
        while (i < sizeof before / sizeof *before && strncmp(base, before[i], strlen(before[i])) != 0) i++;
        if (i == sizeof before / sizeof *before) break;
        base += strlen(before[i]);
    }
    sorai_tensor_info info;
    if (!found || sorai_package_tensor(s->pkg, s->part, (size_t)found->file, &info, NULL) != SORA_OK) return false;
    const size_t n = strlen(info.name);
    if (slot != WHOLE_BIAS) return snprintf(out, SORAI_NAME_ROOM, "%s", info.name) < SORAI_NAME_ROOM;
    return n > 7 && snprintf(out, SORAI_NAME_ROOM, "%.*sbias", (int)(n - 6), info.name) < SORAI_NAME_ROOM;
}

static delta *get_delta(sorai_loras *l, const char *name, int32_t file, bool whole) {
    for (size_t i = l->count; i > 0 && l->items[i - 1].file == file; i--) /* of a sorted list: near the end */
        if (strcmp(l->items[i - 1].name, name) == 0 && (l->items[i - 1].whole >= 0) == whole) return &l->items[i - 1];
    if (l->count == l->capacity) {
        const size_t capacity = l->capacity ? l->capacity * 2 : 64;
        delta *grown = sorai_realloc(l->mem, l->items, capacity * sizeof *grown);
        if (!grown) return NULL;
        l->items = grown;
        l->capacity = capacity;
    }
    char *copy = sorai_strdup(l->mem, name);
    if (!copy) return NULL;
    l->items[l->count] = (delta){copy, file, -1, -1, -1, -1, 1.0, SORAI_LORA_BOTH};
    return &l->items[l->count++];
}

static int take_tensor(sorai_loras *l, const spellings *s, const sorai_tensor_info *info, size_t i, int32_t file,
                       sora_error *err) {
    const char *path = sorai_weights_name(l->files[file]);
    char base[SORAI_NAME_ROOM], name[SORAI_NAME_ROOM];
    const size_t n = strlen(info->name);
    for (size_t e = 0; e < sizeof endings / sizeof *endings; e++) {
        const size_t m = strlen(endings[e].end);
        if (n <= m || n >= sizeof base || strcmp(info->name + n - m, endings[e].end) != 0) continue;
        if (endings[e].slot == REFUSED)
            return sorai_fail(err, SORA_E_UNSUPPORTED, "%.250s: \"%.150s\": this kind of LoRA is not supported", path,
                              info->name);
        memcpy(base, info->name, n - m);
        base[n - m] = 0;
        if (!find_weight(s, base, endings[e].slot, name)) break;
        delta *d = get_delta(l, name, file, endings[e].slot >= WHOLE);
        if (!d) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", path);
        int32_t *slot = endings[e].slot == UP      ? &d->up
                        : endings[e].slot == DOWN  ? &d->down
                        : endings[e].slot == ALPHA ? &d->alpha
                                                   : &d->whole;
        if (*slot >= 0)
            return sorai_fail(err, SORA_E_FORMAT, "%.250s: \"%.150s\": the same weight twice", path, info->name);
        *slot = (int32_t)i;
        return SORA_OK;
    }
    return sorai_fail(err, SORA_E_UNSUPPORTED, "%.250s: \"%.150s\" belongs to no weight of this model's %s", path,
                      info->name, s->part);
}

/* What diffusers notes in the metadata: alpha and rank, for all or for single layers. */
static double noted_scale(json_t *note, const char *name) {
    json_t *alpha = json_object_get(note, "transformer.lora_alpha"), *rank = json_object_get(note, "transformer.r"),
           *value;
    const size_t n = strlen(name) > 7 ? strlen(name) - 7 : 0;
    const char *key;
    json_object_foreach(json_object_get(note, "transformer.alpha_pattern"), key,
                        value) if (strlen(key) <= n && strncmp(name + n - strlen(key), key, strlen(key)) == 0) alpha =
        value;
    json_object_foreach(json_object_get(note, "transformer.rank_pattern"), key,
                        value) if (strlen(key) <= n && strncmp(name + n - strlen(key), key, strlen(key)) == 0) rank =
        value;
    if (!json_is_number(alpha) || !json_is_number(rank) || !(json_number_value(rank) > 0.0)) return 1.0;
    return json_is_true(json_object_get(note, "transformer.use_rslora"))
               ? json_number_value(alpha) / sqrt(json_number_value(rank))
               : json_number_value(alpha) / json_number_value(rank);
}

static int read_file(sorai_loras *l, const spellings *s, int32_t file, double strength, int32_t target,
                     sora_error *err) {
    const sorai_weights *w = l->files[file];
    const sorai_table *table = sorai_weights_table(w);
    const size_t first = l->count;
    json_t *note = NULL;
    const char *text = json_string_value(json_object_get(sorai_weights_metadata(w), "lora_adapter_metadata"));
    for (size_t i = 0; i < table->count; i++) SORA_TRY(take_tensor(l, s, &table->items[i], i, file, err));
    if (l->count == first) return sorai_fail(err, SORA_E_FORMAT, "%.300s: holds no LoRA", sorai_weights_name(w));
    if (text && sorai_json_parse(&note, text, strlen(text), 100000, false, sorai_weights_name(w),
                                 "lora_adapter_metadata", NULL) != SORA_OK)
        note = NULL;
    int status = SORA_OK;
    for (size_t i = first; i < l->count && status == SORA_OK; i++) {
        delta *d = &l->items[i];
        if (d->whole < 0 && (d->up < 0 || d->down < 0))
            status = sorai_fail(err, SORA_E_FORMAT, "%.250s: \"%.150s\" has only one of its two factors",
                                sorai_weights_name(w), d->name);
        d->strength = strength * (d->whole < 0 && d->alpha < 0 ? noted_scale(note, d->name) : 1.0);
        d->target = target;
    }
    json_decref(note);
    return status;
}

int sorai_loras_add_weights(sorai_loras *l, sorai_package *pkg, sorai_weights *weights, double strength, int32_t target,
                            sora_error *err) {
    spellings s = {.pkg = pkg, .part = target == SORAI_LORA_LOW ? "transformer_2" : "transformer"};
    const char *path = sorai_weights_name(weights);
    if (l->file_count == MAX_FILES)
        return sorai_fail(err, SORA_E_INVALID, "%.300s: more than %d LoRAs", path, MAX_FILES);
    if (!isfinite(strength)) return sorai_fail(err, SORA_E_INVALID, "%.300s: its strength is no number", path);
    if (!sorai_package_has(pkg, s.part))
        return sorai_fail(err, SORA_E_NOTFOUND, "%.300s: the model has no %s to add it to", path, s.part);
    const int32_t file = l->file_count++;
    l->files[file] = sorai_weights_ref(weights);
    sorai_table_init(&s.table, l->mem);
    const size_t first = l->count;
    int status = collect(&s, err);
    if (status == SORA_OK) status = read_file(l, &s, file, strength, target, err);
    while (status != SORA_OK && l->count > first) sorai_free(l->mem, l->items[--l->count].name);
    sorai_table_release(&s.table);
    return status;
}

int sorai_loras_add(sorai_loras *l, sorai_package *pkg, const char *path, double strength, int32_t target,
                    sora_error *err) {
    sorai_weights *weights;
    SORA_TRY(sorai_weights_open(&weights, l->mem, path, err));
    const int status = sorai_loras_add_weights(l, pkg, weights, strength, target, err);
    sorai_weights_unref(&weights);
    return status;
}

/* --- adding
 * -------------------------------------------------------------------------------------------------------------- */

static int load(const sorai_loras *l, const delta *d, int32_t index, sora_tensor **out, sora_error *err) {
    const sorai_weights *w = l->files[d->file];
    SORA_TRY(sorai_weights_load(w, &sorai_weights_table(w)->items[index], out, err));
    sora_error why = {.struct_size = sizeof why};
    const int status = sorai_tensor_to_f32(l->mem, out, &why);
    if (status == SORA_OK) return status;
    sorai_tensor_unref(out);
    return sorai_fail(err, status, "%.200s: \"%.150s\": %.100s", sorai_weights_name(w),
                      sorai_weights_table(w)->items[index].name, why.message);
}

/* w [rows, columns] += factor * up [rows, rank] * down [rank, columns]. Eight columns at a time stay in registers. */
static void add_product(float *w, const float *up, const float *down, int64_t rows, int64_t rank, int64_t columns,
                        float factor) {
    for (int64_t c = 0; c < columns; c += 8) {
        const int64_t width = columns - c < 8 ? columns - c : 8;
        for (int64_t r = 0; r < rows; r++) {
            float sum[8] = {0};
            if (width == 8) {
                for (int64_t k = 0; k < rank; k++)
                    for (int j = 0; j < 8; j++) sum[j] += up[r * rank + k] * down[k * columns + c + j];
            } else {
                for (int64_t k = 0; k < rank; k++)
                    for (int64_t j = 0; j < width; j++) sum[j] += up[r * rank + k] * down[k * columns + c + j];
            }
            for (int64_t j = 0; j < width; j++) w[r * columns + c + j] += factor * sum[j];
        }
    }
}

static int no_fit(const sorai_loras *l, const delta *d, sora_error *err) {
    return sorai_fail(err, SORA_E_FORMAT, "%.250s: \"%.150s\": does not fit the model's weight", sorai_weights_name(l->files[d->file]), d->name);
}

static int add_whole(const sorai_loras *l, const delta *d, sora_tensor *t, sora_error *err) {
    sora_tensor *diff = NULL;
    SORA_TRY(load(l, d, d->whole, &diff, err));
    const int64_t n = sorai_tensor_count(t);
    const bool same = sorai_tensor_count(diff) == n;
    for (int64_t i = 0; same && i < n; i++)
        ((float *)t->data)[i] += (float)d->strength * ((const float *)diff->data)[i];
    sorai_tensor_unref(&diff);
    return same ? SORA_OK : no_fit(l, d, err);
}

/* The factors of an addition to a weight [rows, columns], and what the product is multiplied by. */
typedef struct factors {
    sora_tensor *up, *down;
    int64_t rank;
    float scale;
} factors;

static void factors_release(factors *f) {
    sorai_tensor_unref(&f->up);
    sorai_tensor_unref(&f->down);
}

static int64_t count_of(const sorai_tensor_info *info) {
    int64_t n = 1;
    for (int32_t a = 0; a < info->rank; a++) n *= info->shape[a];
    return n;
}

/* Whether the factors are those of a weight [rows, columns]: asked before any memory is taken. */
static bool fits(const sorai_loras *l, const delta *d, int64_t rows, int64_t columns) {
    const sorai_table *table = sorai_weights_table(l->files[d->file]);
    const sorai_tensor_info *up = &table->items[d->up], *down = &table->items[d->down];
    const int64_t rank = down->rank > 0 ? down->shape[0] : 0;
    return rows > 0 && columns > 0 && rank > 0 && count_of(down) / rank == columns && count_of(down) % rank == 0 && up->rank >= 2 &&
           up->shape[0] == rows && count_of(up) / rows == rank && count_of(up) % rows == 0;
}

/* Nothing is left in *f on failure. */
static int load_factors(const sorai_loras *l, const delta *d, int64_t rows, int64_t columns, factors *f, sora_error *err) {
    sora_tensor *alpha = NULL;
    memset(f, 0, sizeof *f);
    if (!fits(l, d, rows, columns)) return no_fit(l, d, err);
    int status = load(l, d, d->up, &f->up, err);
    if (status == SORA_OK) status = load(l, d, d->down, &f->down, err);
    if (status == SORA_OK && d->alpha >= 0) status = load(l, d, d->alpha, &alpha, err);
    if (status == SORA_OK && alpha && sorai_tensor_count(alpha) != 1) status = no_fit(l, d, err);
    if (status == SORA_OK) {
        f->rank = f->down->shape[0];
        f->scale = (float)(d->strength * (alpha ? (double)((const float *)alpha->data)[0] / (double)f->rank : 1.0));
    }
    sorai_tensor_unref(&alpha);
    if (status != SORA_OK) factors_release(f);
    return status;
}

static int add_delta(const sorai_loras *l, const delta *d, sora_tensor *t, sora_error *err) {
    factors f;
    if (d->whole >= 0) return add_whole(l, d, t, err);
    const int64_t rows = t->rank > 0 ? t->shape[0] : 0, columns = rows ? sorai_tensor_count(t) / rows : 0;
    SORA_TRY(load_factors(l, d, rows, columns, &f, err));
    add_product(t->data, f.up->data, f.down->data, rows, f.rank, columns, f.scale);
    factors_release(&f);
    return SORA_OK;
}

/* Whether it is for this part; and for this weight of it. */
static bool meant(const delta *d, const char *part, const char *name) {
    const bool high = strcmp(part, "transformer") == 0;
    if (!high && strcmp(part, "transformer_2") != 0) return false;
    return d->target != (high ? SORAI_LORA_LOW : SORAI_LORA_HIGH) && strcmp(d->name, name) == 0;
}

static int64_t changes(void *user, const char *part, const char *name) {
    const sorai_loras *l = user;
    int64_t rank = 0;
    for (size_t i = 0; i < l->count; i++) {
        const delta *d = &l->items[i];
        if (!meant(d, part, name)) continue;
        if (d->whole >= 0) return -1;
        const sorai_tensor_info *down = &sorai_weights_table(l->files[d->file])->items[d->down];
        rank += down->rank > 0 && down->shape[0] > 0 ? down->shape[0] : 1; /* 1: it does not fit, which loading says */
    }
    return rank;
}

/* The factors of all additions as those of one: their ranks follow each other, strengths are in `up`. */
static int put_beside(const sorai_loras *l, const char *part, const char *name, int64_t rank, sora_tensor *t, sora_error *err) {
    const int64_t rows = t->shape[0], columns = t->shape[1];
    int64_t at = 0;
    for (size_t i = 0; i < l->count; i++)
        if (meant(&l->items[i], part, name) && !fits(l, &l->items[i], rows, columns)) return no_fit(l, &l->items[i], err);
    SORA_TRY(sorai_tensor_new(&t->down, l->mem, SORA_DTYPE_F32, 2, (const int64_t[]){rank, columns}, err));
    SORA_TRY(sorai_tensor_new(&t->up, l->mem, SORA_DTYPE_F32, 2, (const int64_t[]){rows, rank}, err));
    for (size_t i = 0; i < l->count; i++) {
        factors f;
        if (!meant(&l->items[i], part, name)) continue;
        SORA_TRY(load_factors(l, &l->items[i], rows, columns, &f, err));
        memcpy((float *)t->down->data + at * columns, f.down->data, (size_t)(f.rank * columns) * sizeof(float));
        for (int64_t r = 0; r < rows; r++)
            for (int64_t k = 0; k < f.rank; k++)
                ((float *)t->up->data)[r * rank + at + k] = f.scale * ((const float *)f.up->data)[r * f.rank + k];
        at += f.rank;
        factors_release(&f);
    }
    return SORA_OK;
}

static int adapt(void *user, const char *part, const char *name, bool beside, sora_tensor **t, sora_error *err) {
    const sorai_loras *l = user;
    if (beside) return put_beside(l, part, name, changes(user, part, name), *t, err);
    SORA_TRY(sorai_tensor_to_f32(l->mem, t, err));
    for (size_t i = 0; i < l->count; i++)
        if (meant(&l->items[i], part, name)) SORA_TRY(add_delta(l, &l->items[i], *t, err));
    return SORA_OK;
}

static void release(void *user) {
    sorai_loras *l = user;
    sorai_loras_free(&l);
}

void sorai_loras_install(sorai_loras *l, sorai_package *pkg) {
    const sorai_adapter adapter = {changes, adapt, release, l};
    sorai_package_put_adapter(pkg, &adapter);
}
