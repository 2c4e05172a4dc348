#include "lib/vae/vae.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/dit/dit.h" /* layout conversions */
#include "lib/model/config.h"
#include "parity.h"

static int config(json_t *json, void *out, sora_error *err) { return sorai_config_vae(json, out, err); }

static int bind(void *net, sorai_store *store, const void *config, sora_error *err) {
    return sorai_vae_bind(net, store, config, SORAI_VAE_ENCODER | SORAI_VAE_DECODER, err);
}

static sora_tensor *decode(parity_case *c, sorai_exec *x, const sorai_vae *vae) {
    return sorai_vae_decode(x, vae, NULL, sorai_vae_denormalize(x, vae, parity_give(c, x, "z", 1)));
}

static int run(parity_case *c, sorai_exec *x, void *net, parity_output *out) {
    sora_tensor *logvar = NULL, *mean = sorai_vae_encode(x, net, NULL, parity_give(c, x, "video", 1), &logvar);
    out[0] = (parity_output){"mean", sorai_dit_to_planes(x, mean)};
    out[1] = (parity_output){"logvar", sorai_dit_to_planes(x, logvar)};
    out[2] = (parity_output){"latent", sorai_dit_to_planes(x, sorai_vae_normalize(x, net, mean))};
    out[3] = (parity_output){"raw", sorai_dit_to_planes(x, decode(c, x, net))};
    return 4;
}

/* The decoder takes part in the second loss only, so both may add up in one store. */
static int loss(parity_case *c, sorai_exec *x, void *net, int i, parity_output *out) {
    if (i > 1) return 0;
    if (i == 0) {
        sora_tensor *logvar = NULL, *mean = sorai_vae_encode(x, net, NULL, parity_give(c, x, "video", 1), &logvar);
        sora_tensor *first = sorai_mse(x, mean, parity_give(c, x, "target_mean", 1), NULL);
        *out = (parity_output){
            "encode_loss",
            sorai_axpby(x, 1.0, first, 0.5, sorai_mse(x, logvar, parity_give(c, x, "target_logvar", 1), NULL))};
    } else {
        *out = (parity_output){"decode_loss", sorai_mse(x, decode(c, x, net), parity_give(c, x, "target", 1), NULL)};
    }
    return 1;
}

static void same(parity *p, sorai_exec *x, const char *what, sora_tensor *pieces, const sora_tensor *whole) {
    float *host = malloc(sorai_tensor_bytes(whole));
    if (parity_finish(p, x, what) == SORA_OK && host && sorai_download(x, whole, host) == SORA_OK) {
        sora_tensor view = *whole;
        view.data = host;
        parity_check(p, x, what, pieces, &view, 1e-12);
    }
    free(host);
}

/* Pieces against the whole: latent frames one by one (and in pairs, and split further), frames in chunks of one time
 * factor. */
static void streamed(parity_case *c, void *net) {
    const sorai_vae *vae = net;
    const int32_t time = sorai_vae_time_factor(&vae->config);
    char what[128];
    sorai_exec x;
    sora_error err = {0};
    sorai_vae_stream *stream = calloc(1, sizeof *stream);
    if (!stream || sorai_exec_init(&x, c->p->device, &c->p->context->mem, SORA_DTYPE_F32, &err) != SORA_OK) {
        parity_fail(c->p, c->name, "could not begin");
        free(stream);
        return;
    }
    sora_tensor *latent = parity_give(c, &x, "z", 1), *clip = parity_give(c, &x, "video", 1), *logvar = NULL;
    sora_tensor *whole = sorai_vae_decode(&x, vae, NULL, latent);
    sora_tensor *mean = sorai_vae_encode(&x, vae, NULL, clip, &logvar), *parts[64];
    for (int mode = 0; whole && mode < 3; mode++) {
        const int64_t step = mode == 1 ? 2 : 1, t = latent->shape[1];
        int32_t n = 0;
        sorai_vae_stream_begin(stream, &c->p->context->mem);
        stream->split_bytes = mode == 2 ? 1 : 0;
        for (int64_t f = 0; f < t && n < 64; f += step)
            parts[n++] = sorai_vae_decode(&x, vae, stream, sorai_slice(&x, latent, 1, f, f + step < t ? f + step : t));
        snprintf(what, sizeof what, "%.60s decode in pieces, way %d", c->name, mode);
        same(c->p, &x, what, sorai_concat(&x, parts, n, 1), whole);
    }
    if (mean) {
        int32_t n = 0;
        sorai_vae_stream_begin(stream, &c->p->context->mem);
        for (int64_t f = 0; f < clip->shape[1] && n < 64; f += f ? time : 1)
            parts[n++] = sorai_vae_encode(&x, vae, stream, sorai_slice(&x, clip, 1, f, f ? f + time : 1), NULL);
        snprintf(what, sizeof what, "%.60s encode in pieces", c->name);
        same(c->p, &x, what, sorai_concat(&x, parts, n, 1), mean);
    }
    if (!whole || !mean) parity_finish(c->p, &x, c->name);
    sorai_vae_stream_release(stream);
    free(stream);
    sorai_exec_release(&x);
}

void parity_autoencoders(parity *p) {
    static const char *const folders[] = {"tiny21", "attention21", "tiny22", "early22", "odd22", "odd21", "late22"};
    static const parity_net kind = {.part = "vae",
                                    .weights = "diffusion_pytorch_model.safetensors",
                                    .mark = "raw",
                                    .net_size = sizeof(sorai_vae),
                                    .config_size = sizeof(sorai_vae_config),
                                    .bf16 = PARITY_BF16,
                                    .config = config,
                                    .bind = bind,
                                    .run = run,
                                    .loss = loss,
                                    .extra = streamed};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) parity_network(p, &kind, folders[i]);
}
