#include "sora/model.h"

#include <string.h>

#include "lib/api/intake.h"
#include "lib/backend/context.h"
#include "lib/model/files.h"
#include "lib/model/lora.h"
#include "lib/model/model.h"

#undef sora_model_opts_init
int sora_model_opts_init(sora_model_opts *opts, size_t size) {
    if (!opts || size < 2 * sizeof(uint32_t) || size > UINT32_MAX)
        return SORA_E_INVALID;
    memset(opts, 0, size);
    opts->struct_size = (uint32_t)size;
    return SORA_OK;
}

static int take(sora_context *ctx, const sora_model_opts *opts, sora_model_opts *taken, sorai_device **device, int32_t *product,
                sora_error *err) {
    sora_model_opts o = {.struct_size = sizeof o};
    if (opts)
        SORA_TRY(sorai_take_opts(&o, sizeof o, opts, "sora_model_opts", err));
    *taken = o;
    if (o.lora_count && !o.loras)
        return sorai_fail(err, SORA_E_INVALID, "sora_model_opts: loras is NULL");
    if (o.flags || o.reserved || o.reserved2)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "sora_model_opts: unknown flags");
    *device = sorai_context_device(ctx, o.device);
    if (!*device)
        return sorai_fail(err, SORA_E_NOTFOUND, "sora_model_opts: no backend named %s is loaded", o.device);
    *product = o.dtype ? o.dtype : sorai_cpu_products();
    if (*product != SORA_DTYPE_F32 && *product != SORA_DTYPE_BF16 && *product != SORA_DTYPE_I8)
        return sorai_fail(err, SORA_E_INVALID, "sora_model_opts: dtype is 0, f32, bf16 or i8");
    return SORA_OK;
}

static int finish(sora_model **out, sora_context *ctx, sorai_device *device, int32_t product, sorai_package *package, sora_error *err) {
    sorai_package_keep(package, true);
    SORA_TRY(sorai_model_create(out, &ctx->mem, device, product, package, err));
    (*out)->context = sorai_context_ref(ctx);
    (*out)->context_unref = sorai_context_unref;
    return SORA_OK;
}

static int add_loras(sora_context *ctx, sorai_package *package, const sora_model_opts *o, sora_error *err) {
    sorai_loras *loras = NULL;
    if (!o->lora_count)
        return SORA_OK;
    SORA_TRY(sorai_loras_create(&loras, &ctx->mem, err));
    int status = SORA_OK;
    for (uint32_t i = 0; i < o->lora_count && status == SORA_OK; i++) {
        const int32_t target = o->lora_targets ? o->lora_targets[i] : SORA_LORA_ALL;
        if (!o->loras[i] || target < SORA_LORA_ALL || target > SORA_LORA_LOW)
            status = sorai_fail(err, SORA_E_INVALID, "sora_model_opts: LoRA %u: no path, or no target", i);
        else
            status = sorai_loras_add(loras, package, o->loras[i], o->lora_strengths ? o->lora_strengths[i] : 1.0, target, err);
    }
    if (status == SORA_OK)
        sorai_loras_install(loras, package);
    else
        sorai_loras_free(&loras);
    return status;
}

int sora_model_open(sora_model **out, sora_context *ctx, const char *path, const sora_model_opts *opts, sora_error *err) {
    sorai_device *device;
    sorai_package *package = NULL;
    sora_model_opts o;
    int32_t product;
    if (!out)
        return sorai_fail(err, SORA_E_INVALID, "sora_model_open: out is NULL");
    *out = NULL;
    if (!ctx)
        return sorai_fail(err, SORA_E_INVALID, "sora_model_open: a context is needed");
    SORA_TRY(take(ctx, opts, &o, &device, &product, err));
    if (!path && !o.transformer && !o.transformer_2 && !o.vae && !o.text_encoder && !o.image_encoder && !o.tokenizer)
        return sorai_fail(err, SORA_E_INVALID, "sora_model_open: path is needed");
    const sorai_model_files files = {path, o.transformer, o.transformer_2, o.vae, o.text_encoder, o.tokenizer, o.image_encoder};
    SORA_TRY(sorai_files_open(&package, &ctx->mem, &files, err));
    sorai_package_narrow(package, product != SORA_DTYPE_F32);
    const int status = add_loras(ctx, package, &o, err);
    if (status != SORA_OK) {
        sorai_package_close(&package);
        return status;
    }
    return finish(out, ctx, device, product, package, err);
}

/* The public callbacks give a count; the reader's want all or nothing. */
typedef struct io_bridge {
    sora_io io;
    sorai_mem *mem;
} io_bridge;

static int bridge_read(void *user, uint64_t offset, void *dst, size_t n) {
    const io_bridge *b = user;
    return b->io.read_at(b->io.user, offset, dst, n) == (int64_t)n ? 0 : -1;
}

static void bridge_close(void *user) {
    io_bridge *b = user;
    sorai_free(b->mem, b);
}

int sora_model_open_io(sora_model **out, sora_context *ctx, const sora_io *io, const sora_model_opts *opts, sora_error *err) {
    sorai_device *device;
    sorai_package *package = NULL;
    sorai_source *source = NULL;
    sora_model_opts o;
    int32_t product;
    if (!out)
        return sorai_fail(err, SORA_E_INVALID, "sora_model_open_io: out is NULL");
    *out = NULL;
    if (!ctx || !io || !io->read_at)
        return sorai_fail(err, SORA_E_INVALID, "sora_model_open_io: context and io with read_at are needed");
    SORA_TRY(take(ctx, opts, &o, &device, &product, err));
    if (o.transformer || o.transformer_2 || o.vae || o.text_encoder || o.image_encoder || o.tokenizer || o.lora_count)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "sora_model_open_io: single files and LoRAs need sora_model_open");
    io_bridge *bridge = sorai_calloc(&ctx->mem, 1, sizeof *bridge);
    if (!bridge)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a model");
    *bridge = (io_bridge){*io, &ctx->mem};
    const sorai_io own = {bridge, io->size, bridge_read, bridge_close};
    SORA_TRY(sorai_source_io(&source, &ctx->mem, io->name ? io->name : "model", &own, err)); /* closes the bridge when it fails */
    const int status = sorai_files_open_source(&package, &ctx->mem, source, err);
    sorai_source_unref(&source);
    return status == SORA_OK ? finish(out, ctx, device, product, package, err) : status;
}

sora_model *sora_model_ref(sora_model *model) {
    if (model)
        atomic_fetch_add(&model->refs, 1);
    return model;
}

void sora_model_unref(sora_model **model) {
    if (model)
        sorai_model_unref(model);
}

/* Parameters are counted from the lists of tensors; scales of int8 rows are none. */
static uint64_t count_parameters(sora_model *m) {
    uint64_t sum = 0;
    const char *part;
    for (size_t i = 0; (part = sorai_package_part(m->package, i)) != NULL; i++) {
        size_t n = 0;
        if (sorai_package_tensor_count(m->package, part, &n, NULL) != SORA_OK)
            continue;
        for (size_t k = 0; k < n; k++) {
            sorai_tensor_info info;
            if (sorai_package_tensor(m->package, part, k, &info, NULL) != SORA_OK)
                continue;
            const size_t length = strlen(info.name);
            uint64_t count = 1;
            for (int32_t a = 0; a < info.rank; a++)
                count *= (uint64_t)info.shape[a];
            if (length < 6 || strcmp(info.name + length - 6, ".scale") != 0)
                sum += count;
        }
    }
    return sum;
}

int sora_model_info(const sora_model *model, sora_model_desc *out) {
    if (!model)
        return SORA_E_INVALID;
    sora_model *m = (sora_model *)(uintptr_t)model; /* the package caches what it reads: under the lock */
    const sorai_model_defaults *d = &m->defaults;
    sora_model_desc o = {.struct_size = sizeof o};
    sorai_lock_take(&m->lock);
    o.parts = (m->has_dit || m->has_ltx ? SORA_PART_TRANSFORMER : 0u) | (m->has_vae || m->has_ltx_vae ? SORA_PART_VAE : 0u) | (m->has_t5 ? SORA_PART_TEXT_ENCODER : 0u) |
              (m->has_probe ? SORA_PART_PROBE : 0u);
    sorai_bytes blob = {0};
    for (int i = 0; i < 2; i++)
        if (sorai_package_blob(m->package, i ? "tokenizer/tokenizer.json" : "tokenizer/spiece.model", &blob, NULL) == SORA_OK) {
            o.parts |= SORA_PART_TOKENIZER;
            sorai_bytes_release(&blob);
        }
    o.parameters = count_parameters(m);
    o.format = sorai_package_layout(m->package);
    sorai_lock_give(&m->lock);
    o.family = sorai_model_family(m);
    o.name = d->name;
    if (m->has_vae || m->has_ltx_vae) {
        o.latent_channels = sorai_model_latent_channels(m);
        o.temporal_factor = sorai_model_time_factor(m);
        o.spatial_factor = sorai_model_space_factor(m);
    }
    if (m->has_ltx) {
        o.patch_t = m->ltx_config.patch_size_t;
        o.patch_h = o.patch_w = m->ltx_config.patch_size;
    }
    if (m->has_dit) {
        o.patch_t = m->dit_config.patch_size[0];
        o.patch_h = m->dit_config.patch_size[1];
        o.patch_w = m->dit_config.patch_size[2];
    }
    o.text_length = d->text_length;
    o.default_width = d->width;
    o.default_height = d->height;
    o.default_frames = d->frames;
    o.default_steps = d->steps;
    o.default_fps = d->fps;
    o.default_guidance = d->guidance;
    o.default_shift = d->shift;
    o.default_guidance_given = d->guidance_given;
    o.default_guidance_until = d->guidance_until;
    return sorai_give_struct(out, &o, sizeof o);
}

const char *sora_model_json(sora_model *model, sora_error *err) {
    if (!model)
        return NULL;
    sorai_lock_take(&model->lock);
    if (!model->json)
        model->json = sorai_model_describe(model, err);
    sorai_lock_give(&model->lock);
    return model->json;
}

int sora_model_tokenize(sora_model *model, const char *utf8, size_t length, int32_t *ids, size_t capacity, size_t *count, sora_error *err) {
    if (!model || !utf8 || !count || (capacity && !ids))
        return sorai_fail(err, SORA_E_INVALID, "sora_model_tokenize: an argument that is needed is NULL");
    sorai_ids list;
    sorai_ids_init(&list, model->mem);
    const int status = sorai_model_tokenize(model, utf8, length == (size_t)-1 ? strlen(utf8) : length, &list, err);
    *count = status == SORA_OK ? list.count : 0;
    if (status == SORA_OK && list.count && capacity)
        memcpy(ids, list.ids, (list.count < capacity ? list.count : capacity) * sizeof *ids);
    sorai_ids_release(&list);
    return status;
}

int sora_model_save(sora_model *model, const char *to_path, int32_t weights, sora_error *err) {
    if (!model || !to_path)
        return sorai_fail(err, SORA_E_INVALID, "sora_model_save: model and path are needed");
    sorai_lock_take(&model->lock);
    sorai_package_narrow(model->package, false); /* what is written is exact */
    sorai_package_keep(model->package, false);
    const int status = sorai_model_write(model->mem, model->package, to_path, weights, err);
    sorai_package_narrow(model->package, model->product != SORA_DTYPE_F32);
    sorai_package_keep(model->package, true);
    sorai_lock_give(&model->lock);
    return status;
}

int sora_model_convert(sora_context *ctx, const char *from_path, const char *to_path, int32_t weights, sora_error *err) {
    if (!ctx || !from_path || !to_path)
        return sorai_fail(err, SORA_E_INVALID, "sora_model_convert: context and paths are needed");
    return sorai_model_convert(&ctx->mem, from_path, to_path, weights, err);
}
