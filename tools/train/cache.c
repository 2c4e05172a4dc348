/* A cache of latents: a file of fixed-size entries, made once. Header of 64 bytes, then the numbers of the clips, then the latents as 16-bit
 * fixed point over -8..8: normalised values rarely pass 5, and a step of 0.00024 is far below the autoencoder's own noise. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/commands.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/train/data.h"

#define MAGIC "SORALAT1"
#define RANGE 8.0f

typedef struct cache_header {
    char magic[8];
    uint64_t clips;
    int64_t shape[4];
    uint64_t fingerprint, reserved; /* of the source's clips, or of what the bucket draws */
} cache_header;

struct latent_cache {
    cache_header header;
    void *map;
    size_t size;
    const uint64_t *numbers;
    const int16_t *values;
};

static uint64_t fingerprint_of(const clip_source *source, const bucket *b) { return source->fingerprint ? source->fingerprint : b->drawn; }

static int64_t entry(const cache_header *h) {
    return h->shape[0] * h->shape[1] * h->shape[2] * h->shape[3];
}

void cache_shape(const latent_cache *c, int64_t shape[4]) {
    memcpy(shape, c->header.shape, sizeof c->header.shape);
}

uint64_t cache_clip(const latent_cache *c, uint64_t index) {
    return c->numbers[index];
}

void cache_read(const latent_cache *c, uint64_t index, int64_t frames, float *out) {
    const int64_t *s = c->header.shape, place = s[2] * s[3];
    const int16_t *from = c->values + (int64_t)index * entry(&c->header);
    for (int64_t k = 0; k < s[0]; k++)
        for (int64_t i = 0; i < frames * place; i++)
            *out++ = (float)from[k * s[1] * place + i] * (RANGE / 32767.0f);
}

static int map_file(latent_cache **out, const char *path, uint64_t clips, uint64_t fingerprint) {
    struct stat st;
    latent_cache *c = calloc(1, sizeof *c);
    const int fd = open(path, O_RDONLY);
    if (!c || fd < 0 || fstat(fd, &st) != 0 || (size_t)st.st_size < sizeof c->header)
        goto fail;
    c->size = (size_t)st.st_size;
    c->map = mmap(NULL, c->size, PROT_READ, MAP_SHARED, fd, 0);
    if (c->map == MAP_FAILED)
        goto fail;
    memcpy(&c->header, c->map, sizeof c->header);
    if (memcmp(c->header.magic, MAGIC, 8) != 0 || c->header.clips < clips || c->header.fingerprint != fingerprint ||
        c->size != sizeof c->header + c->header.clips * (8 + (uint64_t)entry(&c->header) * 2)) {
        munmap(c->map, c->size);
        goto fail;
    }
    c->numbers = (const uint64_t *)(const void *)((const char *)c->map + sizeof c->header);
    c->values = (const int16_t *)(const void *)(c->numbers + c->header.clips);
    close(fd);
    *out = c;
    return 1;
fail:
    if (fd >= 0)
        close(fd);
    free(c);
    return 0;
}

/* What turns a clip of the source into an entry of the cache. */
typedef struct encoder {
    clip_source *source;
    const bucket *b;
    int split;
    sora_model *model;
    sora_pipeline *pipeline;
    sora_tensor *video;
    uint8_t *rgb;
    int16_t *packed; /* the last entry */
    int64_t shape[4];
    sora_error err;
} encoder;

static int encoder_open(encoder *e, sora_context *ctx, const char *model, clip_source *source, const bucket *b, int split) {
    const sora_tensor_desc d = {sizeof d, SORA_DTYPE_F32, 4, 0, {3, b->frames, b->height, b->width}};
    *e = (encoder){.source = source, .b = b, .split = split, .err = {.struct_size = sizeof e->err}};
    e->rgb = malloc((size_t)b->width * (size_t)b->height * 3 * (size_t)b->frames);
    int status = e->rgb ? sora_tensor_create(&e->video, ctx, &d, &e->err) : SORA_E_NOMEM;
    if (status == SORA_OK)
        status = sora_model_open(&e->model, ctx, model, NULL, &e->err);
    return status == SORA_OK ? sora_pipeline_create(&e->pipeline, e->model, &e->err) : status;
}

static void encoder_close(encoder *e) {
    sora_pipeline_destroy(&e->pipeline);
    sora_model_unref(&e->model);
    sora_tensor_unref(&e->video);
    free(e->packed);
    free(e->rgb);
}

/* Clip `number` of the source -> e->packed, e->shape. */
static int encode(encoder *e, uint64_t number) {
    const bucket *b = e->b;
    const int64_t plane = (int64_t)b->width * b->height;
    sora_tensor *latent = NULL;
    sora_tensor_desc l = {.struct_size = sizeof l};
    int status = e->source->frames(e->source, b, e->split, number, e->rgb);
    float *to = sora_tensor_data(e->video);
    for (int64_t f = 0; f < b->frames && status == SORA_OK; f++)
        for (int64_t k = 0; k < plane; k++)
            for (int c = 0; c < 3; c++)
                to[(c * b->frames + f) * plane + k] = (float)e->rgb[(f * plane + k) * 3 + c] * (2.0f / 255.0f) - 1.0f;
    if (status == SORA_OK)
        status = sora_encode_video(e->pipeline, e->video, &latent, &e->err);
    if (status == SORA_OK)
        status = sora_tensor_info(latent, &l);
    const int64_t size = l.shape[0] * l.shape[1] * l.shape[2] * l.shape[3];
    if (status == SORA_OK && !e->packed && !(e->packed = malloc((size_t)size * sizeof *e->packed)))
        status = SORA_E_NOMEM;
    const float *v = sora_tensor_data(latent);
    for (int64_t k = 0; status == SORA_OK && k < size; k++) {
        const float x = v[k] > RANGE ? RANGE : v[k] < -RANGE ? -RANGE : v[k];
        e->packed[k] = (int16_t)lrintf(x * (32767.0f / RANGE));
    }
    memcpy(e->shape, l.shape, sizeof e->shape);
    sora_tensor_unref(&latent);
    return status;
}

/* Is the cache of this autoencoder and of scenes as this program draws them? Its first entry, made again, tells. */
static int up_to_date(const latent_cache *c, encoder *e) {
    if (encode(e, c->numbers[0]) != SORA_OK || memcmp(e->shape, c->header.shape, sizeof e->shape) != 0)
        return 0;
    double difference = 0.0;
    const int64_t n = entry(&c->header);
    for (int64_t k = 0; k < n; k++)
        difference += fabs((double)e->packed[k] - (double)c->values[k]);
    return difference / (double)n * (double)RANGE / 32767.0 < 0.02; /* another machine's rounding is far below this */
}

static int fill(FILE *file, encoder *e, uint64_t clips) {
    progress bar;
    char what[64];
    cache_header h = {.clips = clips, .fingerprint = fingerprint_of(e->source, e->b)};
    int status = SORA_OK;
    memcpy(h.magic, MAGIC, 8);
    snprintf(what, sizeof what, "latents %dx%dx%d", e->b->width, e->b->height, e->b->frames);
    progress_begin(&bar, what, 0);
    for (uint64_t i = 0; i < clips && status == SORA_OK; i++) {
        status = encode(e, e->source->entry(e->source, e->b, e->split, i));
        if (status == SORA_OK && i == 0) {
            memcpy(h.shape, e->shape, sizeof h.shape);
            status = fwrite(&h, sizeof h, 1, file) == 1 ? SORA_OK : SORA_E_IO;
            for (uint64_t k = 0; k < clips && status == SORA_OK; k++) {
                const uint64_t s = e->source->entry(e->source, e->b, e->split, k);
                status = fwrite(&s, sizeof s, 1, file) == 1 ? SORA_OK : SORA_E_IO;
            }
        }
        if (status == SORA_OK && fwrite(e->packed, sizeof *e->packed, (size_t)entry(&h), file) != (size_t)entry(&h))
            status = SORA_E_IO;
        if (interrupted())
            status = SORA_E_CANCELLED;
        progress_show(&bar, (double)(i + 1) / (double)clips, "");
    }
    progress_end(&bar, "");
    return status;
}

int cache_open(latent_cache **out, sora_context *ctx, const char *path, const char *model, clip_source *source, const bucket *b, uint64_t clips,
               int split) {
    char part[1100], folder[1024];
    encoder e;
    FILE *file = NULL;
    *out = NULL;
    int status = encoder_open(&e, ctx, model, source, b, split);
    if (status == SORA_OK && map_file(out, path, clips, fingerprint_of(source, b)) && !up_to_date(*out, &e)) {
        cache_close(*out);
        *out = NULL;
    }
    if (status == SORA_OK && !*out) {
        snprintf(part, sizeof part, "%s.%ld.part", path, (long)getpid()); /* two trainings may make it at once, each its own */
        snprintf(folder, sizeof folder, "%s", path);
        char *slash = strrchr(folder, '/');
        if (slash) {
            *slash = 0;
            mkdir(folder, 0777);
        }
        file = fopen(part, "wb");
        status = file ? fill(file, &e, clips) : SORA_E_IO;
        if (file && fclose(file) != 0 && status == SORA_OK)
            status = SORA_E_IO;
        if (status == SORA_OK && (rename(part, path) != 0 || !map_file(out, path, clips, fingerprint_of(source, b))))
            status = SORA_E_IO;
        if (status != SORA_OK && file)
            remove(part);
    }
    const int code = status == SORA_OK ? 0 : complain(EXIT_FAILED, "%s: %s", path, e.err.message[0] ? e.err.message : sora_status_name(status));
    encoder_close(&e);
    return code;
}

void cache_close(latent_cache *c) {
    if (!c)
        return;
    munmap(c->map, c->size);
    free(c);
}
