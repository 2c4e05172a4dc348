/* Reading fields of a JSON object with defaults and ranges. The first failure sticks in `status`. */
#ifndef SORAI_MODEL_FIELDS_H
#define SORAI_MODEL_FIELDS_H

#include <jansson.h>

#include "lib/base/error.h"

typedef struct sorai_fields {
    json_t *object;
    const char *part; /* "vae", for messages */
    sora_error *err;
    int status;
} sorai_fields;

/* null and absent fields give `initial`. */
int32_t sorai_field_int(sorai_fields *f, const char *name, int32_t initial, int32_t lowest, int32_t highest);
double sorai_field_number(sorai_fields *f, const char *name, double initial);
int32_t sorai_field_bool(sorai_fields *f, const char *name, int32_t initial);
const char *sorai_field_text(sorai_fields *f, const char *name, const char *initial);
/* Arrays of at most `capacity` entries; gives the count, or `initial_count` when the field is absent (values untouched). */
int32_t sorai_field_ints(sorai_fields *f, const char *name, int32_t *values, int32_t capacity, int32_t initial_count);
int32_t sorai_field_bools(sorai_fields *f, const char *name, int32_t *values, int32_t capacity, int32_t initial_count);
int32_t sorai_field_numbers(sorai_fields *f, const char *name, double *values, int32_t capacity, int32_t initial_count);

#endif
