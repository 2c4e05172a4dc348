/* What the readers stand on: UTF-8, checksums, random numbers, error lines. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/base/error.h"
#include "lib/base/rng.h"
#include "lib/base/utf8.h"

START_TEST(test_utf8) {
    char out[4];
    uint32_t cp;
    int wrong = 0;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        const size_t n = sorai_utf8_encode(c, out);
        wrong += sorai_utf8_decode(out, n, &cp) != n;
        wrong += cp != (c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c);
        wrong += n > 1 && sorai_utf8_decode(out, n - 1, &cp) != 0;
    }
    ck_assert_int_eq(wrong, 0);
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xc3",
                                      "\xc3(",
                                      "\xe2\x82("};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert(!sorai_utf8_valid(bad[i], strlen(bad[i])));
    ck_assert(sorai_utf8_valid("gr\xc3\xbc\xc3\x9f", 6));
    ck_assert_uint_eq(sorai_utf8_count("gr\xc3\xbc\xc3\x9f\xff", 7), 5);
}
END_TEST

START_TEST(test_checksum) {
    ck_assert_uint_eq(sorai_checksum(NULL, 0), UINT64_C(0xef46db3751d8e999)); /* published test values of XXH64 */
    ck_assert_uint_eq(sorai_checksum("abc", 3), UINT64_C(0x44bc2cf5ad770999));
    unsigned char data[1000];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * i >> 3);
    for (size_t n = 0; n < sizeof data; n += 13) {
        sorai_checksum_state s;
        sorai_checksum_begin(&s);
        for (size_t i = 0, step = 1; i < n; i += step, step = step * 2 % 61)
            sorai_checksum_add(&s, data + i, step < n - i ? step : n - i);
        ck_assert_uint_eq(sorai_checksum_end(&s), sorai_checksum(data, n));
    }
}
END_TEST

START_TEST(test_rng) {
    uint32_t b[4];
    sorai_rng_block(0, 0, 0, b); /* published test values of Philox 4x32-10 */
    ck_assert_uint_eq(b[0], 0x6627e8d5u);
    ck_assert_uint_eq(b[3], 0x9b00dbd8u);
    sorai_rng_block(~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), b);
    ck_assert_uint_eq(b[0], 0x408f276du);
    ck_assert_uint_eq(b[3], 0x6d5451fdu);
    enum { N = 200000 };
    float *x = malloc(N * sizeof *x), part[101];
    sorai_rng_normals(7, 3, 0, x, N);
    double sum = 0, square = 0, cube = 0, fourth = 0;
    for (int i = 0; i < N; i++) {
        const double v = (double)x[i];
        sum += v, square += v * v, cube += v * v * v, fourth += v * v * v * v;
    }
    ck_assert(fabs(sum / N) < 0.01 && fabs(square / N - 1) < 0.02 && fabs(cube / N) < 0.04 &&
              fabs(fourth / N - 3) < 0.1);
    for (size_t first = 0; first < 6; first++) { /* number i does not depend on where one begins */
        sorai_rng_normals(7, 3, first, part, 101);
        ck_assert_int_eq(memcmp(part, x + first, sizeof part), 0);
    }
    float u[64];
    sorai_rng_uniforms(7, 3, 0, x, N);
    for (size_t first = 0; first < 6; first++) {
        sorai_rng_uniforms(7, 3, first, u, 64);
        ck_assert_int_eq(memcmp(u, x + first, sizeof u), 0);
    }
    sum = 0;
    int outside = 0;
    for (int i = 0; i < N; i++) {
        outside += !(x[i] >= 0 && x[i] < 1);
        sum += (double)x[i];
    }
    ck_assert_int_eq(outside, 0);
    ck_assert(fabs(sum / N - 0.5) < 0.005);
    free(x);
    /* the first numbers, pinned: a file of noise must never change */
    static const float pinned[4] = {0.886497498f, 0.439356059f, -0.156609625f, -0.0137186786f};
    float y[4];
    sorai_rng_normals(42, 0, 0, y, 4);
    for (int i = 0; i < 4; i++) ck_assert_msg(memcmp(&y[i], &pinned[i], 4) == 0, "%d: %.9g", i, (double)y[i]);
    sorai_rng r;
    sorai_rng_init(&r, 1, 2);
    int seen[6] = {0};
    for (int i = 0; i < 6000; i++) seen[sorai_rng_below(&r, 6)]++;
    for (int i = 0; i < 6; i++) ck_assert(seen[i] > 850 && seen[i] < 1150);
    ck_assert_uint_eq(sorai_rng_below(&r, 0), 0);
}
END_TEST

START_TEST(test_error_line) {
    sora_error e = {0};
    ck_assert_int_eq(sorai_fail(&e, SORA_E_IO, "%s", "a\nb\x1b[31m\xff gr\xc3\xbc\xc3\x9f \xc2\x85 \xe2\x80\xa8|"),
                     SORA_E_IO);
    ck_assert_str_eq(e.message, "a?b?[31m? gr\xc3\xbc\xc3\x9f ?? ???|");
    char longer[1200];
    memset(longer, 'x', sizeof longer);
    longer[1199] = 0;
    memcpy(longer + 502, "\xc3\xbc", 2); /* the cut falls into it */
    ck_assert_int_eq(sorai_fail(&e, SORA_E_IO, "%s", longer), SORA_E_IO);
    ck_assert_uint_eq(strlen(e.message), 503);
    ck_assert_int_eq(e.message[502], '?');
}
END_TEST

Suite *suite_io_base(void);
Suite *suite_io_base(void) {
    Suite *s = suite_create("io_base");
    TCase *c = tcase_create("base");
    tcase_add_test(c, test_utf8);
    tcase_add_test(c, test_checksum);
    tcase_add_test(c, test_rng);
    tcase_add_test(c, test_error_line);
    suite_add_tcase(s, c);
    return s;
}
