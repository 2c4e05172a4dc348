/* A video of two shots, small first, then the same scene at full size.
 *
 *     07_shots_and_preview MODEL.sora
 *
 * Shots are prompts with a place on the timeline. The preview is a run at half the size; the full video goes by it: the preview is a
 * condition of strength 0.6, scaled up, so where things are stays and how they look in detail is made anew. */
#include <stdio.h>

#include <sora/sora.h>

enum { FRAMES = 9, SMALL = 32, FULL = 64 };

static int make(sora_pipeline *video, int side, unsigned char *rgb, sora_error *err) {
    sora_pipeline_set_i64(video, SORA_PARAM_WIDTH, side);
    sora_pipeline_set_i64(video, SORA_PARAM_HEIGHT, side);
    const int status = sora_pipeline_run(video, err);
    return status == SORA_OK ? sora_pipeline_read_frames(video, 0, FRAMES, rgb, (size_t)FRAMES * (size_t)(side * side) * 3) : status;
}

int main(int argc, char **argv) {
    static unsigned char full[FRAMES * FULL * FULL * 3];
    sora_error err = {.struct_size = sizeof err};
    sora_context *ctx = NULL;
    sora_model *model = NULL;
    sora_pipeline *video = NULL;
    sora_condition draft;
    sora_condition_init(&draft);

    int status = sora_context_create(&ctx, NULL, &err);
    if (status == SORA_OK) status = sora_model_open(&model, ctx, argc > 1 ? argv[1] : "models/nano.sora", NULL, &err);
    if (status == SORA_OK) status = sora_pipeline_create(&video, model, &err);
    if (status == SORA_OK) status = sora_pipeline_add_shot(video, 0, "a red robot dances on the beach", (size_t)-1, &err);
    if (status == SORA_OK) status = sora_pipeline_add_shot(video, 5, "a red robot dances in the snow", (size_t)-1, &err);
    if (status == SORA_OK) {
        const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 4, 0, {FRAMES, SMALL, SMALL, 3}};
        sora_pipeline_set_i64(video, SORA_PARAM_FRAMES, FRAMES);
        sora_pipeline_set_i64(video, SORA_PARAM_STEPS, 4);
        status = sora_tensor_create(&draft.frames, ctx, &shape, &err);
    }
    if (status == SORA_OK) status = make(video, SMALL, sora_tensor_data(draft.frames), &err); /* look at it, then: */
    if (status == SORA_OK) {
        draft.fit = SORA_FIT_STRETCH;
        draft.strength = 0.6;
        status = sora_pipeline_add_condition(video, &draft, &err);
    }
    if (status == SORA_OK) status = make(video, FULL, full, &err);
    if (status == SORA_OK) printf("%d frames in two shots, %dx%d and %dx%d\n", (int)FRAMES, (int)SMALL, (int)SMALL, (int)FULL, (int)FULL);
    if (status != SORA_OK) fprintf(stderr, "%s: %s\n", sora_status_name(status), err.message);
    sora_tensor_unref(&draft.frames);
    sora_pipeline_destroy(&video);
    sora_model_unref(&model);
    sora_context_unref(&ctx);
    return status == SORA_OK ? 0 : 1;
}
