/* UTF-8: decoding of bytes that may be anything, encoding, validation. No locale. Any thread. */
#ifndef SORAI_BASE_UTF8_H
#define SORAI_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes one character at s (n >= 1 bytes are there). Returns how many bytes it takes (1..4) and sets *cp; for bytes
 * that are no UTF-8 (overlong forms, surrogates, beyond U+10FFFF, cut short) returns 0 and *cp = 0xFFFD. */
size_t sorai_utf8_decode(const char *s, size_t n, uint32_t *cp);

/* Writes cp (a Unicode scalar value; anything else becomes U+FFFD) to out[0..3], returns the bytes used: 1..4. */
size_t sorai_utf8_encode(uint32_t cp, char out[4]);

/* All of s[0..n-1] is UTF-8. */
bool sorai_utf8_valid(const char *s, size_t n);

/* Characters in s[0..n-1]; a byte that is no UTF-8 counts as one. */
size_t sorai_utf8_count(const char *s, size_t n);

/* White space as Unicode has it (the White_Space property). */
bool sorai_utf8_is_space(uint32_t cp);

#endif
