#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/model/config.h"
#include "lib/text/t5.h"
#include "parity.h"

static void forward(parity *p, const parity_part *part, const sorai_t5 *t5, const char *name, int32_t product, double limit) {
    sora_tensor *ids = parity_tensor(p, part, name, "input_ids", 1), *lengths = parity_tensor(p, part, name, "lengths", 1);
    sora_tensor *hidden = parity_tensor(p, part, name, "hidden", 1);
    sorai_exec x = {0};
    sora_error err = {0};
    char what[128];
    snprintf(what, sizeof what, "%.60s hidden %s", name, product == SORA_DTYPE_F32 ? "f32" : "bf16");
    if (!ids || !lengths || !hidden || sorai_exec_init(&x, p->device, &p->context->mem, product, &err) != SORA_OK) {
        parity_fail(p, what, "could not begin");
    } else {
        const int64_t b = ids->shape[0], l = ids->shape[1], d = hidden->shape[2], rows = l + 3;
        sora_tensor *h = sorai_t5_forward(&x, t5, ids->data, lengths->data, b, l);
        parity_check(p, &x, what, h, hidden, limit);
        /* The same, as the transformer sees it: zeros behind each text. */
        snprintf(what, sizeof what, "%.60s padded", name);
        float *want = calloc((size_t)(b * rows * d), sizeof *want);
        for (int64_t i = 0; want && i < b; i++)
            memcpy(want + i * rows * d, (const float *)hidden->data + i * l * d,
                   (size_t)(((const int32_t *)lengths->data)[i] * d) * sizeof *want);
        sora_tensor view = *hidden;
        view.shape[1] = rows;
        view.data = want;
        if (want)
            parity_check(p, &x, what, sorai_t5_pad(&x, h, lengths->data, rows), &view, limit);
        free(want);
    }
    sorai_exec_release(&x);
    sorai_tensor_unref(&ids);
    sorai_tensor_unref(&lengths);
    sorai_tensor_unref(&hidden);
}

typedef struct probe {
    const parity_part *part;
    const sorai_t5 *t5;
} probe;

static double error_of(parity *p, void *user) {
    const probe *u = user;
    sora_tensor *ids = parity_tensor(p, u->part, "batch", "input_ids", 1), *lengths = parity_tensor(p, u->part, "batch", "lengths", 1);
    sora_tensor *hidden = parity_tensor(p, u->part, "batch", "hidden", 1);
    sorai_exec x = {0};
    double error = -1.0;
    if (ids && lengths && hidden && sorai_exec_init(&x, p->device, &p->context->mem, SORA_DTYPE_F32, NULL) == SORA_OK)
        error = parity_error(p, &x, sorai_t5_forward(&x, u->t5, ids->data, lengths->data, ids->shape[0], ids->shape[1]), hidden);
    sorai_exec_release(&x);
    sorai_tensor_unref(&ids);
    sorai_tensor_unref(&lengths);
    sorai_tensor_unref(&hidden);
    return error;
}

static void gradients(parity *p, const parity_part *part, const sorai_t5_config *config, const char *name) {
    sora_tensor *ids = parity_tensor(p, part, name, "input_ids", 1), *lengths = parity_tensor(p, part, name, "lengths", 1);
    sora_tensor *target = parity_tensor(p, part, name, "target", 1), *want = parity_tensor(p, part, name, "loss", 1);
    sorai_store store;
    sorai_t5 t5 = {0};
    sorai_exec x = {0};
    sora_error err = {0};
    char what[128];
    parity_store(p, &store, part, 1);
    if (!ids || !lengths || sorai_t5_bind(&t5, &store, config, &err) != SORA_OK ||
        sorai_exec_init(&x, p->device, &p->context->mem, SORA_DTYPE_F32, &err) != SORA_OK) {
        parity_fail(p, name, err.message);
    } else {
        sorai_tape tape = {0};
        sorai_store_zero_grad(&store);
        x.tape = &tape;
        sora_tensor *h = sorai_t5_forward(&x, &t5, ids->data, lengths->data, ids->shape[0], ids->shape[1]);
        sora_tensor *loss = sorai_mse(&x, h, parity_upload(&x, target), NULL);
        snprintf(what, sizeof what, "%.60s loss", name);
        parity_check(p, &x, what, loss, want, 1e-9);
        sorai_tape_backward(&x, &tape, loss, 1.0);
        snprintf(what, sizeof what, "%.60s gradients", name);
        parity_gradients(p, &x, what, part, name, &store, PARITY_GRAD);
    }
    sorai_exec_release(&x);
    sorai_t5_release(&t5);
    sorai_store_release(&store);
    sorai_tensor_unref(&ids);
    sorai_tensor_unref(&lengths);
    sorai_tensor_unref(&target);
    sorai_tensor_unref(&want);
}

void parity_texts(parity *p) {
    parity_part part;
    char names[PARITY_MAX_CASES][64];
    sora_error err = {0};
    sorai_t5_config config;
    sorai_store store;
    sorai_t5 t5 = {0};
    if (parity_open(p, &part, "tiny21", "text_encoder", "model.safetensors") != SORA_OK)
        return;
    parity_store(p, &store, &part, 0);
    if (sorai_config_t5(part.config, &config, &err) != SORA_OK || sorai_t5_bind(&t5, &store, &config, &err) != SORA_OK) {
        parity_fail(p, "bind", err.message);
    } else {
        if (store.count != sorai_safetensors_table(part.weights)->count)
            parity_fail(p, "bind", "not all tensors of the file are used");
        const int n = parity_cases(&part, "hidden", names);
        for (int i = 0; i < n; i++) {
            forward(p, &part, &t5, names[i], SORA_DTYPE_F32, PARITY_F32);
            forward(p, &part, &t5, names[i], SORA_DTYPE_BF16, PARITY_BF16);
        }
        probe u = {&part, &t5};
        if (strcmp(p->backend, "cpu") == 0)
            parity_sensitivity(p, &store, error_of, &u, PARITY_F32);
        const int g = parity_cases(&part, "target", names);
        for (int i = 0; i < g; i++)
            gradients(p, &part, &config, names[i]);
        if (n == 0 || g == 0)
            parity_fail(p, "cases", "there are none");
    }
    sorai_t5_release(&t5);
    sorai_store_release(&store);
    parity_close(&part);
}
