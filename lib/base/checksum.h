/* The 64-bit checksum of files: XXH64 (a public specification), which finds damage, not malice. */
#ifndef SORAI_BASE_CHECKSUM_H
#define SORAI_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of n bytes (NULL is fine when n is 0). Same on every machine. Any thread. */
uint64_t sorai_checksum(const void *data, size_t n);

/* The same in pieces: begin, add any number of times, end. */
typedef struct sorai_checksum_state {
    uint64_t lane[4], total;
    unsigned char tail[32];
    size_t tail_size;
} sorai_checksum_state;

void sorai_checksum_begin(sorai_checksum_state *state);
void sorai_checksum_add(sorai_checksum_state *state, const void *data, size_t n);
uint64_t sorai_checksum_end(const sorai_checksum_state *state);

#endif
