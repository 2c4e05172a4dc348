/* safetensors, .sora files and packages: round trips, and every kind of damage refused with a line that names it. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/checksum.h"
#include "lib/base/rng.h"
#include "lib/io/package.h"
#include "lib/io/safetensors.h"
#include "lib/io/sora_file.h"

static sorai_mem mem;
static sora_error error;
static char folder[64];

static void setup(void) {
    sorai_mem_init(&mem, NULL, 0);
    memset(&error, 0, sizeof error);
    strcpy(folder, "/tmp/sora-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}

static const char *at(const char *name) {
    static char path[4][256];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void put(const char *path, const void *data, size_t n) {
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    fclose(f);
}

static void put_text(const char *path, const char *text) { put(path, text, strlen(text)); }

static unsigned char *slurp(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    unsigned char *data = malloc(*n + 1);
    ck_assert_uint_eq(fread(data, 1, *n, f), *n);
    fclose(f);
    return data;
}

static sora_tensor *make(int32_t dtype, int64_t rows, int64_t columns, uint64_t seed) {
    sora_tensor *t;
    int64_t shape[2] = {rows, columns};
    ck_assert_int_eq(sorai_tensor_new(&t, &mem, dtype, 2, shape, NULL), SORA_OK);
    sorai_rng rng;
    sorai_rng_init(&rng, seed, 0);
    unsigned char *p = t->data;
    for (size_t i = 0; i < sorai_tensor_bytes(t); i++)
        p[i] = (unsigned char)sorai_rng_below(&rng, i % 2 ? 4 : 256); /* compressible like weights */
    return t;
}

static void same(const sora_tensor *a, const sora_tensor *b) {
    ck_assert_int_eq(a->dtype, b->dtype);
    ck_assert_int_eq(a->rank, b->rank);
    for (int32_t i = 0; i < a->rank; i++) ck_assert_int_eq(a->shape[i], b->shape[i]);
    ck_assert_int_eq(memcmp(a->data, b->data, sorai_tensor_bytes(a)), 0);
}

/* A reader of memory through callbacks. */
typedef struct memory_io {
    const unsigned char *data;
    int closed, fail;
} memory_io;
static int memory_read(void *user, uint64_t offset, void *dst, size_t n) {
    memory_io *m = user;
    if (m->fail) return 1;
    memcpy(dst, m->data + offset, n);
    return 0;
}
static void memory_close(void *user) { ((memory_io *)user)->closed++; }

START_TEST(test_safetensors_round_trip) {
    const int32_t types[] = {SORA_DTYPE_U8,  SORA_DTYPE_F32, SORA_DTYPE_BF16, SORA_DTYPE_I64,
                             SORA_DTYPE_I32, SORA_DTYPE_I8,  SORA_DTYPE_F16};
    sorai_named_tensor list[7];
    static const char *const names[] = {"a.u8", "b \"quoted\"", "\xc3\xa9", "d", "e", "f", "g"};
    for (int i = 0; i < 7; i++) list[i] = (sorai_named_tensor){names[i], make(types[i], i, 3, (uint64_t)i)};
    json_t *metadata = json_pack("{s:s}", "format", "pt");
    ck_assert_int_eq(sorai_safetensors_write(&mem, at("x.safetensors"), list, 7, metadata, &error), SORA_OK);
    json_decref(metadata);
    sorai_safetensors *st;
    ck_assert_int_eq(sorai_safetensors_open_path(&st, &mem, at("x.safetensors"), &error), SORA_OK);
    ck_assert_uint_eq(sorai_safetensors_table(st)->count, 7);
    ck_assert_str_eq(json_string_value(json_object_get(sorai_safetensors_metadata(st), "format")), "pt");
    sora_tensor *kept = NULL;
    for (int i = 0; i < 7; i++) {
        sora_tensor *t;
        ck_assert_int_eq(sorai_safetensors_lookup(st, names[i], &t, &error), SORA_OK);
        same(t, list[i].tensor);
        if (i == 1)
            kept = t; /* outlives the file */
        else
            sorai_tensor_unref(&t);
    }
    sora_tensor *none;
    ck_assert_int_eq(sorai_safetensors_lookup(st, "nothing", &none, &error), SORA_E_NOTFOUND);
    ck_assert_ptr_null(none);
    ck_assert_ptr_nonnull(strstr(error.message, "nothing"));
    sorai_safetensors_close(&st);
    same(kept, list[1].tensor);
    sorai_tensor_unref(&kept);
    list[1].name = "a.u8";
    ck_assert_int_eq(sorai_safetensors_write(&mem, at("y.safetensors"), list, 7, NULL, &error), SORA_E_INVALID);
    ck_assert_int_ne(access(at("y.safetensors"), F_OK), 0);
    for (int i = 0; i < 7; i++) sorai_tensor_unref((sora_tensor **)(uintptr_t)&list[i].tensor);
}
END_TEST

static int open_text(const char *header, size_t data, int pad) {
    char *file = calloc(1, strlen(header) + data + 64);
    const size_t length = strlen(header) + (size_t)pad;
    for (int i = 0; i < 8; i++) file[i] = (char)((uint64_t)length >> (8 * i));
    memset(file + 8, ' ', length);
    memcpy(file + 8, header, strlen(header));
    sorai_source *source;
    ck_assert_int_eq(sorai_source_memory(&source, &mem, "f", file, 8 + length + data, NULL, NULL, NULL), SORA_OK);
    sorai_safetensors *st;
    memset(&error, 0, sizeof error);
    int status = sorai_safetensors_open(&st, &mem, source, &error);
    ck_assert((status == SORA_OK) == (st != NULL));
    sorai_safetensors_close(&st);
    sorai_source_unref(&source);
    free(file);
    return status;
}

START_TEST(test_safetensors_damage) {
    ck_assert_int_eq(open_text("{}", 0, 0), SORA_OK);
    ck_assert_int_eq(open_text("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, 5), SORA_OK);
    ck_assert_int_eq(open_text("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, 0), SORA_OK);
    ck_assert_int_eq(open_text("{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, 0), SORA_OK);
    static const struct {
        const char *header;
        size_t data;
        const char *says;
    } bad[] = {
        {"", 0, "not a safetensors"},
        {"[]", 0, "not a safetensors"},
        {"{", 0, "JSON"},
        {"{\"a\":1}", 0, "dtype"},
        {"{} {}", 0, "JSON"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9, "9 bytes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "not inside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "shape needs"},
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "F33"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1099511627776,1099511627776,1099511627776],\"data_offsets\":[0,8]}}", 8,
         "shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "dimensions"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "not inside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8, "not inside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
         8, "duplicate"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
         4, "overlap"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
         12, "hole"},
        {"{\"__metadata__\":{\"x\":1}}", 0, "not a string"},
        {"{\"a\\u0000\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "JSON"},
        {"{\"\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "name"},
        {"{\"a\\n\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "name"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_msg(open_text(bad[i].header, bad[i].data, 0) == SORA_E_FORMAT, "%s was accepted", bad[i].header);
        ck_assert_msg(strstr(error.message, bad[i].says) && strstr(error.message, "f: "), "%s: %s", bad[i].header,
                      error.message);
    }
    char deep[300];
    memset(deep, '[', sizeof deep);
    deep[299] = 0;
    char header[400];
    snprintf(header, sizeof header, "{\"a\":%s}", deep);
    ck_assert_int_eq(open_text(header, 0, 0), SORA_E_FORMAT);
    /* a header length that is a lie takes no memory */
    static const unsigned char lie[16] = {0xff, 0xe0, 0xf5, 0x05, 0, 0, 0, 0, '{'};
    sorai_source *source;
    sorai_safetensors *st;
    ck_assert_int_eq(sorai_source_memory(&source, &mem, "lie", lie, sizeof lie, NULL, NULL, NULL), SORA_OK);
    ck_assert_int_eq(sorai_safetensors_open(&st, &mem, source, &error), SORA_E_FORMAT);
    sorai_source_unref(&source);
    ck_assert_uint_lt(atomic_load(&mem.peak), 100000);
}
END_TEST

START_TEST(test_safetensors_shards) {
    sora_tensor *a = make(SORA_DTYPE_F32, 2, 3, 1), *b = make(SORA_DTYPE_BF16, 4, 5, 2), *t;
    sorai_named_tensor one = {"a", a}, two = {"b", b};
    ck_assert_int_eq(sorai_safetensors_write(&mem, at("m-1.safetensors"), &one, 1, NULL, &error), SORA_OK);
    ck_assert_int_eq(sorai_safetensors_write(&mem, at("m-2.safetensors"), &two, 1, NULL, &error), SORA_OK);
    put_text(at("i.json"), "{\"metadata\":{},\"weight_map\":{\"a\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\"}}");
    sorai_safetensors *st;
    ck_assert_msg(sorai_safetensors_open_path(&st, &mem, at("i.json"), &error) == SORA_OK, "%s", error.message);
    ck_assert_int_eq(sorai_safetensors_lookup(st, "b", &t, &error), SORA_OK);
    same(t, b);
    sorai_tensor_unref(&t);
    sorai_safetensors_close(&st);
    static const struct {
        const char *index;
        int status;
        const char *says;
    } bad[] = {
        {"{\"weight_map\":{\"a\":\"m-1.safetensors\",\"b\":\"m-3.safetensors\"}}", SORA_E_NOTFOUND, "m-3.safetensors"},
        {"{\"weight_map\":{\"a\":\"m-2.safetensors\",\"b\":\"m-2.safetensors\"}}", SORA_E_FORMAT, "\"a\""},
        {"{\"weight_map\":{\"a\":\"m-2.safetensors\",\"b\":\"m-1.safetensors\"}}", SORA_E_FORMAT, "\"a\""},
        {"{\"weight_map\":{\"a\":\"../m-1.safetensors\"}}", SORA_E_FORMAT, "\"a\""},
        {"{\"weight_map\":{\"a\":7}}", SORA_E_FORMAT, "\"a\""},
        {"{\"weight_map\":[]}", SORA_E_FORMAT, "weight_map"},
        {"{}", SORA_E_FORMAT, "weight_map"},
        {"{\"weight_map\":{}}", SORA_E_FORMAT, "weight_map"},
        {"7", SORA_E_FORMAT, "weight_map"},
        {"{\"weight_map\":{\"a\":\"i.json\"}}", SORA_E_FORMAT, "header"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text(at("i.json"), bad[i].index);
        memset(&error, 0, sizeof error);
        ck_assert_int_eq(sorai_safetensors_open_path(&st, &mem, at("i.json"), &error), bad[i].status);
        ck_assert_msg(strstr(error.message, bad[i].says) != NULL, "%s: %s", bad[i].index, error.message);
    }
    /* the same name in two shards */
    one.tensor = b;
    ck_assert_int_eq(sorai_safetensors_write(&mem, at("m-2.safetensors"), &one, 1, NULL, &error), SORA_OK);
    put_text(at("i.json"), "{\"weight_map\":{\"a\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\"}}");
    ck_assert_int_eq(sorai_safetensors_open_path(&st, &mem, at("i.json"), &error), SORA_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "twice"));
    sorai_tensor_unref(&a);
    sorai_tensor_unref(&b);
}
END_TEST

static void write_sora(const char *path, sora_tensor *const *t) {
    sorai_sora_writer *w;
    ck_assert_int_eq(sorai_sora_writer_begin(&w, &mem, path, &error), SORA_OK);
    json_t *config = json_pack("{s:i, s:[i,i]}", "dim", 128, "patch", 1, 2), *meta = json_pack("{s:s}", "name", "test");
    ck_assert_int_eq(sorai_sora_writer_tensor(w, "vae", "x", t[0], 0, 3, &error), SORA_E_STATE);
    ck_assert_int_eq(sorai_sora_writer_metadata(w, meta, &error), SORA_OK);
    ck_assert_int_eq(sorai_sora_writer_part(w, "vae", config, &error), SORA_OK);
    ck_assert_int_eq(sorai_sora_writer_part(w, "transformer", config, &error), SORA_OK);
    ck_assert_int_eq(sorai_sora_writer_part(w, "vae", config, &error), SORA_E_INVALID);
    json_decref(config);
    json_decref(meta);
    ck_assert_int_eq(sorai_sora_writer_tensor(w, "vae", "plain", t[0], SORAI_CODEC_NONE, 3, &error), SORA_OK);
    ck_assert_int_eq(sorai_sora_writer_tensor(w, "vae", "packed", t[1], SORAI_CODEC_ZSTD, 3, &error), SORA_OK);
    ck_assert_int_eq(sorai_sora_writer_tensor(w, "transformer", "split", t[2], SORAI_CODEC_ZSTD_SPLIT, 3, &error),
                     SORA_OK);
    ck_assert_int_eq(sorai_sora_writer_tensor(w, "transformer", "zero", t[3], SORAI_CODEC_ZSTD, 3, &error), SORA_OK);
    ck_assert_int_eq(sorai_sora_writer_tensor(w, "vae", "plain", t[0], SORAI_CODEC_NONE, 3, &error), SORA_E_INVALID);
    ck_assert_int_eq(sorai_sora_writer_blob(w, "tokenizer/a",
                                            "hello hello hello hello hello hello hello hello hello hello hello", 65,
                                            SORAI_CODEC_ZSTD, 3, &error),
                     SORA_OK);
    ck_assert_int_eq(sorai_sora_writer_blob(w, "tokenizer/empty", "", 0, SORAI_CODEC_NONE, 3, &error), SORA_OK);
    ck_assert_int_ne(access(path, F_OK), 0); /* nothing there before the end */
    ck_assert_int_eq(sorai_sora_writer_finish(&w, &error), SORA_OK);
}

static void make_four(sora_tensor **t) {
    t[0] = make(SORA_DTYPE_F32, 7, 9, 1);
    t[1] = make(SORA_DTYPE_I8, 70, 90, 2);
    t[2] = make(SORA_DTYPE_BF16, 33, 65, 3);
    t[3] = make(SORA_DTYPE_F32, 1000, 1000, 4);
    memset(t[3]->data, 0, sorai_tensor_bytes(t[3]));
}

START_TEST(test_sora_round_trip) {
    sora_tensor *t[4], *got;
    make_four(t);
    write_sora(at("m.sora"), t);
    struct stat st;
    ck_assert_int_eq(stat(at("m.sora"), &st), 0);
    ck_assert_int_lt(st.st_size, 40000);
    size_t n;
    unsigned char *file = slurp(at("m.sora"), &n);
    memory_io user = {file, 0, 0};
    for (int way = 0; way < 2; way++) { /* the path, then callbacks */
        sorai_package *p;
        if (way == 0)
            ck_assert_msg(sorai_package_open(&p, &mem, at("m.sora"), &error) == SORA_OK, "%s", error.message);
        else {
            const sorai_io io = {&user, n, memory_read, memory_close};
            sorai_source *source;
            ck_assert_int_eq(sorai_source_io(&source, &mem, "callbacks", &io, &error), SORA_OK);
            ck_assert_int_eq(sorai_package_open_source(&p, &mem, source, &error), SORA_OK);
            sorai_source_unref(&source);
        }
        ck_assert_str_eq(sorai_package_format(p), "sora");
        ck_assert_str_eq(sorai_package_part(p, 0), "vae");
        ck_assert_str_eq(sorai_package_part(p, 1), "transformer");
        ck_assert_ptr_null(sorai_package_part(p, 2));
        json_t *config;
        ck_assert_int_eq(sorai_package_config(p, "vae", &config, &error), SORA_OK);
        ck_assert_int_eq(json_integer_value(json_object_get(config, "dim")), 128);
        ck_assert_int_eq(sorai_package_config(p, "text_encoder", &config, &error), SORA_E_NOTFOUND);
        ck_assert_ptr_nonnull(strstr(error.message, "text_encoder"));
        static const char *const names[] = {"plain", "packed", "split", "zero"};
        for (int i = 0; i < 4; i++) {
            ck_assert_msg(sorai_package_lookup(p, i < 2 ? "vae" : "transformer", names[i], &got, &error) == SORA_OK,
                          "%s", error.message);
            same(got, t[i]);
            ck_assert_uint_eq((uintptr_t)got->data % 64, 0);
            sorai_tensor_unref(&got);
        }
        ck_assert_int_eq(sorai_package_lookup(p, "vae", "split", &got, &error), SORA_E_NOTFOUND);
        sorai_tensor_info info;
        size_t count;
        ck_assert_int_eq(sorai_package_tensor_count(p, "transformer", &count, &error), SORA_OK);
        ck_assert_uint_eq(count, 2);
        ck_assert_int_eq(sorai_package_tensor(p, "transformer", 1, &info, &error), SORA_OK);
        ck_assert_str_eq(info.name, "zero");
        ck_assert_int_eq(info.codec, SORAI_CODEC_ZSTD);
        sorai_bytes blob;
        ck_assert_int_eq(sorai_package_blob(p, "tokenizer/a", &blob, &error), SORA_OK);
        ck_assert_uint_eq(blob.size, 65);
        ck_assert_int_eq(memcmp(blob.data, "hello hello", 11), 0);
        sorai_bytes_release(&blob);
        ck_assert_int_eq(sorai_package_blob(p, "tokenizer/b", &blob, &error), SORA_E_NOTFOUND);
        ck_assert_int_eq(sorai_package_verify(p, &error), SORA_OK);
        if (way == 1) {
            user.fail = 1;
            ck_assert_int_eq(sorai_package_lookup(p, "vae", "plain", &got, &error), SORA_E_IO);
        }
        sorai_package_close(&p);
    }
    ck_assert_int_eq(user.closed, 1);
    free(file);
    for (int i = 0; i < 4; i++) sorai_tensor_unref(&t[i]);
}
END_TEST

/* Packed is what packing is worth: eight-bit weights, which can stay mapped, only where it saves a quarter. */
START_TEST(test_sora_eight_bits) {
    enum { N = 1 << 16 };
    static const struct {
        const char *name;
        int32_t dtype;
        double deviation; /* of the bytes, of bf16 the upper ones */
        int packed;
    } rows[] = {{"like convolutions", SORA_DTYPE_I8, 8.0, 1}, {"like weights", SORA_DTYPE_I8, 36.0, 0}, {"sixteen bits", SORA_DTYPE_BF16, 16.0, 1}};
    sorai_sora_writer *w;
    json_t *config = json_object();
    ck_assert_int_eq(sorai_sora_writer_begin(&w, &mem, at("m.sora"), &error), SORA_OK);
    ck_assert_int_eq(sorai_sora_writer_part(w, "vae", config, &error), SORA_OK);
    json_decref(config);
    sora_tensor *t[3], *got;
    for (int i = 0; i < 3; i++) {
        const size_t width = sorai_dtype_size(rows[i].dtype);
        sorai_rng rng;
        t[i] = make(rows[i].dtype, 64, N / 64 / (int64_t)width, 1);
        sorai_rng_init(&rng, 5, 0);
        for (size_t k = 0; k < N; k++)
            ((unsigned char *)t[i]->data)[k] =
                (unsigned char)(k % width + 1 == width ? lrint(sorai_rng_normal(&rng) * rows[i].deviation) : (long)sorai_rng_below(&rng, 256));
        ck_assert_int_eq(sorai_sora_writer_tensor(w, "vae", rows[i].name, t[i], SORAI_CODEC_ZSTD_SPLIT, 12, &error), SORA_OK);
    }
    ck_assert_int_eq(sorai_sora_writer_finish(&w, &error), SORA_OK);
    sorai_package *p;
    ck_assert_int_eq(sorai_package_open(&p, &mem, at("m.sora"), &error), SORA_OK);
    for (int i = 0; i < 3; i++) {
        sorai_tensor_info info;
        ck_assert_int_eq(sorai_package_tensor(p, "vae", (size_t)i, &info, &error), SORA_OK);
        ck_assert_str_eq(info.name, rows[i].name);
        ck_assert_msg((info.codec != SORAI_CODEC_NONE) == rows[i].packed, "%s: codec %d, %llu bytes", info.name, (int)info.codec,
                      (unsigned long long)info.stored);
        ck_assert_int_eq(sorai_package_maps(p, "vae", &info), !rows[i].packed);
        ck_assert_int_eq(sorai_package_lookup(p, "vae", rows[i].name, &got, &error), SORA_OK);
        same(got, t[i]);
        sorai_tensor_unref(&got);
        sorai_tensor_unref(&t[i]);
    }
    sorai_package_close(&p);
}
END_TEST

/* Every byte of a small file changed, and every length cut to: never accepted as whole, never a crash. */
START_TEST(test_sora_damage) {
    sora_tensor *t[4];
    make_four(t);
    write_sora(at("m.sora"), t);
    size_t n;
    unsigned char *file = slurp(at("m.sora"), &n);
    size_t accepted = 0;
    for (size_t i = 0; i < 2 * n; i += n < 20000 ? 1 : 7) {
        const size_t size = i < n ? n : i - n;
        if (i < n) file[i] ^= 0x21;
        sorai_source *source;
        sorai_package *p;
        ck_assert_int_eq(sorai_source_memory(&source, &mem, "damaged", file, size, NULL, NULL, NULL), SORA_OK);
        int status = sorai_package_open_source(&p, &mem, source, &error);
        if (status == SORA_OK) status = sorai_package_verify(p, &error);
        sorai_package_close(&p);
        sorai_source_unref(&source);
        accepted += status == SORA_OK;
        if (i < n) file[i] ^= 0x21;
    }
    /* only the zeroes between aligned entries may change unseen */
    ck_assert_uint_lt(accepted, 7 * 64);
    free(file);
    for (int i = 0; i < 4; i++) sorai_tensor_unref(&t[i]);
}
END_TEST

/* Headers that are well-formed, rightly signed, and lie. */
START_TEST(test_sora_lies) {
    static const struct {
        const char *header, *says;
    } bad[] = {
        {"[]", "missing"},
        {"{\"metadata\":{},\"parts\":{},\"tensors\":[],\"blobs\":7}", "missing"},
        {"{\"metadata\":{},\"parts\":{\"vae\":{}},\"tensors\":[],\"blobs\":[]}", "vae"},
        {"{\"metadata\":{},\"parts\":{\"vae\":{\"config\":{}}},\"tensors\":[7],\"blobs\":[]}", "name"},
#define TENSOR(name, shape, place)                                                                                     \
    "{\"metadata\":{},\"parts\":{\"vae\":{\"config\":{}}},\"tensors\":[{\"name\":\"" name                              \
    "\",\"dtype\":\"u8\",\"shape\":" shape "," place ",\"checksum\":\"0123456789abcdef\"}],\"blobs\":[]}"
        {TENSOR("dit/x", "[64]", "\"offset\":64,\"stored\":64,\"codec\":\"none\""), "no part"},
        {TENSOR("vae/x", "[65]", "\"offset\":64,\"stored\":64,\"codec\":\"none\""), "can't hold"},
        {TENSOR("vae/x", "[64]", "\"offset\":65,\"stored\":64,\"codec\":\"none\""), "not inside"},
        {TENSOR("vae/x", "[64]", "\"offset\":0,\"stored\":64,\"codec\":\"none\""), "not inside"},
        {TENSOR("vae/x", "[64]", "\"offset\":1000000,\"stored\":64,\"codec\":\"none\""), "not inside"},
        {TENSOR("vae/x", "[-1]", "\"offset\":64,\"stored\":64,\"codec\":\"none\""), "shape"},
        {TENSOR("vae/x", "[1099511627776]", "\"offset\":64,\"stored\":64,\"codec\":\"zstd\""), "can't hold"},
        {TENSOR("vae/x", "[64]", "\"offset\":64,\"stored\":64,\"codec\":\"lzma\""), "lzma"},
        {TENSOR("vae/x", "[64]", "\"offset\":64,\"stored\":64,\"codec\":\"zstd\""), "checksum"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        unsigned char file[2048] = "\x89SORA\r\n\x1a\x01";
        const size_t length = strlen(bad[i].header);
        const uint64_t words[5] = {128, length, sorai_checksum(bad[i].header, length), 128 + length, 0};
        for (int k = 0; k < 40; k++) file[16 + k] = (unsigned char)(words[k / 8] >> (8 * (k % 8)));
        const uint64_t check = sorai_checksum(file, 56);
        for (int k = 0; k < 8; k++) file[56 + k] = (unsigned char)(check >> (8 * k));
        memcpy(file + 128, bad[i].header, length);
        sorai_source *source;
        sorai_package *p;
        ck_assert_int_eq(sorai_source_memory(&source, &mem, "lie", file, 128 + length, NULL, NULL, NULL), SORA_OK);
        memset(&error, 0, sizeof error);
        int status = sorai_package_open_source(&p, &mem, source, &error);
        if (status == SORA_OK) status = sorai_package_verify(p, &error);
        ck_assert_int_ne(status, SORA_OK);
        ck_assert_msg(strstr(error.message, bad[i].says) != NULL, "%s: %s", bad[i].header, error.message);
        sorai_package_close(&p);
        sorai_source_unref(&source);
    }
    ck_assert_uint_lt(atomic_load(&mem.peak), 100000);
}
END_TEST

START_TEST(test_folder) {
    sora_tensor *a = make(SORA_DTYPE_F32, 2, 3, 1), *t;
    sorai_named_tensor one = {"conv.weight", a};
    sorai_package *p;
    ck_assert_int_eq(sorai_package_open(&p, &mem, folder, &error), SORA_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "model_index.json"));
    mkdir(at("vae"), 0777);
    mkdir(at("tokenizer"), 0777);
    mkdir(at("transformer"), 0777);
    mkdir(at("extra"), 0777);
    put_text(at("model_index.json"),
             "{\"_class_name\":\"WanPipeline\",\"extra\":[\"a\",\"b\"],\"gone\":[\"a\",\"b\"]}");
    put_text(at("vae/config.json"), "{\"z_dim\":16}");
    put_text(at("tokenizer/tokenizer.json"), "{}");
    put_text(at("transformer/config.json"), "{\"dim\":16,\"dim\":17}");
    put_text(at("transformer/diffusion_pytorch_model.bin"), "x");
    ck_assert_int_eq(
        sorai_safetensors_write(&mem, at("vae/diffusion_pytorch_model.safetensors"), &one, 1, NULL, &error), SORA_OK);
    ck_assert_msg(sorai_package_open(&p, &mem, folder, &error) == SORA_OK, "%s", error.message);
    ck_assert_str_eq(sorai_package_format(p), "folder");
    ck_assert(sorai_package_has(p, "vae") && sorai_package_has(p, "extra") && !sorai_package_has(p, "gone"));
    json_t *config;
    ck_assert_int_eq(sorai_package_config(p, "vae", &config, &error), SORA_OK);
    ck_assert_int_eq(json_integer_value(json_object_get(config, "z_dim")), 16);
    ck_assert_int_eq(sorai_package_lookup(p, "vae", "conv.weight", &t, &error), SORA_OK);
    same(t, a);
    sorai_tensor_unref(&t);
    ck_assert_int_eq(sorai_package_lookup(p, "vae", "conv.bias", &t, &error), SORA_E_NOTFOUND);
    ck_assert_int_eq(sorai_package_config(p, "text_encoder", &config, &error), SORA_E_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(error.message, "\"text_encoder\" is missing"));
    ck_assert_int_eq(sorai_package_config(p, "transformer", &config, &error), SORA_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(error.message, "duplicate"));
    ck_assert_int_eq(sorai_package_lookup(p, "transformer", "x", &t, &error), SORA_E_UNSUPPORTED);
    ck_assert_int_eq(sorai_package_lookup(p, "tokenizer", "x", &t, &error), SORA_E_NOTFOUND);
    sorai_bytes blob;
    ck_assert_int_eq(sorai_package_blob(p, "tokenizer/tokenizer.json", &blob, &error), SORA_OK);
    ck_assert_uint_eq(blob.size, 2);
    sorai_bytes_release(&blob);
    ck_assert_int_eq(sorai_package_blob(p, "tokenizer/spiece.model", &blob, &error), SORA_E_NOTFOUND);
    ck_assert_int_eq(sorai_package_blob(p, "../etc/passwd", &blob, &error), SORA_E_INVALID);
    ck_assert_int_eq(sorai_package_blob(p, "tokenizer/../x", &blob, &error), SORA_E_INVALID);
    sorai_package_close(&p);
    sorai_tensor_unref(&a);
}
END_TEST

START_TEST(test_output_places) {
    sora_tensor *a = make(SORA_DTYPE_F32, 2, 3, 1);
    sorai_named_tensor one = {"a", a};
    ck_assert_int_eq(sorai_safetensors_write(&mem, folder, &one, 1, NULL, &error), SORA_E_IO);
    ck_assert_int_eq(sorai_safetensors_write(&mem, "/dev/null", &one, 1, NULL, &error), SORA_E_IO);
    ck_assert_int_eq(sorai_safetensors_write(&mem, at("no/x"), &one, 1, NULL, &error), SORA_E_NOTFOUND);
    ck_assert_int_eq(sorai_safetensors_write(&mem, "", &one, 1, NULL, &error), SORA_E_INVALID);
    ck_assert_int_eq(mkfifo(at("pipe"), 0600), 0);
    ck_assert_int_eq(sorai_safetensors_write(&mem, at("pipe"), &one, 1, NULL, &error), SORA_E_IO);
    sorai_package *p;
    ck_assert_int_eq(sorai_package_open(&p, &mem, at("pipe"), &error), SORA_E_IO);
    /* an existing file is replaced, a link followed */
    put_text(at("old"), "old");
    ck_assert_int_eq(symlink("old", at("link")), 0);
    ck_assert_int_eq(sorai_safetensors_write(&mem, at("link"), &one, 1, NULL, &error), SORA_OK);
    struct stat st;
    ck_assert_int_eq(lstat(at("link"), &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    ck_assert_int_eq(stat(at("old"), &st), 0);
    ck_assert_int_gt(st.st_size, 24);
    sorai_tensor_unref(&a);
}
END_TEST

Suite *suite_io_files(void);
Suite *suite_io_files(void) {
    Suite *s = suite_create("io_files");
    TCase *c = tcase_create("files");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, test_safetensors_round_trip);
    tcase_add_test(c, test_safetensors_damage);
    tcase_add_test(c, test_safetensors_shards);
    tcase_add_test(c, test_sora_round_trip);
    tcase_add_test(c, test_sora_eight_bits);
    tcase_add_test(c, test_sora_damage);
    tcase_add_test(c, test_sora_lies);
    tcase_add_test(c, test_folder);
    tcase_add_test(c, test_output_places);
    suite_add_tcase(s, c);
    return s;
}
