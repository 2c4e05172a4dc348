/* Tile registers (AMX): their configuration, for files that are compiled for it. */
#ifndef SORAK_TILES_H
#define SORAK_TILES_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

typedef struct sorak_tile_config {
    uint8_t palette, start, zero[14];
    uint16_t bytes[16]; /* of a row */
    uint8_t rows[16];
} sorak_tile_config;

/* Eight tiles of 16 rows of 64 bytes. */
static inline sorak_tile_config sorak_tiles_full(void) {
    sorak_tile_config c;
    memset(&c, 0, sizeof c);
    c.palette = 1;
    for (int i = 0; i < 8; i++) {
        c.bytes[i] = 64;
        c.rows[i] = 16;
    }
    return c;
}

/* gcc 12's _tile_loadconfig tells the compiler of the first eight bytes only; what fills the others may be left out. */
static inline void sorak_tiles_configure(const sorak_tile_config *c) { __asm__ volatile("ldtilecfg %0" ::"m"(*c)); }

/* gcc 12's _tile_loadd does not say that it reads memory: what tiles are loaded from must be written before this. */
static inline void sorak_tiles_fence(void) { __asm__ volatile("" ::: "memory"); }

#endif
