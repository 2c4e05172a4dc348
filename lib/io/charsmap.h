/* The precompiled character map of sentencepiece (normalisation such as nmt_nfkc): a double-array trie from character
 * sequences to their replacements. Applied as the tokenizers library does it: by grapheme cluster, then by character.
 */
#ifndef SORAI_IO_CHARSMAP_H
#define SORAI_IO_CHARSMAP_H

#include "lib/base/error.h"
#include "lib/io/buffer.h"

typedef struct sorai_charsmap {
    sorai_mem *mem;
    uint32_t *units;
    size_t unit_count;
    char *texts; /* zero-terminated replacements, one after another */
    size_t text_size;
} sorai_charsmap;

/* Copies what it needs. Sizes are checked here, links as they are followed. An empty map is refused. */
int sorai_charsmap_open(sorai_charsmap *map, sorai_mem *mem, const void *data, size_t n, const char *file,
                        sora_error *err);
void sorai_charsmap_release(sorai_charsmap *map); /* a zeroed one is fine */

/* Adds the normalised text (UTF-8) to out. false: no memory. */
bool sorai_charsmap_apply(const sorai_charsmap *map, const char *text, size_t n, sorai_buffer *out);

#endif
