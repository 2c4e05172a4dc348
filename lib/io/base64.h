/* Base64 (RFC 4648, the ordinary alphabet, with padding). */
#ifndef SORAI_IO_BASE64_H
#define SORAI_IO_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* out has room for n / 4 * 3 bytes. false: not base64. */
bool sorai_base64_decode(const char *text, size_t n, unsigned char *out, size_t *size);

#endif
