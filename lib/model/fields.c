#include "lib/model/fields.h"

#include <math.h>

static json_t *field(const sorai_fields *f, const char *name) {
    if (f->status != SORA_OK)
        return NULL;
    json_t *value = json_object_get(f->object, name);
    return json_is_null(value) ? NULL : value;
}

static void wrong(sorai_fields *f, const char *name, const char *want) {
    if (f->status == SORA_OK)
        f->status = sorai_fail(f->err, SORA_E_FORMAT, "%s config: %s must be %s", f->part, name, want);
}

int32_t sorai_field_int(sorai_fields *f, const char *name, int32_t initial, int32_t lowest, int32_t highest) {
    json_t *value = field(f, name);
    if (!value)
        return initial;
    const json_int_t v = json_integer_value(value);
    if (!json_is_integer(value) || v < lowest || v > highest) {
        wrong(f, name, "a whole number in its range");
        return initial;
    }
    return (int32_t)v;
}

double sorai_field_number(sorai_fields *f, const char *name, double initial) {
    json_t *value = field(f, name);
    if (!value)
        return initial;
    if (!json_is_number(value) || !isfinite(json_number_value(value))) {
        wrong(f, name, "a number");
        return initial;
    }
    return json_number_value(value);
}

int32_t sorai_field_bool(sorai_fields *f, const char *name, int32_t initial) {
    json_t *value = field(f, name);
    if (!value)
        return initial;
    if (!json_is_boolean(value)) {
        wrong(f, name, "true or false");
        return initial;
    }
    return json_is_true(value);
}

const char *sorai_field_text(sorai_fields *f, const char *name, const char *initial) {
    json_t *value = field(f, name);
    if (!value)
        return initial;
    if (!json_is_string(value)) {
        wrong(f, name, "a text");
        return initial;
    }
    return json_string_value(value);
}

/* The array `name` with its length checked; NULL when absent or wrong. */
static json_t *array(sorai_fields *f, const char *name, int32_t capacity) {
    json_t *value = field(f, name);
    if (!value)
        return NULL;
    if (!json_is_array(value) || json_array_size(value) > (size_t)capacity) {
        wrong(f, name, "a list that is not too long");
        return NULL;
    }
    return value;
}

int32_t sorai_field_ints(sorai_fields *f, const char *name, int32_t *values, int32_t capacity, int32_t initial_count) {
    json_t *list = array(f, name, capacity), *item;
    size_t i;
    json_array_foreach(list, i, item) {
        if (!json_is_integer(item) || json_integer_value(item) < INT32_MIN || json_integer_value(item) > INT32_MAX) {
            wrong(f, name, "a list of whole numbers");
            return initial_count;
        }
        values[i] = (int32_t)json_integer_value(item);
    }
    return list ? (int32_t)json_array_size(list) : initial_count;
}

int32_t sorai_field_bools(sorai_fields *f, const char *name, int32_t *values, int32_t capacity, int32_t initial_count) {
    json_t *list = array(f, name, capacity), *item;
    size_t i;
    json_array_foreach(list, i, item) {
        if (!json_is_boolean(item)) {
            wrong(f, name, "a list of true and false");
            return initial_count;
        }
        values[i] = json_is_true(item);
    }
    return list ? (int32_t)json_array_size(list) : initial_count;
}

int32_t sorai_field_numbers(sorai_fields *f, const char *name, double *values, int32_t capacity, int32_t initial_count) {
    json_t *list = array(f, name, capacity), *item;
    size_t i;
    json_array_foreach(list, i, item) {
        if (!json_is_number(item) || !isfinite(json_number_value(item))) {
            wrong(f, name, "a list of numbers");
            return initial_count;
        }
        values[i] = json_number_value(item);
    }
    return list ? (int32_t)json_array_size(list) : initial_count;
}
