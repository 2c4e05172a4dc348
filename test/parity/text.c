#include "lib/text/t5.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/model/config.h"
#include "parity.h"

static int config(json_t *json, void *out, sora_error *err) { return sorai_config_t5(json, out, err); }

static int bind(void *net, sorai_store *store, const void *config, sora_error *err) {
    return sorai_t5_bind(net, store, config, err);
}

static void release(void *net) { sorai_t5_release(net); }

static sora_tensor *hidden(parity_case *c, sorai_exec *x, const sorai_t5 *t5) {
    const sora_tensor *ids = parity_in(c, "input_ids", 1), *lengths = parity_in(c, "lengths", 1);
    return ids && lengths ? sorai_t5_forward(x, t5, ids->data, lengths->data, ids->shape[0], ids->shape[1]) : NULL;
}

static int run(parity_case *c, sorai_exec *x, void *net, parity_output *out) {
    out[0] = (parity_output){"hidden", hidden(c, x, net)};
    return 1;
}

static int loss(parity_case *c, sorai_exec *x, void *net, int i, parity_output *out) {
    if (i) return 0;
    *out = (parity_output){"loss", sorai_mse(x, hidden(c, x, net), parity_give(c, x, "target", 0), NULL)};
    return 1;
}

/* The same, as the transformer sees it: zeros behind each text. */
static void padded(parity_case *c, void *net) {
    const sora_tensor *lengths = parity_in(c, "lengths", 1), *whole = parity_in(c, "hidden", 1);
    sorai_exec x = {0};
    char what[128];
    snprintf(what, sizeof what, "%.60s padded", c->name);
    if (!lengths || !whole || sorai_exec_init(&x, c->p->device, &c->p->context->mem, SORA_DTYPE_F32, NULL) != SORA_OK) {
        parity_fail(c->p, what, "could not begin");
        return;
    }
    const int64_t b = whole->shape[0], l = whole->shape[1], d = whole->shape[2], rows = l + 3;
    float *want = calloc((size_t)(b * rows * d), sizeof *want);
    for (int64_t i = 0; want && i < b; i++)
        memcpy(want + i * rows * d, (const float *)whole->data + i * l * d,
               (size_t)(((const int32_t *)lengths->data)[i] * d) * sizeof *want);
    sora_tensor view = *whole;
    view.shape[1] = rows;
    view.data = want;
    if (want)
        parity_check(c->p, &x, what, sorai_t5_pad(&x, hidden(c, &x, net), lengths->data, rows), &view, PARITY_F32);
    free(want);
    sorai_exec_release(&x);
}

void parity_texts(parity *p) {
    static const parity_net kind = {.part = "text_encoder",
                                    .weights = "model.safetensors",
                                    .mark = "hidden",
                                    .net_size = sizeof(sorai_t5),
                                    .config_size = sizeof(sorai_t5_config),
                                    .bf16 = PARITY_BF16,
                                    .config = config,
                                    .bind = bind,
                                    .release = release,
                                    .run = run,
                                    .loss = loss,
                                    .extra = padded};
    parity_network(p, &kind, "tiny21");
    parity_network(p, &kind, "ltx"); /* T5: one table of position biases */
}
