/* A file mapped into memory, read-only. */
#ifndef SORAI_BASE_MMAP_H
#define SORAI_BASE_MMAP_H

#include "lib/base/error.h"

#define SORAI_MAP_TAIL 64 /* bytes behind the file that may be read too */

typedef struct sorai_map {
    const unsigned char *data; /* never NULL while open */
    size_t size;
} sorai_map;

/* Maps all of a regular file. Anything else (folder, pipe, device) is refused with SORA_E_IO, a missing file with
 * SORA_E_NOTFOUND; the message names the path. *out is {NULL, 0} after a failure. The bytes are those of the file while
 * it is left alone: a file that somebody cuts while it is mapped takes the process down, as with every program that
 * maps files; who must survive that reads through callbacks instead. Any thread. */
int sorai_map_open(sorai_map *out, const char *path, sora_error *err);
void sorai_map_close(sorai_map *map); /* a closed or zeroed one is fine */

#endif
