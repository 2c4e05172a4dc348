/* Memory and threads run out: the Nth allocation of the host's allocator fails, for N = 1, 2, 3 ..., once with and once without the later
 * ones, while a context, a generation and a training step are made. Each time: a clean error, no block left, and what was being worked
 * with does the same work when memory is there again.
 *
 * usage: alloc [SCENARIO]     run in the repository's root */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/unit/train_tiny.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_THREADS 0 /* sanitizers put their own pthread_create in front */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_THREADS 0
#endif
#endif
#ifndef OWN_THREADS
#define OWN_THREADS 1
#endif

static struct fate {
    atomic_long made, live;
    atomic_long fails; /* number of the allocation that fails, from 1; 0: none */
    atomic_int all;    /* those after it too */
    atomic_int failed;
} fate;

static void *fated_alloc(void *user, size_t size, size_t align) {
    (void)user;
    const long n = atomic_fetch_add(&fate.made, 1) + 1, fails = atomic_load(&fate.fails);
    if (fails && (n == fails || (n > fails && atomic_load(&fate.all)))) {
        atomic_store(&fate.failed, 1);
        return NULL;
    }
    void *block = aligned_alloc(align, (size + align - 1) / align * align);
    if (block)
        atomic_fetch_add(&fate.live, 1);
    return block;
}

static void fated_free(void *user, void *block) {
    (void)user;
    if (block)
        atomic_fetch_sub(&fate.live, 1);
    free(block);
}

static const sora_allocator allocator = {NULL, fated_alloc, fated_free};

static void mercy(void) {
    atomic_store(&fate.fails, 0);
}

/* ---- what is done while memory runs out ---------------------------------------------------------------------------------------- */

static char folder[64], model_path[128];
static int wrong;   /* complaints about the round under way */
static long number; /* of its allocation that fails */

static void complaint(const char *what, const char *more) {
    if (wrong++ == 0)
        printf("FAIL allocation %ld%s: %s %s\n", number, atomic_load(&fate.all) ? " and later ones" : "", what, more);
}

static int new_context(sora_context **out, int threads, sora_error *err) {
    sora_context_opts o;
    sora_context_opts_init(&o);
    o.allocator = &allocator;
    o.threads = threads;
    return sora_context_create(out, &o, err);
}

static int do_context(sora_error *err) {
    sora_context *ctx = (sora_context *)(void *)folder;
    const int status = new_context(&ctx, 3, err);
    if (status != SORA_OK && ctx)
        complaint("context:", "*out is not NULL");
    sora_context_unref(&ctx);
    return status;
}

static uint64_t hash(const void *bytes, size_t size) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return h;
}

static int generate(sora_pipeline *p, uint64_t *pixels, sora_error *err) {
    int32_t width, height;
    int64_t frames;
    const int status = sora_pipeline_run(p, err);
    if (status != SORA_OK)
        return status;
    if (sora_pipeline_video_info(p, &width, &height, &frames, NULL) != SORA_OK)
        return SORA_E_INTERNAL;
    const size_t size = (size_t)width * (size_t)height * 3 * (size_t)frames;
    uint8_t *rgb = malloc(size);
    const int read = rgb ? sora_pipeline_read_frames(p, 0, frames, rgb, size) : SORA_E_NOMEM;
    *pixels = rgb ? hash(rgb, size) : 0;
    free(rgb);
    return read < 0 ? read : SORA_OK;
}

static int set_up(sora_pipeline *p) {
    int status = sora_pipeline_set_text(p, SORA_PARAM_PROMPT, "a cat", 5);
    if (status == SORA_OK)
        status = sora_pipeline_set_i64(p, SORA_PARAM_STEPS, 2);
    if (status == SORA_OK)
        status = sora_pipeline_set_i64(p, SORA_PARAM_WIDTH, 16);
    if (status == SORA_OK)
        status = sora_pipeline_set_i64(p, SORA_PARAM_HEIGHT, 16);
    return status;
}

static uint64_t wanted_pixels;

static int do_generate(sora_error *err) {
    sora_context *ctx = NULL;
    sora_model *model = NULL;
    sora_pipeline *p = NULL;
    uint64_t pixels = 0;
    int status = new_context(&ctx, 2, err);
    if (status == SORA_OK)
        status = sora_model_open(&model, ctx, model_path, NULL, err);
    if (status == SORA_OK)
        status = sora_pipeline_create(&p, model, err);
    if (status == SORA_OK && (status = set_up(p)) != SORA_OK) /* no sora_error there */
        snprintf(err->message, sizeof err->message, "a parameter could not be set");
    if (status == SORA_OK) {
        status = generate(p, &pixels, err);
        if (status != SORA_OK) {
            mercy();
            if (generate(p, &pixels, NULL) != SORA_OK)
                complaint("generation:", "does not work when memory is there again");
        }
        if (!wanted_pixels)
            wanted_pixels = pixels;
        if (pixels != wanted_pixels)
            complaint("generation:", "other pixels");
    }
    sora_pipeline_destroy(&p);
    sora_model_unref(&model);
    sora_context_unref(&ctx);
    return status;
}

/* A relative of the base model: pictures, control and two transformers, on the parity fixtures. */
static const char *relative;
static uint64_t wanted_relative;

static int give(sora_context *ctx, sora_pipeline *p, sora_slot slot, int32_t dtype, int32_t rank, const int64_t *shape, sora_error *err) {
    sora_tensor_desc d = {.struct_size = sizeof d, .dtype = dtype, .rank = rank};
    sora_tensor *t = NULL;
    memcpy(d.shape, shape, (size_t)rank * sizeof *shape);
    const int status = sora_tensor_create(&t, ctx, &d, err);
    if (status != SORA_OK)
        return status;
    for (size_t i = 0; i < sora_tensor_bytes(t) / (dtype == SORA_DTYPE_U8 ? 1 : 4); i++)
        if (dtype == SORA_DTYPE_U8)
            ((uint8_t *)sora_tensor_data(t))[i] = (uint8_t)(i * 37 % 251);
        else
            ((float *)sora_tensor_data(t))[i] = (float)(i * 29 % 97) / 97.0f - 0.5f;
    const int set = sora_pipeline_set_tensor(p, slot, t);
    sora_tensor_unref(&t);
    return set;
}

static int give_all(sora_context *ctx, sora_pipeline *p, sora_error *err) {
    static const int64_t wan[2] = {512, 6}, ltx[2] = {128, 8}, picture[3] = {20, 24, 3}, clip[4] = {2, 20, 24, 3}, mask[3] = {1, 16, 16};
    static const sora_param whole[] = {SORA_PARAM_WIDTH, SORA_PARAM_HEIGHT, SORA_PARAM_FRAMES, SORA_PARAM_STEPS};
    static const int64_t values[] = {16, 16, 5, 2};
    int status = SORA_OK;
    for (int i = 0; i < 4 && status == SORA_OK; i++)
        status = sora_pipeline_set_i64(p, whole[i], values[i]);
    for (int i = 0; i < 2 && status == SORA_OK; i++)
        status = give(ctx, p, i ? SORA_SLOT_NEGATIVE : SORA_SLOT_TEXT, SORA_DTYPE_F32, 2, strstr(relative, "ltx") ? ltx : wan, err);
    if (status == SORA_OK && strstr(relative, "i2v"))
        status = give(ctx, p, SORA_SLOT_IMAGE, SORA_DTYPE_U8, 3, picture, err);
    if (status == SORA_OK && strstr(relative, "vace"))
        status = give(ctx, p, SORA_SLOT_VIDEO, SORA_DTYPE_U8, 4, clip, err);
    if (status == SORA_OK && strstr(relative, "vace"))
        status = give(ctx, p, SORA_SLOT_MASK, SORA_DTYPE_U8, 3, mask, err);
    if (status == SORA_OK && strstr(relative, "vace"))
        status = give(ctx, p, SORA_SLOT_REFERENCE, SORA_DTYPE_U8, 3, picture, err);
    return status;
}

static int do_relative(sora_error *err) {
    sora_context *ctx = NULL;
    sora_model *model = NULL;
    sora_pipeline *p = NULL;
    uint64_t pixels = 0;
    int status = new_context(&ctx, 1, err);
    if (status == SORA_OK)
        status = sora_model_open(&model, ctx, relative, NULL, err);
    if (status == SORA_OK)
        status = sora_pipeline_create(&p, model, err);
    if (status == SORA_OK)
        status = give_all(ctx, p, err);
    if (status == SORA_OK) {
        status = generate(p, &pixels, err);
        if (status != SORA_OK) {
            mercy();
            if (generate(p, &pixels, NULL) != SORA_OK)
                complaint("relative:", "does not work when memory is there again");
        }
        if (!wanted_relative)
            wanted_relative = pixels;
        if (pixels != wanted_relative)
            complaint("relative:", "other pixels");
    }
    sora_pipeline_destroy(&p);
    sora_model_unref(&model);
    sora_context_unref(&ctx);
    return status;
}

/* The stages of LTX-Video in a row. */
static uint64_t wanted_ltx;

static int ltx_stages(sora_context *ctx, sora_pipeline *p, uint64_t *values, sora_error *err) {
    static const int64_t noise[4] = {6, 2, 4, 4}, text[2] = {5, 8};
    sora_tensor *given[3] = {NULL}, *latent = NULL, *video = NULL, *again = NULL, *velocity = NULL;
    int status = SORA_OK;
    for (int i = 0; i < 3 && status == SORA_OK; i++) {
        sora_tensor_desc d = {.struct_size = sizeof d, .dtype = SORA_DTYPE_F32, .rank = i ? 2 : 4};
        memcpy(d.shape, i ? text : noise, (size_t)d.rank * sizeof *noise);
        status = sora_tensor_create(&given[i], ctx, &d, err);
        for (size_t k = 0; status == SORA_OK && k < sora_tensor_bytes(given[i]) / 4; k++)
            ((float *)sora_tensor_data(given[i]))[k] = (float)((k * 29 + (size_t)i) % 97) / 97.0f - 0.5f;
    }
    if (status == SORA_OK)
        status = sora_sample(p, given[0], given[1], given[2], &latent, err);
    if (status == SORA_OK)
        status = sora_decode_video(p, latent, &video, err);
    if (status == SORA_OK)
        status = sora_encode_video(p, video, &again, err);
    if (status == SORA_OK) {
        sora_tensor_desc d = {.struct_size = sizeof d, .dtype = SORA_DTYPE_F32, .rank = 1, .shape = {1}};
        sora_tensor *time = NULL;
        status = sora_tensor_create(&time, ctx, &d, err);
        if (status == SORA_OK) {
            *(float *)sora_tensor_data(time) = 700.0f;
            status = sora_denoise(p, again, time, given[1], &velocity, err);
        }
        sora_tensor_unref(&time);
    }
    *values = status == SORA_OK ? hash(sora_tensor_data(velocity), sora_tensor_bytes(velocity)) : 0;
    sora_tensor *all[] = {given[0], given[1], given[2], latent, video, again, velocity};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sora_tensor_unref(&all[i]);
    return status;
}

static int do_ltx(sora_error *err) {
    sora_context *ctx = NULL;
    sora_model *model = NULL;
    sora_pipeline *p = NULL;
    uint64_t values = 0;
    int status = new_context(&ctx, 1, err);
    if (status == SORA_OK)
        status = sora_model_open(&model, ctx, "test/parity/fixtures/loop_ltx", NULL, err);
    if (status == SORA_OK)
        status = sora_pipeline_create(&p, model, err);
    if (status == SORA_OK && (status = sora_pipeline_set_i64(p, SORA_PARAM_STEPS, 2)) != SORA_OK)
        snprintf(err->message, sizeof err->message, "a parameter could not be set");
    if (status == SORA_OK) {
        status = ltx_stages(ctx, p, &values, err);
        if (status != SORA_OK) {
            mercy();
            if (ltx_stages(ctx, p, &values, NULL) != SORA_OK)
                complaint("stages:", "do not work when memory is there again");
        }
        if (!wanted_ltx)
            wanted_ltx = values;
        if (values != wanted_ltx)
            complaint("stages:", "other values");
    }
    sora_pipeline_destroy(&p);
    sora_model_unref(&model);
    sora_context_unref(&ctx);
    return status;
}

/* A clip is encoded, in windows once a limit is set. */
static uint64_t wanted_latent, encode_limit, encode_peak;

static int encode(sora_pipeline *p, const sora_tensor *video, uint64_t *values, sora_error *err) {
    sora_tensor *latent = NULL;
    const int status = sora_encode_video(p, video, &latent, err);
    if (status != SORA_OK && latent)
        complaint("encoding:", "*out is not NULL");
    *values = status == SORA_OK ? hash(sora_tensor_data(latent), sora_tensor_bytes(latent)) : 0;
    sora_tensor_unref(&latent);
    return status;
}

static int do_encode(sora_error *err) {
    const sora_tensor_desc clip = {.struct_size = sizeof clip, .dtype = SORA_DTYPE_F32, .rank = 4, .shape = {3, 5, 96, 160}};
    sora_context *ctx = NULL;
    sora_model *model = NULL;
    sora_pipeline *p = NULL;
    sora_tensor *video = NULL;
    uint64_t values = 0;
    sora_context_opts o;
    sora_context_opts_init(&o);
    o.allocator = &allocator;
    o.threads = 1;
    o.mem_limit = encode_limit;
    int status = sora_context_create(&ctx, &o, err);
    if (status == SORA_OK)
        status = sora_model_open(&model, ctx, model_path, NULL, err);
    if (status == SORA_OK)
        status = sora_pipeline_create(&p, model, err);
    if (status == SORA_OK)
        status = sora_tensor_create(&video, ctx, &clip, err);
    if (status == SORA_OK) {
        for (size_t k = 0; k < sora_tensor_bytes(video) / 4; k++)
            ((float *)sora_tensor_data(video))[k] = (float)(k * 29 % 97) / 97.0f - 0.5f;
        status = encode(p, video, &values, err);
        if (status != SORA_OK) {
            mercy();
            if (encode(p, video, &values, NULL) != SORA_OK)
                complaint("encoding:", "does not work when memory is there again");
        }
        if (!wanted_latent)
            wanted_latent = values;
        if (values != wanted_latent)
            complaint("encoding:", "other values");
        sora_memory m = {.struct_size = sizeof m};
        if (!encode_peak && sora_context_memory(ctx, &m) == SORA_OK)
            encode_peak = m.peak;
    }
    sora_tensor_unref(&video);
    sora_pipeline_destroy(&p);
    sora_model_unref(&model);
    sora_context_unref(&ctx);
    return status;
}

static double wanted_loss[3][2];
static int kind;

static int do_training(sora_error *err) {
    tiny_run r = {.allocator = &allocator};
    int status = tiny_try(&r, tiny_kinds[kind], "\"parts\":2,\"optimizer\":{\"name\":\"muon\",\"rate\":0.01,\"warmup\":1},", 2);
    if (status == SORA_OK) {
        double losses[2];
        for (int i = 0; i < 2; i++) {
            sora_train_stats s = {.struct_size = sizeof s};
            int now = sora_trainer_step(r.trainer, &r.error);
            if (now < 0) {
                status = now;
                mercy();
                if (sora_trainer_step(r.trainer, NULL) < 0)
                    complaint("training:", "does not go on when memory is there again");
            }
            sora_trainer_stats(r.trainer, &s);
            losses[i] = s.loss;
        }
        if (wanted_loss[kind][0] == 0.0)
            memcpy(wanted_loss[kind], losses, sizeof losses);
        if (memcmp(losses, wanted_loss[kind], sizeof losses) != 0)
            complaint("training:", "other losses");
    } else if (r.trainer) {
        complaint("trainer:", "*out is not NULL");
    }
    *err = r.error;
    tiny_end(&r);
    return status;
}

static int do_files(sora_error *err) {
    static char saved[128], exported[128];
    tiny_run r = {.allocator = &allocator};
    snprintf(saved, sizeof saved, "%s", tiny_path("alloc.safetensors"));
    snprintf(exported, sizeof exported, "%s", tiny_path("alloc.sora"));
    int status = tiny_try(&r, "probe", "", 1);
    *err = r.error;
    if (status == SORA_OK)
        status = sora_trainer_save(r.trainer, saved, err);
    if (status == SORA_OK)
        status = sora_trainer_load(r.trainer, saved, err);
    if (status == SORA_OK)
        status = sora_trainer_export(r.trainer, exported, NULL, 0, err);
    if (status == SORA_OK)
        status = sora_model_convert(r.context, exported, exported, SORA_DTYPE_I8, err);
    tiny_end(&r);
    remove(saved);
    remove(exported);
    return status;
}

/* ---- rounds -------------------------------------------------------------------------------------------------------------------- */

static int one_round(int (*work)(sora_error *), long fails, int all) {
    sora_error err = {.struct_size = sizeof err};
    atomic_store(&fate.made, 0);
    atomic_store(&fate.live, 0);
    atomic_store(&fate.failed, 0);
    atomic_store(&fate.fails, fails);
    atomic_store(&fate.all, all);
    wrong = 0;
    number = fails;
    const int status = work(&err);
    if (!atomic_load(&fate.failed) && status != SORA_OK)
        complaint("failed without a reason:", err.message);
    if (atomic_load(&fate.failed) && status != SORA_OK && status != SORA_E_NOMEM && status != SORA_E_LIMIT)
        complaint("not SORA_E_NOMEM but", sora_status_name(status));
    if (status != SORA_OK && !err.message[0])
        complaint("no message with", sora_status_name(status));
    if (atomic_load(&fate.live) != 0) {
        char text[40];
        snprintf(text, sizeof text, "%ld", atomic_load(&fate.live));
        complaint("blocks left:", text);
    }
    mercy();
    return wrong == 0;
}

static long dense = 200; /* the first so many are all tried */

static int scenario(const char *name, int (*work)(sora_error *)) {
    if (!one_round(work, 0, 0)) {
        printf("FAIL %s: without a failure\n", name);
        return 0;
    }
    const long made = atomic_load(&fate.made);
    long rounds = 0, good = 0;
    /* All of the first and then some of the rest: most are the same few places, reached for every weight. */
    for (long n = 1; n <= made; n += n < dense ? 1 : 1 + (made - dense) / (dense / 2))
        for (int all = 0; all < 2; all++, rounds++)
            good += one_round(work, n, all);
    printf("%s %s: %ld allocations, %ld of %ld rounds clean\n", good == rounds ? "ok  " : "FAIL", name, made, good, rounds);
    fflush(stdout);
    return good == rounds;
}

#if OWN_THREADS
static atomic_int threads_left = 1 << 30; /* that may still be made */

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg) {
    union {
        void *object;
        int (*function)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    } real = {dlsym(RTLD_NEXT, "pthread_create")};
    if (!real.object || atomic_fetch_sub(&threads_left, 1) <= 0)
        return 11; /* EAGAIN */
    return real.function(thread, attr, run, arg);
}

/* Threads run out: the context fails or works with fewer; either way nothing is left. */
static int few_threads(void) {
    int good = 1;
    for (int left = 0; left < 4; left++) {
        sora_error err = {.struct_size = sizeof err};
        sora_context *ctx = NULL;
        atomic_store(&fate.live, 0);
        atomic_store(&threads_left, left);
        const int status = new_context(&ctx, 4, &err);
        good &= status == SORA_OK ? ctx != NULL : !ctx && err.message[0] && status < 0;
        good &= left < 3 || status == SORA_OK;
        sora_context_unref(&ctx);
        good &= atomic_load(&fate.live) == 0;
    }
    atomic_store(&threads_left, 1 << 30);
    printf("%s threads cannot be made\n", good ? "ok  " : "FAIL");
    return good;
}
#else
static int few_threads(void) {
    printf("SKIP threads cannot be made: not under a sanitizer\n");
    return 1;
}
#endif

static int asked(int argc, char **argv, const char *name) {
    return argc < 2 || strcmp(argv[1], name) == 0;
}

int main(int argc, char **argv) {
    char command[200];
    int good = 1;
    tiny_folder();
    snprintf(folder, sizeof folder, "%s", tiny_path("tiny"));
    snprintf(command, sizeof command, "sh test/tiny/make.sh %s", folder);
    snprintf(model_path, sizeof model_path, "%s", tiny_path("tiny.sora"));
    sora_context *ctx = NULL;
    if (system(command) != 0 || sora_context_create(&ctx, NULL, NULL) != SORA_OK ||
        sora_model_convert(ctx, folder, model_path, 0, NULL) != SORA_OK) {
        printf("FAIL the tiny model cannot be made\n");
        return 1;
    }
    sora_context_unref(&ctx);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    good &= system(command) == 0;
    if (asked(argc, argv, "context"))
        good &= scenario("context", do_context) & few_threads();
    if (asked(argc, argv, "generate"))
        good &= scenario("generate", do_generate);
    for (kind = 0; kind < 3; kind++)
        if (asked(argc, argv, tiny_kinds[kind]))
            good &= scenario(tiny_kinds[kind], do_training);
    if (asked(argc, argv, "files"))
        good &= scenario("files", do_files);
    if (asked(argc, argv, "encode")) {
        const int whole = one_round(do_encode, 0, 0); good &= whole; /* what it takes, and gives, as a whole */
        encode_limit = encode_peak * 4 / 5;
        good &= scenario("encode", do_encode);
    }
    static const char *const relatives[] = {"loop_i2v", "loop_a14b", "loop_vace", "loop_ltx"};
    dense = 60;
    for (int i = 0; i < 4; i++) {
        char path[96];
        if (!asked(argc, argv, relatives[i]))
            continue;
        snprintf(path, sizeof path, "test/parity/fixtures/%s", relatives[i]);
        relative = path;
        wanted_relative = 0;
        good &= scenario(relatives[i], do_relative);
    }
    if (asked(argc, argv, "ltx"))
        good &= scenario("ltx", do_ltx);
    tiny_remove();
    return good ? 0 : 1;
}
