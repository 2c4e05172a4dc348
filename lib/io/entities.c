#include "lib/io/entities.h"

#include <string.h>

#include "lib/base/utf8.h"

#define BARE    1 /* valid without a semicolon */
#define FULL    2
#define CAPS    4
#define LONGEST 31

static const struct {
    char name[LONGEST + 1], text[8];
    unsigned char flags;
} entities[] = {
#include "lib/io/entities.inc"
};

/* What a name stands for if it may be written so; NULL: none. */
static const char *named(const char *name, size_t n, unsigned flags) {
    size_t low = 0, high = sizeof entities / sizeof *entities;
    if (n > LONGEST) return NULL;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        int order = strncmp(name, entities[middle].name, n);
        if (order == 0 && entities[middle].name[n] != 0) order = -1;
        if (order == 0) return entities[middle].flags & flags ? entities[middle].text : NULL;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static int digit(char c, bool hex) {
    if (c >= '0' && c <= '9') return c - '0';
    if (hex && c >= 'a' && c <= 'f') return c - 'a' + 10;
    return hex && c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* "#123;" or "#x7B" at s: bytes used (0: no number), *cp saturates. */
static size_t number(const char *s, size_t n, uint32_t *cp) {
    if (n < 2 || s[0] != '#') return 0;
    const bool hex = s[1] == 'x' || s[1] == 'X';
    size_t i = hex ? 2 : 1;
    const size_t first = i;
    *cp = 0;
    for (; i < n && digit(s[i], hex) >= 0; i++)
        if (*cp <= 0x10FFFF) *cp = *cp * (hex ? 16u : 10u) + (uint32_t)digit(s[i], hex);
    if (i == first) return 0;
    return i < n && s[i] == ';' ? i + 1 : i;
}

/* What a number means: numbers of Windows-1252 are taken as such, what is no character gives nothing. */
static bool add_number(sorai_buffer *out, uint32_t cp) {
    static const uint16_t windows[32] = {0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                         0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,   0x017D, 0x8F,
                                         0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                         0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};
    if (cp >= 0x80 && cp <= 0x9F) return sorai_buffer_add_char(out, windows[cp - 0x80]);
    if (cp == 0 || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF)) return sorai_buffer_add_char(out, 0xFFFD);
    if (cp <= 8 || cp == 0x0B || (cp >= 0x0E && cp <= 0x1F) || cp == 0x7F || (cp >= 0xFDD0 && cp <= 0xFDEF) ||
        (cp & 0xFFFE) == 0xFFFE)
        return true;
    return sorai_buffer_add_char(out, cp);
}

/* The run of up to 32 characters that may be a name, in bytes. */
static size_t name_length(const char *s, size_t n) {
    size_t i = 0;
    for (int count = 0; i < n && count < 32; count++) {
        if (strchr("\t\n\f <&#;", s[i]) && s[i]) break;
        uint32_t cp;
        const size_t width = sorai_utf8_decode(s + i, n - i, &cp);
        i += width ? width : 1;
    }
    return i;
}

bool sorai_entities_decode(const char *text, size_t n, sorai_buffer *out) {
    bool ok = true;
    for (size_t at = 0; at < n && ok;) {
        if (text[at] != '&') {
            ok = sorai_buffer_add(out, text + at++, 1);
            continue;
        }
        const char *s = text + at + 1;
        const size_t left = n - at - 1;
        uint32_t cp;
        size_t used = number(s, left, &cp);
        if (used) {
            ok = add_number(out, cp);
            at += 1 + used;
            continue;
        }
        size_t length = name_length(s, left);
        const bool semicolon = length > 0 && length < left && s[length] == ';';
        const char *to = semicolon ? named(s, length, FULL) : NULL;
        used = to ? length + 1 : 0;
        for (; !to && length >= 2; length--) { /* the longest name that it begins with */
            to = named(s, length, BARE);
            used = length;
        }
        if (to)
            ok = sorai_buffer_add(out, to, strlen(to));
        else
            ok = sorai_buffer_add(out, "&", 1);
        at += 1 + (to ? used : 0);
    }
    return ok;
}

static bool letter_or_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool sorai_entities_decode_plain(const char *text, size_t n, sorai_buffer *out) {
    bool ok = true;
    for (size_t at = 0; at < n && ok;) {
        size_t used = 0;
        if (text[at] == '&') {
            const char *s = text + at + 1;
            const size_t left = n - at - 1, from = left > 0 && s[0] == '#';
            size_t end = from;
            while (end < left && end - from < 24 && letter_or_digit(s[end])) end++;
            if (end > from && end < left && s[end] == ';') {
                uint32_t cp;
                const char *to = from ? NULL : named(s, end, FULL | CAPS);
                if (to) {
                    ok = sorai_buffer_add(out, to, strlen(to));
                    used = end + 2;
                } else if (from && number(s, left, &cp) == end + 1 && cp != ';') {
                    ok = add_number(out, cp);
                    used = end + 2;
                }
            }
        }
        if (!used) {
            ok = sorai_buffer_add(out, text + at, 1);
            used = 1;
        }
        at += used;
    }
    return ok;
}
