/* A file of named tensors, whatever its container: safetensors (one, or an index of shards), GGUF, or a state dict of
 * PyTorch (.pth). What the names mean is for lib/model. */
#ifndef SORAI_IO_WEIGHTS_H
#define SORAI_IO_WEIGHTS_H

#include <jansson.h>

#include "lib/io/table.h"

typedef struct sorai_weights sorai_weights; /* immutable once open, counted; any thread */

/* Told apart by the first bytes; an index of shards by its name, which ends in .json. */
int sorai_weights_open(sorai_weights **out, sorai_mem *mem, const char *path, sora_error *err);
int sorai_weights_open_source(sorai_weights **out, sorai_mem *mem, sorai_source *source, sora_error *err);
sorai_weights *sorai_weights_ref(sorai_weights *w);
void sorai_weights_unref(sorai_weights **w); /* tensors handed out stay valid */

const char *sorai_weights_name(const sorai_weights *w);   /* path, for messages */
const char *sorai_weights_format(const sorai_weights *w); /* "safetensors", "gguf", "pytorch" */
const sorai_table *sorai_weights_table(const sorai_weights *w);
/* Borrowed: __metadata__ of safetensors, the pairs of GGUF; NULL when there are none. */
json_t *sorai_weights_metadata(const sorai_weights *w);

/* A tensor of the table: a view of the file or a copy; encoded ones are multiplied out. */
int sorai_weights_load(const sorai_weights *w, const sorai_tensor_info *info, sora_tensor **out, sora_error *err);
/* The tokenizer that came along with a text encoder, as the bytes of a spiece.model or tokenizer.json: ComfyUI's tensor
 * spiece_model, GGUF's tokenizer.ggml.*. SORA_E_NOTFOUND: none. The source owns the bytes; unref it. */
int sorai_weights_tokenizer(const sorai_weights *w, sorai_source **out, sora_error *err);

#endif
