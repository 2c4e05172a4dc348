/* What a run will take: the same networks run once on a device that only counts, so the answer follows the code by itself. */
#include <string.h>

#include "lib/ops/ops.h"
#include "lib/pipeline/counting.h"
#include "lib/pipeline/pipeline.h"

typedef struct names {
    sora_model *model;
    const char *part;
} names;

/* The type that a parameter's value has once bound. */
static int32_t type_of(void *user, const char *name) {
    const names *n = user;
    sorai_tensor_info info;
    size_t count = 0;
    if (sorai_package_tensor_count(n->model->package, n->part, &count, NULL) != SORA_OK)
        return SORA_DTYPE_F32;
    for (size_t i = 0; i < count; i++)
        if (sorai_package_tensor(n->model->package, n->part, i, &info, NULL) == SORA_OK && strcmp(info.name, name) == 0)
            return info.dtype == SORA_DTYPE_I8 ? SORA_DTYPE_BF16 : info.dtype ? info.dtype : SORA_DTYPE_F32;
    return SORA_DTYPE_F32;
}

/* Bytes that a bound network holds already. */
static uint64_t held_by(const sora_model *m, enum sorai_model_net net) {
    uint64_t sum = 0;
    const sorai_store *s = &m->stores[net];
    for (size_t i = 0; m->bound[net] && i < s->count; i++) {
        const sorai_param *p = s->params[i];
        sum += sorai_tensor_bytes(p->value) + 2 * SORAI_ALIGN;
        for (size_t k = 0; k < sizeof p->packed / sizeof *p->packed; k++)
            sum += p->packed[k].data ? p->packed[k].bytes + SORAI_ALIGN : 0;
    }
    return sum;
}

static uint64_t capacity(const sorai_arena *a) {
    uint64_t sum = 0;
    for (size_t i = 0; i < a->count; i++)
        sum += a->chunks[i].size + SORAI_ALIGN;
    return sum;
}

typedef struct dry_run {
    sora_model *model;
    const sorai_plan *plan;
    sorai_counting_device device;
    sorai_exec exec;
    sorai_store stores[SORAI_NET_COUNT];
    sorai_dit dit;
    sorai_vae vae;
    sorai_t5 t5;
    uint64_t lists; /* bytes of networks that are not bound yet, beside their weights */
} dry_run;

static int bind(dry_run *r, enum sorai_model_net net, const char *part, sora_error *err) {
    sora_model *m = r->model;
    sorai_store *s = &r->stores[net];
    names n = {m, part};
    const uint64_t before = atomic_load(&m->mem->used);
    SORA_TRY(sorai_store_init(s, m->mem, &r->device.base));
    s->blank = type_of;
    s->lookup_user = &n;
    int status = net == SORAI_NET_TRANSFORMER ? sorai_dit_bind(&r->dit, s, &m->dit_config, err)
                 : net == SORAI_NET_TEXT      ? sorai_t5_bind(&r->t5, s, &m->t5_config, err)
                                              : sorai_vae_bind(&r->vae, s, &m->vae_config, SORAI_VAE_DECODER, err);
    s->lookup_user = NULL;
    /* Lists and names of parameters lie in host memory, which this device does not count. */
    const uint64_t now = atomic_load(&m->mem->used);
    if (!m->bound[net] && now > before)
        r->lists += now - before;
    return status;
}

static sora_tensor *text_pass(dry_run *r) {
    int32_t ids[8] = {0}, length = 8;
    const sora_model *m = r->model;
    if (!m->has_t5)
        return sorai_temp(&r->exec, 3, (const int64_t[]){1, m->defaults.text_length, m->dit_config.text_dim});
    return sorai_t5_pad(&r->exec, sorai_t5_forward(&r->exec, &r->t5, ids, &length, 1, m->defaults.text_length < 8 ? 1 : 8), &length,
                        m->defaults.text_length < 8 ? 8 : m->defaults.text_length);
}

/* The order of allocations is that of run.c. */
static void passes(dry_run *r) {
    sorai_exec *x = &r->exec;
    const sorai_plan *plan = r->plan;
    sora_tensor *text = text_pass(r), *negative = plan->guided ? text_pass(r) : NULL;
    sora_tensor *const both[2] = {text, negative};
    const sorai_dit_prompt *prompt = sorai_dit_prepare(x, &r->dit, negative ? sorai_concat(x, both, 2, 0) : text, NULL);
    const sorai_exec_mark mark = sorai_exec_here(x);
    const float times[2] = {500.0f, 500.0f};
    sora_tensor *noise = sorai_dit_from_planes(x, sorai_temp(x, 5, (const int64_t[]){1, plan->latent[4], plan->latent[1], plan->latent[2], plan->latent[3]}));
    sora_tensor *twice[2] = {noise, noise};
    sora_tensor *latent = negative ? sorai_concat(x, twice, 2, 0) : noise;
    if (prompt && latent)
        sorai_axpby(x, 1.0, sorai_dit_forward(x, &r->dit, latent, times, 1, prompt), 0.0, NULL);
    sorai_exec_rewind(x, mark);
    sorai_arena_rewind(&x->data, (sorai_arena_mark){0, 0});
    sorai_arena_rewind(&x->meta, (sorai_arena_mark){0, 0});
    sorai_vae_stream stream = {0};
    sorai_vae_stream_begin(&stream, r->model->mem);
    for (int64_t i = 0; i < plan->latent[1] && i < 3; i++) {
        sora_tensor *one = sorai_temp(x, 5, (const int64_t[]){1, 1, plan->latent[2], plan->latent[3], plan->latent[4]});
        sorai_vae_decode(x, &r->vae, &stream, sorai_vae_denormalize(x, &r->vae, one));
        sorai_arena_rewind(&x->data, (sorai_arena_mark){0, 0});
        sorai_arena_rewind(&x->meta, (sorai_arena_mark){0, 0});
    }
    sorai_vae_stream_release(&stream);
}

int sorai_pipeline_estimate(sora_pipeline *p, uint64_t *after, uint64_t *peak, sora_error *err) {
    sora_model *m = p->model;
    sorai_plan plan;
    SORA_TRY(sorai_plan_make(p, &plan, err));
    if (m->has_t5 && (!p->slots[SORA_SLOT_TEXT] || (plan.guided && !p->slots[SORA_SLOT_NEGATIVE])))
        SORA_TRY(sorai_model_need_tokenizer(m, err)); /* its size is known once it is there */
    dry_run *r = sorai_calloc(p->mem, 1, sizeof *r);
    if (!r)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for an estimate");
    r->model = m;
    r->plan = &plan;
    sorai_counting_device_init(&r->device);
    sorai_lock_take(&m->lock); /* the package is read for types */
    int status = sorai_exec_init(&r->exec, &r->device.base, p->mem, m->product, err);
    if (status == SORA_OK)
        status = bind(r, SORAI_NET_TRANSFORMER, "transformer", err);
    if (status == SORA_OK)
        status = bind(r, SORAI_NET_DECODER, "vae", err);
    if (status == SORA_OK && m->has_t5)
        status = bind(r, SORAI_NET_TEXT, "text_encoder", err);
    uint64_t held = 0;
    for (int i = 0; i < SORAI_NET_COUNT; i++)
        held += i == SORAI_NET_TRANSFORMER || i == SORAI_NET_DECODER || i == SORAI_NET_TEXT ? held_by(m, (enum sorai_model_net)i) : 0;
    sorai_lock_give(&m->lock);
    if (status == SORA_OK) {
        passes(r);
        status = sorai_exec_finish(&r->exec, err);
    }
    if (status == SORA_OK) {
        const uint64_t latent = (uint64_t)(plan.latent[1] * plan.latent[2] * plan.latent[3] * plan.latent[4]) * 4;
        const uint64_t frames = (uint64_t)plan.width * (uint64_t)plan.height * 3 * (uint64_t)plan.frames;
        const uint64_t texts = (uint64_t)m->defaults.text_length * (uint64_t)m->dit_config.text_dim * 4 * (plan.guided ? 2 : 1);
        /* One piece of video as the decoder gives it, on its way to bytes. */
        const uint64_t piece = (uint64_t)(plan.latent[1] > 1 ? sorai_vae_time_factor(&m->vae_config) : 1) * (uint64_t)plan.full_width *
                               (uint64_t)plan.full_height * 3 * sizeof(float);
        const uint64_t counted = r->device.peak + r->lists + piece + capacity(&r->exec.meta) + 4 * latent + frames + texts + latent;
        const uint64_t present = held + capacity(&p->exec.data) + capacity(&p->exec.meta);
        *peak = counted > present ? counted - present : 0;
        const uint64_t scratch = 3 * latent;
        *after = *peak > scratch ? *peak - scratch : 0;
    }
    sorai_exec_release(&r->exec);
    sorai_dit_release(&r->dit);
    sorai_t5_release(&r->t5);
    for (int i = 0; i < SORAI_NET_COUNT; i++)
        if (r->stores[i].mem)
            sorai_store_release(&r->stores[i]);
    sorai_free(p->mem, r);
    return status;
}
