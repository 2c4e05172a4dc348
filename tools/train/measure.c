#include "tools/train/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEED 900000000u /* of held-out scenes: far from those of training */
#define ROUNDS 2
#define SWAP_NOISE 0.8 /* where the words decide most */

typedef struct sheet {
    FILE *out;
    uint64_t step, samples;
} sheet;

static void row(const sheet *s, const char *name, double value) {
    fprintf(s->out, "%llu,%llu,%s,%.6g\n", (unsigned long long)s->step, (unsigned long long)s->samples, name, value);
    fprintf(stderr, "  %s %.4g", name, value);
}

/* Originals above their round trips: the first, middle and last frame of up to 8 clips. */
static void save_round_trip(data *d, const sora_batch *b, const sora_tensor *made, const char *folder) {
    sora_tensor_desc s = {.struct_size = sizeof s};
    if (sora_tensor_info(made, &s) != SORA_OK)
        return;
    const int64_t n = s.shape[0] < 8 ? s.shape[0] : 8, f = s.shape[1], h = s.shape[2], w = s.shape[3], line = w * 3;
    const int64_t shown = f > 1 ? 3 : 1;
    uint8_t *picture = calloc((size_t)(2 * h * n * shown), (size_t)line);
    if (!picture)
        return;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < shown; k++)
            for (int64_t y = 0; y < 2 * h; y++) {
                const uint8_t *from = sora_tensor_data(y < h ? b->video : made);
                const int64_t frame = shown > 1 ? k * (f - 1) / 2 : 0;
                memcpy(picture + ((y * n + i) * shown + k) * line, from + ((i * f + frame) * h + y % h) * line, (size_t)line);
            }
    char path[1024];
    snprintf(path, sizeof path, "%s/samples.png", folder);
    if (sora_image_write(d->ctx, path, picture, (int32_t)(w * n * shown), (int32_t)(2 * h), NULL) != SORA_OK)
        fprintf(stderr, "  %s not written", path);
    free(picture);
}

static void measure_vae(sora_trainer *t, data *d, const sheet *s, const char *folder) {
    float losses[4096];
    for (int i = 0; i < d->bucket_count; i++) {
        double sum = 0, n = 0;
        sora_batch b = {.struct_size = sizeof b};
        for (uint64_t k = 0; k < ROUNDS; k++) {
            if (data_fill(d, &d->buckets[i], SEED + k, WORLD_HELDOUT, -1, &b, NULL) != SORA_OK ||
                sora_trainer_evaluate(t, &b, 0, 0, 1, losses, NULL) != SORA_OK)
                return;
            for (uint32_t j = 0; j < b.count; j++, n++)
                sum += 10.0 * log10(4.0 / fmax((double)losses[j], 1e-9));
        }
        char name[64];
        snprintf(name, sizeof name, "psnr_%dx%dx%d", d->buckets[i].width, d->buckets[i].height, d->buckets[i].frames);
        row(s, name, sum / n);
        sora_tensor *made = NULL;
        if (i == d->bucket_count - 1 && sora_trainer_apply(t, b.video, &made, NULL) == SORA_OK)
            save_round_trip(d, &b, made, folder);
        sora_tensor_unref(&made);
    }
}

static void measure_probe(sora_trainer *t, data *d, const sheet *s) {
    double right[WORLD_ATTRS] = {0}, asked[WORLD_ATTRS] = {0};
    for (int i = 0; i < d->bucket_count; i++)
        for (uint64_t k = 0; k < ROUNDS; k++) {
            sora_batch b = {.struct_size = sizeof b};
            sora_tensor *table = NULL;
            sora_tensor_desc shape = {.struct_size = sizeof shape};
            if (data_fill(d, &d->buckets[i], SEED + k, WORLD_HELDOUT, -1, &b, NULL) != SORA_OK ||
                sora_trainer_apply(t, b.video, &table, NULL) != SORA_OK || sora_tensor_info(table, &shape) != SORA_OK)
                return;
            const float *p = sora_tensor_data(table);
            for (int64_t j = 0; j < (int64_t)b.count * WORLD_ATTRS; j++, p += shape.shape[2]) {
                int64_t best = 0;
                for (int64_t v = 1; v < shape.shape[2]; v++)
                    best = p[v] > p[best] ? v : best;
                asked[j % WORLD_ATTRS] += b.labels[j] >= 0;
                right[j % WORLD_ATTRS] += b.labels[j] == best;
            }
            sora_tensor_unref(&table);
        }
    for (int a = 0; a < WORLD_ATTRS; a++)
        if (asked[a] > 0)
            row(s, world_attr_name(a), right[a] / asked[a]);
}

/* Sum of the samples' losses; NaN when it could not be measured. */
static double sum_loss(sora_trainer *t, const sora_batch *b, double noise, uint64_t seed) {
    float losses[4096];
    double sum = 0;
    if (sora_trainer_evaluate(t, b, noise, seed, 1, losses, NULL) != SORA_OK)
        return (double)NAN;
    for (uint32_t j = 0; j < b->count; j++)
        sum += (double)losses[j];
    return sum;
}

static void measure_transformer(sora_trainer *t, data *d, const sheet *s) {
    static const double levels[] = {0.1, 0.3, 0.5, 0.7, 0.9};
    enum { LEVELS = sizeof levels / sizeof *levels };
    double loss[LEVELS] = {0}, rise[WORLD_ATTRS] = {0}, samples = 0;
    int swapped[WORLD_ATTRS] = {0};
    const bucket *of = &d->buckets[d->main_bucket];
    char name[64];
    for (uint64_t k = 0; k < ROUNDS; k++) {
        sora_batch b = {.struct_size = sizeof b};
        if (data_fill(d, of, SEED + k, WORLD_HELDOUT, -1, &b, NULL) != SORA_OK)
            return;
        samples += b.count;
        for (int i = 0; i < LEVELS; i++)
            loss[i] += sum_loss(t, &b, levels[i], SEED + k);
        const double right = sum_loss(t, &b, SWAP_NOISE, SEED + k);
        /* Samples whose caption stays as it is have the same loss to the bit, so the difference of sums is that of the swapped ones. */
        for (int a = 0; a < d->source->attributes; a++) {
            int n = 0;
            if (data_fill(d, of, SEED + k, WORLD_HELDOUT, a, &b, &n) != SORA_OK)
                return;
            rise[a] += n ? sum_loss(t, &b, SWAP_NOISE, SEED + k) - right : 0;
            swapped[a] += n;
        }
    }
    for (int i = 0; i < LEVELS; i++) {
        snprintf(name, sizeof name, "loss_%.1f", levels[i]);
        row(s, name, loss[i] / samples);
    }
    for (int a = 0; a < WORLD_ATTRS; a++)
        if (swapped[a]) {
            snprintf(name, sizeof name, "swap_%s", world_attr_name(a));
            row(s, name, rise[a] / swapped[a]);
        }
}

void measure(sora_trainer *t, data *d, uint64_t step, uint64_t samples, FILE *out, const char *folder) {
    const sheet s = {out, step, samples};
    fprintf(stderr, "\nstep %llu:", (unsigned long long)step);
    if (d->kind == 'v')
        measure_vae(t, d, &s, folder);
    else if (d->kind == 'p')
        measure_probe(t, d, &s);
    else
        measure_transformer(t, d, &s);
    fprintf(stderr, "\n");
}
