/* One loop over cases for every kind of network. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dit/dit.h" /* layout conversions */
#include "parity.h"

const sora_tensor *parity_in(parity_case *c, const char *name, int must) {
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->held[i].name, name) == 0) return c->held[i].tensor;
    sora_tensor *t = parity_tensor(c->p, c->part, c->name, name, must);
    if (c->count == (int)(sizeof c->held / sizeof *c->held)) {
        parity_fail(c->p, name, "a case holds too many tensors");
        sorai_tensor_unref(&t);
        return NULL;
    }
    c->held[c->count].name = name;
    c->held[c->count++].tensor = t;
    return t;
}

sora_tensor *parity_give(parity_case *c, sorai_exec *x, const char *name, int planes) {
    sora_tensor *t = parity_upload(x, parity_in(c, name, 0));
    return t && planes ? sorai_dit_from_planes(x, t) : t;
}

void parity_case_end(parity_case *c) {
    for (int i = 0; i < c->count; i++) sorai_tensor_unref(&c->held[i].tensor);
    c->count = 0;
}

static void forward(parity *p, const parity_net *kind, const parity_part *part, void *net, const char *name,
                    int32_t product, double limit) {
    parity_case c = {.p = p, .part = part, .name = name};
    parity_output out[PARITY_MAX_OUTPUTS];
    sorai_exec x = {0};
    sora_error err = {0};
    char what[160];
    if (sorai_exec_init(&x, p->device, &p->context->mem, product, &err) != SORA_OK) {
        parity_fail(p, name, err.message);
        return;
    }
    const int n = kind->run(&c, &x, net, out);
    if (n == 0) parity_fail(p, name, "no output");
    for (int i = 0; i < n; i++) {
        snprintf(what, sizeof what, "%.60s %.40s %s", name, out[i].name, sorai_dtype_name(product));
        parity_check(p, &x, what, out[i].got, parity_in(&c, out[i].name, 1), limit);
    }
    sorai_exec_release(&x);
    parity_case_end(&c);
}

typedef struct probe {
    const parity_net *kind;
    const parity_part *part;
    void *net;
    const char *name;
} probe;

/* The errors of all outputs added. */
static double error_of(parity *p, void *user) {
    const probe *u = user;
    parity_case c = {.p = p, .part = u->part, .name = u->name};
    parity_output out[PARITY_MAX_OUTPUTS];
    sorai_exec x = {0};
    double error = -1.0;
    if (sorai_exec_init(&x, p->device, &p->context->mem, SORA_DTYPE_F32, NULL) == SORA_OK) {
        const int n = u->kind->run(&c, &x, u->net, out);
        error = n ? 0.0 : -1.0;
        for (int i = 0; i < n; i++) error += parity_error(p, &x, out[i].got, parity_in(&c, out[i].name, 1));
    }
    sorai_exec_release(&x);
    parity_case_end(&c);
    return error;
}

static void gradients(parity *p, const parity_net *kind, const parity_part *part, const void *config,
                      const char *name) {
    parity_case c = {.p = p, .part = part, .name = name};
    sorai_store store;
    sorai_exec x = {0};
    sora_error err = {0};
    char what[128];
    void *net = calloc(1, kind->net_size);
    parity_store(p, &store, part, 1);
    if (!net || kind->bind(net, &store, config, &err) != SORA_OK ||
        sorai_exec_init(&x, p->device, &p->context->mem, SORA_DTYPE_F32, &err) != SORA_OK) {
        parity_fail(p, name, err.message);
    } else {
        sorai_store_zero_grad(&store);
        for (int i = 0;; i++) {
            sorai_tape tape = {0};
            parity_output loss;
            x.tape = &tape;
            if (!kind->loss(&c, &x, net, i, &loss)) break;
            snprintf(what, sizeof what, "%.60s %.40s", name, loss.name);
            parity_check(p, &x, what, loss.got, parity_in(&c, loss.name, 1), PARITY_F32);
            sorai_tape_backward(&x, &tape, loss.got, 1.0);
        }
        x.tape = NULL;
        snprintf(what, sizeof what, "%.60s gradients", name);
        parity_gradients(p, &x, what, part, name, &store, kind->blind, PARITY_GRAD);
    }
    sorai_exec_release(&x);
    if (net && kind->release) kind->release(net);
    free(net);
    sorai_store_release(&store);
    parity_case_end(&c);
}

void parity_network(parity *p, const parity_net *kind, const char *folder) {
    parity_part part;
    char names[PARITY_MAX_CASES][64];
    sora_error err = {0};
    sorai_store store;
    void *config = calloc(1, kind->config_size), *net = calloc(1, kind->net_size);
    if (!config || !net || parity_open(p, &part, folder, kind->part, kind->weights) != SORA_OK) {
        free(config);
        free(net);
        return;
    }
    parity_store(p, &store, &part, 0);
    if (kind->config(part.config, config, &err) != SORA_OK || kind->bind(net, &store, config, &err) != SORA_OK) {
        parity_fail(p, "bind", err.message);
    } else {
        if (!kind->unused && store.count != sorai_safetensors_table(part.weights)->count)
            parity_fail(p, "bind", "not all tensors of the file are used");
        const int n = parity_cases(&part, kind->mark, names);
        for (int i = 0; i < n; i++) {
            forward(p, kind, &part, net, names[i], SORA_DTYPE_F32, PARITY_F32);
            forward(p, kind, &part, net, names[i], SORA_DTYPE_BF16, kind->bf16);
            if (kind->i8 > 0.0) forward(p, kind, &part, net, names[i], SORA_DTYPE_I8, kind->i8);
            if (kind->extra) {
                parity_case c = {.p = p, .part = &part, .name = names[i]};
                kind->extra(&c, net);
                parity_case_end(&c);
            }
        }
        probe u = {kind, &part, net, names[0]};
        if (n && strcmp(p->backend, "cpu") == 0) parity_sensitivity(p, &store, error_of, &u, kind->blind, PARITY_F32);
        const int g = kind->loss ? parity_cases(&part, "target", names) : 0;
        for (int i = 0; i < g; i++) gradients(p, kind, &part, config, names[i]);
        if (n == 0) parity_fail(p, "cases", "there are none");
    }
    if (kind->release) kind->release(net);
    sorai_store_release(&store);
    parity_close(&part);
    free(config);
    free(net);
}
