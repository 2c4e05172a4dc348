/* A state dict of PyTorch: archive, pickle, then every tensor. */
#include "lib/io/pytorch.h"

#include "test/fuzz/fuzz_help.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sorai_mem mem;
    sorai_mem_init(&mem, NULL, 0);
    for (int way = 0; way < 2; way++) {
        sorai_source *source = fuzz_source(&mem, "fuzz.pth", data, size, way);
        sorai_pytorch *p;
        sora_error err = {0};
        int status = sorai_pytorch_open(&p, &mem, source, &err);
        fuzz_check_error(status, &err);
        for (size_t i = 0; status == SORA_OK && i < sorai_pytorch_table(p)->count; i++) {
            sora_tensor *t;
            const int found = sorai_pytorch_load(p, &sorai_pytorch_table(p)->items[i], &t, &err);
            fuzz_check_error(found, &err);
            fuzz_require(found == SORA_OK || found == SORA_E_UNSUPPORTED, "a listed tensor is found");
            volatile unsigned sum = 0; /* every byte can be read */
            for (size_t k = 0; t && k < sorai_tensor_bytes(t); k++) sum = sum + ((const unsigned char *)t->data)[k];
            sorai_tensor_unref(&t);
        }
        sorai_pytorch_close(&p);
        sorai_source_unref(&source);
    }
    fuzz_check_memory(&mem, size, 300, 131072);
    return 0;
}
