#include "lib/io/tokenizer_build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "lib/io/unigram.h"

#define MARK         "\xe2\x96\x81" /* U+2581, a word's beginning */
#define MARK_SIZE    3
#define FIRST_SCORED 259   /* after <pad>, </s>, <unk> and the bytes */
#define MAX_WORD     96    /* bytes; longer ones are no words */
#define MAX_PART     12    /* characters of a part */
#define PART_WORDS   50000 /* parts are taken from the most frequent words */
#define UNUSED_COUNT 0.1   /* what a character that must stay counts as */

/* A string with how often it occurs. Strings lie in the texts' words or in `store`. */
typedef struct entry {
    const char *text;
    uint32_t size;
    bool required;
    double count, rank;
} entry;

typedef struct list {
    sorai_buffer data; /* of entry */
} list;

typedef struct builder {
    sorai_mem *mem;
    sorai_buffer store; /* all words with their mark: never grows once entries point into it */
    list words, pieces;
} builder;

static entry *items(const list *l) { return (entry *)(void *)l->data.data; }
static size_t length(const list *l) { return l->data.size / sizeof(entry); }
static bool append(list *l, const char *text, size_t size, double count) {
    const entry e = {text, (uint32_t)size, false, count, 0};
    return sorai_buffer_add(&l->data, &e, sizeof e);
}

static int by_text(const void *pa, const void *pb) {
    const entry *a = pa, *b = pb;
    const int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

/* Most wanted first; ties by text, so that the order never depends on the sort. */
static int by_rank(const void *pa, const void *pb) {
    const entry *a = pa, *b = pb;
    if (a->required != b->required) return a->required ? -1 : 1;
    if (a->rank != b->rank) return a->rank > b->rank ? -1 : 1;
    return by_text(pa, pb);
}

static void sort(list *l, int (*order)(const void *, const void *)) {
    if (length(l) > 1) qsort(l->data.data, length(l), sizeof(entry), order);
}

/* Sorts and makes one of equal entries. */
static void merge(list *l) {
    sort(l, by_text);
    entry *e = items(l);
    size_t kept = 0;
    for (size_t i = 0; i < length(l); i++)
        if (kept > 0 && by_text(&e[kept - 1], &e[i]) == 0) {
            e[kept - 1].count += e[i].count;
            e[kept - 1].required = e[kept - 1].required || e[i].required;
        } else
            e[kept++] = e[i];
    l->data.size = kept * sizeof(entry);
}

/* The next word of a text: false at its end. */
static bool next_word(const sorai_tokenizer_text *t, size_t *at, size_t *from, size_t *to) {
    uint32_t cp;
    size_t width;
    for (; *at < t->size; *at += width ? width : 1) {
        width = sorai_utf8_decode(t->text + *at, t->size - *at, &cp);
        if (!sorai_utf8_is_space(cp)) break;
    }
    *from = *at;
    for (; *at < t->size; *at += width ? width : 1) {
        width = sorai_utf8_decode(t->text + *at, t->size - *at, &cp);
        if (sorai_utf8_is_space(cp)) break;
    }
    *to = *at;
    return *to > *from;
}

static bool usable(const char *word, size_t n) {
    if (n > MAX_WORD || !sorai_utf8_valid(word, n)) return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)word[i] < 0x20 || word[i] == 0x7F ||
            (n - i >= MARK_SIZE && memcmp(word + i, MARK, MARK_SIZE) == 0))
            return false;
    return true;
}

static bool collect_words(builder *b, const sorai_tokenizer_text *texts, size_t count) {
    size_t total = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1 && !sorai_buffer_reserve(&b->store, total + 1)) return false;
        for (size_t i = 0; i < count; i++)
            for (size_t at = 0, from, to; next_word(&texts[i], &at, &from, &to);) {
                const size_t n = to - from;
                if (!usable(texts[i].text + from, n)) continue;
                total += n + MARK_SIZE;
                if (pass == 0) continue;
                const char *here = b->store.data + b->store.size;
                if (!sorai_buffer_add(&b->store, MARK, MARK_SIZE) ||
                    !sorai_buffer_add(&b->store, texts[i].text + from, n) || !append(&b->words, here, n + MARK_SIZE, 1))
                    return false;
            }
    }
    merge(&b->words);
    entry *w = items(&b->words);
    for (size_t i = 0; i < length(&b->words); i++) w[i].rank = w[i].count;
    sort(&b->words, by_rank);
    return true;
}

/* Letters and digits stay together, all else stands alone. */
static bool is_letter(const char *s) {
    const unsigned char c = (unsigned char)*s;
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c >= 0x80;
}

/* Pieces of one word that may be of use: characters, whole runs of letters, and parts of those. */
static bool add_parts(builder *b, const entry *word) {
    size_t place[MAX_WORD + MARK_SIZE + 1], n = 0;
    for (size_t at = 0; at < word->size;) {
        uint32_t cp;
        place[n++] = at;
        at += sorai_utf8_decode(word->text + at, word->size - at, &cp);
    }
    place[n] = word->size;
    for (size_t i = 0; i < n; i++) {
        const size_t body = i == 0 ? 1 : i; /* the mark in front of letters belongs to their run */
        for (size_t end = i + 1; end <= n; end++) {
            if (end > i + 1 &&
                !(end > body && is_letter(word->text + place[end - 1]) && is_letter(word->text + place[body])))
                break;
            const bool run_begins = i == 0 || i == 1 || !is_letter(word->text + place[i - 1]);
            const bool run_ends = end == n || !is_letter(word->text + place[end]);
            if (end - i > MAX_PART && !(run_begins && run_ends)) continue;
            if (!append(&b->pieces, word->text + place[i], place[end] - place[i], word->count)) return false;
        }
    }
    return true;
}

static bool is_character(const entry *e) {
    uint32_t cp;
    return sorai_utf8_decode(e->text, e->size, &cp) == e->size;
}

/* All candidates with their counts; characters are marked as required, at most half of the room for those beyond ASCII.
 */
static bool collect_pieces(builder *b, size_t room) {
    static const char ascii[] =
        "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";
    const entry *words = items(&b->words);
    for (size_t i = 0; i < length(&b->words) && i < PART_WORDS; i++)
        if (!add_parts(b, &words[i])) return false;
    for (size_t i = 0; ascii[i]; i++)
        if (!append(&b->pieces, ascii + i, 1, UNUSED_COUNT)) return false;
    if (!append(&b->pieces, MARK, MARK_SIZE, UNUSED_COUNT)) return false;
    merge(&b->pieces);
    entry *e = items(&b->pieces);
    for (size_t i = 0; i < length(&b->pieces); i++) {
        const bool character = is_character(&e[i]);
        e[i].required = character && (e[i].size == 1 || memcmp(e[i].text, MARK, MARK_SIZE) == 0);
        /* rarer strings are worth less, longer ones more; characters come before everything */
        e[i].rank = character ? 1e30 + e[i].count : e[i].count * (double)e[i].size;
    }
    sort(&b->pieces, by_rank);
    for (size_t i = 0; i < length(&b->pieces) && i < room / 2; i++)
        e[i].required = e[i].required || is_character(&e[i]);
    const size_t most = room * 8;
    if (length(&b->pieces) > most) b->pieces.data.size = most * sizeof(entry);
    return true;
}

static double score_of(double count, double total) {
    return log((count > UNUSED_COUNT ? count : UNUSED_COUNT) / total);
}

/* Cuts all words with the present pieces and counts what is used. */
static int recount(builder *b, sora_error *err) {
    entry *e = items(&b->pieces);
    const size_t n = length(&b->pieces);
    double total = 0;
    for (size_t i = 0; i < n; i++) total += e[i].count;
    sorai_unigram u;
    sorai_ids ids;
    sorai_unigram_init(&u, b->mem);
    sorai_ids_init(&ids, b->mem);
    int status = sorai_unigram_add(&u, "<unk>", 5, 0, "tokenizer", err);
    for (size_t i = 0; i < n && status == SORA_OK; i++)
        status = sorai_unigram_add(&u, e[i].text, e[i].size, score_of(e[i].count, total), "tokenizer", err);
    if (status == SORA_OK) status = sorai_unigram_finish(&u, 0, "tokenizer", err);
    for (size_t i = 0; i < n; i++) e[i].count = 0;
    const entry *w = items(&b->words);
    for (size_t i = 0; i < length(&b->words) && status == SORA_OK; i++) {
        ids.count = 0;
        status = sorai_unigram_encode(&u, w[i].text, w[i].size, &ids, err);
        for (size_t k = 0; k < ids.count && status == SORA_OK; k++)
            if (ids.ids[k] > 0) e[ids.ids[k] - 1].count += w[i].count;
    }
    sorai_ids_release(&ids);
    sorai_unigram_release(&u);
    return status;
}

/* Drops what is not used, and of the rest the least useful, down to `most` or three quarters. */
static void prune(builder *b, size_t most) {
    entry *e = items(&b->pieces);
    size_t kept = 0;
    for (size_t i = 0; i < length(&b->pieces); i++)
        if (e[i].required || e[i].count > 0) {
            e[kept] = e[i];
            e[kept].rank = e[kept].count * (double)e[kept].size;
            kept++;
        }
    b->pieces.data.size = kept * sizeof(entry);
    sort(&b->pieces, by_rank);
    const size_t target = kept * 3 / 4 > most ? kept * 3 / 4 : most;
    if (kept > target) b->pieces.data.size = target * sizeof(entry);
}

/* --- the file */

static bool put_varint(sorai_buffer *out, uint64_t value) {
    do {
        const unsigned char c = (unsigned char)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        if (!sorai_buffer_add(out, &c, 1)) return false;
        value >>= 7;
    } while (value);
    return true;
}

static bool put_number(sorai_buffer *out, uint32_t field, int64_t value) {
    return put_varint(out, field << 3) && put_varint(out, (uint64_t)value);
}

static bool put_bytes(sorai_buffer *out, uint32_t field, const void *data, size_t n) {
    return put_varint(out, field << 3 | 2) && put_varint(out, n) && sorai_buffer_add(out, data, n);
}

static bool put_piece(sorai_buffer *out, sorai_buffer *scratch, const char *text, size_t n, double score, int type) {
    const float f = (float)score;
    uint32_t bits;
    unsigned char bytes[5] = {2 << 3 | 5};
    memcpy(&bits, &f, sizeof bits);
    for (int i = 0; i < 4; i++) bytes[1 + i] = (unsigned char)(bits >> (8 * i));
    scratch->size = 0;
    return put_bytes(scratch, 1, text, n) && sorai_buffer_add(scratch, bytes, 5) &&
           (type == 1 || put_number(scratch, 3, type)) && put_bytes(out, 1, scratch->data, scratch->size);
}

static bool write_model(const builder *b, sorai_buffer *out, sorai_buffer *scratch) {
    static const char digits[] = "0123456789ABCDEF";
    const entry *e = items(&b->pieces);
    double total = 0;
    for (size_t i = 0; i < length(&b->pieces); i++) total += e[i].count > UNUSED_COUNT ? e[i].count : UNUSED_COUNT;
    bool ok = put_piece(out, scratch, "<pad>", 5, 0, 3) && put_piece(out, scratch, "</s>", 4, 0, 3) &&
              put_piece(out, scratch, "<unk>", 5, 0, 2);
    for (unsigned c = 0; c < 256 && ok; c++) {
        const char name[6] = {'<', '0', 'x', digits[c >> 4], digits[c & 15], '>'};
        ok = put_piece(out, scratch, name, 6, 0, 6);
    }
    for (size_t i = 0; i < length(&b->pieces) && ok; i++)
        ok = put_piece(out, scratch, e[i].text, e[i].size, score_of(e[i].count, total), 1);
    scratch->size = 0; /* trainer_spec: unigram, size, byte fallback, ids of unknown, begin, end, padding */
    ok = ok && put_number(scratch, 3, 1) && put_number(scratch, 4, (int64_t)(FIRST_SCORED + length(&b->pieces))) &&
         put_number(scratch, 35, 1) && put_number(scratch, 40, 2) && put_number(scratch, 41, -1) &&
         put_number(scratch, 42, 1) && put_number(scratch, 43, 0) && put_bytes(out, 2, scratch->data, scratch->size);
    scratch->size = 0; /* normalizer_spec: none; a mark in front, single spaces, spaces become marks */
    return ok && put_bytes(scratch, 1, "identity", 8) && put_number(scratch, 3, 1) && put_number(scratch, 4, 1) &&
           put_number(scratch, 5, 1) && put_bytes(out, 3, scratch->data, scratch->size);
}

static int build(builder *b, const sorai_tokenizer_text *texts, size_t count, uint32_t pieces, sorai_buffer *out,
                 sora_error *err) {
    const size_t room = pieces - FIRST_SCORED;
    bool ok = collect_words(b, texts, count) && collect_pieces(b, room);
    while (ok) {
        const size_t before = length(&b->pieces);
        SORA_TRY(recount(b, err));
        prune(b, room);
        if (length(&b->pieces) == before) break;
    }
    sorai_buffer scratch;
    sorai_buffer_init(&scratch, b->mem);
    ok = ok && write_model(b, out, &scratch);
    sorai_buffer_release(&scratch);
    return ok ? SORA_OK : sorai_fail(err, SORA_E_NOMEM, "no memory to build a tokenizer");
}

int sorai_tokenizer_build(sorai_mem *mem, const sorai_tokenizer_text *texts, size_t count, uint32_t pieces,
                          sorai_buffer *out, sora_error *err) {
    if (pieces < 400 || pieces > 1000000)
        return sorai_fail(err, SORA_E_INVALID, "a tokenizer of %u pieces: 400 to 1000000 can be built", pieces);
    builder b = {.mem = mem};
    sorai_buffer_init(&b.store, mem);
    sorai_buffer_init(&b.words.data, mem);
    sorai_buffer_init(&b.pieces.data, mem);
    const size_t before = out->size;
    int status = build(&b, texts, count, pieces, out, err);
    if (status != SORA_OK) out->size = before;
    sorai_buffer_release(&b.store);
    sorai_buffer_release(&b.words.data);
    sorai_buffer_release(&b.pieces.data);
    return status;
}
