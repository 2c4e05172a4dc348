/* Decoded pictures of any kind become RGB bytes, upright, with square pixels. */
#ifndef SORA_TOOLS_VIDEO_CONVERT_H
#define SORA_TOOLS_VIDEO_CONVERT_H

#include <libavutil/frame.h>
#include <libswscale/swscale.h>
#include <stdint.h>

#include <sora/sora.h>

/* Zeroed before the first picture, which settles the size of all. */
typedef struct video_converter {
    int width, height;     /* of what comes out */
    int flat[2];           /* the same before it is turned */
    struct SwsContext *scale;
    int64_t details;       /* colours that scale is set to */
    int full;              /* its source has the full range by its kind */
    uint8_t *pixels;       /* between the steps: flat[0] * flat[1] * 8 bytes */
    float *light;          /* of HDR: by code, 65536 */
    int transfer;          /* that light is of */
} video_converter;

/* Sets width and height from the first picture. matrix: how the file wants its pictures shown (nine numbers of AV_PKT_DATA_DISPLAYMATRIX), or NULL;
 * that of the picture itself counts more. SORA_E_UNSUPPORTED for what can't be shown, SORA_E_LIMIT for sides above 16384. */
int video_convert_begin(video_converter *c, const AVFrame *frame, const int32_t *matrix, const char *path, sora_error *err);

/* Writes width * height * 3 bytes. What happens to a picture:
 *   its colours are read by the matrix and range that it names; where it names none, by BT.709 from 720 lines on and by BT.601 below;
 *   what is transparent shows white behind it;
 *   HDR (PQ and HLG, BT.2020) becomes sRGB: white of 203 cd/m2 comes out just below full, what is brighter is rolled off;
 *   pixels that are not square are widened or made higher; multiples of 90 degrees and mirroring are undone;
 *   a picture of another size than the first is scaled to that one's. */
int video_convert(video_converter *c, const AVFrame *frame, const int32_t *matrix, const char *path, uint8_t *rgb, sora_error *err);
void video_convert_end(video_converter *c);

#endif
