/* Stopping a generation from another thread, at any moment, and going on afterwards.
 *
 *     03_cancel MODEL.sora
 *
 * sora_pipeline_cancel is the one call of a pipeline that any thread may make. The run returns SORA_E_CANCELLED within
 * one block of the network; a cancel is never lost: one that comes between runs stops the next at its begin. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include <sora/sora.h>

static void *stop_soon(void *pipeline) {
    const struct timespec moment = {0, 20 * 1000 * 1000};
    nanosleep(&moment, NULL);
    sora_pipeline_cancel(pipeline);
    return NULL;
}

int main(int argc, char **argv) {
    sora_error err = {.struct_size = sizeof err};
    sora_context *ctx = NULL;
    sora_model *model = NULL;
    sora_pipeline *video = NULL;
    pthread_t thread;
    int good = 0;

    if (sora_context_create(&ctx, NULL, &err) != SORA_OK ||
        sora_model_open(&model, ctx, argc > 1 ? argv[1] : "models/nano.sora", NULL, &err) != SORA_OK ||
        sora_pipeline_create(&video, model, &err) != SORA_OK)
        goto done;
    sora_pipeline_set_text(video, SORA_PARAM_PROMPT, "a boat on a calm sea", (size_t)-1);
    sora_pipeline_set_i64(video, SORA_PARAM_STEPS, 1000); /* far more than anybody would wait for */

    if (pthread_create(&thread, NULL, stop_soon, video) != 0) goto done;
    const int first = sora_pipeline_run(video, &err);
    pthread_join(thread, NULL);
    printf("with a cancel on the way: %s\n", sora_status_name(first));

    /* The pipeline is as it was before: the same object makes the next video. */
    err = (sora_error){.struct_size = sizeof err};
    sora_pipeline_set_i64(video, SORA_PARAM_STEPS, 2);
    sora_pipeline_set_i64(video, SORA_PARAM_FRAMES, 1);
    const int second = sora_pipeline_run(video, &err);
    printf("without: %s\n", sora_status_name(second));
    good = first == SORA_E_CANCELLED && second == SORA_OK;

done:
    if (!good && err.code) fprintf(stderr, "%s\n", err.message);
    sora_pipeline_destroy(&video);
    sora_model_unref(&model);
    sora_context_unref(&ctx);
    return good ? 0 : 1;
}
