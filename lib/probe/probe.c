#include "lib/probe/probe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct binder {
    sorai_store *store;
    sora_error *err;
    int status;
} binder;

static sorai_param *get(binder *b, const char *prefix, const char *name, int32_t rank, const int64_t *shape, enum sorai_init init,
                        double scale) {
    sorai_param *p = NULL;
    char full[96];
    if (b->status != SORA_OK)
        return NULL;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    b->status = sorai_store_get(b->store, &p, full, rank, shape, init, scale, b->err);
    return p;
}

static void conv(binder *b, const char *prefix, const char *name, int64_t out, int64_t in, int64_t kt, double gain, sorai_param **w,
                 sorai_param **bias) {
    char full[64];
    snprintf(full, sizeof full, "%s.weight", name);
    *w = get(b, prefix, full, 5, (const int64_t[]){out, in, kt, 3, 3}, SORAI_INIT_FAN_IN, gain);
    snprintf(full, sizeof full, "%s.bias", name);
    *bias = get(b, prefix, full, 1, &out, SORAI_INIT_ZERO, 0);
}

int sorai_probe_bind(sorai_probe *probe, sorai_store *store, const sorai_probe_config *config, sora_error *err) {
    memset(probe, 0, sizeof *probe);
    if (config->width < 8 || config->width > 256 || config->attributes < 1 || config->attributes > SORAI_PROBE_MAX_ATTRIBUTES)
        return sorai_fail(err, SORA_E_FORMAT, "probe: width is 8..256 and attributes 1..%d", SORAI_PROBE_MAX_ATTRIBUTES);
    probe->config = *config;
    for (int32_t i = 0; i < config->attributes; i++) {
        if (config->values[i] < 1 || config->values[i] > 4096)
            return sorai_fail(err, SORA_E_FORMAT, "probe: attribute %d has no fit number of values", (int)i);
        probe->outputs += config->values[i];
    }
    binder b = {store, err, SORA_OK};
    int64_t in = 3, out = config->width;
    for (int s = 0; s < SORAI_PROBE_STAGES; s++) {
        char prefix[32];
        const int64_t kt = s == 0 ? 1 : 3; /* motion is seen from the second stage on */
        snprintf(prefix, sizeof prefix, "stages.%d.", s);
        conv(&b, prefix, "down", out, in, kt, 1.7, &probe->stage[s].down_w, &probe->stage[s].down_b);
        probe->stage[s].norm1 = get(&b, prefix, "norm1.gamma", 1, &out, SORAI_INIT_ONE, 0);
        conv(&b, prefix, "conv1", out, out, kt, 1.7, &probe->stage[s].conv1_w, &probe->stage[s].conv1_b);
        probe->stage[s].norm2 = get(&b, prefix, "norm2.gamma", 1, &out, SORAI_INIT_ONE, 0);
        conv(&b, prefix, "conv2", out, out, kt, 0.5, &probe->stage[s].conv2_w, &probe->stage[s].conv2_b);
        in = out;
        out *= 2;
    }
    probe->features = (int32_t)in;
    const int64_t outputs = probe->outputs;
    probe->norm = get(&b, "", "norm.gamma", 1, &in, SORAI_INIT_ONE, 0);
    probe->look_w = get(&b, "", "look.weight", 2, (const int64_t[]){SORAI_PROBE_LOOKS, in}, SORAI_INIT_FAN_IN, 1.0);
    probe->hidden_w = get(&b, "", "hidden.weight", 2, (const int64_t[]){in, (SORAI_PROBE_LOOKS + 1) * in}, SORAI_INIT_FAN_IN, 1.7);
    probe->hidden_b = get(&b, "", "hidden.bias", 1, &in, SORAI_INIT_ZERO, 0);
    probe->head_w = get(&b, "", "head.weight", 2, (const int64_t[]){outputs, in}, SORAI_INIT_FAN_IN, 1.0);
    probe->head_b = get(&b, "", "head.bias", 1, &outputs, SORAI_INIT_ZERO, 0);
    return b.status;
}

sora_tensor *sorai_probe_forward(sorai_exec *x, const sorai_probe *probe, sora_tensor *video, sora_tensor **features) {
    sora_tensor *h = video;
    for (int s = 0; s < SORAI_PROBE_STAGES && h; s++) {
        const int32_t t = s > 0;
        /* Time is halved once, in the third stage: a stride there keeps the early motion fine. */
        const sorai_conv down = {s == 2 ? 2 : 1, 2, 2, t, t, 1, 1, 1, 1}, same = {1, 1, 1, t, t, 1, 1, 1, 1};
        h = sorai_conv3d(x, h, NULL, probe->stage[s].down_w, probe->stage[s].down_b, &down);
        sora_tensor *r = sorai_channel_norm(x, h, probe->stage[s].norm1, SORAI_ACT_SILU);
        r = sorai_conv3d(x, r, NULL, probe->stage[s].conv1_w, probe->stage[s].conv1_b, &same);
        r = sorai_channel_norm(x, r, probe->stage[s].norm2, SORAI_ACT_SILU);
        r = sorai_conv3d(x, r, NULL, probe->stage[s].conv2_w, probe->stage[s].conv2_b, &same);
        h = sorai_add(x, h, r);
    }
    h = sorai_channel_norm(x, h, probe->norm, SORAI_ACT_SILU);
    if (!h)
        return NULL;
    const int64_t b = h->shape[0], places = h->shape[1] * h->shape[2] * h->shape[3], c = h->shape[4];
    h = sorai_reshape(x, h, 3, (const int64_t[]){b, places, c});
    sora_tensor *const mean = sorai_mean_axis(x, h, 1);
    sora_tensor *const scores = sorai_permute(x, sorai_linear(x, h, probe->look_w, NULL, SORAI_ACT_NONE), (const int32_t[]){0, 2, 1});
    sora_tensor *const looks = sorai_matmul(x, sorai_softmax(x, scores), h, 0, 1.0);
    sora_tensor *parts[2] = {sorai_reshape(x, mean, 2, (const int64_t[]){b, c}),
                             sorai_reshape(x, looks, 2, (const int64_t[]){b, SORAI_PROBE_LOOKS * c})};
    if (features)
        *features = parts[0];
    h = sorai_concat(x, parts, 2, 1);
    h = sorai_linear(x, h, probe->hidden_w, probe->hidden_b, SORAI_ACT_SILU);
    return sorai_linear(x, h, probe->head_w, probe->head_b, SORAI_ACT_NONE);
}

int sorai_probe_table(sora_tensor **out, sorai_mem *mem, const sorai_probe *probe, const float *logits, int64_t n, sora_error *err) {
    const int32_t attributes = probe->config.attributes;
    int32_t most = 1;
    for (int32_t a = 0; a < attributes; a++)
        most = probe->config.values[a] > most ? probe->config.values[a] : most;
    SORA_TRY(sorai_tensor_new(out, mem, SORA_DTYPE_F32, 3, (const int64_t[]){n, attributes, most}, err));
    float *row = (*out)->data;
    for (int64_t i = 0; i < n; i++) {
        for (int32_t a = 0; a < attributes; a++, row += most) {
            const int32_t values = probe->config.values[a];
            double top = (double)logits[0], sum = 0.0;
            for (int32_t k = 1; k < values; k++)
                top = (double)logits[k] > top ? (double)logits[k] : top;
            for (int32_t k = 0; k < values; k++)
                sum += exp((double)logits[k] - top);
            for (int32_t k = 0; k < most; k++)
                row[k] = k < values ? (float)((double)logits[k] - top - log(sum)) : -INFINITY;
            logits += values;
        }
    }
    return SORA_OK;
}
