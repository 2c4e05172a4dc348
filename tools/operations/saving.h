/* Work that was stopped and goes on: windows that are made lie in a folder, beside the run under way. The same command, begun again, takes them from there,
 * so that it comes to the same bytes. Functions that return int print a line and return an exit code on failure. */
#ifndef SORA_TOOLS_OPERATIONS_SAVING_H
#define SORA_TOOLS_OPERATIONS_SAVING_H

#include <stdint.h>

#include <sora/sora.h>

#define SAVING_OPTION(to) \
    {"save", OPTION_TEXT, &(to), "DIR", "saved there as it goes on; the same command takes it up again after it was stopped", 0, 0}

/* Makes the folder, or looks that the same command made it, of inputs (files and folders, NULL: none) that hold the same. folder NULL: nothing is
 * saved. */
int saving_open(const char *folder, int argc, char **argv, const char *const *inputs, int count);
/* Takes the folder away, with what was saved in it. */
void saving_close(const char *folder);

/* Frames [frames, height, width, 3] of window `index`, when they are there: *found is set then. */
int saving_take(const char *folder, sora_context *ctx, int64_t index, const int64_t shape[4], uint8_t *rgb, int *found);
int saving_put(const char *folder, sora_context *ctx, int64_t index, const int64_t shape[4], const uint8_t *rgb, sora_error *err);
/* Runs the pipeline as sora_pipeline_run does, from where window `index` was left; saves it after every step of denoising. */
int saving_run(const char *folder, sora_pipeline *p, int64_t index, sora_error *err);

#endif
