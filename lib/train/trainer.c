#include "lib/train/trainer.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "lib/base/rng.h"
#include "lib/model/model.h"
#include "lib/ops/optim.h"

static double seconds_now(void) {
    struct timespec now;
    return timespec_get(&now, TIME_UTC) ? (double)now.tv_sec + 1e-9 * (double)now.tv_nsec : 0.0;
}

/* Parameters whose names begin as the recipe says get no gradient and no step. */
static int freeze(sora_trainer *t, sora_error *err) {
    for (size_t i = 0; i < json_array_size(t->recipe.freeze); i++) {
        const char *begin = json_string_value(json_array_get(t->recipe.freeze, i));
        size_t count = 0;
        for (uint32_t p = 0; p < t->part_count; p++)
            for (size_t k = 0; k < t->parts[p].store.count; k++)
                if (strncmp(t->parts[p].store.params[k]->name, begin, strlen(begin)) == 0) {
                    t->parts[p].store.params[k]->trainable = 0;
                    count++;
                }
        if (!count)
            return sorai_fail(err, SORA_E_INVALID, "recipe: freeze: no parameter begins with %s", begin);
    }
    return SORA_OK;
}

int sorai_trainer_create(sora_trainer **out, sora_context *context, const char *recipe, size_t length, sora_error *err) {
    *out = NULL;
    sora_trainer *t = sorai_calloc(&context->mem, 1, sizeof *t);
    if (!t)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a trainer");
    t->context = sorai_context_ref(context);
    t->mem = &context->mem;
    t->device = sorai_context_device(context, NULL);
    t->stats.struct_size = sizeof t->stats;
    int status = sorai_recipe_parse(&t->recipe, recipe, length, err);
    if (status != SORA_OK)
        goto fail;
    status = sorai_exec_init(&t->exec, t->device, t->mem, t->recipe.product ? t->recipe.product : sorai_cpu_products(), err);
    if (status != SORA_OK)
        goto fail;
    t->exec.cancel = &t->cancel;
    t->stats.steps = t->recipe.optimizer.steps;
    static const sorai_train_ops *const kinds[] = {&sorai_train_vae, &sorai_train_transformer, &sorai_train_probe};
    t->ops = kinds[t->recipe.kind];
    if (t->recipe.init && (status = sorai_package_open(&t->init, t->mem, t->recipe.init, err)) != SORA_OK)
        goto fail;
    status = t->ops->bind(t, err);
    sorai_package_close(&t->init);
    if (status == SORA_OK)
        status = freeze(t, err);
    if (status != SORA_OK)
        goto fail;
    for (uint32_t i = 0; i < t->part_count; i++) {
        status = sorai_optimizer_init(&t->parts[i].optimizer, t->mem, &t->parts[i].store, &t->recipe.optimizer, err);
        if (status != SORA_OK)
            goto fail;
    }
    *out = t;
    return SORA_OK;
fail:
    sorai_trainer_destroy(&t);
    return status;
}

void sorai_trainer_destroy(sora_trainer **handle) {
    sora_trainer *t = *handle;
    *handle = NULL;
    if (!t)
        return;
    if (t->ops && t->net)
        t->ops->release(t);
    sorai_exec_release(&t->exec);
    for (uint32_t i = 0; i < t->part_count; i++) {
        sorai_optimizer_release(&t->parts[i].optimizer);
        sorai_store_release(&t->parts[i].store);
        json_decref(t->parts[i].config);
    }
    sorai_recipe_release(&t->recipe);
    sora_context *context = t->context;
    sorai_free(t->mem, t);
    sorai_context_unref(&context);
}

static int lookup_init(void *user, const char *name, sora_tensor **out, sora_error *err) {
    const sorai_trained_part *part = user;
    return sorai_model_weight(part->init, part->store.mem, part->name, name, out, err);
}

int sorai_trainer_add_part(sora_trainer *t, const char *name, const char *key, sorai_trained_part **out, sora_error *err) {
    *out = NULL;
    json_t *config = json_object_get(t->recipe.root, key);
    if (!json_is_object(config))
        return sorai_fail(err, SORA_E_INVALID, "recipe: %s must be an object: the network's config", key);
    sorai_trained_part *part = &t->parts[t->part_count];
    part->name = name;
    part->config = json_deep_copy(config);
    if (!part->config)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a config");
    SORA_TRY(sorai_store_init(&part->store, t->mem, t->device));
    part->store.seed = t->recipe.seed;
    part->store.trainable = 1;
    if (t->init && sorai_package_has(t->init, name)) {
        part->init = t->init;
        part->store.lookup = lookup_init;
        part->store.lookup_user = part;
        part->store.grow = t->recipe.grow;
    }
    t->part_count++;
    *out = part;
    return SORA_OK;
}

int sorai_trainer_batch(sora_trainer *t, uint64_t step, uint32_t part, sora_batch *batch, sora_error *err) {
    memset(batch, 0, sizeof *batch);
    batch->struct_size = sizeof *batch;
    if (!t->batch)
        return sorai_fail(err, SORA_E_STATE, "the trainer has no data: call sora_trainer_set_data first");
    const int status = t->batch(t->batch_user, step, part, batch);
    if (status != 0)
        return sorai_fail(err, status < 0 ? status : SORA_E_CANCELLED, "the data callback stopped the training");
    return SORA_OK;
}

static int check_batch(const sora_trainer *t, const sora_batch *batch, sora_error *err) {
    const sora_tensor *v = batch->video;
    const int32_t dtype = t->recipe.kind == SORAI_TRAIN_TRANSFORMER ? SORA_DTYPE_F32 : SORA_DTYPE_U8;
    if (!v || batch->count < 1 || v->rank != 5 || v->shape[0] != (int64_t)batch->count || v->dtype != dtype || v->device)
        return sorai_fail(err, SORA_E_INVALID, "batch: video must be [count, ...] of rank 5 and type %s", sorai_dtype_name(dtype));
    if (dtype == SORA_DTYPE_U8 && v->shape[4] != 3)
        return sorai_fail(err, SORA_E_INVALID, "batch: video must be [count, frames, height, width, 3]");
    if (t->recipe.kind == SORAI_TRAIN_TRANSFORMER && !batch->captions)
        return sorai_fail(err, SORA_E_INVALID, "batch: captions are needed");
    if (t->recipe.kind == SORAI_TRAIN_TRANSFORMER && batch->later && (batch->later_from < 1 || (int64_t)batch->later_from >= v->shape[2]))
        return sorai_fail(err, SORA_E_INVALID, "batch: later_from must be a latent frame after the first");
    if (t->recipe.kind == SORAI_TRAIN_PROBE && !batch->labels)
        return sorai_fail(err, SORA_E_INVALID, "batch: labels are needed");
    return SORA_OK;
}

sora_tensor *sorai_trainer_video(sora_trainer *t, const sora_tensor *video) {
    const int64_t count = sorai_tensor_count(video);
    float *values = sorai_alloc(t->mem, (size_t)count * sizeof *values);
    if (!values)
        return sorai_exec_fail(&t->exec, SORA_E_NOMEM, "no memory for a batch");
    const uint8_t *bytes = video->data;
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)bytes[i] * (2.0f / 255.0f) - 1.0f;
    sora_tensor *out = sorai_upload(&t->exec, SORA_DTYPE_F32, video->rank, video->shape, values);
    sorai_free(t->mem, values);
    return out;
}

int sorai_trainer_bytes(sora_trainer *t, sora_tensor *video, sora_tensor **out, sora_error *err) {
    *out = NULL;
    if (!video)
        return sorai_exec_finish(&t->exec, err);
    const int64_t count = sorai_tensor_count(video);
    float *values = sorai_alloc(t->mem, (size_t)count * sizeof *values);
    if (!values)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for frames");
    sorai_download(&t->exec, video, values);
    int status = sorai_exec_finish(&t->exec, err);
    if (status == SORA_OK)
        status = sorai_tensor_new(out, t->mem, SORA_DTYPE_U8, video->rank, video->shape, err);
    for (int64_t i = 0; status == SORA_OK && i < count; i++) {
        const float v = values[i] < -1.0f ? -1.0f : values[i] > 1.0f ? 1.0f : values[i];
        ((uint8_t *)(*out)->data)[i] = (uint8_t)lrintf((v + 1.0f) * 127.5f);
    }
    sorai_free(t->mem, values);
    return status;
}

sora_tensor *sorai_trainer_noise(sora_trainer *t, int32_t rank, const int64_t *shape, uint64_t seed, uint64_t stream) {
    size_t bytes;
    if (sorai_shape_bytes(SORA_DTYPE_F32, rank, shape, &bytes, NULL) != SORA_OK)
        return sorai_exec_fail(&t->exec, SORA_E_INVALID, "noise: wrong shape");
    float *values = sorai_alloc(t->mem, bytes);
    if (!values)
        return sorai_exec_fail(&t->exec, SORA_E_NOMEM, "no memory for noise");
    sorai_rng_normals(seed, stream, 0, values, bytes / sizeof *values);
    sora_tensor *out = sorai_upload(&t->exec, SORA_DTYPE_F32, rank, shape, values);
    sorai_free(t->mem, values);
    return out;
}

static double scalar(sorai_exec *x, const sora_tensor *t) {
    float v = 0.0f;
    if (t)
        sorai_download(x, t, &v);
    return (double)v;
}

int sorai_trainer_step(sora_trainer *t, sora_error *err) {
    sorai_exec *x = &t->exec;
    const uint64_t step = t->stats.step;
    if (step >= t->stats.steps)
        return SORA_OK;
    const double begin = seconds_now();
    sora_train_stats stats = t->stats;
    stats.loss = 0;
    memset(stats.parts, 0, sizeof stats.parts);
    const sorai_exec_mark mark = sorai_exec_here(x);
    int status = SORA_OK;
    for (uint32_t i = 0; i < t->part_count && status == SORA_OK; i++)
        status = sorai_store_zero_grad(&t->parts[i].store);
    const double share = 1.0 / (double)t->recipe.parts;
    for (int32_t part = 0; part < t->recipe.parts && status == SORA_OK; part++) {
        sora_batch batch;
        status = sorai_trainer_batch(t, step, (uint32_t)part, &batch, err);
        if (status == SORA_OK)
            status = check_batch(t, &batch, err);
        if (status != SORA_OK)
            break;
        sorai_tape tape = {NULL, 0};
        sora_tensor *terms[6] = {NULL};
        x->tape = &tape;
        sora_tensor *loss = t->ops->loss(t, &batch, step, (uint32_t)part, terms);
        sorai_tape_backward(x, &tape, loss, share);
        stats.loss += share * scalar(x, loss);
        for (int i = 0; i < 6; i++)
            stats.parts[i] += share * scalar(x, terms[i]);
        stats.samples += batch.count;
        sorai_exec_rewind(x, mark);
        status = sorai_exec_finish(x, err);
    }
    if (status == SORA_OK && atomic_load(&t->cancel))
        status = sorai_fail(err, SORA_E_CANCELLED, "cancelled");
    if (status != SORA_OK) {
        x->tape = NULL;
        sorai_exec_rewind(x, mark);
        atomic_store(&t->cancel, 0);
        return status;
    }
    x->cancel = NULL; /* from here on the step is taken whole */
    double sumsq = 0.0;
    for (uint32_t i = 0; i < t->part_count; i++) {
        const sorai_store *s = &t->parts[i].store;
        for (size_t k = 0; k < s->count; k++)
            sumsq += sorai_optim_sumsq(x, &s->params[k]->grad, 1);
    }
    stats.grad_norm = sqrt(sumsq);
    if (!isfinite(stats.loss) || !isfinite(stats.grad_norm)) {
        x->cancel = &t->cancel;
        return sorai_fail(err, SORA_E_STATE, "step %llu: the loss is not finite; the weights are as before it",
                          (unsigned long long)step);
    }
    const sorai_optimizer_config *config = &t->recipe.optimizer;
    const double scale = config->clip > 0.0 && stats.grad_norm > config->clip ? config->clip / stats.grad_norm : 1.0;
    for (uint32_t i = 0; i < t->part_count; i++)
        sorai_optimizer_step(x, &t->parts[i].optimizer, config, step, scale);
    x->cancel = &t->cancel;
    SORA_TRY(sorai_exec_finish(x, err));
    stats.rate = sorai_optimizer_rate(config, step);
    stats.step = step + 1;
    stats.seconds = seconds_now() - begin;
    stats.memory = atomic_load(&t->mem->used);
    t->stats = stats;
    return stats.step < stats.steps ? SORA_MORE : SORA_OK;
}

static void swap_averages(sora_trainer *t) {
    for (uint32_t i = 0; i < t->part_count; i++)
        sorai_optimizer_swap(&t->parts[i].optimizer);
}

int sorai_trainer_evaluate(sora_trainer *t, const sora_batch *batch, double noise, uint64_t seed, int ema, float *losses,
                           sora_error *err) {
    SORA_TRY(check_batch(t, batch, err));
    const sorai_exec_mark mark = sorai_exec_here(&t->exec);
    if (ema)
        swap_averages(t);
    const int status = t->ops->evaluate(t, batch, noise, seed, losses, err);
    if (ema)
        swap_averages(t);
    sorai_exec_rewind(&t->exec, mark);
    return status;
}

int sorai_trainer_apply(sora_trainer *t, const sora_tensor *video, sora_tensor **out, sora_error *err) {
    *out = NULL;
    if (!t->ops->apply)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "this kind of training has nothing to apply");
    if (!video || video->dtype != SORA_DTYPE_U8 || video->rank != 5 || video->shape[4] != 3)
        return sorai_fail(err, SORA_E_INVALID, "video must be u8 [n, frames, height, width, 3]");
    const sorai_exec_mark mark = sorai_exec_here(&t->exec);
    swap_averages(t);
    const int status = t->ops->apply(t, video, out, err);
    swap_averages(t);
    sorai_exec_rewind(&t->exec, mark);
    return status;
}
