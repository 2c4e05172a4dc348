/* A contact sheet: a row of frames for each clip with its caption below, as one PNG. */
#ifndef SORA_TOOLS_SHEET_H
#define SORA_TOOLS_SHEET_H

#include <stdint.h>

#include <sora/sora.h>

typedef struct sheet sheet;

/* columns: frames shown of a clip; images (one frame) stand side by side, as many as columns. NULL without memory. */
sheet *sheet_new(int columns);
/* frames: RGB [count, height, width, 3]. 0, or -1 without memory. */
int sheet_add(sheet *s, const uint8_t *frames, int64_t count, int width, int height, const char *caption);
int sheet_write(const sheet *s, sora_context *ctx, const char *path, sora_error *err);
void sheet_free(sheet *s); /* NULL is fine */

#endif
