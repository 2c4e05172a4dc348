/* Counter-based random numbers (Philox 4x32-10): number i of a stream is a pure function of seed, stream and i, so the
 * order of calls, threads and machines don't matter. Normal numbers use only operations that IEEE 754 rounds exactly
 * (no libm), so they are bit-identical everywhere too. Not for secrets. Any thread (a sorai_rng belongs to one at a
 * time). */
#ifndef SORAI_BASE_RNG_H
#define SORAI_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* 128 random bits: block `index` of `stream`. */
void sorai_rng_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]);

/* out[i] = number first + i of the stream: standard normal (f32, |x| < 8.3), or uniform in [0, 1) with 24 bits. */
void sorai_rng_normals(uint64_t seed, uint64_t stream, uint64_t first, float *out, size_t n);
void sorai_rng_uniforms(uint64_t seed, uint64_t stream, uint64_t first, float *out, size_t n);

/* A stream number from a name (FNV-1a). */
uint64_t sorai_rng_stream(const char *name);

/* A sequence, for code that draws one number after another. Plain data: copy it to save its place. */
typedef struct sorai_rng {
    uint64_t seed, stream, index; /* index: of the next block */
    uint32_t block[4], left;      /* left: unused words of block */
} sorai_rng;

void sorai_rng_init(sorai_rng *rng, uint64_t seed, uint64_t stream);
uint32_t sorai_rng_u32(sorai_rng *rng);
uint64_t sorai_rng_u64(sorai_rng *rng);
uint32_t sorai_rng_below(sorai_rng *rng, uint32_t n); /* 0..n-1 without bias; 0 when n is 0 */
double sorai_rng_f64(sorai_rng *rng);                 /* uniform in [0, 1) */
double sorai_rng_normal(sorai_rng *rng);

#endif
