#include "lib/io/part.h"

#include <stdio.h>
#include <string.h>

#include "lib/io/encoding.h"
#include "lib/tensor/half.h"

int sorai_part_create(sorai_part **out, sorai_mem *mem, const char *name, sorai_weights *weights, sora_error *err) {
    *out = NULL;
    sorai_part *p = sorai_calloc(mem, 1, sizeof *p);
    if (p) p->name = sorai_strdup(mem, name);
    if (!p || !p->name) {
        sorai_free(mem, p);
        return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", sorai_weights_name(weights));
    }
    p->mem = mem;
    p->weights = sorai_weights_ref(weights);
    sorai_table_init(&p->names, mem);
    *out = p;
    return SORA_OK;
}

void sorai_part_free(sorai_part **pp) {
    sorai_part *p = *pp;
    *pp = NULL;
    if (!p) return;
    sorai_table_release(&p->names);
    sorai_weights_unref(&p->weights);
    json_decref(p->config);
    sorai_free(p->mem, p->name);
    sorai_free(p->mem, p);
}

/* The scale of a weight, by the two names that are in use; NULL when there is none. */
const sorai_tensor_info *sorai_scale_find(const sorai_table *table, const sorai_tensor_info *weight) {
    static const char *const leaves[] = {".scale_weight", ".weight_scale"};
    const size_t n = strlen(weight->name);
    if (n < 7 || n > 512 || strcmp(weight->name + n - 7, ".weight") != 0) return NULL;
    for (int i = 0; i < 2; i++) {
        char name[560];
        memcpy(name, weight->name, n - 7);
        snprintf(name + n - 7, sizeof name - (n - 7), "%s", leaves[i]);
        const sorai_tensor_info *found = sorai_table_find(table, name);
        if (found) return found;
    }
    return NULL;
}

int sorai_part_add(sorai_part *p, const char *name, size_t i, int32_t rank, const int64_t *shape, sora_error *err) {
    const sorai_table *table = sorai_weights_table(p->weights);
    sorai_tensor_info info = table->items[i];
    if (info.dtype && sorai_scale_find(table, &table->items[i])) {
        info.size = info.size / sorai_dtype_size(info.dtype) * sizeof(float);
        info.dtype = SORA_DTYPE_F32;
    }
    info.name = name;
    info.file = (int32_t)i;
    info.row = 0;
    if (rank >= 0) {
        int64_t before = 1, after = 1;
        for (int32_t a = 0; a < info.rank; a++) before *= info.shape[a];
        for (int32_t a = 0; a < rank; a++) after *= shape[a];
        if (before != after)
            return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.150s\": unexpected shape",
                              sorai_weights_name(p->weights), table->items[i].name);
        info.rank = rank;
        memset(info.shape, 0, sizeof info.shape);
        if (rank) memcpy(info.shape, shape, (size_t)rank * sizeof *shape);
    }
    return sorai_table_add(&p->names, &info, sorai_weights_name(p->weights), err);
}

int sorai_part_add_rows(sorai_part *p, const char *name, size_t i, int64_t first, int64_t rows, sora_error *err) {
    const sorai_tensor_info *whole = &sorai_weights_table(p->weights)->items[i];
    if (whole->rank < 1 || first < 0 || rows < 1 || rows > whole->shape[0] || first > whole->shape[0] - rows)
        return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.150s\": unexpected shape",
                          sorai_weights_name(p->weights), whole->name);
    SORA_TRY(sorai_part_add(p, name, i, -1, NULL, err));
    sorai_tensor_info *info = &p->names.items[p->names.count - 1];
    info->size = info->size / (uint64_t)info->shape[0] * (uint64_t)rows;
    info->stored = info->stored / (uint64_t)info->shape[0] * (uint64_t)rows;
    info->shape[0] = rows;
    info->row = first;
    return SORA_OK;
}

int sorai_part_finish(sorai_part *p, sora_error *err) {
    return sorai_table_finish(&p->names, sorai_weights_name(p->weights), err);
}

static float value_at(const sora_tensor *t, int64_t i) {
    if (t->dtype == SORA_DTYPE_BF16) return sorai_bf16_to_f32(((const uint16_t *)t->data)[i]);
    if (t->dtype == SORA_DTYPE_F16) return sorai_f16_to_f32(((const uint16_t *)t->data)[i]);
    return ((const float *)t->data)[i];
}

static bool is_float(const sora_tensor *t) {
    return t->dtype == SORA_DTYPE_F32 || t->dtype == SORA_DTYPE_BF16 || t->dtype == SORA_DTYPE_F16;
}

static int no_scale(const char *file, const char *name, sora_error *err) {
    return sorai_fail(err, SORA_E_FORMAT, "%.250s: tensor \"%.150s\": is no scale of its weight", file, name);
}

int sorai_scale_attach(sorai_mem *mem, const char *file, const char *name, sora_tensor *factor, sora_tensor *weight, sora_error *err) {
    const int64_t rows = weight->rank > 0 ? weight->shape[0] : 1, n = sorai_tensor_count(factor);
    if (!is_float(factor) || (n != 1 && n != rows)) return no_scale(file, name, err);
    if (factor->dtype == SORA_DTYPE_F32) {
        weight->scale = sorai_tensor_ref(factor);
        return SORA_OK;
    }
    SORA_TRY(sorai_tensor_new(&weight->scale, mem, SORA_DTYPE_F32, 1, &n, err));
    for (int64_t i = 0; i < n; i++) ((float *)weight->scale->data)[i] = value_at(factor, i);
    return SORA_OK;
}

int sorai_scale_apply(sorai_mem *mem, const char *file, const char *name, const sora_tensor *factor, sora_tensor **t,
                      sora_error *err) {
    sora_tensor *from = *t, *to = NULL;
    const int64_t rows = from->rank > 0 ? from->shape[0] : 1, factors = sorai_tensor_count(factor),
                  count = sorai_tensor_count(from);
    if (!is_float(factor) || !is_float(from) || (factors != 1 && factors != rows) || rows < 1) return no_scale(file, name, err);
    SORA_TRY(sorai_tensor_new(&to, mem, SORA_DTYPE_F32, from->rank, from->shape, err));
    const int64_t columns = count / rows;
    float *out = to->data;
    for (int64_t r = 0; r < rows; r++) {
        const float f = value_at(factor, factors == 1 ? 0 : r);
        for (int64_t c = 0; c < columns; c++) out[r * columns + c] = value_at(from, r * columns + c) * f;
    }
    sorai_tensor_unref(t);
    *t = to;
    return SORA_OK;
}

static int use_scale(const sorai_part *p, const sorai_tensor_info *scale, bool stored, sora_tensor **t, sora_error *err) {
    const char *file = sorai_weights_name(p->weights);
    sora_tensor *factor = NULL;
    SORA_TRY(sorai_weights_load(p->weights, scale, &factor, err));
    const int status = stored ? sorai_scale_attach(p->mem, file, scale->name, factor, *t, err)
                              : sorai_scale_apply(p->mem, file, scale->name, factor, t, err);
    sorai_tensor_unref(&factor);
    return status;
}

static int64_t count_of(const sorai_tensor_info *info) {
    int64_t n = 1;
    for (int32_t a = 0; a < info->rank; a++) n *= info->shape[a];
    return n;
}

/* Rows out of a larger tensor. */
static int take_rows(const sorai_part *p, const sorai_tensor_info *item, sora_tensor **t, sora_error *err) {
    sora_tensor *whole = *t, *rows = NULL;
    const int status = sorai_tensor_new(&rows, p->mem, whole->dtype, item->rank, item->shape, err);
    if (status == SORA_OK) {
        const size_t bytes = sorai_tensor_bytes(rows), row = bytes / (size_t)item->shape[0];
        memcpy(rows->data, (const unsigned char *)whole->data + (size_t)item->row * row, bytes);
    }
    sorai_tensor_unref(t);
    *t = rows;
    return status;
}

static bool keep(sorai_tensor_info *info, const sorai_tensor_info *scale) {
    const int32_t dtype = SORAI_DTYPE_F8_E4M3 + info->encoding - SORAI_F8_E4M3;
    const int64_t scales = scale ? count_of(scale) : 0;
    if (!info->encoding || info->encoding == SORAI_F64 || info->rank < 2 || info->shape[0] < 1 || count_of(info) / info->shape[0] % sorai_dtype_values(dtype) ||
        (scale && (scale->encoding || (scales != 1 && scales != info->shape[0]))))
        return false;
    info->dtype = dtype;
    info->encoding = SORAI_PLAIN;
    info->size = info->stored;
    info->scales = scales;
    return true;
}

bool sorai_keep_stored(const sorai_table *table, sorai_tensor_info *info) { return keep(info, sorai_scale_find(table, info)); }

bool sorai_part_keeps(const sorai_part *p, sorai_tensor_info *item, sorai_tensor_info *file) {
    const sorai_table *table = sorai_weights_table(p->weights);
    const sorai_tensor_info *scale = sorai_scale_find(table, &table->items[item->file]);
    *file = table->items[item->file];
    /* Rows as they are seen here must be whole blocks too, and have a scale each; some rows out of a larger tensor are not looked for in one. */
    return count_of(item) == count_of(file) && keep(file, scale) && keep(item, scale);
}

int sorai_part_load(const sorai_part *p, const char *name, bool stored, sora_tensor **out, sora_error *err) {
    *out = NULL;
    const sorai_tensor_info *item = sorai_table_find(&p->names, name);
    if (!item)
        return sorai_fail(err, SORA_E_NOTFOUND, "%.250s: tensor \"%.150s\" is missing", sorai_weights_name(p->weights),
                          name);
    const sorai_tensor_info *weight = &sorai_weights_table(p->weights)->items[item->file],
                            *scale = sorai_scale_find(sorai_weights_table(p->weights), weight);
    sorai_tensor_info seen = *item, kept;
    stored = stored && sorai_part_keeps(p, &seen, &kept);
    int status = sorai_weights_load(p->weights, stored ? &kept : weight, out, err);
    if (status == SORA_OK && scale) status = use_scale(p, scale, stored, out, err);
    if (status != SORA_OK) {
        sorai_tensor_unref(out);
        return status;
    }
    if (sorai_tensor_count(*out) != count_of(item)) return take_rows(p, item, out, err);
    (*out)->rank = item->rank; /* as many values; ours alone: a lookup gives a tensor of its own */
    memcpy((*out)->shape, item->shape, sizeof item->shape);
    return SORA_OK;
}
