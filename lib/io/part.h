/* A part of a model that comes as a file of its own: the file's tensors under the names that networks ask for, and a
 * config. Which name is which is said by lib/model. */
#ifndef SORAI_IO_PART_H
#define SORAI_IO_PART_H

#include "lib/io/weights.h"

typedef struct sorai_part {
    sorai_mem *mem;
    char *name; /* "transformer" */
    json_t *config;
    sorai_weights *weights;
    sorai_table names; /* as networks know them; .file is the place in the weights' table */
} sorai_part;

/* References weights. */
int sorai_part_create(sorai_part **out, sorai_mem *mem, const char *name, sorai_weights *weights, sora_error *err);
void sorai_part_free(sorai_part **part);

/* The i-th tensor of the file is called `name` here, with the shape of the file, or another of as many values (rank <
 * 0: the file's). */
int sorai_part_add(sorai_part *part, const char *name, size_t i, int32_t rank, const int64_t *shape, sora_error *err);
/* The same of rows (the first axis) out of the i-th tensor. */
int sorai_part_add_rows(sorai_part *part, const char *name, size_t i, int64_t first, int64_t rows, sora_error *err);
int sorai_part_finish(sorai_part *part, sora_error *err); /* sorts; refuses a name that two tensors have */

/* Makes *info, of an encoded matrix, that of the same as it is stored, which readers then give without multiplying it out. False when that
 * is not possible: rows that are no whole blocks, a scale in the table that does not fit. */
bool sorai_keep_stored(const sorai_table *table, sorai_tensor_info *info);

/* The same of an item of part->names, and of the file's tensor behind it. */
bool sorai_part_keeps(const sorai_part *part, sorai_tensor_info *item, sorai_tensor_info *file);

/* A tensor by its name here. stored: matrices come as they are stored, their scale beside them, where that is possible. Else a weight of
 * eight-bit floats with a scale (NAME.scale_weight, NAME.weight_scale) is multiplied by it and f32. */
int sorai_part_load(const sorai_part *part, const char *name, bool stored, sora_tensor **out, sora_error *err);

/* The scale that a file holds beside a weight of eight-bit floats; NULL: none. */
const sorai_tensor_info *sorai_scale_find(const sorai_table *table, const sorai_tensor_info *weight);
/* weight->scale becomes factor: one number, or one per row. file and name (of the scale) stand in messages. */
int sorai_scale_attach(sorai_mem *mem, const char *file, const char *name, sora_tensor *factor, sora_tensor *weight, sora_error *err);
/* *t becomes f32 and is multiplied by its scale. */
int sorai_scale_apply(sorai_mem *mem, const char *file, const char *name, const sora_tensor *factor, sora_tensor **t,
                      sora_error *err);

#endif
