/* tokenizer.json of the tokenizers library: the unigram model and the steps around it that T5-like tokenizers use. */
#include <string.h>

#include "lib/base/utf8.h"
#include "lib/io/base64.h"
#include "lib/io/json.h"
#include "lib/io/tokenizer_parts.h"

#define MAX_ADDED 100000u

static int wrong(const sorai_tokenizer *t, const char *what, sora_error *err) {
    return sorai_fail(err, SORA_E_FORMAT, "%.300s: %s is missing or of the wrong kind", t->name, what);
}

static int unsupported(const sorai_tokenizer *t, const char *what, const char *which, sora_error *err) {
    return sorai_fail(err, SORA_E_UNSUPPORTED, "%.300s: %s \"%.60s\" is not supported", t->name, what, which);
}

static const char *type_of(json_t *object) {
    const char *type = json_string_value(json_object_get(object, "type"));
    return type ? type : "";
}

static bool flag(json_t *object, const char *key, bool otherwise) {
    json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

static int copy_text(const sorai_tokenizer *t, json_t *value, const char *what, char **out, size_t *size,
                     sora_error *err) {
    if (!json_is_string(value)) return wrong(t, what, err);
    *size = json_string_length(value);
    *out = sorai_alloc(t->mem, *size);
    if (!*out) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", t->name);
    memcpy(*out, json_string_value(value), *size);
    return SORA_OK;
}

/* --- patterns: one character or class and how often */

typedef struct reader {
    const char *p, *end;
} reader;

static bool take_char(reader *r, uint32_t *cp) {
    const size_t width = r->p < r->end ? sorai_utf8_decode(r->p, (size_t)(r->end - r->p), cp) : 0;
    r->p += width;
    return width != 0;
}

/* After a backslash: white space (*space) or the character meant. */
static bool take_escape(reader *r, bool *space, uint32_t *cp) {
    if (!take_char(r, cp)) return false;
    *space = *cp == 's';
    switch (*cp) {
    case 's':
        return true;
    case 'n':
        *cp = '\n';
        return true;
    case 't':
        *cp = '\t';
        return true;
    case 'r':
        *cp = '\r';
        return true;
    default:
        return *cp < 0x80 && !((*cp >= '0' && *cp <= '9') || (*cp >= 'A' && *cp <= 'Z') || (*cp >= 'a' && *cp <= 'z'));
    }
}

static bool add_range(sorai_pattern *p, uint32_t from, uint32_t to) {
    if (p->range_count == SORAI_PATTERN_MAX_RANGES || from > to) return false;
    p->ranges[p->range_count][0] = from;
    p->ranges[p->range_count++][1] = to;
    return true;
}

static bool take_class(reader *r, sorai_pattern *p) {
    if (r->p < r->end && *r->p == '^') {
        p->negated = true;
        r->p++;
    }
    for (;;) {
        uint32_t from, to;
        bool space = false;
        if (!take_char(r, &from) || from == '[' || from == '&') return false;
        if (from == ']') return p->space || p->range_count;
        if (from == '\\' && !take_escape(r, &space, &from)) return false;
        if (space) {
            p->space = true;
            continue;
        }
        to = from;
        if (r->end - r->p >= 2 && r->p[0] == '-' && r->p[1] != ']') {
            r->p++;
            if (!take_char(r, &to) || to == '\\' || to == '[') return false;
        }
        if (!add_range(p, from, to)) return false;
    }
}

static bool take_number(reader *r, uint32_t *out) {
    const char *start = r->p;
    for (*out = 0; r->p < r->end && *r->p >= '0' && *r->p <= '9' && r->p - start < 6; r->p++)
        *out = *out * 10 + (uint32_t)(*r->p - '0');
    return r->p > start;
}

static bool take_times(reader *r, sorai_pattern *p) {
    p->least = p->most = 1;
    if (r->p == r->end) return true;
    switch (*r->p++) {
    case '+':
        p->most = UINT32_MAX;
        break;
    case '{':
        if (!take_number(r, &p->least)) return false;
        p->most = p->least;
        if (r->p < r->end && *r->p == ',') {
            r->p++;
            p->most = UINT32_MAX;
            if (r->p < r->end && *r->p != '}' && !take_number(r, &p->most)) return false;
        }
        if (r->p == r->end || *r->p++ != '}') return false;
        break;
    default:
        return false;
    }
    return r->p == r->end && p->least >= 1 && p->least <= p->most;
}

static bool parse_regex(const char *text, size_t n, sorai_pattern *p) {
    reader r = {text, text + n};
    uint32_t cp;
    if (!take_char(&r, &cp)) return false;
    if (cp == '[') return take_class(&r, p) && take_times(&r, p);
    if (cp == '\\') {
        if (!take_escape(&r, &p->space, &cp)) return false;
        return (p->space || add_range(p, cp, cp)) && take_times(&r, p);
    }
    if (cp < 0x80 && strchr(".^$|?*+(){}", (int)cp)) return false;
    return add_range(p, cp, cp) && take_times(&r, p);
}

static int read_replace(sorai_tokenizer *t, json_t *object, sorai_step *s, sora_error *err) {
    json_t *pattern = json_object_get(object, "pattern"), *literal = json_object_get(pattern, "String");
    json_t *regex = json_object_get(pattern, "Regex");
    if (literal) {
        SORA_TRY(
            copy_text(t, literal, "normalizer: Replace: String", &s->pattern.literal, &s->pattern.literal_size, err));
        if (s->pattern.literal_size == 0) return wrong(t, "normalizer: Replace: String", err);
    } else if (!json_is_string(regex))
        return wrong(t, "normalizer: Replace: pattern", err);
    else if (!parse_regex(json_string_value(regex), json_string_length(regex), &s->pattern))
        return unsupported(t, "normalizer: Replace: the regular expression", json_string_value(regex), err);
    return copy_text(t, json_object_get(object, "content"), "normalizer: Replace: content", &s->content,
                     &s->content_size, err);
}

static int read_charsmap(sorai_tokenizer *t, json_t *object, sorai_step *s, sora_error *err) {
    json_t *text = json_object_get(object, "precompiled_charsmap");
    if (!json_is_string(text)) return wrong(t, "normalizer: Precompiled: precompiled_charsmap", err);
    const size_t n = json_string_length(text);
    unsigned char *bytes = sorai_alloc(t->mem, n / 4 * 3 + 3);
    if (!bytes) return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", t->name);
    size_t size;
    int status = SORA_OK;
    if (!sorai_base64_decode(json_string_value(text), n, bytes, &size))
        status = wrong(t, "normalizer: Precompiled: precompiled_charsmap (base64)", err);
    else
        status = sorai_charsmap_open(&s->map, t->mem, bytes, size, t->name, err);
    sorai_free(t->mem, bytes);
    return status;
}

static int read_normalizer(sorai_tokenizer *t, json_t *object, int depth, sora_error *err) {
    const char *type = type_of(object);
    if (!object || json_is_null(object)) return SORA_OK;
    if (strcmp(type, "Sequence") == 0) {
        json_t *list = json_object_get(object, "normalizers"), *item;
        size_t i;
        if (!json_is_array(list) || depth > 4) return wrong(t, "normalizer: Sequence: normalizers", err);
        json_array_foreach(list, i, item) SORA_TRY(read_normalizer(t, item, depth + 1, err));
        return SORA_OK;
    }
    if (t->normal_count == SORAI_TOKENIZER_MAX_STEPS)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%.300s: more than %d normalizers", t->name,
                          SORAI_TOKENIZER_MAX_STEPS);
    sorai_step *s = &t->normal[t->normal_count++];
    if (strcmp(type, "Replace") == 0) {
        s->kind = SORAI_STEP_REPLACE;
        return read_replace(t, object, s, err);
    }
    if (strcmp(type, "Precompiled") == 0) {
        s->kind = SORAI_STEP_CHARSMAP;
        return read_charsmap(t, object, s, err);
    }
    if (strcmp(type, "Strip") == 0) {
        s->kind = SORAI_STEP_STRIP;
        s->left = flag(object, "strip_left", true);
        s->right = flag(object, "strip_right", true);
        return SORA_OK;
    }
    if (strcmp(type, "Prepend") == 0) {
        s->kind = SORAI_STEP_PREPEND;
        return copy_text(t, json_object_get(object, "prepend"), "normalizer: Prepend: prepend", &s->content,
                         &s->content_size, err);
    }
    if (strcmp(type, "NFC") == 0) {
        s->kind = SORAI_STEP_NFC;
        return SORA_OK;
    }
    return unsupported(t, "normalizer", type, err);
}

static int read_metaspace(sorai_tokenizer *t, json_t *object, sorai_step *s, sora_error *err) {
    s->kind = SORAI_STEP_METASPACE;
    s->split = flag(object, "split", true);
    const char *scheme = json_string_value(json_object_get(object, "prepend_scheme"));
    if (!scheme) /* files from before it was invented */
        scheme = flag(object, "add_prefix_space", true) ? "always" : "never";
    if (strcmp(scheme, "always") == 0)
        s->prepend = SORAI_PREPEND_ALWAYS;
    else if (strcmp(scheme, "first") == 0)
        s->prepend = SORAI_PREPEND_FIRST;
    else if (strcmp(scheme, "never") == 0)
        s->prepend = SORAI_PREPEND_NEVER;
    else
        return unsupported(t, "pre_tokenizer: Metaspace: prepend_scheme", scheme, err);
    SORA_TRY(copy_text(t, json_object_get(object, "replacement"), "pre_tokenizer: Metaspace: replacement", &s->content,
                       &s->content_size, err));
    uint32_t cp;
    if (s->content_size == 0 || sorai_utf8_decode(s->content, s->content_size, &cp) != s->content_size)
        return wrong(t, "pre_tokenizer: Metaspace: replacement", err);
    return SORA_OK;
}

static int read_cutter(sorai_tokenizer *t, json_t *object, int depth, sora_error *err) {
    const char *type = type_of(object);
    if (!object || json_is_null(object)) return SORA_OK;
    if (strcmp(type, "Sequence") == 0) {
        json_t *list = json_object_get(object, "pretokenizers"), *item;
        size_t i;
        if (!json_is_array(list) || depth > 4) return wrong(t, "pre_tokenizer: Sequence: pretokenizers", err);
        json_array_foreach(list, i, item) SORA_TRY(read_cutter(t, item, depth + 1, err));
        return SORA_OK;
    }
    if (t->cut_count == SORAI_TOKENIZER_MAX_STEPS)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%.300s: more than %d pre_tokenizers", t->name,
                          SORAI_TOKENIZER_MAX_STEPS);
    sorai_step *s = &t->cut[t->cut_count++];
    if (strcmp(type, "Metaspace") == 0) return read_metaspace(t, object, s, err);
    if (strcmp(type, "WhitespaceSplit") != 0) return unsupported(t, "pre_tokenizer", type, err);
    s->kind = SORAI_STEP_SPLIT_SPACE;
    return SORA_OK;
}

static int read_model(sorai_tokenizer *t, json_t *model, sora_error *err) {
    json_t *type = json_object_get(model, "type"), *vocab = json_object_get(model, "vocab"), *entry;
    json_t *unknown = json_object_get(model, "unk_id");
    if (type && strcmp(json_is_string(type) ? json_string_value(type) : "", "Unigram") != 0)
        return unsupported(t, "model", json_is_string(type) ? json_string_value(type) : "?", err);
    if (!json_is_array(vocab)) return wrong(t, "model: vocab", err);
    size_t i;
    json_array_foreach(vocab, i, entry) {
        json_t *piece = json_array_get(entry, 0), *score = json_array_get(entry, 1);
        if (!json_is_string(piece) || !json_is_number(score) || json_array_size(entry) != 2)
            return sorai_fail(err, SORA_E_FORMAT, "%.300s: model: vocab: entry %zu is not [piece, score]", t->name, i);
        SORA_TRY(sorai_unigram_add(&t->unigram, json_string_value(piece), json_string_length(piece),
                                   json_number_value(score), t->name, err));
    }
    if (!json_is_integer(unknown)) return wrong(t, "model: unk_id", err);
    t->unigram.byte_fallback = flag(model, "byte_fallback", false);
    return sorai_unigram_finish(&t->unigram, (int64_t)json_integer_value(unknown), t->name, err);
}

/* The id of a token that was added so far, or of a piece. */
static int32_t known_id(const sorai_tokenizer *t, const char *content, size_t n) {
    const int32_t id = sorai_unigram_find(&t->unigram, content, n);
    for (size_t i = 0; i < t->added_count && id < 0; i++)
        if (t->added[i].size == n && memcmp(t->added[i].content, content, n) == 0) return t->added[i].id;
    return id;
}

static int read_added(sorai_tokenizer *t, json_t *list, sora_error *err) {
    if (!list || json_is_null(list)) return SORA_OK;
    if (!json_is_array(list) || json_array_size(list) > MAX_ADDED) return wrong(t, "added_tokens", err);
    int32_t next = (int32_t)t->unigram.count;
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        json_t *content = json_object_get(item, "content");
        if (!json_is_string(content)) return wrong(t, "added_tokens: content", err);
        const char *text = json_string_value(content);
        const size_t n = json_string_length(content);
        if (n == 0) continue;
        if (n > 4096) return wrong(t, "added_tokens: content", err);
        if (flag(item, "single_word", false)) return unsupported(t, "added_tokens: single_word of", text, err);
        /* a token that is a piece has the piece's id, others follow one another, whatever the file's number */
        sorai_added like = {.id = known_id(t, text, n),
                            .lstrip = flag(item, "lstrip", false),
                            .rstrip = flag(item, "rstrip", false),
                            .normalized = flag(item, "normalized", !flag(item, "special", false))};
        if (like.id < 0) like.id = next++;
        sorai_buffer b;
        sorai_buffer_init(&b, t->mem);
        int status = SORA_OK;
        bool moved;
        if (like.normalized) status = sorai_tokenizer_normalize(t, text, n, &b, &moved, err);
        if (status == SORA_OK && (!like.normalized || b.size))
            status = sorai_tokenizer_add(t, like.normalized ? b.data : text, like.normalized ? b.size : n, &like, err);
        sorai_buffer_release(&b);
        SORA_TRY(status);
    }
    return SORA_OK;
}

static int affix(sorai_tokenizer *t, json_t *post, const char *name, bool after, sora_error *err) {
    json_t *ids = json_object_get(json_object_get(json_object_get(post, "special_tokens"), name), "ids"), *id;
    size_t i;
    if (!json_is_array(ids)) return wrong(t, "post_processor: special_tokens: ids", err);
    json_array_foreach(ids, i, id) {
        size_t *count = after ? &t->after_count : &t->before_count;
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX ||
            *count == SORAI_TOKENIZER_MAX_AFFIX)
            return wrong(t, "post_processor: special_tokens: ids", err);
        (after ? t->after : t->before)[(*count)++] = (int32_t)json_integer_value(id);
    }
    return SORA_OK;
}

static int read_post(sorai_tokenizer *t, json_t *post, sora_error *err) {
    if (!post || json_is_null(post)) return SORA_OK;
    if (strcmp(type_of(post), "TemplateProcessing") != 0) return unsupported(t, "post_processor", type_of(post), err);
    json_t *single = json_object_get(post, "single"), *item;
    size_t i;
    bool seen = false;
    if (!json_is_array(single)) return wrong(t, "post_processor: single", err);
    json_array_foreach(single, i, item) {
        json_t *special = json_object_get(item, "SpecialToken"), *name = json_object_get(special, "id");
        if (json_object_get(item, "Sequence") && !seen)
            seen = true;
        else if (json_is_string(name))
            SORA_TRY(affix(t, post, json_string_value(name), seen, err));
        else
            return wrong(t, "post_processor: single", err);
    }
    return seen ? SORA_OK : wrong(t, "post_processor: single: Sequence", err);
}

int sorai_tokenizer_read_json(sorai_tokenizer *t, const void *data, size_t n, sora_error *err) {
    json_t *root;
    SORA_TRY(sorai_json_parse(&root, data, n, SORAI_JSON_MAX_VALUES, true, t->name, "tokenizer", err));
    int status = SORA_OK;
    if (!json_is_object(json_object_get(root, "model"))) status = wrong(t, "model", err);
    if (status == SORA_OK) status = read_normalizer(t, json_object_get(root, "normalizer"), 0, err);
    if (status == SORA_OK) status = read_cutter(t, json_object_get(root, "pre_tokenizer"), 0, err);
    if (status == SORA_OK) status = read_model(t, json_object_get(root, "model"), err);
    if (status == SORA_OK) status = read_added(t, json_object_get(root, "added_tokens"), err);
    if (status == SORA_OK) status = read_post(t, json_object_get(root, "post_processor"), err);
    json_decref(root);
    return status;
}
