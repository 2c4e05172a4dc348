/* Text to token ids: unigram tokenizers as the T5 family has them, read from tokenizer.json (tokenizers library) or
 * spiece.model (sentencepiece). Ids are those that Hugging Face's tokenizers give for the same file. */
#ifndef SORAI_IO_TOKENIZER_H
#define SORAI_IO_TOKENIZER_H

#include "lib/io/package.h"
#include "lib/io/unigram.h"

typedef struct sorai_tokenizer sorai_tokenizer; /* immutable; any thread */

/* Either format; told apart by its first byte. What the file asks for and this library has not is refused by name
 * (SORA_E_UNSUPPORTED). */
int sorai_tokenizer_open(sorai_tokenizer **out, sorai_mem *mem, sorai_source *source, sora_error *err);
/* The package's tokenizer/tokenizer.json, else its tokenizer/spiece.model. */
int sorai_tokenizer_open_package(sorai_tokenizer **out, sorai_mem *mem, sorai_package *pkg, sora_error *err);
void sorai_tokenizer_close(sorai_tokenizer **t);

/* Appends the ids of text (n bytes; bytes that are no UTF-8 count as U+FFFD) with the special tokens that the file adds
 * (for T5: the end token). max_length 0: all; else at most so many in all, the end of the text is cut, the special
 * tokens stay. */
int sorai_tokenizer_encode(const sorai_tokenizer *t, const char *text, size_t n, size_t max_length, sorai_ids *out,
                           sora_error *err);

/* How many ids there are: one more than the largest. */
int32_t sorai_tokenizer_size(const sorai_tokenizer *t);
/* The id of a piece or special token; -1: none. */
int32_t sorai_tokenizer_find(const sorai_tokenizer *t, const char *piece, size_t n);
/* The piece of an id, not terminated; NULL when there is none. */
const char *sorai_tokenizer_piece(const sorai_tokenizer *t, int32_t id, size_t *n);

#endif
