/* Motion in clips, and how it goes on across seams. Frames are RGB bytes [frames, height, width, 3]. */
#ifndef SORA_TOOLS_EVAL_MOTION_H
#define SORA_TOOLS_EVAL_MOTION_H

#include <stdint.h>

/* Optical flow by matching: each square of 8 x 8 is looked for in the next frame by the correlation of the 16 x 16 pixels around it, fractions by a
 * parabola, errors taken out by a median over neighbours. Larger pictures are shrunk before, so that their shorter side is at most MOTION_SIDE. */
#define MOTION_SIDE   128
#define MOTION_SQUARE 8
#define MOTION_REACH  10 /* pixels of the shrunk picture: as far as squares are looked for */

int64_t motion_vectors(int height, int width); /* of a picture */

/* Mean absolute difference of two frames, in steps of 1/255. */
double motion_difference(const uint8_t *a, const uint8_t *b, int height, int width);

/* From frame a to frame b: flow [vectors, 2] (right, down) in pixels of the shrunk picture. What has no texture, or is not found again, stays at 0. 0, or
 * -1 without memory. */
int motion_flow(const uint8_t *a, const uint8_t *b, int height, int width, float *flow);

/* How a clip goes from frame at - 1 to frame at: the difference of the two frames, and by how much the flow between them departs from the
 * mean of the flows before and after (of those that are there): pixels, mean over the squares. */
typedef struct motion_step {
    double difference, jump;
} motion_step;
/* 1 <= at < frames. 0, or -1 without memory. */
int motion_step_at(const uint8_t *rgb, int64_t frames, int height, int width, int64_t at, motion_step *out);
/* The mean of all the steps within a clip, and the median of its differences; a clip of one frame has none: zeroes. 0, or -1 without memory. */
int motion_inside(const uint8_t *rgb, int64_t frames, int height, int width, motion_step *mean, double *median);

/* How alike the flows of two clips of the same size are: the sum of the products of their vectors, and what it would be if they went the same ways
 * (the root of the product of their squares). Their quotient is the correlation, 1 for the same motion; over several clips that of the
 * sums, so that clips that hardly move hardly count. 0, or -1 without memory. */
int motion_alike(const uint8_t *a, const uint8_t *b, int64_t frames, int height, int width, double *both, double *each);

/* Spearman's correlation of a sequence with its own order: 1 when it only rises, -1 when it only falls, 0 when it is constant. Equal values
 * share their ranks. n up to 4096. */
double motion_rising(const double *x, int n);

/* How far the colours of two stretches of video are from one another: the largest difference of a channel's mean or deviation, in steps of 1/255. */
double motion_drift(const uint8_t *a, const uint8_t *b, int64_t frames, int height, int width);

#endif
