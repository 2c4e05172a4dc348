/* The GGUF format, versions 2 and 3, little-endian: metadata, a list of tensors (extents last axis first), their data.
 */
#ifndef SORAI_IO_GGUF_H
#define SORAI_IO_GGUF_H

#include <jansson.h>

#include "lib/io/table.h"

typedef struct sorai_gguf sorai_gguf; /* immutable once open; any thread */

bool sorai_gguf_probe(const sorai_source *source); /* by its first bytes */

/* Reads and checks metadata and list: counts and lengths against the file, types, that every tensor lies in the file
 * and none over another. Shapes are given first axis first; comfy.gguf.orig_shape.NAME wins over the stored extents. */
int sorai_gguf_open(sorai_gguf **out, sorai_mem *mem, sorai_source *source, sora_error *err);
void sorai_gguf_close(sorai_gguf **g); /* tensors handed out stay valid */

const sorai_table *sorai_gguf_table(const sorai_gguf *g);
/* The metadata's numbers, truth values, strings and short arrays of numbers, borrowed. Other arrays have their length.
 */
json_t *sorai_gguf_metadata(const sorai_gguf *g);

/* A tensor of the table; blocks are multiplied out to f32. */
int sorai_gguf_load(const sorai_gguf *g, const sorai_tensor_info *info, sora_tensor **out, sora_error *err);

/* An array of the metadata: where its values stand. false: none of this name and type (GGUF's number). */
#define SORAI_GGUF_I32    5
#define SORAI_GGUF_F32    6
#define SORAI_GGUF_STRING 8
bool sorai_gguf_array(const sorai_gguf *g, const char *key, uint32_t type, uint64_t *offset, uint64_t *count);
sorai_source *sorai_gguf_source(const sorai_gguf *g); /* borrowed */

/* gguf_tokenizer.c: the unigram tokenizer that came along (tokenizer.ggml.*), added to out as the bytes of a
 * spiece.model. SORA_E_NOTFOUND: there is none of that kind. */
struct sorai_buffer;
int sorai_gguf_tokenizer(const sorai_gguf *g, struct sorai_buffer *out, sora_error *err);

#endif
