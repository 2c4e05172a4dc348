/* What matrix products and convolutions share: packed weights, and scratch that is given back within an operation. */
#ifndef SORAI_OPS_PRODUCT_H
#define SORAI_OPS_PRODUCT_H

#include "lib/ops/exec.h"
#include "lib/ops/param.h"
#include "lib/ops/tape.h"

/* What a packed form is for: y = x w; dx = dy w^T; y = x w in int8. */
enum sorai_form { SORAI_FORM_FORWARD, SORAI_FORM_TRANSPOSED, SORAI_FORM_INT8 };
typedef void sorai_pack_fn(sorai_exec *x, const sorai_param *p, int form, const void *how, void *dst);

/* The packed form of a parameter for x's type of products, made by `pack` (which gets `how`, the same every time for a parameter) if there
 * is none or it is of an older version. Kept with the
 * parameter. NULL on failure. `pack` may make temporaries, which are given back. Any number of threads may ask at once as long as the value does not change. */
const void *sorai_packed(sorai_exec *x, sorai_param *p, int form, size_t bytes, sorai_pack_fn *pack,
                         const void *how);

/* Whether x's products with p pack it each time: then sorai_packed gives scratch, which goes with the operation's. */
int sorai_streamed(sorai_exec *x, sorai_param *p, int form);

/* Gives back everything made since `mark`, also while a tape is active: only for an operation's own scratch. */
void sorai_drop_scratch(sorai_exec *x, sorai_exec_mark mark);

/* Adds the sums over rows of dy [rows, cols] to the gradient of a bias. No-op when there is none to train. */
void sorai_bias_grad(sorai_exec *x, sorai_param *bias, const float *dy, int64_t rows, int64_t cols);

#endif
