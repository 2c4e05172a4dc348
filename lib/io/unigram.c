#include "lib/io/unigram.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"

#define UNKNOWN_PENALTY 10.0

void sorai_ids_init(sorai_ids *list, sorai_mem *mem) { *list = (sorai_ids){.mem = mem}; }

void sorai_ids_release(sorai_ids *list) {
    sorai_free(list->mem, list->ids);
    sorai_ids_init(list, list->mem);
}

bool sorai_ids_add(sorai_ids *list, int32_t id) {
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? list->capacity * 2 : 64;
        int32_t *grown = sorai_realloc(list->mem, list->ids, capacity * sizeof *grown);
        if (!grown) return false;
        list->ids = grown;
        list->capacity = capacity;
    }
    list->ids[list->count++] = id;
    return true;
}

void sorai_unigram_init(sorai_unigram *u, sorai_mem *mem) {
    memset(u, 0, sizeof *u);
    u->mem = mem;
    sorai_buffer_init(&u->text, mem);
    u->least = DBL_MAX;
}

void sorai_unigram_release(sorai_unigram *u) {
    sorai_buffer_release(&u->text);
    sorai_free(u->mem, u->begin);
    sorai_free(u->mem, u->score);
    sorai_free(u->mem, u->order);
    sorai_unigram_init(u, u->mem);
}

static bool grow(sorai_unigram *u) {
    const uint32_t capacity = u->capacity ? u->capacity * 2 : 1024;
    uint32_t *begin = sorai_realloc(u->mem, u->begin, (capacity + 1) * sizeof *begin);
    if (!begin) return false;
    u->begin = begin;
    double *score = sorai_realloc(u->mem, u->score, capacity * sizeof *score);
    if (!score) return false;
    u->score = score;
    u->capacity = capacity;
    return true;
}

int sorai_unigram_add(sorai_unigram *u, const char *piece, size_t n, double score, const char *file, sora_error *err) {
    if (u->count >= SORAI_UNIGRAM_MAX_PIECES)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: more than %u pieces", file, SORAI_UNIGRAM_MAX_PIECES);
    if (n > SORAI_UNIGRAM_MAX_PIECE || !sorai_utf8_valid(piece, n))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: piece %u is too long or not UTF-8", file, u->count);
    if (!isfinite(score))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: piece %u: its score is not a number", file, u->count);
    if ((u->count == u->capacity && !grow(u)) || u->text.size > UINT32_MAX - n || !sorai_buffer_add(&u->text, piece, n))
        return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory for the pieces", file);
    u->begin[u->count] = (uint32_t)(u->text.size - n);
    u->score[u->count++] = score;
    u->begin[u->count] = (uint32_t)u->text.size;
    if (score < u->least) u->least = score;
    if (n > u->longest) u->longest = (uint32_t)n;
    return SORA_OK;
}

typedef struct sort_entry {
    const char *piece;
    uint32_t length, id;
} sort_entry;

static int compare(const void *pa, const void *pb) {
    const sort_entry *a = pa, *b = pb;
    const uint32_t n = a->length < b->length ? a->length : b->length;
    const int order = n ? memcmp(a->piece, b->piece, n) : 0;
    if (order) return order;
    if (a->length != b->length) return a->length < b->length ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

int sorai_unigram_finish(sorai_unigram *u, int64_t unknown, const char *file, sora_error *err) {
    if (unknown < 0 || unknown >= (int64_t)u->count)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: the unknown piece's id %lld is not one of %u pieces", file,
                          (long long)unknown, u->count);
    u->unknown = (int32_t)unknown;
    sort_entry *list = sorai_alloc(u->mem, u->count * sizeof *list);
    u->order = sorai_alloc(u->mem, u->count * sizeof *u->order);
    if (!list || !u->order) {
        sorai_free(u->mem, list);
        return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory for the pieces", file);
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < u->count; i++)
        if (u->begin[i + 1] > u->begin[i])
            list[n++] = (sort_entry){u->text.data + u->begin[i], u->begin[i + 1] - u->begin[i], i};
    if (n > 1) qsort(list, n, sizeof *list, compare);
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0 && list[i].length == list[i - 1].length &&
            memcmp(list[i].piece, list[i - 1].piece, list[i].length) == 0)
            u->sorted--; /* the later id wins */
        u->order[u->sorted++] = list[i].id;
    }
    sorai_free(u->mem, list);
    return SORA_OK;
}

const char *sorai_unigram_piece(const sorai_unigram *u, int32_t id, size_t *n) {
    if (id < 0 || (uint32_t)id >= u->count) return NULL;
    *n = u->begin[id + 1] - u->begin[id];
    return u->text.data ? u->text.data + u->begin[id] : "";
}

/* Among the sorted pieces low..high-1, which all begin with the same `depth` bytes, those whose next byte is c. */
static void narrow(const sorai_unigram *u, uint32_t depth, unsigned char c, uint32_t *low, uint32_t *high) {
    uint32_t a = *low, b = *high;
    while (a < b) { /* the first that is >= c there; a piece that ends counts as less */
        const uint32_t m = a + (b - a) / 2, id = u->order[m];
        const uint32_t length = u->begin[id + 1] - u->begin[id];
        if (length > depth && (unsigned char)u->text.data[u->begin[id] + depth] >= c)
            b = m;
        else
            a = m + 1;
    }
    const uint32_t first = a;
    b = *high;
    while (a < b) { /* the first that is > c */
        const uint32_t m = a + (b - a) / 2, id = u->order[m];
        if ((unsigned char)u->text.data[u->begin[id] + depth] > c)
            b = m;
        else
            a = m + 1;
    }
    *low = first;
    *high = a;
}

/* The piece that is exactly the common prefix of `depth` bytes: the first of the range, if it ends there. */
static int32_t exact(const sorai_unigram *u, uint32_t depth, uint32_t low, uint32_t high) {
    if (low == high) return -1;
    const uint32_t id = u->order[low];
    return u->begin[id + 1] - u->begin[id] == depth ? (int32_t)id : -1;
}

int32_t sorai_unigram_find(const sorai_unigram *u, const char *piece, size_t n) {
    uint32_t low = 0, high = u->sorted;
    if (n == 0 || n > u->longest) return -1;
    for (uint32_t i = 0; i < n && low < high; i++) narrow(u, i, (unsigned char)piece[i], &low, &high);
    return exact(u, (uint32_t)n, low, high);
}

typedef struct node { /* the best way to reach a place in the text */
    double score;
    uint32_t from;
    int32_t id; /* -1: not reached */
} node;

static void offer(node *to, double score, size_t from, int32_t id) {
    if (to->id < 0 || score > to->score) *to = (node){score, (uint32_t)from, id};
}

static void search(const sorai_unigram *u, const char *text, size_t n, node *nodes) {
    const double unknown_score = u->least - UNKNOWN_PENALTY;
    for (size_t i = 0; i <= n; i++) nodes[i] = (node){0, 0, -1};
    for (size_t at = 0; at < n;) {
        uint32_t cp, low = 0, high = u->sorted;
        size_t width = sorai_utf8_decode(text + at, n - at, &cp);
        bool single = false;
        if (!width) width = 1;
        for (uint32_t length = 1; length <= n - at && length <= u->longest; length++) {
            narrow(u, length - 1, (unsigned char)text[at + length - 1], &low, &high);
            if (low == high) break;
            const int32_t id = exact(u, length, low, high);
            if (id < 0) continue;
            offer(&nodes[at + length], u->score[id] + nodes[at].score, at, id);
            if (length == width) single = true;
        }
        if (!single) offer(&nodes[at + width], unknown_score + nodes[at].score, at, u->unknown);
        at += width;
    }
}

/* A run of unknown characters: the piece that they make by chance, their bytes, or the unknown id. */
static bool add_unknown(const sorai_unigram *u, const char *text, size_t n, sorai_ids *out) {
    static const char digits[] = "0123456789ABCDEF";
    const int32_t whole = sorai_unigram_find(u, text, n);
    if (whole >= 0) return sorai_ids_add(out, whole);
    const size_t before = out->count;
    bool bytes = u->byte_fallback;
    for (size_t i = 0; i < n && bytes; i++) {
        const unsigned char c = (unsigned char)text[i];
        const char name[6] = {'<', '0', 'x', digits[c >> 4], digits[c & 15], '>'};
        const int32_t id = sorai_unigram_find(u, name, 6);
        bytes = id >= 0;
        if (bytes && !sorai_ids_add(out, id)) return false;
    }
    if (bytes) return true;
    out->count = before;
    return sorai_ids_add(out, u->unknown);
}

int sorai_unigram_encode(const sorai_unigram *u, const char *text, size_t n, sorai_ids *out, sora_error *err) {
    if (n == 0) return SORA_OK;
    size_t bytes;
    if (n >= UINT32_MAX || !sorai_mul_ok(n + 1, sizeof(node), &bytes))
        return sorai_fail(err, SORA_E_LIMIT, "a text of %zu bytes is too long for the tokenizer", n);
    node *nodes = sorai_alloc(u->mem, bytes);
    if (!nodes) return sorai_fail(err, SORA_E_NOMEM, "no memory to tokenize %zu bytes", n);
    search(u, text, n, nodes);
    /* backwards along the best way, turning the links round: from[] of a node becomes its follower */
    for (size_t at = n, next = n; at > 0;) {
        const size_t from = nodes[at].from;
        nodes[at].from = (uint32_t)next;
        next = at;
        at = from;
        if (at == 0) nodes[0].from = (uint32_t)next;
    }
    bool ok = true;
    for (size_t at = 0; at < n && ok;) {
        size_t end = nodes[at].from;
        if (nodes[end].id != u->unknown)
            ok = sorai_ids_add(out, nodes[end].id);
        else {
            while (end < n && nodes[nodes[end].from].id == u->unknown) end = nodes[end].from;
            ok = add_unknown(u, text + at, end - at, out);
        }
        at = end;
    }
    sorai_free(u->mem, nodes);
    return ok ? SORA_OK : sorai_fail(err, SORA_E_NOMEM, "no memory for the ids of a text");
}
