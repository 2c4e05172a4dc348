/* Tiny trainings of every kind: recipes, batches, a folder for their files. For the tests of the trainer. */
#ifndef TEST_UNIT_TRAIN_TINY_H
#define TEST_UNIT_TRAIN_TINY_H

#include <stdint.h>

#include "sora/sora.h"

#define TINY_BATCH 3
#define TINY_ATTRIBUTES 2

extern const char *const tiny_kinds[3]; /* vae, transformer, probe; tiny_try also knows "wide probe" and "fine transformer" */

/* A transformer's recipe without tokenizer and without its closing brace. */
#define TINY_TRANSFORMER_ONLY                                                                                                           \
    "{\"train\":\"transformer\",\"transformer\":{\"patch_size\":[1,2,2],\"num_attention_heads\":2,\"attention_head_dim\":12,"             \
    "\"in_channels\":4,\"out_channels\":4,\"text_dim\":24,\"freq_dim\":32,\"ffn_dim\":40,\"num_layers\":2,\"cross_attn_norm\":true,"      \
    "\"qk_norm\":\"rms_norm_across_heads\",\"eps\":1e-6},\"text_encoder\":{\"model_type\":\"umt5\",\"vocab_size\":400,\"d_model\":24,"    \
    "\"d_kv\":10,\"d_ff\":40,\"num_layers\":1,\"num_heads\":2,\"relative_attention_num_buckets\":32,"                                   \
    "\"relative_attention_max_distance\":128,\"layer_norm_epsilon\":1e-6}"

typedef struct tiny_run {
    sora_context *context;
    sora_trainer *trainer;
    sora_tensor *video;
    const sora_allocator *allocator; /* of the context; NULL: the default */
    const char *captions[TINY_BATCH];
    int32_t labels[TINY_BATCH * TINY_ATTRIBUTES];
    int kind;  /* place in tiny_kinds */
    int fixed; /* every step sees the same batch */
    int stop;  /* for the tests' own callbacks */
    sora_error error;
} tiny_run;

/* Makes and removes the folder; a file in it (valid for the next seven calls). */
void tiny_folder(void);
void tiny_remove(void);
const char *tiny_path(const char *name);

/* A context, a trainer with `fields` (JSON members, each followed by a comma) added to the kind's recipe, and its data. The status; on
 * failure tiny_end still has to be called. */
int tiny_try(tiny_run *r, const char *kind, const char *fields, int threads);
void tiny_begin(tiny_run *r, const char *kind, const char *fields, int threads); /* the same; a failure ends the test */
void tiny_end(tiny_run *r);

/* The data: moving stripes, or waves as latents, with captions and labels that tell what they are. */
int tiny_batch(void *user, uint64_t step, uint32_t part, sora_batch *batch);

#endif
