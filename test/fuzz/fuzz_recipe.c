/* A recipe: read, and where it names no file a trainer is made from it, under a limit of memory. */
#include <string.h>

#include "lib/train/recipe.h"
#include "sora/sora.h"
#include "test/fuzz/fuzz_help.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sorai_recipe recipe;
    sora_error err = {.struct_size = sizeof err};
    int status = sorai_recipe_parse(&recipe, (const char *)data, size, &err);
    fuzz_check_error(status, &err);
    if (status != SORA_OK) return 0;
    const int names_files = recipe.init || recipe.tokenizer;
    sorai_recipe_release(&recipe);
    if (names_files) return 0;
    sora_context_opts opts;
    sora_context_opts_init(&opts);
    opts.threads = 1;
    opts.mem_limit = 32 << 20;
    sora_context *ctx = NULL;
    sora_trainer *trainer = NULL;
    fuzz_require(sora_context_create(&ctx, &opts, &err) == SORA_OK, "a context");
    status = sora_trainer_create(&trainer, ctx, (const char *)data, size, &err);
    fuzz_check_error(status, &err);
    fuzz_require((status == SORA_OK) == (trainer != NULL), "a trainer or an error");
    sora_trainer_destroy(&trainer);
    sora_memory m = {.struct_size = sizeof m};
    sora_context_memory(ctx, &m);
    fuzz_require(m.peak <= opts.mem_limit, "the limit of memory is kept");
    sora_context_unref(&ctx);
    return 0;
}
