#include "lib/io/normalize.h"

#include <string.h>

#include "lib/base/utf8.h"

#include "lib/io/normalize.inc"

#define COUNT(table) (sizeof(table) / sizeof *(table))

enum { S_BASE = 0xAC00, L_BASE = 0x1100, V_BASE = 0x1161, T_BASE = 0x11A7, L_COUNT = 19, V_COUNT = 21, T_COUNT = 28 };
#define S_COUNT (L_COUNT * V_COUNT * T_COUNT)

static uint32_t class_of(uint32_t cp) {
    size_t low = 0, high = COUNT(combining);
    if (cp < combining[0][0]) return 0;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (cp > combining[middle][1])
            low = middle + 1;
        else if (cp < combining[middle][0])
            high = middle;
        else
            return combining[middle][2];
    }
    return 0;
}

static const uint32_t *decomposition_of(uint32_t cp) {
    size_t low = 0, high = COUNT(decompositions);
    if (cp < decompositions[0][0]) return NULL;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (cp > decompositions[middle][0])
            low = middle + 1;
        else if (cp < decompositions[middle][0])
            high = middle;
        else
            return decompositions[middle];
    }
    return NULL;
}

static uint32_t compose(uint32_t a, uint32_t b) { /* 0: they don't */
    if (a >= L_BASE && a < L_BASE + L_COUNT && b >= V_BASE && b < V_BASE + V_COUNT)
        return S_BASE + ((a - L_BASE) * V_COUNT + (b - V_BASE)) * T_COUNT;
    if (a >= S_BASE && a < S_BASE + S_COUNT && (a - S_BASE) % T_COUNT == 0 && b > T_BASE && b < T_BASE + T_COUNT)
        return a + (b - T_BASE);
    size_t low = 0, high = COUNT(compositions);
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const uint32_t *row = decompositions[compositions[middle]];
        if (row[1] < a || (row[1] == a && row[2] < b))
            low = middle + 1;
        else if (row[1] > a || row[2] > b)
            high = middle;
        else
            return row[0];
    }
    return 0;
}

/* Code points in the making. */
typedef struct waiting {
    sorai_buffer list; /* of uint32_t */
    size_t count;
} waiting;

static bool put(waiting *w, uint32_t cp) {
    w->count++;
    return sorai_buffer_add(&w->list, &cp, sizeof cp);
}

static bool put_decomposed(waiting *w, uint32_t cp) {
    if (cp >= S_BASE && cp < S_BASE + S_COUNT) {
        const uint32_t s = cp - S_BASE;
        return put(w, L_BASE + s / (V_COUNT * T_COUNT)) && put(w, V_BASE + s % (V_COUNT * T_COUNT) / T_COUNT) &&
               (s % T_COUNT == 0 || put(w, T_BASE + s % T_COUNT));
    }
    const uint32_t *row = decomposition_of(cp);
    if (!row) return put(w, cp);
    return put_decomposed(w, row[1]) && (!row[2] || put_decomposed(w, row[2]));
}

/* Canonical order of a run of combining characters: by class, else as they stand. Linear for long runs, which only an
 * enemy writes. */
static bool order_run(uint32_t *run, size_t n, sorai_mem *mem) {
    if (n <= 32) {
        for (size_t i = 1; i < n; i++) {
            const uint32_t cp = run[i], class = class_of(cp);
            size_t at = i;
            for (; at > 0 && class_of(run[at - 1]) > class; at--) run[at] = run[at - 1];
            run[at] = cp;
        }
        return true;
    }
    size_t begin[257] = {0}, bytes;
    uint32_t *sorted = sorai_mul_ok(n, sizeof *sorted, &bytes) ? sorai_alloc(mem, bytes) : NULL;
    if (!sorted) return false;
    for (size_t i = 0; i < n; i++) begin[class_of(run[i]) + 1]++;
    for (size_t k = 1; k < 257; k++) begin[k] += begin[k - 1];
    for (size_t i = 0; i < n; i++) sorted[begin[class_of(run[i])]++] = run[i];
    memcpy(run, sorted, bytes);
    sorai_free(mem, sorted);
    return true;
}

static bool order_all(uint32_t *list, size_t count, sorai_mem *mem) {
    for (size_t at = 0; at < count;) {
        size_t end = at;
        while (end < count && class_of(list[end]) != 0) end++;
        if (end > at + 1 && !order_run(list + at, end - at, mem)) return false;
        at = end > at ? end : at + 1;
    }
    return true;
}

/* Composes in place, returns how many are left. */
static size_t compose_all(uint32_t *list, size_t count) {
    size_t kept = 0, starter = SIZE_MAX;
    uint32_t last_class = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t cp = list[i], class = class_of(cp);
        if (starter != SIZE_MAX && (kept == starter + 1 || (last_class != 0 && last_class < class))) {
            const uint32_t both = compose(list[starter], cp);
            if (both) {
                list[starter] = both;
                continue;
            }
        }
        if (class == 0) starter = kept;
        last_class = class;
        list[kept++] = cp;
    }
    return kept;
}

bool sorai_normalize_nfc(const char *text, size_t n, sorai_buffer *out) {
    bool plain = true; /* nothing below U+0300 changes */
    for (size_t i = 0; i < n && plain; i++) plain = (unsigned char)text[i] < 0xCC;
    if (plain && sorai_utf8_valid(text, n)) return sorai_buffer_add(out, text, n);
    waiting w = {.count = 0};
    sorai_buffer_init(&w.list, out->mem);
    bool ok = true;
    for (size_t at = 0; at < n && ok;) {
        uint32_t cp;
        const size_t width = sorai_utf8_decode(text + at, n - at, &cp);
        ok = put_decomposed(&w, cp);
        at += width ? width : 1;
    }
    uint32_t *list = (uint32_t *)(void *)w.list.data;
    ok = ok && order_all(list, w.count, out->mem);
    const size_t count = ok ? compose_all(list, w.count) : 0;
    for (size_t i = 0; i < count && ok; i++) ok = sorai_buffer_add_char(out, list[i]);
    sorai_buffer_release(&w.list);
    return ok;
}

int sorai_normalize_width(uint32_t cp, uint32_t out[2]) {
    if (cp < 0xFF01 || cp > 0xFFEF || !widths[cp - 0xFF01][0]) return 0;
    out[0] = widths[cp - 0xFF01][0];
    out[1] = widths[cp - 0xFF01][1];
    return out[1] ? 2 : 1;
}
