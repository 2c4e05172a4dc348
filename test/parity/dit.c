#include "lib/dit/dit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/model/config.h"
#include "parity.h"

typedef struct inputs {
    sora_tensor *latent, *timestep, *text, *image, *velocity;
} inputs;

static int read_inputs(parity *p, const parity_part *part, const char *name, inputs *in) {
    in->latent = parity_tensor(p, part, name, "latent", 1);
    in->timestep = parity_tensor(p, part, name, "timestep", 1);
    in->text = parity_tensor(p, part, name, "text", 1);
    in->image = parity_tensor(p, part, name, "image_embeds", 0);
    in->velocity = parity_tensor(p, part, name, "velocity", 1);
    return in->latent && in->timestep && in->text && in->velocity;
}

static void free_inputs(inputs *in) {
    sorai_tensor_unref(&in->latent);
    sorai_tensor_unref(&in->timestep);
    sorai_tensor_unref(&in->text);
    sorai_tensor_unref(&in->image);
    sorai_tensor_unref(&in->velocity);
}

static sora_tensor *run(sorai_exec *x, const sorai_dit *dit, const inputs *in) {
    sorai_dit_prompt *prompt = sorai_dit_prepare(x, dit, parity_upload(x, in->text), parity_upload(x, in->image));
    const int64_t groups = sorai_tensor_count(in->timestep) / in->latent->shape[0];
    return sorai_dit_forward(x, dit, sorai_dit_from_planes(x, parity_upload(x, in->latent)), in->timestep->data, groups, prompt);
}

static void forward(parity *p, const parity_part *part, const sorai_dit *dit, const char *name, int32_t product, double limit) {
    inputs in = {0};
    sorai_exec x;
    sora_error err = {0};
    char what[128];
    snprintf(what, sizeof what, "%.60s velocity %s", name, product == SORA_DTYPE_F32 ? "f32" : "bf16");
    if (!read_inputs(p, part, name, &in) || sorai_exec_init(&x, p->device, &p->context->mem, product, &err) != SORA_OK) {
        parity_fail(p, what, "could not begin");
    } else {
        parity_check(p, &x, what, sorai_dit_to_planes(&x, run(&x, dit, &in)), in.velocity, limit);
        sorai_exec_release(&x);
    }
    free_inputs(&in);
}

typedef struct probe {
    const parity_part *part;
    const sorai_dit *dit;
    const char *name;
} probe;

static double error_of(parity *p, void *user) {
    const probe *u = user;
    inputs in = {0};
    sorai_exec x = {0};
    double error = -1.0;
    if (read_inputs(p, u->part, u->name, &in) && sorai_exec_init(&x, p->device, &p->context->mem, SORA_DTYPE_F32, NULL) == SORA_OK)
        error = parity_error(p, &x, sorai_dit_to_planes(&x, run(&x, u->dit, &in)), in.velocity);
    sorai_exec_release(&x);
    free_inputs(&in);
    return error;
}

static void gradients(parity *p, const parity_part *part, const sorai_dit_config *config, const char *name) {
    inputs in = {0};
    sora_tensor *target = parity_tensor(p, part, name, "target", 1), *want = parity_tensor(p, part, name, "loss", 1);
    sorai_store store;
    sorai_dit dit = {0};
    sorai_exec x = {0};
    sora_error err = {0};
    char what[128];
    parity_store(p, &store, part, 1);
    if (!read_inputs(p, part, name, &in) || sorai_dit_bind(&dit, &store, config, &err) != SORA_OK ||
        sorai_exec_init(&x, p->device, &p->context->mem, SORA_DTYPE_F32, &err) != SORA_OK) {
        parity_fail(p, name, err.message);
    } else {
        sorai_tape tape = {0};
        sorai_store_zero_grad(&store);
        x.tape = &tape;
        sora_tensor *loss = sorai_mse(&x, run(&x, &dit, &in), sorai_dit_from_planes(&x, parity_upload(&x, target)), NULL);
        snprintf(what, sizeof what, "%.60s loss", name);
        parity_check(p, &x, what, loss, want, 1e-9);
        sorai_tape_backward(&x, &tape, loss, 1.0);
        snprintf(what, sizeof what, "%.60s gradients", name);
        parity_gradients(p, &x, what, part, name, &store, PARITY_GRAD);
    }
    sorai_exec_release(&x);
    sorai_dit_release(&dit);
    sorai_store_release(&store);
    free_inputs(&in);
    sorai_tensor_unref(&target);
    sorai_tensor_unref(&want);
}

static void model(parity *p, const char *folder) {
    parity_part part;
    char names[PARITY_MAX_CASES][64];
    sora_error err = {0};
    sorai_dit_config config;
    sorai_store store;
    sorai_dit dit = {0};
    if (parity_open(p, &part, folder, "transformer", "diffusion_pytorch_model.safetensors") != SORA_OK)
        return;
    parity_store(p, &store, &part, 0);
    if (sorai_config_dit(part.config, &config, &err) != SORA_OK || sorai_dit_bind(&dit, &store, &config, &err) != SORA_OK) {
        parity_fail(p, "bind", err.message);
    } else {
        if (store.count != sorai_safetensors_table(part.weights)->count)
            parity_fail(p, "bind", "not all tensors of the file are used");
        const int n = parity_cases(&part, "velocity", names);
        for (int i = 0; i < n; i++) {
            forward(p, &part, &dit, names[i], SORA_DTYPE_F32, PARITY_F32);
            forward(p, &part, &dit, names[i], SORA_DTYPE_BF16, PARITY_BF16_TRANSFORMER);
        }
        probe u = {&part, &dit, names[0]};
        if (strcmp(p->backend, "cpu") == 0)
            parity_sensitivity(p, &store, error_of, &u, PARITY_F32);
        const int g = parity_cases(&part, "target", names);
        for (int i = 0; i < g; i++)
            gradients(p, &part, &config, names[i]);
        if (n == 0)
            parity_fail(p, "cases", "there are none");
    }
    sorai_dit_release(&dit);
    sorai_store_release(&store);
    parity_close(&part);
}

void parity_transformers(parity *p) {
    model(p, "tiny21");
    model(p, "oddpatch");
    model(p, "wide");
    model(p, "image");
    model(p, "ends");
}
