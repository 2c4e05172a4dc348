/* The .sora container: every part of a model in one file. docs/model-format.md describes the bytes.
 *
 * A file has parts ("transformer", "vae", ...), each with a JSON config and tensors; blobs (e.g.
 * "tokenizer/spiece.model"), and metadata. A tensor's full name is "part/name". */
#ifndef SORAI_IO_SORA_FILE_H
#define SORAI_IO_SORA_FILE_H

#include <jansson.h>

#include "lib/io/table.h"

typedef struct sorai_sora_file sorai_sora_file;

/* True when the first bytes are those of a .sora file. */
bool sorai_sora_file_probe(const sorai_source *source);

/* Reads and checks the preamble and the header, no tensor data. */
int sorai_sora_file_open(sorai_sora_file **out, sorai_mem *mem, sorai_source *source, sora_error *err);
void sorai_sora_file_close(sorai_sora_file **f); /* tensors handed out stay valid */

json_t *sorai_sora_file_metadata(const sorai_sora_file *f); /* an object, borrowed */
json_t *sorai_sora_file_parts(const sorai_sora_file *f);    /* an object: part -> {"config": {...}}, borrowed */
const sorai_table *sorai_sora_file_tensors(const sorai_sora_file *f); /* names are full names */
const sorai_table *sorai_sora_file_blobs(const sorai_sora_file *f);   /* rank 1, u8 */

/* Checks the checksum, unpacks if needed. Any thread. SORA_E_NOTFOUND when there is no such tensor; a view of the
 * mapped file when it is not compressed. */
int sorai_sora_file_lookup(const sorai_sora_file *f, const char *full_name, sora_tensor **out, sora_error *err);
int sorai_sora_file_blob(const sorai_sora_file *f, const char *name, sorai_bytes *out, sora_error *err);

/* Checks every checksum and unpacks everything once, keeping nothing. */
int sorai_sora_file_verify(const sorai_sora_file *f, sora_error *err);

/* Writing: begin, any of the others, finish. The file appears when finish succeeds. */
typedef struct sorai_sora_writer sorai_sora_writer;
int sorai_sora_writer_begin(sorai_sora_writer **out, sorai_mem *mem, const char *path, sora_error *err);
int sorai_sora_writer_metadata(sorai_sora_writer *w, json_t *object, sora_error *err); /* replaces; referenced */
int sorai_sora_writer_part(sorai_sora_writer *w, const char *part, json_t *config,
                           sora_error *err); /* config: referenced */
/* codec: SORAI_CODEC_*; a packed form that is not at least 3% smaller (of int8 a quarter) is stored plain. level: zstd's, 1..19. */
int sorai_sora_writer_tensor(sorai_sora_writer *w, const char *part, const char *name, const sora_tensor *t,
                             int32_t codec, int level, sora_error *err);
int sorai_sora_writer_blob(sorai_sora_writer *w, const char *name, const void *data, size_t size, int32_t codec,
                           int level, sora_error *err);
int sorai_sora_writer_finish(sorai_sora_writer **w, sora_error *err); /* frees *w, also on failure */
void sorai_sora_writer_abandon(sorai_sora_writer **w);

#endif
