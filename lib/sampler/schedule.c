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

/* The solver's own level i. */
static double own_level(enum sorai_solver solver, int32_t steps, double shift, int32_t i) {
    switch (solver) {
    case SORAI_SOLVER_UNIPC:
        return shifted(linspace(1.0, 1.0 / TRAIN_STEPS, steps + 1, i), shift);
    case SORAI_SOLVER_DPMPP:
        return shifted(1.0 - linspace(1.0, 1.0 / TRAIN_STEPS, steps + 1, steps - i), shift);
    case SORAI_SOLVER_EULER:
    case SORAI_SOLVER_LCM:
    default: {
        /* The shift is applied twice: to the lowest level in the constructor, in f32, and then to the whole row. */
        const float lowest = (float)shift * (1.0f / 1000.0f) / (1.0f + ((float)shift - 1.0f) * (1.0f / 1000.0f));
        return shifted(linspace(TRAIN_STEPS, (double)lowest * TRAIN_STEPS, steps, i) / TRAIN_STEPS, shift);
    }
    }
}

void sorai_schedule(enum sorai_solver solver, int32_t steps, double shift, const float *given, float *sigmas, float *timesteps) {
    const int multistep = solver == SORAI_SOLVER_UNIPC || solver == SORAI_SOLVER_DPMPP;
    for (int32_t i = 0; i < steps; i++) {
        double sigma = given ? shifted((double)given[i] / TRAIN_STEPS, shift) : own_level(solver, steps, shift, i);
        if (multistep && i == 0 && fabs(sigma - 1.0) < 1e-6)
            sigma -= 1e-6; /* keeps log(1 - sigma) finite */
        sigmas[i] = (float)sigma;
        /* The multistep solvers cut timesteps to whole numbers, the others keep them. */
        if (multistep)
            timesteps[i] = (float)floor(sigma * TRAIN_STEPS);
        else
            timesteps[i] = given && shift == 1.0 ? given[i] : (float)sigma * 1000.0f;
    }
    sigmas[steps] = 0.0f;
}
