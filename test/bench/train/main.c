/* Optimiser steps on demand, for test/bench/train_step.py: a line on stdin asks for one, a line on stdout answers with its seconds, its
 * loss and the bytes that the trainer holds.
 *
 * usage: train RECIPE.json COUNT FRAMES HEIGHT WIDTH WORDS THREADS     (of a transformer's recipe: of the latents) */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sora/sora.h"

#define MAX_BATCH 64

static sora_tensor *video;
static const char *captions[MAX_BATCH];

static int give(void *user, uint64_t step, uint32_t part, sora_batch *batch) {
    (void)step, (void)part;
    batch->count = *(const uint32_t *)user;
    batch->video = video;
    batch->captions = captions;
    return 0;
}

static int stop(const char *what, const sora_error *err) {
    fprintf(stderr, "%s: %s\n", what, err ? err->message : "wrong arguments");
    return 1;
}

/* A tokenizer that makes one piece of every letter that stands alone. */
static int make_words(sora_context *ctx, const char *path, sora_error *err) {
    static const char *const texts[] = {"a b c d e f g h i j k l m n o p q r s t u v w x y z", "z y x w v u t s r q p o n m l k j i h g f e d c b a"};
    return sora_tokenizer_train(ctx, path, texts, 2, 400, err);
}

int main(int argc, char **argv) {
    sora_error err = {.struct_size = sizeof err};
    sora_context *ctx = NULL;
    sora_trainer *trainer = NULL;
    static char recipe[65536], caption[4096];
    char words[] = "/tmp/sora-bench-XXXXXX";
    if (argc != 8)
        return stop(argv[0], NULL);
    FILE *f = fopen(argv[1], "rb");
    const size_t size = f ? fread(recipe, 1, sizeof recipe - 64, f) : 0;
    if (f)
        fclose(f);
    uint32_t count = (uint32_t)atoi(argv[2]);
    const int64_t n[3] = {atoi(argv[3]), atoi(argv[4]), atoi(argv[5])};
    const int latents = strstr(recipe, "\"transformer\"") != NULL, fd = mkstemp(words);
    const char *const channels = strstr(recipe, "\"in_channels\":");
    char *end = strrchr(recipe, '}');
    if (!end || !size || !count || count > MAX_BATCH || fd < 0)
        return stop(argv[1], NULL);
    close(fd);
    if (latents)
        snprintf(end, 60, ",\"tokenizer\":\"%s\"}", words);
    for (int i = 0; i < atoi(argv[6]) && i < 2000; i++)
        snprintf(caption + 2 * i, 3, "%c ", 'a' + i * 7 % 26);
    for (uint32_t i = 0; i < count; i++)
        captions[i] = caption;
    sora_tensor_desc d = {sizeof d, SORA_DTYPE_U8, 5, 0, {count, n[0], n[1], n[2], 3}};
    if (latents)
        d = (sora_tensor_desc){sizeof d, SORA_DTYPE_F32, 5, 0, {count, channels ? atoi(channels + 14) : 16, n[0], n[1], n[2]}};
    sora_context_opts opts;
    sora_context_opts_init(&opts);
    opts.threads = atoi(argv[7]);
    if (sora_context_create(&ctx, &opts, &err) != SORA_OK || sora_tensor_create(&video, ctx, &d, &err) != SORA_OK ||
        make_words(ctx, words, &err) != SORA_OK || sora_trainer_create(&trainer, ctx, recipe, strlen(recipe), &err) != SORA_OK)
        return stop("no trainer", &err);
    remove(words);
    uint32_t bits = 1;
    for (size_t i = 0; i < sora_tensor_bytes(video) / (latents ? 4 : 1); i++) {
        bits = bits * 1664525u + 1013904223u;
        if (latents)
            ((float *)sora_tensor_data(video))[i] = (float)(bits >> 8) * (1.0f / 8388608.0f) - 1.0f;
        else
            ((uint8_t *)sora_tensor_data(video))[i] = (uint8_t)(bits >> 24);
    }
    sora_trainer_set_data(trainer, give, &count);
    char line[16];
    while (fgets(line, sizeof line, stdin)) {
        sora_train_stats s = {.struct_size = sizeof s};
        if (sora_trainer_step(trainer, &err) < 0)
            return stop("step", &err);
        sora_trainer_stats(trainer, &s);
        printf("%.6f %.6f %llu\n", s.seconds, s.loss, (unsigned long long)s.memory);
        fflush(stdout);
    }
    sora_trainer_destroy(&trainer);
    sora_tensor_unref(&video);
    sora_context_unref(&ctx);
    return 0;
}
