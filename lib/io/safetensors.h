/* The safetensors format: 8 bytes of header length (little-endian), a JSON header, the tensors' bytes without holes. */
#ifndef SORAI_IO_SAFETENSORS_H
#define SORAI_IO_SAFETENSORS_H

#include <jansson.h>

#include "lib/io/table.h"

typedef struct sorai_safetensors sorai_safetensors; /* one file or a set of shards; reference-free: close when done */

/* Opens a file (of any source; referenced). Checks all of the header: length (at most 100 MB), names, types, shapes,
 * and that the tensors lie in the file one after another without overlap or hole, each with as many bytes as its shape
 * says. */
int sorai_safetensors_open(sorai_safetensors **out, sorai_mem *mem, sorai_source *source, sora_error *err);

/* Opens `path`: a .safetensors file, or an index (name ends in .json) whose shards lie beside it. A missing shard, a
 * name in two shards and an index that disagrees with its shards are refused. */
int sorai_safetensors_open_path(sorai_safetensors **out, sorai_mem *mem, const char *path, sora_error *err);

void sorai_safetensors_close(sorai_safetensors **st); /* tensors handed out stay valid */

const sorai_table *sorai_safetensors_table(const sorai_safetensors *st);
/* The "__metadata__" object of strings (of the first shard), borrowed; NULL when there is none. */
json_t *sorai_safetensors_metadata(const sorai_safetensors *st);

/* *out: a tensor that looks into the file, or a copy; eight-bit floats become bf16. SORA_E_NOTFOUND; SORA_E_UNSUPPORTED
 * for a type that libsora has not. Any thread. */
int sorai_safetensors_lookup(const sorai_safetensors *st, const char *name, sora_tensor **out, sora_error *err);
/* The same for an entry of its table. */
int sorai_safetensors_load(const sorai_safetensors *st, const sorai_tensor_info *info, sora_tensor **out,
                           sora_error *err);

/* Writes a file, whole or not at all. Host tensors. metadata: an object of strings or NULL. The file's order is by size
 * of the type, so that every tensor is aligned; the same input gives the same bytes. */
typedef struct sorai_named_tensor {
    const char *name;
    const sora_tensor *tensor;
} sorai_named_tensor;
int sorai_safetensors_write(sorai_mem *mem, const char *path, const sorai_named_tensor *tensors, size_t count,
                            json_t *metadata, sora_error *err);

#endif
