/* Seams between frames that are given and frames that are made. Given pixels come out as they were, made ones as the autoencoder gives them, which is
 * softer: where one follows the other, that is a step which no model can avoid. So the made frames next to a given one take over what the
 * autoencoder lost of it (given - decoded), less with each frame, and only where they still show what it shows. Nothing that is given changes. */
#include <stdlib.h>
#include <string.h>

#include "lib/pipeline/conditions.h"
#include "lib/pipeline/pipeline.h"

#define REACH 4 /* made frames on each side of a given one */
/* Sum over the channels of the difference of two decoded pixels from which on they show different things. With these two, renders through nano's
 * autoencoder come to a step at the seam of 0.90 of those inside the renders, with no blending 1.20; and the blended frames are nearer to the
 * renders by 0.2 dB. Twice the reach gives 0.88; without the second the moving parts leave ghosts (-0.1 dB). */
#define APART 120
#define NONE 255

int sorai_seam_begin(sorai_held *h, sora_error *err) {
    const int64_t size = (int64_t)h->width * h->height;
    h->lost = sorai_alloc(h->mem, (size_t)size * 3);
    h->since = sorai_alloc(h->mem, (size_t)size);
    h->part = sorai_calloc(h->mem, (size_t)h->frames, 1);
    if (!h->lost || !h->since || !h->part)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the conditions");
    memset(h->since, NONE, (size_t)size);
    for (int64_t f = 0; f < h->frames; f++) {
        int64_t whole = 0;
        for (int64_t i = 0; i < size; i++)
            whole += h->keep[f * size + i] == 255;
        h->part[f] = whole == size ? SORAI_SEAM_ALL : whole > 0 ? SORAI_SEAM_SOME : 0;
    }
    return SORA_OK;
}

void sorai_seam_release(sorai_held *h) {
    sorai_free(h->mem, h->lost);
    sorai_free(h->mem, h->since);
    sorai_free(h->mem, h->part);
}

int64_t sorai_held_needs(const sorai_held *h, int64_t index) {
    if (!h || !h->rgb || h->part[index] == SORAI_SEAM_ALL)
        return index + 1;
    for (int64_t f = index + REACH < h->frames ? index + REACH : h->frames - 1; f > index; f--)
        if (h->part[f])
            return f + 1;
    return index + 1;
}

/* Of a pixel that the given one is `frames` away from: how much of what that one lost it takes over, in shares of 256 * (REACH + 1). */
static int share(const uint8_t *made, const uint8_t *decoded, int frames) {
    const int apart = abs(made[0] - decoded[0]) + abs(made[1] - decoded[1]) + abs(made[2] - decoded[2]);
    return apart < APART ? (APART - apart) * 256 / APART * (REACH + 1 - frames) : 0;
}

/* What frame `index`, all of it decoded but not laid over yet, takes over at pixel i: from the last given frame before it and the first behind. */
static void blend(const sorai_held *h, const uint8_t *video, int64_t index, int64_t i, uint8_t *out) {
    const int64_t size = (int64_t)h->width * h->height;
    int sum[3] = {0, 0, 0}, weight = 0;
    const int before = h->since[i];
    if (before != NONE) {
        const uint8_t *const given = h->rgb + ((index - before) * size + i) * 3, *const decoded = h->lost + i * 3;
        const int w = share(out, decoded, before);
        for (int c = 0; c < 3; c++)
            sum[c] += w * (given[c] - decoded[c]);
        weight += w;
    }
    for (int64_t f = index + 1; f <= index + REACH && f < h->frames; f++) {
        if (!h->part[f] || h->keep[f * size + i] != 255)
            continue;
        const uint8_t *const given = h->rgb + (f * size + i) * 3, *const decoded = video + (f * size + i) * 3;
        const int w = share(out, decoded, (int)(f - index));
        for (int c = 0; c < 3; c++)
            sum[c] += w * (given[c] - decoded[c]);
        weight += w;
        break;
    }
    const int whole = 256 * (REACH + 1), by = weight > whole ? weight : whole; /* of both sides together not more than all */
    for (int c = 0; c < 3 && weight; c++) {
        const int v = out[c] + (sum[c] + (sum[c] < 0 ? -by : by) / 2) / by;
        out[c] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

void sorai_held_keep(sorai_held *h, uint8_t *video, int64_t index) {
    if (!h || !h->rgb)
        return;
    const int64_t size = (int64_t)h->width * h->height;
    const uint8_t *const given = h->rgb + index * size * 3, *const keep = h->keep + index * size;
    uint8_t *const rgb = video + index * size * 3;
    for (int64_t i = 0; i < size; i++) {
        if (keep[i] == 255) {
            memcpy(h->lost + i * 3, rgb + i * 3, 3);
            memcpy(rgb + i * 3, given + i * 3, 3);
            h->since[i] = 0;
            continue;
        }
        h->since[i] = h->since[i] < REACH ? h->since[i] + 1 : NONE;
        blend(h, video, index, i, rgb + i * 3);
        for (int64_t c = i * 3; c < i * 3 + 3; c++)
            rgb[c] = (uint8_t)((given[c] * keep[i] + rgb[c] * (255 - keep[i]) + 127) / 255);
    }
}
