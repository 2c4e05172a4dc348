/* A tokenizer from hostile bytes, then texts through it. */
#include <string.h>

#include "lib/io/tokenizer.h"
#include "test/fuzz/tokenizer_input.h"

static void encode(const sorai_tokenizer *t, const char *text, size_t n, size_t most) {
    sorai_ids ids;
    sora_error err = {0};
    sorai_mem mem;
    sorai_mem_init(&mem, NULL, 0);
    sorai_ids_init(&ids, &mem);
    const int status = sorai_tokenizer_encode(t, text, n, most, &ids, &err);
    fuzz_check_error(status, &err);
    if (status == SORA_OK) fuzz_require(most == 0 || ids.count <= most, "no more ids than asked for");
    for (size_t i = 0; i < ids.count; i++) fuzz_require(ids.ids[i] >= 0, "an id is not negative");
    sorai_ids_release(&ids);
}

void fuzz_tokenizer(const uint8_t *data, size_t size) {
    static const char *const texts[] = {"",
                                        " ",
                                        "a cat  walks </s> on <unk>the beach\r\n",
                                        "\xe2\x96\x81 \xe2\x96\x81x\xef\xac\x81\xcc\x81",
                                        "\xff\xfe\xc3",
                                        "gr\xc3\xbc\xc3\x9f \xe7\x8c\xab\xf0\x9f\x98\x80 <0x41>"};
    sorai_mem mem;
    sorai_mem_init(&mem, NULL, 0);
    sorai_source *source = fuzz_source(&mem, "fuzz tokenizer", data, size, 0);
    sorai_tokenizer *t;
    sora_error err = {0};
    const int status = sorai_tokenizer_open(&t, &mem, source, &err);
    fuzz_check_error(status, &err);
    if (status == SORA_OK) {
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            encode(t, texts[i], strlen(texts[i]), 0);
            encode(t, texts[i], strlen(texts[i]), 40);
        }
        encode(t, (const char *)data, size < 2000 ? size : 2000, 0); /* its own bytes hold its pieces */
        for (int32_t id = -1; id <= sorai_tokenizer_size(t); id++) {
            size_t n;
            const char *piece = sorai_tokenizer_piece(t, id, &n);
            fuzz_require(!piece || n <= size, "a piece is no longer than the file");
        }
    }
    sorai_tokenizer_close(&t);
    sorai_source_unref(&source);
    /* replacements may be as long as the file, once for each character of a text */
    fuzz_check_memory(&mem, size, 20000, 1 << 20);
}
