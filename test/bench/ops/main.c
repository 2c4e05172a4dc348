/* bench/ops [threads] [ms]
 *
 * Convolutions and linear layers as a training step runs them, through the operations and the tape: forward, then gradients of input,
 * weights and bias, with everything that belongs to them (padding, packing, sums). GFLOP/s are per core: of the process's processor time,
 * so that other programs do not count; the backward pass is two products of the forward size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/backend/context.h"
#include "lib/ops/ops.h"

typedef struct size {
    int64_t t, hw, ci, co, kt, k, stride; /* k = 0: a linear layer of t x ci -> co */
} size;

static const size sizes[] = {{9, 128, 16, 16, 3, 3, 1},   {9, 64, 32, 32, 3, 3, 1}, {9, 64, 64, 64, 3, 3, 1},  {5, 32, 128, 128, 3, 3, 1},
                             {5, 16, 128, 128, 3, 3, 1},  {9, 64, 64, 12, 3, 3, 1}, {9, 64, 12, 64, 3, 3, 1},  {9, 64, 32, 64, 1, 1, 1},
                             {9, 128, 32, 32, 1, 3, 2},   {5120, 0, 320, 320, 0, 0, 0}, {5120, 0, 320, 1280, 0, 0, 0}, {5120, 0, 1280, 320, 0, 0, 0}};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const char *what) {
    fprintf(stderr, "ops: %s\n", what);
    exit(1);
}

static sora_tensor *forward(sorai_exec *x, const size *s, sora_tensor *in, sorai_param *w, sorai_param *b) {
    const int32_t side = s->k > 1;
    const sorai_conv conv = {1, (int32_t)s->stride, (int32_t)s->stride, (int32_t)s->kt - 1, 0, side, side, side, side};
    return s->k ? sorai_conv3d(x, in, NULL, w, b, &conv) : sorai_linear(x, in, w, b, SORAI_ACT_NONE);
}

/* Seconds of the parts: forward, backward. */
static void measure(sora_context *c, const size *s, int32_t product, double budget, double *ahead, double *back, double *flops) {
    sorai_store store;
    sorai_param *w, *b;
    if (sorai_store_init(&store, &c->mem, sorai_context_device(c, NULL)) != SORA_OK)
        die("no store");
    store.trainable = 1;
    const int64_t conv_shape[5] = {s->co, s->ci, s->kt, s->k, s->k}, flat[2] = {s->co, s->ci}, co = s->co;
    if (sorai_store_get(&store, &w, "w", s->k ? 5 : 2, s->k ? conv_shape : flat, SORAI_INIT_FAN_IN, 1, NULL) != SORA_OK ||
        sorai_store_get(&store, &b, "b", 1, &co, SORAI_INIT_ZERO, 1, NULL) != SORA_OK)
        die("no memory");
    const int64_t video[5] = {1, s->t, s->hw, s->hw, s->ci}, rows[2] = {s->t, s->ci};
    sorai_exec x;
    if (sorai_exec_init(&x, sorai_context_device(c, NULL), &c->mem, product, NULL) != SORA_OK)
        die("no exec");
    const sorai_exec_mark start = sorai_exec_here(&x);
    *ahead = *back = 1e30;
    double total = 0;
    for (int i = 0; i < 3 || total < budget; i++) {
        sorai_tape tape = {NULL, 0};
        sora_tensor *in = sorai_temp(&x, s->k ? 5 : 2, s->k ? video : rows);
        if (!in)
            die("no memory");
        float *v = in->data;
        uint32_t state = 1;
        for (int64_t j = 0; j < sorai_tensor_count(in); j++) {
            state = state * 1664525u + 1013904223u;
            v[j] = (float)(state >> 8) * 0x1p-24f - 0.5f;
        }
        in->needs_grad = 1;
        x.tape = &tape;
        w->version++; /* as after an optimiser step: packed again */
        const double t0 = now();
        sora_tensor *y = forward(&x, s, in, w, b);
        const double t1 = now();
        if (!y)
            die(x.error.message);
        if (s->k == 0)
            *flops = 2.0 * (double)(s->t * s->ci * s->co);
        else
            *flops = 2.0 * (double)(sorai_tensor_count(y) * s->ci * s->kt * s->k * s->k);
        x.tape = NULL;
        y->grad = y; /* any values will do */
        const double t2 = now();
        for (const sorai_node *n = tape.last; n; n = n->previous)
            n->backward(&x, n);
        const double t3 = now();
        if (x.status != SORA_OK)
            die(x.error.message);
        *ahead = t1 - t0 < *ahead ? t1 - t0 : *ahead;
        *back = t3 - t2 < *back ? t3 - t2 : *back;
        total += t3 - t0;
        sorai_exec_rewind(&x, start);
    }
    sorai_exec_release(&x);
    sorai_store_release(&store);
}

int main(int argc, char **argv) {
    const sorai_context_config config = {.threads = argc > 1 ? atoi(argv[1]) : 0};
    const double budget = argc > 2 ? atof(argv[2]) * 1e-3 : 0.3;
    sora_context *c;
    if (sorai_context_create(&c, &config, NULL) != SORA_OK)
        die("no context");
    for (int p = 0; p < 2; p++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const size *s = &sizes[i];
            double ahead, back, flops;
            char text[64];
            measure(c, s, p ? SORA_DTYPE_BF16 : SORA_DTYPE_F32, budget, &ahead, &back, &flops);
            if (s->k)
                snprintf(text, sizeof text, "%lldx%lldx%lld, %lld -> %lld, %lldx%lldx%lld / %lld", (long long)s->t, (long long)s->hw,
                         (long long)s->hw, (long long)s->ci, (long long)s->co, (long long)s->kt, (long long)s->k, (long long)s->k,
                         (long long)s->stride);
            else
                snprintf(text, sizeof text, "%lld rows, %lld -> %lld", (long long)s->t, (long long)s->ci, (long long)s->co);
            printf("%-4s %-40s forward %8.2f ms %7.1f GFLOP/s   backward %8.2f ms %7.1f   together %7.1f\n", p ? "bf16" : "f32", text,
                   ahead * 1e3, flops / ahead * 1e-9, back * 1e3, 2 * flops / back * 1e-9, 3 * flops / (ahead + back) * 1e-9);
            fflush(stdout);
        }
    sorai_context_unref(&c);
    return 0;
}
