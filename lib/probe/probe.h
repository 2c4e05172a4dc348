/* The attribute probe: a small video classifier with one head per attribute (subject, place, action ...), trained on rendered clips. It
 * judges what models make: `sora eval`. Convolutions, then means over all places: a plain one, and some that
 * look for what matters, since a subject fills a small part of the picture. So frames of any number and size go in. */
#ifndef SORAI_PROBE_PROBE_H
#define SORAI_PROBE_PROBE_H

#include "lib/ops/ops.h"

#define SORAI_PROBE_STAGES 4
#define SORAI_PROBE_LOOKS 8 /* weighted means */
#define SORAI_PROBE_MAX_ATTRIBUTES 32

typedef struct sorai_probe_config {
    int32_t width;                                 /* channels of the first stage; doubled by each */
    int32_t attributes;
    int32_t values[SORAI_PROBE_MAX_ATTRIBUTES];    /* of each attribute */
} sorai_probe_config;

typedef struct sorai_probe {
    sorai_probe_config config;
    int32_t features, outputs; /* width of the last stage; sum of values */
    struct {
        sorai_param *down_w, *down_b;            /* halves the picture, doubles the channels */
        sorai_param *norm1, *conv1_w, *conv1_b;  /* residual block */
        sorai_param *norm2, *conv2_w, *conv2_b;
    } stage[SORAI_PROBE_STAGES];
    sorai_param *look_w; /* of the places, for each weighted mean */
    sorai_param *norm, *hidden_w, *hidden_b, *head_w, *head_b;
} sorai_probe;

int sorai_probe_bind(sorai_probe *probe, sorai_store *store, const sorai_probe_config *config, sora_error *err);

/* video [b, t, h, w, 3] in -1..1 -> logits [b, outputs]: the heads side by side; *features (may be NULL) gets [b, features]: what
 * distances between sets of clips are measured in. */
sora_tensor *sorai_probe_forward(sorai_exec *x, const sorai_probe *probe, sora_tensor *video, sora_tensor **features);

/* Host logits [n, outputs] -> a host tensor f32 [n, attributes, most values] of log-probabilities, short rows padded with -infinity. */
int sorai_probe_table(sora_tensor **out, sorai_mem *mem, const sorai_probe *probe, const float *logits, int64_t n, sora_error *err);

#endif
