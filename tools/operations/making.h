/* What all operations share: windows of the model's length over clips, each made under conditions. */
#ifndef SORA_TOOLS_OPERATIONS_MAKING_H
#define SORA_TOOLS_OPERATIONS_MAKING_H

#include "tools/operations/clip.h"
#include "tools/session.h"

/* What is shown from a frame of the whole video on. */
typedef struct shot {
    const char *text;
    int64_t at;
} shot;

typedef struct making {
    session s;
    int width, height;
    double fps;
    int64_t window, context; /* frames made at a time; those of them that are given again at a seam, fewer */
    long long seed;
    const shot *shots;       /* rising; NULL: the prompt is for all */
    int shot_count;
    const clip *draft;       /* the whole video at another size, which what is made goes by; NULL: none */
    double draft_strength;
    int64_t at;              /* the frame of the whole video that the window begins with */
    int64_t part;            /* windows made of this video: each has noise of its own */
    int64_t done, total;     /* windows of all, for the progress bar */
    const char *save;        /* the folder that they are saved in; NULL: none */
    sora_frame_fn frame;     /* sees the frames of a window as they are made; NULL: nobody does */
    void *frame_user;
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

/* A frame that has been made; it is valid during the call. 0: go on. */
typedef int frame_sink(void *user, const uint8_t *rgb);
/* `frames` frames that go on from `known` ones at `begin` (0: from nothing), window by window, in memory that does not grow. They leave in
 * order, as they are made. */
int making_on(making *m, const uint8_t *begin, int64_t known, int64_t frames, frame_sink *sink, void *user);
int64_t making_parts(const making *m, int64_t known, int64_t frames); /* its windows */

/* The rest are made of windows. `frames` more behind the clip or before it, going on from its end. */
int making_after(making *m, clip *c, int64_t frames);
int making_before(making *m, clip *c, int64_t frames);
/* A window of `frames` made ones, which begin as a cross-fade, between the last `left` of a clip and the first `right` of another (0: that side is open), all of
 * them into out. */
int making_gap(making *m, const uint8_t *a, int64_t left, const uint8_t *b, int64_t right, int64_t frames, uint8_t *out);
/* `frames` between the end of a and the beginning of b, into a new clip. */
int making_between(making *m, const clip *a, const clip *b, int64_t frames, clip *out);
/* Remakes a clip in place, but for what mask (NULL: nothing) gives; strength says how much of the rest stays. */
int making_again(making *m, clip *c, const uint8_t *mask, double strength);

#endif
