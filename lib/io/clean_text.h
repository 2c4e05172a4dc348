/* Prompts as the Wan pipeline cleans them before tokenizing: the plain repairs of ftfy, character references, white
 * space. */
#ifndef SORAI_IO_CLEAN_TEXT_H
#define SORAI_IO_CLEAN_TEXT_H

#include "lib/base/error.h"
#include "lib/io/buffer.h"

#define SORAI_CLEAN_TEXT_MAX 262144u /* bytes */

/* Adds the cleaned text to out. Bytes that are no UTF-8 become U+FFFD first. In this order, line by line and until
 * nothing changes: character references (until a '<' was seen), C1 controls as Windows-1252, ligatures, half and full
 * width forms, curly quotes, line breaks, terminal escape sequences, control characters and byte-order marks, NFC; then
 * references once more, twice; then runs of white space become one space, none at the ends. Mis-decoded text is left as
 * it is. SORA_E_LIMIT: too long. */
int sorai_clean_text(const char *text, size_t n, sorai_buffer *out, sora_error *err);

#endif
