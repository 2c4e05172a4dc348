#include "sora/train.h"

#include "lib/api/intake.h"
#include "lib/train/trainer.h"

static int none(const char *what, sora_error *err) {
    return sorai_fail(err, SORA_E_INVALID, "%s: an argument that is needed is NULL", what);
}

int sora_trainer_create(sora_trainer **out, sora_context *ctx, const char *recipe, size_t length, sora_error *err) {
    if (!out)
        return none("sora_trainer_create", err);
    *out = NULL;
    return ctx && recipe ? sorai_trainer_create(out, ctx, recipe, length, err) : none("sora_trainer_create", err);
}

void sora_trainer_destroy(sora_trainer **trainer) {
    if (trainer)
        sorai_trainer_destroy(trainer);
}

int sora_trainer_set_data(sora_trainer *trainer, sora_batch_fn fn, void *user) {
    if (!trainer)
        return SORA_E_INVALID;
    trainer->batch = fn;
    trainer->batch_user = user;
    return SORA_OK;
}

int sora_trainer_step(sora_trainer *trainer, sora_error *err) {
    return trainer ? sorai_trainer_step(trainer, err) : none("sora_trainer_step", err);
}

int sora_trainer_stats(const sora_trainer *trainer, sora_train_stats *out) {
    return trainer ? sorai_give_struct(out, &trainer->stats, sizeof trainer->stats) : SORA_E_INVALID;
}

void sora_trainer_cancel(sora_trainer *trainer) {
    if (trainer)
        atomic_store(&trainer->cancel, 1);
}

int sora_trainer_save(sora_trainer *trainer, const char *path, sora_error *err) {
    return trainer && path ? sorai_trainer_save(trainer, path, err) : none("sora_trainer_save", err);
}

int sora_trainer_load(sora_trainer *trainer, const char *path, sora_error *err) {
    return trainer && path ? sorai_trainer_load(trainer, path, err) : none("sora_trainer_load", err);
}

int sora_trainer_evaluate(sora_trainer *trainer, const sora_batch *batch, double noise, uint64_t seed, int ema, float *losses,
                          sora_error *err) {
    if (!trainer || !batch || !losses)
        return none("sora_trainer_evaluate", err);
    sora_batch own = {0};
    SORA_TRY(sorai_take_opts(&own, sizeof own, batch, "sora_trainer_evaluate", err));
    return sorai_trainer_evaluate(trainer, &own, noise, seed, ema, losses, err);
}

int sora_trainer_apply(sora_trainer *trainer, const sora_tensor *video, sora_tensor **out, sora_error *err) {
    if (!out)
        return none("sora_trainer_apply", err);
    *out = NULL;
    if (!trainer)
        return none("sora_trainer_apply", err);
    const int status = sorai_trainer_apply(trainer, video, out, err);
    if (status == SORA_OK) {
        (*out)->context = sorai_context_ref(trainer->context);
        (*out)->context_unref = sorai_context_unref;
    }
    return status;
}

int sora_trainer_export(sora_trainer *trainer, const char *path, const char *with, int32_t weights, sora_error *err) {
    return trainer && path ? sorai_trainer_export(trainer, path, with, weights, err) : none("sora_trainer_export", err);
}
