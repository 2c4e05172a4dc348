/* The pickle of a state dict as a tree of values. A machine for the few operations that torch.save writes for names and
 * tensors: it calls nothing and imports nothing. */
#ifndef SORAI_IO_PICKLE_H
#define SORAI_IO_PICKLE_H

#include "lib/base/alloc.h"
#include "lib/base/error.h"

enum sorai_pickle_kind {
    SORAI_PICKLE_NONE,    /* None, and what is known and of no use here */
    SORAI_PICKLE_INT,     /* number; truth values too */
    SORAI_PICKLE_TEXT,    /* text, size */
    SORAI_PICKLE_MARK,    /* only while it runs */
    SORAI_PICKLE_TUPLE,   /* tuples and lists: first -> items */
    SORAI_PICKLE_DICT,    /* first -> items, each with a key */
    SORAI_PICKLE_GLOBAL,  /* text: "module name" */
    SORAI_PICKLE_STORAGE, /* first -> the items that name it: "storage", type, key, place, count */
    SORAI_PICKLE_TENSOR   /* first -> the arguments that make it; number 2 or 3: which form */
};

#define SORAI_PICKLE_END UINT32_MAX

typedef struct sorai_pickle_value {
    enum sorai_pickle_kind kind;
    uint32_t first, last; /* items, by number; SORAI_PICKLE_END: none */
    int64_t number;
    const char *text; /* in the pickle's bytes, not terminated */
    size_t size;
} sorai_pickle_value;

typedef struct sorai_pickle_item {
    uint32_t key, value, next; /* values by number; key only in dicts */
} sorai_pickle_item;

typedef struct sorai_pickle {
    sorai_mem *mem;
    sorai_pickle_value *values;
    sorai_pickle_item *items;
    uint32_t value_count, value_capacity, item_count, item_capacity;
    uint32_t root;
} sorai_pickle;

/* Reads n bytes, which must stay there as long as the tree. Memory is in proportion to n. SORA_E_UNSUPPORTED names what
 * is asked for beyond names and tensors; SORA_E_FORMAT: damaged. */
int sorai_pickle_read(sorai_pickle *out, sorai_mem *mem, const void *data, size_t n, const char *file, sora_error *err);
void sorai_pickle_release(sorai_pickle *p);

/* The i-th item's value of a tuple, storage or tensor; NULL: there are fewer. */
const sorai_pickle_value *sorai_pickle_at(const sorai_pickle *p, const sorai_pickle_value *list, uint32_t i);

#endif
