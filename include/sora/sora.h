/* libsora: a prompt, an image or a video becomes a video.
 *
 * A complete program:
 *
 *     #include <sora/sora.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         sora_error err = {sizeof err};
 *         sora_context *ctx = NULL;
 *         sora_model *model = NULL;
 *         sora_pipeline *video = NULL;
 *         int64_t frames = 0;
 *         int32_t width = 0, height = 0;
 *
 *         if (sora_context_create(&ctx, NULL, &err) == SORA_OK &&
 *             sora_model_open(&model, ctx, "models/nano.sora", NULL, &err) == SORA_OK &&
 *             sora_pipeline_create(&video, model, &err) == SORA_OK &&
 *             sora_pipeline_set_text(video, SORA_PARAM_PROMPT, "a red robot dances on the beach at sunset", (size_t)-1) == SORA_OK &&
 *             sora_pipeline_run(video, &err) == SORA_OK) {
 *             sora_pipeline_video_info(video, &width, &height, &frames, NULL);
 *             printf("%d frames of %d x %d\n", (int)frames, (int)width, (int)height);
 *         } else {
 *             fprintf(stderr, "%s\n", err.message);
 *         }
 *         sora_pipeline_destroy(&video);
 *         sora_model_unref(&model);
 *         sora_context_unref(&ctx);
 *         return frames > 0 ? 0 : 1;
 *     }
 *
 * Rules that hold everywhere:
 * - Functions return a status (SORA_OK is 0) and take an optional sora_error for the details. Outputs are NULL on failure.
 * - The library never prints, exits, aborts, reads the environment, installs handlers, or touches locale or rand().
 * - Handles are opaque. *_unref and *_destroy take the handle's address, set it to NULL and accept NULL.
 * - Structs begin with struct_size, so that programs built against an older header keep working; option bytes that this version does not
 *   know are refused, never ignored.
 * - Strings are UTF-8. Sizes are bytes unless said. Nothing is global: two contexts never influence each other. */
#ifndef SORA_SORA_H
#define SORA_SORA_H

#include "sora/base.h"
#include "sora/context.h"
#include "sora/image.h"
#include "sora/model.h"
#include "sora/pipeline.h"
#include "sora/tensor.h"
#include "sora/train.h"
#include "sora/version.h"

#endif
