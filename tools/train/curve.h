/* Loss curves as a picture. */
#ifndef SORA_TOOLS_TRAIN_CURVE_H
#define SORA_TOOLS_TRAIN_CURVE_H

/* Draws the loss column of a log.csv, smoothed, over samples (both axes logarithmic). 0 when drawn. */
int curve_draw(const char *log_path, const char *png_path);

#endif
