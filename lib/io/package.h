/* A model's files, whatever their layout: a folder as diffusers has it (model_index.json, transformer/, vae/, ...) or a
 * .sora file. What the parts mean is for lib/model. One thread at a time: parts of a folder are opened when first asked
 * for; tensors and blobs handed out are free of the package. */
#ifndef SORAI_IO_PACKAGE_H
#define SORAI_IO_PACKAGE_H

#include <jansson.h>

#include "lib/io/part.h"
#include "lib/io/table.h"

typedef struct sorai_package sorai_package;

int sorai_package_open(sorai_package **out, sorai_mem *mem, const char *path, sora_error *err);
/* The caller's I/O, or memory: a .sora file. */
int sorai_package_open_source(sorai_package **out, sorai_mem *mem, sorai_source *source, sora_error *err);
void sorai_package_close(sorai_package **pkg);

/* A package without anything, to be filled from single files; or one of the others, some of whose parts are replaced.
 */
int sorai_package_new(sorai_package **out, sorai_mem *mem, const char *name, sora_error *err);
/* Takes over the part, also on failure; it replaces one of the same name. */
int sorai_package_put_part(sorai_package *pkg, sorai_part *part, sora_error *err);
/* A file inside the model, e.g. "tokenizer/spiece.model" (referenced); blobs of its folder are no longer looked for
 * elsewhere. */
int sorai_package_put_blob(sorai_package *pkg, const char *name, sorai_source *source, sora_error *err);
/* Stands for model_index.json where there is none; referenced. */
void sorai_package_put_index(sorai_package *pkg, json_t *index);
/* Changes tensors before they are handed out (LoRA). Called with the package's lookups. */
typedef struct sorai_adapter {
    /* Whether it changes a tensor. 0: no; n > 0: by adding a product of two factors, n the rank; -1: in another way. */
    int64_t (*changes)(void *user, const char *part, const char *name);
    /* Does it: replaces *t; with `beside`, where changes said n > 0, *t stays and gets the factors (down, up). */
    int (*adapt)(void *user, const char *part, const char *name, bool beside, sora_tensor **t, sora_error *err);
    void (*release)(void *user); /* called by close */
    void *user;
} sorai_adapter;
void sorai_package_put_adapter(sorai_package *pkg, const sorai_adapter *adapter);

const char *sorai_package_name(const sorai_package *pkg);   /* path, for messages */
const char *sorai_package_format(const sorai_package *pkg); /* "folder", "sora"; of single files "safetensors", "gguf",
                                                               "pytorch", or "files" when they differ */
/* model_index.json (folder) or the metadata's "model_index" (.sora), borrowed; NULL when there is none. */
json_t *sorai_package_index(const sorai_package *pkg);
json_t *sorai_package_metadata(const sorai_package *pkg); /* of a .sora file, borrowed; else NULL */

/* The parts that are there: names in order, NULL past the last. */
const char *sorai_package_part(const sorai_package *pkg, size_t i);
bool sorai_package_has(const sorai_package *pkg, const char *part);

/* The part's config, borrowed (config.json, scheduler_config.json, tokenizer_config.json). SORA_E_NOTFOUND names what
 * is missing. */
int sorai_package_config(sorai_package *pkg, const char *part, json_t **out, sora_error *err);

/* The file of a part that came as a single file, borrowed; else NULL. */
const sorai_weights *sorai_package_weights(const sorai_package *pkg, const char *part);

/* on: matrices that would come as f32 only because they are stored in blocks, are scaled or were adapted, come as bf16,
 * which is what products in bf16 make of them anyway. Off at first. */
void sorai_package_narrow(sorai_package *pkg, bool on);

/* on: matrices that are stored in blocks or in eight bits come as they are stored (sorai_dtype_small), with their scale, and with the factors of
 * what is added to them. Those that are changed in another way come multiplied out. Off at first. */
void sorai_package_keep(sorai_package *pkg, bool on);

/* A tensor of a part; the caller unrefs it. One of a .sora file's type i8 has its scale beside it in any case, if there is one. */
int sorai_package_lookup(sorai_package *pkg, const char *part, const char *name, sora_tensor **out, sora_error *err);

/* The tensors of a part, sorted by name, for listings and for finding out what a checkpoint is. A part without weights
 * has 0. info->name is the name inside the part, valid until close. */
int sorai_package_tensor_count(sorai_package *pkg, const char *part, size_t *count, sora_error *err);
int sorai_package_tensor(sorai_package *pkg, const char *part, size_t i, sorai_tensor_info *info, sora_error *err);

/* One of them by its name; SORA_E_NOTFOUND names it. */
int sorai_package_find(sorai_package *pkg, const char *part, const char *name, sorai_tensor_info *info, sora_error *err);

/* Whether a lookup of this tensor, as listed above (without its scale), gives a view of a mapped file, which takes no memory. */
bool sorai_package_maps(const sorai_package *pkg, const char *part, const sorai_tensor_info *info);

/* A file of the model by its path inside it, e.g. "tokenizer/tokenizer.json". */
int sorai_package_blob(sorai_package *pkg, const char *name, sorai_bytes *out, sora_error *err);
/* Where a blob that was put in comes from; NULL: it is the model's own, or there is none. */
const char *sorai_package_blob_place(const sorai_package *pkg, const char *name);

/* Opens all parts and checks what can be checked without a network: headers, sizes, and for .sora every checksum. */
int sorai_package_verify(sorai_package *pkg, sora_error *err);

#endif
