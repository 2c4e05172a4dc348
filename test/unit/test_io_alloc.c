/* Every allocation of the readers and writers fails once: a clean error, nothing leaks, nothing is left on the disk. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/io/clean_text.h"
#include "lib/io/package.h"
#include "lib/io/png.h"
#include "lib/io/safetensors.h"
#include "lib/io/sora_file.h"
#include "lib/io/tokenizer.h"
#include "lib/io/tokenizer_build.h"

typedef struct fate {
    long allowed; /* allocations until one fails */
    bool failed;
} fate;

static void *fated_alloc(void *user, size_t size, size_t align) {
    fate *f = user;
    if (f->allowed-- == 0) {
        f->failed = true;
        return NULL;
    }
    return aligned_alloc(align, (size + align - 1) / align * align);
}

static void fated_free(void *user, void *ptr) {
    (void)user;
    free(ptr);
}

static char path[64];

static int write_safetensors(sorai_mem *mem, sora_error *err) {
    const int64_t shape[2] = {4, 4};
    sora_tensor *t;
    SORA_TRY(sorai_tensor_new(&t, mem, SORA_DTYPE_F32, 2, shape, err));
    const sorai_named_tensor one = {"a", t};
    int status = sorai_safetensors_write(mem, path, &one, 1, NULL, err);
    sorai_tensor_unref(&t);
    if (status != SORA_OK) return status;
    sorai_safetensors *st;
    SORA_TRY(sorai_safetensors_open_path(&st, mem, path, err));
    status = sorai_safetensors_lookup(st, "a", &t, err);
    sorai_tensor_unref(&t);
    sorai_safetensors_close(&st);
    unlink(path);
    return status;
}

static int fill_sora(sorai_sora_writer *w, const sora_tensor *t, sora_error *err) {
    json_t *config = json_object();
    int status = sorai_sora_writer_part(w, "vae", config, err);
    json_decref(config);
    SORA_TRY(status);
    SORA_TRY(sorai_sora_writer_tensor(w, "vae", "a", t, SORAI_CODEC_ZSTD_SPLIT, 1, err));
    SORA_TRY(sorai_sora_writer_tensor(w, "vae", "b", t, SORAI_CODEC_NONE, 1, err));
    return sorai_sora_writer_blob(w, "x", t->data, sorai_tensor_bytes(t), SORAI_CODEC_ZSTD, 1, err);
}

static int write_sora(sorai_mem *mem, sora_error *err) {
    const int64_t shape[2] = {64, 16};
    sora_tensor *t;
    SORA_TRY(sorai_tensor_new(&t, mem, SORA_DTYPE_BF16, 2, shape, err));
    sorai_sora_writer *w;
    int status = sorai_sora_writer_begin(&w, mem, path, err);
    if (status == SORA_OK) {
        status = fill_sora(w, t, err);
        if (status == SORA_OK)
            status = sorai_sora_writer_finish(&w, err);
        else
            sorai_sora_writer_abandon(&w);
    }
    sorai_tensor_unref(&t);
    if (status != SORA_OK) return status;
    sorai_package *p;
    SORA_TRY(sorai_package_open(&p, mem, path, err));
    status = sorai_package_verify(p, err);
    sorai_package_close(&p);
    unlink(path);
    return status;
}

static int encode_with(sorai_mem *mem, const char *file, sora_error *err) {
    sorai_source *source;
    sorai_tokenizer *t;
    SORA_TRY(sorai_source_open(&source, mem, file, err));
    int status = sorai_tokenizer_open(&t, mem, source, err);
    sorai_source_unref(&source);
    if (status != SORA_OK) return status;
    static const char text[] = "a kangaroo  </s> Hello World e\xcc\x81 <mask> \xef\xac\x81";
    sorai_ids ids;
    sorai_ids_init(&ids, mem);
    status = sorai_tokenizer_encode(t, text, strlen(text), 0, &ids, err);
    sorai_ids_release(&ids);
    sorai_tokenizer_close(&t);
    return status;
}

static int tokenizer_json(sorai_mem *mem, sora_error *err) {
    SORA_TRY(encode_with(mem, "test/parity/fixtures/tokenizer/first.json", err));
    return encode_with(mem, "test/parity/fixtures/tokenizer/nmt.json", err);
}

static int tokenizer_spiece(sorai_mem *mem, sora_error *err) {
    return encode_with(mem, "test/parity/fixtures/tokenizer/nmt.model", err);
}

static int clean(sorai_mem *mem, sora_error *err) {
    static const char text[] = "a &amp;amp; \xe2\x80\x9c"
                               "e\xcc\x81\xcc\xa3\xe2\x80\x9d &lt;\r\n b &notit;";
    sorai_buffer out;
    sorai_buffer_init(&out, mem);
    int status = sorai_clean_text(text, strlen(text), &out, err);
    sorai_buffer_release(&out);
    return status;
}

static int images(sorai_mem *mem, sora_error *err) {
    const int64_t shape[3] = {9, 7, 3};
    sora_tensor *t;
    SORA_TRY(sorai_tensor_new(&t, mem, SORA_DTYPE_U8, 3, shape, err));
    int status = sorai_png_write(mem, path, t, err);
    sorai_tensor_unref(&t);
    if (status != SORA_OK) return status;
    sorai_source *source;
    SORA_TRY(sorai_source_open(&source, mem, path, err));
    status = sorai_png_read(mem, source, 4, &t, err);
    sorai_source_unref(&source);
    sorai_tensor_unref(&t);
    unlink(path);
    return status;
}

static int build(sorai_mem *mem, sora_error *err) {
    const sorai_tokenizer_text texts[2] = {{"a cat walks, a dog runs", 23}, {"the cat sleeps on the beach.", 28}};
    sorai_buffer out;
    sorai_buffer_init(&out, mem);
    int status = sorai_tokenizer_build(mem, texts, 2, 500, &out, err);
    sorai_buffer_release(&out);
    return status;
}

static const struct {
    const char *name;
    int (*run)(sorai_mem *mem, sora_error *err);
} cases[] = {{"safetensors", write_safetensors},
             {"sora", write_sora},
             {"tokenizer_json", tokenizer_json},
             {"tokenizer_spiece", tokenizer_spiece},
             {"clean", clean},
             {"images", images},
             {"build", build}};

START_TEST(test_every_allocation) {
    strcpy(path, "/tmp/sora-alloc-XXXXXX");
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    unlink(path);
    for (long n = 0;; n++) {
        fate f = {n, false};
        const sora_allocator host = {&f, fated_alloc, fated_free};
        sorai_mem mem;
        sora_error err = {0};
        sorai_mem_init(&mem, &host, 0);
        const int status = cases[_i].run(&mem, &err);
        ck_assert_msg(atomic_load(&mem.used) == 0, "%s: allocation %ld failed: something leaks", cases[_i].name, n);
        if (!f.failed) {
            ck_assert_msg(status == SORA_OK, "%s: %s", cases[_i].name, err.message);
            ck_assert_int_gt(n, 3);
            break;
        }
        ck_assert_msg(status == SORA_E_NOMEM && err.code == SORA_E_NOMEM && err.message[0],
                      "%s: allocation %ld: status %d, %s", cases[_i].name, n, status, err.message);
        unlink(path); /* a whole file may stand there, no other */
    }
    char command[128];
    snprintf(command, sizeof command, "ls %s* 2>/dev/null", path);
    FILE *left = popen(command, "r");
    char line[80] = "";
    ck_assert(left && !fgets(line, sizeof line, left));
    pclose(left);
}
END_TEST

Suite *suite_io_alloc(void);
Suite *suite_io_alloc(void) {
    Suite *s = suite_create("io_alloc");
    TCase *c = tcase_create("alloc");
    tcase_set_timeout(c, 120);
    tcase_add_loop_test(c, test_every_allocation, 0, (int)(sizeof cases / sizeof *cases));
    suite_add_tcase(s, c);
    return s;
}
