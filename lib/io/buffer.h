/* Bytes that grow: texts under construction. */
#ifndef SORAI_IO_BUFFER_H
#define SORAI_IO_BUFFER_H

#include "lib/base/alloc.h"

typedef struct sorai_buffer {
    sorai_mem *mem;
    char *data; /* NULL while nothing was ever added */
    size_t size, capacity;
    size_t most; /* bytes; 0: as many as there is memory for */
    bool full;   /* something was refused for that limit */
} sorai_buffer;

void sorai_buffer_init(sorai_buffer *b, sorai_mem *mem);
void sorai_buffer_release(sorai_buffer *b);
/* false: no memory, or over its limit; the buffer stays as it was. */
bool sorai_buffer_add(sorai_buffer *b, const void *data, size_t n);
bool sorai_buffer_add_char(sorai_buffer *b, uint32_t cp); /* in UTF-8 */
bool sorai_buffer_reserve(sorai_buffer *b, size_t more);
void sorai_buffer_swap(sorai_buffer *a, sorai_buffer *b);

#endif
