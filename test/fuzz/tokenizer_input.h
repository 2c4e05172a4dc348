/* See tokenizer_input.c. */
#ifndef TEST_FUZZ_TOKENIZER_INPUT_H
#define TEST_FUZZ_TOKENIZER_INPUT_H

#include "test/fuzz/fuzz_help.h"

void fuzz_tokenizer(const uint8_t *data, size_t size);

#endif
