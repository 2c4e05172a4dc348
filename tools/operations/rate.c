#include "tools/operations/rate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/options.h"

void keeping_add(keeping *k, const char *path, int64_t at, int64_t frames) {
    k->piece[k->pieces].path = path;
    k->piece[k->pieces].at = at;
    k->piece[k->pieces++].frames = frames;
}

void keeping_free(keeping *k) {
    free(k->made);
    free(k->given);
    memset(k, 0, sizeof *k);
}

/* Lays a kept frame over frame `at` of the result. */
static void lay(const keeping *k, const clip *c, int64_t at, const uint8_t *own, uint8_t *to) {
    const int64_t plane = (int64_t)c->width * c->height;
    const uint8_t *mask = k->given ? k->given + at * plane : NULL;
    if (k->made && k->made[at]) return;
    if (!mask) memcpy(to, own, (size_t)plane * 3);
    for (int64_t i = 0; mask && i < plane * 3; i++) to[i] = (uint8_t)((own[i] * mask[i / 3] + to[i] * (255 - mask[i / 3]) + 127) / 255);
}

int keeping_own_rate(const keeping *k, clip *c, double *fps) {
    double rate = 0;
    clip own[2] = {{0}, {0}}, out = {.width = c->width, .height = c->height};
    int code = k->pieces ? clip_rate(k->piece[0].path, &rate) : EXIT_DONE;
    if (code != EXIT_DONE || rate <= *fps) return code;
    for (int i = 0; i < k->pieces && code == EXIT_DONE; i++) code = clip_read(&own[i], k->piece[i].path, rate, c->width, c->height);
    if (code == EXIT_DONE) code = clip_grow(&out, (int64_t)fmax(1, floor((double)c->frames / *fps * rate + 0.5)), 0);
    for (int64_t f = 0; f < out.frames && code == EXIT_DONE; f++) {
        const double t = (double)f / rate;
        int64_t at = (int64_t)floor(t * *fps + 1e-6);
        at = at < c->frames ? at : c->frames - 1;
        memcpy(clip_frame(&out, f), clip_frame(c, at), clip_frame_bytes(c));
        for (int i = 0; i < k->pieces; i++) {
            if (at < k->piece[i].at || at >= k->piece[i].at + k->piece[i].frames) continue;
            int64_t from = (int64_t)floor((t - (double)k->piece[i].at / *fps) * rate + 1e-6);
            from = from < 0 ? 0 : from < own[i].frames ? from : own[i].frames - 1;
            lay(k, c, at, clip_frame(&own[i], from), clip_frame(&out, f));
        }
    }
    clip_free(&own[0]);
    clip_free(&own[1]);
    clip_free(code == EXIT_DONE ? c : &out);
    if (code != EXIT_DONE) return code;
    *c = out;
    *fps = rate;
    return EXIT_DONE;
}
