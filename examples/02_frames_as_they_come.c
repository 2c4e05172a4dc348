/* Frames while the rest is still being decoded, and the run in bounded slices: how a player or a game would do it.
 *
 *     02_frames_as_they_come MODEL.sora
 *
 * begin checks everything and takes the memory; every step does one piece of work (a text, one denoising step, one
 * decoded piece of video) and returns SORA_MORE until it returns SORA_OK. Between steps the host does what it likes. */
#include <stdio.h>

#include <sora/sora.h>

/* rgb is valid during the call only: show it, encode it, or copy it. A result other than 0 stops the run. */
static int on_frame(void *user, int64_t index, const uint8_t *rgb, int32_t width, int32_t height) {
    long *seen = user;
    unsigned long brightness = 0;
    for (int32_t i = 0; i < width * height * 3; i++) brightness += rgb[i];
    printf("frame %d: %d x %d, mean %lu\n", (int)index, (int)width, (int)height,
           brightness / (unsigned long)(width * height * 3));
    ++*seen;
    return 0;
}

static int on_progress(void *user, const sora_progress *p) {
    static const char *const phases[] = {"", "text", "denoising", "frames", "conditions"};
    (void)user;
    printf("%-9s %d/%d  %3.0f%%\n", phases[p->phase], (int)p->step, (int)p->steps, 100.0 * p->fraction);
    return 0;
}

int main(int argc, char **argv) {
    sora_error err = {.struct_size = sizeof err};
    sora_context *ctx = NULL;
    sora_model *model = NULL;
    sora_pipeline *video = NULL;
    long seen = 0;

    int status = sora_context_create(&ctx, NULL, &err);
    if (status == SORA_OK) status = sora_model_open(&model, ctx, argc > 1 ? argv[1] : "models/nano.sora", NULL, &err);
    if (status == SORA_OK) status = sora_pipeline_create(&video, model, &err);
    if (status == SORA_OK) {
        sora_pipeline_set_text(video, SORA_PARAM_PROMPT, "a tiger runs through the snow", (size_t)-1);
        sora_pipeline_set_i64(video, SORA_PARAM_STEPS, 4);
        sora_pipeline_set_i64(video, SORA_PARAM_FRAMES, 9);
        sora_pipeline_set_frame_callback(video, on_frame, &seen);
        sora_pipeline_set_progress(video, on_progress, NULL);

        /* What will it take? Nothing is run for this. */
        sora_memory need = {.struct_size = sizeof need};
        if (sora_pipeline_estimate(video, &need, &err) == SORA_OK)
            printf("needs %.1f MiB\n", (double)need.peak / 1048576.0);

        status = sora_pipeline_begin(video, &err);
        while (status == SORA_OK || status == SORA_MORE) {
            status = sora_pipeline_step(video, &err);
            /* ... here a game draws its own frame ... */
            if (status == SORA_OK) break;
        }
    }
    if (status != SORA_OK) fprintf(stderr, "%s: %s\n", sora_status_name(status), err.message);
    sora_pipeline_destroy(&video);
    sora_model_unref(&model);
    sora_context_unref(&ctx);
    return status == SORA_OK && seen == 9 ? 0 : 1;
}
