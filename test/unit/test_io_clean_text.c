/* Prompt clean-up against ftfy, html.unescape and a regular expression (test/parity/make_clean_text_fixtures.py). */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/io/clean_text.h"

#define CASES "test/parity/fixtures/tokenizer/clean.json"

static sorai_mem mem;

START_TEST(test_cases) {
    sorai_mem_init(&mem, NULL, 0);
    json_error_t problem;
    json_t *rows = json_load_file(CASES, JSON_ALLOW_NUL, &problem), *row;
    ck_assert_msg(rows != NULL, "%s", problem.text);
    size_t i, wrong = 0;
    json_array_foreach(rows, i, row) {
        json_t *text = json_array_get(row, 0), *want = json_array_get(row, 1);
        sorai_buffer out;
        sorai_buffer_init(&out, &mem);
        ck_assert_int_eq(sorai_clean_text(json_string_value(text), json_string_length(text), &out, NULL), SORA_OK);
        if (out.size != json_string_length(want) ||
            (out.size && memcmp(out.data, json_string_value(want), out.size) != 0)) {
            if (wrong++ < 8) {
                char *shown = json_dumps(row, JSON_ENSURE_ASCII | JSON_COMPACT);
                json_t *got = json_stringn(out.data ? out.data : "", out.size);
                char *mine = json_dumps(got, JSON_ENSURE_ASCII | JSON_COMPACT | JSON_ENCODE_ANY);
                printf("%s got %s\n", shown, mine ? mine : "(not UTF-8)");
                free(shown);
                free(mine);
                json_decref(got);
            }
        }
        sorai_buffer_release(&out);
    }
    const size_t count = json_array_size(rows);
    json_decref(rows);
    ck_assert_uint_ge(count, 1000);
    ck_assert_msg(wrong == 0, "%zu of %zu texts differ", wrong, count);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(test_edges) {
    sorai_mem_init(&mem, NULL, 0);
    sorai_buffer out;
    sorai_buffer_init(&out, &mem);
    ck_assert_int_eq(sorai_clean_text("  a\xff\tb\xc3  ", 9, &out, NULL), SORA_OK);
    ck_assert_uint_eq(out.size, 9);
    ck_assert_int_eq(memcmp(out.data, "a\xef\xbf\xbd b\xef\xbf\xbd", 9), 0);
    sorai_buffer_release(&out);
    /* an enemy's texts end in reasonable time: long runs of combining marks, levels of escaping */
    const size_t n = SORAI_CLEAN_TEXT_MAX;
    char *text = malloc(n);
    for (size_t i = 0; i + 1 < n; i += 2) memcpy(text + i, i % 4 ? "\xcc\x81" : "\xcc\xa3", 2);
    ck_assert_int_eq(sorai_clean_text(text, n, &out, NULL), SORA_OK);
    sorai_buffer_release(&out);
    text[0] = '&';
    for (size_t i = 1; i < 8000; i++) text[i] = "amp;"[(i - 1) % 4];
    ck_assert_int_eq(sorai_clean_text(text, 8000, &out, NULL), SORA_OK);
    sorai_buffer_release(&out);
    sora_error e = {0};
    ck_assert_int_eq(sorai_clean_text(text, n + 1, &out, &e), SORA_E_LIMIT);
    free(text);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

Suite *suite_io_clean_text(void);
Suite *suite_io_clean_text(void) {
    Suite *s = suite_create("io_clean_text");
    TCase *c = tcase_create("clean_text");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, test_cases);
    tcase_add_test(c, test_edges);
    suite_add_tcase(s, c);
    return s;
}
