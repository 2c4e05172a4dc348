/* Writing the diffusers folder layout. The folder appears whole or not at all: it is made beside its place under
 * another name. */
#ifndef SORAI_IO_FOLDER_WRITE_H
#define SORAI_IO_FOLDER_WRITE_H

#include "lib/io/safetensors.h"

typedef struct sorai_folder_writer sorai_folder_writer;

/* Refuses a path where something is, but for an empty folder (SORA_E_IO). */
int sorai_folder_writer_begin(sorai_folder_writer **out, sorai_mem *mem, const char *path, sora_error *err);
/* A file "name" or "part/name"; its subfolder is made when it is the first in there. */
int sorai_folder_writer_file(sorai_folder_writer *w, const char *name, const void *data, size_t size, sora_error *err);
int sorai_folder_writer_json(sorai_folder_writer *w, const char *name, json_t *json,
                             sora_error *err); /* sorted, indented */
int sorai_folder_writer_tensors(sorai_folder_writer *w, const char *name, const sorai_named_tensor *tensors,
                                size_t count, sora_error *err);
int sorai_folder_writer_finish(sorai_folder_writer **w, sora_error *err); /* frees *w, also on failure */
void sorai_folder_writer_abandon(sorai_folder_writer **w);                /* leaves nothing behind; NULL is fine */

#endif
