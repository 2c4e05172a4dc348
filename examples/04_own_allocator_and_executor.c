/* A host that brings its own memory and its own threads, as an engine does. C11, for its atomics and aligned_alloc; the library's headers ask for C99.
 *
 *     04_own_allocator_and_executor MODEL.sora
 *
 * Every byte that libsora takes goes through the allocator; every parallel loop goes through the executor. Results
 * never depend on the number of threads: the same seed gives the same bytes with any executor, or with libsora's own
 * threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sora/sora.h>

/* ---- memory: counted, from the C library here; an engine would take it from its heap
 * ---------------------------------------- */

typedef struct heap {
    atomic_long blocks, taken;
} heap;

static void *heap_alloc(void *user, size_t size, size_t align) {
    heap *h = user;
    void *p = aligned_alloc(align, (size + align - 1) / align * align);
    if (p) {
        atomic_fetch_add(&h->blocks, 1);
        atomic_fetch_add(&h->taken, 1);
    }
    return p;
}

static void heap_free(void *user, void *ptr) {
    heap *h = user;
    atomic_fetch_sub(&h->blocks, 1);
    free(ptr);
}

/* ---- threads: a job system of two, as simple as can be
 * ----------------------------------------------------------------------- */

typedef struct job {
    void (*fn)(void *arg, uint32_t i);
    void *arg;
    uint32_t n;
    atomic_uint next;
} job;

static void *work(void *user) {
    job *j = user;
    for (uint32_t i; (i = atomic_fetch_add(&j->next, 1)) < j->n;) j->fn(j->arg, i);
    return NULL;
}

static void parallel_for(void *user, void (*fn)(void *arg, uint32_t i), void *arg, uint32_t n) {
    job j = {fn, arg, n, 0};
    pthread_t helper;
    (void)user;
    const int helped = n > 1 && pthread_create(&helper, NULL, work, &j) == 0;
    work(&j);
    if (helped) pthread_join(helper, NULL);
}

static void on_log(void *user, int level, const char *message) {
    (void)user;
    printf("log %d: %s\n", level, message);
}

/* One picture; its bytes to *out (malloc). Returns their number, 0 on failure. */
static size_t make(const char *path, const sora_context_opts *opts, uint8_t **out) {
    sora_error err = {.struct_size = sizeof err};
    sora_context *ctx = NULL;
    sora_model *model = NULL;
    sora_pipeline *video = NULL;
    size_t size = 0;
    if (sora_context_create(&ctx, opts, &err) == SORA_OK && sora_model_open(&model, ctx, path, NULL, &err) == SORA_OK &&
        sora_pipeline_create(&video, model, &err) == SORA_OK &&
        sora_pipeline_set_text(video, SORA_PARAM_PROMPT, "a castle at night", (size_t)-1) == SORA_OK &&
        sora_pipeline_set_i64(video, SORA_PARAM_STEPS, 2) == SORA_OK &&
        sora_pipeline_set_i64(video, SORA_PARAM_FRAMES, 1) == SORA_OK && sora_pipeline_run(video, &err) == SORA_OK) {
        int32_t width, height;
        sora_pipeline_video_info(video, &width, &height, NULL, NULL);
        size = (size_t)width * (size_t)height * 3;
        *out = malloc(size);
        if (!*out || sora_pipeline_read_frames(video, 0, 1, *out, size) != SORA_OK) size = 0;
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    sora_pipeline_destroy(&video);
    sora_model_unref(&model);
    sora_context_unref(&ctx);
    return size;
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "models/nano.sora";
    heap h = {0, 0};
    const sora_allocator allocator = {&h, heap_alloc, heap_free};
    const sora_executor executor = {NULL, parallel_for, 2};
    uint8_t *ours = NULL, *theirs = NULL;
    sora_context_opts opts;

    sora_context_opts_init(&opts);
    opts.allocator = &allocator;
    opts.executor = &executor;
    opts.log = on_log;
    opts.log_level = SORA_LOG_INFO;
    const size_t a = make(path, &opts, &ours), b = make(path, NULL, &theirs);
    const int same = a > 0 && a == b && memcmp(ours, theirs, a) == 0;
    printf("%ld blocks were taken, %ld are left; the pictures are %s\n", atomic_load(&h.taken), atomic_load(&h.blocks),
           same ? "the same" : "not the same");
    free(ours);
    free(theirs);
    return same && atomic_load(&h.blocks) == 0 && atomic_load(&h.taken) > 0 ? 0 : 1;
}
