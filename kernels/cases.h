/* Cases: random arguments for the checks and the benchmarks of every kernel row. One file kernels/<op>/<op>_cases.c per folder defines
 *
 *     int sorak_cases_<operation>(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index);
 *
 * for each of its operations. It fills *c for case `index` and returns 1, or returns 0 when there are no more. bench = 0: shapes that
 * break things (1, tails, odd strides), some dozens, each small (milliseconds in scalar code); bench = 1: a few real model sizes, which
 * are timed, and also checked when they are not too large. The same (dtype, bench, index) must ask for the same sequence of numbers.
 *
 * All memory comes from the maker, lies on 64 bytes, has guard bands on both sides and lives until the case is over. Inputs must not
 * change when the kernel runs; outputs are compared as a whole with what the reference leaves there, so that padding inside of them
 * (strides) must stay untouched too. The checker runs the reference once, then the row in one piece and in random splits of its units
 * (the bits must be the same), each time with fresh outputs. Not part of libsora. */
#ifndef SORAK_CASES_H
#define SORAK_CASES_H

#include "kernels/kernel.h"

typedef struct sorak_maker sorak_maker;

typedef struct sorak_case {
    const void *args;   /* of the operation; from sorak_make_args */
    int64_t units;      /* sorak_<op>_units(args) */
    double flops;       /* for GFLOP/s; 0: the operation is measured in bytes */
    double bytes;       /* read and written at least, for GB/s */
    double tol_scale;   /* multiplies the row's atol (and its square the nmse); 0 is read as 1 */
    char text[96];      /* the shape, e.g. "m=320 n=256 k=1024" */
} sorak_case;

typedef int sorak_case_fn(sorak_maker *m, sorak_case *c, int dtype, int bench, int64_t index);

/* Random numbers. */
uint64_t sorak_make_u64(sorak_maker *m);
int64_t sorak_make_int(sorak_maker *m, int64_t lowest, int64_t highest); /* both included */
double sorak_make_real(sorak_maker *m, double lowest, double highest);

/* Zeroed memory for the args struct or anything else that belongs to the case; also for inputs that the case fills itself (then call
 * sorak_make_input_done afterwards if changes by the kernel shall be found). */
void *sorak_make_args(sorak_maker *m, size_t size);
void *sorak_make_bytes(sorak_maker *m, size_t size);

/* Inputs. sorak_make_f32: uniform in +-1 with some +0, -0, denormals and exact ones in between; _range: uniform, nothing special.
 * bf16 and f16 as _f32, rounded. */
float *sorak_make_f32(sorak_maker *m, int64_t count);
float *sorak_make_f32_range(sorak_maker *m, int64_t count, double lowest, double highest);
/* As _f32 for checks; uniform in +-1 for benchmarks: denormals cost a hundred times more, and models hardly see any. */
float *sorak_make_values(sorak_maker *m, int bench, int64_t count);
uint16_t *sorak_make_bf16(sorak_maker *m, int64_t count);
uint16_t *sorak_make_f16(sorak_maker *m, int64_t count);
/* Weights in any type of kernels/stored.h, all finite, in +-1 or little more; `count` of whole blocks. */
const void *sorak_make_stored(sorak_maker *m, int dtype, int64_t count);
int32_t *sorak_make_i32(sorak_maker *m, int64_t count, int32_t lowest, int32_t highest);
int64_t *sorak_make_i64(sorak_maker *m, int64_t count, int64_t lowest, int64_t highest);

/* Outputs: begin as NaN (bytes 0xff). _inout: begin as random values, for what is accumulated or changed in place. 16-bit ones are
 * compared as bf16 or f16, bytes exactly. At most 8 per case. */
float *sorak_make_out_f32(sorak_maker *m, int64_t count);
float *sorak_make_inout_f32(sorak_maker *m, int64_t count);
double *sorak_make_out_f64(sorak_maker *m, int64_t count);
uint16_t *sorak_make_out_bf16(sorak_maker *m, int64_t count);
uint16_t *sorak_make_out_f16(sorak_maker *m, int64_t count);
void *sorak_make_out_bytes(sorak_maker *m, size_t size);

/* Marks memory of sorak_make_bytes as an input, as it is now. */
void sorak_make_input_done(sorak_maker *m, const void *ptr);

/* For cases whose input is another operation's output: runs the reference row of it, all units. */
void sorak_make_run_ref(int op, int dtype, const void *args, int64_t units);

float sorak_f16_to_f32(uint16_t v);
uint16_t sorak_f32_to_f16(float f); /* nearest even */

/* --- used by the checker and the benchmark ------------------------------------------------------------------------------- */

enum sorak_kind { SORAK_KIND_F32, SORAK_KIND_F64, SORAK_KIND_BF16, SORAK_KIND_F16, SORAK_KIND_BYTES };

typedef struct sorak_block {
    unsigned char *base, *data; /* base: with guard band */
    size_t size;
    int kind, output, input;
    uint64_t hash;              /* of an input */
    unsigned char *initial, *expected, *first; /* copies of an output */
    struct sorak_block *next;
} sorak_block;

struct sorak_maker {
    uint64_t state[2];
    sorak_block *blocks;
    int outputs;
};

void sorak_maker_init(sorak_maker *m, uint64_t seed);
void sorak_maker_release(sorak_maker *m);
int sorak_maker_guards_ok(const sorak_maker *m); /* guard bands untouched and inputs unchanged: NULL-free 1, else 0 */

/* All case functions by operation; NULL where there is none. */
extern sorak_case_fn *const sorak_case_table[SK_OP_COUNT];

#endif
