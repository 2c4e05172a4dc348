/* A GGUF file: metadata, list, then every tensor. */
#include "lib/io/gguf.h"

#include "test/fuzz/fuzz_help.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sorai_mem mem;
    sorai_mem_init(&mem, NULL, 0);
    for (int way = 0; way < 2; way++) {
        sorai_source *source = fuzz_source(&mem, "fuzz.gguf", data, size, way);
        sorai_gguf *g;
        sora_error err = {0};
        int status = sorai_gguf_open(&g, &mem, source, &err);
        fuzz_check_error(status, &err);
        for (size_t i = 0; status == SORA_OK && i < sorai_gguf_table(g)->count; i++) {
            sora_tensor *t;
            const int found = sorai_gguf_load(g, &sorai_gguf_table(g)->items[i], &t, &err);
            fuzz_check_error(found, &err);
            fuzz_require(found == SORA_OK || found == SORA_E_UNSUPPORTED, "a listed tensor is found");
            volatile unsigned sum = 0; /* every byte can be read */
            for (size_t k = 0; t && k < sorai_tensor_bytes(t); k++) sum = sum + ((const unsigned char *)t->data)[k];
            sorai_tensor_unref(&t);
        }
        sorai_gguf_close(&g);
        sorai_source_unref(&source);
    }
    fuzz_check_memory(&mem, size, 64, 65536);
    return 0;
}
