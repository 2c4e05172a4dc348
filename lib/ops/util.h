/* What the operations share: parameters as plain f32, sums over an axis, raw element-wise runs. Nothing here is recorded on the tape. */
#ifndef SORAI_OPS_UTIL_H
#define SORAI_OPS_UTIL_H

#include "kernels/binary/binary.h"
#include "kernels/copy/copy.h"
#include "kernels/unary/unary.h"
#include "lib/ops/exec.h"
#include "lib/ops/param.h"

static inline int sorai_wants(const sora_tensor *t) { return t && t->needs_grad; }
static inline int sorai_wants_param(const sorai_param *p) { return p && p->trainable; }
/* Ready to run on this input: not failed and not NULL. Otherwise an op returns NULL and does nothing. */
int sorai_ready(const sorai_exec *x, const sora_tensor *in);
int sorai_same_shape(const sora_tensor *a, const sora_tensor *b);

/* The last axis, and the product of the others; fails (0) when there is none or it is empty. */
int sorai_rows_cols(sorai_exec *x, const sora_tensor *t, int64_t *rows, int64_t *cols);

/* SK_DT_* of weights of this element type; -1: there is none. */
int sorai_stored_dt(int32_t dtype);
/* The scale of a weight for kernels, from row `first` on, and its step: 0 where one number is that of all rows. NULL: there is none. */
const float *sorai_scale_of(const sora_tensor *weight, int64_t first, int64_t *step);
/* The parameter's value in f32: its own memory, or a converted temporary. NULL for NULL. */
const float *sorai_param_f32(sorai_exec *x, const sorai_param *p);
/* The same as a tensor; shares memory with the parameter when it is f32. */
sora_tensor *sorai_param_value(sorai_exec *x, const sorai_param *p);

/* data [outer, n, inner] -> scale * sum over n as a temporary [outer, inner]; split in fixed chunks so that threads share long sums. */
sora_tensor *sorai_sum_middle(sorai_exec *x, const float *data, int64_t outer, int64_t n, int64_t inner, double scale);
/* y = alpha a + beta b over n elements, b of nb elements repeating (nb divides n). */
void sorai_run_axpby(sorai_exec *x, float *y, double alpha, const float *a, double beta, const float *b, int64_t n, int64_t nb);
/* y = f(in), kind of enum sorak_unary_kind. */
void sorai_run_unary(sorai_exec *x, int kind, double p0, double p1, const float *in, float *y, int64_t n);
/* Strided copy; src NULL: zeros. Simplifies the arguments first. */
void sorai_run_copy(sorai_exec *x, sorak_copy_args *args);

#endif
