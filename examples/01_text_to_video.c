/* A text becomes a video, frame by frame as PNG files.
 *
 *     01_text_to_video MODEL.sora ["a prompt"]
 *
 * This is all there is to it: a context (threads and memory), a model (weights, shared and read-only), a pipeline (one
 * request at a time), and frames read back as RGB bytes. */
#include <stdio.h>
#include <stdlib.h>

#include <sora/sora.h>

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "models/nano.sora";
    const char *prompt = argc > 2 ? argv[2] : "a red robot dances on the beach at sunset";
    sora_error err = {.struct_size = sizeof err};
    sora_context *ctx = NULL;
    sora_model *model = NULL;
    sora_pipeline *video = NULL;
    uint8_t *rgb = NULL;
    int32_t width = 0, height = 0;
    int64_t frames = 0;
    int failed = 1;

    if (sora_context_create(&ctx, NULL, &err) != SORA_OK || sora_model_open(&model, ctx, path, NULL, &err) != SORA_OK ||
        sora_pipeline_create(&video, model, &err) != SORA_OK)
        goto fail;

    /* Parameters are numbered and checked; what is not set keeps the model's own value. */
    if (sora_pipeline_set_text(video, SORA_PARAM_PROMPT, prompt, (size_t)-1) != SORA_OK ||
        sora_pipeline_set_i64(video, SORA_PARAM_SEED, 7) != SORA_OK ||
        sora_pipeline_set_i64(video, SORA_PARAM_STEPS, 8) != SORA_OK ||
        sora_pipeline_set_i64(video, SORA_PARAM_FRAMES, 5) != SORA_OK)
        goto fail;
    if (sora_pipeline_run(video, &err) != SORA_OK) goto fail;

    sora_pipeline_video_info(video, &width, &height, &frames, NULL);
    const size_t size = (size_t)width * (size_t)height * 3;
    rgb = malloc(size);
    for (int64_t i = 0; rgb && i < frames; i++) {
        char name[64];
        snprintf(name, sizeof name, "frame-%03d.png", (int)i);
        if (sora_pipeline_read_frames(video, i, 1, rgb, size) != SORA_OK ||
            sora_image_write(ctx, name, rgb, width, height, &err) != SORA_OK)
            goto fail;
    }
    printf("%d frames of %d x %d: frame-000.png ...\n", (int)frames, (int)width, (int)height);
    failed = rgb == NULL;

fail:
    if (failed) fprintf(stderr, "%s\n", err.code ? err.message : "a parameter was refused");
    free(rgb);
    sora_pipeline_destroy(&video); /* any order would do: children hold what they need */
    sora_model_unref(&model);
    sora_context_unref(&ctx);
    return failed;
}
