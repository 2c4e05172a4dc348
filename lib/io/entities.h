/* HTML character references. Any thread. */
#ifndef SORAI_IO_ENTITIES_H
#define SORAI_IO_ENTITIES_H

#include "lib/io/buffer.h"

/* Adds UTF-8 text to out with its references decoded as HTML 5 says: names with or without a semicolon, the longest
 * that fits, numbers with the usual repairs. false: no memory. */
bool sorai_entities_decode(const char *text, size_t n, sorai_buffer *out);

/* The careful kind, as ftfy has it: only whole references that end in a semicolon, all-caps names too ("&EACUTE;"). */
bool sorai_entities_decode_plain(const char *text, size_t n, sorai_buffer *out);

#endif
