/* LTX-Video: transformer and autoencoder. Its text encoder is checked with the others. */
#include "lib/ltx/ltx.h"

#include "lib/dit/dit.h" /* layout conversions */
#include "lib/model/config.h"
#include "parity.h"

static int config(json_t *json, void *out, sora_error *err) { return sorai_config_ltx(json, out, err); }

static int bind(void *net, sorai_store *store, const void *config, sora_error *err) {
    return sorai_ltx_bind(net, store, config, err);
}

static void release(void *net) { sorai_ltx_release(net); }

static sora_tensor *velocity(parity_case *c, sorai_exec *x, const sorai_ltx *ltx) {
    const sora_tensor *latent = parity_in(c, "latent", 1), *times = parity_in(c, "timestep", 1);
    const sora_tensor *lengths = parity_in(c, "lengths", 0), *given = parity_in(c, "scale", 0);
    sorai_ltx_places places = {0};
    if (!latent || !times) return NULL;
    for (int i = 0; given && i < 3; i++) places.scale[i] = (double)((const float *)given->data)[i];
    const int64_t groups = sorai_tensor_count(times) / latent->shape[0];
    const sorai_ltx_prompt *prompt =
        sorai_ltx_prepare(x, ltx, parity_give(c, x, "text", 0), lengths ? lengths->data : NULL);
    return sorai_ltx_forward(x, ltx, parity_give(c, x, "latent", 1), times->data, groups, given ? &places : NULL, prompt, NULL);
}

static int run(parity_case *c, sorai_exec *x, void *net, parity_output *out) {
    out[0] = (parity_output){"velocity", sorai_dit_to_planes(x, velocity(c, x, net))};
    return 1;
}

static int loss(parity_case *c, sorai_exec *x, void *net, int i, parity_output *out) {
    if (i) return 0;
    *out = (parity_output){"loss", sorai_mse(x, velocity(c, x, net), parity_give(c, x, "target", 1), NULL)};
    return 1;
}

static int vae_config(json_t *json, void *out, sora_error *err) { return sorai_config_ltx_vae(json, out, err); }

static int vae_bind(void *net, sorai_store *store, const void *config, sora_error *err) {
    return sorai_ltx_vae_bind(net, store, config, err);
}

static sora_tensor *decode(parity_case *c, sorai_exec *x, const sorai_ltx_vae *vae) {
    const sora_tensor *times = parity_in(c, "decode_timestep", 0);
    sora_tensor *latent = sorai_ltx_vae_denormalize(x, vae, parity_give(c, x, "z", 1));
    return sorai_ltx_vae_decode(x, vae, latent, times ? times->data : NULL, NULL);
}

static int vae_run(parity_case *c, sorai_exec *x, void *net, parity_output *out) {
    sora_tensor *logvar = NULL, *mean = sorai_ltx_vae_encode(x, net, parity_give(c, x, "video", 1), &logvar);
    out[0] = (parity_output){"mean", sorai_dit_to_planes(x, mean)};
    out[1] = (parity_output){"logvar", sorai_dit_to_planes(x, logvar)};
    out[2] = (parity_output){"latent_out", sorai_dit_to_planes(x, sorai_ltx_vae_normalize(x, net, mean))};
    out[3] = (parity_output){"raw", sorai_dit_to_planes(x, decode(c, x, net))};
    return 4;
}

static int vae_loss(parity_case *c, sorai_exec *x, void *net, int i, parity_output *out) {
    if (i > 1) return 0;
    if (i == 0) {
        sora_tensor *mean = sorai_ltx_vae_encode(x, net, parity_give(c, x, "video", 1), NULL);
        *out = (parity_output){"encode_loss", sorai_mse(x, mean, parity_give(c, x, "target_mean", 1), NULL)};
    } else {
        *out = (parity_output){"decode_loss", sorai_mse(x, decode(c, x, net), parity_give(c, x, "target", 1), NULL)};
    }
    return 1;
}

void parity_ltx(parity *p) {
    static const parity_net transformer = {.part = "transformer",
                                           .weights = "diffusion_pytorch_model.safetensors",
                                           .mark = "velocity",
                                           .net_size = sizeof(sorai_ltx),
                                           .config_size = sizeof(sorai_ltx_config),
                                           .bf16 = PARITY_BF16_TRANSFORMER,
                                           .i8 = PARITY_I8,
                                           .config = config,
                                           .bind = bind,
                                           .release = release,
                                           .run = run,
                                           .loss = loss};
    static const parity_net vae = {.part = "vae",
                                   .weights = "diffusion_pytorch_model.safetensors",
                                   .mark = "raw",
                                   .net_size = sizeof(sorai_ltx_vae),
                                   .config_size = sizeof(sorai_ltx_vae_config),
                                   .bf16 = PARITY_BF16,
                                   .config = vae_config,
                                   .bind = vae_bind,
                                   .run = vae_run,
                                   .loss = vae_loss};
    static const char *const folders[] = {"ltx", "ltxodd"};
    for (int i = 0; i < 2; i++) {
        parity_network(p, &transformer, folders[i]);
        parity_network(p, &vae, folders[i]);
    }
    parity_network(p, &vae, "ltx095"); /* blocks that join channels */
}
