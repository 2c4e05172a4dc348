/* What a tokenizer consists of: filled by the two readers, run by tokenizer.c. */
#ifndef SORAI_IO_TOKENIZER_PARTS_H
#define SORAI_IO_TOKENIZER_PARTS_H

#include "lib/io/charsmap.h"
#include "lib/io/tokenizer.h"

#define SORAI_TOKENIZER_MAX_STEPS 16
#define SORAI_TOKENIZER_MAX_AFFIX 16

/* One character of a pattern: a literal, or any of a few ranges, or white space; and how often. */
#define SORAI_PATTERN_MAX_RANGES 16
typedef struct sorai_pattern {
    char *literal; /* not NULL: exactly these bytes */
    size_t literal_size;
    uint32_t ranges[SORAI_PATTERN_MAX_RANGES][2];
    uint32_t range_count;
    bool space, negated;
    uint32_t least, most; /* repetitions; most UINT32_MAX: any number */
} sorai_pattern;

typedef enum sorai_step_kind {
    SORAI_STEP_REPLACE,
    SORAI_STEP_CHARSMAP,
    SORAI_STEP_STRIP,
    SORAI_STEP_PREPEND,
    SORAI_STEP_NFC,
    SORAI_STEP_SPLIT_SPACE, /* from here on: they cut */
    SORAI_STEP_METASPACE
} sorai_step_kind;

#define SORAI_PREPEND_ALWAYS 0
#define SORAI_PREPEND_FIRST  1
#define SORAI_PREPEND_NEVER  2

typedef struct sorai_step {
    sorai_step_kind kind;
    sorai_pattern pattern;
    char *content; /* of replace and prepend; the mark of metaspace */
    size_t content_size;
    bool left, right; /* of strip */
    int32_t prepend;  /* of metaspace */
    bool split;
    sorai_charsmap map;
} sorai_step;

/* A token that is looked for in the text itself. */
typedef struct sorai_added {
    char *content; /* as in the text: before normalisation, or after it when `normalized` */
    size_t size;
    int32_t id;
    bool lstrip, rstrip, normalized;
} sorai_added;

struct sorai_tokenizer {
    sorai_mem *mem;
    char *name;
    sorai_unigram unigram;
    sorai_step normal[SORAI_TOKENIZER_MAX_STEPS], cut[SORAI_TOKENIZER_MAX_STEPS];
    size_t normal_count, cut_count;
    sorai_added *added;
    size_t added_count, added_capacity;
    int32_t before[SORAI_TOKENIZER_MAX_AFFIX], after[SORAI_TOKENIZER_MAX_AFFIX];
    size_t before_count, after_count;
};

/* Fill *t (zeroed but for mem and name); the caller releases it on failure too. */
int sorai_tokenizer_read_json(sorai_tokenizer *t, const void *data, size_t n, sora_error *err);
int sorai_tokenizer_read_spiece(sorai_tokenizer *t, const void *data, size_t n, sora_error *err);

/* Copies the content. */
int sorai_tokenizer_add(sorai_tokenizer *t, const char *content, size_t n, const sorai_added *like, sora_error *err);
/* Runs the normaliser; the result is appended to out. *moved: its first character is not the text's first. */
int sorai_tokenizer_normalize(const sorai_tokenizer *t, const char *text, size_t n, sorai_buffer *out, bool *moved,
                              sora_error *err);

#endif
