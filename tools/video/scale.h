/* Pictures brought to another size. */
#ifndef SORA_TOOLS_VIDEO_SCALE_H
#define SORA_TOOLS_VIDEO_SCALE_H

#include <stdint.h>

#include <sora/sora.h>

/* Fills a width x height picture from the middle of another: scaled by one factor, and cut as little as the other shape asks for. The same
 * bytes on every machine. SORA_OK or SORA_E_NOMEM. */
int video_fit(const uint8_t *from, int from_width, int from_height, uint8_t *to, int width, int height);

#endif
