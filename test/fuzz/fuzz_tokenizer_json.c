/* tokenizer.json. */
#include <string.h>

#include "test/fuzz/tokenizer_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size && memchr("{ \t\r\n", data[0], 5)) /* else it is taken for the other format */
        fuzz_tokenizer(data, size);
    return 0;
}
