/* A LoRA for a transformer of a few numbers: its names are matched, and every weight is asked for with it added. */
#include <stdio.h>
#include <string.h>

#include "lib/model/files.h"
#include "lib/model/lora.h"
#include "test/fuzz/fuzz_help.h"

/* The transformer as a safetensors file: all zeros, f32. */
static size_t make_base(unsigned char *out, size_t room) {
    static const struct {
        const char *name, *shape;
        int count;
    } rows[] = {{"patch_embedding.weight", "128,1,1,1,1", 128},
                {"time_projection.1.weight", "1,1", 1},
                {"text_embedding.0.weight", "1,1", 1},
                {"time_embedding.0.weight", "1,2", 2},
                {"head.head.weight", "1,1", 1},
                {"blocks.0.self_attn.q.weight", "2,3", 6},
                {"blocks.0.self_attn.q.bias", "2", 2},
                {"blocks.0.ffn.0.weight", "2,1", 2},
                {"blocks.0.modulation", "1,6,1", 6}};
    char header[2048] = "{";
    size_t n = 1, at = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const size_t bytes = (size_t)rows[i].count * 4;
        n += (size_t)snprintf(header + n, sizeof header - n,
                              "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", i ? "," : "",
                              rows[i].name, rows[i].shape, at, at + bytes);
        at += bytes;
    }
    header[n++] = '}';
    fuzz_require(8 + n + at <= room, "the base fits");
    memset(out, 0, 8 + n + at);
    out[0] = (unsigned char)n;
    out[1] = (unsigned char)(n >> 8);
    memcpy(out + 8, header, n);
    return 8 + n + at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static unsigned char base[8192];
    const size_t length = make_base(base, sizeof base);
    sorai_mem mem;
    sorai_mem_init(&mem, NULL, 0);
    for (int way = 0; way < 2; way++) {
        sorai_source *source = fuzz_source(&mem, "base.safetensors", base, length, 0),
                     *input = fuzz_source(&mem, "fuzz.lora", data, size, way);
        sorai_package *p;
        sorai_loras *loras;
        sorai_weights *w;
        sora_error err = {0};
        fuzz_require(sorai_files_open_source(&p, &mem, source, &err) == SORA_OK, "the base opens");
        fuzz_require(sorai_loras_create(&loras, &mem, &err) == SORA_OK, "a list of LoRAs");
        int status = sorai_weights_open_source(&w, &mem, input, &err);
        if (status == SORA_OK) status = sorai_loras_add_weights(loras, p, w, 0.5, SORAI_LORA_BOTH, &err);
        fuzz_check_error(status, &err);
        sorai_loras_install(loras, p);
        size_t count = 0;
        fuzz_require(sorai_package_tensor_count(p, "transformer", &count, &err) == SORA_OK, "the base is listed");
        for (size_t k = 0; k < count; k++) {
            sorai_tensor_info info;
            sora_tensor *t;
            fuzz_require(sorai_package_tensor(p, "transformer", k, &info, &err) == SORA_OK,
                         "a listed tensor has an entry");
            const int found = sorai_package_lookup(p, "transformer", info.name, &t, &err);
            fuzz_check_error(found, &err);
            fuzz_require(found == SORA_OK || t == NULL, "nothing comes with a failure");
            sorai_tensor_unref(&t);
        }
        sorai_weights_unref(&w);
        sorai_package_close(&p);
        sorai_source_unref(&source);
        sorai_source_unref(&input);
    }
    fuzz_check_memory(&mem, size, 200, 262144);
    return 0;
}
