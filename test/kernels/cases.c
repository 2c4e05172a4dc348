/* Memory with guard bands and random numbers for kernel cases. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cases.h"
#include "kernels/stored.h"

#define GUARD ((size_t)256)
#define GUARD_BYTE 0xff /* NaN in every floating type: a kernel that reads it and uses it is found out */

/* An operation without a cases file is a NULL in the table, which the checker reports. */
#define SORAK_CASES_DECLARE(name) extern sorak_case_fn sorak_cases_##name __attribute__((weak));
SORAK_OPS(SORAK_CASES_DECLARE)
sorak_case_fn *const sorak_case_table[SK_OP_COUNT] = {
#define SORAK_CASES_ENTRY(name) sorak_cases_##name,
    SORAK_OPS(SORAK_CASES_ENTRY)
};

static uint64_t splitmix(uint64_t *x) {
    uint64_t z = *x += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void sorak_maker_init(sorak_maker *m, uint64_t seed) {
    memset(m, 0, sizeof *m);
    m->state[0] = splitmix(&seed);
    m->state[1] = splitmix(&seed);
}

void sorak_maker_release(sorak_maker *m) {
    for (sorak_block *b = m->blocks, *next; b; b = next) {
        next = b->next;
        free(b->base);
        free(b->initial);
        free(b->expected);
        free(b->first);
        free(b);
    }
    m->blocks = NULL;
    m->outputs = 0;
}

uint64_t sorak_make_u64(sorak_maker *m) {
    /* xorshift128+ */
    uint64_t a = m->state[0], b = m->state[1];
    m->state[0] = b;
    a ^= a << 23;
    m->state[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return m->state[1] + b;
}

int64_t sorak_make_int(sorak_maker *m, int64_t lowest, int64_t highest) {
    return lowest + (int64_t)((sorak_make_u64(m) >> 1) % (uint64_t)(highest - lowest + 1));
}

double sorak_make_real(sorak_maker *m, double lowest, double highest) {
    return lowest + (highest - lowest) * ((double)(sorak_make_u64(m) >> 11) * 0x1p-53);
}

static uint64_t hash_bytes(const unsigned char *p, size_t size) {
    uint64_t h = 0x243f6a8885a308d3u + size;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        h = (h ^ v) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    for (; size; size--)
        h = (h ^ *p++) * 0x100000001b3u;
    return h;
}

static sorak_block *add_block(sorak_maker *m, size_t size) {
    sorak_block *b = calloc(1, sizeof *b);
    size_t whole = (2 * GUARD + size + 63) / 64 * 64;
    if (b)
        b->base = aligned_alloc(64, whole);
    if (!b || !b->base) {
        fprintf(stderr, "cases: out of memory\n");
        exit(3);
    }
    memset(b->base, GUARD_BYTE, whole);
    b->data = b->base + GUARD;
    b->size = size;
    b->kind = SORAK_KIND_BYTES;
    b->next = m->blocks;
    m->blocks = b;
    return b;
}

void *sorak_make_bytes(sorak_maker *m, size_t size) {
    sorak_block *b = add_block(m, size);
    memset(b->data, 0, size);
    return b->data;
}

void *sorak_make_args(sorak_maker *m, size_t size) { return sorak_make_bytes(m, size); }

static float special(sorak_maker *m) {
    uint64_t r = sorak_make_u64(m);
    if (r % 61 == 0) {
        static const float odd[] = {0.0f, -0.0f, 1e-40f, -1e-40f, 1.0f, -1.0f};
        return odd[(r >> 32) % 6];
    }
    return (float)((double)(r >> 11) * 0x1p-52 - 1.0);
}

static sorak_block *as_input(sorak_block *b) {
    b->input = 1;
    b->hash = hash_bytes(b->data, b->size);
    return b;
}

float *sorak_make_f32(sorak_maker *m, int64_t count) {
    sorak_block *b = add_block(m, (size_t)count * sizeof(float));
    float *f = (float *)(void *)b->data;
    for (int64_t i = 0; i < count; i++)
        f[i] = special(m);
    as_input(b);
    return f;
}

float *sorak_make_f32_range(sorak_maker *m, int64_t count, double lowest, double highest) {
    sorak_block *b = add_block(m, (size_t)count * sizeof(float));
    float *f = (float *)(void *)b->data;
    for (int64_t i = 0; i < count; i++)
        f[i] = (float)sorak_make_real(m, lowest, highest);
    as_input(b);
    return f;
}

float *sorak_make_values(sorak_maker *m, int bench, int64_t count) {
    return bench ? sorak_make_f32_range(m, count, -1, 1) : sorak_make_f32(m, count);
}

uint16_t *sorak_make_bf16(sorak_maker *m, int64_t count) {
    sorak_block *b = add_block(m, (size_t)count * sizeof(uint16_t));
    uint16_t *f = (uint16_t *)(void *)b->data;
    for (int64_t i = 0; i < count; i++)
        f[i] = sorak_f32_to_bf16(special(m));
    as_input(b);
    return f;
}

uint16_t *sorak_make_f16(sorak_maker *m, int64_t count) {
    sorak_block *b = add_block(m, (size_t)count * sizeof(uint16_t));
    uint16_t *f = (uint16_t *)(void *)b->data;
    for (int64_t i = 0; i < count; i++)
        f[i] = sorak_f32_to_f16(special(m));
    as_input(b);
    return f;
}

int32_t *sorak_make_i32(sorak_maker *m, int64_t count, int32_t lowest, int32_t highest) {
    sorak_block *b = add_block(m, (size_t)count * sizeof(int32_t));
    int32_t *v = (int32_t *)(void *)b->data;
    for (int64_t i = 0; i < count; i++)
        v[i] = (int32_t)sorak_make_int(m, lowest, highest);
    as_input(b);
    return v;
}

int64_t *sorak_make_i64(sorak_maker *m, int64_t count, int64_t lowest, int64_t highest) {
    sorak_block *b = add_block(m, (size_t)count * sizeof(int64_t));
    int64_t *v = (int64_t *)(void *)b->data;
    for (int64_t i = 0; i < count; i++)
        v[i] = sorak_make_int(m, lowest, highest);
    as_input(b);
    return v;
}

const void *sorak_make_stored(sorak_maker *m, int dtype, int64_t count) {
    static const uint8_t halves[SK_DT_COUNT][2] = {[SK_DT_q4_1] = {0, 2},    [SK_DT_q5_1] = {0, 2},     [SK_DT_q2_k] = {80, 82},
                                                   [SK_DT_q3_k] = {108, 108}, [SK_DT_q4_k] = {0, 2},     [SK_DT_q5_k] = {0, 2},
                                                   [SK_DT_q6_k] = {208, 208}};
    if (dtype == SK_DT_f32)
        return sorak_make_f32(m, count);
    if (dtype == SK_DT_bf16)
        return sorak_make_bf16(m, count);
    if (dtype == SK_DT_f16)
        return sorak_make_f16(m, count);
    const int64_t blocks = count / sorak_block_values(dtype), size = sorak_block_bytes(dtype);
    sorak_block *b = add_block(m, (size_t)(blocks * size));
    for (int64_t i = 0; i < blocks * size; i++) {
        b->data[i] = (unsigned char)(i < 256 ? i : sorak_make_int(m, 0, 255));
        if ((dtype == SK_DT_f8e4m3 && (b->data[i] & 0x7f) == 0x7f) || (dtype == SK_DT_f8e5m2 && (b->data[i] & 0x7c) == 0x7c))
            b->data[i] ^= 0x70;
    }
    for (int64_t i = 0; i < blocks && size > 1; i++)
        for (int k = 0; k < 2; k++) { /* scales of a block: half floats, denormal ones too */
            const uint16_t half = sorak_f32_to_f16((float)sorak_make_real(m, -1, 1) * (i % 5 ? 1e-3f : 1e-6f));
            memcpy(b->data + i * size + halves[dtype][k], &half, sizeof half);
        }
    as_input(b);
    return b->data;
}

static void *as_output(sorak_maker *m, sorak_block *b, int kind) {
    b->kind = kind;
    b->output = 1;
    m->outputs++;
    b->initial = malloc(b->size ? b->size : 1);
    b->expected = malloc(b->size ? b->size : 1);
    b->first = malloc(b->size ? b->size : 1);
    if (!b->initial || !b->expected || !b->first || m->outputs > 8) {
        fprintf(stderr, "cases: out of memory, or more than 8 outputs\n");
        exit(3);
    }
    memcpy(b->initial, b->data, b->size);
    return b->data;
}

float *sorak_make_out_f32(sorak_maker *m, int64_t count) {
    return as_output(m, add_block(m, (size_t)count * sizeof(float)), SORAK_KIND_F32);
}

float *sorak_make_inout_f32(sorak_maker *m, int64_t count) {
    float *f = sorak_make_f32_range(m, count, -1, 1);
    sorak_block *b = m->blocks;
    b->input = 0;
    as_output(m, b, SORAK_KIND_F32);
    return f;
}

double *sorak_make_out_f64(sorak_maker *m, int64_t count) {
    return as_output(m, add_block(m, (size_t)count * sizeof(double)), SORAK_KIND_F64);
}

uint16_t *sorak_make_out_bf16(sorak_maker *m, int64_t count) {
    return as_output(m, add_block(m, (size_t)count * sizeof(uint16_t)), SORAK_KIND_BF16);
}

uint16_t *sorak_make_out_f16(sorak_maker *m, int64_t count) {
    return as_output(m, add_block(m, (size_t)count * sizeof(uint16_t)), SORAK_KIND_F16);
}

void *sorak_make_out_bytes(sorak_maker *m, size_t size) { return as_output(m, add_block(m, size), SORAK_KIND_BYTES); }

void sorak_make_input_done(sorak_maker *m, const void *ptr) {
    for (sorak_block *b = m->blocks; b; b = b->next)
        if (b->data == ptr)
            as_input(b);
}

void sorak_make_run_ref(int op, int dtype, const void *args, int64_t units) {
    static void *scratch;
    if (!scratch)
        scratch = aligned_alloc(64, SORAK_SCRATCH);
    for (size_t i = 0; i < sorak_table_len; i++) {
        const sorak_row *row = &sorak_table[i];
        if (row->op == op && row->dtype == dtype && row->prio == 0 && row->dev == SK_DEV_cpu) {
            sorak_env env = {0, units, scratch};
            if (scratch && row->fn(args, &env) == 0)
                return;
        }
    }
    fprintf(stderr, "cases: no reference of %s takes these arguments\n", sorak_op_name(op));
    exit(3);
}

int sorak_maker_guards_ok(const sorak_maker *m) {
    for (const sorak_block *b = m->blocks; b; b = b->next) {
        for (size_t i = 0; i < GUARD; i++)
            if (b->base[i] != GUARD_BYTE || b->data[b->size + i] != GUARD_BYTE)
                return 0;
        if (b->input && hash_bytes(b->data, b->size) != b->hash)
            return 0;
    }
    return 1;
}

float sorak_f16_to_f32(uint16_t v) {
    int e = (v >> 10) & 31, f = v & 1023;
    double x = e == 31 ? (f ? (double)NAN : (double)INFINITY) : e ? ldexp(1024 + f, e - 25) : ldexp(f, -24);
    return (float)(v & 0x8000u ? -x : x);
}

uint16_t sorak_f32_to_f16(float f) {
    unsigned sign = signbit(f) ? 0x8000u : 0;
    double x = fabs((double)f);
    if (isnan(f))
        return (uint16_t)(sign | 0x7e00u);
    if (x >= 65520)
        return (uint16_t)(sign | 0x7c00u);
    int e;
    frexp(x, &e); /* x = m 2^e, 0.5 <= m < 1 */
    if (e < -13)
        e = -13;
    double q = nearbyint(ldexp(x, 11 - e)); /* 1024..2048, or less when denormal */
    unsigned bits = (unsigned)q + ((unsigned)(e + 13) << 10);
    return (uint16_t)(sign | bits);
}
