/* For scripts: tensors out of one safetensors file into another under other names, and comparisons between files.
 *   parity join OUT FROM NAME=TENSOR[:axis0] FROM NAME=TENSOR ...   :axis0 takes the first entry of the first axis
 *   parity compare FILE TENSOR FILE TENSOR[:axis0] LIMIT  prints the relative squared error; status 0 when it is within
 * the limit */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parity.h"

#define MOST 16

static int load(sorai_mem *mem, const char *path, const char *spec, sora_tensor **out, sora_error *err) {
    char name[512];
    sorai_safetensors *file = NULL;
    const char *colon = strstr(spec, ":axis0");
    snprintf(name, sizeof name, "%.*s", colon ? (int)(colon - spec) : (int)strlen(spec), spec);
    SORA_TRY(sorai_safetensors_open_path(&file, mem, path, err));
    int status = sorai_safetensors_lookup(file, name, out, err);
    sorai_safetensors_close(&file);
    if (status == SORA_OK && colon) {
        sora_tensor *whole = *out;
        *out = NULL;
        status = sorai_tensor_new(out, mem, whole->dtype, whole->rank - 1, whole->shape + 1, err);
        if (status == SORA_OK) memcpy((*out)->data, whole->data, sorai_tensor_bytes(*out));
        sorai_tensor_unref(&whole);
    }
    return status;
}

static int join(sorai_mem *mem, int argc, char **argv, sora_error *err) {
    sorai_named_tensor list[MOST];
    sora_tensor *tensors[MOST] = {NULL};
    char names[MOST][64];
    int status = SORA_OK;
    size_t count = 0;
    for (int i = 3; i + 1 < argc && count < MOST && status == SORA_OK; i += 2, count++) {
        const size_t n = strcspn(argv[i + 1], "=");
        snprintf(names[count], sizeof names[count], "%.*s", (int)n, argv[i + 1]);
        status = load(mem, argv[i], argv[i + 1] + n + (argv[i + 1][n] == '='), &tensors[count], err);
        list[count] = (sorai_named_tensor){names[count], tensors[count]};
    }
    if (status == SORA_OK) status = sorai_safetensors_write(mem, argv[2], list, count, NULL, err);
    for (size_t i = 0; i < MOST; i++) sorai_tensor_unref(&tensors[i]);
    return status;
}

static int compare(sorai_mem *mem, char **argv, sora_error *err) {
    sora_tensor *got = NULL, *want = NULL;
    int status = load(mem, argv[2], argv[3], &got, err);
    if (status == SORA_OK) status = load(mem, argv[4], argv[5], &want, err);
    if (status == SORA_OK && (got->dtype != SORA_DTYPE_F32 || want->dtype != SORA_DTYPE_F32 ||
                              sorai_tensor_count(got) != sorai_tensor_count(want)))
        status = sorai_fail(err, SORA_E_INVALID, "%s: not as many f32 values as %s", argv[3], argv[5]);
    double diff = 0.0, norm = 0.0;
    for (int64_t i = 0; status == SORA_OK && i < sorai_tensor_count(got); i++) {
        const double a = (double)((const float *)got->data)[i], b = (double)((const float *)want->data)[i];
        diff += (a - b) * (a - b);
        norm += b * b;
    }
    if (status == SORA_OK) {
        printf("nmse %.3g\n", diff / norm);
        if (!(diff <= atof(argv[6]) * norm))
            status = sorai_fail(err, SORA_E_INVALID, "%s differs from %s by more than %s", argv[3], argv[5], argv[6]);
    }
    sorai_tensor_unref(&got);
    sorai_tensor_unref(&want);
    return status;
}

int parity_pick(int argc, char **argv) {
    sorai_mem mem;
    sora_error err = {.struct_size = sizeof err};
    sorai_mem_init(&mem, NULL, 0);
    const int joins = strcmp(argv[1], "join") == 0;
    if (joins ? argc < 5 : argc != 7) {
        fprintf(stderr, "parity: wrong arguments for %s\n", argv[1]);
        return 2;
    }
    if ((joins ? join(&mem, argc, argv, &err) : compare(&mem, argv, &err)) == SORA_OK) return 0;
    fprintf(stderr, "parity: %s\n", err.message);
    return 1;
}
