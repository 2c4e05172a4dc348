/* Samplers of flow matching: x(sigma) = (1 - sigma) x0 + sigma noise, the network predicts noise - x0.
 *
 * Schedules and solvers give what FlowMatchEuler, UniPC (bh2, order 2, flow sigmas) and DPM-Solver++ (2M, midpoint, flow sigmas) of diffusers
 * 0.42 give. Sources: Zhao et al., "UniPC", arXiv 2302.04867; Lu et al., "DPM-Solver++", arXiv 2211.01095.
 * LCM is what few-step distillations were trained for (FlowMatchLCM): each step goes to x0 and adds fresh noise of the next level. */
#ifndef SORAI_SAMPLER_SAMPLER_H
#define SORAI_SAMPLER_SAMPLER_H

#include "lib/ops/exec.h"

enum sorai_solver { SORAI_SOLVER_EULER = 1, SORAI_SOLVER_UNIPC = 2, SORAI_SOLVER_DPMPP = 3, SORAI_SOLVER_LCM = 4 };

#define SORAI_SAMPLER_MAX_STEPS 1000

typedef struct sorai_sampler {
    sorai_mem *mem;
    sorai_device *device;
    enum sorai_solver solver;
    int32_t steps, index;  /* index: steps done */
    float *sigmas;         /* steps + 1, the last is 0 */
    float *timesteps;      /* steps: what the network is told */
    size_t bytes;          /* of one sample */
    int32_t rank;
    int64_t shape[SORA_MAX_RANK];
    sora_tensor *x;        /* the sample now */
    sora_tensor *m0, *m1;  /* predictions of x0: of the last step and of the one before */
    sora_tensor *last;     /* UniPC: the sample before the last prediction */
    int32_t order;         /* UniPC: of the last prediction */
    int32_t since;         /* multistep: steps since the start or since noise was put back */
    sora_tensor *fresh;    /* LCM: noise of x's shape, set by the caller before each step but the last; not kept */
} sorai_sampler;

/* Starts from `noise` (device tensor, copied). shift 1 leaves the schedule as it is. given: `steps` timesteps in 0..1000, falling, that take
 * the place of the solver's own; they are shifted too. NULL: the solver's own (LCM: Euler's). */
int sorai_sampler_init(sorai_sampler *s, sorai_mem *mem, sorai_device *device, enum sorai_solver solver, int32_t steps, double shift,
                       const float *given, const sora_tensor *noise, sora_error *err);
void sorai_sampler_release(sorai_sampler *s);

/* What the network is to be asked next: sample s->x at timestep s->timesteps[s->index], if index < steps. Then this takes its answer
 * (guidance already applied) and advances. */
void sorai_sampler_step(sorai_exec *x, sorai_sampler *s, sora_tensor *velocity);

/* Undoes the last step but for what it has found: noise goes back onto x until it has the level that the step began with (RePaint, arXiv
 * 2201.09865). `noise`: of x's shape. The step after it is of order 1: what went before belongs to another noise. */
void sorai_sampler_back(sorai_exec *x, sorai_sampler *s, sora_tensor *noise);

/* uncond + guidance (cond - uncond). */
sora_tensor *sorai_guide(sorai_exec *x, sora_tensor *cond, sora_tensor *uncond, double guidance);

#endif
