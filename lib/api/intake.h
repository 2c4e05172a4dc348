/* How option structs of callers are taken in, and descriptions given out, whatever header version the caller was built with. */
#ifndef SORAI_API_INTAKE_H
#define SORAI_API_INTAKE_H

#include "lib/base/error.h"

/* dst holds this version's defaults and size; src is the caller's struct, beginning with struct_size. Fields that the caller's version lacks keep
 * their defaults; bytes that this version does not know must be zero, else SORA_E_UNSUPPORTED. */
int sorai_take_opts(void *dst, uint32_t known, const void *src, const char *what, sora_error *err);
/* Copies a filled struct to the caller's, as much as its struct_size has room for; struct_size stays. SORA_E_INVALID without a size. */
int sorai_give_struct(void *dst, const void *src, uint32_t known);

#endif
