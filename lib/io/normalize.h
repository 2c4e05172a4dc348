/* Unicode normalisation form C: characters composed where they can be. Any thread. */
#ifndef SORAI_IO_NORMALIZE_H
#define SORAI_IO_NORMALIZE_H

#include "lib/io/buffer.h"

/* Adds the NFC form of UTF-8 text to out; a byte that is no UTF-8 becomes U+FFFD. false: no memory. */
bool sorai_normalize_nfc(const char *text, size_t n, sorai_buffer *out);

/* Half and full width forms to the ordinary character: out[0..count-1], count 1 or 2; 0 when cp is no such form. */
int sorai_normalize_width(uint32_t cp, uint32_t out[2]);

#endif
