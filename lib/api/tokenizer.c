#include <string.h>

#include "lib/backend/context.h"
#include "lib/io/clean_text.h"
#include "lib/io/outfile.h"
#include "lib/io/tokenizer_build.h"
#include "sora/train.h"

static int build(sorai_mem *mem, const char *const *texts, sorai_buffer *clean, sorai_tokenizer_text *list,
                 size_t count, uint32_t pieces, sorai_buffer *out, sora_error *err) {
    for (size_t i = 0; i < count; i++) {
        if (!texts[i]) return sorai_fail(err, SORA_E_INVALID, "sora_tokenizer_train: text %zu is NULL", i);
        SORA_TRY(sorai_clean_text(texts[i], strlen(texts[i]), &clean[i], err));
        list[i] = (sorai_tokenizer_text){clean[i].data ? clean[i].data : "", clean[i].size};
    }
    return sorai_tokenizer_build(mem, list, count, pieces, out, err);
}

int sora_tokenizer_train(sora_context *ctx, const char *path, const char *const *texts, size_t count, uint32_t pieces,
                         sora_error *err) {
    if (!ctx || !path || (count && !texts))
        return sorai_fail(err, SORA_E_INVALID, "sora_tokenizer_train: context, path and texts are needed");
    sorai_mem *mem = &ctx->mem;
    sorai_buffer out, *clean = sorai_calloc(mem, count + 1, sizeof *clean);
    sorai_tokenizer_text *list = sorai_calloc(mem, count + 1, sizeof *list);
    sorai_outfile *file = NULL;
    sorai_buffer_init(&out, mem);
    for (size_t i = 0; clean && i < count; i++) sorai_buffer_init(&clean[i], mem);
    int status = clean && list ? build(mem, texts, clean, list, count, pieces, &out, err)
                               : sorai_fail(err, SORA_E_NOMEM, "no memory for texts");
    if (status == SORA_OK) status = sorai_outfile_begin(&file, mem, path, err);
    if (status == SORA_OK) status = sorai_outfile_write(file, out.data, out.size, err);
    if (status == SORA_OK) status = sorai_outfile_commit(&file, err);
    sorai_outfile_abandon(&file);
    for (size_t i = 0; clean && i < count; i++) sorai_buffer_release(&clean[i]);
    sorai_buffer_release(&out);
    sorai_free(mem, clean);
    sorai_free(mem, list);
    return status;
}
