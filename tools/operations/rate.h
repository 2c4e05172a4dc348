/* A clip at its own rate again: what was made has the model's, what was kept may have all the frames that the input has. */
#ifndef SORA_TOOLS_OPERATIONS_RATE_H
#define SORA_TOOLS_OPERATIONS_RATE_H

#include "tools/operations/clip.h"

/* What of a result was kept from inputs. Frames are those of the result, at the model's rate. */
typedef struct keeping {
    struct {
        const char *path;
        int64_t at, frames;
    } piece[2];
    int pieces;
    uint8_t *made;  /* [frames of the result]: 1 where a frame was made although a piece lies there; NULL: nowhere */
    uint8_t *given; /* [frames of the result, height, width]: 255 where a pixel was kept; NULL: everywhere */
} keeping;

void keeping_add(keeping *k, const char *path, int64_t at, int64_t frames);
void keeping_free(keeping *k);

/* Replaces a result of rate *fps by one at the first input's rate, where that is higher: kept frames are the input's own, made ones are held for as long as before.
 * It is as long as before, to the nearest frame. Prints a line and returns an exit code on failure. */
int keeping_own_rate(const keeping *k, clip *c, double *fps);

#endif
