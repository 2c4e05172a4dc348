#include "lib/pipeline/pipeline.h"

#include <string.h>

int sorai_pipeline_create(sora_pipeline **out, sora_model *model, sora_error *err) {
    *out = NULL;
    sora_pipeline *p = sorai_calloc(model->mem, 1, sizeof *p);
    if (!p)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a pipeline");
    atomic_fetch_add(&model->refs, 1);
    p->model = model;
    p->mem = model->mem;
    sorai_params_init(&p->params, p->mem);
    int status = sorai_exec_init(&p->exec, model->device, p->mem, model->product, err);
    p->exec.cancel = &p->cancel;
    if (status == SORA_OK)
        *out = p;
    else
        sorai_pipeline_destroy(&p);
    return status;
}

void sorai_pipeline_destroy(sora_pipeline **handle) {
    sora_pipeline *p = *handle;
    *handle = NULL;
    if (!p)
        return;
    sorai_pipeline_stop(p);
    for (int i = 0; i < SORAI_SLOTS; i++) {
        sorai_tensor_unref(&p->slots[i]);
        sorai_tensor_unref(&p->made[i]);
    }
    sorai_conditions_clear(p);
    sorai_shots_clear(p);
    sorai_held_release(&p->held);
    sorai_free(p->mem, p->rgb);
    sorai_params_release(&p->params);
    sorai_vae_stream_release(&p->stream);
    sorai_exec_release(&p->exec);
    sora_model *model = p->model;
    sorai_free(p->mem, p);
    sorai_model_unref(&model);
}
