#include "lib/io/json.h"

#include <string.h>

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

static size_t put(unsigned char *dst, size_t at, const void *text, size_t n) {
    if (dst) memcpy(dst + at, text, n);
    return at + n;
}

/* Length of what stands at the beginning of p: a text, a run of letters, digits and signs, or one byte. */
static size_t token(const unsigned char *p, size_t n) {
    size_t i = 1;
    if (p[0] == '"') {
        for (; i < n && p[i] != '"'; i++)
            if (p[i] == '\\') i++;
        return i < n ? i + 1 : n;
    }
    for (i = 0; i < n && ((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'A' && p[i] <= 'Z') || (p[i] >= 'a' && p[i] <= 'z') ||
                          p[i] == '-' || p[i] == '+' || p[i] == '.');)
        i++;
    return i ? i : 1;
}

/* Python's json writes what JSON does not have: NaN and infinities become texts, which no field takes for a number, and
 * whole numbers of any length become fractions. Diffusers and transformers leave both in configs, in fields that nobody
 * here reads. dst NULL: only the length of the result. */
static size_t from_python(const unsigned char *p, size_t n, unsigned char *dst) {
    size_t out = 0;
    for (size_t i = 0, length; i < n; i += length) {
        length = token(p + i, n - i);
        const size_t sign = p[i] == '-' ? 1 : 0;
        size_t digits = sign;
        while (digits < length && p[i + digits] >= '0' && p[i + digits] <= '9') digits++;
        const bool odd = (length == 3 && memcmp(p + i, "NaN", 3) == 0) ||
                         (length == 8 + sign && memcmp(p + i + sign, "Infinity", 8) == 0);
        const bool large = digits == length && length - sign > 18;
        if (odd) out = put(dst, out, "\"", 1);
        out = put(dst, out, p + i, length);
        if (odd || large) out = put(dst, out, odd ? "\"" : ".0", odd ? 1 : 2);
    }
    return out;
}

int sorai_json_load(json_t **out, sorai_source *source, const char *what, sora_error *err) {
    *out = NULL;
    const uint64_t size = sorai_source_size(source);
    if (size > MAX_FILE)
        return sorai_fail(err, SORA_E_FORMAT, "%.300s: %s: %llu bytes of JSON are too many", sorai_source_name(source),
                          what, (unsigned long long)size);
    sorai_bytes bytes;
    SORA_TRY(sorai_source_bytes(source, 0, size, &bytes, err));
    const unsigned char *text = bytes.data;
    unsigned char *made = NULL;
    const size_t length = from_python(text, bytes.size, NULL);
    int status = SORA_OK;
    if (length != bytes.size) {
        text = made = sorai_alloc(sorai_source_mem(source), length);
        if (made)
            from_python(bytes.data, bytes.size, made);
        else
            status = sorai_fail(err, SORA_E_NOMEM, "%.300s: %s: no memory for the JSON", sorai_source_name(source), what);
    }
    if (status == SORA_OK)
        status = sorai_json_parse(out, text, length, SORAI_JSON_MAX_VALUES, false, sorai_source_name(source), what, err);
    if (made) sorai_free(sorai_source_mem(source), made);
    sorai_bytes_release(&bytes);
    return status;
}
