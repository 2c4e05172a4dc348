#include "lib/io/weights.h"

#include <stdatomic.h>
#include <string.h>

#include "lib/io/buffer.h"
#include "lib/io/gguf.h"
#include "lib/io/pytorch.h"
#include "lib/io/safetensors.h"

/* Exactly one of the readers is there. */
struct sorai_weights {
    atomic_int refs;
    sorai_mem *mem;
    char *name;
    sorai_safetensors *safetensors;
    sorai_gguf *gguf;
    sorai_pytorch *pytorch;
};

static int create(sorai_weights **out, sorai_mem *mem, const char *name, sora_error *err) {
    sorai_weights *w = sorai_calloc(mem, 1, sizeof *w);
    *out = NULL;
    if (w) w->name = sorai_strdup(mem, name);
    if (!w || !w->name) {
        sorai_free(mem, w);
        return sorai_fail(err, SORA_E_NOMEM, "%.300s: no memory to open it", name);
    }
    atomic_init(&w->refs, 1);
    w->mem = mem;
    *out = w;
    return SORA_OK;
}

int sorai_weights_open_source(sorai_weights **out, sorai_mem *mem, sorai_source *source, sora_error *err) {
    sorai_weights *w;
    *out = NULL;
    SORA_TRY(create(&w, mem, sorai_source_name(source), err));
    const int status = sorai_gguf_probe(source)      ? sorai_gguf_open(&w->gguf, mem, source, err)
                       : sorai_pytorch_probe(source) ? sorai_pytorch_open(&w->pytorch, mem, source, err)
                                                     : sorai_safetensors_open(&w->safetensors, mem, source, err);
    if (status != SORA_OK) sorai_weights_unref(&w);
    *out = w;
    return status;
}

int sorai_weights_open(sorai_weights **out, sorai_mem *mem, const char *path, sora_error *err) {
    const size_t n = strlen(path);
    sorai_source *source;
    *out = NULL;
    if (n > 5 && strcmp(path + n - 5, ".json") == 0) {
        sorai_weights *w;
        SORA_TRY(create(&w, mem, path, err));
        const int status = sorai_safetensors_open_path(&w->safetensors, mem, path, err);
        if (status != SORA_OK) sorai_weights_unref(&w);
        *out = w;
        return status;
    }
    SORA_TRY(sorai_source_open(&source, mem, path, err));
    const int status = sorai_weights_open_source(out, mem, source, err);
    sorai_source_unref(&source);
    return status;
}

sorai_weights *sorai_weights_ref(sorai_weights *w) {
    atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
    return w;
}

void sorai_weights_unref(sorai_weights **wp) {
    sorai_weights *w = *wp;
    *wp = NULL;
    if (!w || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1) return;
    sorai_safetensors_close(&w->safetensors);
    sorai_gguf_close(&w->gguf);
    sorai_pytorch_close(&w->pytorch);
    sorai_free(w->mem, w->name);
    sorai_free(w->mem, w);
}

const char *sorai_weights_name(const sorai_weights *w) { return w->name; }
const char *sorai_weights_format(const sorai_weights *w) {
    return w->gguf ? "gguf" : w->pytorch ? "pytorch" : "safetensors";
}

const sorai_table *sorai_weights_table(const sorai_weights *w) {
    return w->gguf      ? sorai_gguf_table(w->gguf)
           : w->pytorch ? sorai_pytorch_table(w->pytorch)
                        : sorai_safetensors_table(w->safetensors);
}

json_t *sorai_weights_metadata(const sorai_weights *w) {
    return w->gguf ? sorai_gguf_metadata(w->gguf) : w->pytorch ? NULL : sorai_safetensors_metadata(w->safetensors);
}

int sorai_weights_load(const sorai_weights *w, const sorai_tensor_info *info, sora_tensor **out, sora_error *err) {
    return w->gguf      ? sorai_gguf_load(w->gguf, info, out, err)
           : w->pytorch ? sorai_pytorch_load(w->pytorch, info, out, err)
                        : sorai_safetensors_load(w->safetensors, info, out, err);
}

static void tensor_release(void *user, void *data) {
    sora_tensor *t = user;
    (void)data;
    sorai_tensor_unref(&t);
}

static void block_release(void *user, void *data) { sorai_free(user, data); }

int sorai_weights_tokenizer(const sorai_weights *w, sorai_source **out, sora_error *err) {
    const sorai_tensor_info *info = sorai_table_find(sorai_weights_table(w), "spiece_model");
    *out = NULL;
    if (w->gguf) {
        sorai_buffer b;
        sorai_buffer_init(&b, w->mem);
        int status = sorai_gguf_tokenizer(w->gguf, &b, err);
        if (status == SORA_OK)
            status = sorai_source_memory(out, w->mem, w->name, b.data, b.size, block_release, w->mem, err);
        if (status != SORA_OK) sorai_buffer_release(&b);
        return status;
    }
    if (!info || info->dtype != SORA_DTYPE_U8)
        return sorai_fail(err, SORA_E_NOTFOUND, "%.300s: holds no tokenizer", w->name);
    sora_tensor *t;
    SORA_TRY(sorai_weights_load(w, info, &t, err));
    const int status =
        sorai_source_memory(out, w->mem, w->name, t->data, sorai_tensor_bytes(t), tensor_release, t, err);
    if (status != SORA_OK) sorai_tensor_unref(&t);
    return status;
}
