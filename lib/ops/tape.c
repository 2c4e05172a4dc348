#include "lib/ops/tape.h"

#include <string.h>

#include "lib/ops/ops.h"
#include "lib/ops/util.h"

sorai_node *sorai_tape_record(sorai_exec *x, sorai_backward_fn *backward, sora_tensor *out) {
    if (!x->tape || !out)
        return NULL;
    sorai_node *node = sorai_arena_alloc(&x->meta, sizeof *node);
    if (!node)
        return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for the tape");
    memset(node, 0, sizeof *node);
    node->backward = backward;
    node->out = out;
    node->previous = x->tape->last;
    x->tape->last = node;
    x->tape->count++;
    out->needs_grad = 1;
    return node;
}

static sora_tensor *base_of(sora_tensor *g) {
    return g->base ? g->base : g;
}

static void hold(sora_tensor *t, sora_tensor *g) {
    t->grad = g;
    base_of(g)->holders++;
}

static void drop(sorai_exec *x, sora_tensor *t) {
    sora_tensor *const base = base_of(t->grad);
    t->grad = NULL;
    if (--base->holders == 0)
        sorai_exec_spare(x, base);
}

sora_tensor *sorai_tape_own_grad(const sora_tensor *t) {
    return t->grad && base_of(t->grad)->holders == 1 ? t->grad : NULL;
}

void sorai_tape_add_grad(sorai_exec *x, sora_tensor *t, sora_tensor *g) {
    if (!t || !g || !t->needs_grad || x->status != SORA_OK)
        return;
    const int64_t count = sorai_tensor_count(t);
    if (count != sorai_tensor_count(g)) {
        sorai_exec_fail(x, SORA_E_INTERNAL, "a gradient has another size than its tensor");
        return;
    }
    if (!t->grad) {
        hold(t, g);
        return;
    }
    /* The sum goes where one of the two lies, if nobody else has that, else to new memory. Shapes may differ by a reshape. */
    sora_tensor *const old = t->grad, *const own = sorai_tape_own_grad(t);
    sora_tensor *const sum = own ? own : base_of(g)->holders ? sorai_temp_like(x, old) : sorai_reshape(x, g, old->rank, old->shape);
    if (!sum)
        return;
    sorai_run_axpby(x, sum->data, 1, old->data, 1, g->data, count, count);
    if (sum != old) {
        drop(x, t);
        hold(t, sum);
    }
}

void sorai_tape_backward(sorai_exec *x, sorai_tape *tape, sora_tensor *loss, double scale) {
    const int64_t one = 1;
    const float seed = (float)scale;
    sorai_tape_backward_from(x, tape, loss, loss ? sorai_upload(x, SORA_DTYPE_F32, 1, &one, &seed) : NULL);
}

void sorai_tape_backward_from(sorai_exec *x, sorai_tape *tape, sora_tensor *out, sora_tensor *grad) {
    x->tape = NULL;
    if (!out || !grad || x->status != SORA_OK)
        return;
    hold(out, grad);
    for (const sorai_node *node = tape->last; node && x->status == SORA_OK; node = node->previous) {
        if (!node->out->grad)
            continue;
        node->backward(x, node);
        /* An output may have several nodes, which follow each other. */
        if (!node->previous || node->previous->out != node->out)
            drop(x, node->out);
    }
    x->spares = NULL;
}
