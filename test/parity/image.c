#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/model/config.h"
#include "lib/vision/vision.h"
#include "parity.h"

static int config(json_t *json, void *out, sora_error *err) { return sorai_config_vision(json, out, err); }

static int bind(void *net, sorai_store *store, const void *config, sora_error *err) {
    return sorai_vision_bind(net, store, config, err);
}

static void release(void *net) { sorai_vision_release(net); }

static int run(parity_case *c, sorai_exec *x, void *net, parity_output *out) {
    out[0] = (parity_output){"hidden", sorai_vision_forward(x, net, parity_give(c, x, "pixels", 0))};
    return 1;
}

static int loss(parity_case *c, sorai_exec *x, void *net, int i, parity_output *out) {
    if (i) return 0;
    sora_tensor *hidden = sorai_vision_forward(x, net, parity_give(c, x, "pixels", 0));
    *out = (parity_output){"loss", sorai_mse(x, hidden, parity_give(c, x, "target", 0), NULL)};
    return 1;
}

/* From the picture's bytes to pixels, by the folder's own preprocessor_config.json. */
static void prepared(parity_case *c, void *net) {
    const sorai_vision *vision = net;
    const sora_tensor *picture = parity_in(c, "picture", 0), *want = parity_in(c, "pixels", 1);
    sorai_vision_prepare prepare;
    sorai_source *source = NULL;
    sora_tensor *pixels = NULL;
    sora_error err = {0};
    json_t *json = NULL;
    char path[1024], what[128];
    if (!picture || !want) return;
    snprintf(what, sizeof what, "%.60s pixels", c->name);
    snprintf(path, sizeof path, "%s/%.*s/image_processor/preprocessor_config.json", c->p->root,
             (int)strcspn(c->p->model, "/"), c->p->model);
    const int32_t height = (int32_t)picture->shape[0], width = (int32_t)picture->shape[1];
    uint8_t *rgb = malloc((size_t)sorai_tensor_count(picture));
    int status = rgb ? sorai_source_open(&source, &c->p->context->mem, path, &err) : SORA_E_NOMEM;
    if (status == SORA_OK) status = sorai_json_load(&json, source, "config", &err);
    if (status == SORA_OK) status = sorai_config_prepare(json, &prepare, &err);
    for (int64_t i = 0; rgb && i < sorai_tensor_count(picture); i++)
        rgb[i] = (uint8_t)((const int32_t *)picture->data)[i];
    if (status == SORA_OK)
        status = sorai_vision_pixels(&pixels, &c->p->context->mem, &prepare, rgb, width, height,
                                     vision->config.image_size, &err);
    if (status != SORA_OK)
        parity_fail(c->p, what, err.message);
    else
        parity_compare(c->p, what, pixels->data, want->data, sorai_tensor_count(want), 1e-13);
    sorai_tensor_unref(&pixels);
    sorai_source_unref(&source);
    json_decref(json);
    free(rgb);
}

/* Every filter, byte by byte. */
static void resizing(parity *p) {
    char path[1024];
    sora_error err = {0};
    parity_part part = {0};
    int count = 0;
    snprintf(p->model, sizeof p->model, "resize");
    snprintf(path, sizeof path, "%s/resize.cases.safetensors", p->root);
    if (sorai_safetensors_open_path(&part.cases, &p->context->mem, path, &err) != SORA_OK) {
        parity_fail(p, "open", err.message);
        return;
    }
    const sorai_table *table = sorai_safetensors_table(part.cases);
    for (size_t i = 0; i < table->count; i++) {
        const char *slash = strchr(table->items[i].name, '/');
        char name[64] = "";
        int filter;
        if (!slash || strcmp(slash, "/picture") != 0 || slash - table->items[i].name >= 64) continue;
        memcpy(name, table->items[i].name, (size_t)(slash - table->items[i].name));
        sora_tensor *from = parity_tensor(p, &part, name, "picture", 1);
        sora_tensor *want = parity_tensor(p, &part, name, "resized", 1);
        const size_t bytes = want ? sorai_tensor_bytes(want) : 0;
        uint8_t *got = malloc(bytes + 1);
        if (!from || !want || !got || sscanf(name, "%d-", &filter) != 1)
            parity_fail(p, name, "incomplete");
        else if (sorai_resize_rgb(&p->context->mem, from->data, (int32_t)from->shape[1], (int32_t)from->shape[0], got,
                                  (int32_t)want->shape[1], (int32_t)want->shape[0], (enum sorai_filter)filter,
                                  &err) != SORA_OK)
            parity_fail(p, name, err.message);
        else if (memcmp(got, want->data, bytes) != 0)
            parity_fail(p, name, "other bytes than Pillow's");
        else
            p->passed++;
        free(got);
        sorai_tensor_unref(&from);
        sorai_tensor_unref(&want);
        count++;
    }
    if (count < 30) parity_fail(p, "cases", "fewer than there should be");
    sorai_safetensors_close(&part.cases);
}

void parity_images(parity *p) {
    static const parity_net kind = {.part = "image_encoder",
                                    .weights = "model.safetensors",
                                    .mark = "hidden",
                                    .net_size = sizeof(sorai_vision),
                                    .config_size = sizeof(sorai_vision_config),
                                    .bf16 = PARITY_BF16,
                                    .unused = 1,
                                    /* the same number added to all scores of a query */
                                    .blind = "self_attn.k_proj.bias",
                                    .config = config,
                                    .bind = bind,
                                    .release = release,
                                    .run = run,
                                    .loss = loss,
                                    .extra = prepared};
    parity_network(p, &kind, "clip");
    parity_network(p, &kind, "clipquick");
    resizing(p);
}
