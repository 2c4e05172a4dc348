/* State dicts that torch.save wrote (.pth, .pt, .bin): a zip archive with a pickle, which is read as data: names and
 * tensors, nothing is executed. What else a pickle could ask for is refused by name. */
#ifndef SORAI_IO_PYTORCH_H
#define SORAI_IO_PYTORCH_H

#include "lib/io/table.h"

typedef struct sorai_pytorch sorai_pytorch; /* immutable once open; any thread */

/* A zip archive, or the format before it, which opening refuses with a line that says what to do. */
bool sorai_pytorch_probe(const sorai_source *source);
/* Dicts in dicts give names with dots. Tensors that are not contiguous are copied in order; one whose values share
 * places is refused. */
int sorai_pytorch_open(sorai_pytorch **out, sorai_mem *mem, sorai_source *source, sora_error *err);
void sorai_pytorch_close(sorai_pytorch **p); /* tensors handed out stay valid */
const sorai_table *sorai_pytorch_table(const sorai_pytorch *p);
int sorai_pytorch_load(const sorai_pytorch *p, const sorai_tensor_info *info, sora_tensor **out, sora_error *err);

#endif
