/* Configs of networks whose files carry none: read off the shapes of their tensors, the rest as the Wan family has it
 * (heads of 128, eps 1e-6, the latent statistics that were published with the autoencoders). */
#ifndef SORAI_MODEL_INFER_H
#define SORAI_MODEL_INFER_H

#include <jansson.h>

#include "lib/base/error.h"
#include "lib/io/table.h"
#include "lib/model/names.h"

/* names: the part's tensors under diffusers' names. hint: the config.json of the official folder ("num_heads", "eps",
 * "vace_layers"), or NULL. file stands in messages. The caller owns *out. SORA_E_FORMAT when a tensor that tells is
 * missing or has an impossible shape. */
int sorai_infer_config(enum sorai_kind kind, const sorai_table *names, json_t *hint, const char *file, json_t **out,
                       sora_error *err);

#endif
