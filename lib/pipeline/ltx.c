/* What LTX-Video's runs have of their own: levels of noise. */
#include <math.h>

#include "lib/pipeline/pipeline.h"

void sorai_even_levels(const sorai_scheduler_config *d, int64_t tokens, int32_t steps, float *timesteps) {
    const double slope = d ? (d->high - d->low) / (d->high_tokens - d->low_tokens) : 0.0;
    const double by = d ? exp(slope * (double)tokens + d->low - slope * d->low_tokens) : 1.0;
    double last = 0.0;
    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = 0; i < steps; i++) {
            const double level = 1.0 - (steps > 1 ? (1.0 - 1.0 / steps) / (steps - 1) * i : 0.0);
            double moved = by / (by + (1.0 / level - 1.0));
            if (pass && d && d->terminal > 0.0 && last < 1.0)
                moved = 1.0 - (1.0 - moved) / ((1.0 - last) / (1.0 - d->terminal));
            if (!pass)
                last = moved;
            else
                timesteps[i] = (float)(moved * 1000.0);
        }
}

/* Half of the steps go from 1 to 0.975 in a line, the rest along a parabola to 0. */
void sorai_parabola_levels(int32_t steps, float *timesteps) {
    const double noise = 0.025, n = steps, line = steps / 2, rest = n - line, over = line - noise * n;
    const double square = over / (line * rest * rest), slope = noise / line - 2.0 * over / (rest * rest);
    for (int32_t i = 0; i < steps; i++) {
        const double gone = i < steps / 2 ? i * noise / line : square * i * i + slope * i + square * line * line;
        timesteps[i] = (steps < 2 ? 1.0f : (float)(1.0 - gone)) * 1000.0f;
    }
}
