/* bench/kernels [OPERATION] [--row=NAME] [--ms=N] [--ceilings=THREADS]
 *
 * Times every row of the kernel table on its real model sizes, one thread, and prints GFLOP/s or GB/s and the share of the ceiling measured
 * in the same run: for arithmetic what the row's instruction set does out of registers, for the others the bandwidth of copying
 * memory. Times are processor times of the thread, best of several, with arguments as warm as a repeated call leaves them.
 *
 * --ceilings=THREADS prints what so many threads reach together by the clock and nothing else: tiles=.. bf16=.. f32=.. (GFLOP/s). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/cases.h"
#include "lib/backend/iface.h"
#include "test/bench/kernels/ceiling.h"

double bench_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double bench_peak_f32_generic(int64_t rounds) {
    volatile float start = 1e-3f;
    float a[8] = {0}, x = start;
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < 8; i++)
            a[i] += x * x;
    start = a[0] + a[1] + a[2] + a[3] + a[4] + a[5] + a[6] + a[7];
    return (double)rounds * 16;
}

static double peak(double (*run)(int64_t)) {
    double best = 0;
    for (int i = 0; i < 5; i++) {
        const double t = bench_seconds(), flops = run(400000), rate = flops / (bench_seconds() - t) * 1e-9;
        best = rate > best ? rate : best;
    }
    return best;
}

typedef struct together {
    double (*run)(int64_t);
    double flops, begin, end;
} together;

static double clock_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *one_of_many(void *arg) {
    together *t = arg;
    t->begin = clock_seconds();
    t->flops = t->run(400000);
    t->end = clock_seconds();
    return NULL;
}

/* Of `threads` threads at the same time. */
static double peak_together(double (*run)(int64_t), int threads) {
    together of[64];
    pthread_t thread[64];
    double best = 0;
    for (int round = 0; round < 4; round++) {
        double flops = 0, begin = 1e30, end = 0;
        int started = 0;
        for (; started < threads; started++) {
            of[started].run = run;
            if (pthread_create(&thread[started], NULL, one_of_many, &of[started]) != 0)
                break;
        }
        for (int i = 0; i < started; i++) {
            pthread_join(thread[i], NULL);
            flops += of[i].flops;
            begin = of[i].begin < begin ? of[i].begin : begin;
            end = of[i].end > end ? of[i].end : end;
        }
        const double rate = end > begin ? flops / (end - begin) * 1e-9 : 0;
        best = rate > best ? rate : best;
    }
    return best;
}

static int print_ceilings(int threads) {
    double tiles = 0, bf16 = 0, f32 = 0;
    if (threads < 1 || threads > 64)
        return 2;
#if defined(__x86_64__)
    const uint32_t flags = sorai_cpu_flags();
    if (flags & SK_CPU_AMXBF16)
        tiles = peak_together(bench_peak_bf16_amx, threads);
    if (flags & SK_CPU_AVX512BF16)
        bf16 = peak_together(bench_peak_bf16_avx512bf16, threads);
    if (flags & SK_CPU_AVX2)
        f32 = peak_together(flags & SK_CPU_AVX512 ? bench_peak_f32_avx512 : bench_peak_f32_avx2, threads);
#else
    f32 = peak_together(bench_peak_f32_generic, threads);
#endif
    printf("tiles=%.1f bf16=%.1f f32=%.1f\n", tiles, bf16, f32);
    return 0;
}

/* Bytes read and written by copying far more than any cache holds. */
static double bandwidth(size_t size) {
    char *a = malloc(size), *b = malloc(size);
    double best = 0;
    if (a && b) {
        memset(a, 1, size);
        memset(b, 2, size);
        for (int i = 0; i < 4; i++) {
            const double t = bench_seconds();
            memcpy(i & 1 ? a : b, i & 1 ? b : a, size);
            const double rate = 2 * (double)size / (bench_seconds() - t) * 1e-9;
            best = rate > best ? rate : best;
        }
    }
    free(a);
    free(b);
    return best;
}

typedef struct ceilings {
    double ref, avx2, avx512, bf16, amx, vnni, amx8, memory;
} ceilings;

static double ceiling_of(const ceilings *c, const sorak_row *row) {
    if (row->need & SK_CPU_AMXBF16)
        return row->dtype == SK_DT_i8 ? c->amx8 : c->amx;
    if (row->need & SK_CPU_AVX512VNNI)
        return c->vnni;
    if (row->need & SK_CPU_AVX512BF16)
        return c->bf16;
    if (row->need & SK_CPU_AVX512)
        return c->avx512;
    return row->need & SK_CPU_AVX2 ? c->avx2 : c->ref;
}

int main(int argc, char **argv) {
    const char *only_op = NULL, *only_row = NULL;
    double budget = 0.1;
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "--row=", 6))
            only_row = argv[i] + 6;
        else if (!strncmp(argv[i], "--ms=", 5))
            budget = atof(argv[i] + 5) * 1e-3;
        else if (!strncmp(argv[i], "--ceilings=", 11))
            return print_ceilings(atoi(argv[i] + 11));
        else if (argv[i][0] != '-')
            only_op = argv[i];
        else {
            fprintf(stderr, "usage: kernels [OPERATION] [--row=NAME] [--ms=N] [--ceilings=THREADS]\n");
            return 2;
        }
    }
    const uint32_t flags = sorai_cpu_flags();
    ceilings c = {0};
    c.ref = peak(bench_peak_f32_generic);
    c.memory = bandwidth((size_t)256 << 20);
#if defined(__x86_64__)
    if (flags & SK_CPU_AVX2)
        c.avx2 = peak(bench_peak_f32_avx2);
    if (flags & SK_CPU_AVX512)
        c.avx512 = peak(bench_peak_f32_avx512);
    if (flags & SK_CPU_AVX512BF16)
        c.bf16 = peak(bench_peak_bf16_avx512bf16);
    if (flags & SK_CPU_AMXBF16)
        c.amx = peak(bench_peak_bf16_amx);
    if (flags & SK_CPU_AVX512VNNI)
        c.vnni = peak(bench_peak_i8_avx512vnni);
    if (flags & SK_CPU_AMXBF16)
        c.amx8 = peak(bench_peak_i8_amx);
#endif
    printf("ceilings, one thread: scalar %.1f, f32 AVX2 %.1f, f32 AVX-512 %.1f, bf16 AVX512-BF16 %.1f, bf16 AMX %.1f, int8 VNNI %.1f, int8 AMX %.1f GFLOP/s; copy %.1f GB/s\n",
           c.ref, c.avx2, c.avx512, c.bf16, c.amx, c.vnni, c.amx8, c.memory);
    void *scratch = aligned_alloc(64, SORAK_SCRATCH);
    if (!scratch)
        return 3;
    for (size_t r = 0; r < sorak_table_len; r++) {
        const sorak_row *row = &sorak_table[r];
        sorak_case_fn *make = sorak_case_table[row->op];
        if ((only_op && strcmp(only_op, sorak_op_name(row->op))) || (only_row && strcmp(only_row, row->name)) || row->dev != SK_DEV_cpu ||
            !make || (row->prio == 0 && !only_row))
            continue;
        if (row->need & ~flags) {
            printf("%-30s SKIP: this machine cannot run it\n", row->name);
            continue;
        }
        for (int64_t index = 0;; index++) {
            sorak_maker m;
            sorak_case k;
            memset(&k, 0, sizeof k);
            sorak_maker_init(&m, (uint64_t)index + 1);
            if (!make(&m, &k, row->dtype, 1, index)) {
                sorak_maker_release(&m);
                break;
            }
            const sorak_env nothing = {0, 0, NULL}, all = {0, k.units, scratch};
            if (row->fn(k.args, &nothing) == 0) {
                double best = 1e30, total = 0;
                for (int i = 0; i < 3 || (total < budget && i < 1000); i++) {
                    const double t = bench_seconds();
                    row->fn(k.args, &all);
                    const double took = bench_seconds() - t;
                    total += took;
                    best = took < best ? took : best;
                }
                const double rate = (k.flops > 0 ? k.flops : k.bytes) / best * 1e-9;
                const double share = rate / (k.flops > 0 ? ceiling_of(&c, row) : c.memory);
                printf("%-30s %-44s %9.3f ms %8.1f %s %4.0f%%\n", row->name, k.text, best * 1e3, rate, k.flops > 0 ? "GFLOP/s" : "GB/s   ",
                       share * 100);
                fflush(stdout);
            }
            sorak_maker_release(&m);
        }
    }
    free(scratch);
    return 0;
}
