#include "lib/io/clean_text.h"

#include <string.h>

#include "lib/base/utf8.h"
#include "lib/io/entities.h"
#include "lib/io/normalize.h"

#define MAX_ROUNDS 1000 /* "&amp;amp;amp;..." loses one level a round */

/* Bytes 80..9F of Windows-1252; those it has not stay. */
static const uint16_t windows[32] = {0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                     0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,   0x017D, 0x8F,
                                     0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                     0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};

static const struct {
    uint16_t from, to[3];
} ligatures[] = {{0x132, {'I', 'J'}},    {0x133, {'i', 'j'}},   {0x149, {0x2BC, 'n'}},     {0x1C4, {'D', 0x17D}},
                 {0x1C5, {'D', 0x17E}},  {0x1C6, {'d', 0x17E}}, {0x1C7, {'L', 'J'}},       {0x1C8, {'L', 'j'}},
                 {0x1C9, {'l', 'j'}},    {0x1CA, {'N', 'J'}},   {0x1CB, {'N', 'j'}},       {0x1CC, {'n', 'j'}},
                 {0x1F1, {'D', 'Z'}},    {0x1F2, {'D', 'z'}},   {0x1F3, {'d', 'z'}},       {0xFB00, {'f', 'f'}},
                 {0xFB01, {'f', 'i'}},   {0xFB02, {'f', 'l'}},  {0xFB03, {'f', 'f', 'i'}}, {0xFB04, {'f', 'f', 'l'}},
                 {0xFB05, {0x17F, 't'}}, {0xFB06, {'s', 't'}}};

/* The last repairs of a single character: quotes and line breaks. */
static bool put_simple(sorai_buffer *out, uint32_t cp) {
    if (cp == 0x2BC || (cp >= 0x2018 && cp <= 0x201B))
        cp = '\'';
    else if (cp >= 0x201C && cp <= 0x201F)
        cp = '"';
    else if (cp == '\r' || cp == 0x2028 || cp == 0x2029 || cp == 0x85)
        cp = '\n';
    return sorai_buffer_add_char(out, cp);
}

static bool put_width(sorai_buffer *out, uint32_t cp) {
    uint32_t wide[2];
    if (cp == 0x3000) return put_simple(out, ' ');
    const int count = sorai_normalize_width(cp, wide);
    if (count == 0) return put_simple(out, cp);
    return put_simple(out, wide[0]) && (count == 1 || put_simple(out, wide[1]));
}

static bool put_repaired(sorai_buffer *out, uint32_t cp) {
    if (cp >= 0x80 && cp <= 0x9F) cp = windows[cp - 0x80];
    for (size_t i = 0; i < sizeof ligatures / sizeof *ligatures; i++)
        if (cp == ligatures[i].from) {
            for (int k = 0; k < 3 && ligatures[i].to[k]; k++)
                if (!put_width(out, ligatures[i].to[k])) return false;
            return true;
        }
    return put_width(out, cp);
}

static bool repair_characters(const char *text, size_t n, sorai_buffer *out) {
    for (size_t at = 0; at < n;) {
        uint32_t cp;
        const size_t width = sorai_utf8_decode(text + at, n - at, &cp);
        at += width ? width : 1;
        if (cp == '\r' && at < n && text[at] == '\n') continue; /* the line feed stands for both */
        if (!(cp < 0x80 && cp != '\r' ? sorai_buffer_add(out, text + at - 1, 1) : put_repaired(out, cp))) return false;
    }
    return true;
}

/* ESC [ digits and semicolons, letter: its bytes; 0: none. */
static size_t escape_length(const char *s, size_t n) {
    if (n < 3 || s[0] != 0x1B || s[1] != '[') return 0;
    size_t i = 2;
    while (i < n && ((s[i] >= '0' && s[i] <= '9') || s[i] == ';')) i++;
    return i < n && ((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z')) ? i + 1 : 0;
}

static bool unwanted(uint32_t cp) {
    return cp <= 8 || cp == 0x0B || (cp >= 0x0E && cp <= 0x1F) || cp == 0x7F || (cp >= 0x206A && cp <= 0x206F) ||
           cp == 0xFEFF || (cp >= 0xFFF9 && cp <= 0xFFFC);
}

static bool remove_controls(const char *text, size_t n, sorai_buffer *out) {
    for (size_t at = 0; at < n;) {
        uint32_t cp;
        size_t width = escape_length(text + at, n - at);
        if (!width) {
            width = sorai_utf8_decode(text + at, n - at, &cp);
            width = width ? width : 1;
            if (!unwanted(cp) && !sorai_buffer_add(out, text + at, width)) return false;
        }
        at += width;
    }
    return true;
}

typedef struct work {
    sorai_buffer now, next, before;
} work;

static bool apply(work *w, bool (*step)(const char *, size_t, sorai_buffer *)) {
    w->next.size = 0;
    if (!step(w->now.data, w->now.size, &w->next)) return false;
    sorai_buffer_swap(&w->now, &w->next);
    return true;
}

/* One line, in w->now. */
static bool repair_line(work *w, bool references) {
    for (int round = 0; round < MAX_ROUNDS; round++) {
        w->before.size = 0;
        if (!sorai_buffer_add(&w->before, w->now.data, w->now.size) ||
            (references && !apply(w, sorai_entities_decode_plain)) || !apply(w, repair_characters) ||
            !apply(w, remove_controls) || !apply(w, sorai_normalize_nfc))
            return false;
        if (w->now.size == w->before.size &&
            (w->now.size == 0 || memcmp(w->now.data, w->before.data, w->now.size) == 0))
            break;
    }
    return true;
}

static bool repair(const char *text, size_t n, work *w, sorai_buffer *out) {
    bool references = true;
    for (size_t at = 0; at < n;) {
        const char *feed = memchr(text + at, '\n', n - at);
        const size_t end = feed ? (size_t)(feed - text) + 1 : n;
        if (memchr(text + at, '<', end - at)) references = false;
        w->now.size = 0;
        if (!sorai_buffer_add(&w->now, text + at, end - at) || !repair_line(w, references) ||
            !sorai_buffer_add(out, w->now.data, w->now.size))
            return false;
        at = end;
    }
    return true;
}

static bool squeeze(const char *text, size_t n, sorai_buffer *out) {
    const size_t begin = out->size;
    bool pending = false;
    for (size_t at = 0; at < n;) {
        uint32_t cp;
        size_t width = sorai_utf8_decode(text + at, n - at, &cp);
        width = width ? width : 1;
        if (sorai_utf8_is_space(cp))
            pending = out->size > begin;
        else {
            if ((pending && !sorai_buffer_add(out, " ", 1)) || !sorai_buffer_add(out, text + at, width)) return false;
            pending = false;
        }
        at += width;
    }
    return true;
}

static bool clean(const char *text, size_t n, work *w, sorai_buffer *valid, sorai_buffer *out) {
    for (size_t at = 0; at < n;) {
        uint32_t cp;
        const size_t width = sorai_utf8_decode(text + at, n - at, &cp);
        if (!(width ? sorai_buffer_add(valid, text + at, width) : sorai_buffer_add_char(valid, 0xFFFD))) return false;
        at += width ? width : 1;
    }
    sorai_buffer fixed;
    sorai_buffer_init(&fixed, valid->mem);
    bool ok = repair(valid->data, valid->size, w, &fixed);
    sorai_buffer_swap(&w->now, &fixed);
    sorai_buffer_release(&fixed);
    ok = ok && apply(w, sorai_entities_decode) && apply(w, sorai_entities_decode);
    return ok && squeeze(w->now.data, w->now.size, out);
}

int sorai_clean_text(const char *text, size_t n, sorai_buffer *out, sora_error *err) {
    if (n > SORAI_CLEAN_TEXT_MAX)
        return sorai_fail(err, SORA_E_LIMIT, "the text has %zu bytes, at most %u are read", n, SORAI_CLEAN_TEXT_MAX);
    work w;
    sorai_buffer valid;
    sorai_buffer_init(&w.now, out->mem);
    sorai_buffer_init(&w.next, out->mem);
    sorai_buffer_init(&w.before, out->mem);
    sorai_buffer_init(&valid, out->mem);
    const bool ok = clean(text, n, &w, &valid, out);
    sorai_buffer_release(&w.now);
    sorai_buffer_release(&w.next);
    sorai_buffer_release(&w.before);
    sorai_buffer_release(&valid);
    return ok ? SORA_OK : sorai_fail(err, SORA_E_NOMEM, "no memory to clean a text of %zu bytes", n);
}
