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
    double guidance_given; /* where clips are gone on from */
    double guidance_until; /* noise level below which steps go without */
    double guidance2;      /* of the second expert; below 0: as the first */
    int32_t given;         /* timesteps of a distilled model; 0: the solver's own */
    float timesteps[64];
    sorai_scheduler_config scheduler; /* of levels that the number of tokens moves, if it has such */
} sorai_model_defaults;

enum sorai_model_net {
    SORAI_NET_TRANSFORMER,
    SORAI_NET_TRANSFORMER_2, /* the expert for timesteps below the boundary */
    SORAI_NET_ENCODER,
    SORAI_NET_DECODER,
    SORAI_NET_TEXT,
    SORAI_NET_IMAGE,
    SORAI_NET_PROBE,
    SORAI_NET_LTX,
    SORAI_NET_LTX_VAE,
    SORAI_NET_COUNT
};

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
    int32_t users[SORAI_NET_COUNT]; /* of the transformers of a model that has two */
    sorai_dit_config dit_config, dit2_config; /* valid when has_dit, has_dit2 */
    sorai_vae_config vae_config;
    sorai_t5_config t5_config;
    sorai_vision_config vision_config;
    sorai_vision_prepare prepare; /* of pictures for the image encoder */
    sorai_probe_config probe_config;
    sorai_ltx_config ltx_config;
    sorai_ltx_vae_config ltx_vae_config;
    int32_t has_ltx, has_ltx_vae;
    int32_t has_dit, has_dit2, has_vae, has_t5, has_vision, has_probe;
    double boundary;          /* timesteps below it are the second transformer's; 0: there is one for all */
    int32_t expand_timesteps; /* a timestep for each token: what is given stands in the latent itself, at its own */
    int32_t keyframes;        /* clips that are given behind the first frame are tokens of their own, at their place in time */
    sorai_dit dit, dit2;
    sorai_vae encoder, decoder;
    sorai_t5 t5;
    sorai_vision vision;
    sorai_probe probe;
    sorai_ltx ltx;
    sorai_ltx_vae ltx_vae;
    sorai_tokenizer *tokenizer;
    char *json; /* sora_model_json */
};

static inline const char *sorai_model_family(const sora_model *m) {
    return m->has_ltx || (m->has_ltx_vae && !m->has_dit) ? "ltx" : "wan";
}

/* Of latents, whatever the family: frames and pixels for each place, channels. Without an autoencoder those of the published ones. */
int32_t sorai_model_time_factor(const sora_model *m);
int32_t sorai_model_space_factor(const sora_model *m);
int32_t sorai_model_latent_channels(const sora_model *m);
/* What the decoder makes of a place, where a config says otherwise than of the encoder. */
int32_t sorai_model_decoded_time(const sora_model *m);
int32_t sorai_model_decoded_space(const sora_model *m);
static inline enum sorai_model_net sorai_model_encoder(const sora_model *m) { return m->has_ltx_vae ? SORAI_NET_LTX_VAE : SORAI_NET_ENCODER; }
static inline enum sorai_model_net sorai_model_decoder(const sora_model *m) { return m->has_ltx_vae ? SORAI_NET_LTX_VAE : SORAI_NET_DECODER; }

/* Takes over `package` also on failure. The caller sets context afterwards. */
int sorai_model_create(sora_model **out, sorai_mem *mem, sorai_device *device, int32_t product, sorai_package *package, sora_error *err);
void sorai_model_unref(sora_model **model);

/* Whether the weights that are there fit the configs: nothing is read but their types and shapes. Not on devices with memory of their own. */
int sorai_model_check(const sora_model *m, sora_error *err);

/* Binds a network unless it is already. Any thread. */
int sorai_model_need(sora_model *m, enum sorai_model_net net, sora_error *err);
/* The transformers of a model with a boundary are large, so one of them is held at a time, if its users let it: a user takes the one for a
 * timestep and gives back the one that it had (`held`, SORAI_NET_COUNT: none); without other users that one is dropped first. */
enum sorai_model_net sorai_model_expert(const sora_model *m, double timestep); /* without a boundary the transformer */
int sorai_model_take_expert(sora_model *m, enum sorai_model_net net, enum sorai_model_net *held, sora_error *err);
void sorai_model_give_expert(sora_model *m, enum sorai_model_net *held); /* keeps it for the next user */
static inline const sorai_dit *sorai_model_dit(const sora_model *m, enum sorai_model_net net) {
    return net == SORAI_NET_TRANSFORMER_2 ? &m->dit2 : &m->dit;
}
int sorai_model_need_tokenizer(sora_model *m, sora_error *err);

/* Clean-up, ids, truncation to the model's text length. */
int sorai_model_tokenize(sora_model *m, const char *text, size_t length, sorai_ids *out, sora_error *err);

/* describe.c: JSON of everything known, after a check of all files; NULL on failure. The caller frees it with sorai_free. */
char *sorai_model_describe(sora_model *m, sora_error *err);
/* convert.c */
int sorai_model_convert(sorai_mem *mem, const char *from, const char *to, int32_t weights, sora_error *err);

/* weights.c: a tensor of a part in a type of 16 bits or more: int8 rows are multiplied out with their scales. */
int sorai_model_weight(sorai_package *package, sorai_mem *mem, const char *part, const char *name, sora_tensor **out, sora_error *err);

#endif
