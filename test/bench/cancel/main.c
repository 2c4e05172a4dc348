/* How long a run goes on after a cancel from another thread, phase by phase.
 *
 *     cancel MODEL [TRIES [WIDTH HEIGHT FRAMES]]
 *
 * The run has a condition on half of its frames, so that there is something to encode. The moment of the cancel moves through the run with
 * the tries. A thread that waits for its turn counts too: on a busy machine the longest says little, the time of the processor more. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sora/sora.h>

enum { PHASES = 5 };
static const char *const names[PHASES] = {"", "text", "conditions", "denoising", "decoding"};

typedef struct cancelling {
    sora_pipeline *p;
    double after;         /* seconds from the beginning */
    double wall, cpu;     /* when it came */
    int phase;            /* in which it came */
} cancelling;

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* In the order in which they come. */
static int order(int32_t phase) {
    return phase == SORA_PHASE_TEXT ? 1 : phase == SORA_PHASE_CONDITION ? 2 : phase == SORA_PHASE_DENOISE ? 3 : 4;
}

static int on_progress(void *user, const sora_progress *p) {
    cancelling *c = user;
    if (p->step == p->steps) c->phase = order(p->phase) + 1;
    return 0;
}

static void *cancel(void *user) {
    cancelling *c = user;
    const struct timespec wait = {(time_t)c->after, (long)(fmod(c->after, 1.0) * 1e9)};
    nanosleep(&wait, NULL);
    c->wall = now(CLOCK_MONOTONIC);
    c->cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    sora_pipeline_cancel(c->p);
    return NULL;
}

static int failed(const sora_error *err) {
    fprintf(stderr, "cancel: %s\n", err->message);
    return 1;
}

int main(int argc, char **argv) {
    sora_error err = {.struct_size = sizeof err};
    sora_context *ctx = NULL;
    sora_model *model = NULL;
    sora_model_desc d = {.struct_size = sizeof d};
    cancelling c = {0};
    const int tries = argc > 2 ? atoi(argv[2]) : 100;
    if (argc < 2 || tries < 1) {
        fprintf(stderr, "usage: cancel MODEL [TRIES [WIDTH HEIGHT FRAMES]]\n");
        return 2;
    }
    if (sora_context_create(&ctx, NULL, &err) != SORA_OK || sora_model_open(&model, ctx, argv[1], NULL, &err) != SORA_OK ||
        sora_pipeline_create(&c.p, model, &err) != SORA_OK || sora_model_info(model, &d) != SORA_OK)
        return failed(&err);
    const int64_t size[3] = {argc > 5 ? atoll(argv[3]) : d.default_width, argc > 5 ? atoll(argv[4]) : d.default_height,
                             argc > 5 ? atoll(argv[5]) : d.default_frames};
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 4, 0, {1 + size[2] / 2, size[1], size[0], 3}};
    sora_condition given;
    sora_condition_init(&given);
    if (sora_tensor_create(&given.frames, ctx, &shape, &err) != SORA_OK) return failed(&err);
    for (size_t i = 0; i < sora_tensor_bytes(given.frames); i++) ((uint8_t *)sora_tensor_data(given.frames))[i] = (uint8_t)(i * 7 % 251);
    if (sora_pipeline_add_condition(c.p, &given, &err) != SORA_OK) return failed(&err);
    sora_tensor_unref(&given.frames);
    sora_pipeline_set_text(c.p, SORA_PARAM_PROMPT, "a red robot dances on the beach", (size_t)-1);
    sora_pipeline_set_i64(c.p, SORA_PARAM_WIDTH, size[0]);
    sora_pipeline_set_i64(c.p, SORA_PARAM_HEIGHT, size[1]);
    sora_pipeline_set_i64(c.p, SORA_PARAM_FRAMES, size[2]);
    /* The shorter of two: the first one packs weights. */
    double whole = 1e9;
    for (int i = 0; i < 2; i++) {
        const double begin = now(CLOCK_MONOTONIC);
        if (sora_pipeline_run(c.p, &err) != SORA_OK) return failed(&err);
        whole = fmin(whole, now(CLOCK_MONOTONIC) - begin);
    }
    sora_pipeline_set_progress(c.p, on_progress, &c);
    int count[PHASES] = {0};
    double wall[PHASES] = {0}, cpu[PHASES] = {0}, sum[PHASES] = {0};
    for (int i = 0; i < tries; i++) {
        pthread_t thread;
        /* Half of the tries in the first twentieth, where texts and conditions are. */
        const double part = (i / 2 + 0.5) / ((tries + 1) / 2);
        c.after = whole * (i % 2 ? part : part / 20);
        c.phase = 1;
        if (pthread_create(&thread, NULL, cancel, &c) != 0) return 1;
        const int status = sora_pipeline_run(c.p, &err);
        const double end = now(CLOCK_MONOTONIC), spent = now(CLOCK_PROCESS_CPUTIME_ID);
        pthread_join(thread, NULL);
        if (status == SORA_OK) { /* it came too late, and stops the next */
            if (sora_pipeline_begin(c.p, &err) != SORA_E_CANCELLED) return failed(&err);
            continue;
        }
        if (status != SORA_E_CANCELLED) return failed(&err);
        const int k = c.phase < PHASES ? c.phase : PHASES - 1;
        count[k]++;
        sum[k] += end - c.wall;
        wall[k] = fmax(wall[k], end - c.wall);
        cpu[k] = fmax(cpu[k], spent - c.cpu);
    }
    printf("%s, %lldx%lldx%lld, a run takes %.2f s\n%-12s %6s %12s %12s %16s\n", argv[1], (long long)size[0], (long long)size[1], (long long)size[2],
           whole, "phase", "tries", "mean, ms", "longest, ms", "processor, ms");
    for (int k = 1; k < PHASES; k++)
        printf("%-12s %6d %12.2f %12.2f %16.2f\n", names[k], count[k], count[k] ? 1e3 * sum[k] / count[k] : 0, 1e3 * wall[k], 1e3 * cpu[k]);
    sora_pipeline_destroy(&c.p);
    sora_model_unref(&model);
    sora_context_unref(&ctx);
    return 0;
}
