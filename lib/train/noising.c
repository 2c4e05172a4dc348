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

/* Which frames are conditions: first, last, both ends, or every one with probability one half (but never all). */
static void draw_mask(const sorai_mask_shares *s, sorai_rng *rng, float *condition, int64_t frames) {
    double u = sorai_rng_f64(rng);
    memset(condition, 0, (size_t)frames * sizeof *condition);
    if (frames < 2)
        return;
    if (u < s->first) {
        condition[0] = 1.0f;
    } else if ((u -= s->first) < s->last) {
        condition[frames - 1] = 1.0f;
    } else if ((u -= s->last) < s->ends) {
        condition[0] = 1.0f;
        condition[frames - 1] = frames > 2 ? 1.0f : 0.0f;
    } else if ((u -= s->ends) < s->gaps) {
        const int64_t open = (int64_t)sorai_rng_below(rng, (uint32_t)frames);
        for (int64_t i = 0; i < frames; i++)
            condition[i] = i != open && sorai_rng_f64(rng) < 0.5 ? 1.0f : 0.0f;
    }
}

void sorai_noising_fill(sorai_noising *o, const sorai_recipe *recipe, const float *latents, const float *place_weights, double sigma,
                        uint64_t seed, uint64_t stream) {
    const int64_t size = o->frames * o->places * o->channels;
    sorai_rng rng;
    sorai_rng_init(&rng, seed, stream * 2 + 1);
    sorai_rng_normals(seed, stream * 2, 0, o->target, (size_t)(o->n * size));
    for (int64_t i = 0; i < o->n; i++) {
        float *condition = o->timesteps + i * o->frames; /* 1 for a condition, until the timesteps are written */
        const double level = sigma < 0.0 ? draw_sigma(recipe, &rng) : sigma;
        memset(condition, 0, (size_t)o->frames * sizeof *condition);
        if (sigma < 0.0)
            draw_mask(&recipe->transformer.masks, &rng, condition, o->frames);
        int64_t open = 0;
        for (int64_t t = 0; t < o->frames; t++)
            open += condition[t] == 0.0f;
        for (int64_t t = 0; t < o->frames; t++) {
            const int given = condition[t] != 0.0f;
            const float s = given ? 0.0f : (float)level, counts = given ? 0.0f : (float)o->frames / (float)open;
            condition[t] = s * 1000.0f;
            for (int64_t p = 0; p < o->places; p++) {
                const int64_t place = (i * o->frames + t) * o->places + p;
                o->weights[place] = counts * (place_weights ? place_weights[place] : 1.0f);
                for (int64_t c = 0; c < o->channels; c++) {
                    const int64_t at = i * size + (t * o->places + p) * o->channels + c;
                    const float x = latents[i * size + (c * o->frames + t) * o->places + p], e = o->target[at];
                    o->noisy[at] = (1.0f - s) * x + s * e;
                    o->target[at] = e - x;
                }
            }
        }
    }
}
