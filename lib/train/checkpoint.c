/* Checkpoints: a safetensors file with weights, averages and moments of every part, f32, the counters and a checksum of the values in its metadata. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/io/safetensors.h"
#include "lib/train/trainer.h"

#define KINDS 4 /* tensors per parameter: value, ema, m, v */

static sora_tensor **slot(sorai_trained_part *part, size_t param, int kind) {
    sorai_moments *s = &part->optimizer.moments[param];
    sora_tensor **const all[KINDS] = {&part->store.params[param]->value, &s->ema, &s->m, &s->v};
    return all[kind];
}

static int full_name(char *out, size_t size, const sorai_trained_part *part, size_t param, int kind) {
    static const char *const kinds[KINDS] = {"value", "ema", "m", "v"};
    const int n = snprintf(out, size, "%s/%s/%s", part->name, kinds[kind], part->store.params[param]->name);
    return n > 0 && (size_t)n < size ? SORA_OK : SORA_E_INTERNAL;
}

/* A tensor in host memory with the device's values. */
static int host_copy(sora_trainer *t, const sora_tensor *from, sora_tensor **out, sora_error *err) {
    SORA_TRY(sorai_tensor_new(out, t->mem, from->dtype, from->rank, from->shape, err));
    if (t->device->download(t->device, (*out)->data, from->data, sorai_tensor_bytes(from)) != SORA_OK) {
        sorai_tensor_unref(out);
        return sorai_fail(err, SORA_E_BACKEND, "the device could not give data");
    }
    return SORA_OK;
}

static int counter(json_t *metadata, const char *name, uint64_t value) {
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return json_object_set_new(metadata, name, json_string(text));
}

int sorai_trainer_save(sora_trainer *t, const char *path, sora_error *err) {
    size_t capacity = 0, count = 0;
    sorai_checksum_state sum;
    sorai_checksum_begin(&sum);
    for (uint32_t p = 0; p < t->part_count; p++)
        capacity += t->parts[p].store.count * KINDS;
    json_t *metadata = json_object();
    sorai_named_tensor *list = sorai_calloc(t->mem, capacity, sizeof *list);
    int status = SORA_OK;
    if (!list || !metadata || counter(metadata, "step", t->stats.step) != 0 || counter(metadata, "samples", t->stats.samples) != 0)
        status = sorai_fail(err, SORA_E_NOMEM, "no memory for a checkpoint");
    for (uint32_t p = 0; p < t->part_count && status == SORA_OK; p++)
        for (size_t i = 0; i < t->parts[p].store.count && status == SORA_OK; i++)
            for (int k = 0; k < KINDS && status == SORA_OK; k++) {
                const sora_tensor *from = *slot(&t->parts[p], i, k);
                char name[512];
                sora_tensor *copy = NULL;
                if (!from)
                    continue;
                status = full_name(name, sizeof name, &t->parts[p], i, k);
                if (status == SORA_OK)
                    status = host_copy(t, from, &copy, err);
                if (status != SORA_OK)
                    break;
                sorai_checksum_add(&sum, copy->data, sorai_tensor_bytes(copy));
                list[count].tensor = copy;
                list[count].name = sorai_strdup(t->mem, name);
                if (!list[count++].name)
                    status = sorai_fail(err, SORA_E_NOMEM, "no memory for a checkpoint");
            }
    if (status == SORA_OK && counter(metadata, "checksum", sorai_checksum_end(&sum)) != 0)
        status = sorai_fail(err, SORA_E_NOMEM, "no memory for a checkpoint");
    if (status == SORA_OK)
        status = sorai_safetensors_write(t->mem, path, list, count, metadata, err);
    for (size_t i = 0; i < count; i++) {
        sora_tensor *copy = (sora_tensor *)(uintptr_t)list[i].tensor;
        sorai_tensor_unref(&copy);
        sorai_free(t->mem, (char *)(uintptr_t)list[i].name);
    }
    sorai_free(t->mem, list);
    json_decref(metadata);
    return status;
}

static int read_counter(json_t *metadata, const char *name, const char *path, uint64_t *out, sora_error *err) {
    const char *text = metadata ? json_string_value(json_object_get(metadata, name)) : NULL;
    char *end = NULL;
    *out = text ? strtoull(text, &end, 10) : 0;
    return text && *text && end && !*end ? SORA_OK : sorai_fail(err, SORA_E_FORMAT, "%s: no checkpoint: %s is missing", path, name);
}

int sorai_trainer_load(sora_trainer *t, const char *path, sora_error *err) {
    sorai_safetensors *file = NULL;
    uint64_t step = 0, samples = 0, wanted = 0;
    sorai_checksum_state sum;
    sorai_checksum_begin(&sum);
    SORA_TRY(sorai_safetensors_open_path(&file, t->mem, path, err));
    int status = read_counter(sorai_safetensors_metadata(file), "step", path, &step, err);
    if (status == SORA_OK)
        status = read_counter(sorai_safetensors_metadata(file), "samples", path, &samples, err);
    /* Checkpoints of the first days have no checksum. */
    const int checked = status == SORA_OK && json_object_get(sorai_safetensors_metadata(file), "checksum") != NULL;
    if (checked)
        status = read_counter(sorai_safetensors_metadata(file), "checksum", path, &wanted, err);
    /* Everything is checked before anything is changed. */
    for (int pass = 0; pass < 2 && status == SORA_OK; pass++) {
        for (uint32_t p = 0; p < t->part_count && status == SORA_OK; p++)
            for (size_t i = 0; i < t->parts[p].store.count && status == SORA_OK; i++)
                for (int k = 0; k < KINDS && status == SORA_OK; k++) {
                    sora_tensor *to = *slot(&t->parts[p], i, k), *from = NULL;
                    char name[512];
                    if (!to)
                        continue;
                    status = full_name(name, sizeof name, &t->parts[p], i, k);
                    if (status == SORA_OK)
                        status = sorai_safetensors_lookup(file, name, &from, err);
                    if (status == SORA_OK &&
                        (from->dtype != to->dtype || from->rank != to->rank ||
                         memcmp(from->shape, to->shape, (size_t)to->rank * sizeof *to->shape) != 0))
                        status = sorai_fail(err, SORA_E_FORMAT, "%s: %s does not fit the recipe's network", path, name);
                    if (status == SORA_OK && pass == 0)
                        sorai_checksum_add(&sum, from->data, sorai_tensor_bytes(from));
                    if (status == SORA_OK && pass == 1 &&
                        t->device->upload(t->device, to->data, from->data, sorai_tensor_bytes(to)) != SORA_OK)
                        status = sorai_fail(err, SORA_E_BACKEND, "the device could not take data");
                    sorai_tensor_unref(&from);
                }
        if (pass == 0 && status == SORA_OK && checked && sorai_checksum_end(&sum) != wanted)
            status = sorai_fail(err, SORA_E_FORMAT, "%s: damaged: its values do not have their checksum", path);
    }
    if (status == SORA_OK) {
        t->stats.step = step;
        t->stats.samples = samples;
        for (uint32_t p = 0; p < t->part_count; p++)
            for (size_t i = 0; i < t->parts[p].store.count; i++)
                t->parts[p].store.params[i]->version++;
    }
    sorai_safetensors_close(&file);
    return status;
}
