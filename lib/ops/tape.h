/* The tape: what an operation leaves behind so that gradients can be computed. An operation that ran with x->tape set, and has an input
 * with needs_grad (or a trainable parameter), marks its output needs_grad and records a node. */
#ifndef SORAI_OPS_TAPE_H
#define SORAI_OPS_TAPE_H

#include "lib/ops/exec.h"

typedef struct sorai_node sorai_node;
/* Reads node->out->grad (never NULL there) and adds to the gradients of its inputs and parameters. */
typedef void sorai_backward_fn(sorai_exec *x, const sorai_node *node);

struct sorai_node {
    sorai_backward_fn *backward;
    sora_tensor *out;
    sora_tensor *in[6];   /* inputs and saved tensors, meaning is the operation's */
    void *param[4];       /* struct sorai_param * or other data */
    int64_t i[8];
    double f[4];
    sorai_node *previous;
};

struct sorai_tape {
    sorai_node *last;
    int64_t count;
};

/* A zeroed node with `out`, to be filled in; NULL (and sticky error) without memory. Sets out->needs_grad. Only with x->tape. */
sorai_node *sorai_tape_record(sorai_exec *x, sorai_backward_fn *backward, sora_tensor *out);
/* grad(t) += g. Takes g as it is when t has none yet: the same gradient may so come to several tensors, and is changed in place only while
 * one has it. The caller may not change g afterwards. No-op when t does not need it. */
void sorai_tape_add_grad(sorai_exec *x, sora_tensor *t, sora_tensor *g);
/* t's gradient when no other tensor has it, so that an operation can add to it where it lies; NULL when there is none, or it is shared. */
sora_tensor *sorai_tape_own_grad(const sora_tensor *t);
/* Walks back from a scalar `loss` (gradient 1, or `scale`) through all nodes. x->tape is set to NULL while it runs. What an operation made
 * has no gradient afterwards, its memory was used again; inputs, which no node made, keep theirs. */
void sorai_tape_backward(sorai_exec *x, sorai_tape *tape, sora_tensor *loss, double scale);
/* The same from any output, whose gradient is given (NULL: it could not be made, nothing is done). */
void sorai_tape_backward_from(sorai_exec *x, sorai_tape *tape, sora_tensor *out, sora_tensor *grad);

#endif
