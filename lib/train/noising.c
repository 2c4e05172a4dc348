#include "lib/train/noising.h"

#include <math.h>
#include <string.h>

#include "lib/base/rng.h"

static double draw_sigma(const sorai_recipe *recipe, sorai_rng *rng) {
    const double deviation = recipe->transformer.deviation, shift = recipe->transformer.shift;
    const double u = deviation > 0.0 ? 1.0 / (1.0 + exp(-(recipe->transformer.mean + deviation * sorai_rng_normal(rng))))
                                     : sorai_rng_f64(rng);
    return shift * u / (1.0 + (shift - 1.0) * u);
}

typedef struct grid {
    int64_t t, h, w; /* tokens */
} grid;

static grid grid_of(const sorai_noising *o) {
    return (grid){o->frames / o->patch[0], o->height / o->patch[1], o->width / o->patch[2]};
}

int64_t sorai_noising_tokens(const sorai_noising *o) {
    const grid g = grid_of(o);
    return g.t * g.h * g.w;
}

/* How many of up to `most` frames are given: one, an image, in half of the cases. */
static int64_t draw_length(sorai_rng *rng, int64_t most) {
    return sorai_rng_f64(rng) < 0.5 ? 1 : 1 + (int64_t)sorai_rng_below(rng, (uint32_t)most);
}

static void give_frames(float *condition, grid g, int64_t from, int64_t to) {
    for (int64_t i = from * g.h * g.w; i < to * g.h * g.w; i++)
        condition[i] = 1.0f;
}

/* Which frames are conditions: a beginning, an end, both, or every frame with probability one half; never all. */
static void draw_frames(const sorai_mask_shares *s, sorai_rng *rng, float *condition, grid g) {
    double u = sorai_rng_f64(rng);
    if (g.t < 2)
        return;
    if (u < s->first) {
        give_frames(condition, g, 0, draw_length(rng, g.t - 1));
    } else if ((u -= s->first) < s->last) {
        give_frames(condition, g, g.t - draw_length(rng, g.t - 1), g.t);
    } else if ((u -= s->last) < s->ends) {
        const int64_t first = g.t > 2 ? draw_length(rng, g.t - 2) : 1, last = g.t > 2 ? draw_length(rng, g.t - 1 - first) : 0;
        give_frames(condition, g, 0, first);
        give_frames(condition, g, g.t - last, g.t);
    } else if ((u -= s->ends) < s->gaps) {
        const int64_t open = (int64_t)sorai_rng_below(rng, (uint32_t)g.t);
        for (int64_t i = 0; i < g.t; i++)
            if (i != open && sorai_rng_f64(rng) < 0.5)
                give_frames(condition, g, i, i + 1);
    }
}

/* From a third of `size` to all but one. */
static void draw_span(sorai_rng *rng, int64_t size, int64_t *from, int64_t *to) {
    const int64_t least = size > 3 ? size / 3 : 1, length = size > 1 ? least + (int64_t)sorai_rng_below(rng, (uint32_t)(size - least)) : 1;
    *from = (int64_t)sorai_rng_below(rng, (uint32_t)(size - length + 1));
    *to = *from + length;
}

/* Everything but a box of tokens that runs through all frames is given, or, in a third of the cases, the box alone. */
static void draw_region(sorai_rng *rng, float *condition, grid g) {
    int64_t top, bottom, left, right;
    if (g.h * g.w < 2)
        return;
    draw_span(rng, g.h, &top, &bottom);
    draw_span(rng, g.w, &left, &right);
    const int inside = sorai_rng_f64(rng) < 1.0 / 3.0;
    for (int64_t i = 0; i < g.t * g.h * g.w; i++) {
        const int64_t y = i / g.w % g.h, x = i % g.w;
        condition[i] = (y >= top && y < bottom && x >= left && x < right) == inside ? 1.0f : 0.0f;
    }
}

/* One sample, from what timesteps hold of it: 1 for conditions, which are at the level `held`, 0 for the rest. */
static void noise_sample(const sorai_noising *o, int64_t i, double level, double held, const float *latents, const float *place_weights) {
    const grid g = grid_of(o);
    const int64_t places = o->height * o->width, size = o->frames * places * o->channels, tokens = g.t * g.h * g.w;
    float *const condition = o->timesteps + i * tokens;
    int64_t open = 0;
    for (int64_t k = 0; k < tokens; k++)
        open += condition[k] == 0.0f;
    for (int64_t k = 0; k < o->frames * places; k++) {
        const int64_t t = k / places / o->patch[0], y = k / o->width % o->height / o->patch[1], x = k % o->width / o->patch[2];
        const int given = condition[(t * g.h + y) * g.w + x] != 0.0f;
        const float s = (float)(given ? held : level), counts = given ? 0.0f : (float)tokens / (float)open;
        const int64_t place = i * o->frames * places + k;
        o->weights[place] = counts * (place_weights ? place_weights[place] : 1.0f);
        for (int64_t c = 0; c < o->channels; c++) {
            const int64_t at = place * o->channels + c;
            const float v = latents[i * size + c * o->frames * places + k], e = o->target[at];
            o->noisy[at] = (1.0f - s) * v + s * e;
            o->target[at] = e - v;
        }
    }
    for (int64_t k = 0; k < tokens; k++)
        condition[k] = (float)(condition[k] != 0.0f ? held : level) * 1000.0f;
}

void sorai_noising_fill(const sorai_noising *o, const sorai_recipe *recipe, const float *latents, const float *place_weights, double sigma,
                        uint64_t seed, uint64_t stream) {
    const sorai_mask_shares *s = &recipe->transformer.masks;
    const int64_t tokens = sorai_noising_tokens(o);
    sorai_rng rng;
    sorai_rng_init(&rng, seed, stream * 2 + 1);
    sorai_rng_normals(seed, stream * 2, 0, o->target, (size_t)(o->n * o->frames * o->height * o->width * o->channels));
    memset(o->timesteps, 0, (size_t)(o->n * tokens) * sizeof *o->timesteps);
    /* Regions come for all samples of a batch or for none: a time for each token costs the network more than one for each frame. */
    const int drawn = sigma < 0.0, regions = drawn && sorai_rng_f64(&rng) < s->regions;
    for (int64_t i = 0; i < o->n; i++) {
        const double level = drawn ? draw_sigma(recipe, &rng) : sigma;
        if (regions)
            draw_region(&rng, o->timesteps + i * tokens, grid_of(o));
        else if (drawn)
            draw_frames(s, &rng, o->timesteps + i * tokens, grid_of(o));
        const double held = drawn && sorai_rng_f64(&rng) < s->noisy ? level * sorai_rng_f64(&rng) : 0.0;
        noise_sample(o, i, level, held, latents, place_weights);
    }
}
