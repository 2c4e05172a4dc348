/* A unigram vocabulary: pieces with scores, and the best way to cut a text into them. Immutable once finished; any
 * thread. */
#ifndef SORAI_IO_UNIGRAM_H
#define SORAI_IO_UNIGRAM_H

#include "lib/base/error.h"
#include "lib/io/buffer.h"

#define SORAI_UNIGRAM_MAX_PIECES 4000000u
#define SORAI_UNIGRAM_MAX_PIECE  65535u /* bytes of one */

typedef struct sorai_unigram {
    sorai_mem *mem;
    sorai_buffer text; /* all pieces, one after another */
    uint32_t *begin;   /* count + 1 places in text */
    double *score;
    uint32_t *order; /* ids sorted by piece; of equal pieces only the last id */
    uint32_t count, capacity, sorted;
    uint32_t longest;   /* bytes of the longest piece */
    int32_t unknown;    /* id */
    bool byte_fallback; /* an unknown character becomes its bytes' pieces <0x00>..<0xFF>, if all of them exist */
    double least;       /* lowest score */
} sorai_unigram;

typedef struct sorai_ids {
    sorai_mem *mem;
    int32_t *ids;
    size_t count, capacity;
} sorai_ids;

void sorai_ids_init(sorai_ids *list, sorai_mem *mem);
void sorai_ids_release(sorai_ids *list);
bool sorai_ids_add(sorai_ids *list, int32_t id); /* false: no memory */

void sorai_unigram_init(sorai_unigram *u, sorai_mem *mem);
void sorai_unigram_release(sorai_unigram *u);
/* Adds the next id. The piece is UTF-8 (checked), may be empty (then it is never found). */
int sorai_unigram_add(sorai_unigram *u, const char *piece, size_t n, double score, const char *file, sora_error *err);
/* Sorts; `unknown` must be an id. */
int sorai_unigram_finish(sorai_unigram *u, int64_t unknown, const char *file, sora_error *err);

int32_t sorai_unigram_find(const sorai_unigram *u, const char *piece, size_t n); /* -1: none */
const char *sorai_unigram_piece(const sorai_unigram *u, int32_t id, size_t *n);  /* not terminated; NULL for no id */

/* Cuts text (UTF-8) and adds the ids. Unknown characters that stand together give one unknown id. */
int sorai_unigram_encode(const sorai_unigram *u, const char *text, size_t n, sorai_ids *out, sora_error *err);

#endif
