/* What all operations share: windows of the model's length over clips, each made under conditions. */
#ifndef SORA_TOOLS_OPERATIONS_MAKING_H
#define SORA_TOOLS_OPERATIONS_MAKING_H

#include "tools/operations/clip.h"
#include "tools/session.h"

typedef struct making {
    session s;
    int width, height;
    double fps;
    int64_t window, context; /* frames made at a time; those of them that are given again at a seam, fewer */
    long long seed;
    int64_t done, total; /* windows, for the progress bar */
    progress bar;
} making;

/* Some frames of a clip at a place of the window. */
typedef struct placed {
    const uint8_t *rgb;  /* [frames, height, width, 3] */
    const uint8_t *mask; /* [frames, height, width], 255 is given; NULL: all of it */
    int64_t frames, at;
    double strength;
} placed;

/* Makes `frames` frames into out under the conditions. Prints a line and returns an exit code on failure. */
int making_window(making *m, const placed *given, int count, int64_t frames, uint8_t *out);

/* The rest are made of windows. `frames` more behind the clip or before it, going on from its end. */
int making_after(making *m, clip *c, int64_t frames);
int making_before(making *m, clip *c, int64_t frames);
/* `frames` between the end of a and the beginning of b, into a new clip. */
int making_between(making *m, const clip *a, const clip *b, int64_t frames, clip *out);
/* Remakes a clip in place: what mask (NULL: all) does not give is made; strength says how much of the clip stays. */
int making_again(making *m, clip *c, const uint8_t *mask, double strength);

#endif
