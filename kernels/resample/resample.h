/* Whole-number resampling of channels-last video. The small grid is [b, t, h, w, c], the large one [b, t*ft, h*fh, w*fw, c].
 *   UP:   large = scale * nearest(small)      nearest upsampling (scale 1); gradient of the average (scale 1 / (ft fh fw))
 *   POOL: small = scale * sum of its block    average (scale 1 / (ft fh fw)); gradient of the upsampling (scale 1)
 * A unit is one row (all of w) of the small grid, in both directions. */
#ifndef SORAK_RESAMPLE_H
#define SORAK_RESAMPLE_H

#include "kernels/block.h"

enum sorak_resample_kind { SORAK_RESAMPLE_UP, SORAK_RESAMPLE_POOL };

typedef struct sorak_resample_args {
    int32_t kind;
    float scale;
    const float *x; /* UP: small, POOL: large */
    float *y;
    int64_t b, t, h, w, c; /* of the small grid */
    int32_t ft, fh, fw;
} sorak_resample_args;

static inline int64_t sorak_resample_units(const sorak_resample_args *a) { return a->b * a->t * a->h; }

#endif
