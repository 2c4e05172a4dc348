/* Distances between clips and between sets of clips. Frames are RGB bytes [frames, height, width, 3]. */
#ifndef SORA_TOOLS_EVAL_MEASURES_H
#define SORA_TOOLS_EVAL_MEASURES_H

#include <stdint.h>

/* Mean squared error of bytes. */
double measure_mse(const uint8_t *a, const uint8_t *b, int64_t count);
/* The same in dB of 255; at most 108, so that means over clips stay finite. */
double measure_psnr(double mse);
/* Structural similarity of brightness: mean over windows of 8 x 8, four pixels apart, of all frames. */
double measure_ssim(const uint8_t *a, const uint8_t *b, int64_t frames, int height, int width);
/* How much brightness jumps there and back: mean of |x[t-1] - 2 x[t] + x[t+1]| / 2, in steps of 1/255. 0 with fewer
 * than three frames. */
double measure_flicker(const uint8_t *rgb, int64_t frames, int height, int width);
/* Frechet distance between two sets of feature vectors [n, dim] taken as normal distributions. Negative without memory.
 */
double measure_frechet(const double *a, int na, const double *b, int nb, int dim);

#endif
