/* PNG: round trips, every kind of pixel, damage. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/io/buffer.h"
#include "lib/io/png.h"

static sorai_mem mem;
static sora_error error;

static void setup(void) {
    sorai_mem_init(&mem, NULL, 0);
    memset(&error, 0, sizeof error);
}

static void teardown(void) { ck_assert_uint_eq(atomic_load(&mem.used), 0); }

static int collect(void *user, const void *data, size_t n) { return sorai_buffer_add(user, data, n) ? 0 : 1; }
static int refuse(void *user, const void *data, size_t n) {
    (void)user, (void)data, (void)n;
    return 1;
}

static int read_bytes(const void *data, size_t n, int32_t channels, sora_tensor **out) {
    sorai_source *source;
    ck_assert_int_eq(sorai_source_memory(&source, &mem, "p.png", data, n, NULL, NULL, NULL), SORA_OK);
    memset(&error, 0, sizeof error);
    const int status = sorai_png_read(&mem, source, channels, out, &error);
    ck_assert((status == SORA_OK) == (*out != NULL));
    sorai_source_unref(&source);
    return status;
}

static sora_tensor *picture(int64_t height, int64_t width, int64_t channels) {
    sora_tensor *t;
    const int64_t shape[3] = {height, width, channels};
    ck_assert_int_eq(sorai_tensor_new(&t, &mem, SORA_DTYPE_U8, 3, shape, NULL), SORA_OK);
    unsigned char *p = t->data;
    for (size_t i = 0; i < sorai_tensor_bytes(t); i++) p[i] = (unsigned char)(i * 7 + i / 31);
    return t;
}

START_TEST(test_round_trip) {
    for (int32_t channels = 3; channels <= 4; channels++) {
        sora_tensor *t = picture(17, 23, channels), *back;
        sorai_buffer b;
        sorai_buffer_init(&b, &mem);
        ck_assert_int_eq(sorai_png_write_to(&mem, "x", collect, &b, t, &error), SORA_OK);
        ck_assert_int_eq(read_bytes(b.data, b.size, channels, &back), SORA_OK);
        ck_assert_int_eq(back->shape[0], 17);
        ck_assert_int_eq(back->shape[1], 23);
        ck_assert_int_eq(back->shape[2], channels);
        ck_assert_int_eq(memcmp(back->data, t->data, sorai_tensor_bytes(t)), 0);
        sorai_tensor_unref(&back);
        sorai_buffer_release(&b);
        sorai_tensor_unref(&t);
    }
    sora_tensor *t = picture(8, 9, 1), *back; /* grey comes back as colour */
    char path[] = "/tmp/sora-png-XXXXXX";
    close(mkstemp(path));
    ck_assert_int_eq(sorai_png_write(&mem, path, t, &error), SORA_OK);
    sorai_source *source;
    ck_assert_int_eq(sorai_source_open(&source, &mem, path, &error), SORA_OK);
    ck_assert_int_eq(sorai_png_read(&mem, source, 4, &back, &error), SORA_OK);
    sorai_source_unref(&source);
    const unsigned char *a = t->data, *p = back->data;
    for (int i = 0; i < 72; i++)
        ck_assert(p[i * 4] == a[i] && p[i * 4 + 1] == a[i] && p[i * 4 + 2] == a[i] && p[i * 4 + 3] == 255);
    sorai_tensor_unref(&back);
    unlink(path);
    ck_assert_int_eq(sorai_png_write(&mem, "/nowhere/x.png", t, &error), SORA_E_NOTFOUND);
    ck_assert_int_eq(sorai_png_write_to(&mem, "x", refuse, NULL, t, &error), SORA_E_IO);
    t->shape[2] = 2;
    ck_assert_int_eq(sorai_png_write_to(&mem, "x", refuse, NULL, t, &error), SORA_E_INVALID);
    t->shape[2] = 1;
    sorai_tensor_unref(&t);
}
END_TEST

static sorai_buffer *sink;
static void sink_write(png_structp png, png_bytep data, size_t n) {
    (void)png;
    sorai_buffer_add(sink, data, n);
}
static void sink_flush(png_structp png) { (void)png; }

/* Writes other kinds of PNG with libpng alone. */
static void write_kind(sorai_buffer *out, int depth, int kind, int interlace) {
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_color palette[4] = {{1, 2, 3}, {40, 50, 60}, {70, 80, 90}, {250, 251, 252}};
    png_byte rows[8][64], alpha[2] = {0, 128};
    sink = out;
    png_set_write_fn(png, NULL, sink_write, sink_flush);
    png_set_IHDR(png, info, 8, 8, depth, kind, interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (kind == PNG_COLOR_TYPE_PALETTE) {
        png_set_PLTE(png, info, palette, 4);
        png_set_tRNS(png, info, alpha, 2, NULL);
    }
    png_write_info(png, info);
    png_bytep pointers[8];
    for (int y = 0; y < 8; y++) {
        pointers[y] = rows[y];
        for (int i = 0; i < 64; i++)
            rows[y][i] = kind == PNG_COLOR_TYPE_PALETTE ? 0x1B : (png_byte)(y * 31 + i); /* 0x1B: indices 0 1 2 3 */
    }
    png_write_image(png, pointers);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
}

START_TEST(test_kinds) {
    static const struct {
        int depth, kind;
    } kinds[] = {{1, PNG_COLOR_TYPE_GRAY},    {2, PNG_COLOR_TYPE_GRAY},       {8, PNG_COLOR_TYPE_GRAY},
                 {16, PNG_COLOR_TYPE_GRAY},   {8, PNG_COLOR_TYPE_GRAY_ALPHA}, {16, PNG_COLOR_TYPE_RGB},
                 {2, PNG_COLOR_TYPE_PALETTE}, {16, PNG_COLOR_TYPE_RGB_ALPHA}, {8, PNG_COLOR_TYPE_RGB}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        sora_tensor *plain, *laced;
        sorai_buffer a, b;
        sorai_buffer_init(&a, &mem);
        sorai_buffer_init(&b, &mem);
        write_kind(&a, kinds[i].depth, kinds[i].kind, PNG_INTERLACE_NONE);
        write_kind(&b, kinds[i].depth, kinds[i].kind, PNG_INTERLACE_ADAM7);
        ck_assert_msg(read_bytes(a.data, a.size, 4, &plain) == SORA_OK, "%s", error.message);
        ck_assert_msg(read_bytes(b.data, b.size, 4, &laced) == SORA_OK, "%s", error.message);
        ck_assert_int_eq(memcmp(plain->data, laced->data, sorai_tensor_bytes(plain)), 0);
        const unsigned char *p = plain->data;
        if (kinds[i].kind == PNG_COLOR_TYPE_PALETTE) {
            static const unsigned char want[16] = {1, 2, 3, 0, 40, 50, 60, 128, 70, 80, 90, 255, 250, 251, 252, 255};
            ck_assert_int_eq(memcmp(p, want, 16), 0);
        }
        if (kinds[i].depth == 16 && kinds[i].kind == PNG_COLOR_TYPE_RGB) { /* 0x0001 0x0203 0x0405, rounded to 8 bits */
            ck_assert(p[0] == 0 && p[1] == 2 && p[2] == 4 && p[3] == 255);
        }
        sorai_tensor_unref(&plain);
        sorai_tensor_unref(&laced);
        sorai_buffer_release(&a);
        sorai_buffer_release(&b);
    }
}
END_TEST

START_TEST(test_damage) {
    sora_tensor *t = picture(20, 20, 3), *back;
    sorai_buffer b;
    sorai_buffer_init(&b, &mem);
    ck_assert_int_eq(sorai_png_write_to(&mem, "x", collect, &b, t, &error), SORA_OK);
    for (size_t n = 0; n < b.size; n++) {
        ck_assert_int_ne(read_bytes(b.data, n, 3, &back), SORA_OK);
        ck_assert_ptr_nonnull(strstr(error.message, "p.png: "));
    }
    size_t accepted = 0;
    for (size_t i = 0; i < b.size; i++) {
        b.data[i] ^= 0x10;
        if (read_bytes(b.data, b.size, 3, &back) == SORA_OK) accepted++;
        sorai_tensor_unref(&back);
        b.data[i] ^= 0x10;
    }
    ck_assert_uint_lt(accepted, 8); /* the type of the last chunk, at most */
    sorai_mem small;
    sorai_mem_init(&small, NULL, 4096); /* too little memory is an error like others */
    sorai_source *source;
    ck_assert_int_eq(sorai_source_memory(&source, &mem, "p.png", b.data, b.size, NULL, NULL, NULL), SORA_OK);
    ck_assert_int_eq(sorai_png_read(&small, source, 3, &back, &error), SORA_E_NOMEM);
    ck_assert_uint_eq(atomic_load(&small.used), 0);
    sorai_source_unref(&source);
    sorai_buffer_release(&b);
    sorai_tensor_unref(&t);
    /* a header of 16384 x 16384 in 60 bytes (checksum right) takes no memory */
    static const unsigned char bomb[] = {0x89, 'P', 'N', 'G', 13,  10,   26,   10,   0,    0, 0,    13,
                                         'I',  'H', 'D', 'R', 0,   0,    0x40, 0,    0,    0, 0x40, 0,
                                         8,    2,   0,   0,   0,   0x26, 0xAA, 0x87, 0xD3, 0, 0,    0,
                                         0,    'I', 'D', 'A', 'T', 0x35, 0xAF, 0x06, 0x1E};
    sorai_mem_init(&mem, NULL, 0);
    ck_assert_int_eq(read_bytes(bomb, sizeof bomb, 3, &back), SORA_E_FORMAT);
    ck_assert_uint_lt(atomic_load(&mem.peak), 2000000);
}
END_TEST

Suite *suite_io_png(void);
Suite *suite_io_png(void) {
    Suite *s = suite_create("io_png");
    TCase *c = tcase_create("png");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, test_round_trip);
    tcase_add_test(c, test_kinds);
    tcase_add_test(c, test_damage);
    suite_add_tcase(s, c);
    return s;
}
