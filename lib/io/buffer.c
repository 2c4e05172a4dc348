#include "lib/io/buffer.h"

#include <string.h>

#include "lib/base/utf8.h"

void sorai_buffer_init(sorai_buffer *b, sorai_mem *mem) { *b = (sorai_buffer){.mem = mem}; }

void sorai_buffer_release(sorai_buffer *b) {
    sorai_free(b->mem, b->data);
    sorai_buffer_init(b, b->mem);
}

bool sorai_buffer_reserve(sorai_buffer *b, size_t more) {
    size_t need, capacity;
    if (!sorai_add_ok(b->size, more, &need)) return false;
    if (b->most && need > b->most) {
        b->full = true;
        return false;
    }
    if (need <= b->capacity && b->data) return true;
    capacity = b->capacity ? b->capacity : 64;
    while (capacity < need)
        if (!sorai_mul_ok(capacity, 2, &capacity)) return false;
    char *grown = sorai_realloc(b->mem, b->data, capacity);
    if (!grown) return false;
    b->data = grown;
    b->capacity = capacity;
    return true;
}

bool sorai_buffer_add(sorai_buffer *b, const void *data, size_t n) {
    if (!sorai_buffer_reserve(b, n)) return false;
    if (n) memcpy(b->data + b->size, data, n);
    b->size += n;
    return true;
}

bool sorai_buffer_add_char(sorai_buffer *b, uint32_t cp) {
    char utf8[4];
    return sorai_buffer_add(b, utf8, sorai_utf8_encode(cp, utf8));
}

void sorai_buffer_swap(sorai_buffer *a, sorai_buffer *b) {
    const sorai_buffer t = *a;
    *a = *b;
    *b = t;
}
