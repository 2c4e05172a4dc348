/* A run in the middle of sampling, into a file and back. The file holds the solver's tensors and a fingerprint of the request; what can be made
 * again from the request (texts, conditions) is made again. */
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/io/safetensors.h"
#include "lib/pipeline/pipeline.h"

static void add_tensor(sorai_checksum_state *sum, const sora_tensor *t) {
    if (!t)
        return;
    sorai_checksum_add(sum, t->shape, (size_t)t->rank * sizeof *t->shape);
    sorai_checksum_add(sum, t->data, sorai_tensor_bytes(t));
}

/* Of everything that decides what a run makes, but for the model. */
static uint64_t fingerprint(const sora_pipeline *p) {
    sorai_checksum_state sum;
    sorai_checksum_begin(&sum);
    sorai_checksum_add(&sum, p->params.i, sizeof p->params.i);
    sorai_checksum_add(&sum, p->params.f, sizeof p->params.f);
    for (int i = 0; i < SORAI_PARAMS; i++)
        if (p->params.text[i])
            sorai_checksum_add(&sum, p->params.text[i], p->params.length[i] + 1);
    for (size_t i = 0; i < p->shots.count; i++) {
        sorai_checksum_add(&sum, &p->shots.list[i].at_frame, sizeof p->shots.list[i].at_frame);
        sorai_checksum_add(&sum, p->shots.list[i].text, p->shots.list[i].length + 1);
    }
    for (int i = 0; i < SORAI_SLOTS; i++)
        add_tensor(&sum, p->slots[i]);
    for (size_t i = 0; i < p->conditions.count; i++) {
        const sora_condition *c = &p->conditions.list[i];
        sorai_checksum_add(&sum, &c->at_frame, sizeof c->at_frame);
        sorai_checksum_add(&sum, &c->strength, sizeof c->strength);
        sorai_checksum_add(&sum, &c->fit, sizeof c->fit);
        add_tensor(&sum, c->frames);
        add_tensor(&sum, c->mask);
        add_tensor(&sum, c->latent);
    }
    return sorai_checksum_end(&sum);
}

#define PLACE 5 /* index, order and number of steps; steps since noise was put back; times that the next one has been done over */
enum { X, M0, M1, LAST, TENSORS };
static const char *const names[TENSORS] = {"x", "m0", "m1", "last"};

#define RESIDUAL "residual" /* of step caching, when the next step takes it over */

static sora_tensor *part(const sorai_sampler *s, int i) {
    sora_tensor *const all[TENSORS] = {s->x, s->m0, s->m1, s->last};
    return all[i];
}

/* A host tensor u8 [bytes] or i32 [n]. */
static int small(sora_tensor **out, sorai_mem *mem, int32_t dtype, int64_t n, const void *values, sora_error *err) {
    SORA_TRY(sorai_tensor_new(out, mem, dtype, 1, &n, err));
    memcpy((*out)->data, values, sorai_tensor_bytes(*out));
    return SORA_OK;
}

int sorai_pipeline_save(sora_pipeline *p, const char *path, sora_error *err) {
    sorai_sampler *s = &p->loop.sampler;
    if (p->state != SORAI_RUN_DENOISE)
        return sorai_fail(err, SORA_E_STATE, "only a run that is being denoised can be saved");
    const uint64_t print = fingerprint(p);
    const int32_t place[PLACE] = {s->index, s->order, s->steps, s->since, p->loop.again};
    const int reuses = p->loop.residual && p->loop.reuses[s->index];
    sora_tensor *made[TENSORS + 3] = {NULL};
    sorai_named_tensor list[TENSORS + 3];
    size_t count = 0;
    int status = SORA_OK;
    for (int i = 0; i <= TENSORS && status == SORA_OK; i++) {
        const sora_tensor *from = i < TENSORS ? part(s, i) : reuses ? p->loop.residual : NULL;
        if (!from)
            continue;
        status = sorai_tensor_new(&made[count], p->mem, SORA_DTYPE_F32, from->rank, from->shape, err);
        if (status == SORA_OK && (p->model->device->sync(p->model->device) != SORA_OK ||
                                  p->model->device->download(p->model->device, made[count]->data, from->data, sorai_tensor_bytes(from)) != SORA_OK))
            status = sorai_fail(err, SORA_E_BACKEND, "the device could not give data");
        list[count] = (sorai_named_tensor){i < TENSORS ? names[i] : RESIDUAL, made[count]};
        count++;
    }
    if (status == SORA_OK)
        status = small(&made[count], p->mem, SORA_DTYPE_I32, PLACE, place, err);
    list[count] = (sorai_named_tensor){"place", made[count]};
    count++;
    if (status == SORA_OK)
        status = small(&made[count], p->mem, SORA_DTYPE_U8, (int64_t)sizeof print, &print, err);
    list[count] = (sorai_named_tensor){"request", made[count]};
    count++;
    if (status == SORA_OK)
        status = sorai_safetensors_write(p->mem, path, list, count, NULL, err);
    for (size_t i = 0; i < TENSORS + 3; i++)
        sorai_tensor_unref(&made[i]);
    return status;
}

static int lookup(const sorai_safetensors *file, const char *path, const char *name, int32_t dtype, int32_t rank, const int64_t *shape,
                  sora_tensor **out, sora_error *err) {
    SORA_TRY(sorai_safetensors_lookup(file, name, out, err));
    if ((*out)->dtype == dtype && (*out)->rank == rank && memcmp((*out)->shape, shape, (size_t)rank * sizeof *shape) == 0)
        return SORA_OK;
    sorai_tensor_unref(out);
    return sorai_fail(err, SORA_E_FORMAT, "%s: %s is not that of this run", path, name);
}

static int check_request(const sora_pipeline *p, const sorai_safetensors *file, const char *path, int32_t place[PLACE], sora_error *err) {
    const int64_t eight = 8, numbers = PLACE;
    sora_tensor *t = NULL;
    SORA_TRY(lookup(file, path, "request", SORA_DTYPE_U8, 1, &eight, &t, err));
    const uint64_t print = fingerprint(p);
    const int same = memcmp(t->data, &print, sizeof print) == 0;
    sorai_tensor_unref(&t);
    if (!same)
        return sorai_fail(err, SORA_E_INVALID, "%s: was saved of another request: set the same parameters, slots and conditions", path);
    SORA_TRY(lookup(file, path, "place", SORA_DTYPE_I32, 1, &numbers, &t, err));
    memcpy(place, t->data, PLACE * sizeof *place);
    sorai_tensor_unref(&t);
    return SORA_OK;
}

static int restore(sora_pipeline *p, const sorai_safetensors *file, const char *path, const int32_t place[PLACE], sora_error *err) {
    sorai_sampler *s = &p->loop.sampler;
    sorai_device *dev = p->model->device;
    if (place[0] < 0 || place[0] >= s->steps || place[2] != s->steps || place[1] < 0 || place[1] > 2 || place[3] < 0 || place[3] > place[0] ||
        place[4] < 0 || place[4] > p->plan.resample)
        return sorai_fail(err, SORA_E_FORMAT, "%s: place is not that of this run", path);
    s->index = place[0];
    s->order = place[1];
    s->since = place[3];
    p->loop.again = place[4];
    if (p->loop.reuses) { /* which steps reuse is known with the transformer */
        p->exec.streamed = p->plan.streamed;
        const int status = sorai_loop_load(p, &p->loop, err);
        p->exec.streamed = 0;
        SORA_TRY(status);
    }
    for (int i = 0; i <= TENSORS; i++) {
        sora_tensor *to = i < TENSORS ? part(s, i) : p->loop.residual && p->loop.reuses[s->index] ? p->loop.residual : NULL, *from = NULL;
        if (!to)
            continue;
        SORA_TRY(lookup(file, path, i < TENSORS ? names[i] : RESIDUAL, SORA_DTYPE_F32, to->rank, to->shape, &from, err));
        const int status = dev->upload(dev, to->data, from->data, sorai_tensor_bytes(to));
        sorai_tensor_unref(&from);
        if (status != SORA_OK)
            return sorai_fail(err, SORA_E_BACKEND, "the device could not take data");
    }
    return SORA_OK;
}

int sorai_pipeline_resume(sora_pipeline *p, const char *path, sora_error *err) {
    sorai_safetensors *file = NULL;
    int32_t place[PLACE];
    SORA_TRY(sorai_safetensors_open_path(&file, p->mem, path, err));
    int status = check_request(p, file, path, place, err);
    if (status == SORA_OK)
        status = sorai_pipeline_begin(p, err);
    while (status == SORA_OK && p->state != SORAI_RUN_DENOISE) {
        status = sorai_pipeline_step(p, err);
        status = status == SORA_MORE ? SORA_OK : status;
    }
    if (status == SORA_OK && (status = restore(p, file, path, place, err)) != SORA_OK)
        sorai_pipeline_stop(p);
    sorai_safetensors_close(&file);
    return status;
}
