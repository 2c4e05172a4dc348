#include "lib/io/pytorch.h"

#include <string.h>

#include "lib/io/encoding.h"
#include "lib/io/pickle.h"
#include "lib/io/zip.h"

#define MAX_PICKLE (64u << 20)
#define MAX_DEPTH  4
#define MAX_VISITS 4000000

/* Steps between neighbours along each axis, in elements, of a tensor that is not contiguous. */
typedef struct layout {
    int64_t step[SORA_MAX_RANK];
} layout;

struct sorai_pytorch {
    sorai_mem *mem;
    sorai_source *source;
    sorai_table table; /* .row: 1 + place in layouts; 0: contiguous */
    layout *layouts;
    size_t layout_count, layout_capacity;
};

/* One opening at work. */
typedef struct reader {
    sorai_pytorch *p;
    sorai_table entries; /* of the archive */
    char folder[513];    /* what stands before data.pkl */
    sorai_pickle pickle;
    uint32_t visits;
    sora_error *err;
} reader;

static const struct {
    const char *storage, *type; /* torch.FloatStorage, torch.float32 */
    char name[12];
    int32_t dtype, encoding;
    uint32_t bytes;
} types[] = {
    {"FloatStorage", "float32", "F32", SORA_DTYPE_F32, SORAI_PLAIN, 4},
    {"BFloat16Storage", "bfloat16", "BF16", SORA_DTYPE_BF16, SORAI_PLAIN, 2},
    {"HalfStorage", "float16", "F16", SORA_DTYPE_F16, SORAI_PLAIN, 2},
    {"IntStorage", NULL, "I32", SORA_DTYPE_I32, SORAI_PLAIN, 4},
    {"LongStorage", NULL, "I64", SORA_DTYPE_I64, SORAI_PLAIN, 8},
    {"ByteStorage", NULL, "U8", SORA_DTYPE_U8, SORAI_PLAIN, 1},
    {"CharStorage", NULL, "I8", SORA_DTYPE_I8, SORAI_PLAIN, 1},
    {"BoolStorage", NULL, "BOOL", 0, SORAI_PLAIN, 1},
    {"ShortStorage", NULL, "I16", 0, SORAI_PLAIN, 2},
    {"DoubleStorage", "float64", "F64", SORA_DTYPE_F32, SORAI_F64, 8},
    {NULL, "float8_e4m3fn", "F8_E4M3", SORA_DTYPE_BF16, SORAI_F8_E4M3, 1},
    {NULL, "float8_e5m2", "F8_E5M2", SORA_DTYPE_BF16, SORAI_F8_E5M2, 1},
};
#define TYPES (sizeof types / sizeof *types)

static const char *file_of(const reader *r) { return sorai_source_name(r->p->source); }

static int bad_tensor(reader *r, const char *name, const char *what) {
    return sorai_fail(r->err, SORA_E_FORMAT, "%.250s: tensor \"%.120s\": %s", file_of(r), name, what);
}

/* The row of types for a storage's class, or for the type given beside it. */
static size_t type_of(const sorai_pickle_value *class, const sorai_pickle_value *given) {
    const sorai_pickle_value *v = given ? given : class;
    for (size_t i = 0; v && v->kind == SORAI_PICKLE_GLOBAL && i < TYPES; i++) {
        const char *name = given ? types[i].type : types[i].storage;
        const size_t n = name ? strlen(name) : 0;
        if (n && v->size == 6 + n && memcmp(v->text, "torch\n", 6) == 0 && memcmp(v->text + 6, name, n) == 0) return i;
    }
    return TYPES;
}

static bool int_at(const reader *r, const sorai_pickle_value *list, uint32_t i, int64_t *out) {
    const sorai_pickle_value *v = sorai_pickle_at(&r->pickle, list, i);
    if (!v || v->kind != SORAI_PICKLE_INT || v->number < 0) return false;
    *out = v->number;
    return true;
}

static int keep_layout(reader *r, const layout *strides, int64_t *row) {
    sorai_pytorch *p = r->p;
    if (p->layout_count == p->layout_capacity) {
        const size_t capacity = p->layout_capacity ? p->layout_capacity * 2 : 16;
        layout *grown = sorai_realloc(p->mem, p->layouts, capacity * sizeof *grown);
        if (!grown) return sorai_fail(r->err, SORA_E_NOMEM, "%.300s: no memory to open it", file_of(r));
        p->layouts = grown;
        p->layout_capacity = capacity;
    }
    p->layouts[p->layout_count++] = *strides;
    *row = (int64_t)p->layout_count;
    return SORA_OK;
}

/* Arguments: storage, offset in elements, extents, strides, gradient, hooks, [type]. */
static int add_tensor(reader *r, const char *name, const sorai_pickle_value *t) {
    const sorai_pickle_value *storage = sorai_pickle_at(&r->pickle, t, 0), *extents = sorai_pickle_at(&r->pickle, t, 2),
                             *steps = sorai_pickle_at(&r->pickle, t, 3);
    const sorai_pickle_value *type = t->number == 3 ? sorai_pickle_at(&r->pickle, t, 6) : NULL;
    sorai_tensor_info info;
    int64_t offset, stride;
    size_t count = 1;
    memset(&info, 0, sizeof info);
    if (!storage || storage->kind != SORAI_PICKLE_STORAGE || !int_at(r, t, 1, &offset) || !extents ||
        extents->kind != SORAI_PICKLE_TUPLE || !steps || steps->kind != SORAI_PICKLE_TUPLE || (t->number == 3 && !type))
        return bad_tensor(r, name, "is not described as torch does");
    const sorai_pickle_value *class = sorai_pickle_at(&r->pickle, storage, 1),
                             *key = sorai_pickle_at(&r->pickle, storage, 2);
    const size_t k = type_of(class, type);
    if (k == TYPES || !key || key->kind != SORAI_PICKLE_TEXT || key->size > 64)
        return bad_tensor(r, name, "its storage is of no type that is known");
    while (info.rank < SORA_MAX_RANK && int_at(r, extents, (uint32_t)info.rank, &info.shape[info.rank])) info.rank++;
    if (sorai_pickle_at(&r->pickle, extents, (uint32_t)info.rank))
        return bad_tensor(r, name, "its shape is not possible");
    layout strides = {{0}};
    bool contiguous = true;
    uint64_t span = 1; /* elements from the first to the last */
    for (int32_t a = info.rank - 1; a >= 0; a--) {
        if (!int_at(r, steps, (uint32_t)a, &stride)) return bad_tensor(r, name, "its strides are missing");
        strides.step[a] = stride;
        contiguous = contiguous && (info.shape[a] == 1 || (uint64_t)stride == count);
        if (info.shape[a] > INT64_C(1) << 40 || stride > INT64_C(1) << 40 ||
            !sorai_mul_ok(count, (size_t)info.shape[a], &count) || count > UINT64_C(1) << 48 ||
            span > UINT64_C(1) << 48)
            return bad_tensor(r, name, "its shape is not possible");
        if (info.shape[a] > 1 && (uint64_t)stride > (UINT64_C(1) << 48) / (uint64_t)info.shape[a])
            return bad_tensor(r, name, "its strides are not possible");
        if (info.shape[a] > 1) span += (uint64_t)stride * (uint64_t)(info.shape[a] - 1);
    }
    if (count == 0) contiguous = true;
    if (contiguous) span = count;
    if (span < count) /* values that share a place: nothing that a state dict needs, and more than the file holds */
        return sorai_fail(r->err, SORA_E_UNSUPPORTED, "%.250s: tensor \"%.120s\": its values overlap", file_of(r),
                          name);
    char entry[600];
    memcpy(entry, r->folder, strlen(r->folder));
    size_t at = strlen(r->folder);
    memcpy(entry + at, "data/", 5);
    memcpy(entry + at + 5, key->text, key->size);
    entry[at + 5 + key->size] = 0;
    const sorai_tensor_info *found = sorai_table_find(&r->entries, entry);
    if (!found) return bad_tensor(r, name, "its storage is not in the archive");
    const uint64_t size = types[k].bytes, most = found->stored / size;
    if ((uint64_t)offset > most || span > most - (uint64_t)offset)
        return bad_tensor(r, name, "goes past the end of its storage");
    info.name = name;
    memcpy(info.type, types[k].name, sizeof types[k].name);
    info.dtype = types[k].dtype;
    info.encoding = types[k].encoding;
    info.offset = found->offset + (uint64_t)offset * size;
    info.stored = span * size;
    info.size = info.encoding ? count * sorai_dtype_size(info.dtype) : count * size;
    if (!contiguous && info.encoding)
        return sorai_fail(r->err, SORA_E_UNSUPPORTED, "%.250s: tensor \"%.120s\": is not contiguous", file_of(r), name);
    if (!contiguous) SORA_TRY(keep_layout(r, &strides, &info.row));
    return sorai_table_add(&r->p->table, &info, file_of(r), r->err);
}

/* Tensors of a dict, and of dicts in it, under names with dots. Everything else there is passed over. */
static int walk(reader *r, const sorai_pickle_value *dict, char *name, size_t length, int depth) {
    for (uint32_t i = dict->first; i != SORAI_PICKLE_END; i = r->pickle.items[i].next) {
        const sorai_pickle_value *key = &r->pickle.values[r->pickle.items[i].key],
                                 *value = &r->pickle.values[r->pickle.items[i].value];
        if (++r->visits > MAX_VISITS)
            return sorai_fail(r->err, SORA_E_UNSUPPORTED, "%.300s: its dicts hold too much", file_of(r));
        if (value->kind != SORAI_PICKLE_TENSOR && (value->kind != SORAI_PICKLE_DICT || depth == MAX_DEPTH)) continue;
        if (key->kind != SORAI_PICKLE_TEXT) continue;
        if (key->size > 512 - length || !sorai_name_ok(key->text, key->size) || memchr(key->text, 0, key->size))
            return sorai_fail(r->err, SORA_E_FORMAT, "%.300s: a tensor's name is empty, too long or not printable",
                              file_of(r));
        memcpy(name + length, key->text, key->size);
        size_t n = length + key->size;
        name[n] = 0;
        if (value->kind == SORAI_PICKLE_TENSOR) {
            SORA_TRY(add_tensor(r, name, value));
        } else if (n < 512) {
            name[n++] = '.';
            SORA_TRY(walk(r, value, name, n, depth + 1));
        }
    }
    return SORA_OK;
}

/* The archive's folder: that of data.pkl. */
static const sorai_tensor_info *find_pickle(reader *r) {
    static const char end[] = "data.pkl";
    for (size_t i = 0; i < r->entries.count; i++) {
        const char *name = r->entries.items[i].name;
        const size_t n = strlen(name);
        if (n < sizeof end - 1 || strcmp(name + n - (sizeof end - 1), end) != 0) continue;
        if (n > sizeof end - 1 && name[n - sizeof end] != '/') continue;
        memcpy(r->folder, name, n - (sizeof end - 1));
        r->folder[n - (sizeof end - 1)] = 0;
        return &r->entries.items[i];
    }
    return NULL;
}

static int check_order(reader *r) {
    char name[600], order[8] = {0};
    const size_t n = strlen(r->folder);
    memcpy(name, r->folder, n);
    memcpy(name + n, "byteorder", 10);
    const sorai_tensor_info *info = sorai_table_find(&r->entries, name);
    if (!info) return SORA_OK;
    const size_t size = info->stored < sizeof order - 1 ? (size_t)info->stored : sizeof order - 1;
    SORA_TRY(sorai_source_read(r->p->source, info->offset, order, size, r->err));
    return strcmp(order, "little") == 0
               ? SORA_OK
               : sorai_fail(r->err, SORA_E_UNSUPPORTED, "%.300s: its numbers are not little-endian", file_of(r));
}

static int read_all(reader *r) {
    char name[520];
    SORA_TRY(sorai_zip_list(&r->entries, r->p->source, r->err));
    const sorai_tensor_info *info = find_pickle(r);
    if (!info)
        return sorai_fail(r->err, SORA_E_FORMAT, "%.300s: a zip archive without data.pkl: not from torch.save",
                          file_of(r));
    if (info->stored > MAX_PICKLE)
        return sorai_fail(r->err, SORA_E_UNSUPPORTED, "%.300s: its pickle is too large", file_of(r));
    SORA_TRY(check_order(r));
    sorai_bytes bytes;
    SORA_TRY(sorai_source_bytes(r->p->source, info->offset, info->stored, &bytes, r->err));
    int status = sorai_pickle_read(&r->pickle, r->p->mem, bytes.data, bytes.size, file_of(r), r->err);
    if (status == SORA_OK) status = walk(r, &r->pickle.values[r->pickle.root], name, 0, 0);
    sorai_bytes_release(&bytes);
    if (status == SORA_OK && r->p->table.count == 0)
        status = sorai_fail(r->err, SORA_E_FORMAT, "%.300s: a pickle that holds no tensors", file_of(r));
    return status == SORA_OK ? sorai_table_finish(&r->p->table, file_of(r), r->err) : status;
}

bool sorai_pytorch_probe(const sorai_source *source) {
    unsigned char head[4]; /* the older format begins with its magic number as a pickle */
    return sorai_zip_probe(source) || (sorai_source_size(source) >= sizeof head &&
                                       sorai_source_read(source, 0, head, sizeof head, NULL) == SORA_OK &&
                                       memcmp(head, "\x80\2\x8a\12", sizeof head) == 0);
}

int sorai_pytorch_open(sorai_pytorch **out, sorai_mem *mem, sorai_source *source, sora_error *err) {
    *out = NULL;
    if (!sorai_zip_probe(source))
        return sorai_fail(err, SORA_E_UNSUPPORTED,
                          "%.300s: a bare pickle, as PyTorch before 1.6 wrote it; load and save it again with torch, "
                          "or as safetensors",
                          sorai_source_name(source));
    sorai_pytorch *p = sorai_calloc(mem, 1, sizeof *p);
    if (!p) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", sorai_source_name(source));
    p->mem = mem;
    p->source = sorai_source_ref(source);
    sorai_table_init(&p->table, mem);
    reader r = {.p = p, .err = err};
    sorai_table_init(&r.entries, mem);
    const int status = read_all(&r);
    sorai_table_release(&r.entries);
    sorai_pickle_release(&r.pickle);
    if (status != SORA_OK) sorai_pytorch_close(&p);
    *out = p;
    return status;
}

void sorai_pytorch_close(sorai_pytorch **pp) {
    sorai_pytorch *p = *pp;
    *pp = NULL;
    if (!p) return;
    sorai_table_release(&p->table);
    sorai_free(p->mem, p->layouts);
    sorai_source_unref(&p->source);
    sorai_free(p->mem, p);
}

const sorai_table *sorai_pytorch_table(const sorai_pytorch *p) { return &p->table; }

/* The values of a tensor that is not contiguous, in order. */
static int gather(const sorai_pytorch *p, const sorai_tensor_info *info, sora_tensor **out, sora_error *err) {
    const int64_t *step = p->layouts[info->row - 1].step;
    const size_t each = sorai_dtype_size(info->dtype);
    sorai_bytes bytes;
    SORA_TRY(sorai_source_bytes(p->source, info->offset, info->stored, &bytes, err));
    const int status = sorai_tensor_new(out, p->mem, info->dtype, info->rank, info->shape, err);
    int64_t at[SORA_MAX_RANK] = {0}, place = 0;
    const int64_t count = status == SORA_OK ? sorai_tensor_count(*out) : 0;
    for (int64_t i = 0; i < count; i++) {
        memcpy((unsigned char *)(*out)->data + (size_t)i * each, bytes.data + (size_t)place * each, each);
        for (int32_t a = info->rank - 1; a >= 0; a--) { /* the next place, as an odometer turns */
            place += step[a];
            if (++at[a] < info->shape[a]) break;
            place -= step[a] * info->shape[a];
            at[a] = 0;
        }
    }
    sorai_bytes_release(&bytes);
    return status;
}

int sorai_pytorch_load(const sorai_pytorch *p, const sorai_tensor_info *info, sora_tensor **out, sora_error *err) {
    *out = NULL;
    if (!info->dtype)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%.250s: tensor \"%.150s\" is of type %s, which is not supported",
                          sorai_source_name(p->source), info->name, info->type);
    if (info->row) return gather(p, info, out, err);
    if (info->encoding)
        return sorai_source_expand(p->source, info->offset, info->stored, info->encoding, info->rank, info->shape, out,
                                   err);
    return sorai_source_tensor(p->source, info->offset, info->dtype, info->rank, info->shape, out, err);
}
