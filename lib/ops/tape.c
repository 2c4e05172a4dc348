#include "lib/ops/tape.h"

#include <string.h>

#include "lib/ops/ops.h"

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

void sorai_tape_add_grad(sorai_exec *x, sora_tensor *t, sora_tensor *g) {
    if (!t || !g || !t->needs_grad || x->status != SORA_OK)
        return;
    if (sorai_tensor_count(t) != sorai_tensor_count(g)) {
        sorai_exec_fail(x, SORA_E_INTERNAL, "a gradient has another size than its tensor");
        return;
    }
    if (t->grad) {
        /* A gradient may be shared with other tensors, so a sum is a new one. Shapes may differ by a reshape. */
        sora_tensor *same = sorai_reshape(x, g, t->grad->rank, t->grad->shape);
        g = sorai_add(x, t->grad, same);
    }
    t->grad = g;
}

void sorai_tape_backward(sorai_exec *x, sorai_tape *tape, sora_tensor *loss, double scale) {
    x->tape = NULL;
    if (!loss || x->status != SORA_OK)
        return;
    const int64_t one = 1;
    const float seed = (float)scale;
    loss->grad = sorai_upload(x, SORA_DTYPE_F32, 1, &one, &seed);
    for (const sorai_node *node = tape->last; node && x->status == SORA_OK; node = node->previous)
        if (node->out->grad)
            node->backward(x, node);
}
