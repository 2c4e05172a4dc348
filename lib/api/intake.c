#include "lib/api/intake.h"

#include <string.h>

int sorai_take_opts(void *dst, uint32_t known, const void *src, const char *what, sora_error *err) {
    uint32_t size;
    memcpy(&size, src, sizeof size);
    if (size < 2 * sizeof size)
        return sorai_fail(err, SORA_E_INVALID, "%s: struct_size is not set: call the _init function first", what);
    for (uint32_t i = known; i < size; i++)
        if (((const unsigned char *)src)[i])
            return sorai_fail(err, SORA_E_UNSUPPORTED, "%s: holds options that this version does not know", what);
    memcpy(dst, src, size < known ? size : known);
    memcpy(dst, &known, sizeof known);
    return SORA_OK;
}

int sorai_give_struct(void *dst, const void *src, uint32_t known) {
    uint32_t size;
    if (!dst)
        return SORA_E_INVALID;
    memcpy(&size, dst, sizeof size);
    if (size < 2 * sizeof size)
        return SORA_E_INVALID;
    const size_t head = sizeof size, n = (size < known ? size : known) - head;
    memcpy((char *)dst + head, (const char *)src + head, n);
    if (size > known)
        memset((char *)dst + known, 0, size - known);
    return SORA_OK;
}
