/* Clips of the world: numbers are seeds of scenes. */
#include <stdlib.h>

#include <sora/sora.h>

#include "tools/options.h"
#include "tools/train/source.h"

typedef struct world_source {
    clip_source base;
    uint64_t seed;
    double fps, long_captions; /* share of long captions */
    double subject;            /* how much the place of the first subject counts in the loss of a transformer, others 1 */
} world_source;

static int scene_of(world_scene *scene, const bucket *b, int split, uint64_t clip) {
    world_limits limits = b->limits;
    limits.split = split;
    if (world_scene_make(scene, clip, &limits) != 0)
        return SORA_E_INVALID;
    if (b->shots)
        scene->cut = 0.5;
    return SORA_OK;
}

static uint64_t choose(const clip_source *s, const bucket *b, int split, uint64_t bits) {
    (void)s;
    (void)b;
    (void)split;
    return bits;
}

static uint64_t entry(const clip_source *s, const bucket *b, int split, uint64_t index) {
    (void)b;
    return (((const world_source *)s)->seed + (split == WORLD_HELDOUT)) * 1000003u + index;
}

static int frames(clip_source *s, const bucket *b, int split, uint64_t clip, uint8_t *rgb) {
    const double fps = ((const world_source *)s)->fps, duration = (double)b->frames / fps;
    const int64_t size = (int64_t)b->width * b->height * 3;
    world_scene scene;
    if (scene_of(&scene, b, split, clip) != SORA_OK)
        return SORA_E_INVALID;
    for (int f = 0; f < b->frames; f++)
        if (world_render(&scene, b->width, b->height, (double)f / fps, duration, rgb + f * size) != 0)
            return SORA_E_NOMEM;
    return SORA_OK;
}

static int describe(clip_source *s, const bucket *b, int split, uint64_t clip, uint64_t seed, int shown, int shot, int swap, int *swapped,
                    char caption[DATA_CAPTION], int32_t *labels) {
    const double long_captions = ((const world_source *)s)->long_captions;
    const int style = (source_unit(source_mix(seed, 1)) < long_captions ? WORLD_LONG : WORLD_SHORT) | (shown == 1 ? WORLD_IMAGE : 0);
    world_scene scene;
    if (scene_of(&scene, b, split, clip) != SORA_OK)
        return SORA_E_INVALID;
    world_scene told = scene;
    if (swap >= 0 && world_attr_visible(&scene, swap, shown > 1)) {
        const int n = world_attr_count(swap);
        const uint64_t r = source_mix(seed, 2);
        world_scene_set(&told, swap, (scene.attr[swap] + 1 + (int)(r % (uint64_t)(n - 1))) % n);
        ++*swapped;
    }
    if (shot && told.attr[WORLD_SHOTS] == WORLD_PLACE_CUT) {
        told.attr[WORLD_SHOTS] = WORLD_ONE_SHOT;
        told.attr[WORLD_PLACE] = shot > 1 ? told.place2 : told.attr[WORLD_PLACE];
        told.attr[WORLD_CONDITION] = shot > 1 ? told.condition2 : told.attr[WORLD_CONDITION];
    }
    world_caption(&told, shot ? source_mix(seed, (uint64_t)shot) : seed, style, caption, DATA_CAPTION);
    for (int a = 0; labels && a < WORLD_ATTRS; a++)
        labels[a] = world_attr_visible(&scene, a, b->frames > 1) ? scene.attr[a] : -1;
    return SORA_OK;
}

/* A latent frame stands for several frames, and the subject is where it is in any of them. */
static int weigh(const clip_source *s, const bucket *b, int split, uint64_t clip, const int64_t latent[4], float *weights) {
    const world_source *w = (const world_source *)s;
    const int64_t frames = latent[1], rows = latent[2], cols = latent[3];
    const int per = frames > 1 ? (b->cached_frames - 1) / (int)(frames - 1) : 1;
    double sum = 0.0;
    world_scene scene;
    if (scene_of(&scene, b, split, clip) != SORA_OK)
        return SORA_E_INVALID;
    for (int64_t i = 0; i < frames * rows * cols; i++)
        weights[i] = 1.0f;
    for (int64_t t = 0; t < frames; t++)
        for (int f = t ? (int)(t - 1) * per + 1 : 0; f <= (int)t * per; f++) {
            double box[4];
            if (!world_bounds(&scene, b->width, b->height, (double)f / w->fps, (double)b->cached_frames / w->fps, box))
                continue;
            for (int64_t y = 0; y < rows; y++)
                for (int64_t x = 0; x < cols; x++) {
                    const double u = ((double)x + 0.5) / (double)cols, v = ((double)y + 0.5) / (double)rows;
                    if (u > box[0] && u < box[2] && v > box[1] && v < box[3])
                        weights[(t * rows + y) * cols + x] = (float)w->subject;
                }
        }
    for (int64_t i = 0; i < frames * rows * cols; i++)
        sum += (double)weights[i];
    for (int64_t i = 0; i < frames * rows * cols; i++)
        weights[i] = (float)((double)weights[i] * (double)(frames * rows * cols) / sum);
    return SORA_OK;
}

static void close_source(clip_source *s) {
    free(s);
}

int source_world_open(clip_source **out, json_t *data, uint64_t seed, double fps) {
    json_t *share = json_object_get(data, "long_captions"), *subject = json_object_get(data, "subject_weight");
    world_source *s = calloc(1, sizeof *s);
    if (!s)
        return complain(EXIT_FAILED, "no memory for the data");
    s->base = (clip_source){WORLD_ATTRS, 1, 0, NULL, choose, entry, frames, describe, NULL, close_source};
    s->seed = seed;
    s->fps = fps;
    s->long_captions = json_is_number(share) ? json_number_value(share) : 0.5;
    s->subject = json_is_number(subject) ? json_number_value(subject) : 1.0;
    if (!(s->subject > 0.0)) {
        free(s);
        return complain(EXIT_USAGE, "recipe: data.subject_weight must be above 0");
    }
    s->base.weigh = s->subject != 1.0 ? weigh : NULL;
    *out = &s->base;
    return 0;
}
