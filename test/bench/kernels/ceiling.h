/* What this machine can do at most: arithmetic out of registers by instruction set, and memory bandwidth. One thread. */
#ifndef BENCH_CEILING_H
#define BENCH_CEILING_H

#include <stdint.h>

#if defined(__clang__)
#define BENCH_UNROLL _Pragma("clang loop unroll(full)")
#else
#define BENCH_UNROLL _Pragma("GCC unroll 24")
#endif

double bench_seconds(void); /* of this thread's processor time: other programs do not count */

/* Each runs `rounds` rounds of independent multiply-adds in registers and returns the floating point operations done. */
double bench_peak_f32_generic(int64_t rounds);
double bench_peak_f32_avx2(int64_t rounds);
double bench_peak_f32_avx512(int64_t rounds);
double bench_peak_bf16_avx512bf16(int64_t rounds);
double bench_peak_i8_avx512vnni(int64_t rounds); /* whole numbers count too */
double bench_peak_i8_amx(int64_t rounds);
double bench_peak_bf16_amx(int64_t rounds); /* tiles fed from the second level cache */

#endif
