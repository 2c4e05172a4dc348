/* spiece.model: a protocol buffer of sentencepiece. Only what a unigram tokenizer needs is read; the fields are
 *   model: 1 piece {1 text, 2 score (f32), 3 type}, 2 trainer {3 model type, 35 byte fallback, 42 end id}, 3 normaliser
 *   {2 character map, 3 dummy prefix}. */
#include <string.h>

#include "lib/io/tokenizer_parts.h"

typedef struct span {
    const unsigned char *p, *end;
} span;

typedef struct field {
    uint32_t number, wire; /* wire: 0 varint, 1 eight bytes, 2 bytes, 5 four bytes */
    uint64_t value;        /* of 0, 1 and 5 */
    span bytes;            /* of 2 */
} field;

static bool varint(span *s, uint64_t *out) {
    *out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (s->p == s->end) return false;
        const unsigned char c = *s->p++;
        *out |= (uint64_t)(c & 0x7F) << shift;
        if (!(c & 0x80)) return true;
    }
    return false;
}

static bool fixed(span *s, int n, uint64_t *out) {
    if (s->end - s->p < n) return false;
    *out = 0;
    for (int i = n - 1; i >= 0; i--) *out = *out << 8 | s->p[i];
    s->p += n;
    return true;
}

/* The next field; false at the end and (then s->p is not the end) on damage. */
static bool next(span *s, field *f) {
    span at = *s;
    uint64_t tag, length;
    if (at.p == at.end || !varint(&at, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) return false;
    memset(f, 0, sizeof *f);
    f->number = (uint32_t)(tag >> 3);
    f->wire = (uint32_t)(tag & 7);
    bool ok;
    switch (f->wire) {
    case 0:
        ok = varint(&at, &f->value);
        break;
    case 1:
        ok = fixed(&at, 8, &f->value);
        break;
    case 2:
        ok = varint(&at, &length) && length <= (uint64_t)(at.end - at.p);
        if (ok) {
            f->bytes = (span){at.p, at.p + length};
            at.p += length;
        }
        break;
    case 5:
        ok = fixed(&at, 4, &f->value);
        break;
    default:
        ok = false;
        break;
    }
    if (ok) *s = at;
    return ok;
}

static int damaged(const sorai_tokenizer *t, const char *where, sora_error *err) {
    return sorai_fail(err, SORA_E_FORMAT, "%.300s: %s: not a sentencepiece model, or damaged", t->name, where);
}

typedef struct model {
    int64_t unknown, end, trainer_unknown;
    uint64_t type;
    bool byte_fallback, dummy_prefix;
    span map;
} model;

static int read_piece(sorai_tokenizer *t, span s, model *m, sora_error *err) {
    field f;
    span text = {NULL, NULL};
    float score = 0;
    uint64_t type = 1;
    while (next(&s, &f)) {
        if (f.number == 1 && f.wire == 2)
            text = f.bytes;
        else if (f.number == 2 && f.wire == 5) {
            const uint32_t bits = (uint32_t)f.value;
            memcpy(&score, &bits, sizeof score);
        } else if (f.number == 3 && f.wire == 0)
            type = f.value;
    }
    if (s.p != s.end) return damaged(t, "a piece", err);
    const size_t n = text.p ? (size_t)(text.end - text.p) : 0;
    const char *piece = text.p ? (const char *)text.p : "";
    const int32_t id = (int32_t)t->unigram.count;
    SORA_TRY(sorai_unigram_add(&t->unigram, piece, n, (double)score, t->name, err));
    if (type == 2) m->unknown = id;
    /* unknown, control and user-defined pieces are found in the text before anything else */
    if ((type == 2 || type == 3 || type == 4) && n) {
        const sorai_added like = {.id = id};
        if (t->added_count >= 100000) return sorai_fail(err, SORA_E_FORMAT, "%.300s: too many control pieces", t->name);
        SORA_TRY(sorai_tokenizer_add(t, piece, n, &like, err));
    }
    return SORA_OK;
}

static int read_trainer(sorai_tokenizer *t, span s, model *m, sora_error *err) {
    field f;
    while (next(&s, &f)) {
        if (f.wire != 0) continue;
        switch (f.number) {
        case 3:
            m->type = f.value;
            break;
        case 35:
            m->byte_fallback = f.value != 0;
            break;
        case 40:
            m->trainer_unknown = (int32_t)(uint32_t)f.value;
            break;
        case 42:
            m->end = (int32_t)(uint32_t)f.value;
            break;
        default:
            break;
        }
    }
    return s.p == s.end ? SORA_OK : damaged(t, "trainer_spec", err);
}

static int read_normalizer(sorai_tokenizer *t, span s, model *m, sora_error *err) {
    field f;
    while (next(&s, &f)) {
        if (f.number == 2 && f.wire == 2)
            m->map = f.bytes;
        else if (f.number == 3 && f.wire == 0)
            m->dummy_prefix = f.value != 0;
    }
    return s.p == s.end ? SORA_OK : damaged(t, "normalizer_spec", err);
}

static int finish(sorai_tokenizer *t, const model *m, sora_error *err) {
    if (m->type != 1)
        return sorai_fail(err, SORA_E_UNSUPPORTED,
                          "%.300s: trainer_spec: only unigram models are supported, this is type %llu", t->name,
                          (unsigned long long)m->type);
    if (t->unigram.count == 0) return damaged(t, "no pieces", err);
    t->unigram.byte_fallback = m->byte_fallback;
    SORA_TRY(sorai_unigram_finish(&t->unigram, m->unknown >= 0 ? m->unknown : m->trainer_unknown, t->name, err));
    if (m->map.p != m->map.end) {
        SORA_TRY(
            sorai_charsmap_open(&t->normal[0].map, t->mem, m->map.p, (size_t)(m->map.end - m->map.p), t->name, err));
        t->normal[0].kind = SORAI_STEP_CHARSMAP;
        t->normal_count = 1;
    }
    /* white space separates, and every word begins with the mark U+2581 */
    sorai_step *mark = &t->cut[1];
    t->cut[0].kind = SORAI_STEP_SPLIT_SPACE;
    mark->kind = SORAI_STEP_METASPACE;
    mark->content_size = 3;
    mark->split = true;
    mark->prepend = m->dummy_prefix ? SORAI_PREPEND_ALWAYS : SORAI_PREPEND_NEVER;
    t->cut_count = 2;
    if (!(mark->content = sorai_strdup(t->mem, "\xe2\x96\x81")))
        return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", t->name);
    if (m->end >= (int64_t)t->unigram.count)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: trainer_spec: eos_id %lld is not one of %u pieces", t->name,
                          (long long)m->end, t->unigram.count);
    if (m->end >= 0) t->after[t->after_count++] = (int32_t)m->end;
    return SORA_OK;
}

int sorai_tokenizer_read_spiece(sorai_tokenizer *t, const void *data, size_t n, sora_error *err) {
    span s = {data, (const unsigned char *)data + n};
    model m = {
        .unknown = -1, .end = 2, .trainer_unknown = 0, .type = 1, .dummy_prefix = true}; /* the format's defaults */
    field f;
    while (next(&s, &f)) {
        if (f.wire != 2) continue;
        if (f.number == 1)
            SORA_TRY(read_piece(t, f.bytes, &m, err));
        else if (f.number == 2)
            SORA_TRY(read_trainer(t, f.bytes, &m, err));
        else if (f.number == 3)
            SORA_TRY(read_normalizer(t, f.bytes, &m, err));
    }
    if (s.p != s.end) return damaged(t, "model", err);
    return finish(t, &m, err);
}
