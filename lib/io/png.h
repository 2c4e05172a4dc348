/* PNG images, through libpng; its errors end here. */
#ifndef SORAI_IO_PNG_H
#define SORAI_IO_PNG_H

#include "lib/io/source.h"

#define SORAI_PNG_MAX_SIDE 16384u

/* Reads any kind of PNG as *out, u8 [height, width, channels]; channels 3 (transparency is dropped) or 4 (opaque where
 * the file says nothing). 16 bits become 8, grey becomes colour. Sides up to 16384; an image that claims more bytes
 * than its file can unpack to is refused before memory is taken. SORA_E_FORMAT with libpng's reason. Any thread. */
int sorai_png_read(sorai_mem *mem, sorai_source *source, int32_t channels, sora_tensor **out, sora_error *err);

/* Writes u8 [height, width, channels], channels 1, 3 or 4, host memory; the file is there whole or not at all. */
int sorai_png_write(sorai_mem *mem, const char *path, const sora_tensor *image, sora_error *err);

/* The same through a callback, which returns 0 or stops the writing (SORA_E_IO). `name` stands in messages. */
typedef int sorai_write_fn(void *user, const void *data, size_t n);
int sorai_png_write_to(sorai_mem *mem, const char *name, sorai_write_fn *write, void *user, const sora_tensor *image,
                       sora_error *err);

#endif
