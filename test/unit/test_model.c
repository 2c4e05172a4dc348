/* Models through the public API: opened from a folder, a file and callbacks; described, converted; memory that runs
 * out. */
#define _XOPEN_SOURCE 700
#include <check.h>
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sora/sora.h>

static char folder[64];
static sora_error err;

static void setup(void) {
    char command[160];
    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    strcpy(folder, "/tmp/sora-model-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(command, sizeof command, "sh test/tiny/make.sh %s/tiny", folder);
    ck_assert_int_eq(system(command), 0);
}

static void teardown(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *at(const char *name, char out[160]) {
    snprintf(out, 160, "%s/%s", folder, name);
    return out;
}

/* Entries of the test's folder. */
static int entries(void) {
    int n = 0;
    DIR *d = opendir(folder);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.' || (e->d_name[1] && strcmp(e->d_name, "..") != 0);
    closedir(d);
    return n;
}

static sora_context *new_context(const sora_allocator *allocator) {
    sora_context *ctx = NULL;
    sora_context_opts opts;
    sora_context_opts_init(&opts);
    opts.threads = 1;
    opts.allocator = allocator;
    ck_assert_int_eq(sora_context_create(&ctx, &opts, &err), SORA_OK);
    return ctx;
}

static void check_info(sora_model *model, const char *format) {
    sora_model_desc d = {.struct_size = sizeof d};
    ck_assert_int_eq(sora_model_info(model, &d), SORA_OK);
    ck_assert_str_eq(d.format, format);
    ck_assert_str_eq(d.family, "wan");
    ck_assert_str_eq(d.name, "tiny");
    ck_assert_uint_eq(d.parts, SORA_PART_TRANSFORMER | SORA_PART_VAE | SORA_PART_TEXT_ENCODER | SORA_PART_TOKENIZER);
    ck_assert(d.latent_channels == 4 && d.temporal_factor == 4 && d.spatial_factor == 8);
    ck_assert(d.patch_t == 1 && d.patch_h == 2 && d.patch_w == 2 && d.text_length == 16);
    ck_assert(d.default_width == 32 && d.default_height == 32 && d.default_frames == 5 && d.default_steps == 4);
    ck_assert(d.default_fps == 8 && d.default_guidance == 3 && d.default_guidance_given == 3 && d.default_shift == 3);
    ck_assert_uint_gt(d.parameters, 190000);
    const char *json = sora_model_json(model, &err);
    ck_assert_msg(json != NULL, "%s", err.message);
    ck_assert_ptr_nonnull(strstr(json, "\"blocks.0.attn1.to_q.weight\""));
    ck_assert_ptr_eq(json, sora_model_json(model, NULL));
    int32_t ids[8];
    size_t n = 0;
    ck_assert_int_eq(sora_model_tokenize(model, "a cat", (size_t)-1, ids, 8, &n, &err), SORA_OK);
    ck_assert_uint_eq(n, 7);
    ck_assert(ids[0] == 3 && ids[1] == 4 && ids[6] == 1);
    ck_assert_int_eq(sora_model_tokenize(model, "a cat", 5, ids, 2, &n, &err), SORA_OK);
    ck_assert_uint_eq(n, 7);
}

/* A host's own I/O over a file in memory, which can be told to fail. */
typedef struct memory_file {
    uint8_t *data;
    int64_t size;
    int reads, fail_at;
} memory_file;

static int64_t read_at(void *user, uint64_t offset, void *dst, size_t n) {
    memory_file *f = user;
    const int broken = ++f->reads >= f->fail_at && f->fail_at; /* from then on */
    if (broken || offset > (uint64_t)f->size || n > (uint64_t)f->size - offset) return -1;
    memcpy(dst, f->data + offset, n);
    return (int64_t)n;
}

static memory_file load(const char *path) {
    memory_file f = {malloc(1 << 22), 0, 0, 0};
    FILE *in = fopen(path, "rb");
    ck_assert_ptr_nonnull(in);
    f.size = (int64_t)fread(f.data, 1, 1 << 22, in);
    fclose(in);
    return f;
}

START_TEST(opened_every_way) {
    char a[160], b[160];
    sora_context *ctx = new_context(NULL);
    sora_model *model = NULL;
    ck_assert_int_eq(sora_model_open(&model, ctx, at("tiny", a), NULL, &err), SORA_OK);
    check_info(model, "diffusers folder");
    sora_model_unref(&model);
    ck_assert_msg(sora_model_convert(ctx, a, at("tiny.sora", b), 0, &err) == SORA_OK, "%s", err.message);
    ck_assert_int_eq(sora_model_open(&model, ctx, b, NULL, &err), SORA_OK);
    check_info(model, "sora");
    sora_model *more = sora_model_ref(model);
    sora_model_unref(&model);
    ck_assert_ptr_null(model);
    check_info(more, "sora");
    sora_model_unref(&more);
    memory_file f = load(b);
    const sora_io io = {&f, read_at, (uint64_t)f.size, "tensor file"};
    ck_assert_msg(sora_model_open_io(&model, ctx, &io, NULL, &err) == SORA_OK, "%s", err.message);
    check_info(model, "sora");
    sora_model_unref(&model);
    /* Reading fails at some point: an error that names the file once, whatever was done before. */
    for (int k = 1, whole = 0; !whole; k++) {
        f.reads = 0;
        f.fail_at = k;
        sora_pipeline *p = NULL;
        sora_tensor *text = NULL;
        int status = sora_model_open_io(&model, ctx, &io, NULL, &err);
        if (status == SORA_OK) {
            status = sora_model_json(model, &err) ? SORA_OK : err.code;
            if (status == SORA_OK) status = sora_pipeline_create(&p, model, &err);
            if (status == SORA_OK) status = sora_encode_text(p, "a cat", (size_t)-1, &text, NULL, &err);
        }
        const char *named = status == SORA_OK ? NULL : strstr(err.message, "tensor file");
        ck_assert_msg(status == SORA_OK || (status == SORA_E_IO && named && !strstr(named + 1, "tensor file")), "read %d: %d %s", k, status, err.message);
        whole = status == SORA_OK;
        ck_assert(whole ? f.reads < k && k > 40 : k < 1000);
        sora_tensor_unref(&text);
        sora_pipeline_destroy(&p);
        sora_model_unref(&model);
    }
    free(f.data);
    sora_context_unref(&ctx);
}
END_TEST

START_TEST(what_cannot_be_opened) {
    char a[160];
    sora_context *ctx = new_context(NULL);
    sora_model *model = (sora_model *)ctx;
    sora_model_opts opts;
    sora_model_opts_init(&opts);
    ck_assert_int_eq(sora_model_open(&model, ctx, at("none", a), NULL, &err), SORA_E_NOTFOUND);
    ck_assert_ptr_null(model);
    ck_assert_ptr_nonnull(strstr(err.message, "none"));
    opts.device = "abacus";
    ck_assert_int_eq(sora_model_open(&model, ctx, at("tiny", a), &opts, &err), SORA_E_NOTFOUND);
    sora_model_opts_init(&opts);
    opts.dtype = SORA_DTYPE_U8;
    ck_assert_int_eq(sora_model_open(&model, ctx, a, &opts, &err), SORA_E_INVALID);
    sora_model_opts_init(&opts);
    opts.flags = 1;
    ck_assert_int_eq(sora_model_open(&model, ctx, a, &opts, &err), SORA_E_UNSUPPORTED);
    ck_assert_int_eq(sora_model_open(&model, NULL, a, NULL, &err), SORA_E_INVALID);
    ck_assert_int_eq(sora_model_convert(ctx, a, at("x.sora", a), 99, &err), SORA_E_INVALID);
    ck_assert_ptr_null(sora_model_json(NULL, &err));
    ck_assert_int_eq(entries(), 1);
    /* A scheduler that would sample otherwise than what is here. */
    ck_assert_int_eq(mkdir(at("tiny/scheduler", a), 0777), 0);
    FILE *out = fopen(at("tiny/scheduler/scheduler_config.json", a), "w");
    ck_assert_ptr_nonnull(out);
    fputs("{\"_class_name\": \"UniPCMultistepScheduler\", \"solver_order\": 3}", out);
    fclose(out);
    ck_assert_int_eq(sora_model_open(&model, ctx, at("tiny", a), NULL, &err), SORA_E_UNSUPPORTED);
    ck_assert_msg(strstr(err.message, a) && strstr(err.message, "scheduler config: solver_order 3"), "%s", err.message);
    sora_context_unref(&ctx);
}
END_TEST

/* int8 keeps each row within half a step of its largest value. */
START_TEST(int8_is_close) {
    char a[160], b[160], c[160];
    sora_context *ctx = new_context(NULL);
    sora_tensor *was = NULL, *is = NULL;
    ck_assert_int_eq(sora_model_convert(ctx, at("tiny", a), at("i8.sora", b), SORA_DTYPE_I8, &err), SORA_OK);
    ck_assert_int_eq(sora_model_convert(ctx, b, at("back", c), SORA_DTYPE_F32, &err), SORA_OK);
    strcat(a, "/transformer/diffusion_pytorch_model.safetensors");
    strcat(c, "/transformer/diffusion_pytorch_model.safetensors");
    const char *name = "blocks.0.ffn.net.2.weight"; /* [24, 40] */
    ck_assert_int_eq(sora_tensor_load(&was, ctx, a, name, &err), SORA_OK);
    ck_assert_int_eq(sora_tensor_load(&is, ctx, c, name, &err), SORA_OK);
    sora_tensor_desc d = {.struct_size = sizeof d};
    sora_tensor_info(is, &d);
    ck_assert_int_eq(d.dtype, SORA_DTYPE_F32);
    const float *u = sora_tensor_data(was), *v = sora_tensor_data(is);
    int changed = 0;
    for (int64_t r = 0; r < d.shape[0]; r++) {
        float most = 0;
        for (int64_t k = 0; k < d.shape[1]; k++) {
            const float x = u[r * d.shape[1] + k] < 0 ? -u[r * d.shape[1] + k] : u[r * d.shape[1] + k];
            most = x > most ? x : most;
        }
        for (int64_t k = 0; k < d.shape[1]; k++) {
            const float diff = u[r * d.shape[1] + k] - v[r * d.shape[1] + k];
            changed += diff != 0;
            ck_assert(diff <= most / 253.9f && diff >= -most / 253.9f);
        }
    }
    ck_assert_int_gt(changed, 0);
    sora_tensor_unref(&was);
    sora_tensor_unref(&is);
    sora_context_unref(&ctx);
}
END_TEST

typedef struct failing {
    atomic_long left, blocks; /* allocations until one fails; blocks that are out */
} failing;

static void *failing_alloc(void *user, size_t size, size_t align) {
    failing *f = user;
    if (atomic_fetch_sub(&f->left, 1) == 0) return NULL;
    void *p = aligned_alloc(align, (size + align - 1) / align * align);
    if (p) atomic_fetch_add(&f->blocks, 1);
    return p;
}

static void failing_free(void *user, void *ptr) {
    atomic_fetch_sub(&((failing *)user)->blocks, 1);
    free(ptr);
}

/* Wherever memory ends, opening, describing and converting fail cleanly: nothing lost, nothing left on disk. */
START_TEST(memory_runs_out_anywhere) {
    static const char *const to[] = {"to.sora", "to"};
    static const int32_t weights[] = {0, SORA_DTYPE_I8};
    char a[160], b[160];
    int done = 0;
    at("tiny", a);
    at(to[_i], b);
    for (long n = 0; !done && n < 200000; n += 1 + n / 12) {
        failing f;
        atomic_init(&f.left, -1);
        atomic_init(&f.blocks, 0);
        const sora_allocator allocator = {&f, failing_alloc, failing_free};
        sora_context *ctx = new_context(&allocator);
        sora_model *model = NULL;
        atomic_store(&f.left, n);
        int status = sora_model_convert(ctx, a, b, weights[_i], &err);
        if (status == SORA_OK) status = sora_model_open(&model, ctx, b, NULL, &err);
        if (status == SORA_OK) status = sora_model_json(model, &err) ? SORA_OK : err.code;
        ck_assert_msg(status == SORA_OK || status == SORA_E_NOMEM, "allocation %ld: %d %s", n, status, err.message);
        done = status == SORA_OK && atomic_load(&f.left) >= 0;
        sora_model_unref(&model);
        sora_context_unref(&ctx);
        ck_assert_msg(atomic_load(&f.blocks) == 0, "allocation %ld: %ld blocks are lost", n, atomic_load(&f.blocks));
        ck_assert_int_le(entries(), 2);
        if (entries() == 2) {
            char command[200];
            ck_assert_int_eq(access(b, F_OK), 0);
            snprintf(command, sizeof command, "rm -rf %s", b);
            ck_assert_int_eq(system(command), 0);
        }
    }
    ck_assert(done);
}
END_TEST

Suite *suite_model(void) {
    Suite *s = suite_create("model");
    TCase *c = tcase_create("model");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, opened_every_way);
    tcase_add_test(c, what_cannot_be_opened);
    tcase_add_test(c, int8_is_close);
    tcase_add_loop_test(c, memory_runs_out_anywhere, 0, 2);
    suite_add_tcase(s, c);
    return s;
}
