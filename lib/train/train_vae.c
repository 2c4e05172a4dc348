/* Training of the video autoencoder: L1, gradient L1, temporal-difference L1 and KL. */
#include <math.h>
#include <string.h>

#include "lib/base/rng.h"
#include "lib/model/config.h"
#include "lib/train/trainer.h"

#define MEASURE_BATCHES 32

/* A new network begins as one that works frame by frame: earlier taps in time are a tenth of what they would be, and the convolutions that
 * halve or double the frame rate pass the present frame on. So what it learns from images is a good start for video. */
static int begin_with_images(sora_trainer *t, const sorai_store *store, sora_error *err) {
    for (size_t i = 0; i < store->count; i++) {
        sora_tensor *w = store->params[i]->value;
        if (w->rank != 5 || w->shape[2] != 3)
            continue;
        const int64_t out = w->shape[0], in = w->shape[1], area = w->shape[3] * w->shape[4];
        const int identity = strstr(store->params[i]->name, "time_conv") != NULL;
        float *values = sorai_alloc(t->mem, sorai_tensor_bytes(w));
        if (!values)
            return sorai_fail(err, SORA_E_NOMEM, "no memory to initialise %s", store->params[i]->name);
        int status = t->device->download(t->device, values, w->data, sorai_tensor_bytes(w));
        for (int64_t k = 0; k < out * in; k++)
            for (int64_t tap = 0; tap < 3; tap++)
                for (int64_t p = 0; p < area; p++) {
                    float *v = &values[(k * 3 + tap) * area + p];
                    *v = tap == 2 ? *v : 0.1f * *v;
                    if (identity)
                        *v = 0.1f * *v + (tap == 2 && k / in % in == k % in ? 1.0f : 0.0f);
                }
        if (status == SORA_OK)
            status = t->device->upload(t->device, w->data, values, sorai_tensor_bytes(w));
        sorai_free(t->mem, values);
        if (status != SORA_OK)
            return sorai_fail(err, SORA_E_BACKEND, "the device could not take %s", store->params[i]->name);
    }
    return SORA_OK;
}

/* As long as the encoder stays as it is, so do the statistics of its latents. */
static int take_statistics(sorai_trained_part *part, sora_error *err) {
    static const char *const names[] = {"latents_mean", "latents_std"};
    json_t *from = NULL;
    SORA_TRY(sorai_package_config(part->init, part->name, &from, err));
    for (size_t i = 0; i < 2; i++) {
        json_t *list = json_object_get(from, names[i]);
        if (list && !json_object_get(part->config, names[i]) && json_object_set(part->config, names[i], list) != 0)
            return sorai_fail(err, SORA_E_NOMEM, "no memory for a config");
    }
    return SORA_OK;
}

static int bind(sora_trainer *t, sora_error *err) {
    sorai_trained_part *part;
    sorai_vae_config config;
    SORA_TRY(sorai_trainer_add_part(t, "vae", "vae", &part, err));
    SORA_TRY(sorai_config_vae(part->config, &config, err));
    sorai_vae *vae = sorai_calloc(t->mem, 1, sizeof *vae);
    if (!vae)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the autoencoder");
    t->net = vae;
    SORA_TRY(sorai_vae_bind(vae, &part->store, &config, SORAI_VAE_ENCODER | SORAI_VAE_DECODER, err));
    return part->init ? take_statistics(part, err) : begin_with_images(t, &part->store, err);
}

static void release(sora_trainer *t) {
    sorai_free(t->mem, t->net);
}

/* L1 and, with their weights, the differences along height, width and time. */
static sora_tensor *reconstruction(sora_trainer *t, sora_tensor *made, sora_tensor *video, sora_tensor *terms[6]) {
    sorai_exec *x = &t->exec;
    sora_tensor *loss = terms[0] = sorai_l1(x, made, video, NULL);
    if (t->recipe.vae.gradient > 0.0) {
        terms[1] = sorai_add(x, sorai_difference_l1(x, made, video, 2), sorai_difference_l1(x, made, video, 3));
        loss = sorai_axpby(x, 1.0, loss, t->recipe.vae.gradient, terms[1]);
    }
    if (t->recipe.vae.temporal > 0.0 && video && video->shape[1] > 1) {
        terms[2] = sorai_difference_l1(x, made, video, 1);
        loss = sorai_axpby(x, 1.0, loss, t->recipe.vae.temporal, terms[2]);
    }
    return loss;
}

static sora_tensor *loss_of(sora_trainer *t, const sora_batch *batch, uint64_t step, uint32_t part, sora_tensor *terms[6]) {
    sorai_exec *x = &t->exec;
    const sorai_vae *vae = t->net;
    sora_tensor *video = sorai_trainer_video(t, batch->video), *logvar = NULL;
    sora_tensor *mean = sorai_vae_encode(x, vae, NULL, video, &logvar);
    if (!mean)
        return NULL;
    sora_tensor *noise = sorai_trainer_noise(t, mean->rank, mean->shape, t->recipe.seed, sorai_rng_stream("vae") + step * 1024 + part);
    sora_tensor *deviation = sorai_exp(x, sorai_axpby(x, 0.5, logvar, 0.0, NULL));
    sora_tensor *z = sorai_add(x, mean, sorai_mul(x, deviation, noise));
    sora_tensor *loss = reconstruction(t, sorai_vae_decode(x, vae, NULL, z), video, terms);
    if (t->recipe.vae.kl > 0.0) {
        terms[3] = sorai_kl(x, mean, logvar);
        loss = sorai_axpby(x, 1.0, loss, t->recipe.vae.kl, terms[3]);
    }
    return loss;
}

static sora_tensor *round_trip(sora_trainer *t, sora_tensor *video) {
    return sorai_vae_decode(&t->exec, t->net, NULL, sorai_vae_encode(&t->exec, t->net, NULL, video, NULL));
}

/* Mean squared error of the round trip in units of the pixel range -1..1: PSNR = 10 log10(4 / loss). */
static int evaluate(sora_trainer *t, const sora_batch *batch, double noise, uint64_t seed, float *losses, sora_error *err) {
    (void)noise;
    (void)seed;
    const sora_tensor *all = batch->video;
    const int64_t frames = all->shape[1] * all->shape[2] * all->shape[3] * 3;
    for (uint32_t i = 0; i < batch->count; i++) {
        const sorai_exec_mark mark = sorai_exec_here(&t->exec);
        sora_tensor one = *all;
        one.shape[0] = 1;
        one.data = (uint8_t *)all->data + (int64_t)i * frames;
        sora_tensor *video = sorai_trainer_video(t, &one);
        sora_tensor *made = sorai_clamp(&t->exec, round_trip(t, video), -1.0, 1.0);
        sora_tensor *loss = sorai_mse(&t->exec, made, video, NULL);
        if (loss)
            sorai_download(&t->exec, loss, &losses[i]);
        sorai_exec_rewind(&t->exec, mark);
    }
    return sorai_exec_finish(&t->exec, err);
}

static int apply(sora_trainer *t, const sora_tensor *video, sora_tensor **out, sora_error *err) {
    return sorai_trainer_bytes(t, round_trip(t, sorai_trainer_video(t, video)), out, err);
}

static int put_numbers(json_t *config, const char *name, const double *values, int32_t count) {
    json_t *list = json_array();
    for (int32_t i = 0; list && i < count; i++)
        if (json_array_append_new(list, json_real(values[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list ? json_object_set_new(config, name, list) : -1;
}

/* Mean and deviation of each latent channel over batches of the host's data, into the config: the transformer sees normalised latents. */
static int finish(sora_trainer *t, sora_error *err) {
    const sorai_vae *vae = t->net;
    const sorai_store *store = &t->parts[0].store;
    int moving = 0;
    for (size_t i = 0; i < store->count; i++)
        moving |= store->params[i]->trainable && strncmp(store->params[i]->name, "encoder.", 8) == 0;
    if (!moving && json_object_get(t->parts[0].config, "latents_mean"))
        return SORA_OK;
    const int32_t z = vae->config.z_dim;
    double sum[SORAI_VAE_MAX_Z] = {0}, squares[SORAI_VAE_MAX_Z] = {0}, count = 0;
    if (!t->batch)
        return SORA_OK;
    for (uint64_t i = 0; i < MEASURE_BATCHES; i++) {
        sora_batch batch;
        SORA_TRY(sorai_trainer_batch(t, SORAI_TRAIN_MEASURE_STEP + i, 0, &batch, err));
        const sorai_exec_mark mark = sorai_exec_here(&t->exec);
        sora_tensor *mean = sorai_vae_encode(&t->exec, vae, NULL, sorai_trainer_video(t, batch.video), NULL);
        const int64_t n = mean ? sorai_tensor_count(mean) : 0;
        float *values = sorai_alloc(t->mem, (size_t)n * sizeof *values);
        if (!values)
            return sorai_fail(err, SORA_E_NOMEM, "no memory to measure latents");
        if (mean)
            sorai_download(&t->exec, mean, values);
        for (int64_t k = 0; k < n; k++) {
            sum[k % z] += (double)values[k];
            squares[k % z] += (double)values[k] * (double)values[k];
        }
        count += (double)(n / z);
        sorai_free(t->mem, values);
        sorai_exec_rewind(&t->exec, mark);
        SORA_TRY(sorai_exec_finish(&t->exec, err));
    }
    for (int32_t k = 0; k < z; k++) {
        sum[k] /= count;
        const double variance = squares[k] / count - sum[k] * sum[k];
        squares[k] = variance > 1e-8 ? sqrt(variance) : 1e-4;
    }
    json_t *config = t->parts[0].config;
    if (put_numbers(config, "latents_mean", sum, z) != 0 || put_numbers(config, "latents_std", squares, z) != 0)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the config");
    return SORA_OK;
}

const sorai_train_ops sorai_train_vae = {bind, loss_of, evaluate, apply, finish, release};
