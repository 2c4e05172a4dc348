/* The UMT5 text encoder (UMT5EncoderModel in transformers), written once for training and inference. Ids come from a tokenizer; what
 * goes out is [b, rows, d_model]. Only the encoder half of a checkpoint is read. */
#ifndef SORAI_TEXT_T5_H
#define SORAI_TEXT_T5_H

#include "lib/ops/ops.h"

/* The values of the config file, under its names. The feed-forward part is the gated one with tanh GELU ("gated-gelu"). */
typedef struct sorai_t5_config {
    int32_t vocab_size, d_model, d_kv, d_ff, num_layers, num_heads;
    int32_t relative_attention_num_buckets, relative_attention_max_distance;
    double layer_norm_epsilon;
    int32_t shared_bias; /* 0: every layer has a table of position biases (UMT5); 1: the first one's serves all (T5) */
} sorai_t5_config;

int sorai_t5_config_check(const sorai_t5_config *config, sora_error *err); /* SORA_E_FORMAT with the field's name */

typedef struct sorai_t5_layer {
    sorai_param *norm1, *q, *k, *v, *o, *bias;
    sorai_param *norm2, *gate, *up, *down; /* down(gelu(gate h) * up h) */
} sorai_t5_layer;

typedef struct sorai_t5 {
    sorai_t5_config config;
    sorai_mem *mem;
    sorai_param *embed, *norm_out;
    sorai_t5_layer *layers;
} sorai_t5;

/* Binds all parameters under their transformers names. The store must outlive t5. */
int sorai_t5_bind(sorai_t5 *t5, sorai_store *store, const sorai_t5_config *config, sora_error *err);
void sorai_t5_release(sorai_t5 *t5); /* the list of layers; parameters are the store's */

/* ids: b * l host values. lengths: b counts of real tokens (1..l), NULL: all are. Keys past a length are not attended to; the rows
 * past it are computed all the same, as in the reference: use sorai_t5_pad for what a transformer is to see. -> [b, l, d_model]. */
sora_tensor *sorai_t5_forward(sorai_exec *x, const sorai_t5 *t5, const int32_t *ids, const int32_t *lengths, int64_t b, int64_t l);
/* [b, l, d] -> [b, rows, d] with zeros in all rows past each length (rows >= l). */
sora_tensor *sorai_t5_pad(sorai_exec *x, sora_tensor *hidden, const int32_t *lengths, int64_t rows);

/* The bucket of a distance key - query. */
int32_t sorai_t5_bucket(int64_t distance, int32_t buckets, int32_t max_distance);

#endif
