/* A model: a package of files and the networks made of it. Read-only for its users; parts are bound when first needed. The public
 * handle sora_model is this struct. */
#ifndef SORAI_MODEL_MODEL_H
#define SORAI_MODEL_MODEL_H

#include <stdatomic.h>

#include "lib/base/lock.h"
#include "lib/io/safetensors.h"
#include "lib/io/tokenizer.h"
#include "lib/model/config.h"

/* What the model's author recommends: from the package's index, under "sora". */
typedef struct sorai_model_defaults {
    const char *name; /* borrowed from the package */
    int32_t text_length, width, height, frames, steps, solver; /* solver: SORA_SAMPLER_* */
    double fps, guidance, shift;
} sorai_model_defaults;

enum sorai_model_net { SORAI_NET_TRANSFORMER, SORAI_NET_ENCODER, SORAI_NET_DECODER, SORAI_NET_TEXT, SORAI_NET_PROBE, SORAI_NET_COUNT };

struct sora_model {
    atomic_int refs;
    sora_context *context;
    void (*context_unref)(sora_context **context);
    sorai_mem *mem;
    sorai_device *device;
    int32_t product;
    sorai_package *package;
    sorai_model_defaults defaults;
    sorai_lock lock; /* of everything below */
    int32_t bound[SORAI_NET_COUNT];
    sorai_store stores[SORAI_NET_COUNT];
    sorai_dit_config dit_config; /* valid when has_dit */
    sorai_vae_config vae_config;
    sorai_t5_config t5_config;
    sorai_probe_config probe_config;
    int32_t has_dit, has_vae, has_t5, has_probe;
    sorai_dit dit;
    sorai_vae encoder, decoder;
    sorai_t5 t5;
    sorai_probe probe;
    sorai_tokenizer *tokenizer;
    char *json; /* sora_model_json */
};

/* Takes over `package` also on failure. The caller sets context afterwards. */
int sorai_model_create(sora_model **out, sorai_mem *mem, sorai_device *device, int32_t product, sorai_package *package, sora_error *err);
void sorai_model_unref(sora_model **model);

/* Binds a network unless it is already. Any thread. */
int sorai_model_need(sora_model *m, enum sorai_model_net net, sora_error *err);
int sorai_model_need_tokenizer(sora_model *m, sora_error *err);

/* Clean-up, ids, truncation to the model's text length. */
int sorai_model_tokenize(sora_model *m, const char *text, size_t length, sorai_ids *out, sora_error *err);

/* describe.c: JSON of everything known, after a check of all files; NULL on failure. The caller frees it with sorai_free. */
char *sorai_model_describe(sora_model *m, sora_error *err);
/* The same of a file of tensors. */
char *sorai_tensors_describe(sorai_mem *mem, const sorai_safetensors *file, const char *path, sora_error *err);
/* convert.c */
int sorai_model_convert(sorai_mem *mem, const char *from, const char *to, int32_t weights, sora_error *err);

/* weights.c: a tensor of a part as weights: int8 rows are multiplied out with their scales. */
int sorai_model_weight(sorai_package *package, sorai_mem *mem, const char *part, const char *name, sora_tensor **out, sora_error *err);

#endif
