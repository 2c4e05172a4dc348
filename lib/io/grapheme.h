/* Extended grapheme clusters (Unicode annex 29): what a reader sees as one character. */
#ifndef SORAI_IO_GRAPHEME_H
#define SORAI_IO_GRAPHEME_H

#include <stddef.h>

/* Bytes of the first cluster of s[0..n-1], n >= 1; a byte that is no UTF-8 is a cluster. Any thread. */
size_t sorai_grapheme_next(const char *s, size_t n);

#endif
