/* What a run will take: the same networks run once on a device that only counts, so the answer follows the code by itself. */
#include <string.h>

#include "lib/ops/ops.h"
#include "lib/pipeline/counting.h"
#include "lib/pipeline/estimate.h"
#include "lib/pipeline/pipeline.h"

typedef struct names {
    sora_model *model;
    const char *part;
} names;

/* What a parameter's value is once bound, and whether it stays in the file. */
static void type_of(void *user, const char *name, sorai_blank *out) {
    const names *n = user;
    const sora_model *m = n->model;
    sorai_tensor_info info;
    out->dtype = SORA_DTYPE_F32;
    if (sorai_package_find(m->package, n->part, name, &info, NULL) != SORA_OK || !info.dtype)
        return;
    out->dtype = info.dtype;
    out->mapped = m->device->host_memory && sorai_package_maps(m->package, n->part, &info);
    out->scales = sorai_dtype_small(info.dtype) ? info.scales : 0;
    out->added = info.added;
    out->factor_dtype = m->product == SORA_DTYPE_F32 ? SORA_DTYPE_F32 : SORA_DTYPE_BF16;
}

static uint64_t held_beside(const sora_tensor *t) { return t ? sorai_tensor_bytes(t) + 2 * SORAI_ALIGN : 0; }

/* Bytes that a bound network holds already; `packed`: of weights laid out for products too, which a run that streams them does not count. */
static uint64_t held_by(const sora_model *m, enum sorai_model_net net, int packed) {
    uint64_t sum = 0;
    const sorai_store *s = &m->stores[net];
    for (size_t i = 0; m->bound[net] && i < s->count; i++) {
        const sorai_param *p = s->params[i];
        sum += p->mapped ? 0 : sorai_tensor_bytes(p->value) + 2 * SORAI_ALIGN;
        sum += held_beside(p->value->scale) + held_beside(p->value->down) + held_beside(p->value->up);
        for (size_t k = 0; packed && k < sizeof p->packed / sizeof *p->packed; k++)
            sum += p->packed[k].data ? p->packed[k].bytes + SORAI_ALIGN : 0;
    }
    return sum;
}

/* Of two experts one is held at a time: the larger one counts. */
static enum sorai_model_net larger_expert(const sora_model *m) {
    const sorai_dit_config *a = &m->dit_config, *b = &m->dit2_config;
    if (m->boundary == 0.0 || !m->has_dit2)
        return sorai_model_expert(m, 1000.0);
    const int64_t first = (int64_t)a->num_layers * a->num_attention_heads * a->attention_head_dim;
    const int64_t second = (int64_t)b->num_layers * b->num_attention_heads * b->attention_head_dim;
    return second > first ? SORAI_NET_TRANSFORMER_2 : SORAI_NET_TRANSFORMER;
}

static uint64_t packed_by(const sora_model *m, enum sorai_model_net net) { return held_by(m, net, 1) - held_by(m, net, 0); }

static uint64_t capacity(const sorai_arena *a) {
    uint64_t sum = 0;
    for (size_t i = 0; i < a->count; i++)
        sum += a->chunks[i].size + SORAI_ALIGN;
    return sum;
}

#define SMALL_THINGS 24576 /* heads of tensors, lists: they depend on the host's allocator more than on the request; 18 KB were seen */
#define FOLLOWED 8 /* latents that held.c makes on the way to a clip's own pass; half as many more where the network is told levels */

typedef struct dry_run {
    sora_model *model;
    const sorai_plan *plan;
    sorai_counting_device device;
    sorai_exec exec;
    sorai_store stores[SORAI_NET_COUNT];
    sorai_dit dit;
    sorai_ltx ltx;
    sorai_denoiser denoiser; /* of one of both */
    sorai_kind kind;
    sorai_vae vae, encoder;
    sorai_ltx_vae ltx_vae;
    sorai_t5 t5;
    sorai_vision vision;
    const sora_pipeline *pipeline;
    int32_t tokens; /* of the longer text; 0: none is encoded */
    enum sorai_most most;
    uint64_t lists; /* bytes of networks that are not bound yet, beside their weights */
} dry_run;

static int bind(dry_run *r, enum sorai_model_net net, sora_error *err) {
    static const char *const parts[SORAI_NET_COUNT] = {"transformer", "transformer_2", "vae", "vae", "text_encoder", "image_encoder", "probe", "transformer", "vae"};
    sora_model *m = r->model;
    sorai_store *s = &r->stores[net];
    names n = {m, parts[net]};
    const uint64_t before = atomic_load(&m->mem->used);
    if (s->mem) /* an autoencoder that is bound as a whole */
        return SORA_OK;
    SORA_TRY(sorai_store_init(s, m->mem, &r->device.base));
    s->blank = type_of;
    s->lookup_user = &n;
    int status = SORA_E_INTERNAL;
    switch (net) {
    case SORAI_NET_TRANSFORMER:
    case SORAI_NET_TRANSFORMER_2:
        status = sorai_dit_bind(&r->dit, s, net == SORAI_NET_TRANSFORMER ? &m->dit_config : &m->dit2_config, err);
        break;
    case SORAI_NET_LTX:
        status = sorai_ltx_bind(&r->ltx, s, &m->ltx_config, err);
        break;
    case SORAI_NET_TEXT:
        status = sorai_t5_bind(&r->t5, s, &m->t5_config, err);
        break;
    case SORAI_NET_IMAGE:
        status = sorai_vision_bind(&r->vision, s, &m->vision_config, err);
        break;
    case SORAI_NET_ENCODER:
        status = sorai_vae_bind(&r->encoder, s, &m->vae_config, SORAI_VAE_ENCODER, err);
        break;
    case SORAI_NET_DECODER:
        status = sorai_vae_bind(&r->vae, s, &m->vae_config, SORAI_VAE_DECODER, err);
        break;
    case SORAI_NET_LTX_VAE:
        status = sorai_ltx_vae_bind(&r->ltx_vae, s, &m->ltx_vae_config, err);
        break;
    default:
        break;
    }
    s->lookup_user = NULL;
    /* Lists and names of parameters lie in host memory, which this device does not count, as do the heads of the tensors that a package gives. */
    const uint64_t now = atomic_load(&m->mem->used);
    if (!m->bound[net] && now > before)
        r->lists += now - before + s->count * (sizeof(sora_tensor) + SORAI_ALIGN);
    return status;
}

static void text_pass(dry_run *r) {
    sorai_exec *x = &r->exec;
    int32_t *ids = r->tokens ? sorai_calloc(x->mem, (size_t)r->tokens, sizeof *ids) : NULL;
    x->streamed = 1;
    if (ids)
        sorai_t5_pad(x, sorai_t5_forward(x, &r->t5, ids, &r->tokens, 1, r->tokens), &r->tokens, r->model->defaults.text_length);
    else if (r->tokens)
        sorai_exec_fail(x, SORA_E_NOMEM, "no memory for an estimate");
    x->streamed = 0;
    sorai_free(x->mem, ids);
}

static void rewind_all(sorai_exec *x) {
    sorai_arena_rewind(&x->data, (sorai_arena_mark){0, 0});
    sorai_arena_rewind(&x->meta, (sorai_arena_mark){0, 0});
}

/* What a stream holds is given back with it. */
static void end_stream(dry_run *r, sorai_vae_stream *stream) {
    for (int i = 0; i < SORAI_VAE_MAX_SLOTS; i++)
        if (stream->slot[i].frames) {
            const sora_tensor *t = stream->slot[i].frames; /* shows the frames that are valid; its memory is for all */
            r->device.used -= sorai_tensor_bytes(t) / (size_t)t->shape[1] * (size_t)stream->slot[i].capacity + 2 * SORAI_ALIGN;
        }
    sorai_vae_stream_release(stream);
}

static int wants_embeds(const dry_run *r) {
    return r->plan->needs_embeds && !r->pipeline->slots[SORA_SLOT_IMAGE_EMBEDS];
}

static int wants_encoder(const dry_run *r) {
    return sorai_conditions_lay_pixels(r->pipeline) || (r->plan->needs_condition && !r->pipeline->slots[SORA_SLOT_CONDITION]) ||
           (r->plan->needs_control && !r->pipeline->slots[SORA_SLOT_CONTROL]);
}

/* Rows of picture embeddings. */
static int64_t embed_rows(const dry_run *r) {
    const sora_tensor *given = r->pipeline->slots[SORA_SLOT_IMAGE_EMBEDS];
    return given ? given->shape[0] : sorai_vision_rows(&r->model->vision_config) * (sorai_embeds_two(r->pipeline) ? 2 : 1);
}

/* A piece of video on its way in, and what the encoder makes of it. */
static sora_tensor *encoded_piece(dry_run *r, sorai_vae_stream *stream, int64_t n, const sorai_vae_window *at) {
    sorai_exec *x = &r->exec;
    const sorai_plan *plan = r->plan;
    const int64_t *size = plan->latent + 2, h = plan->full_height, w = plan->full_width;
    const uint64_t host = (uint64_t)(3 * n * h * w) * sizeof(float);
    const sorai_vae_window reach = at ? sorai_vae_encode_reach(&r->encoder, size, at) : (sorai_vae_window){0, 0, h, w};
    sora_tensor *planes = sorai_temp(x, 5, (const int64_t[]){1, 3, n, reach.h, reach.w});
    const uint64_t now = r->device.used + host;
    r->device.peak = now > r->device.peak ? now : r->device.peak;
    sora_tensor *video = sorai_dit_from_planes(x, planes);
    if (at)
        return sorai_vae_encode_window(x, &r->encoder, stream, video, size, at);
    return r->model->has_ltx_vae ? sorai_ltx_vae_encode(x, &r->ltx_vae, video, NULL) : sorai_vae_encode(x, &r->encoder, stream, video, NULL);
}

static void normalized(dry_run *r, sora_tensor *z) {
    sorai_exec *x = &r->exec;
    sorai_dit_to_planes(x, r->model->has_ltx_vae ? sorai_ltx_vae_normalize(x, &r->ltx_vae, z) : sorai_vae_normalize(x, &r->encoder, z));
    rewind_all(x);
}

/* The memory of temporaries goes back, as a run does it. */
static void drop_temporaries(dry_run *r) {
    r->device.used -= capacity(&r->exec.data);
    sorai_arena_release(&r->exec.data);
}

/* The front of the network for a few pieces of each kind of window: what of the frame lies around them is not alike. */
static void window_passes(dry_run *r, int few, int64_t longest) {
    const int64_t *windows = r->plan->encoded_in, *l = r->plan->latent;
    sorai_vae_window seen[32];
    size_t kinds = 0;
    for (int64_t i = 0; i < windows[0] * windows[1]; i++) {
        const sorai_vae_window at = sorai_window_of(windows, l[2], l[3], i), reach = sorai_vae_encode_reach(&r->encoder, l + 2, &at);
        size_t k = 0;
        while (k < kinds && (seen[k].h != reach.h || seen[k].w != reach.w))
            k++;
        if (k < kinds || kinds == sizeof seen / sizeof *seen)
            continue;
        seen[kinds++] = reach;
        drop_temporaries(r);
        sorai_vae_stream stream = {0};
        sorai_vae_stream_begin(&stream, r->model->mem);
        for (int n = 0; n < few; n++) {
            encoded_piece(r, &stream, n ? longest : 1, &at);
            rewind_all(&r->exec);
        }
        end_stream(r, &stream);
    }
}

/* Of a clip of so many frames, in pieces of at most `longest`. */
static void encode_passes(dry_run *r, int64_t frames, int64_t longest) {
    sorai_exec *x = &r->exec;
    const int64_t *windows = r->plan->encoded_in, *l = r->plan->latent;
    const int whole = windows[0] * windows[1] == 1, ltx = r->model->has_ltx_vae;
    const int64_t latents = 1 + (frames - 1) / sorai_model_time_factor(r->model), c = whole ? 0 : r->encoder.encoder.level[r->encoder.config.levels - 1].in_dim;
    const uint64_t front = (uint64_t)(latents * l[2] * l[3] * c) * sizeof(float);
    const int few = ltx ? 1 : latents < 3 ? (int)latents : 3;
    sorai_vae_stream stream = {0};
    if (!whole) {
        (void)x->device->alloc(x->device, front);
        window_passes(r, few, longest);
        drop_temporaries(r);
    }
    sorai_vae_stream_begin(&stream, r->model->mem);
    for (int i = 0; i < few; i++)
        normalized(r, whole ? encoded_piece(r, &stream, i || ltx ? longest : 1, NULL)
                            : sorai_vae_encode_middle(x, &r->encoder, &stream, sorai_temp(x, 5, (const int64_t[]){1, 1, l[2], l[3], c}), NULL));
    end_stream(r, &stream);
    r->device.used -= front;
}

static void picture_passes(dry_run *r) {
    sorai_exec *x = &r->exec;
    const sorai_plan *plan = r->plan;
    const sora_model *m = r->model;
    const int64_t w = plan->full_width, h = plan->full_height;
    if (wants_embeds(r)) {
        const int64_t size = m->vision_config.image_size;
        x->streamed = 1;
        sorai_vision_forward(x, &r->vision, sorai_temp(x, 4, (const int64_t[]){1, 3, size, size}));
        x->streamed = 0;
        rewind_all(x);
    }
    if (!wants_encoder(r))
        return;
    const int64_t time = sorai_model_time_factor(m), in_latent = plan->latent[2] * plan->latent[3] * plan->latent[4];
    /* A first frame that stands in the latent is encoded alone. */
    const int single = !sorai_conditions_lay_pixels(r->pipeline) && !plan->needs_control && !plan->joins;
    int64_t longest = single ? 1 : m->has_ltx_vae ? plan->full_frames : time; /* piece */
    if (m->has_ltx_vae && !single && !sorai_conditions_lay_places(r->pipeline, plan)) { /* clips by themselves */
        longest = 1;
        for (size_t i = 0; i < r->pipeline->conditions.count; i++) {
            const int64_t n = sorai_condition_key(&r->pipeline->conditions.list[i], plan);
            longest = n > longest ? n : longest;
        }
    }
    /* At this time only: pictures as floats, encoded parts, a mask. */
    const sora_tensor *const *slots = (const sora_tensor *const *)r->pipeline->slots;
    const int64_t pictures = plan->needs_control ? 2 : (slots[SORA_SLOT_IMAGE] != NULL) + (slots[SORA_SLOT_LAST_IMAGE] != NULL);
    const int64_t mask = slots[SORA_SLOT_MASK] ? plan->full_frames * w * h : 0, parts = (single ? 2 : 2 * plan->latent[1]) * in_latent;
    const uint64_t beside = (uint64_t)(mask + pictures * 3 * w * h + parts) * sizeof(float);
    r->device.used += beside;
    encode_passes(r, single ? 1 : plan->full_frames, longest);
    r->device.used -= beside;
}

/* Into how many groups of tokens timesteps fall, as in loop.c: one where all are made at the same noise. Places of whole frames are told alike. */
static int64_t time_groups(const dry_run *r) {
    const sorai_conditions *c = &r->pipeline->conditions;
    const sorai_plan *plan = r->plan;
    const int64_t frames = plan->latent[1] / r->kind.patch[0];
    const int first = plan->needs_condition && !plan->joins;
    int frame = first, token = 0;
    for (size_t i = 0; i < c->count && r->model->expand_timesteps; i++) {
        const sora_condition *one = &c->list[i];
        const int64_t *f = one->frames ? one->frames->shape : NULL;
        frame = 1;
        token = token || one->mask || (f && one->fit == SORA_FIT_INSIDE && f[2] * plan->height != f[1] * plan->width);
    }
    return token ? sorai_kind_tokens(&r->kind, plan->latent) : frame ? frames : 1;
}

/* One of guidance's two passes, as in loop.c. */
static sora_tensor *forward(dry_run *r, sora_tensor *latent, const sorai_dit_control *control, const sorai_prompt *prompt, const sora_tensor *residual) {
    const int64_t groups = time_groups(r);
    sora_tensor part;
    const sorai_step_cache cache = {&part, 0};
    float *times = sorai_arena_alloc(&r->exec.meta, (size_t)(2 * groups) * sizeof *times);
    if (!times)
        return sorai_exec_fail(&r->exec, SORA_E_NOMEM, "no memory for an estimate");
    for (int64_t i = 0; i < 2 * groups; i++)
        times[i] = (float)(1 + i % groups % 900); /* neighbours differ */
    if (residual) {
        part = *residual;
        part.shape[0] = latent ? latent->shape[0] : 1;
    }
    sora_tensor *const twice[2] = {control->latent, control->latent};
    const sorai_dit_control given = {control->latent && prompt->batch == 2 ? sorai_concat(&r->exec, twice, 2, 0) : control->latent, NULL};
    return sorai_denoiser_forward(&r->exec, &r->denoiser, latent, given.latent ? &given : NULL, times, groups, prompt, residual ? &cache : NULL);
}

static void decode_passes(dry_run *r) {
    sorai_exec *x = &r->exec;
    const sorai_plan *plan = r->plan;
    const int64_t *l = plan->latent, frames = l[1] - plan->references, few = frames < 3 ? frames : 3;
    if (plan->whole) {
        static const float clean[1];
        sora_tensor *z = sorai_ltx_vae_denormalize(x, &r->ltx_vae, sorai_dit_from_planes(x, sorai_temp(x, 5, (const int64_t[]){1, l[4], l[1], l[2], l[3]})));
        /* An inner part needs the most around it. */
        const sorai_ltx_box inner = sorai_plan_box(plan, (plan->spans / 2 * plan->windows[0] + plan->windows[0] / 2) * plan->windows[1] + plan->windows[1] / 2);
        sorai_ltx_vae_decode(x, &r->ltx_vae, z, r->ltx_vae.config.timestep_conditioning ? clean : NULL, &inner);
        rewind_all(x);
        return;
    }
    const int whole = plan->windows[0] * plan->windows[1] == 1;
    sorai_vae_window largest = {0, 0, l[2], l[3]};
    sorai_vae_stream stream = {0};
    sorai_vae_stream_begin(&stream, r->model->mem);
    if (!whole) { /* an inner window needs the most around it */
        largest = sorai_plan_window(plan, plan->windows[0] / 2 * plan->windows[1] + plan->windows[1] / 2);
        for (int64_t i = 0; i < few; i++) {
            sora_tensor *one = sorai_temp(x, 5, (const int64_t[]){1, 1, l[2], l[3], l[4]});
            const sora_tensor *h = sorai_vae_decode_middle(x, &r->vae, &stream, sorai_vae_denormalize(x, &r->vae, one));
            if (h && i == 0)
                (void)x->device->alloc(x->device, sorai_tensor_bytes(h) * (size_t)frames);
            rewind_all(x);
        }
        end_stream(r, &stream);
        sorai_vae_stream_begin(&stream, r->model->mem);
    }
    for (int64_t i = 0; i < few; i++) {
        const int64_t c = r->vae.decoder.level[0].in_dim;
        if (whole)
            sorai_vae_decode(x, &r->vae, &stream, sorai_vae_denormalize(x, &r->vae, sorai_temp(x, 5, (const int64_t[]){1, 1, l[2], l[3], l[4]})));
        else
            sorai_vae_decode_window(x, &r->vae, &stream, sorai_temp(x, 5, (const int64_t[]){1, 1, l[2], l[3], c}), &largest);
        rewind_all(x);
    }
    end_stream(r, &stream);
}

/* One piece of video as the decoder gives it, on its way out. */
static uint64_t piece_bytes(const sora_model *m, const sorai_plan *plan) {
    const int64_t space = sorai_model_decoded_space(m), time = sorai_model_decoded_time(m);
    const int64_t longest = (plan->latent[1] + plan->spans - 1) / plan->spans; /* latent frames of a span */
    const int64_t frames = !plan->whole ? (plan->latent[1] > 1 ? time : 1) : plan->spans > 1 ? longest * time : 1 + (longest - 1) * time;
    return (uint64_t)(frames * plan->latent[2] * plan->latent[3] * space * space * 3 / (plan->windows[0] * plan->windows[1])) * sizeof(float);
}

/* The order of allocations is that of run.c. */
static void passes(dry_run *r) {
    sorai_exec *x = &r->exec;
    const sorai_plan *plan = r->plan;
    const sorai_dit_config *c = &r->dit.config; /* of another family: empty */
    const sorai_kind *kind = &r->kind;
    const int64_t b = plan->guided ? 2 : 1, *l = plan->latent, rows = r->model->defaults.text_length;
    /* What networks that come later hold from an earlier run is there from the beginning. */
    const sora_model *m = r->model;
    const uint64_t denoiser = plan->streamed ? 0 : packed_by(m, larger_expert(m)), decoder = m->has_ltx_vae ? 0 : packed_by(m, sorai_model_decoder(m));
    r->device.used += denoiser + decoder;
    text_pass(r);
    rewind_all(x);
    const uint64_t before_pictures = r->device.peak;
    picture_passes(r);
    r->most = r->device.peak > before_pictures ? SORAI_MOST_ENCODING : SORAI_MOST_DENOISING;
    const int encoded = wants_encoder(r);
    if (encoded && plan->encoded_in[0] * plan->encoded_in[1] > 1)
        drop_temporaries(r);
    r->device.used -= denoiser;
    const uint64_t before_denoising = r->device.peak, encoders = capacity(&x->data);
    sora_tensor *text = sorai_temp(x, 3, (const int64_t[]){1, rows, kind->text}), *embeds = NULL, *control = NULL, *residual = NULL;
    sora_tensor *const texts[2] = {text, plan->guided ? sorai_temp(x, 3, (const int64_t[]){1, rows, kind->text}) : NULL};
    if (plan->needs_embeds && c->added_kv_proj_dim)
        embeds = sorai_temp(x, 3, (const int64_t[]){b, embed_rows(r), c->image_dim});
    x->streamed = plan->streamed;
    const sorai_prompt prompt = sorai_denoiser_prepare(x, &r->denoiser, plan->guided ? sorai_concat(x, texts, 2, 0) : text, embeds, NULL);
    sorai_prompt source = {0};
    if (plan->follows)
        source = sorai_denoiser_prepare(x, &r->denoiser, sorai_temp(x, 3, (const int64_t[]){1, rows, kind->text}),
                               embeds ? sorai_temp(x, 3, (const int64_t[]){1, embed_rows(r), c->image_dim}) : NULL, NULL);
    sorai_dit_prompt *shot = prompt.dit;
    for (size_t i = 0; shot && i < r->pipeline->shots.count; i++)
        if (sorai_shot_counts(&r->pipeline->shots, i)) {
            sora_tensor *const both[2] = {sorai_temp(x, 3, (const int64_t[]){1, rows, kind->text}), texts[1]};
            shot = shot->next = sorai_dit_prepare(x, &r->dit, plan->guided ? sorai_concat(x, both, 2, 0) : both[0], NULL);
            if (shot)
                shot->from = (plan->references + r->pipeline->shots.list[i].from) / c->patch_size[0] * (l[2] / c->patch_size[1]) * (l[3] / c->patch_size[2]);
        }
    if (plan->needs_condition)
        sorai_dit_from_planes(x, sorai_temp(x, 5, (const int64_t[]){1, kind->in, l[1], l[2], l[3]}));
    if (plan->needs_control)
        control = sorai_dit_from_planes(x, sorai_temp(x, 5, (const int64_t[]){1, c->vace_in_channels, l[1], l[2], l[3]}));
    const int64_t keys = sorai_conditions_keys(r->pipeline, plan);
    int64_t *key_at = keys ? sorai_arena_alloc(&x->meta, (size_t)keys * sizeof *key_at) : NULL;
    for (int64_t i = 0; key_at && i < keys; i++)
        key_at[i] = 0;
    if (key_at)
        r->denoiser.keys = (sorai_ltx_keys){sorai_dit_from_planes(x, sorai_temp(x, 5, (const int64_t[]){1, l[4], keys, l[2], l[3]})), key_at};
    if (plan->step_cache > 0.0) {
        const sorai_exec_mark here = sorai_exec_here(x);
        sorai_cache_rows(x, kind);
        sorai_denoiser_time(x, &r->denoiser, 500.0f);
        sorai_exec_rewind(x, here);
        residual = sorai_cache_residual(x, kind, b, keys * (l[2] / kind->patch[1]) * (l[3] / kind->patch[2]) + sorai_kind_tokens(kind, l));
    }
    const sorai_exec_mark mark = sorai_exec_here(x);
    sora_tensor *latent = sorai_dit_from_planes(x, sorai_temp(x, 5, (const int64_t[]){1, kind->in, l[1], l[2], l[3]}));
    sora_tensor *twice[2] = {latent, latent}, *velocity = NULL;
    const sorai_dit_control given = {control, NULL};
    const int64_t tokens = sorai_kind_tokens(kind, l);
    if (!prompt.batch || !latent)
        return;
    if (!plan->guided || tokens <= sorai_plan_batched(plan)) {
        velocity = forward(r, plan->guided ? sorai_concat(x, twice, 2, 0) : latent, &given, &prompt, residual);
    } else {
        const sorai_exec_mark inner = sorai_exec_here(x);
        for (int64_t i = 0; i < 2; i++) {
            const sorai_prompt one = sorai_denoiser_sample(x, &prompt, i);
            velocity = forward(r, latent, &given, &one, residual);
            velocity = i ? velocity : sorai_exec_rewind_keep(x, inner, velocity);
        }
    }
    if (plan->follows) { /* beside the velocity: the clip's own pass, what is held, and the difference */
        velocity = sorai_exec_rewind_keep(x, mark, velocity);
        sora_tensor *clip = sorai_temp(x, 5, (const int64_t[]){1, l[1], l[2], l[3], kind->in});
        for (int64_t i = 0; i < FOLLOWED + (r->model->expand_timesteps ? FOLLOWED / 2 : 0); i++)
            sorai_temp(x, 5, l);
        velocity = forward(r, clip, &given, &source, NULL);
    }
    sorai_axpby(x, 1.0, velocity, 0.0, NULL);
    x->streamed = 0;
    sorai_exec_rewind(x, mark);
    rewind_all(x);
    r->most = r->device.peak > before_denoising ? SORAI_MOST_DENOISING : r->most;
    r->device.used += piece_bytes(m, plan);
    r->device.used -= decoder;
    const uint64_t before_decoding = r->device.peak;
    decode_passes(r);
    r->most = r->device.peak > before_decoding ? SORAI_MOST_DECODING : r->most;
    /* What the encoder took is enough for all, and lies beside what the others keep. */
    if (encoded && capacity(&x->data) == encoders && !m->has_ltx_vae && sorai_vae_encodes_windows(&m->vae_config))
        r->most = SORAI_MOST_ENCODING;
}

static int begin(dry_run **out, sora_pipeline *p, const sorai_plan *plan, sora_error *err) {
    dry_run *r = *out = sorai_calloc(p->mem, 1, sizeof *r);
    if (!r)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for an estimate");
    r->model = p->model;
    r->pipeline = p;
    r->plan = plan;
    sorai_counting_device_init(&r->device);
    return SORA_OK;
}

int sorai_estimate_run(sora_pipeline *p, const sorai_plan *plan, int32_t tokens, uint64_t *after, uint64_t *peak, enum sorai_most *most,
                       sora_error *err) {
    sora_model *m = p->model;
    dry_run *r;
    SORA_TRY(begin(&r, p, plan, err));
    r->tokens = tokens;
    const enum sorai_model_net expert = larger_expert(m);
    sorai_lock_take(&m->lock); /* the package is read for types */
    int status = sorai_exec_init(&r->exec, &r->device.base, p->mem, m->product, err);
    if (status == SORA_OK)
        status = bind(r, expert, err);
    if (status == SORA_OK && wants_embeds(r))
        status = bind(r, SORAI_NET_IMAGE, err);
    if (status == SORA_OK && wants_encoder(r))
        status = bind(r, sorai_model_encoder(m), err);
    if (status == SORA_OK)
        status = bind(r, sorai_model_decoder(m), err);
    if (status == SORA_OK && tokens)
        status = bind(r, SORAI_NET_TEXT, err);
    r->kind = sorai_kind_of(m, expert);
    r->denoiser = sorai_denoiser_of(m, expert, 0.0);
    if (r->denoiser.ltx)
        r->denoiser.ltx = &r->ltx;
    else
        r->denoiser.dit = &r->dit;
    uint64_t held = 0;
    for (int i = 0; i < SORAI_NET_COUNT; i++) {
        const int transformer = i == SORAI_NET_TRANSFORMER || i == SORAI_NET_TRANSFORMER_2 || i == SORAI_NET_LTX;
        const int streamed = i == SORAI_NET_TEXT || i == SORAI_NET_IMAGE || (transformer && plan->streamed);
        held += r->stores[i].mem || transformer ? held_by(m, (enum sorai_model_net)i, !streamed) : 0;
    }
    sorai_lock_give(&m->lock);
    if (status == SORA_OK) {
        passes(r);
        status = sorai_exec_finish(&r->exec, err);
    }
    if (status == SORA_OK) {
        const uint64_t latent = (uint64_t)(plan->latent[1] * plan->latent[2] * plan->latent[3] * plan->latent[4]) * 4;
        const uint64_t frames = (uint64_t)plan->width * (uint64_t)plan->height * 3 * (uint64_t)plan->frames;
        const uint64_t texts = (uint64_t)m->defaults.text_length * (uint64_t)r->kind.text * 4 * ((plan->guided ? 2u : 1u) + (plan->follows ? 1u : 0u) + p->shots.count);
        const uint64_t inputs =
            (uint64_t)((plan->needs_embeds ? embed_rows(r) * m->dit_config.image_dim : 0) +
                       (plan->needs_condition ? (r->kind.in - plan->latent[4]) * (int64_t)(latent / 4) / plan->latent[4] : 0) +
                       (plan->needs_control ? m->dit_config.vace_in_channels * (int64_t)(latent / 4) / plan->latent[4] : 0)) * 4;
        /* Conditions: pixels, what is known and kept of them; the clean and the given latent and what a step makes of them. */
        const uint64_t seams = 4 * (uint64_t)plan->width * (uint64_t)plan->height + (uint64_t)plan->frames;
        const uint64_t given = p->conditions.count ? frames / 3 * 5 + 10 * latent + seams : 0;
        const uint64_t counted = r->device.peak + r->lists + capacity(&r->exec.meta) + 4 * latent + frames + texts + latent + inputs + given + SMALL_THINGS;
        const uint64_t present = held + capacity(&p->exec.data) + capacity(&p->exec.meta);
        *peak = counted > present ? counted - present : 0;
        const uint64_t scratch = 3 * latent;
        *after = *peak > scratch ? *peak - scratch : 0;
    }
    *most = r->most;
    sorai_exec_release(&r->exec);
    sorai_dit_release(&r->dit);
    sorai_ltx_release(&r->ltx);
    sorai_t5_release(&r->t5);
    sorai_vision_release(&r->vision);
    for (int i = 0; i < SORAI_NET_COUNT; i++)
        if (r->stores[i].mem)
            sorai_store_release(&r->stores[i]);
    sorai_free(p->mem, r);
    return status;
}

/* What one half of the autoencoder takes by itself, beyond what is there. */
static int alone(sora_pipeline *p, const sorai_plan *plan, enum sorai_model_net net, void (*work)(dry_run *r), uint64_t *bytes, sora_error *err) {
    sora_model *m = p->model;
    dry_run *r;
    SORA_TRY(begin(&r, p, plan, err));
    sorai_lock_take(&m->lock);
    int status = sorai_exec_init(&r->exec, &r->device.base, p->mem, m->product, err);
    if (status == SORA_OK)
        status = bind(r, net, err);
    const uint64_t held = held_by(m, net, 1);
    sorai_lock_give(&m->lock);
    if (status == SORA_OK) {
        work(r);
        status = sorai_exec_finish(&r->exec, err);
    }
    const uint64_t present = held + capacity(&p->exec.data), counted = r->device.peak + capacity(&r->exec.meta);
    *bytes = counted > present ? counted - present : 0;
    sorai_exec_release(&r->exec);
    if (r->stores[net].mem)
        sorai_store_release(&r->stores[net]);
    sorai_free(p->mem, r);
    return status;
}

static void encode_clip(dry_run *r) {
    encode_passes(r, r->plan->full_frames, r->model->has_ltx_vae ? r->plan->full_frames : sorai_model_time_factor(r->model));
}

int sorai_estimate_decoding(sora_pipeline *p, const sorai_plan *plan, uint64_t *bytes, sora_error *err) {
    SORA_TRY(alone(p, plan, sorai_model_decoder(p->model), decode_passes, bytes, err));
    *bytes += 3 * piece_bytes(p->model, plan);
    return SORA_OK;
}

int sorai_estimate_encoding(sora_pipeline *p, const sorai_plan *plan, uint64_t *bytes, sora_error *err) {
    const int64_t *l = plan->latent;
    SORA_TRY(alone(p, plan, sorai_model_encoder(p->model), encode_clip, bytes, err));
    *bytes += (uint64_t)((l[1] + 1) * l[2] * l[3] * l[4]) * sizeof(float) + SMALL_THINGS; /* the latent, and a frame of it on its way */
    return SORA_OK;
}
