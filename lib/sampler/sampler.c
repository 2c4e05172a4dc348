#include "lib/sampler/sampler.h"

#include <math.h>
#include <string.h>

#include "lib/ops/ops.h"
#include "lib/sampler/schedule.h"

static int own_tensor(sora_tensor **out, sorai_sampler *s, sora_error *err) {
    return sorai_device_tensor(out, s->mem, s->device, SORA_DTYPE_F32, s->rank, s->shape, err);
}

int sorai_sampler_init(sorai_sampler *s, sorai_mem *mem, sorai_device *device, enum sorai_solver solver, int32_t steps, double shift,
                       const float *given, const sora_tensor *noise, sora_error *err) {
    memset(s, 0, sizeof *s);
    if (steps < 1 || steps > SORAI_SAMPLER_MAX_STEPS)
        return sorai_fail(err, SORA_E_INVALID, "steps must be in 1..%d", SORAI_SAMPLER_MAX_STEPS);
    if (!(shift > 0.0))
        return sorai_fail(err, SORA_E_INVALID, "shift must be positive");
    for (int32_t i = 0; given && i < steps; i++)
        if (!(given[i] > 0.0f && given[i] <= 1000.0f && (i == 0 || given[i] < given[i - 1])))
            return sorai_fail(err, SORA_E_INVALID, "timesteps must fall, from at most 1000 to more than 0");
    s->mem = mem;
    s->device = device;
    s->solver = solver;
    s->steps = steps;
    s->bytes = sorai_tensor_bytes(noise);
    s->rank = noise->rank;
    memcpy(s->shape, noise->shape, sizeof s->shape);
    s->sigmas = sorai_calloc(mem, (size_t)steps * 2 + 1, sizeof *s->sigmas);
    if (!s->sigmas)
        return sorai_fail(err, SORA_E_NOMEM, "no memory for the sampler");
    s->timesteps = s->sigmas + steps + 1;
    sorai_schedule(solver, steps, shift, given, s->sigmas, s->timesteps);
    const int multistep = solver == SORAI_SOLVER_UNIPC || solver == SORAI_SOLVER_DPMPP;
    int status = own_tensor(&s->x, s, err);
    if (status == SORA_OK && multistep)
        status = own_tensor(&s->m0, s, err);
    if (status == SORA_OK && multistep)
        status = own_tensor(&s->m1, s, err);
    if (status == SORA_OK && solver == SORAI_SOLVER_UNIPC)
        status = own_tensor(&s->last, s, err);
    if (status == SORA_OK && device->copy(device, s->x->data, noise->data, s->bytes) != SORA_OK)
        status = sorai_fail(err, SORA_E_BACKEND, "the device could not copy");
    if (status != SORA_OK)
        sorai_sampler_release(s);
    return status;
}

void sorai_sampler_release(sorai_sampler *s) {
    if (!s->mem)
        return;
    sorai_tensor_unref(&s->x);
    sorai_tensor_unref(&s->m0);
    sorai_tensor_unref(&s->m1);
    sorai_tensor_unref(&s->last);
    sorai_free(s->mem, s->sigmas);
    s->sigmas = s->timesteps = NULL;
}

static void keep(sorai_exec *x, sora_tensor *place, const sora_tensor *value) {
    if (value && x->status == SORA_OK && x->device->copy(x->device, place->data, value->data, sorai_tensor_bytes(value)) != SORA_OK)
        sorai_exec_fail(x, SORA_E_BACKEND, "the device could not copy");
}

/* ln((1 - sigma) / sigma): half the logarithm of the signal-to-noise ratio. +infinity at sigma 0. */
static double half_log_snr(double sigma) {
    return log(1.0 - sigma) - log(sigma);
}

/* a x + b m0 + c m1 */
static sora_tensor *combine(sorai_exec *x, double a, sora_tensor *t, double b, sora_tensor *m0, double c, sora_tensor *m1) {
    sora_tensor *y = sorai_axpby(x, a, t, b, m0);
    return c != 0.0 ? sorai_axpby(x, 1.0, y, c, m1) : y;
}

static sora_tensor *dpmpp_update(sorai_exec *x, sorai_sampler *s) {
    const double sigma = s->sigmas[s->index], next = s->sigmas[s->index + 1];
    const double h = half_log_snr(next) - half_log_snr(sigma), gain = (1.0 - next) * expm1(-h);
    if (s->since == 0 || s->index == s->steps - 1)
        return combine(x, next / sigma, s->x, -gain, s->m0, 0.0, NULL);
    const double r = (half_log_snr(sigma) - half_log_snr(s->sigmas[s->index - 1])) / h;
    return combine(x, next / sigma, s->x, -gain * (1.0 + 0.5 / r), s->m0, 0.5 * gain / r, s->m1);
}

/* UniPC's predictor from `sigma` to `next`; s->m0 and s->m1 are the predictions at index and index - 1. */
static sora_tensor *unip(sorai_exec *x, sorai_sampler *s, sora_tensor *sample, int32_t order) {
    const double sigma = s->sigmas[s->index], next = s->sigmas[s->index + 1];
    const double h = half_log_snr(next) - half_log_snr(sigma), gain = (1.0 - next) * expm1(-h);
    if (order == 1)
        return combine(x, next / sigma, sample, -gain, s->m0, 0.0, NULL);
    const double r = (half_log_snr(s->sigmas[s->index - 1]) - half_log_snr(sigma)) / h;
    return combine(x, next / sigma, sample, -gain * (1.0 - 0.5 / r), s->m0, -gain * 0.5 / r, s->m1);
}

/* UniPC's corrector: redoes the last step (index - 1 -> index) knowing the prediction `now` at its end. Here s->m0 and s->m1 are still
 * those of index - 1 and index - 2. */
static sora_tensor *unic(sorai_exec *x, sorai_sampler *s, sora_tensor *now, int32_t order) {
    const double sigma = s->sigmas[s->index - 1], next = s->sigmas[s->index];
    const double h = half_log_snr(next) - half_log_snr(sigma), phi = expm1(-h), gain = (1.0 - next) * phi;
    if (order == 1) {
        sora_tensor *y = combine(x, next / sigma, s->last, -gain * 0.5, s->m0, 0.0, NULL);
        return sorai_axpby(x, 1.0, y, -gain * 0.5, now);
    }
    const double r = (half_log_snr(s->sigmas[s->index - 2]) - half_log_snr(sigma)) / h;
    /* [1 1; r 1] rho = b */
    const double phi1 = phi / -h - 1.0, phi2 = phi1 / -h - 0.5;
    const double b0 = phi1 / phi, b1 = 2.0 * phi2 / phi;
    const double rho0 = (b0 - b1) / (1.0 - r), rho1 = b0 - rho0;
    sora_tensor *y = combine(x, next / sigma, s->last, -gain * (1.0 - rho0 / r - rho1), s->m0, -gain * rho0 / r, s->m1);
    return sorai_axpby(x, 1.0, y, -gain * rho1, now);
}

void sorai_sampler_step(sorai_exec *x, sorai_sampler *s, sora_tensor *velocity) {
    if (!velocity || x->status != SORA_OK)
        return;
    if (s->index >= s->steps) {
        sorai_exec_fail(x, SORA_E_STATE, "the sampler has done all its steps");
        return;
    }
    const sorai_exec_mark mark = sorai_exec_here(x);
    const double sigma = s->sigmas[s->index], next = s->sigmas[s->index + 1];
    if (s->solver == SORAI_SOLVER_EULER) {
        keep(x, s->x, sorai_axpby(x, 1.0, s->x, (double)((float)next - (float)sigma), velocity));
    } else if (s->solver == SORAI_SOLVER_LCM) {
        sora_tensor *x0 = sorai_axpby(x, 1.0, s->x, -sigma, velocity);
        if (next > 0.0 && !s->fresh)
            sorai_exec_fail(x, SORA_E_STATE, "the sampler needs fresh noise");
        keep(x, s->x, next > 0.0 ? sorai_axpby(x, 1.0 - next, x0, next, s->fresh) : x0);
    } else {
        sora_tensor *x0 = sorai_axpby(x, 1.0, s->x, -sigma, velocity);
        if (s->solver == SORAI_SOLVER_UNIPC && s->since > 0)
            keep(x, s->x, unic(x, s, x0, s->order));
        if (s->since > 0)
            keep(x, s->m1, s->m0);
        keep(x, s->m0, x0);
        if (s->solver == SORAI_SOLVER_UNIPC) {
            /* Order 2 but for the first step and the last. */
            s->order = s->since == 0 || s->index == s->steps - 1 ? 1 : 2;
            keep(x, s->last, s->x);
            keep(x, s->x, unip(x, s, s->x, s->order));
        } else {
            keep(x, s->x, dpmpp_update(x, s));
        }
    }
    s->index++;
    s->since++;
    s->fresh = NULL;
    sorai_exec_rewind(x, mark);
}

void sorai_sampler_back(sorai_exec *x, sorai_sampler *s, sora_tensor *noise) {
    if (!noise || x->status != SORA_OK || s->index < 1)
        return;
    const sorai_exec_mark mark = sorai_exec_here(x);
    /* From t back to u > t: the signal falls to (1 - u) / (1 - t) of itself, and so does the noise in x; the rest is new. */
    const double u = s->sigmas[s->index - 1], t = s->sigmas[s->index], a = (1.0 - u) / (1.0 - t);
    keep(x, s->x, sorai_axpby(x, a, s->x, sqrt(u * u - a * a * t * t), noise));
    s->index--;
    s->since = 0;
    sorai_exec_rewind(x, mark);
}

sora_tensor *sorai_guide(sorai_exec *x, sora_tensor *cond, sora_tensor *uncond, double guidance) {
    return sorai_axpby(x, guidance, cond, 1.0 - guidance, uncond);
}
