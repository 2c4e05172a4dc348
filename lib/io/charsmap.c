#include "lib/io/charsmap.h"

#include <string.h>

#include "lib/base/utf8.h"
#include "lib/io/grapheme.h"

#define SHORT_CLUSTER 6 /* only shorter clusters are looked up whole */

int sorai_charsmap_open(sorai_charsmap *map, sorai_mem *mem, const void *data, size_t n, const char *file,
                        sora_error *err) {
    const unsigned char *p = data;
    memset(map, 0, sizeof *map);
    if (n < 4) return sorai_fail(err, SORA_E_FORMAT, "%.300s: precompiled_charsmap is cut short", file);
    const size_t trie = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    if (trie > n - 4 || trie % 4 || trie == 0)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: precompiled_charsmap: its trie of %zu bytes is not inside", file,
                          trie);
    map->mem = mem;
    map->unit_count = trie / 4;
    map->text_size = n - 4 - trie;
    map->units = sorai_alloc(mem, trie);
    map->texts = sorai_alloc(mem, map->text_size);
    if (!map->units || !map->texts) {
        sorai_charsmap_release(map);
        return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory for precompiled_charsmap", file);
    }
    for (size_t i = 0; i < map->unit_count; i++)
        map->units[i] = (uint32_t)p[4 + i * 4] | (uint32_t)p[5 + i * 4] << 8 | (uint32_t)p[6 + i * 4] << 16 |
                        (uint32_t)p[7 + i * 4] << 24;
    if (map->text_size) memcpy(map->texts, p + 4 + trie, map->text_size);
    return SORA_OK;
}

void sorai_charsmap_release(sorai_charsmap *map) {
    if (map->mem) {
        sorai_free(map->mem, map->units);
        sorai_free(map->mem, map->texts);
    }
    memset(map, 0, sizeof *map);
}

/* How a unit of the double array says where its children are. */
static uint32_t offset_of(uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); }

/* The replacement of the shortest entry that the key begins with; NULL: none. */
static const char *lookup(const sorai_charsmap *map, const char *key, size_t n, size_t *length) {
    size_t at = offset_of(map->units[0]);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)key[i];
        if (c == 0) return NULL;
        at ^= c;
        if (at >= map->unit_count) return NULL;
        const uint32_t unit = map->units[at];
        if ((unit & (1u << 31 | 0xFFu)) != c) return NULL;
        at ^= offset_of(unit);
        if (unit >> 8 & 1) {
            if (at >= map->unit_count) return NULL;
            const size_t text = map->units[at] & 0x7FFFFFFFu;
            if (text >= map->text_size) return NULL;
            const char *end = memchr(map->texts + text, 0, map->text_size - text);
            *length = end ? (size_t)(end - (map->texts + text)) : map->text_size - text;
            return sorai_utf8_valid(map->texts + text, *length) ? map->texts + text : NULL;
        }
    }
    return NULL;
}

bool sorai_charsmap_apply(const sorai_charsmap *map, const char *text, size_t n, sorai_buffer *out) {
    for (size_t at = 0; at < n;) {
        const size_t cluster = sorai_grapheme_next(text + at, n - at);
        size_t length;
        const char *to = cluster < SHORT_CLUSTER ? lookup(map, text + at, cluster, &length) : NULL;
        if (to) {
            if (!sorai_buffer_add(out, to, length)) return false;
        } else
            for (size_t i = 0; i < cluster;) {
                uint32_t cp;
                size_t width = sorai_utf8_decode(text + at + i, cluster - i, &cp);
                if (!width) width = 1;
                to = lookup(map, text + at + i, width, &length);
                if (!(to ? sorai_buffer_add(out, to, length) : sorai_buffer_add(out, text + at + i, width)))
                    return false;
                i += width;
            }
        at += cluster;
    }
    return true;
}
