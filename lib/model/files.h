/* Models that come as single files: a transformer, an autoencoder, a text encoder, a tokenizer, each in whatever
 * container and naming people have it. */
#ifndef SORAI_MODEL_FILES_H
#define SORAI_MODEL_FILES_H

#include "lib/io/package.h"

typedef struct sorai_model_files {
    const char *path;                                /* a folder, a .sora file, or one file of weights; NULL: none */
    const char *dit, *dit2, *vae, *text, *tokenizer, *clip; /* each NULL or a file; they win over path. dit2: for low noise */
} sorai_model_files;

/* What files of weights hold is told by the names of their tensors; configs are found beside them (config.json) or read
 * off the shapes. */
int sorai_files_open(sorai_package **out, sorai_mem *mem, const sorai_model_files *files, sora_error *err);
/* One file of weights from the host's I/O or memory. */
int sorai_files_open_source(sorai_package **out, sorai_mem *mem, sorai_source *source, sora_error *err);

const char *sorai_package_layout(const sorai_package *pkg); /* as sora_model_desc.format says it */

/* convert.c: writes a package as a .sora file or a folder. */
int sorai_model_write(sorai_mem *mem, sorai_package *from, const char *to, int32_t weights, sora_error *err);

/* describe.c: what a file of tensors holds, as JSON; NULL on failure. The caller frees it with sorai_free. */
char *sorai_weights_describe(sorai_mem *mem, const sorai_weights *file, const char *path, sora_error *err);

#endif
