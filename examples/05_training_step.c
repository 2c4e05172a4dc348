/* Training: a small video autoencoder learns from clips of moving squares, drawn here.
 *
 *     05_training_step
 *
 * A trainer has a recipe (JSON) and asks for batches through a callback. It is stepped like a pipeline. What the
 * callback gives must be a function of the step alone: then a run that was stopped, saved and loaded goes on as if
 * nothing had happened. */
#include <stdio.h>
#include <string.h>

#include <sora/sora.h>

enum { CLIPS = 4, FRAMES = 5, SIDE = 16 };

static const char recipe[] =
    "{\"train\": \"vae\", \"seed\": 1, \"steps\": 30, \"products\": \"f32\","
    " \"optimizer\": {\"name\": \"adamw\", \"rate\": 0.004, \"warmup\": 5, \"ema\": 0.5},"
    " \"vae\": {\"_class_name\": \"AutoencoderKLWan\", \"base_dim\": 8, \"z_dim\": 4, \"dim_mult\": [1, 2, 2], "
    "\"num_res_blocks\": 1,"
    "           \"attn_scales\": [], \"temperal_downsample\": [true, true], \"is_residual\": true, \"in_channels\": 12,"
    "           \"out_channels\": 12, \"patch_size\": 2}}";

typedef struct clips {
    sora_context *ctx;
    sora_tensor *video; /* u8 [CLIPS, FRAMES, SIDE, SIDE, 3] */
} clips;

static int next_batch(void *user, uint64_t step, uint32_t part, sora_batch *batch) {
    clips *c = user;
    (void)part;
    if (!c->video) {
        const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 5, 0, {CLIPS, FRAMES, SIDE, SIDE, 3}};
        const int status = sora_tensor_create(&c->video, c->ctx, &shape, NULL);
        if (status != SORA_OK) return status;
    }
    uint8_t *rgb = sora_tensor_data(c->video);
    memset(rgb, 40, sora_tensor_bytes(c->video));
    for (int i = 0; i < CLIPS; i++)
        for (int f = 0; f < FRAMES; f++) {
            const int left = (int)((step * 3 + (uint64_t)i * 5 + (uint64_t)f) % (SIDE - 6)), top = 2 + 3 * i;
            for (int y = top; y < top + 4; y++)
                for (int x = left; x < left + 6; x++) {
                    uint8_t *pixel = rgb + (((i * FRAMES + f) * SIDE + y) * SIDE + x) * 3;
                    pixel[i % 3] = 230;
                }
        }
    batch->count = CLIPS;
    batch->video = c->video;
    return SORA_OK;
}

int main(void) {
    sora_error err = {.struct_size = sizeof err};
    sora_train_stats stats = {.struct_size = sizeof stats};
    sora_trainer *trainer = NULL;
    clips c = {NULL, NULL};
    double first = 0.0;

    int status = sora_context_create(&c.ctx, NULL, &err);
    if (status == SORA_OK) status = sora_trainer_create(&trainer, c.ctx, recipe, strlen(recipe), &err);
    if (status == SORA_OK) status = sora_trainer_set_data(trainer, next_batch, &c);
    if (status == SORA_OK) do {
            status = sora_trainer_step(trainer, &err);
            if (status < 0) break;
            sora_trainer_stats(trainer, &stats);
            if (stats.step == 1) first = stats.loss;
            if (stats.step % 10 == 0)
                printf("step %2d of %d: loss %.4f, %.1f MiB\n", (int)stats.step, (int)stats.steps, stats.loss,
                       (double)stats.memory / 1048576.0);
        } while (status == SORA_MORE);

    /* A checkpoint holds everything that the next step depends on. sora_trainer_export writes a model for the pipeline.
     */
    if (status == SORA_OK) status = sora_trainer_save(trainer, "checkpoint.safetensors", &err);
    if (status == SORA_OK)
        printf("loss %.4f -> %.4f; checkpoint.safetensors written\n", first, stats.loss);
    else
        fprintf(stderr, "%s: %s\n", sora_status_name(status), err.message);
    sora_trainer_destroy(&trainer);
    sora_tensor_unref(&c.video);
    sora_context_unref(&c.ctx);
    return status == SORA_OK && stats.loss < first ? 0 : 1;
}
