#include "lib/io/grapheme.h"

#include "lib/base/utf8.h"

typedef enum kind {
    OTHER,
    CR,
    LF,
    CONTROL,
    EXTEND,
    IN_EXTEND, /* EXTEND that also continues an Indic conjunct */
    LINKER,    /* EXTEND that joins two consonants */
    ZWJ,
    REGIONAL,
    PREPEND,
    SPACING,
    HANGUL_L,
    HANGUL_V,
    HANGUL_T,
    HANGUL_LV,
    HANGUL_LVT,
    PICTOGRAPH,
    CONSONANT
} kind;

static const struct {
    uint32_t first, last;
    kind kind;
} table[] = {
#include "lib/io/grapheme.inc"
};

static kind kind_of(uint32_t cp) {
    if (cp >= 0x20 && cp < 0x7F) return OTHER;
    if (cp >= 0xAC00 && cp <= 0xD7A3) return (cp - 0xAC00) % 28 ? HANGUL_LVT : HANGUL_LV;
    size_t low = 0, high = sizeof table / sizeof *table;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (cp > table[middle].last)
            low = middle + 1;
        else if (cp < table[middle].first)
            high = middle;
        else
            return table[middle].kind;
    }
    return OTHER;
}

static bool extends(kind k) { return k == EXTEND || k == IN_EXTEND || k == LINKER; }
static bool breaks_always(kind k) { return k == CR || k == LF || k == CONTROL; }

static bool hangul_joins(kind a, kind b) {
    if (a == HANGUL_L) return b == HANGUL_L || b == HANGUL_V || b == HANGUL_LV || b == HANGUL_LVT;
    if (a == HANGUL_LV || a == HANGUL_V) return b == HANGUL_V || b == HANGUL_T;
    return (a == HANGUL_LVT || a == HANGUL_T) && b == HANGUL_T;
}

/* What of the cluster so far decides about the next character. */
typedef struct past {
    kind last;
    bool pictograph; /* a pictograph and then only extenders, perhaps a joiner last */
    int conjunct;    /* 1: a consonant and what continues it; 2: a linker is among it */
    size_t flags;    /* regional indicators at the end */
} past;

static void remember(past *p, kind k) {
    p->pictograph = k == PICTOGRAPH || (p->pictograph && (extends(k) || k == ZWJ));
    if (k == CONSONANT)
        p->conjunct = 1;
    else if (p->conjunct && k == LINKER)
        p->conjunct = 2;
    else if (k != IN_EXTEND && k != ZWJ)
        p->conjunct = 0;
    p->flags = k == REGIONAL ? p->flags + 1 : 0;
    p->last = k;
}

static bool joins(const past *p, kind next) {
    if (p->last == CR) return next == LF;
    if (breaks_always(p->last) || breaks_always(next)) return false;
    if (hangul_joins(p->last, next) || extends(next) || next == ZWJ || next == SPACING || p->last == PREPEND)
        return true;
    if (next == CONSONANT && p->conjunct == 2) return true;
    if (next == PICTOGRAPH && p->last == ZWJ && p->pictograph) return true;
    return next == REGIONAL && p->flags % 2 == 1;
}

size_t sorai_grapheme_next(const char *s, size_t n) {
    uint32_t cp;
    size_t used = sorai_utf8_decode(s, n, &cp);
    if (!used) return 1;
    past p = {OTHER, false, 0, 0};
    remember(&p, kind_of(cp));
    while (used < n) {
        const size_t width = sorai_utf8_decode(s + used, n - used, &cp);
        if (!width) break;
        const kind next = kind_of(cp);
        if (!joins(&p, next)) break;
        remember(&p, next);
        used += width;
    }
    return used;
}
