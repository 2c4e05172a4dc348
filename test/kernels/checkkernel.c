/* checkkernel [--op=NAME | NAME] [--row=NAME] [--require=SET,...] [--seed=N] [--verbose]
 *
 * Compares every row of the kernel table (not only the best one) with the reference of its operation and type, on random shapes and
 * values: elementwise tolerance that catches NaN, normalised squared error over each output, guard bands, unchanged inputs, and the same
 * bits however the units are split. A row that this machine cannot run prints SKIP; --require=amx turns that into a failure.
 *
 * Then the same for what the plugin libsora-blas.so, beside the build, computes by itself: with one, two and five threads, and once more
 * as on a processor without vector rows. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/attention/attention.h"
#include "kernels/cases.h"
#include "kernels/conv3d/conv3d.h"
#include "lib/backend/context.h"
#include "lib/backend/host_device.h"

#define MAX_CHECK_FLOPS 1.2e8 /* a real model size beyond this takes too long in scalar code */

static const char *only_op, *only_row, *required = "";
static int verbose;
static uint64_t seed = 1;
static uint32_t flags;
static void *scratch;

static int need_named(const char *set, uint32_t need) {
    static const struct {
        const char *name;
        uint32_t bit;
    } names[] = {{"avx2", SK_CPU_AVX2}, {"avx512", SK_CPU_AVX512}, {"avx512bf16", SK_CPU_AVX512BF16}, {"avx512vnni", SK_CPU_AVX512VNNI}, {"amx", SK_CPU_AMXBF16}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i].name);
        for (const char *p = set; (p = strstr(p, names[i].name)) != NULL; p += n)
            if ((p == set || p[-1] == ',') && (p[n] == 0 || p[n] == ',') && (need & names[i].bit))
                return 1;
    }
    return 0;
}

static void run(const sorak_row *row, const void *args, int64_t begin, int64_t end) {
    sorak_env env = {begin, end, scratch};
    memset(scratch, 0xff, 4096); /* its contents are undefined: NaN here */
    if (row->fn(args, &env) != 0 && begin != end) {
        printf("FAIL  %s: accepted the arguments, then refused to run\n", row->name);
        exit(1);
    }
}

/* In random pieces, in random order. */
static void run_split(const sorak_row *row, const void *args, int64_t units, uint64_t salt) {
    sorak_maker r;
    sorak_maker_init(&r, salt);
    int64_t cuts[9] = {0}, n = 1;
    while (n < 8 && units > 1 && cuts[n - 1] < units) {
        int64_t left = units - cuts[n - 1], step = sorak_make_int(&r, 1, left > 3 ? (left + 1) / 2 : left);
        cuts[n] = cuts[n - 1] + step;
        n++;
    }
    if (cuts[n - 1] < units)
        cuts[n++] = units;
    int64_t parts = n - 1, first = parts > 0 ? sorak_make_int(&r, 0, parts - 1) : 0;
    for (int64_t i = 0; i < parts; i++) {
        int64_t p = (first + (parts - i)) % parts;
        run(row, args, cuts[p], cuts[p + 1]);
    }
}

static void reset_outputs(sorak_maker *m) {
    for (sorak_block *b = m->blocks; b; b = b->next)
        if (b->output)
            memcpy(b->data, b->initial, b->size);
}

static double value(const sorak_block *b, const unsigned char *p, size_t i) {
    uint16_t h;
    float f;
    double d;
    switch (b->kind) {
    case SORAK_KIND_F32: memcpy(&f, p + 4 * i, 4); return (double)f;
    case SORAK_KIND_F64: memcpy(&d, p + 8 * i, 8); return d;
    case SORAK_KIND_BF16: memcpy(&h, p + 2 * i, 2); return (double)sorak_bf16_to_f32(h);
    case SORAK_KIND_F16: memcpy(&h, p + 2 * i, 2); return (double)sorak_f16_to_f32(h);
    default: return p[i];
    }
}

/* NULL when equal enough, else what is wrong. */
static const char *compare(const sorak_block *b, const sorak_tol *tol, double scale, double *worst_nmse) {
    static char text[160];
    size_t width = b->kind == SORAK_KIND_F32 ? 4 : b->kind == SORAK_KIND_F64 ? 8 : b->kind == SORAK_KIND_BYTES ? 1 : 2;
    double d2 = 0, r2 = 0;
    for (size_t i = 0; i < b->size / width; i++) {
        if (!memcmp(b->data + width * i, b->expected + width * i, width)) {
            double v = value(b, b->expected, i);
            r2 += isfinite(v) ? v * v : 0;
            continue;
        }
        double got = value(b, b->data, i), want = value(b, b->expected, i), d = fabs(got - want);
        if (!(d <= tol->atol * scale + tol->rtol * fabs(want))) {
            snprintf(text, sizeof text, "element %zu of %zu: %.9g, reference %.9g", i, b->size / width, got, want);
            return text;
        }
        d2 += d * d;
        r2 += want * want;
    }
    if (!(d2 <= tol->nmse * scale * scale * r2) && d2 > 1e-60) {
        snprintf(text, sizeof text, "squared error %.3g of the reference's square, allowed %.3g", d2 / r2, tol->nmse * scale * scale);
        return text;
    }
    if (r2 > 0 && d2 / r2 > *worst_nmse)
        *worst_nmse = d2 / r2;
    return NULL;
}

static const sorak_row *reference_of(const sorak_row *row) {
    for (size_t i = 0; i < sorak_table_len; i++) {
        const sorak_row *r = &sorak_table[i];
        if (r->op == row->op && r->dtype == row->dtype && r->dev == SK_DEV_cpu && r->prio == 0)
            return r;
    }
    return NULL;
}

static int check_case(const sorak_row *row, const sorak_row *ref, sorak_maker *m, const sorak_case *c, double *nmse) {
    const char *problem = NULL;
    double scale = c->tol_scale > 0 ? c->tol_scale : 1;
    run(ref, c->args, 0, c->units);
    for (sorak_block *b = m->blocks; b; b = b->next)
        if (b->output)
            memcpy(b->expected, b->data, b->size);
    reset_outputs(m);
    run(row, c->args, 0, c->units);
    for (sorak_block *b = m->blocks; b && !problem; b = b->next)
        if (b->output) {
            memcpy(b->first, b->data, b->size);
            problem = compare(b, &row->tol, scale, nmse);
        }
    for (uint64_t salt = 1; salt <= 2 && !problem; salt++) {
        reset_outputs(m);
        run_split(row, c->args, c->units, salt * 77 + (uint64_t)c->units);
        for (sorak_block *b = m->blocks; b && !problem; b = b->next)
            if (b->output && memcmp(b->first, b->data, b->size))
                problem = "the bits depend on how the units are split";
    }
    if (!problem && !sorak_maker_guards_ok(m))
        problem = "wrote outside of an output, or changed an input";
    if (problem)
        printf("FAIL  %s (%s): %s\n", row->name, c->text, problem);
    return problem == NULL;
}

/* Checks one row; returns the number of failures. */
static int check_row(const sorak_row *row) {
    const sorak_row *ref = reference_of(row);
    sorak_case_fn *make = sorak_case_table[row->op];
    int64_t done = 0, refused = 0;
    int failed = 0;
    double nmse = 0;
    if (row->need & ~flags) {
        if (need_named(required, row->need & ~flags)) {
            printf("FAIL  %s: this machine lacks what --require asks for\n", row->name);
            return 1;
        }
        printf("SKIP  %s: this machine cannot run it\n", row->name);
        return 0;
    }
    if (!ref || !make) {
        printf("FAIL  %s: %s\n", row->name, ref ? "no cases" : "no reference row");
        return 1;
    }
    for (int bench = 0; bench <= (row != ref) && failed < 5; bench++) {
        for (int64_t index = 0; failed < 5; index++) {
            sorak_maker m;
            sorak_case c;
            memset(&c, 0, sizeof c);
            sorak_maker_init(&m, seed * 1000003u + (uint64_t)(index * 2 + bench));
            if (!make(&m, &c, row->dtype, bench, index)) {
                sorak_maker_release(&m);
                break;
            }
            sorak_env nothing = {0, 0, NULL};
            if (row->fn(c.args, &nothing) != 0) {
                refused++;
            } else if (!bench || (c.flops <= MAX_CHECK_FLOPS && c.bytes <= MAX_CHECK_FLOPS)) {
                if (verbose)
                    printf("      %s: %s\n", row->name, c.text);
                failed += !check_case(row, ref, &m, &c, &nmse);
                done++;
            }
            sorak_maker_release(&m);
        }
    }
    if (!failed && done == 0) {
        printf("FAIL  %s: took none of the cases\n", row->name);
        return 1;
    }
    if (!failed)
        printf("ok    %-32s %3lld cases, %lld not taken, nmse %.2g\n", row->name, (long long)done, (long long)refused, nmse);
    fflush(stdout);
    return failed;
}

/* One case on the same device under several numbers of threads; NULL when right. */
static const char *check_on_devices(sorai_device *const *devices, int count, const sorak_row *ref, const sorak_tol *tol, sorak_maker *m,
                                    const sorak_case *c, double *nmse) {
    const char *problem = NULL;
    run(ref, c->args, 0, c->units);
    for (sorak_block *b = m->blocks; b; b = b->next)
        if (b->output)
            memcpy(b->expected, b->data, b->size);
    for (int i = 0; i < count && !problem; i++) {
        reset_outputs(m);
        if (devices[i]->run(devices[i], ref->op, ref->dtype, c->args, c->units) != SORA_OK)
            problem = "could not be run";
        for (sorak_block *b = m->blocks; b && !problem; b = b->next) {
            if (!b->output)
                continue;
            if (i > 0 && memcmp(b->first, b->data, b->size))
                problem = "the bits depend on the number of threads";
            else if (i == 0)
                problem = compare(b, tol, c->tol_scale > 0 ? c->tol_scale : 1, nmse);
            memcpy(b->first, b->data, b->size);
        }
    }
    return !problem && !sorak_maker_guards_ok(m) ? "wrote outside of an output, or changed an input" : problem;
}

/* Sums so long that the plugin cuts them, which those of the operations' own cases are not. */
static int long_case(sorak_maker *m, sorak_case *c, int op) {
    if (op == SK_OP_gemm) {
        sorak_gemm_args *a = sorak_make_args(m, sizeof *a);
        *a = (sorak_gemm_args){.m = 40, .n = 100, .k = 9000, .a_row = 9000, .a_col = 1, .ldc = 100, .scale = 1};
        a->a = sorak_make_f32(m, a->m * a->k);
        a->b = sorak_make_f32(m, (int64_t)sorak_gemm_packed_bytes(SK_DT_f32, a->n, a->k, 1) / 4);
        a->bias = sorak_make_f32(m, a->n);
        a->c = sorak_make_out_f32(m, a->m * a->n);
        *c = (sorak_case){.args = a, .units = sorak_gemm_units(a), .tol_scale = 12};
    } else if (op == SK_OP_conv3d) {
        sorak_conv3d_args *a = sorak_make_args(m, sizeof *a);
        *a = (sorak_conv3d_args){.b = 1, .tp = 3, .hp = 10, .wp = 10, .cp = 400, .to = 3, .ho = 8, .wo = 8, .co = 40, .kt = 3, .kh = 3, .kw = 3,
                                 .st = 1, .sh = 1, .sw = 1, .front_t = 2};
        a->x = sorak_make_f32(m, a->tp * a->hp * a->wp * a->cp);
        a->w = sorak_make_f32(m, (int64_t)sorak_gemm_packed_bytes(SK_DT_f32, a->co, a->kw * a->cp, a->kt * a->kh) / 4);
        a->y = sorak_make_out_f32(m, a->to * a->ho * a->wo * a->co);
        *c = (sorak_case){.args = a, .units = sorak_conv3d_units(a), .tol_scale = 13};
    } else if (op == SK_OP_conv3d_dw) {
        sorak_conv3d_dw_args *a = sorak_make_args(m, sizeof *a);
        *a = (sorak_conv3d_dw_args){.chunks = 1, .b = 1, .tp = 2, .hp = 50, .ci = 192, .to = 2, .ho = 50, .wo = 64, .co = 8, .kt = 2, .kh = 1,
                                    .kw = 1, .st = 1, .sh = 1, .sw = 1, .front_t = 1};
        a->wp = sorak_conv3d_dw_width(a->wo, a->wo, a->kw, a->sw);
        a->x = sorak_make_f32(m, a->tp * a->hp * a->ci * a->wp);
        a->dy = sorak_make_f32(m, (int64_t)sorak_gemm_packed_bytes(SK_DT_f32, a->co, a->wo, a->b * a->to * a->ho) / 4);
        a->partial = sorak_make_out_f32(m, a->kt * a->ci * a->co);
        *c = (sorak_case){.args = a, .units = sorak_conv3d_dw_units(a), .tol_scale = 10};
    } else if (op == SK_OP_attention) {
        sorak_attention_args *a = sorak_make_args(m, sizeof *a);
        *a = (sorak_attention_args){.q_stride = {0, 16, 16}, .k_stride = {0, 16, 16}, .v_stride = {0, 16, 16}, .batch = 1, .heads = 1, .lq = 5,
                                    .lk = 2500, .d = 16, .scale = 3};
        a->q = sorak_make_f32(m, a->lq * a->d);
        a->k = sorak_make_f32(m, a->lk * a->d);
        a->v = sorak_make_f32(m, a->lk * a->d);
        a->out = sorak_make_out_f32(m, a->lq * a->d);
        a->lse = sorak_make_out_f32(m, a->lq);
        *c = (sorak_case){.args = a, .units = sorak_attention_units(a), .tol_scale = 2};
    } else {
        return 0;
    }
    snprintf(c->text, sizeof c->text, "long sums");
    return 1;
}

#define DEVICES 3
typedef struct plugin_devices {
    sora_context *contexts[DEVICES];
    sorai_device *devices[DEVICES];
} plugin_devices;

static int check_plugin_op(const plugin_devices *p, const char *how, int op, const sorak_tol *tol, int own) {
    const int dtype = SK_DT_f32;
    sorak_row wanted = {.op = op, .dtype = dtype};
    const sorak_row *ref = reference_of(&wanted);
    int failed = 0;
    int64_t done = 0;
    double nmse = 0;
    if ((only_op && strcmp(only_op, sorak_op_name(op))) || !ref || !sorak_case_table[op])
        return 0;
    for (int bench = 0; bench <= 2; bench++) /* 2: the one that is not the operation's */
        for (int64_t index = 0; failed < 5; index++) {
            sorak_maker m;
            sorak_case c;
            memset(&c, 0, sizeof c);
            sorak_maker_init(&m, seed * 1000003u + (uint64_t)(index * 2 + bench));
            if (bench == 2 ? index > 0 || !long_case(&m, &c, op) : !sorak_case_table[op](&m, &c, dtype, bench, index)) {
                sorak_maker_release(&m);
                break;
            }
            if (!bench || (c.flops <= MAX_CHECK_FLOPS && c.bytes <= MAX_CHECK_FLOPS)) {
                const char *problem = check_on_devices(p->devices, DEVICES, ref, tol, &m, &c, &nmse);
                if (problem) {
                    printf("FAIL  blas, %s, %s (%s): %s\n", how, sorak_op_name(op), c.text, problem);
                    failed++;
                }
                done++;
            }
            sorak_maker_release(&m);
        }
    /* The reference's own bits would mean that its row ran. */
    if (!failed && own && nmse == 0) {
        printf("FAIL  blas, %s, %s: left to the rows\n", how, sorak_op_name(op));
        failed++;
    }
    if (!failed)
        printf("ok    blas, %s, %s: %lld cases, nmse %.2g\n", how, sorak_op_name(op), (long long)done, nmse);
    fflush(stdout);
    return failed;
}

/* Returns the number of failures. */
static int check_plugin(const char *program) {
    static const int threads[DEVICES] = {1, 2, 5};
    static const struct {
        int op;
        sorak_tol tol; /* what the vector rows are allowed */
    } products[] = {{SK_OP_gemm, {1e-5, 4e-6, 1e-11}},
                    {SK_OP_gemm_stored, {1e-5, 4e-6, 1e-11}},
                    {SK_OP_conv3d, {1e-5, 4e-6, 1e-11}},
                    {SK_OP_conv3d_dw, {1e-5, 4e-6, 1e-11}},
                    {SK_OP_attention, {1e-5, 1e-5, 1e-12}},
                    {SK_OP_attention_bwd_dq, {2e-5, 2e-5, 1e-11}},
                    {SK_OP_attention_bwd_dkv, {2e-5, 2e-5, 1e-11}}};
    plugin_devices p = {{0}, {0}};
    const char *slash = strrchr(program, '/');
    char path[1024];
    int failed = 0;
    snprintf(path, sizeof path, "%.*s/../libsora-blas.so", slash ? (int)(slash - program) : 1, slash ? program : ".");
    FILE *there = fopen(path, "rb");
    if (!there) {
        printf("SKIP  blas: %s is not built\n", path);
        return 0;
    }
    fclose(there);
    for (int i = 0; i < DEVICES && !failed; i++) {
        const sorai_context_config config = {.threads = threads[i]};
        sora_error err = {.struct_size = sizeof err};
        if (sorai_context_create(&p.contexts[i], &config, &err) != SORA_OK ||
            sorai_context_load_backend(p.contexts[i], path, &err) != SORA_OK ||
            !(p.devices[i] = sorai_context_device(p.contexts[i], "blas"))) {
            printf("FAIL  blas: %s\n", err.message);
            failed++;
        }
    }
    if (!failed)
        failed += check_plugin_op(&p, "as it is", SK_OP_gemm, &products[0].tol, 0);
    for (int i = 0; i < DEVICES && !failed; i++) { /* as opened where the processor has none of the features */
        sorai_host_device *const dev = (sorai_host_device *)p.devices[i];
        dev->flags = 0;
        for (int op = 0; op < SK_OP_COUNT; op++)
            for (int dtype = 0; dtype < SK_DT_COUNT; dtype++)
                if (dev->known[op][dtype])
                    dev->known[op][dtype] = reference_of(dev->known[op][dtype]);
    }
    for (size_t i = 0; i < sizeof products / sizeof *products && !failed; i++)
        failed += check_plugin_op(&p, "no vector rows", products[i].op, &products[i].tol, 1);
    for (int i = 0; i < DEVICES; i++)
        sorai_context_unref(&p.contexts[i]);
    return failed;
}

int main(int argc, char **argv) {
    int failed = 0, rows = 0;
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "--op=", 5))
            only_op = argv[i] + 5;
        else if (!strncmp(argv[i], "--row=", 6))
            only_row = argv[i] + 6;
        else if (!strncmp(argv[i], "--require=", 10))
            required = argv[i] + 10;
        else if (!strncmp(argv[i], "--seed=", 7))
            seed = strtoull(argv[i] + 7, NULL, 10);
        else if (!strcmp(argv[i], "--verbose"))
            verbose = 1;
        else if (argv[i][0] != '-')
            only_op = argv[i];
        else {
            fprintf(stderr, "usage: checkkernel [OPERATION] [--row=NAME] [--require=avx2,avx512,avx512bf16,avx512vnni,amx] [--seed=N] [--verbose]\n");
            return 2;
        }
    }
    flags = sorai_cpu_flags();
    scratch = aligned_alloc(64, SORAK_SCRATCH);
    if (!scratch)
        return 3;
    for (size_t i = 0; i < sorak_table_len; i++) {
        const sorak_row *row = &sorak_table[i];
        if ((only_op && strcmp(only_op, sorak_op_name(row->op))) || (only_row && strcmp(only_row, row->name)) ||
            row->dev != SK_DEV_cpu)
            continue;
        failed += check_row(row);
        rows++;
    }
    if (!only_row)
        failed += check_plugin(argv[0]);
    printf("%d rows, %d failures\n", rows, failed);
    free(scratch);
    if (!rows)
        fprintf(stderr, "checkkernel: nothing of that name\n");
    return failed || !rows;
}
