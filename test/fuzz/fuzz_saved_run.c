/* A run saved in mid-sampling: a good one, changed, is resumed. What does not fit is refused and leaves the pipeline ready for another run. */
#include <stdlib.h>
#include <string.h>

#include "sora/sora.h"
#include "test/fuzz/fuzz_help.h"

static sora_context *ctx;
static sora_pipeline *pipeline;
static uint8_t *good;
static size_t good_size;
static uint64_t at_rest;

/* The fixture's model with texts as tensors, 16x16, one frame, three steps, one of them taken. */
static void open_pipeline(void) {
    sora_error err = {.struct_size = sizeof err};
    sora_context_opts opts;
    sora_context_opts_init(&opts);
    opts.threads = 1;
    sora_model *model = NULL;
    fuzz_require(sora_context_create(&ctx, &opts, &err) == SORA_OK, "a context");
    fuzz_require(sora_model_open(&model, ctx, "test/parity/fixtures/loop_t2v", NULL, &err) == SORA_OK, "the fixture opens");
    fuzz_require(sora_pipeline_create(&pipeline, model, &err) == SORA_OK, "a pipeline");
    sora_model_desc d = {.struct_size = sizeof d};
    sora_model_info(model, &d);
    for (sora_slot slot = SORA_SLOT_TEXT; slot <= SORA_SLOT_NEGATIVE; slot++) {
        const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_F32, 2, 0, {d.text_length, 6}};
        sora_tensor *t = NULL;
        fuzz_require(sora_tensor_create(&t, ctx, &shape, &err) == SORA_OK, "a text");
        memset(sora_tensor_data(t), 0, sora_tensor_bytes(t));
        fuzz_require(sora_pipeline_set_tensor(pipeline, slot, t) == SORA_OK, "a text is set");
        sora_tensor_unref(&t);
    }
    sora_pipeline_set_i64(pipeline, SORA_PARAM_WIDTH, 16);
    sora_pipeline_set_i64(pipeline, SORA_PARAM_HEIGHT, 16);
    sora_pipeline_set_i64(pipeline, SORA_PARAM_FRAMES, 1);
    sora_pipeline_set_i64(pipeline, SORA_PARAM_STEPS, 3);
    sora_model_unref(&model);
}

static void stop(void) {
    sora_error err = {.struct_size = sizeof err};
    sora_pipeline_cancel(pipeline);
    fuzz_require(sora_pipeline_step(pipeline, &err) == SORA_E_CANCELLED, "a run is cancelled");
}

static void save_good(void) {
    sora_error err = {.struct_size = sizeof err};
    const char *path = fuzz_temporary();
    fuzz_require(sora_pipeline_begin(pipeline, &err) == SORA_OK, "a run begins");
    for (int i = 0; i < 8 && sora_pipeline_save(pipeline, path, &err) != SORA_OK; i++)
        fuzz_require(sora_pipeline_step(pipeline, &err) == SORA_MORE, "a step");
    fuzz_require(sora_pipeline_step(pipeline, &err) == SORA_MORE && sora_pipeline_save(pipeline, path, &err) == SORA_OK, "a saved run");
    good = fuzz_take(path, &good_size);
    stop();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sora_error err = {.struct_size = sizeof err};
    sora_memory m = {.struct_size = sizeof m};
    if (!ctx) {
        open_pipeline();
        save_good();
        fuzz_require(sora_pipeline_run(pipeline, &err) == SORA_OK, "a whole run");
        sora_context_memory(ctx, &m);
        at_rest = m.used; /* the frames of the last run among it */
    }
    const char *path = fuzz_edited(good, good_size, data, size);
    const int status = sora_pipeline_resume(pipeline, path, &err);
    fuzz_check_error(status, &err);
    fuzz_require(status == SORA_OK || size > 0, "an unchanged run is resumed");
    fuzz_require(sora_pipeline_begin(pipeline, &err) == (status == SORA_OK ? SORA_E_STATE : SORA_OK), "the pipeline knows whether it runs");
    while ((size & 1) && sora_pipeline_step(pipeline, &err) == SORA_MORE)
        ;
    if (!(size & 1)) stop();
    sora_context_memory(ctx, &m);
    fuzz_require(m.used <= at_rest + 4096, "memory is given back");
    return 0;
}
