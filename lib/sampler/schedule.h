/* Noise levels of a run. */
#ifndef SORAI_SAMPLER_SCHEDULE_H
#define SORAI_SAMPLER_SCHEDULE_H

#include "lib/sampler/sampler.h"

/* sigmas: steps + 1 values, timesteps: steps values. given: see sorai_sampler_init. */
void sorai_schedule(enum sorai_solver solver, int32_t steps, double shift, const float *given, float *sigmas, float *timesteps);

#endif
