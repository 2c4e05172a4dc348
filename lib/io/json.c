#include "lib/io/json.h"

#define MAX_DEPTH 64
#define MAX_FILE  100000000u

/* Counts values and levels without building anything: what is outside of strings decides. */
static int measure(const unsigned char *p, size_t n, uint32_t max_values, const char *file, const char *what,
                   sora_error *err) {
    uint32_t values = 1, depth = 0;
    for (size_t i = 0; i < n; i++) {
        switch (p[i]) {
        case '"':
            for (i++; i < n && p[i] != '"'; i++)
                if (p[i] == '\\') i++;
            break;
        case '[':
        case '{':
            if (++depth > MAX_DEPTH)
                return sorai_fail(err, SORA_E_FORMAT, "%.300s: %s: JSON nested deeper than %d", file, what, MAX_DEPTH);
            values++;
            break;
        case ']':
        case '}':
            if (depth) depth--;
            break;
        case ',':
        case ':':
            values++;
            break;
        default:
            break;
        }
        if (values > max_values)
            return sorai_fail(err, SORA_E_FORMAT, "%.300s: %s: JSON of more than %u values", file, what, max_values);
    }
    return SORA_OK;
}

int sorai_json_parse(json_t **out, const void *text, size_t n, uint32_t max_values, bool allow_nul, const char *file,
                     const char *what, sora_error *err) {
    *out = NULL;
    SORA_TRY(measure(text, n, max_values, file, what, err));
    json_error_t problem;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    if (allow_nul) flags |= JSON_ALLOW_NUL;
    *out = json_loadb(text, n, flags, &problem);
    if (*out) return SORA_OK;
    if (json_error_code(&problem) == json_error_out_of_memory)
        return sorai_fail(err, SORA_E_NOMEM, "%.300s: %s: no memory for the JSON", file, what);
    return sorai_fail(err, SORA_E_FORMAT, "%.300s: %s: JSON, line %d: %.100s", file, what, problem.line, problem.text);
}

int sorai_json_load(json_t **out, sorai_source *source, const char *what, sora_error *err) {
    *out = NULL;
    const uint64_t size = sorai_source_size(source);
    if (size > MAX_FILE)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: %s: %llu bytes of JSON are too many", sorai_source_name(source),
                          what, (unsigned long long)size);
    sorai_bytes bytes;
    SORA_TRY(sorai_source_bytes(source, 0, size, &bytes, err));
    int status = sorai_json_parse(out, bytes.data, bytes.size, SORAI_JSON_MAX_VALUES, false, sorai_source_name(source),
                                  what, err);
    sorai_bytes_release(&bytes);
    return status;
}
