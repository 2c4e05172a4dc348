/* Names of tensors: how the same weights are called in the files of the authors, of ComfyUI and of llama.cpp, and what
 * diffusers and transformers call them, which are the names that networks bind. */
#ifndef SORAI_MODEL_NAMES_H
#define SORAI_MODEL_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/io/table.h"

enum sorai_kind { SORAI_KIND_NONE, SORAI_KIND_DIT, SORAI_KIND_VAE, SORAI_KIND_TEXT, SORAI_KIND_VISION };
enum sorai_naming {
    SORAI_NAMES_DIFFUSERS,  /* also transformers */
    SORAI_NAMES_OFFICIAL,   /* the authors' */
    SORAI_NAMES_OFFICIAL22, /* the authors', autoencoder with nested levels (Wan 2.2) */
    SORAI_NAMES_GGUF        /* llama.cpp's short ones */
};

#define SORAI_NAME_ROOM 600 /* bytes for a name and its end */

/* Whether a table holds a network of a kind, how its names are spelt and what stands before them
 * ("model.diffusion_model."). prefix has room for SORAI_NAME_ROOM bytes. */
bool sorai_names_detect(const sorai_table *table, enum sorai_kind kind, enum sorai_naming *naming, char *prefix);

/* The name under which a network asks for the tensor `name` (without its prefix). false: no tensor of that kind.
 * table and prefix: of the whole file; the levels of an autoencoder are counted there. */
bool sorai_names_map(enum sorai_kind kind, enum sorai_naming naming, const sorai_table *table, const char *prefix,
                     const char *name, char out[SORAI_NAME_ROOM]);

/* The authors' name of a transformer's tensor, from the one that networks ask for. false: it has none. */
bool sorai_names_official(const char *name, char out[SORAI_NAME_ROOM]);

/* A tensor in which the authors' image encoder holds three: queries, keys and values, one below the other. Their names
 * go to out. */
bool sorai_names_joined(const char *name, char out[3][SORAI_NAME_ROOM]);

/* Whether a tensor may be passed over: what travels with weights but is no part of the network. */
bool sorai_names_ignored(enum sorai_kind kind, const char *name);

/* A rule: '#' stands for a number, '*' at the end for the rest; both appear in the same order on both sides. */
typedef struct sorai_name_rule {
    const char *from, *to;
} sorai_name_rule;
/* Applies the first rule that fits (back: from right to left); false: none does, or there is no room. */
bool sorai_names_apply(const sorai_name_rule *rules, size_t count, bool back, const char *name, char *out, size_t size);

#endif
