/* A checkpoint of the trainer: a good one, changed, is loaded. What does not fit is refused, and not one value has changed. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/checksum.h"
#include "lib/train/trainer.h"
#include "sora/sora.h"
#include "test/fuzz/fuzz_help.h"

static sora_context *ctx;
static sora_trainer *trainer;
static uint8_t *good;
static size_t good_size;
static uint64_t values; /* their digest before the next load */

static uint64_t digest(void) {
    sorai_checksum_state sum;
    sorai_checksum_begin(&sum);
    sorai_checksum_add(&sum, &trainer->stats.step, sizeof trainer->stats.step);
    for (size_t i = 0; i < trainer->parts[0].store.count; i++) {
        const sorai_moments *m = &trainer->parts[0].optimizer.moments[i];
        const sora_tensor *const all[] = {trainer->parts[0].store.params[i]->value, m->m, m->v, m->ema};
        for (int k = 0; k < 4; k++)
            if (all[k]) sorai_checksum_add(&sum, all[k]->data, sorai_tensor_bytes(all[k]));
    }
    return sorai_checksum_end(&sum);
}

static void open_trainer(void) {
    static const char recipe[] = "{\"train\":\"probe\",\"probe\":{\"width\":8,\"values\":[2]},\"optimizer\":{\"ema\":0.9}}";
    sora_error err = {.struct_size = sizeof err};
    sora_context_opts opts;
    sora_context_opts_init(&opts);
    opts.threads = 1;
    fuzz_require(sora_context_create(&ctx, &opts, &err) == SORA_OK, "a context");
    fuzz_require(sora_trainer_create(&trainer, ctx, recipe, strlen(recipe), &err) == SORA_OK, "a trainer");
    const char *path = fuzz_temporary();
    fuzz_require(sora_trainer_save(trainer, path, &err) == SORA_OK, "a checkpoint");
    good = fuzz_take(path, &good_size);
    values = digest();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    sora_error err = {.struct_size = sizeof err};
    if (!ctx) open_trainer();
    const char *path = fuzz_edited(good, good_size, data, size);
    const int status = sora_trainer_load(trainer, path, &err);
    fuzz_check_error(status, &err);
    fuzz_require(status == SORA_OK || size > 0, "an unchanged checkpoint is loaded");
    const uint64_t after = digest();
    fuzz_require(status == SORA_OK || after == values, "a refused checkpoint changes nothing");
    values = after;
    return 0;
}
