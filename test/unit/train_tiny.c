#define _XOPEN_SOURCE 700
#include "test/unit/train_tiny.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const tiny_kinds[3] = {"vae", "transformer", "probe"};

static const char *const colours[] = {"red", "green", "blue"}, *const things[] = {"cat", "boat", "old robot", "tree"};

static char folder[64];

const char *tiny_path(const char *name) {
    static char paths[8][400];
    static int next;
    next = (next + 1) % 8;
    snprintf(paths[next], sizeof paths[next], "%s/%s", folder, name);
    return paths[next];
}

static void broken(const char *what, const char *why) {
    fprintf(stderr, "tiny training: %s: %s\n", what, why);
    abort();
}

void tiny_folder(void) {
    strcpy(folder, "/tmp/sora-train-XXXXXX");
    if (!mkdtemp(folder))
        broken(folder, "cannot be made");
    sora_context *ctx = NULL;
    sora_error err = {.struct_size = sizeof err};
    char lines[12][60];
    const char *texts[12];
    for (int i = 0; i < 12; i++) {
        snprintf(lines[i], sizeof lines[i], "a %s %s moves to the left", colours[i % 3], things[i % 4]);
        texts[i] = lines[i];
    }
    if (sora_context_create(&ctx, NULL, &err) != SORA_OK || sora_tokenizer_train(ctx, tiny_path("words.model"), texts, 12, 400, &err) != SORA_OK)
        broken("tokenizer", err.message);
    sora_context_unref(&ctx);
}

void tiny_remove(void) {
    DIR *d = opendir(folder);
    const struct dirent *e;
    while (d && (e = readdir(d)) != NULL)
        if (e->d_name[0] != '.')
            remove(tiny_path(e->d_name));
    if (d)
        closedir(d);
    rmdir(folder);
}

static uint64_t mix(uint64_t a, uint64_t b) {
    uint64_t z = a * 0x9e3779b97f4a7c15u + b * 0xbf58476d1ce4e5b9u + 1;
    z = (z ^ (z >> 30)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* u8 [n, 5, 16, 16, 3]: stripes of a colour; the transformer: f32 [n, 4, 3, 2, 4]: waves. */
int tiny_batch(void *user, uint64_t step, uint32_t part, sora_batch *batch) {
    tiny_run *r = user;
    static char lines[TINY_BATCH][60];
    for (int i = 0; i < TINY_BATCH; i++) {
        const uint64_t pick = mix(r->fixed ? 0 : step * 16 + part, (uint64_t)i);
        const int colour = (int)(pick % 3), thing = (int)(pick / 3 % 4), phase = (int)(pick / 12 % 16);
        snprintf(lines[i], sizeof lines[i], "a %s %s moves to the left", colours[colour], things[thing]);
        r->captions[i] = lines[i];
        r->labels[i * 2] = colour;
        r->labels[i * 2 + 1] = i == 0 ? -1 : thing;
        if (r->kind == 1) {
            float *to = (float *)sora_tensor_data(r->video) + i * 4 * 3 * 8;
            for (int k = 0; k < 4 * 3 * 8; k++)
                to[k] = (float)(1.2 * sin(0.5 * (thing + 1) * k + colour));
        } else {
            uint8_t *to = (uint8_t *)sora_tensor_data(r->video) + i * 5 * 16 * 16 * 3;
            for (int f = 0; f < 5; f++)
                for (int y = 0; y < 16; y++)
                    for (int x = 0; x < 16; x++, to += 3) {
                        memset(to, 40 + 10 * y, 3);
                        if ((x + f / 2 + phase) / (5 + thing) % 2)
                            to[colour] = 230;
                    }
        }
    }
    batch->count = TINY_BATCH;
    batch->video = r->video;
    batch->captions = r->captions;
    batch->labels = r->labels;
    return 0;
}

static void write_recipe(char *out, size_t size, const char *kind, const char *fields) {
    const char *tokenizer = strstr(fields, "\"tokenizer\"") ? "" : "\"tokenizer\":\"", *words = *tokenizer ? tiny_path("words.model") : "";
    char common[600];
    snprintf(common, sizeof common, "%s%s%s", strstr(fields, "\"seed\"") ? "" : "\"seed\":3,",
             strstr(fields, "\"steps\"") ? "" : "\"steps\":500,", fields);
    const int transformer = strstr(kind, "transformer") != NULL;
    if (transformer)
        snprintf(out, size, TINY_TRANSFORMER_ONLY ",%s%s%s%s%s%s\"comment\":\"\"}", tokenizer, words, *tokenizer ? "\"," : "",
                 strstr(fields, "\"text_length\"") ? "" : "\"text_length\":16,",
                 strstr(fields, "\"masks\"") ? "" : "\"masks\":{\"first\":0.2,\"gaps\":0.2},",
                 common);
    else if (strcmp(kind, "vae") == 0)
        snprintf(out, size,
                 "{\"train\":\"vae\",%s\"vae\":{\"base_dim\":8,\"decoder_base_dim\":8,\"z_dim\":4,\"dim_mult\":[1,2,2],\"num_res_blocks\":1,"
                 "\"attn_scales\":[],\"temperal_downsample\":[true,true],\"is_residual\":true,\"in_channels\":12,\"out_channels\":12,"
                 "\"patch_size\":2,\"scale_factor_temporal\":4,\"scale_factor_spatial\":8}%s}",
                 common, strstr(fields, "\"optimizer\"") ? "" : ",\"optimizer\":{\"name\":\"muon\",\"rate\":0.02,\"warmup\":5,\"ema\":0.9}");
    else
        snprintf(out, size, "{\"train\":\"probe\",%s\"probe\":{\"width\":%d,\"values\":[3,4]}%s}", common, kind[0] == 'w' ? 12 : 8,
                 strstr(fields, "\"optimizer\"") ? "" : ",\"optimizer\":{\"rate\":0.01,\"warmup\":5,\"ema\":0.9}");
    if (transformer && !strstr(fields, "\"optimizer\""))
        strcpy(strrchr(out, '}'), ",\"optimizer\":{\"rate\":0.01,\"warmup\":5,\"ema\":0.9}}");
    if (transformer && kind[0] == 'f')
        memcpy(strstr(out, "[1,2,2]"), "[1,1,2]", 7);
}

int tiny_try(tiny_run *r, const char *kind, const char *fields, int threads) {
    char recipe[3000];
    const sora_allocator *allocator = r->allocator;
    memset(r, 0, sizeof *r);
    r->allocator = allocator;
    r->error.struct_size = sizeof r->error;
    r->kind = strcmp(kind, "vae") == 0 ? 0 : strstr(kind, "transformer") ? 1 : 2;
    write_recipe(recipe, sizeof recipe, kind, fields);
    sora_context_opts o;
    sora_context_opts_init(&o);
    o.threads = threads;
    o.allocator = allocator;
    int status = sora_context_create(&r->context, &o, &r->error);
    sora_tensor_desc d = {sizeof d, SORA_DTYPE_U8, 5, 0, {TINY_BATCH, 5, 16, 16, 3}};
    if (r->kind == 1)
        d = (sora_tensor_desc){sizeof d, SORA_DTYPE_F32, 5, 0, {TINY_BATCH, 4, 3, 2, 4}};
    if (status == SORA_OK)
        status = sora_tensor_create(&r->video, r->context, &d, &r->error);
    if (status == SORA_OK)
        status = sora_trainer_create(&r->trainer, r->context, recipe, strlen(recipe), &r->error);
    return status == SORA_OK ? sora_trainer_set_data(r->trainer, tiny_batch, r) : status;
}

void tiny_begin(tiny_run *r, const char *kind, const char *fields, int threads) {
    if (tiny_try(r, kind, fields, threads) != SORA_OK)
        broken(kind, r->error.message);
}

void tiny_end(tiny_run *r) {
    sora_trainer_destroy(&r->trainer);
    sora_tensor_unref(&r->video);
    sora_context_unref(&r->context);
}
