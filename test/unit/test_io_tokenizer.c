/* Tokenizers against the ids that sentencepiece and the tokenizers library give
 * (test/parity/make_tokenizer_fixtures.py). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/io/json.h"
#include "lib/io/tokenizer.h"
#include "lib/io/tokenizer_build.h"

#define FOLDER "test/parity/fixtures/tokenizer/"

static sorai_mem mem;
static sora_error error;

static void setup(void) {
    sorai_mem_init(&mem, NULL, 0);
    memset(&error, 0, sizeof error);
}

static void teardown(void) { ck_assert_uint_eq(atomic_load(&mem.used), 0); }

static sorai_tokenizer *open_file(const char *name) {
    char path[256];
    sorai_source *source;
    sorai_tokenizer *t;
    snprintf(path, sizeof path, "%s%s", FOLDER, name);
    ck_assert_msg(sorai_source_open(&source, &mem, path, &error) == SORA_OK, "%s", error.message);
    ck_assert_msg(sorai_tokenizer_open(&t, &mem, source, &error) == SORA_OK, "%s", error.message);
    sorai_source_unref(&source);
    return t;
}

/* How many texts differ; the first few are printed. */
static size_t compare(const char *tokenizer, const char *cases, size_t *count) {
    sorai_tokenizer *t = open_file(tokenizer);
    char path[256];
    snprintf(path, sizeof path, "%s%s", FOLDER, cases);
    json_error_t problem;
    json_t *rows = json_load_file(path, JSON_ALLOW_NUL, &problem), *row;
    ck_assert_msg(rows != NULL, "%s: %s", path, problem.text);
    size_t i, wrong = 0;
    json_array_foreach(rows, i, row) {
        json_t *text = json_array_get(row, 0), *want = json_array_get(row, 1);
        sorai_ids got;
        sorai_ids_init(&got, &mem);
        ck_assert_int_eq(sorai_tokenizer_encode(t, json_string_value(text), json_string_length(text), 0, &got, &error),
                         SORA_OK);
        bool same = got.count == json_array_size(want);
        for (size_t k = 0; k < got.count && same; k++)
            same = got.ids[k] == (int32_t)json_integer_value(json_array_get(want, k));
        if (!same && wrong++ < 5) {
            char *shown = json_dumps(row, JSON_ENSURE_ASCII | JSON_COMPACT);
            printf("%s: %s\n    got", tokenizer, shown);
            for (size_t k = 0; k < got.count; k++) printf(" %d", (int)got.ids[k]);
            printf("\n");
            free(shown);
        }
        sorai_ids_release(&got);
    }
    *count = json_array_size(rows);
    json_decref(rows);
    sorai_tokenizer_close(&t);
    return wrong;
}

START_TEST(test_same_ids) {
    static const char *const files[][2] = {{"nmt.json", "nmt.cases.json"},      {"nmt.model", "nmt.cases.json"},
                                           {"bytes.model", "bytes.cases.json"}, {"umt5.json", "umt5.cases.json"},
                                           {"first.json", "first.cases.json"},  {"whole.json", "whole.cases.json"}};
    size_t count;
    const size_t wrong = compare(files[_i][0], files[_i][1], &count);
    ck_assert_uint_ge(count, 500);
    ck_assert_msg(wrong == 0, "%s: %zu of %zu texts differ", files[_i][0], wrong, count);
}
END_TEST

START_TEST(test_truncation_and_names) {
    sorai_tokenizer *t = open_file("umt5.json");
    sorai_ids all, some;
    sorai_ids_init(&all, &mem);
    sorai_ids_init(&some, &mem);
    static const char text[] = "a kangaroo jumps on the beach at sunset";
    ck_assert_int_eq(sorai_tokenizer_encode(t, text, strlen(text), 0, &all, &error), SORA_OK);
    ck_assert_uint_gt(all.count, 6);
    ck_assert_int_eq(sorai_tokenizer_encode(t, text, strlen(text), 5, &some, &error), SORA_OK);
    ck_assert_uint_eq(some.count, 5);
    ck_assert_int_eq(memcmp(some.ids, all.ids, 4 * sizeof *all.ids), 0);
    ck_assert_int_eq(some.ids[4], 1);
    some.count = 0;
    ck_assert_int_eq(sorai_tokenizer_encode(t, text, strlen(text), all.count, &some, &error), SORA_OK);
    ck_assert_uint_eq(some.count, all.count);
    size_t n;
    const char *piece = sorai_tokenizer_piece(t, 1, &n);
    ck_assert(n == 4 && memcmp(piece, "</s>", 4) == 0);
    ck_assert_int_eq(sorai_tokenizer_find(t, "<unk>", 5), 3);
    ck_assert_int_eq(sorai_tokenizer_find(t, "no such piece", 13), -1);
    ck_assert_ptr_null(sorai_tokenizer_piece(t, sorai_tokenizer_size(t), &n));
    ck_assert_ptr_nonnull(sorai_tokenizer_piece(t, sorai_tokenizer_size(t) - 1, &n));
    some.count = 0; /* bytes that are no UTF-8 count as U+FFFD */
    ck_assert_int_eq(sorai_tokenizer_encode(t, "a \xff\xfe b", 6, 0, &some, &error), SORA_OK);
    all.count = 0;
    ck_assert_int_eq(sorai_tokenizer_encode(t, "a \xef\xbf\xbd\xef\xbf\xbd b", 10, 0, &all, &error), SORA_OK);
    ck_assert(some.count == all.count && memcmp(some.ids, all.ids, all.count * sizeof *all.ids) == 0);
    sorai_ids_release(&all);
    sorai_ids_release(&some);
    sorai_tokenizer_close(&t);
}
END_TEST

START_TEST(test_refusals) {
#define MODEL "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1]]}"
    static const struct {
        const char *json;
        int status;
        const char *says;
    } bad[] = {
        {"{", SORA_E_FORMAT, "JSON"},
        {"{}", SORA_E_FORMAT, "model"},
        {"{\"model\":{\"type\":\"BPE\"}}", SORA_E_UNSUPPORTED, "BPE"},
        {"{\"model\":{\"type\":\"Unigram\",\"unk_id\":2,\"vocab\":[[\"<unk>\",0],[\"a\",-1]]}}", SORA_E_FORMAT,
         "unknown piece"},
        {"{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[]}}", SORA_E_FORMAT, "unknown piece"},
        {"{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\"]]}}", SORA_E_FORMAT, "entry 0"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0]]}}", SORA_E_FORMAT, "unk_id"},
        {"{" MODEL ",\"normalizer\":{\"type\":\"Lowercase\"}}", SORA_E_UNSUPPORTED, "Lowercase"},
        {"{" MODEL ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(a|b)\"},\"content\":\"\"}}",
         SORA_E_UNSUPPORTED, "(a|b)"},
        {"{" MODEL ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}}", SORA_E_FORMAT,
         "charsmap"},
        {"{" MODEL ",\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"!\"}}", SORA_E_FORMAT,
         "base64"},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"ByteLevel\"}}", SORA_E_UNSUPPORTED, "ByteLevel"},
        {"{" MODEL ",\"post_processor\":{\"type\":\"BertProcessing\"}}", SORA_E_UNSUPPORTED, "BertProcessing"},
        {"{" MODEL ",\"added_tokens\":[{\"content\":\"x\",\"single_word\":true}]}", SORA_E_UNSUPPORTED, "single_word"},
        {"{" MODEL ",\"added_tokens\":[{\"content\":1}]}", SORA_E_FORMAT, "content"},
        {"\x0a\x05\x0a\x03", SORA_E_FORMAT, "sentencepiece"},
        {"\x12\x02\x18\x02", SORA_E_UNSUPPORTED, "unigram"},
        {"", SORA_E_FORMAT, "no pieces"},
        {"hello", SORA_E_FORMAT, "sentencepiece"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sorai_source *source;
        sorai_tokenizer *t;
        memset(&error, 0, sizeof error);
        ck_assert_int_eq(sorai_source_memory(&source, &mem, "t", bad[i].json, strlen(bad[i].json), NULL, NULL, NULL),
                         SORA_OK);
        int status = sorai_tokenizer_open(&t, &mem, source, &error);
        ck_assert_msg(status == bad[i].status, "%s: %d %s", bad[i].json, status, error.message);
        ck_assert_msg(strstr(error.message, bad[i].says) && strstr(error.message, "t: "), "%s: %s", bad[i].json,
                      error.message);
        sorai_source_unref(&source);
    }
}
END_TEST

/* Eight steps that make a thousand letters of one each: refused at the limit, before there is memory for them. */
START_TEST(test_explosion) {
    char step[1200], json[12000] = "{" MODEL ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[";
    strcpy(step, "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"");
    const size_t at = strlen(step);
    memset(step + at, 'a', 1000);
    strcpy(step + at + 1000, "\"}");
    for (int i = 0; i < 8; i++) {
        strcat(json, i ? "," : "");
        strcat(json, step);
    }
    strcat(json, "]}}");
    sorai_source *source;
    sorai_tokenizer *t;
    sorai_ids ids;
    ck_assert_int_eq(sorai_source_memory(&source, &mem, "t", json, strlen(json), NULL, NULL, NULL), SORA_OK);
    ck_assert_msg(sorai_tokenizer_open(&t, &mem, source, &error) == SORA_OK, "%s", error.message);
    sorai_ids_init(&ids, &mem);
    ck_assert_int_eq(sorai_tokenizer_encode(t, "a", 1, 0, &ids, &error), SORA_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(error.message, "too long"));
    ck_assert_uint_lt(atomic_load(&mem.peak), 150000000);
    sorai_ids_release(&ids);
    sorai_tokenizer_close(&t);
    sorai_source_unref(&source);
}
END_TEST

static int32_t word_pieces(const sorai_tokenizer *t, const char *text, int32_t *first) {
    sorai_ids ids;
    sorai_ids_init(&ids, &mem);
    ck_assert_int_eq(sorai_tokenizer_encode(t, text, strlen(text), 0, &ids, &error), SORA_OK);
    ck_assert_int_eq(ids.ids[ids.count - 1], 1);
    for (size_t i = 0; i < ids.count; i++)
        ck_assert_int_ne(ids.ids[i], 2); /* the byte fallback leaves nothing unknown */
    const int32_t count = (int32_t)ids.count - 1;
    *first = ids.ids[0];
    sorai_ids_release(&ids);
    return count;
}

START_TEST(test_build) {
    static const char *const subjects[] = {"an old man",  "a woman",     "a kangaroo",
                                           "a toy robot", "a Shiba Inu", "two fish"};
    static const char *const rest[] = {"walks on the beach.", "is walking, at night", "jumps in a city (rain)",
                                       "gr\xc3\xbc\xc3\x9ft die Katze"};
    char lines[24][80];
    sorai_tokenizer_text texts[24];
    for (int i = 0; i < 24; i++) {
        snprintf(lines[i], sizeof lines[i], "%s %s", subjects[i % 6], rest[i / 6]);
        texts[i] = (sorai_tokenizer_text){lines[i], strlen(lines[i])};
    }
    sorai_buffer model, again;
    sorai_buffer_init(&model, &mem);
    sorai_buffer_init(&again, &mem);
    ck_assert_int_eq(sorai_tokenizer_build(&mem, texts, 24, 399, &model, &error), SORA_E_INVALID);
    for (uint32_t pieces = 400; pieces <= 1600; pieces *= 2) {
        model.size = again.size = 0;
        ck_assert_msg(sorai_tokenizer_build(&mem, texts, 24, pieces, &model, &error) == SORA_OK, "%s", error.message);
        ck_assert_int_eq(sorai_tokenizer_build(&mem, texts, 24, pieces, &again, &error), SORA_OK);
        ck_assert(model.size == again.size && memcmp(model.data, again.data, model.size) == 0);
        sorai_source *source;
        sorai_tokenizer *t;
        ck_assert_int_eq(sorai_source_memory(&source, &mem, "built", model.data, model.size, NULL, NULL, NULL),
                         SORA_OK);
        ck_assert_msg(sorai_tokenizer_open(&t, &mem, source, &error) == SORA_OK, "%s", error.message);
        ck_assert_int_le(sorai_tokenizer_size(t), (int32_t)pieces);
        ck_assert_int_eq(sorai_tokenizer_find(t, "<pad>", 5), 0);
        int32_t first, kangaroo;
        if (pieces > 400) { /* room for the words: each is one piece */
            ck_assert_int_eq(word_pieces(t, "kangaroo", &kangaroo), 1);
            ck_assert_int_eq(word_pieces(t, "  a   kangaroo jumps in\nthe city", &first), 6);
            ck_assert_int_eq(word_pieces(t, "beach.", &first), 2);
            ck_assert_int_eq(word_pieces(t, "gr\xc3\xbc\xc3\x9ft", &first), 1);
        }
        ck_assert_int_ge(word_pieces(t, "\xe7\x8c\xab Zyx!", &first), 3);
        sorai_tokenizer_close(&t);
        sorai_source_unref(&source);
    }
    model.size = 0; /* nothing to learn from is fine too */
    ck_assert_int_eq(sorai_tokenizer_build(&mem, NULL, 0, 500, &model, &error), SORA_OK);
    sorai_buffer_release(&model);
    sorai_buffer_release(&again);
}
END_TEST

Suite *suite_io_tokenizer(void);
Suite *suite_io_tokenizer(void) {
    Suite *s = suite_create("io_tokenizer");
    TCase *c = tcase_create("tokenizer");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, test_same_ids, 0, 6);
    tcase_add_test(c, test_truncation_and_names);
    tcase_add_test(c, test_refusals);
    tcase_add_test(c, test_explosion);
    tcase_add_test(c, test_build);
    suite_add_tcase(s, c);
    return s;
}
