#include "lib/io/table.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"

void sorai_table_init(sorai_table *t, sorai_mem *mem) {
    memset(t, 0, sizeof *t);
    t->mem = mem;
}

void sorai_table_release(sorai_table *t) {
    for (size_t i = 0; i < t->count; i++) sorai_free(t->mem, (void *)(uintptr_t)t->items[i].name);
    sorai_free(t->mem, t->items);
    sorai_table_init(t, t->mem);
}

int sorai_table_add(sorai_table *t, const sorai_tensor_info *info, const char *file, sora_error *err) {
    if (t->count == t->capacity) {
        size_t capacity = t->capacity ? t->capacity * 2 : 64, bytes;
        void *grown = sorai_mul_ok(capacity, sizeof *t->items, &bytes) ? sorai_realloc(t->mem, t->items, bytes) : NULL;
        if (!grown) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory for the list of tensors", file);
        t->items = grown;
        t->capacity = capacity;
    }
    char *name = sorai_strdup(t->mem, info->name);
    if (!name) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory for the list of tensors", file);
    t->items[t->count] = *info;
    t->items[t->count++].name = name;
    return SORA_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const sorai_tensor_info *)a)->name, ((const sorai_tensor_info *)b)->name);
}

int sorai_table_finish(sorai_table *t, const char *file, sora_error *err) {
    if (t->count > 1) qsort(t->items, t->count, sizeof *t->items, by_name);
    for (size_t i = 1; i < t->count; i++)
        if (strcmp(t->items[i - 1].name, t->items[i].name) == 0)
            return sorai_fail(err, SORA_E_FORMAT, "%.300s: tensor \"%.120s\" is there twice", file, t->items[i].name);
    return SORA_OK;
}

const sorai_tensor_info *sorai_table_find(const sorai_table *t, const char *name) {
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, t->items[middle].name);
        if (order == 0) return &t->items[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool sorai_name_ok(const char *name, size_t length) {
    if (length == 0 || length > 512 || !sorai_utf8_valid(name, length)) return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) return false;
    return true;
}
