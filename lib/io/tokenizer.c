#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "lib/io/normalize.h"
#include "lib/io/tokenizer_parts.h"

#define MAX_TEXT   (16u << 20)
#define MAX_NORMAL (4u * MAX_TEXT) /* what replaces may be longer than what it replaces: a text must not explode */

static int no_memory(const sorai_tokenizer *t, sora_error *err) {
    return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory", t->name);
}

static int too_long(const sorai_tokenizer *t, sora_error *err) {
    return sorai_fail(err, SORA_E_LIMIT, "%.300s: the normalised text is too long", t->name);
}

int sorai_tokenizer_add(sorai_tokenizer *t, const char *content, size_t n, const sorai_added *like, sora_error *err) {
    if (t->added_count == t->added_capacity) {
        const size_t capacity = t->added_capacity ? t->added_capacity * 2 : 16;
        sorai_added *grown = sorai_realloc(t->mem, t->added, capacity * sizeof *grown);
        if (!grown) return no_memory(t, err);
        t->added = grown;
        t->added_capacity = capacity;
    }
    char *copy = sorai_alloc(t->mem, n);
    if (!copy) return no_memory(t, err);
    memcpy(copy, content, n);
    t->added[t->added_count] = *like;
    t->added[t->added_count].content = copy;
    t->added[t->added_count++].size = n;
    return SORA_OK;
}

static void release_step(sorai_mem *mem, sorai_step *s) {
    sorai_free(mem, s->pattern.literal);
    sorai_free(mem, s->content);
    sorai_charsmap_release(&s->map);
}

void sorai_tokenizer_close(sorai_tokenizer **tp) {
    sorai_tokenizer *t = *tp;
    *tp = NULL;
    if (!t) return;
    for (size_t i = 0; i < SORAI_TOKENIZER_MAX_STEPS; i++) {
        release_step(t->mem, &t->normal[i]);
        release_step(t->mem, &t->cut[i]);
    }
    for (size_t i = 0; i < t->added_count; i++) sorai_free(t->mem, t->added[i].content);
    sorai_free(t->mem, t->added);
    sorai_unigram_release(&t->unigram);
    sorai_free(t->mem, t->name);
    sorai_free(t->mem, t);
}

/* Longer ones first, so that of several that begin at one place the longest is found. */
static int longer_first(const void *pa, const void *pb) {
    const sorai_added *a = pa, *b = pb;
    if (a->size != b->size) return a->size > b->size ? -1 : 1;
    return memcmp(a->content, b->content, a->size);
}

static int open_bytes(sorai_tokenizer **out, sorai_mem *mem, const char *name, const unsigned char *data, size_t n,
                      sora_error *err) {
    *out = NULL;
    sorai_tokenizer *t = sorai_calloc(mem, 1, sizeof *t);
    if (!t) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", name);
    t->mem = mem;
    sorai_unigram_init(&t->unigram, mem);
    int status = SORA_OK;
    t->name = sorai_strdup(mem, name);
    if (!t->name) status = sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", name);
    size_t first = 0;
    while (first < n && (data[first] == ' ' || data[first] == '\t' || data[first] == '\r' || data[first] == '\n'))
        first++;
    const bool json =
        first < n && data[first] == '{'; /* never in a model: its second byte is a length, its third a tag */
    if (status == SORA_OK)
        status = json ? sorai_tokenizer_read_json(t, data, n, err) : sorai_tokenizer_read_spiece(t, data, n, err);
    if (status == SORA_OK && t->added_count > 1) qsort(t->added, t->added_count, sizeof *t->added, longer_first);
    if (status != SORA_OK) sorai_tokenizer_close(&t);
    *out = t;
    return status;
}

int sorai_tokenizer_open(sorai_tokenizer **out, sorai_mem *mem, sorai_source *source, sora_error *err) {
    *out = NULL;
    sorai_bytes bytes;
    if (sorai_source_size(source) > 200000000u)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: too large for a tokenizer", sorai_source_name(source));
    SORA_TRY(sorai_source_bytes(source, 0, sorai_source_size(source), &bytes, err));
    int status = open_bytes(out, mem, sorai_source_name(source), bytes.data, bytes.size, err);
    sorai_bytes_release(&bytes);
    return status;
}

int sorai_tokenizer_open_package(sorai_tokenizer **out, sorai_mem *mem, sorai_package *pkg, sora_error *err) {
    *out = NULL;
    static const char *const files[] = {"tokenizer/tokenizer.json", "tokenizer/spiece.model"};
    for (size_t i = 0; i < 2; i++) {
        sorai_bytes bytes;
        int status = sorai_package_blob(pkg, files[i], &bytes, NULL);
        if (status == SORA_E_NOTFOUND) continue;
        if (status != SORA_OK) /* once more, for its message */
            return sorai_package_blob(pkg, files[i], &bytes, err);
        char name[512];
        const char *place = sorai_package_blob_place(pkg, files[i]);
        snprintf(name, sizeof name, "%.400s%s%s", place ? place : sorai_package_name(pkg), place ? "" : "/", place ? "" : files[i]);
        status = open_bytes(out, mem, name, bytes.data, bytes.size, err);
        sorai_bytes_release(&bytes);
        return status;
    }
    return sorai_fail(err, SORA_E_NOTFOUND, "%.300s: tokenizer/tokenizer.json or tokenizer/spiece.model is missing",
                      sorai_package_name(pkg));
}

int32_t sorai_tokenizer_size(const sorai_tokenizer *t) {
    int32_t size = (int32_t)t->unigram.count;
    for (size_t i = 0; i < t->added_count; i++)
        if (t->added[i].id >= size) size = t->added[i].id + 1;
    return size;
}

int32_t sorai_tokenizer_find(const sorai_tokenizer *t, const char *piece, size_t n) {
    for (size_t i = 0; i < t->added_count; i++)
        if (t->added[i].size == n && memcmp(t->added[i].content, piece, n) == 0) return t->added[i].id;
    return sorai_unigram_find(&t->unigram, piece, n);
}

const char *sorai_tokenizer_piece(const sorai_tokenizer *t, int32_t id, size_t *n) {
    const char *piece = sorai_unigram_piece(&t->unigram, id, n);
    for (size_t i = 0; !piece && i < t->added_count; i++)
        if (t->added[i].id == id) {
            *n = t->added[i].size;
            return t->added[i].content;
        }
    return piece;
}

/* --- normalisation: text to text */

/* Bytes that the pattern takes at s, 0: none. */
static size_t match(const sorai_pattern *p, const char *s, size_t n) {
    if (p->literal) return p->literal_size <= n && memcmp(s, p->literal, p->literal_size) == 0 ? p->literal_size : 0;
    size_t used = 0;
    uint32_t times = 0;
    while (used < n && times < p->most) {
        uint32_t cp;
        const size_t width = sorai_utf8_decode(s + used, n - used, &cp);
        bool in = p->space && sorai_utf8_is_space(cp);
        for (uint32_t i = 0; i < p->range_count && !in; i++) in = cp >= p->ranges[i][0] && cp <= p->ranges[i][1];
        if (!width || in == p->negated) break;
        used += width;
        times++;
    }
    return times >= p->least ? used : 0;
}

static bool replace(const sorai_step *s, const char *text, size_t n, sorai_buffer *out) {
    bool ok = true;
    for (size_t at = 0; at < n && ok;) {
        size_t used = match(&s->pattern, text + at, n - at);
        if (used)
            ok = sorai_buffer_add(out, s->content, s->content_size);
        else {
            uint32_t cp;
            used = sorai_utf8_decode(text + at, n - at, &cp);
            used = used ? used : 1;
            ok = sorai_buffer_add(out, text + at, used);
        }
        at += used;
    }
    return ok;
}

/* Where the white space at the beginning ends, and where that at the end begins. */
static size_t leading_space(const char *text, size_t n) {
    size_t at = 0;
    while (at < n) {
        uint32_t cp;
        const size_t width = sorai_utf8_decode(text + at, n - at, &cp);
        if (!width || !sorai_utf8_is_space(cp)) break;
        at += width;
    }
    return at;
}

static size_t before_trailing_space(const char *text, size_t n) {
    while (n > 0) {
        size_t at = n - 1;
        while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80) at--;
        uint32_t cp;
        if (sorai_utf8_decode(text + at, n - at, &cp) != n - at || !sorai_utf8_is_space(cp)) break;
        n = at;
    }
    return n;
}

/* Sets *moved when the first character that is left was not the first before. */
static bool normal_step(const sorai_step *s, const char *text, size_t n, sorai_buffer *out, bool *moved) {
    switch (s->kind) {
    case SORAI_STEP_REPLACE:
        if (s->content_size == 0 && n > 0 && match(&s->pattern, text, n)) *moved = true;
        return replace(s, text, n, out);
    case SORAI_STEP_CHARSMAP:
        return sorai_charsmap_apply(&s->map, text, n, out);
    case SORAI_STEP_NFC:
        return sorai_normalize_nfc(text, n, out);
    case SORAI_STEP_STRIP: {
        const size_t from = s->left ? leading_space(text, n) : 0;
        *moved = *moved || from > 0;
        const size_t to = s->right ? before_trailing_space(text + from, n - from) : n - from;
        return sorai_buffer_add(out, text + from, to);
    }
    case SORAI_STEP_PREPEND: /* nothing is put before nothing */
        return n == 0 || (sorai_buffer_add(out, s->content, s->content_size) && sorai_buffer_add(out, text, n));
    default:
        return true;
    }
}

int sorai_tokenizer_normalize(const sorai_tokenizer *t, const char *text, size_t n, sorai_buffer *out, bool *moved,
                              sora_error *err) {
    sorai_buffer a, b;
    *moved = false;
    sorai_buffer_init(&a, t->mem);
    sorai_buffer_init(&b, t->mem);
    a.most = b.most = MAX_NORMAL;
    bool ok = sorai_buffer_add(&a, text, n);
    for (size_t i = 0; i < t->normal_count && ok; i++) {
        b.size = 0;
        ok = normal_step(&t->normal[i], a.data, a.size, &b, moved);
        sorai_buffer_swap(&a, &b);
    }
    ok = ok && sorai_buffer_add(out, a.data, a.size);
    const bool full = a.full || b.full;
    sorai_buffer_release(&a);
    sorai_buffer_release(&b);
    return ok ? SORA_OK : full ? too_long(t, err) : no_memory(t, err);
}

/* --- cutting: text to the runs that the unigram model sees */

static int cut(const sorai_tokenizer *t, size_t step, const char *text, size_t n, bool first, sorai_ids *out,
               sora_error *err);

static int split_space(const sorai_tokenizer *t, size_t step, const char *text, size_t n, bool first, sorai_ids *out,
                       sora_error *err) {
    for (size_t at = 0; at < n;) {
        at += leading_space(text + at, n - at);
        size_t end = at;
        while (end < n && leading_space(text + end, n - end) == 0) {
            uint32_t cp;
            const size_t width = sorai_utf8_decode(text + end, n - end, &cp);
            end += width ? width : 1;
        }
        SORA_TRY(cut(t, step + 1, text + at, end - at, first && at == 0, out, err));
        at = end;
    }
    return SORA_OK;
}

static int metaspace(const sorai_tokenizer *t, size_t step, const char *text, size_t n, bool first, sorai_ids *out,
                     sora_error *err) {
    const sorai_step *s = &t->cut[step];
    const size_t mark = s->content_size;
    sorai_buffer b;
    sorai_buffer_init(&b, t->mem);
    b.most = MAX_NORMAL;
    bool ok = true;
    const bool wanted = s->prepend == SORAI_PREPEND_ALWAYS || (s->prepend == SORAI_PREPEND_FIRST && first);
    if (wanted && n > 0 && text[0] != ' ' && (n < mark || memcmp(text, s->content, mark) != 0))
        ok = sorai_buffer_add(&b, s->content, mark);
    for (size_t i = 0; i < n && ok; i++)
        ok = text[i] == ' ' ? sorai_buffer_add(&b, s->content, mark) : sorai_buffer_add(&b, text + i, 1);
    int status = ok ? SORA_OK : b.full ? too_long(t, err) : no_memory(t, err);
    for (size_t at = 0; at < b.size && status == SORA_OK;) {
        size_t end = b.size;
        if (s->split) /* up to the next mark; one that stands here belongs to this run */
            for (end = at + 1; end < b.size; end++)
                if (end + mark <= b.size && memcmp(b.data + end, s->content, mark) == 0) break;
        status = cut(t, step + 1, b.data + at, end - at, first && at == 0, out, err);
        at = end;
    }
    sorai_buffer_release(&b);
    return status;
}

static int cut(const sorai_tokenizer *t, size_t step, const char *text, size_t n, bool first, sorai_ids *out,
               sora_error *err) {
    if (n == 0) return SORA_OK;
    if (step == t->cut_count) return sorai_unigram_encode(&t->unigram, text, n, out, err);
    if (t->cut[step].kind == SORAI_STEP_SPLIT_SPACE) return split_space(t, step, text, n, first, out, err);
    return metaspace(t, step, text, n, first, out, err);
}

/* --- tokens inside the text */

typedef int segment_fn(const sorai_tokenizer *t, const char *text, size_t n, bool first, sorai_ids *out,
                       sora_error *err);

/* Finds added tokens from left to right, the longest at each place; what lies between goes to `plain`. */
static int around_added(const sorai_tokenizer *t, bool normalized, const char *text, size_t n, bool first,
                        segment_fn *plain, sorai_ids *out, sora_error *err) {
    bool begins[256] = {false};
    for (size_t i = 0; i < t->added_count; i++)
        if (t->added[i].normalized == normalized && t->added[i].size)
            begins[(unsigned char)t->added[i].content[0]] = true;
    size_t done = 0;
    for (size_t at = 0; at < n; at++) {
        if (!begins[(unsigned char)text[at]]) continue;
        const sorai_added *found = NULL;
        for (size_t i = 0; i < t->added_count && !found; i++) {
            const sorai_added *a = &t->added[i];
            if (a->normalized == normalized && a->size && a->size <= n - at &&
                memcmp(text + at, a->content, a->size) == 0)
                found = a;
        }
        if (!found) continue;
        size_t from = at, to = at + found->size;
        if (found->lstrip) {
            from = before_trailing_space(text, at);
            from = from > done ? from : done;
        }
        if (found->rstrip) to += leading_space(text + to, n - to);
        if (from > done) SORA_TRY(plain(t, text + done, from - done, first && done == 0, out, err));
        if (!sorai_ids_add(out, found->id)) return no_memory(t, err);
        done = to;
        at = to - 1;
    }
    return done < n ? plain(t, text + done, n - done, first && done == 0, out, err) : SORA_OK;
}

static int cut_all(const sorai_tokenizer *t, const char *text, size_t n, bool first, sorai_ids *out, sora_error *err) {
    return cut(t, 0, text, n, first, out, err);
}

static int normalize_and_cut(const sorai_tokenizer *t, const char *text, size_t n, bool first, sorai_ids *out,
                             sora_error *err) {
    sorai_buffer b;
    sorai_buffer_init(&b, t->mem);
    bool moved;
    int status = sorai_tokenizer_normalize(t, text, n, &b, &moved, err);
    if (status == SORA_OK) status = around_added(t, true, b.data, b.size, first && !moved, cut_all, out, err);
    sorai_buffer_release(&b);
    return status;
}

static bool add_all(sorai_ids *out, const int32_t *ids, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!sorai_ids_add(out, ids[i])) return false;
    return true;
}

int sorai_tokenizer_encode(const sorai_tokenizer *t, const char *text, size_t n, size_t max_length, sorai_ids *out,
                           sora_error *err) {
    if (n > MAX_TEXT) return sorai_fail(err, SORA_E_LIMIT, "a text of %zu bytes is too long for the tokenizer", n);
    const size_t affixes = t->before_count + t->after_count;
    if (max_length && max_length < affixes)
        return sorai_fail(err, SORA_E_INVALID, "max_length %zu has no room for %zu special tokens", max_length,
                          affixes);
    sorai_buffer b;
    sorai_buffer_init(&b, t->mem);
    bool ok = true;
    for (size_t at = 0; at < n && ok;) {
        uint32_t cp;
        const size_t width = sorai_utf8_decode(text + at, n - at, &cp);
        ok = width ? sorai_buffer_add(&b, text + at, width) : sorai_buffer_add_char(&b, 0xFFFD);
        at += width ? width : 1;
    }
    ok = ok && add_all(out, t->before, t->before_count);
    const size_t begin = out->count;
    int status = ok ? around_added(t, false, b.data, b.size, true, normalize_and_cut, out, err) : no_memory(t, err);
    sorai_buffer_release(&b);
    if (status != SORA_OK) return status;
    if (max_length && out->count - begin > max_length - affixes) out->count = begin + (max_length - affixes);
    return add_all(out, t->after, t->after_count) ? SORA_OK : no_memory(t, err);
}
