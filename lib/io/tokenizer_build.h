/* Builds a small unigram tokenizer from texts and writes it as a spiece.model, which sentencepiece reads too. */
#ifndef SORAI_IO_TOKENIZER_BUILD_H
#define SORAI_IO_TOKENIZER_BUILD_H

#include "lib/base/error.h"
#include "lib/io/buffer.h"

typedef struct sorai_tokenizer_text {
    const char *text; /* UTF-8, cleaned as prompts will be (sorai_clean_text); words are what white space separates */
    size_t size;
} sorai_tokenizer_text;

/* Adds the model's bytes to out. It has at most `pieces` pieces: <pad> 0, </s> 1, <unk> 2, the 256 bytes as a fallback,
 * the printable ASCII characters and the others seen, and the words and parts of words that serve the texts best;
 * scores are logarithms of probabilities. The same texts give the same bytes. SORA_E_INVALID when `pieces` is under 400
 * or over 1000000. */
int sorai_tokenizer_build(sorai_mem *mem, const sorai_tokenizer_text *texts, size_t count, uint32_t pieces,
                          sorai_buffer *out, sora_error *err);

#endif
