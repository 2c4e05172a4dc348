/* PNG images. */
#include "lib/io/png.h"

#include "test/fuzz/fuzz_help.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sorai_mem mem;
    sorai_mem_init(&mem, NULL, 0);
    for (int way = 0; way < 2; way++) {
        sorai_source *source = fuzz_source(&mem, "fuzz.png", data, size, way);
        sora_tensor *t;
        sora_error err = {0};
        const int status = sorai_png_read(&mem, source, 3 + way, &t, &err);
        fuzz_check_error(status, &err);
        fuzz_require((status == SORA_OK) == (t != NULL), "an image or an error");
        volatile unsigned sum = 0; /* every byte can be read */
        for (size_t k = 0; t && k < sorai_tensor_bytes(t); k += 61) sum = sum + ((const unsigned char *)t->data)[k];
        sorai_tensor_unref(&t);
        sorai_source_unref(&source);
    }
    /* one bit of a grey image may become four bytes, and deflate packs 1032 to 1 */
    fuzz_check_memory(&mem, size, 1101 * 32 + 64, 1 << 21);
    return 0;
}
