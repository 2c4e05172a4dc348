/* spiece.model: a protocol buffer with a double-array trie inside. */
#include "test/fuzz/tokenizer_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_tokenizer(data, size);
    return 0;
}
