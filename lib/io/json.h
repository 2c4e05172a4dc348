/* JSON from untrusted bytes. jansson's objects live on the C library's heap (its allocator is one for the whole
 * process, which is not ours to change), so the number of values is bounded before anything is parsed: at most about
 * 200 bytes each. */
#ifndef SORAI_IO_JSON_H
#define SORAI_IO_JSON_H

#include <jansson.h>

#include "lib/base/error.h"
#include "lib/io/source.h"

#define SORAI_JSON_MAX_VALUES 4000000u

/* Parses n bytes. Names that occur twice in an object, more than `max_values` values, more than 64 levels and bytes
 * after the value are refused. Strings may hold U+0000 only when allow_nul. `file` and `what` (e.g. "header") stand in
 * messages. The caller owns *out (json_decref). */
int sorai_json_parse(json_t **out, const void *text, size_t n, uint32_t max_values, bool allow_nul, const char *file,
                     const char *what, sora_error *err);

/* All of a (small) file. At most 100 MB. NaN and infinities, as Python writes them, are read as texts, whole numbers beyond
 * 18 digits as fractions. */
int sorai_json_load(json_t **out, sorai_source *source, const char *what, sora_error *err);

#endif
