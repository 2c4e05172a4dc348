/* From a training to a model file: averaged weights of the parts trained here, the other parts from another model. */
#include <string.h>

#include "lib/io/sora_file.h"
#include "lib/tensor/half.h"
#include "lib/train/trainer.h"

static const char *const tokenizer_blobs[] = {"tokenizer/spiece.model", "tokenizer/tokenizer.json"};

#define LEVEL 12 /* of zstd: weights are packed once and read often */

/* The averages of a parameter in host memory, as f32 or bf16. */
static int host_weights(sora_trainer *t, const sora_tensor *from, int32_t dtype, sora_tensor **out, sora_error *err) {
    const int64_t count = sorai_tensor_count(from);
    sora_tensor *full = NULL;
    *out = NULL;
    SORA_TRY(sorai_tensor_new(&full, t->mem, SORA_DTYPE_F32, from->rank, from->shape, err));
    int status = t->device->download(t->device, full->data, from->data, sorai_tensor_bytes(full));
    if (status == SORA_OK && dtype == SORA_DTYPE_F32) {
        *out = full;
        return SORA_OK;
    }
    if (status == SORA_OK)
        status = sorai_tensor_new(out, t->mem, SORA_DTYPE_BF16, from->rank, from->shape, err);
    for (int64_t i = 0; status == SORA_OK && i < count; i++)
        ((uint16_t *)(*out)->data)[i] = sorai_f32_to_bf16(((const float *)full->data)[i]);
    sorai_tensor_unref(&full);
    return status;
}

static int write_trained(sora_trainer *t, sorai_sora_writer *w, sorai_trained_part *part, int32_t weights, sora_error *err) {
    SORA_TRY(sorai_sora_writer_part(w, part->name, part->config, err));
    for (size_t i = 0; i < part->store.count; i++) {
        const sora_tensor *from = part->optimizer.moments[i].ema;
        sora_tensor *host = NULL;
        /* Vectors (norms, biases) are small and matter: they stay f32. */
        SORA_TRY(host_weights(t, from, from->rank < 2 ? SORA_DTYPE_F32 : weights, &host, err));
        const int status = sorai_sora_writer_tensor(w, part->name, part->store.params[i]->name, host, SORAI_CODEC_ZSTD_SPLIT, LEVEL, err);
        sorai_tensor_unref(&host);
        SORA_TRY(status);
    }
    return SORA_OK;
}

static int copy_part(sorai_package *from, const char *part, sorai_sora_writer *w, sora_error *err) {
    json_t *config = NULL;
    size_t count = 0;
    SORA_TRY(sorai_package_tensor_count(from, part, &count, err));
    if (count == 0 && sorai_package_config(from, part, &config, NULL) == SORA_E_NOTFOUND)
        return SORA_OK; /* a tokenizer's folder: its file is copied by itself */
    SORA_TRY(sorai_package_config(from, part, &config, err));
    SORA_TRY(sorai_sora_writer_part(w, part, config, err));
    for (size_t i = 0; i < count; i++) {
        sorai_tensor_info info;
        sora_tensor *tensor = NULL;
        SORA_TRY(sorai_package_tensor(from, part, i, &info, err));
        SORA_TRY(sorai_package_lookup(from, part, info.name, &tensor, err));
        const int status = sorai_sora_writer_tensor(w, part, info.name, tensor, SORAI_CODEC_ZSTD_SPLIT, LEVEL, err);
        sorai_tensor_unref(&tensor);
        SORA_TRY(status);
    }
    return SORA_OK;
}

static int is_trained(const sora_trainer *t, const char *part) {
    for (uint32_t i = 0; i < t->part_count; i++)
        if (strcmp(t->parts[i].name, part) == 0)
            return 1;
    return 0;
}

static int copy_tokenizer(sorai_package *from, sorai_sora_writer *w, sora_error *err) {
    for (int i = 0; from && i < 2; i++) {
        sorai_bytes bytes = {0};
        int status = sorai_package_blob(from, tokenizer_blobs[i], &bytes, NULL);
        if (status == SORA_OK) {
            status = sorai_sora_writer_blob(w, tokenizer_blobs[i], bytes.data, bytes.size, SORAI_CODEC_ZSTD, LEVEL, err);
            sorai_bytes_release(&bytes);
            SORA_TRY(status);
        } else if (status != SORA_E_NOTFOUND) {
            return sorai_fail(err, status, "%s: %s could not be read", sorai_package_name(from), tokenizer_blobs[i]);
        }
    }
    return SORA_OK;
}

/* The tokenizer: what the transformer was trained with, the recipe's file or that of its init; else the other model's. */
static int write_tokenizer(sora_trainer *t, sorai_package *with, sorai_sora_writer *w, sora_error *err) {
    sorai_bytes bytes = {0};
    int status = SORA_OK;
    if (t->recipe.tokenizer) {
        sorai_source *source = NULL;
        SORA_TRY(sorai_source_open(&source, t->mem, t->recipe.tokenizer, err));
        status = sorai_source_bytes(source, 0, sorai_source_size(source), &bytes, err);
        const char *dot = strrchr(t->recipe.tokenizer, '.');
        if (status == SORA_OK)
            status = sorai_sora_writer_blob(w, tokenizer_blobs[dot && strcmp(dot, ".json") == 0], bytes.data, bytes.size, SORAI_CODEC_ZSTD, LEVEL, err);
        sorai_bytes_release(&bytes);
        sorai_source_unref(&source);
        return status;
    }
    if (t->recipe.kind != SORAI_TRAIN_TRANSFORMER || !t->recipe.init)
        return copy_tokenizer(with, w, err);
    sorai_package *init = NULL;
    SORA_TRY(sorai_package_open(&init, t->mem, t->recipe.init, err));
    status = copy_tokenizer(init, w, err);
    sorai_package_close(&init);
    return status;
}

/* The recipe's "model" object says what the finished model recommends: name, size, steps ... It goes where models look for it. So does
 * that a transformer was trained with given frames at timestep 0. */
static int set_defaults(const sora_trainer *t, json_t *metadata) {
    json_t *model = json_object_get(t->recipe.root, "model");
    const sorai_mask_shares *masks = &t->recipe.transformer.masks;
    const int expands = t->recipe.kind == SORAI_TRAIN_TRANSFORMER && masks->first + masks->last + masks->ends + masks->gaps > 0.0;
    if (!json_is_object(model) && !expands)
        return 0;
    json_t *index = json_object_get(metadata, "model_index");
    if (!index) {
        index = json_pack("{s:s}", "_class_name", "WanPipeline");
        if (json_object_set_new(metadata, "model_index", index) != 0)
            return -1;
    }
    if (expands && json_object_set_new(index, "expand_timesteps", json_true()) != 0)
        return -1;
    json_t *own = json_object_get(index, "sora");
    if (!own) {
        own = json_object();
        if (json_object_set_new(index, "sora", own) != 0)
            return -1;
    }
    return json_is_object(model) ? json_object_update(own, model) : 0;
}

int sorai_trainer_export(sora_trainer *t, const char *path, const char *with, int32_t weights, sora_error *err) {
    sorai_package *other = NULL;
    sorai_sora_writer *w = NULL;
    json_t *metadata = NULL;
    if (weights == 0)
        weights = SORA_DTYPE_BF16;
    if (weights != SORA_DTYPE_BF16 && weights != SORA_DTYPE_F32)
        return sorai_fail(err, SORA_E_INVALID, "an export has f32 or bf16 weights");
    for (uint32_t i = 0; i < t->part_count; i++)
        sorai_optimizer_swap(&t->parts[i].optimizer);
    int status = t->ops->finish ? t->ops->finish(t, err) : SORA_OK;
    for (uint32_t i = 0; i < t->part_count; i++)
        sorai_optimizer_swap(&t->parts[i].optimizer);
    if (status == SORA_OK && with)
        status = sorai_package_open(&other, t->mem, with, err);
    if (status == SORA_OK)
        status = sorai_sora_writer_begin(&w, t->mem, path, err);
    if (status != SORA_OK)
        goto done;
    if (other && sorai_package_metadata(other))
        metadata = json_deep_copy(sorai_package_metadata(other));
    else
        metadata = other && sorai_package_index(other) ? json_pack("{s:o}", "model_index", json_deep_copy(sorai_package_index(other))) : json_object();
    status = metadata && set_defaults(t, metadata) == 0
                 ? sorai_sora_writer_metadata(w, metadata, err)
                 : sorai_fail(err, SORA_E_NOMEM, "no memory for the metadata");
    for (uint32_t i = 0; i < t->part_count && status == SORA_OK; i++)
        status = write_trained(t, w, &t->parts[i], weights, err);
    const char *part;
    for (size_t i = 0; status == SORA_OK && other && (part = sorai_package_part(other, i)) != NULL; i++)
        if (!is_trained(t, part))
            status = copy_part(other, part, w, err);
    if (status == SORA_OK)
        status = write_tokenizer(t, other, w, err);
    if (status == SORA_OK)
        status = sorai_sora_writer_finish(&w, err);
done:
    sorai_sora_writer_abandon(&w);
    json_decref(metadata);
    sorai_package_close(&other);
    return status;
}
