/* The pixels of conditions on one timeline: fitted to the picture, later ones over earlier ones. */
#include <string.h>

#include "lib/pipeline/conditions.h"
#include "lib/pipeline/pipeline.h"
#include "lib/vision/vision.h"

void sorai_timeline_release(sorai_timeline *t) {
    sorai_free(t->mem, t->rgb);
    sorai_free(t->mem, t->known);
    sorai_free(t->mem, t->keep);
    sorai_free(t->mem, t->there);
    memset(t, 0, sizeof *t);
}

int64_t sorai_timeline_pixel(const sorai_timeline *t, const sorai_plan *plan, int64_t x, int64_t y) {
    const int64_t u = x - (plan->full_width - plan->width) / 2, v = y - (plan->full_height - plan->height) / 2;
    return (v < 0 ? 0 : v < t->height ? v : t->height - 1) * t->width + (u < 0 ? 0 : u < t->width ? u : t->width - 1);
}

void sorai_timeline_frame(const sorai_timeline *t, int64_t f, const uint8_t **rgb, const uint8_t **keep) {
    const int64_t from = f < t->frames ? f : t->frames - 1, size = (int64_t)t->width * t->height;
    *rgb = t->rgb + from * size * 3;
    *keep = t->keep + from * size;
}

/* Where a picture of w x h lies on the canvas, and its size there. */
typedef struct place {
    int64_t width, height, left, top;
} place;

static place place_of(int32_t fit, int64_t w, int64_t h, int64_t width, int64_t height) {
    place p = {width, height, 0, 0};
    const int wider = w * height > width * h; /* than the canvas */
    if (fit == SORA_FIT_STRETCH || w * height == width * h)
        return p;
    if (wider == (fit == SORA_FIT_INSIDE))
        p.height = (h * width + w / 2) / w;
    else
        p.width = (w * height + h / 2) / h;
    p.width = p.width > 0 ? p.width : 1;
    p.height = p.height > 0 ? p.height : 1;
    p.left = (width - p.width) / 2; /* negative: cut */
    p.top = (height - p.height) / 2;
    return p;
}

/* One frame of a condition over what lies on the canvas already. key: its latents are made elsewhere, so to the places of the video it says
 * nothing. */
static void lay(const sorai_timeline *t, int64_t frame, const place *at, const uint8_t *rgb, const uint8_t *mask, double strength, int key) {
    const int64_t size = (int64_t)t->width * t->height;
    uint8_t *const to = t->rgb + frame * size * 3, *const known = t->known + frame * size, *const keep = t->keep + frame * size;
    const unsigned full = key ? 0 : (unsigned)(strength * 255.0 + 0.5), kept = strength >= 1.0 ? 255 : 0;
    const int fresh = !t->there[frame];
    for (int64_t y = at->top > 0 ? at->top : 0; y < t->height && y < at->top + at->height; y++)
        for (int64_t x = at->left > 0 ? at->left : 0; x < t->width && x < at->left + at->width; x++) {
            const int64_t from = (y - at->top) * at->width + x - at->left, i = y * t->width + x;
            const unsigned m = mask ? mask[from * 3] : 255, under = 255 - m;
            /* Where nothing is known below, what is masked out still shows how the picture might go on. */
            const unsigned over = fresh || !known[i] ? 255 : m;
            for (int64_t c = 0; c < 3; c++)
                to[i * 3 + c] = (uint8_t)((rgb[from * 3 + c] * over + to[i * 3 + c] * (255 - over) + 127) / 255);
            known[i] = (uint8_t)((full * m + known[i] * under + 127) / 255);
            keep[i] = (uint8_t)((kept * m + keep[i] * under + 127) / 255);
        }
}

typedef struct fitted {
    uint8_t *rgb, *mask; /* at the size of the place */
} fitted;

/* mask [h, w] -> three equal channels, so that the filter for pictures serves both. */
static int fit_mask(sorai_mem *mem, const uint8_t *mask, int32_t w, int32_t h, const place *at, uint8_t *out, sora_error *err) {
    uint8_t *const three = sorai_alloc(mem, (size_t)w * (size_t)h * 3);
    if (!three)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for a mask");
    for (int64_t i = 0; i < (int64_t)w * h; i++)
        three[i * 3] = three[i * 3 + 1] = three[i * 3 + 2] = mask[i];
    const int status = sorai_resize_rgb(mem, three, w, h, out, (int32_t)at->width, (int32_t)at->height, SORAI_FILTER_BILINEAR, err);
    sorai_free(mem, three);
    return status;
}

static int add(sorai_timeline *t, const sora_condition *c, size_t index, int key, atomic_int *cancel, sora_error *err) {
    const int64_t n = c->frames->shape[0], h = c->frames->shape[1], w = c->frames->shape[2];
    const place at = place_of(c->fit, w, h, t->width, t->height);
    if (c->fit == SORA_FIT_EXACT && (w != t->width || h != t->height))
        return sorai_fail(err, SORA_E_INVALID, "condition %zu is %lldx%lld, the video %dx%d", index + 1, (long long)w, (long long)h,
                          (int)t->width, (int)t->height);
    size_t bytes;
    if (at.width > 65536 || at.height > 65536 || !sorai_mul_ok((size_t)at.width * 3, (size_t)at.height, &bytes))
        return sorai_fail(err, SORA_E_LIMIT, "condition %zu: its shape is too far from that of the video", index + 1);
    fitted f = {sorai_alloc(t->mem, bytes), c->mask ? sorai_alloc(t->mem, bytes) : NULL};
    int status = f.rgb && (f.mask || !c->mask) ? SORA_OK : sorai_fail(err, SORA_E_NOMEM, "no memory for a condition");
    for (int64_t i = 0; i < n && status == SORA_OK; i++) {
        if (c->at_frame + i < 0 || c->at_frame + i >= t->frames)
            continue;
        if (cancel && atomic_load(cancel)) {
            status = sorai_fail(err, SORA_E_CANCELLED, "cancelled");
            break;
        }
        const uint8_t *const rgb = (const uint8_t *)c->frames->data + i * h * w * 3;
        status = sorai_resize_rgb(t->mem, rgb, (int32_t)w, (int32_t)h, f.rgb, (int32_t)at.width, (int32_t)at.height, SORAI_FILTER_BICUBIC, err);
        if (c->mask && status == SORA_OK)
            status = fit_mask(t->mem, (const uint8_t *)c->mask->data + (c->mask->shape[0] > 1 ? i : 0) * h * w, (int32_t)w, (int32_t)h, &at,
                              f.mask, err);
        if (status == SORA_OK)
            lay(t, c->at_frame + i, &at, f.rgb, f.mask, c->strength, key);
        t->there[c->at_frame + i] = 1;
    }
    sorai_free(t->mem, f.rgb);
    sorai_free(t->mem, f.mask);
    return status;
}

int sorai_timeline_make(sorai_timeline *t, sorai_mem *mem, const sorai_conditions *conditions, const sorai_plan *plan, atomic_int *cancel,
                        sora_error *err) {
    size_t size;
    memset(t, 0, sizeof *t);
    t->mem = mem;
    t->frames = plan->frames;
    t->width = plan->width;
    t->height = plan->height;
    if (!sorai_mul_ok((size_t)plan->width * (size_t)plan->height, (size_t)plan->frames, &size) || size > SIZE_MAX / 3)
        return sorai_fail(err, SORA_E_LIMIT, "the video is too large");
    t->rgb = sorai_alloc(mem, size * 3);
    t->known = sorai_calloc(mem, size, 1);
    t->keep = sorai_calloc(mem, size, 1);
    t->there = sorai_calloc(mem, (size_t)plan->frames, 1);
    int status = t->rgb && t->known && t->keep && t->there ? SORA_OK : sorai_fail(err, SORA_E_NOMEM, "no memory for the conditions");
    if (status == SORA_OK)
        memset(t->rgb, 127, size * 3);
    for (size_t i = 0; i < conditions->count && status == SORA_OK; i++)
        if (conditions->list[i].frames)
            status = add(t, &conditions->list[i], i, sorai_condition_key(&conditions->list[i], plan) > 0, cancel, err);
    if (status != SORA_OK)
        sorai_timeline_release(t);
    return status;
}
