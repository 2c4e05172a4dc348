/* Samplers against fixtures/scheduler.cases.safetensors (make_scheduler_fixtures.py): levels, timesteps, and every
 * sample of a loop. */
#include "lib/sampler/sampler.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parity.h"

#define LIMIT 1e-7

/* The formula of make_scheduler_fixtures.py. */
static void velocity(const float *x, float t, float *v, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const float p = (float)(i * 37 % 101) / 50.0f - 1.0f;
        v[i] = 0.8f * x[i] / (1.0f + fabsf(x[i])) + t / 1000.0f * p - 0.3f * x[i];
    }
}

/* Fresh noise of step k, the formula of make_scheduler_fixtures.py. */
static void fresh(float *v, int32_t step, int64_t n) {
    for (int64_t i = 0; i < n; i++) v[i] = (float)((i * 29 + step * 17) % 97) / 24.0f - 2.0f;
}

/* The loop; samples gets the sample after each step. */
static void loop(parity *p, sorai_sampler *s, float *samples, int64_t n) {
    sorai_exec x;
    float *now = malloc((size_t)n * sizeof *now), *v = malloc((size_t)n * sizeof *v);
    if (!now || !v || sorai_exec_init(&x, p->device, &p->context->mem, SORA_DTYPE_F32, NULL) != SORA_OK) {
        parity_fail(p, "loop", "no memory");
        free(now);
        free(v);
        return;
    }
    for (int32_t i = 0; i < s->steps; i++) {
        const sorai_exec_mark mark = sorai_exec_here(&x);
        sorai_download(&x, s->x, now);
        velocity(now, s->timesteps[i], v, n);
        sora_tensor *answer = sorai_upload(&x, SORA_DTYPE_F32, s->rank, s->shape, v);
        if (s->solver == SORAI_SOLVER_LCM) {
            fresh(now, i, n);
            s->fresh = sorai_upload(&x, SORA_DTYPE_F32, s->rank, s->shape, now);
        }
        sorai_sampler_step(&x, s, answer);
        sorai_download(&x, s->x, samples + i * n);
        sorai_exec_rewind(&x, mark);
    }
    parity_finish(p, &x, "loop");
    sorai_exec_release(&x);
    free(now);
    free(v);
}

static void check_case(parity *p, const parity_part *part, const char *name) {
    static const struct {
        const char *name;
        enum sorai_solver solver;
    } solvers[] = {{"euler", SORAI_SOLVER_EULER},
                   {"unipc", SORAI_SOLVER_UNIPC},
                   {"dpmpp", SORAI_SOLVER_DPMPP},
                   {"lcm", SORAI_SOLVER_LCM}};
    char solver[16] = "";
    double shift = 0.0;
    int steps = 0, which = 0;
    sora_error err = {0};
    sorai_sampler s = {0};
    if (sscanf(name, "%15[a-z]-%d-%lf", solver, &steps, &shift) != 3) {
        parity_fail(p, name, "no name of a case");
        return;
    }
    while (which < 3 && strcmp(solvers[which].name, solver) != 0) which++;
    sora_tensor *noise = parity_tensor(p, part, name, "noise", 1), *sigmas = parity_tensor(p, part, name, "sigmas", 1);
    sora_tensor *timesteps = parity_tensor(p, part, name, "timesteps", 1),
                *samples = parity_tensor(p, part, name, "samples", 1);
    sora_tensor *given = parity_tensor(p, part, name, "given", 0);
    sora_tensor *first = NULL;
    const int64_t n = noise ? sorai_tensor_count(noise) : 0;
    float *got = malloc((size_t)(n * steps + 1) * sizeof *got);
    if (noise && sigmas && timesteps && samples && got && sorai_tensor_count(sigmas) == steps + 1 &&
        sorai_tensor_count(samples) == n * steps &&
        sorai_device_tensor(&first, &p->context->mem, p->device, SORA_DTYPE_F32, 1, &n, &err) == SORA_OK &&
        p->device->upload(p->device, first->data, noise->data, (size_t)n * sizeof(float)) == SORA_OK &&
        sorai_sampler_init(&s, &p->context->mem, p->device, solvers[which].solver, steps, shift,
                           given ? given->data : NULL, first, &err) == SORA_OK) {
        char line[96];
        snprintf(line, sizeof line, "%s sigmas", name);
        parity_compare(p, line, s.sigmas, sigmas->data, steps + 1, 1e-12);
        snprintf(line, sizeof line, "%s timesteps", name);
        parity_compare(p, line, s.timesteps, timesteps->data, steps, 1e-12);
        loop(p, &s, got, n);
        snprintf(line, sizeof line, "%s all samples", name);
        parity_compare(p, line, got, samples->data, n * steps, LIMIT);
        snprintf(line, sizeof line, "%s last sample", name);
        parity_compare(p, line, got + (steps - 1) * n, (const float *)samples->data + (steps - 1) * n, n, LIMIT);
    } else {
        parity_fail(p, name, err.code ? err.message : "incomplete");
    }
    sorai_sampler_release(&s);
    sorai_tensor_unref(&given);
    sorai_tensor_unref(&first);
    sorai_tensor_unref(&noise);
    sorai_tensor_unref(&sigmas);
    sorai_tensor_unref(&timesteps);
    sorai_tensor_unref(&samples);
    free(got);
}

void parity_samplers(parity *p) {
    char path[1024];
    parity_part part = {0};
    sora_error err = {0};
    int count = 0;
    snprintf(p->model, sizeof p->model, "scheduler");
    snprintf(path, sizeof path, "%s/scheduler.cases.safetensors", p->root);
    if (sorai_safetensors_open_path(&part.cases, &p->context->mem, path, &err) != SORA_OK) {
        parity_fail(p, "open", err.message);
        return;
    }
    const sorai_table *table = sorai_safetensors_table(part.cases);
    for (size_t i = 0; i < table->count; i++) {
        const char *slash = strchr(table->items[i].name, '/');
        if (slash && strcmp(slash, "/noise") == 0 && slash - table->items[i].name < 64) {
            char name[64] = "";
            memcpy(name, table->items[i].name, (size_t)(slash - table->items[i].name));
            check_case(p, &part, name);
            count++;
        }
    }
    if (count < 20) parity_fail(p, "cases", "fewer than there should be");
    sorai_safetensors_close(&part.cases);
}
