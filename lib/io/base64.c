#include "lib/io/base64.h"

#include <stdint.h>

static int value_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool sorai_base64_decode(const char *text, size_t n, unsigned char *out, size_t *size) {
    *size = 0;
    if (n % 4) return false;
    size_t padding = 0;
    while (padding < 2 && padding < n && text[n - 1 - padding] == '=') padding++;
    for (size_t i = 0; i < n; i += 4) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 4; k++) {
            const int v = i + k >= n - padding ? 0 : value_of(text[i + k]);
            if (v < 0) return false;
            bits = bits << 6 | (uint32_t)v;
        }
        for (size_t k = 0; k < 3 && (i + 4 < n || k < 3 - padding); k++)
            out[(*size)++] = (unsigned char)(bits >> (16 - 8 * k));
    }
    return true;
}
