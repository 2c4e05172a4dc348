#include "lib/sampler/schedule.h"

#include <math.h>

#define TRAIN_STEPS 1000.0

static double shifted(double sigma, double shift) {
    return shift * sigma / (1.0 + (shift - 1.0) * sigma);
}

/* Value i of numpy.linspace(first, last, count). */
static double linspace(double first, double last, int32_t count, int32_t i) {
    return count > 1 ? first + (last - first) / (double)(count - 1) * (double)i : first;
}

void sorai_schedule(enum sorai_solver solver, int32_t steps, double shift, float *sigmas, float *timesteps) {
    for (int32_t i = 0; i < steps; i++) {
        double sigma;
        switch (solver) {
        case SORAI_SOLVER_UNIPC:
            sigma = shifted(linspace(1.0, 1.0 / TRAIN_STEPS, steps + 1, i), shift);
            if (i == 0 && fabs(sigma - 1.0) < 1e-6)
                sigma -= 1e-6; /* keeps log(1 - sigma) finite */
            break;
        case SORAI_SOLVER_DPMPP:
            sigma = shifted(1.0 - linspace(1.0, 1.0 / TRAIN_STEPS, steps + 1, steps - i), shift);
            break;
        case SORAI_SOLVER_EULER:
        default: {
            /* The shift is applied twice: to the lowest level in the constructor, in f32, and then to the whole row. */
            const float lowest = (float)shift * (1.0f / 1000.0f) / (1.0f + ((float)shift - 1.0f) * (1.0f / 1000.0f));
            sigma = shifted(linspace(TRAIN_STEPS, (double)lowest * TRAIN_STEPS, steps, i) / TRAIN_STEPS, shift);
            break;
        }
        }
        sigmas[i] = (float)sigma;
        /* The multistep solvers cut timesteps to whole numbers, Euler keeps them. */
        timesteps[i] = solver == SORAI_SOLVER_EULER ? (float)sigma * 1000.0f : (float)floor(sigma * TRAIN_STEPS);
    }
    sigmas[steps] = 0.0f;
}
