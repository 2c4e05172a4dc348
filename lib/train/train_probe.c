/* Training of the attribute probe: one cross-entropy per attribute. */
#include <math.h>

#include "lib/model/config.h"
#include "lib/train/trainer.h"

static int bind(sora_trainer *t, sora_error *err) {
    sorai_trained_part *part;
    sorai_probe_config config;
    SORA_TRY(sorai_trainer_add_part(t, "probe", "probe", &part, err));
    SORA_TRY(sorai_config_probe(part->config, &config, err));
    sorai_probe *probe = sorai_calloc(t->mem, 1, sizeof *probe);
    if (!probe)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the probe");
    t->net = probe;
    return sorai_probe_bind(probe, &part->store, &config, err);
}

static void release(sora_trainer *t) {
    sorai_free(t->mem, t->net);
}

/* The labels of attribute a for all samples. */
static void column(const sora_batch *batch, int32_t attributes, int32_t a, int32_t *out) {
    for (uint32_t i = 0; i < batch->count; i++)
        out[i] = batch->labels[(int64_t)i * attributes + a];
}

static int labels_fit(sora_trainer *t, const sora_batch *batch) {
    const sorai_probe *probe = t->net;
    const int32_t n = probe->config.attributes;
    for (int64_t i = 0; i < (int64_t)batch->count * n; i++)
        if (batch->labels[i] >= probe->config.values[i % n]) {
            sorai_exec_fail(&t->exec, SORA_E_INVALID, "batch: a label of attribute %d is out of range", (int)(i % n));
            return 0;
        }
    return 1;
}

static sora_tensor *loss_of(sora_trainer *t, const sora_batch *batch, uint64_t step, uint32_t part, sora_tensor *terms[6]) {
    (void)step;
    (void)part;
    (void)terms;
    sorai_exec *x = &t->exec;
    const sorai_probe *probe = t->net;
    if (!labels_fit(t, batch))
        return NULL;
    sora_tensor *logits = sorai_probe_forward(x, probe, sorai_trainer_video(t, batch->video), NULL), *loss = NULL;
    int32_t *labels = sorai_calloc(t->mem, batch->count, sizeof *labels);
    if (!labels)
        return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for labels");
    int64_t at = 0;
    for (int32_t a = 0; a < probe->config.attributes; a++) {
        column(batch, probe->config.attributes, a, labels);
        sora_tensor *head = sorai_slice(x, logits, 1, at, at + probe->config.values[a]);
        sora_tensor *one = sorai_cross_entropy(x, head, labels);
        loss = loss ? sorai_add(x, loss, one) : one;
        at += probe->config.values[a];
    }
    sorai_free(t->mem, labels);
    return sorai_axpby(x, 1.0 / (double)probe->config.attributes, loss, 0.0, NULL);
}

/* Logits of a batch on the host; the caller frees. NULL: the exec has failed. */
static float *logits_of(sora_trainer *t, const sora_tensor *video) {
    const sorai_probe *probe = t->net;
    sora_tensor *logits = sorai_probe_forward(&t->exec, probe, sorai_trainer_video(t, video), NULL);
    if (!logits)
        return NULL;
    float *values = sorai_alloc(t->mem, sorai_tensor_bytes(logits));
    if (!values)
        return sorai_exec_fail(&t->exec, SORA_E_NOMEM, "no memory for logits");
    sorai_download(&t->exec, logits, values);
    return values;
}

/* Share of the attributes that are read wrongly. */
static int evaluate(sora_trainer *t, const sora_batch *batch, double noise, uint64_t seed, float *losses, sora_error *err) {
    (void)noise;
    (void)seed;
    const sorai_probe *probe = t->net;
    float *values = labels_fit(t, batch) ? logits_of(t, batch->video) : NULL;
    for (uint32_t i = 0; values && i < batch->count; i++) {
        const float *row = values + (int64_t)i * probe->outputs;
        int32_t wrong = 0, asked = 0;
        for (int32_t a = 0; a < probe->config.attributes; a++) {
            int32_t best = 0;
            for (int32_t k = 1; k < probe->config.values[a]; k++)
                if (row[k] > row[best])
                    best = k;
            const int32_t label = batch->labels[(int64_t)i * probe->config.attributes + a];
            asked += label >= 0;
            wrong += label >= 0 && label != best;
            row += probe->config.values[a];
        }
        losses[i] = asked ? (float)wrong / (float)asked : 0.0f;
    }
    sorai_free(t->mem, values);
    return sorai_exec_finish(&t->exec, err);
}

static int apply(sora_trainer *t, const sora_tensor *video, sora_tensor **out, sora_error *err) {
    const sorai_probe *probe = t->net;
    float *values = logits_of(t, video);
    SORA_TRY(sorai_exec_finish(&t->exec, err));
    const int status = sorai_probe_table(out, t->mem, probe, values, video->shape[0], err);
    sorai_free(t->mem, values);
    return status;
}

const sorai_train_ops sorai_train_probe = {bind, loss_of, evaluate, apply, NULL, release};
