#include "lib/dit/dit.h"

#include "lib/model/config.h"
#include "parity.h"

static int config(json_t *json, void *out, sora_error *err) { return sorai_config_dit(json, out, err); }

static int bind(void *net, sorai_store *store, const void *config, sora_error *err) {
    return sorai_dit_bind(net, store, config, err);
}

static void release(void *net) { sorai_dit_release(net); }

static sora_tensor *velocity(parity_case *c, sorai_exec *x, const sorai_dit *dit) {
    const sora_tensor *latent = parity_in(c, "latent", 1), *times = parity_in(c, "timestep", 1);
    const sora_tensor *scale = parity_in(c, "control_scale", 0);
    if (!latent || !times) return NULL;
    const int64_t groups = sorai_tensor_count(times) / latent->shape[0];
    const sorai_dit_control control = {parity_give(c, x, "control", 1), scale ? scale->data : NULL};
    const sorai_dit_prompt *prompt =
        sorai_dit_prepare(x, dit, parity_give(c, x, "text", 0), parity_give(c, x, "image_embeds", 0));
    return sorai_dit_forward_control(x, dit, parity_give(c, x, "latent", 1), dit->config.vace_count ? &control : NULL,
                                     times->data, groups, prompt, NULL);
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

void parity_transformers(parity *p) {
    static const char *const folders[] = {"tiny21", "oddpatch", "wide", "image", "ends", "vace", "vaceodd"};
    static const parity_net kind = {.part = "transformer",
                                    .weights = "diffusion_pytorch_model.safetensors",
                                    .mark = "velocity",
                                    .net_size = sizeof(sorai_dit),
                                    .config_size = sizeof(sorai_dit_config),
                                    .bf16 = PARITY_BF16_TRANSFORMER,
                                    .i8 = PARITY_I8,
                                    .config = config,
                                    .bind = bind,
                                    .release = release,
                                    .run = run,
                                    .loss = loss};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) parity_network(p, &kind, folders[i]);
}
