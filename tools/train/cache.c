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
    uint64_t fingerprint, reserved; /* of the source */
} cache_header;

struct latent_cache {
    cache_header header;
    void *map;
    size_t size;
    const uint64_t *numbers;
    const int16_t *values;
};

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

/* Encodes clip after clip. */
static int fill(FILE *file, sora_context *ctx, sora_pipeline *p, clip_source *source, const bucket *b, uint64_t clips, int split, sora_error *err) {
    progress bar;
    int status = SORA_OK;
    const int64_t plane = (int64_t)b->width * b->height;
    uint8_t *rgb = malloc((size_t)plane * 3 * (size_t)b->frames);
    sora_tensor_desc d = {sizeof d, SORA_DTYPE_F32, 4, 0, {3, b->frames, b->height, b->width}};
    sora_tensor *video = NULL;
    int16_t *packed = NULL;
    cache_header h = {.clips = clips, .fingerprint = source->fingerprint};
    memcpy(h.magic, MAGIC, 8);
    char what[64];
    snprintf(what, sizeof what, "latents %dx%dx%d", b->width, b->height, b->frames);
    progress_begin(&bar, what, 0);
    if (!rgb || (status = sora_tensor_create(&video, ctx, &d, err)) != SORA_OK)
        goto done;
    for (uint64_t i = 0; i < clips && status == SORA_OK; i++) {
        sora_tensor *latent = NULL;
        sora_tensor_desc l = {.struct_size = sizeof l};
        status = source->frames(source, b, split, source->entry(source, b, split, i), rgb);
        float *to = sora_tensor_data(video);
        for (int64_t f = 0; f < b->frames && status == SORA_OK; f++)
            for (int64_t k = 0; k < plane; k++)
                for (int c = 0; c < 3; c++)
                    to[(c * b->frames + f) * plane + k] = (float)rgb[(f * plane + k) * 3 + c] * (2.0f / 255.0f) - 1.0f;
        if (status == SORA_OK)
            status = sora_encode_video(p, video, &latent, err);
        if (status == SORA_OK)
            status = sora_tensor_info(latent, &l);
        if (status == SORA_OK && i == 0) {
            memcpy(h.shape, l.shape, sizeof h.shape);
            packed = malloc((size_t)entry(&h) * sizeof *packed);
            status = packed && fwrite(&h, sizeof h, 1, file) == 1 ? SORA_OK : SORA_E_IO;
            for (uint64_t k = 0; k < clips && status == SORA_OK; k++) {
                const uint64_t s = source->entry(source, b, split, k);
                status = fwrite(&s, sizeof s, 1, file) == 1 ? SORA_OK : SORA_E_IO;
            }
        }
        const float *v = sora_tensor_data(latent);
        for (int64_t k = 0; status == SORA_OK && k < entry(&h); k++) {
            const float x = v[k] > RANGE ? RANGE : v[k] < -RANGE ? -RANGE : v[k];
            packed[k] = (int16_t)lrintf(x * (32767.0f / RANGE));
        }
        if (status == SORA_OK && fwrite(packed, sizeof *packed, (size_t)entry(&h), file) != (size_t)entry(&h))
            status = SORA_E_IO;
        sora_tensor_unref(&latent);
        if (interrupted())
            status = SORA_E_CANCELLED;
        progress_show(&bar, (double)(i + 1) / (double)clips, "");
    }
    progress_end(&bar, "");
done:
    sora_tensor_unref(&video);
    free(packed);
    free(rgb);
    return status;
}

int cache_open(latent_cache **out, sora_context *ctx, const char *path, const char *model, clip_source *source, const bucket *b, uint64_t clips,
               int split) {
    char part[1100];
    sora_error err = {.struct_size = sizeof err};
    sora_model *m = NULL;
    sora_pipeline *p = NULL;
    *out = NULL;
    if (map_file(out, path, clips, source->fingerprint))
        return 0;
    snprintf(part, sizeof part, "%s.part", path);
    char folder[1024];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) {
        *slash = 0;
        mkdir(folder, 0777);
    }
    FILE *file = fopen(part, "wb");
    if (!file)
        return complain(EXIT_FAILED, "%s: cannot be written", part);
    int status = sora_model_open(&m, ctx, model, NULL, &err);
    if (status == SORA_OK)
        status = sora_pipeline_create(&p, m, &err);
    if (status == SORA_OK)
        status = fill(file, ctx, p, source, b, clips, split, &err);
    if (fclose(file) != 0 && status == SORA_OK)
        status = SORA_E_IO;
    sora_pipeline_destroy(&p);
    sora_model_unref(&m);
    if (status == SORA_OK && rename(part, path) == 0 && map_file(out, path, clips, source->fingerprint))
        return 0;
    remove(part);
    return complain(EXIT_FAILED, "%s: %s", path, err.message[0] ? err.message : sora_status_name(status));
}

void cache_close(latent_cache *c) {
    if (!c)
        return;
    munmap(c->map, c->size);
    free(c);
}
