/* The diffusers folder layout. Used through lib/io/package.h. */
#ifndef SORAI_IO_FOLDER_H
#define SORAI_IO_FOLDER_H

#include "lib/io/safetensors.h"

#define SORAI_FOLDER_MAX_PARTS 32

typedef struct sorai_folder_part {
    char *name;
    json_t *config;             /* NULL: not read yet */
    sorai_safetensors *weights; /* NULL: not opened yet, or none */
    bool opened;                /* weights were looked for */
} sorai_folder_part;

typedef struct sorai_folder {
    sorai_mem *mem;
    char *path; /* without a slash at the end */
    json_t *index;
    sorai_folder_part parts[SORAI_FOLDER_MAX_PARTS];
    size_t part_count;
} sorai_folder;

/* *f is released by sorai_folder_release also when this fails. */
int sorai_folder_open(sorai_folder *f, sorai_mem *mem, const char *path, sora_error *err);
void sorai_folder_release(sorai_folder *f);
sorai_folder_part *sorai_folder_find(sorai_folder *f, const char *part);            /* NULL: no such subfolder */
int sorai_folder_config(sorai_folder *f, sorai_folder_part *part, sora_error *err); /* fills part->config */
int sorai_folder_weights(sorai_folder *f, sorai_folder_part *part,
                         sora_error *err); /* fills part->weights; none is no error */
/* A file by its path inside the folder: subfolder/name or name. */
int sorai_folder_file(sorai_folder *f, const char *name, sorai_bytes *out, sora_error *err);

#endif
