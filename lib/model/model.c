#include "lib/model/model.h"

#include <string.h>

#include "lib/io/clean_text.h"
#include "lib/model/fields.h"
#include "sora/pipeline.h"

static const char *const part_names[SORAI_NET_COUNT] = {"transformer",  "transformer_2", "vae",  "vae",
                                                       "text_encoder", "image_encoder", "probe", "transformer",
                                                       "vae"};

/* A part's config, NULL when it has none; other failures are told. */
static int config_of(const sora_model *m, const char *part, json_t **json, sora_error *err) {
    sora_error why = {.struct_size = sizeof why};
    *json = NULL;
    if (!sorai_package_has(m->package, part))
        return SORA_OK;
    const int status = sorai_package_config(m->package, part, json, &why);
    if (status == SORA_OK || status == SORA_E_NOTFOUND)
        return SORA_OK;
    return sorai_fail(err, status, "%s", why.message);
}

/* What reading a config gave: the message names part and field, and here the file gets its name. */
static int told(const sora_model *m, const char *part, int status, const sora_error *why, sora_error *err) {
    const sorai_weights *own = sorai_package_weights(m->package, part);
    return status == SORA_OK ? status : sorai_fail(err, status, "%.250s: %s", own ? sorai_weights_name(own) : sorai_package_name(m->package), why->message);
}

static int class_is(json_t *json, const char *name) {
    const char *kind = json ? json_string_value(json_object_get(json, "_class_name")) : NULL;
    return kind && strcmp(kind, name) == 0;
}

/* What the index of a pipeline says beside its parts. */
static int read_pipeline(sora_model *m, sora_error *err) {
    sora_error why = {.struct_size = sizeof why};
    sorai_fields f = {sorai_package_index(m->package), "model_index", &why, SORA_OK};
    const double ratio = sorai_field_number(&f, "boundary_ratio", 0.0);
    m->expand_timesteps = sorai_field_bool(&f, "expand_timesteps", 0);
    if (f.status == SORA_OK && !(ratio >= 0.0 && ratio <= 1.0))
        return sorai_fail(err, SORA_E_FORMAT, "%s: boundary_ratio must be in 0..1", sorai_package_name(m->package));
    m->boundary = ratio * 1000.0; /* of the timesteps, as every scheduler here counts them */
    return told(m, "", f.status, &why, err);
}

static int read_defaults(sora_model *m, sora_error *err) {
    json_t *transformer = NULL, *scheduler = NULL;
    SORA_TRY(config_of(m, "transformer", &transformer, err));
    SORA_TRY(config_of(m, "scheduler", &scheduler, err));
    const int ltx = class_is(transformer, "LTXVideoTransformer3DModel");
    json_t *index = sorai_package_index(m->package), *own = index ? json_object_get(index, "sora") : NULL;
    sora_error why = {.struct_size = sizeof why};
    sorai_fields f = {own, "model_index.sora", &why, SORA_OK};
    sorai_model_defaults *d = &m->defaults;
    d->name = sorai_field_text(&f, "name", "");
    d->text_length = sorai_field_int(&f, "text_length", ltx ? 128 : 512, 1, 1 << 20);
    d->width = sorai_field_int(&f, "width", ltx ? 704 : 832, 1, 1 << 16);
    d->height = sorai_field_int(&f, "height", ltx ? 512 : 480, 1, 1 << 16);
    d->frames = sorai_field_int(&f, "frames", ltx ? 161 : 81, 1, 1 << 20);
    d->steps = sorai_field_int(&f, "steps", 50, 1, 1000);
    d->fps = sorai_field_number(&f, "fps", ltx ? 25 : 16);
    d->guidance = sorai_field_number(&f, "guidance", ltx ? 3 : 5);
    d->guidance_given = sorai_field_number(&f, "guidance_given", d->guidance);
    d->guidance_until = sorai_field_number(&f, "guidance_until", 0);
    d->shift = sorai_field_number(&f, "shift", 0);
    d->guidance2 = sorai_field_number(&f, "guidance_2", -1);
    const char *solver = sorai_field_text(&f, "sampler", "");
    double given[64];
    d->given = sorai_field_numbers(&f, "timesteps", given, 64, 0);
    for (int32_t i = 0; i < d->given && f.status == SORA_OK; i++) {
        d->timesteps[i] = (float)given[i];
        if (!(given[i] > 0.0 && given[i] <= 1000.0 && (i == 0 || given[i] < given[i - 1])))
            f.status = sorai_fail(&why, SORA_E_FORMAT, "timesteps must fall, from at most 1000");
    }
    if (f.status == SORA_OK && scheduler)
        f.status = sorai_config_scheduler(scheduler, ltx, &d->scheduler, &why);
    /* What is not said there is as the scheduler has it. */
    d->shift = d->shift != 0.0 ? d->shift : scheduler ? d->scheduler.shift : 3.0;
    d->solver = strcmp(solver, "euler") == 0   ? SORA_SAMPLER_EULER
                : strcmp(solver, "dpmpp") == 0 ? SORA_SAMPLER_DPMPP
                : strcmp(solver, "lcm") == 0   ? SORA_SAMPLER_LCM
                : !solver[0] && scheduler      ? d->scheduler.solver
                                               : SORA_SAMPLER_UNIPC;
    if (f.status == SORA_OK && (!(d->fps > 0.0) || !(d->shift > 0.0)))
        f.status = sorai_fail(&why, SORA_E_FORMAT, "fps and shift must be positive");
    if (f.status == SORA_OK && !(d->guidance_until >= 0.0 && d->guidance_until <= 1.0))
        f.status = sorai_fail(&why, SORA_E_FORMAT, "guidance_until must be in 0..1");
    return told(m, "", f.status, &why, err);
}

static int read_config(sora_model *m, const char *part, int32_t *has, json_t **json, sora_error *err) {
    *has = 0;
    if (!sorai_package_has(m->package, part))
        return SORA_OK;
    SORA_TRY(sorai_package_config(m->package, part, json, err));
    *has = 1;
    return SORA_OK;
}

static int read_configs(sora_model *m, sora_error *err) {
    json_t *json = NULL;
    sora_error why = {.struct_size = sizeof why};
    SORA_TRY(read_config(m, "transformer", &m->has_dit, &json, err));
    if (m->has_dit && class_is(json, "LTXVideoTransformer3DModel")) {
        m->has_ltx = m->expand_timesteps = 1;
        m->has_dit = 0;
        m->boundary = 0.0; /* of two experts, which this family does not have */
        m->keyframes = class_is(sorai_package_index(m->package), "LTXConditionPipeline");
        SORA_TRY(told(m, "transformer", sorai_config_ltx(json, &m->ltx_config, &why), &why, err));
    }
    if (m->has_dit)
        SORA_TRY(told(m, "transformer", sorai_config_dit(json, &m->dit_config, &why), &why, err));
    SORA_TRY(read_config(m, "transformer_2", &m->has_dit2, &json, err));
    if (m->has_dit2)
        SORA_TRY(told(m, "transformer_2", sorai_config_dit(json, &m->dit2_config, &why), &why, err));
    SORA_TRY(read_config(m, "vae", &m->has_vae, &json, err));
    if (m->has_vae && class_is(json, "AutoencoderKLLTXVideo")) {
        m->has_ltx_vae = 1;
        m->has_vae = 0;
        SORA_TRY(told(m, "vae", sorai_config_ltx_vae(json, &m->ltx_vae_config, &why), &why, err));
    }
    if (m->has_vae)
        SORA_TRY(told(m, "vae", sorai_config_vae(json, &m->vae_config, &why), &why, err));
    SORA_TRY(read_config(m, "text_encoder", &m->has_t5, &json, err));
    if (m->has_t5)
        SORA_TRY(told(m, "text_encoder", sorai_config_t5(json, &m->t5_config, &why), &why, err));
    SORA_TRY(read_config(m, "image_encoder", &m->has_vision, &json, err));
    if (m->has_vision) {
        SORA_TRY(told(m, "image_encoder", sorai_config_vision(json, &m->vision_config, &why), &why, err));
        sorai_vision_prepare_init(&m->prepare);
        int32_t has = 0;
        SORA_TRY(read_config(m, "image_processor", &has, &json, err));
        if (has)
            SORA_TRY(told(m, "image_processor", sorai_config_prepare(json, &m->prepare, &why), &why, err));
    }
    SORA_TRY(read_config(m, "probe", &m->has_probe, &json, err));
    if (m->has_probe)
        SORA_TRY(told(m, "probe", sorai_config_probe(json, &m->probe_config, &why), &why, err));
    return SORA_OK;
}

int32_t sorai_model_time_factor(const sora_model *m) {
    if (m->has_ltx_vae)
        return sorai_ltx_vae_time_factor(&m->ltx_vae_config);
    return m->has_vae ? sorai_vae_time_factor(&m->vae_config) : m->has_ltx ? 8 : 4;
}

int32_t sorai_model_space_factor(const sora_model *m) {
    if (m->has_ltx_vae)
        return sorai_ltx_vae_space_factor(&m->ltx_vae_config);
    return m->has_vae ? sorai_vae_space_factor(&m->vae_config) : m->has_ltx ? 32 : 8;
}

int32_t sorai_model_decoded_time(const sora_model *m) {
    return m->has_ltx_vae ? sorai_ltx_vae_decoded_time(&m->ltx_vae_config) : sorai_model_time_factor(m);
}

int32_t sorai_model_decoded_space(const sora_model *m) {
    return m->has_ltx_vae ? sorai_ltx_vae_decoded_space(&m->ltx_vae_config) : sorai_model_space_factor(m);
}

int32_t sorai_model_latent_channels(const sora_model *m) {
    return m->has_ltx_vae ? m->ltx_vae_config.latent_channels : m->vae_config.z_dim;
}

static void release(sora_model *m, enum sorai_model_net net);

int sorai_model_create(sora_model **out, sorai_mem *mem, sorai_device *device, int32_t product, sorai_package *package, sora_error *err) {
    *out = NULL;
    sora_model *m = sorai_calloc(mem, 1, sizeof *m);
    if (!m) {
        sorai_package_close(&package);
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a model");
    }
    atomic_init(&m->refs, 1);
    m->mem = mem;
    m->device = device;
    m->product = product;
    m->package = package;
    sorai_lock_init(&m->lock);
    int status = read_defaults(m, err);
    if (status == SORA_OK)
        status = read_pipeline(m, err);
    if (status == SORA_OK)
        status = read_configs(m, err);
    if (status == SORA_OK)
        *out = m;
    else
        sorai_model_unref(&m);
    return status;
}

void sorai_model_unref(sora_model **handle) {
    sora_model *m = *handle;
    *handle = NULL;
    if (!m || atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    for (int i = 0; i < SORAI_NET_COUNT; i++)
        release(m, (enum sorai_model_net)i);
    sorai_tokenizer_close(&m->tokenizer);
    sorai_package_close(&m->package);
    sorai_lock_destroy(&m->lock);
    sora_context *context = m->context;
    void (*context_unref)(sora_context **) = m->context_unref;
    sorai_free(m->mem, m->json);
    sorai_free(m->mem, m);
    if (context)
        context_unref(&context);
}

typedef struct lookup_place {
    sora_model *model;
    const char *part;
    int failed; /* reading did: its message names the file */
} lookup_place;

static int lookup(void *user, const char *name, sora_tensor **out, sora_error *err) {
    lookup_place *place = user;
    const int status = sorai_package_lookup(place->model->package, place->part, name, out, err);
    place->failed = status != SORA_OK;
    return status;
}

static int has_net(const sora_model *m, enum sorai_model_net net) {
    const int32_t has[SORAI_NET_COUNT] = {m->has_dit, m->has_dit2, m->has_vae, m->has_vae, m->has_t5, m->has_vision, m->has_probe, m->has_ltx, m->has_ltx_vae};
    return has[net];
}

/* A tensor of which only type and shape can be asked. */
static int hollow(void *user, const char *name, sora_tensor **out, sora_error *err) {
    static const float nothing; /* never read */
    lookup_place *place = user;
    sorai_tensor_info info;
    place->failed = 1;
    SORA_TRY(sorai_package_find(place->model->package, place->part, name, &info, err));
    if (!info.dtype)
        return sorai_fail(err, SORA_E_UNSUPPORTED, "%.250s: tensor \"%.150s\" is of type %s, which is not supported",
                          sorai_package_name(place->model->package), name, info.type);
    const int32_t dtype = info.dtype == SORA_DTYPE_I8 ? SORA_DTYPE_BF16 : info.dtype; /* with scales beside it */
    place->failed = 0;
    return sorai_tensor_wrap(out, place->model->mem, dtype, info.rank, info.shape, (void *)(uintptr_t)&nothing, NULL, NULL, NULL, err);
}

static int bind(sora_model *m, enum sorai_model_net net, sorai_lookup_fn *from, sora_error *err) {
    if (net >= SORAI_NET_COUNT) /* compilers that count places along would warn */
        return sorai_fail(err, SORA_E_INTERNAL, "a network that is none");
    if (!has_net(m, net))
        return sorai_fail(err, SORA_E_NOTFOUND, "%s: has no %s", sorai_package_name(m->package), part_names[net]);
    lookup_place place = {m, part_names[net], 0};
    sorai_store *store = &m->stores[net];
    SORA_TRY(sorai_store_init(store, m->mem, m->device));
    store->lookup = from;
    store->lookup_user = &place;
    static const char *const prefixes[SORAI_NET_COUNT] = {"transformer/",  "transformer_2/", "vae/",  "vae/",
                                                          "text_encoder/", "image_encoder/", "probe/", "transformer/", "vae/"};
    store->prefix = prefixes[net];
    sora_error why = {.struct_size = sizeof why};
    int status;
    switch (net) {
    case SORAI_NET_TRANSFORMER:
        status = sorai_dit_bind(&m->dit, store, &m->dit_config, &why);
        break;
    case SORAI_NET_TRANSFORMER_2:
        status = sorai_dit_bind(&m->dit2, store, &m->dit2_config, &why);
        break;
    case SORAI_NET_ENCODER:
        status = sorai_vae_bind(&m->encoder, store, &m->vae_config, SORAI_VAE_ENCODER, &why);
        break;
    case SORAI_NET_DECODER:
        status = sorai_vae_bind(&m->decoder, store, &m->vae_config, SORAI_VAE_DECODER, &why);
        break;
    case SORAI_NET_TEXT:
        status = sorai_t5_bind(&m->t5, store, &m->t5_config, &why);
        break;
    case SORAI_NET_IMAGE:
        status = sorai_vision_bind(&m->vision, store, &m->vision_config, &why);
        break;
    case SORAI_NET_PROBE:
        status = sorai_probe_bind(&m->probe, store, &m->probe_config, &why);
        break;
    case SORAI_NET_LTX:
        status = sorai_ltx_bind(&m->ltx, store, &m->ltx_config, &why);
        break;
    case SORAI_NET_LTX_VAE:
        status = sorai_ltx_vae_bind(&m->ltx_vae, store, &m->ltx_vae_config, &why);
        break;
    default:
        status = SORA_E_INTERNAL;
        break;
    }
    store->lookup = NULL;
    store->lookup_user = NULL;
    if (status == SORA_OK)
        return SORA_OK;
    sorai_store_release(store);
    /* Networks and their store know tensors, but no files. */
    return place.failed ? sorai_fail(err, status, "%s", why.message) : told(m, part_names[net], status, &why, err);
}

static void release(sora_model *m, enum sorai_model_net net) {
    if (net == SORAI_NET_TRANSFORMER)
        sorai_dit_release(&m->dit);
    else if (net == SORAI_NET_TRANSFORMER_2)
        sorai_dit_release(&m->dit2);
    else if (net == SORAI_NET_TEXT)
        sorai_t5_release(&m->t5);
    else if (net == SORAI_NET_IMAGE)
        sorai_vision_release(&m->vision);
    else if (net == SORAI_NET_LTX)
        sorai_ltx_release(&m->ltx);
    if (m->stores[net].mem)
        sorai_store_release(&m->stores[net]);
    memset(&m->stores[net], 0, sizeof m->stores[net]);
    m->bound[net] = 0;
}

int sorai_model_check(const sora_model *m, sora_error *err) {
    if (!m->device->host_memory) /* values would be sent there */
        return SORA_OK;
    sora_model *trial = sorai_calloc(m->mem, 1, sizeof *trial);
    if (!trial)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a model");
    memcpy(trial, m, sizeof *trial);
    memset(trial->stores, 0, sizeof trial->stores);
    int status = SORA_OK;
    for (int net = 0; net < SORAI_NET_COUNT && status == SORA_OK; net++) {
        size_t n = 0;
        if (!has_net(m, (enum sorai_model_net)net) || sorai_package_tensor_count(m->package, part_names[net], &n, err) != SORA_OK || n == 0)
            continue;
        status = bind(trial, (enum sorai_model_net)net, hollow, err);
        if (status == SORA_OK)
            release(trial, (enum sorai_model_net)net);
    }
    sorai_free(m->mem, trial);
    return status;
}

int sorai_model_need(sora_model *m, enum sorai_model_net net, sora_error *err) {
    int status = SORA_OK;
    sorai_lock_take(&m->lock);
    if (!m->bound[net]) {
        status = bind(m, net, lookup, err);
        m->bound[net] = status == SORA_OK;
    }
    sorai_lock_give(&m->lock);
    return status;
}

enum sorai_model_net sorai_model_expert(const sora_model *m, double timestep) {
    if (m->has_ltx)
        return SORAI_NET_LTX;
    return m->boundary > 0.0 && timestep < m->boundary ? SORAI_NET_TRANSFORMER_2 : SORAI_NET_TRANSFORMER;
}

int sorai_model_take_expert(sora_model *m, enum sorai_model_net net, enum sorai_model_net *held, sora_error *err) {
    if (*held == net)
        return SORA_OK;
    sorai_model_give_expert(m, held);
    int status = SORA_OK;
    sorai_lock_take(&m->lock);
    const enum sorai_model_net other = net == SORAI_NET_TRANSFORMER ? SORAI_NET_TRANSFORMER_2 : SORAI_NET_TRANSFORMER;
    if (!m->bound[net] && m->bound[other] && m->users[other] == 0)
        release(m, other);
    if (!m->bound[net]) {
        status = bind(m, net, lookup, err);
        m->bound[net] = status == SORA_OK;
    }
    if (status == SORA_OK) {
        m->users[net]++;
        *held = net;
    }
    sorai_lock_give(&m->lock);
    return status;
}

void sorai_model_give_expert(sora_model *m, enum sorai_model_net *held) {
    if (*held == SORAI_NET_COUNT)
        return;
    sorai_lock_take(&m->lock);
    m->users[*held]--;
    sorai_lock_give(&m->lock);
    *held = SORAI_NET_COUNT;
}

int sorai_model_need_tokenizer(sora_model *m, sora_error *err) {
    int status = SORA_OK;
    sorai_lock_take(&m->lock);
    if (!m->tokenizer)
        status = sorai_tokenizer_open_package(&m->tokenizer, m->mem, m->package, err);
    sorai_lock_give(&m->lock);
    return status;
}

int sorai_model_tokenize(sora_model *m, const char *text, size_t length, sorai_ids *out, sora_error *err) {
    SORA_TRY(sorai_model_need_tokenizer(m, err));
    sorai_buffer clean;
    sorai_buffer_init(&clean, m->mem);
    int status = sorai_clean_text(text, length, &clean, err);
    if (status == SORA_OK)
        status = sorai_tokenizer_encode(m->tokenizer, (const char *)clean.data, clean.size, (size_t)m->defaults.text_length, out, err);
    sorai_buffer_release(&clean);
    return status;
}
