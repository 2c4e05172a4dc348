/* Counter-based random numbers: the same on every machine, any element computed alone.
 * Source: Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
#ifndef SORAI_BASE_RNG_H
#define SORAI_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* Four words for (key, counter, stream). */
void sorai_philox(uint64_t key, uint64_t counter, uint64_t stream, uint32_t out[4]);

/* Uniform in [0, 1) with 24 bits: element `index` of the stream. */
float sorai_rng_uniform(uint64_t seed, uint64_t stream, uint64_t index);
/* A 64-bit word: element `index` of the stream. */
uint64_t sorai_rng_u64(uint64_t seed, uint64_t stream, uint64_t index);

/* Standard normal values first..first+count-1 of the stream, by Box-Muller in double with arithmetic that IEEE 754 fixes to the bit
 * (own logarithm, sine and cosine; no contraction), rounded to float. */
void sorai_rng_normal(uint64_t seed, uint64_t stream, uint64_t first, float *out, size_t count);

/* A stream number from a name (FNV-1a). */
uint64_t sorai_rng_stream(const char *name);

#endif
