/* Pictures and videos that a model takes beside the words: options of `sora generate`, files to slots. */
#ifndef SORA_TOOLS_PICTURES_H
#define SORA_TOOLS_PICTURES_H

#include <sora/sora.h>

#include "tools/options.h"

typedef struct picture_opts {
    const char *image, *last_image, *video, *mask;
    option_list references;
} picture_opts;

/* For the table of a command. */
#define PICTURE_OPTIONS(o)                                                                                             \
    {"image", OPTION_TEXT, &(o).image, "FILE", "the first frame, for models that begin with one", 0, 0},               \
        {"last-image", OPTION_TEXT, &(o).last_image, "FILE", "the last frame, for models that end with one", 0, 0},    \
        {"video", OPTION_TEXT, &(o).video, "FILE", "a control video, for models that take one (VACE)", 0, 0},          \
        {"mask", OPTION_TEXT, &(o).mask, "FILE", "a video or picture: white is made anew, black is kept", 0, 0}, {     \
        "reference", OPTION_LIST, &(o).references, "FILE", "a reference picture (VACE); may be repeated", 0, 0         \
    }

/* Reads the files that are named into the pipeline's slots. EXIT_DONE, or the exit code after one line on stderr. */
int picture_options_apply(const picture_opts *opts, sora_context *ctx, sora_pipeline *pipeline);

#endif
