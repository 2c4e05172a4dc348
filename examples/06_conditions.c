/* A clip that begins with one picture and ends with another: what is given, and where, is all that a condition says.
 *
 *     06_conditions MODEL.sora
 *
 * The same call animates an image (one at frame 0), extends a clip (the clip at its place in a longer video), connects two
 * (one at each end), fills gaps, inpaints (with a mask) and edits (with a strength below 1). */
#include <stdio.h>
#include <string.h>

#include <sora/sora.h>

enum { SIDE = 64, FRAMES = 9, SIZE = SIDE * SIDE * 3 };

/* A picture of the host's own: a disc on a plain ground. Frames are u8 [n, height, width, 3]. */
static sora_tensor *picture(sora_context *ctx, int x, sora_error *err) {
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 4, 0, {1, SIDE, SIDE, 3}};
    sora_tensor *t = NULL;
    if (sora_tensor_create(&t, ctx, &shape, err) != SORA_OK) return NULL;
    unsigned char *rgb = sora_tensor_data(t);
    for (int i = 0; i < SIDE * SIDE; i++) {
        const int dx = i % SIDE - x, dy = i / SIDE - SIDE / 2, inside = dx * dx + dy * dy < 200;
        rgb[3 * i] = inside ? 220 : 90;
        rgb[3 * i + 1] = inside ? 60 : 150;
        rgb[3 * i + 2] = inside ? 50 : 210;
    }
    return t;
}

static int give(sora_pipeline *video, sora_tensor *frames, int64_t at_frame, sora_error *err) {
    sora_condition c;
    sora_condition_init(&c); /* all of the picture, strength 1 */
    c.frames = frames;
    c.at_frame = at_frame;
    return sora_pipeline_add_condition(video, &c, err);
}

int main(int argc, char **argv) {
    static unsigned char rgb[FRAMES * SIZE];
    sora_error err = {.struct_size = sizeof err};
    sora_context *ctx = NULL;
    sora_model *model = NULL;
    sora_pipeline *video = NULL;
    sora_tensor *first = NULL, *last = NULL;

    int status = sora_context_create(&ctx, NULL, &err);
    if (status == SORA_OK) status = sora_model_open(&model, ctx, argc > 1 ? argv[1] : "models/nano.sora", NULL, &err);
    if (status == SORA_OK) status = sora_pipeline_create(&video, model, &err);
    if (status == SORA_OK && (!(first = picture(ctx, 16, &err)) || !(last = picture(ctx, 48, &err)))) status = SORA_E_NOMEM;
    if (status == SORA_OK) {
        sora_pipeline_set_text(video, SORA_PARAM_PROMPT, "a red fish swims to the right", (size_t)-1);
        sora_pipeline_set_i64(video, SORA_PARAM_WIDTH, SIDE);
        sora_pipeline_set_i64(video, SORA_PARAM_HEIGHT, SIDE);
        sora_pipeline_set_i64(video, SORA_PARAM_FRAMES, FRAMES);
        sora_pipeline_set_i64(video, SORA_PARAM_STEPS, 4);
        status = give(video, first, 0, &err);
    }
    if (status == SORA_OK) status = give(video, last, FRAMES - 1, &err);
    if (status == SORA_OK) status = sora_pipeline_run(video, &err);
    if (status == SORA_OK) status = sora_pipeline_read_frames(video, 0, FRAMES, rgb, sizeof rgb);
    if (status != SORA_OK) fprintf(stderr, "%s: %s\n", sora_status_name(status), err.message);

    /* What was given is in the video as it was, whatever the model makes of the rest. */
    const int kept = status == SORA_OK && memcmp(rgb, sora_tensor_data(first), SIZE) == 0 &&
                     memcmp(rgb + (FRAMES - 1) * SIZE, sora_tensor_data(last), SIZE) == 0;
    if (kept) printf("%d frames, the first and the last as they were given\n", (int)FRAMES);
    sora_tensor_unref(&first);
    sora_tensor_unref(&last);
    sora_pipeline_destroy(&video);
    sora_model_unref(&model);
    sora_context_unref(&ctx);
    return kept ? 0 : 1;
}
