/* The tokenizer inside a GGUF file, in sentencepiece's form: the reader of spiece.model takes it from there. The fields
 * are those that lib/io/spiece.c names. */
#include <string.h>

#include "lib/io/buffer.h"
#include "lib/io/gguf.h"

#define MAX_PIECES 4000000u
#define BYTE_PIECE 6

static bool varint(sorai_buffer *b, uint64_t x) {
    unsigned char bytes[10];
    size_t n = 0;
    do {
        bytes[n] = (unsigned char)((x & 127) | (x > 127 ? 128 : 0));
        x >>= 7;
        n++;
    } while (x);
    return sorai_buffer_add(b, bytes, n);
}

static bool number(sorai_buffer *b, uint32_t field, uint64_t x) { return varint(b, field << 3) && varint(b, x); }

static bool message(sorai_buffer *b, uint32_t field, const void *data, size_t n) {
    return varint(b, field << 3 | 2) && varint(b, n) && sorai_buffer_add(b, data, n);
}

static bool setting(json_t *metadata, const char *key, bool initial) {
    json_t *v = json_object_get(metadata, key);
    return json_is_boolean(v) ? json_is_true(v) : initial;
}

typedef struct pieces {
    sorai_source *source;
    uint64_t at, scores, types; /* places; types 0: all ordinary */
    bool bytes;                 /* there are pieces of single bytes */
} pieces;

/* One piece: its text, score and type. inner is scratch. */
static int add_piece(pieces *p, uint64_t i, sorai_buffer *inner, sorai_buffer *out, sora_error *err) {
    unsigned char head[8], score[4], type[4] = {1, 0, 0, 0};
    sorai_bytes text;
    uint64_t n = 0;
    SORA_TRY(sorai_source_read(p->source, p->at, head, sizeof head, err));
    for (int k = 7; k >= 0; k--) n = n << 8 | head[k];
    SORA_TRY(sorai_source_bytes(p->source, p->at + 8, n, &text, err));
    p->at += 8 + n;
    int status = sorai_source_read(p->source, p->scores + 4 * i, score, sizeof score, err);
    if (status == SORA_OK && p->types) status = sorai_source_read(p->source, p->types + 4 * i, type, sizeof type, err);
    inner->size = 0;
    if (status == SORA_OK &&
        !(message(inner, 1, text.data, text.size) && varint(inner, 2 << 3 | 5) && sorai_buffer_add(inner, score, 4) &&
          number(inner, 3, type[0]) && message(out, 1, inner->data, inner->size)))
        status = sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory for its tokenizer", sorai_source_name(p->source));
    p->bytes = p->bytes || type[0] == BYTE_PIECE;
    sorai_bytes_release(&text);
    return status;
}

static int add_rest(const sorai_gguf *g, const pieces *p, sorai_buffer *inner, sorai_buffer *out, sora_error *err) {
    json_t *metadata = sorai_gguf_metadata(g), *end = json_object_get(metadata, "tokenizer.ggml.eos_token_id"),
           *unknown = json_object_get(metadata, "tokenizer.ggml.unknown_token_id");
    uint64_t at, n;
    inner->size = 0;
    bool ok = number(inner, 3, 1) && number(inner, 35, p->bytes);
    if (json_is_integer(unknown)) ok = ok && number(inner, 40, (uint64_t)json_integer_value(unknown));
    ok = ok && number(inner, 42, json_is_integer(end) ? (uint64_t)json_integer_value(end) : 1) &&
         message(out, 2, inner->data, inner->size);
    inner->size = 0;
    ok = ok && number(inner, 3, setting(metadata, "tokenizer.ggml.add_space_prefix", true));
    int status = SORA_OK;
    for (uint32_t type = 0; ok && type < 2; type++) /* bytes, signed or not */
        if (sorai_gguf_array(g, "tokenizer.ggml.precompiled_charsmap", type, &at, &n)) {
            sorai_bytes map;
            status = sorai_source_bytes(sorai_gguf_source(g), at, n, &map, err);
            if (status != SORA_OK) return status;
            ok = n == 0 || message(inner, 2, map.data, map.size);
            sorai_bytes_release(&map);
        }
    ok = ok && message(out, 3, inner->data, inner->size);
    return ok ? SORA_OK
              : sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory for its tokenizer",
                           sorai_source_name(sorai_gguf_source(g)));
}

int sorai_gguf_tokenizer(const sorai_gguf *g, sorai_buffer *out, sora_error *err) {
    const char *file = sorai_source_name(sorai_gguf_source(g));
    const char *model = json_string_value(json_object_get(sorai_gguf_metadata(g), "tokenizer.ggml.model"));
    pieces p = {.source = sorai_gguf_source(g)};
    uint64_t count, scores, types;
    if (!model || strcmp(model, "t5") != 0 ||
        !sorai_gguf_array(g, "tokenizer.ggml.tokens", SORAI_GGUF_STRING, &p.at, &count))
        return sorai_fail(err, SORA_E_NOTFOUND, "%.300s: holds no tokenizer of the T5 family", file);
    if (!sorai_gguf_array(g, "tokenizer.ggml.scores", SORAI_GGUF_F32, &p.scores, &scores) || scores != count ||
        count > MAX_PIECES ||
        (sorai_gguf_array(g, "tokenizer.ggml.token_type", SORAI_GGUF_I32, &p.types, &types) && types != count))
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: its tokenizer's lists are not of one length", file);
    sorai_buffer inner;
    sorai_buffer_init(&inner, out->mem);
    int status = SORA_OK;
    for (uint64_t i = 0; i < count && status == SORA_OK; i++) status = add_piece(&p, i, &inner, out, err);
    if (status == SORA_OK) status = add_rest(g, &p, &inner, out, err);
    sorai_buffer_release(&inner);
    return status;
}
