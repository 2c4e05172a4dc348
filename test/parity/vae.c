#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dit/dit.h" /* layout conversions */
#include "lib/model/config.h"
#include "lib/vae/vae.h"
#include "parity.h"

static sora_tensor *video_of(sorai_exec *x, const sora_tensor *planes) {
    return sorai_dit_from_planes(x, parity_upload(x, planes));
}

static void forward(parity *p, const parity_part *part, const sorai_vae *vae, const char *name, int32_t product, double limit) {
    sora_tensor *video = parity_tensor(p, part, name, "video", 1), *mean = parity_tensor(p, part, name, "mean", 1);
    sora_tensor *logvar = parity_tensor(p, part, name, "logvar", 1), *latent = parity_tensor(p, part, name, "latent", 1);
    sora_tensor *z = parity_tensor(p, part, name, "z", 1), *raw = parity_tensor(p, part, name, "raw", 1);
    char what[128];
    const char *kind = product == SORA_DTYPE_F32 ? "f32" : "bf16";
    sorai_exec x;
    sora_error err = {0};
    if (sorai_exec_init(&x, p->device, &p->context->mem, product, &err) != SORA_OK) {
        parity_fail(p, name, err.message);
    } else {
        sora_tensor *lv = NULL, *m = sorai_vae_encode(&x, vae, NULL, video_of(&x, video), &lv);
        snprintf(what, sizeof what, "%.60s encode %s mean", name, kind);
        parity_check(p, &x, what, sorai_dit_to_planes(&x, m), mean, limit);
        snprintf(what, sizeof what, "%.60s encode %s logvar", name, kind);
        parity_check(p, &x, what, sorai_dit_to_planes(&x, lv), logvar, limit);
        snprintf(what, sizeof what, "%.60s encode %s normalised", name, kind);
        parity_check(p, &x, what, sorai_dit_to_planes(&x, sorai_vae_normalize(&x, vae, m)), latent, limit);
        sora_tensor *d = sorai_vae_decode(&x, vae, NULL, sorai_vae_denormalize(&x, vae, video_of(&x, z)));
        snprintf(what, sizeof what, "%.60s decode %s", name, kind);
        parity_check(p, &x, what, sorai_dit_to_planes(&x, d), raw, limit);
    }
    sorai_exec_release(&x);
    sorai_tensor_unref(&video);
    sorai_tensor_unref(&mean);
    sorai_tensor_unref(&logvar);
    sorai_tensor_unref(&latent);
    sorai_tensor_unref(&z);
    sorai_tensor_unref(&raw);
}

/* Pieces against the whole: latent frames one by one (and in pairs, and split further), frames in chunks of one time factor. */
static void streamed(parity *p, const parity_part *part, const sorai_vae *vae, const char *name) {
    sora_tensor *video = parity_tensor(p, part, name, "video", 1), *z = parity_tensor(p, part, name, "z", 1);
    const int32_t time = sorai_vae_time_factor(&vae->config);
    char what[128];
    sorai_exec x;
    sora_error err = {0};
    sorai_vae_stream *stream = calloc(1, sizeof *stream);
    if (!stream || !video || !z || sorai_exec_init(&x, p->device, &p->context->mem, SORA_DTYPE_F32, &err) != SORA_OK) {
        parity_fail(p, name, "could not begin");
        free(stream);
        return;
    }
    sora_tensor *latent = video_of(&x, z), *clip = video_of(&x, video);
    sora_tensor *whole = sorai_vae_decode(&x, vae, NULL, latent), *lv = NULL, *mean = sorai_vae_encode(&x, vae, NULL, clip, &lv);
    for (int mode = 0; whole && mode < 3; mode++) {
        const int64_t step = mode == 1 ? 2 : 1, t = latent->shape[1];
        sora_tensor *parts[64];
        int32_t n = 0;
        sorai_vae_stream_begin(stream, &p->context->mem);
        stream->split_bytes = mode == 2 ? 1 : 0;
        for (int64_t f = 0; f < t && n < 64; f += step)
            parts[n++] = sorai_vae_decode(&x, vae, stream, sorai_slice(&x, latent, 1, f, f + step < t ? f + step : t));
        sora_tensor *all = sorai_concat(&x, parts, n, 1);
        snprintf(what, sizeof what, "%.60s decode in pieces, way %d", name, mode);
        float *host = malloc(sorai_tensor_bytes(whole));
        if (parity_finish(p, &x, what) == SORA_OK && host && sorai_download(&x, whole, host) == SORA_OK) {
            sora_tensor view = *whole;
            view.data = host;
            parity_check(p, &x, what, all, &view, 1e-12);
        }
        free(host);
    }
    if (mean) {
        sora_tensor *parts[64];
        int32_t n = 0;
        sorai_vae_stream_begin(stream, &p->context->mem);
        for (int64_t f = 0; f < clip->shape[1] && n < 64; f += f ? time : 1)
            parts[n++] = sorai_vae_encode(&x, vae, stream, sorai_slice(&x, clip, 1, f, f ? f + time : 1), NULL);
        sora_tensor *all = sorai_concat(&x, parts, n, 1);
        snprintf(what, sizeof what, "%.60s encode in pieces", name);
        float *host = malloc(sorai_tensor_bytes(mean));
        if (parity_finish(p, &x, what) == SORA_OK && host && sorai_download(&x, mean, host) == SORA_OK) {
            sora_tensor view = *mean;
            view.data = host;
            parity_check(p, &x, what, all, &view, 1e-12);
        }
        free(host);
    }
    sorai_vae_stream_release(stream);
    free(stream);
    sorai_exec_release(&x);
    sorai_tensor_unref(&video);
    sorai_tensor_unref(&z);
}

typedef struct probe {
    const parity_part *part;
    const sorai_vae *vae;
    const char *name;
} probe;

/* Encoder and decoder together: the errors of both are added. */
static double error_of(parity *p, void *user) {
    const probe *u = user;
    sora_tensor *video = parity_tensor(p, u->part, u->name, "video", 1), *mean = parity_tensor(p, u->part, u->name, "mean", 1);
    sora_tensor *logvar = parity_tensor(p, u->part, u->name, "logvar", 1);
    sora_tensor *z = parity_tensor(p, u->part, u->name, "z", 1), *raw = parity_tensor(p, u->part, u->name, "raw", 1), *lv = NULL;
    sorai_exec x = {0};
    double error = -1.0;
    if (video && mean && logvar && z && raw && sorai_exec_init(&x, p->device, &p->context->mem, SORA_DTYPE_F32, NULL) == SORA_OK) {
        sora_tensor *m = sorai_vae_encode(&x, u->vae, NULL, video_of(&x, video), &lv);
        error = parity_error(p, &x, sorai_dit_to_planes(&x, m), mean) + parity_error(p, &x, sorai_dit_to_planes(&x, lv), logvar);
        m = sorai_vae_decode(&x, u->vae, NULL, sorai_vae_denormalize(&x, u->vae, video_of(&x, z)));
        error += parity_error(p, &x, sorai_dit_to_planes(&x, m), raw);
    }
    sorai_exec_release(&x);
    sorai_tensor_unref(&video);
    sorai_tensor_unref(&mean);
    sorai_tensor_unref(&logvar);
    sorai_tensor_unref(&z);
    sorai_tensor_unref(&raw);
    return error;
}

static void gradients(parity *p, const parity_part *part, const sorai_vae_config *config, const char *name) {
    sora_tensor *video = parity_tensor(p, part, name, "video", 1), *z = parity_tensor(p, part, name, "z", 1);
    sora_tensor *tm = parity_tensor(p, part, name, "target_mean", 1), *tl = parity_tensor(p, part, name, "target_logvar", 1);
    sora_tensor *target = parity_tensor(p, part, name, "target", 1);
    sora_tensor *el = parity_tensor(p, part, name, "encode_loss", 1), *dl = parity_tensor(p, part, name, "decode_loss", 1);
    char what[128];
    sorai_store store;
    sorai_vae vae;
    sorai_exec x;
    sora_error err = {0};
    parity_store(p, &store, part, 1);
    if (sorai_vae_bind(&vae, &store, config, SORAI_VAE_ENCODER | SORAI_VAE_DECODER, &err) != SORA_OK ||
        sorai_exec_init(&x, p->device, &p->context->mem, SORA_DTYPE_F32, &err) != SORA_OK) {
        parity_fail(p, name, err.message);
        sorai_store_release(&store);
        return;
    }
    sorai_tape tape = {0};
    sorai_store_zero_grad(&store);
    x.tape = &tape;
    sora_tensor *lv = NULL, *mean = sorai_vae_encode(&x, &vae, NULL, video_of(&x, video), &lv);
    sora_tensor *loss = sorai_axpby(&x, 1.0, sorai_mse(&x, mean, video_of(&x, tm), NULL), 0.5, sorai_mse(&x, lv, video_of(&x, tl), NULL));
    snprintf(what, sizeof what, "%.60s encode loss", name);
    parity_check(p, &x, what, loss, el, 1e-9);
    sorai_tape_backward(&x, &tape, loss, 1.0);
    /* The decoder takes part in the second loss only, so both may add up in one store. */
    sorai_tape second = {0};
    x.tape = &second;
    sora_tensor *d = sorai_vae_decode(&x, &vae, NULL, sorai_vae_denormalize(&x, &vae, video_of(&x, z)));
    loss = sorai_mse(&x, d, video_of(&x, target), NULL);
    snprintf(what, sizeof what, "%.60s decode loss", name);
    parity_check(p, &x, what, loss, dl, 1e-9);
    sorai_tape_backward(&x, &second, loss, 1.0);
    snprintf(what, sizeof what, "%.60s gradients", name);
    parity_gradients(p, &x, what, part, name, &store, PARITY_GRAD);
    sorai_exec_release(&x);
    sorai_store_release(&store);
    sorai_tensor_unref(&video);
    sorai_tensor_unref(&z);
    sorai_tensor_unref(&tm);
    sorai_tensor_unref(&tl);
    sorai_tensor_unref(&target);
    sorai_tensor_unref(&el);
    sorai_tensor_unref(&dl);
}

static void model(parity *p, const char *folder) {
    parity_part part;
    char names[PARITY_MAX_CASES][64];
    sora_error err = {0};
    sorai_vae_config config;
    sorai_store store;
    sorai_vae vae;
    if (parity_open(p, &part, folder, "vae", "diffusion_pytorch_model.safetensors") != SORA_OK)
        return;
    parity_store(p, &store, &part, 0);
    if (sorai_config_vae(part.config, &config, &err) != SORA_OK ||
        sorai_vae_bind(&vae, &store, &config, SORAI_VAE_ENCODER | SORAI_VAE_DECODER, &err) != SORA_OK) {
        parity_fail(p, "bind", err.message);
    } else {
        if (store.count != sorai_safetensors_table(part.weights)->count)
            parity_fail(p, "bind", "not all tensors of the file are used");
        const int n = parity_cases(&part, "raw", names);
        for (int i = 0; i < n; i++) {
            forward(p, &part, &vae, names[i], SORA_DTYPE_F32, PARITY_F32);
            forward(p, &part, &vae, names[i], SORA_DTYPE_BF16, PARITY_BF16);
            streamed(p, &part, &vae, names[i]);
        }
        probe u = {&part, &vae, names[0]};
        if (strcmp(p->backend, "cpu") == 0)
            parity_sensitivity(p, &store, error_of, &u, PARITY_F32);
        const int g = parity_cases(&part, "target", names);
        for (int i = 0; i < g; i++)
            gradients(p, &part, &config, names[i]);
        if (n == 0 || g == 0)
            parity_fail(p, "cases", "there are none");
    }
    sorai_store_release(&store);
    parity_close(&part);
}

void parity_autoencoders(parity *p) {
    model(p, "tiny21");
    model(p, "attention21");
    model(p, "tiny22");
    model(p, "early22");
}
