/* Prompt clean-up of any bytes. */
#include "lib/io/clean_text.h"

#include "lib/base/utf8.h"
#include "test/fuzz/fuzz_help.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sorai_mem mem;
    sorai_mem_init(&mem, NULL, 0);
    sorai_buffer out;
    sorai_buffer_init(&out, &mem);
    sora_error err = {0};
    const int status = sorai_clean_text((const char *)data, size, &out, &err);
    fuzz_check_error(status, &err);
    if (status == SORA_OK) {
        fuzz_require(sorai_utf8_valid(out.data ? out.data : "", out.size), "clean text is UTF-8");
        uint32_t cp, last = ' ';
        for (size_t i = 0; i < out.size; i += sorai_utf8_decode(out.data + i, out.size - i, &cp)) {
            sorai_utf8_decode(out.data + i, out.size - i, &cp);
            fuzz_require(!sorai_utf8_is_space(cp) || (cp == ' ' && last != ' '),
                         "white space is single spaces, none in front");
            last = cp;
        }
        fuzz_require(out.size == 0 || last != ' ', "no space at the end");
    }
    sorai_buffer_release(&out);
    fuzz_check_memory(&mem, size, 200, 65536);
    return 0;
}
