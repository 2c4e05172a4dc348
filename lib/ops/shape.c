#include <string.h>

#include "lib/ops/ops.h"
#include "lib/ops/util.h"

/* Everything here is one strided copy; its gradient is the copy back, over zeros where parts are missing. */

static void strides_of(const sora_tensor *t, int64_t *strides) {
    int64_t n = 1;
    for (int32_t i = t->rank - 1; i >= 0; i--) {
        strides[i] = n;
        n *= t->shape[i];
    }
}

static int axis_ok(sorai_exec *x, const sora_tensor *t, int32_t axis) {
    if (axis >= 0 && axis < t->rank)
        return 1;
    sorai_exec_fail(x, SORA_E_INVALID, "axis %d of a tensor of rank %d", (int)axis, (int)t->rank);
    return 0;
}

/* Splits the shape at an axis: [outer, extent, inner]. */
static void around(const sora_tensor *t, int32_t axis, int64_t *outer, int64_t *inner) {
    *outer = *inner = 1;
    for (int32_t i = 0; i < axis; i++)
        *outer *= t->shape[i];
    for (int32_t i = axis + 1; i < t->rank; i++)
        *inner *= t->shape[i];
}

void sorai_copy_range(sorai_exec *x, const sora_tensor *src, int64_t from, sora_tensor *dst, int64_t to, int64_t n, int32_t axis) {
    int64_t outer, inner;
    around(dst, axis, &outer, &inner);
    const int64_t src_run = src ? src->shape[axis] * inner : 0;
    sorak_copy_args args = {
        .src = src ? (const float *)src->data + from * inner : NULL,
        .dst = (float *)dst->data + to * inner,
        .rank = 2,
        .shape = {outer, n * inner},
        .src_stride = {src ? src_run : dst->shape[axis] * inner, 1},
        .dst_stride = {dst->shape[axis] * inner, 1},
    };
    if (outer * n * inner > 0)
        sorai_run_copy(x, &args);
}

/* ---- reshape ----------------------------------------------------------------------------------------------------------- */

static sora_tensor *view(sorai_exec *x, sora_tensor *in, int32_t rank, const int64_t *shape) {
    sora_tensor *out = sorai_arena_alloc(&x->meta, sizeof *out);
    if (!out)
        return sorai_exec_fail(x, SORA_E_NOMEM, "no memory for a tensor");
    *out = (sora_tensor){.dtype = in->dtype, .rank = rank, .data = in->data, .device = in->device, .base = in->base ? in->base : in};
    if (rank)
        memcpy(out->shape, shape, (size_t)rank * sizeof *shape);
    return out;
}

static void reshape_backward(sorai_exec *x, const sorai_node *node) {
    sora_tensor *in = node->in[0];
    sorai_tape_add_grad(x, in, view(x, node->out->grad, in->rank, in->shape));
}

sora_tensor *sorai_reshape(sorai_exec *x, sora_tensor *in, int32_t rank, const int64_t *shape) {
    if (!sorai_ready(x, in))
        return NULL;
    size_t bytes = 0;
    if (sorai_shape_bytes(in->dtype, rank, shape, &bytes, NULL) != SORA_OK || bytes != sorai_tensor_bytes(in))
        return sorai_exec_fail(x, SORA_E_INVALID, "reshape to another number of elements");
    sora_tensor *out = view(x, in, rank, shape);
    sorai_node *node = x->tape && sorai_wants(in) ? sorai_tape_record(x, reshape_backward, out) : NULL;
    if (node)
        node->in[0] = in;
    return out;
}

/* ---- permute ----------------------------------------------------------------------------------------------------------- */

static sora_tensor *permuted(sorai_exec *x, const sora_tensor *in, const int32_t *axes) {
    int64_t strides[SORA_MAX_RANK] = {0}, shape[SORA_MAX_RANK] = {0};
    strides_of(in, strides);
    sorak_copy_args args = {.src = in->data, .rank = in->rank};
    for (int32_t i = 0; i < in->rank; i++) {
        shape[i] = args.shape[i] = in->shape[axes[i]];
        args.src_stride[i] = strides[axes[i]];
    }
    sora_tensor *out = sorai_temp(x, in->rank, shape);
    if (!out)
        return NULL;
    strides_of(out, args.dst_stride);
    args.dst = out->data;
    if (sorai_tensor_count(out) > 0)
        sorai_run_copy(x, &args);
    return out;
}

static void permute_backward(sorai_exec *x, const sorai_node *node) {
    int32_t inverse[SORA_MAX_RANK] = {0};
    for (int32_t i = 0; i < node->out->rank; i++)
        inverse[node->i[i]] = i;
    sorai_tape_add_grad(x, node->in[0], permuted(x, node->out->grad, inverse));
}

sora_tensor *sorai_permute(sorai_exec *x, sora_tensor *in, const int32_t *axes) {
    if (!sorai_ready(x, in))
        return NULL;
    uint32_t seen = 0;
    for (int32_t i = 0; i < in->rank; i++)
        if (axes[i] >= 0 && axes[i] < in->rank)
            seen |= 1u << axes[i];
    if (seen + 1 != 1u << in->rank)
        return sorai_exec_fail(x, SORA_E_INVALID, "permute: the axes are not a permutation");
    sora_tensor *out = permuted(x, in, axes);
    sorai_node *node = x->tape && sorai_wants(in) ? sorai_tape_record(x, permute_backward, out) : NULL;
    if (node) {
        node->in[0] = in;
        for (int32_t i = 0; i < in->rank; i++)
            node->i[i] = axes[i];
    }
    return out;
}

/* ---- slice, concat, pad --------------------------------------------------------------------------------------------------- */

static sora_tensor *sliced(sorai_exec *x, const sora_tensor *in, int32_t axis, int64_t begin, int64_t n) {
    int64_t shape[SORA_MAX_RANK];
    memcpy(shape, in->shape, sizeof shape);
    shape[axis] = n;
    sora_tensor *out = sorai_temp(x, in->rank, shape);
    if (out)
        sorai_copy_range(x, in, begin, out, 0, n, axis);
    return out;
}

static void slice_backward(sorai_exec *x, const sorai_node *node) {
    const int32_t axis = (int32_t)node->i[0];
    const int64_t begin = node->i[1], n = node->out->shape[axis];
    sora_tensor *in = node->in[0], *dx = sorai_temp_like(x, in);
    if (!dx)
        return;
    sorai_copy_range(x, NULL, 0, dx, 0, begin, axis);
    sorai_copy_range(x, node->out->grad, 0, dx, begin, n, axis);
    sorai_copy_range(x, NULL, 0, dx, begin + n, in->shape[axis] - begin - n, axis);
    sorai_tape_add_grad(x, in, dx);
}

sora_tensor *sorai_slice(sorai_exec *x, sora_tensor *in, int32_t axis, int64_t begin, int64_t end) {
    if (!sorai_ready(x, in) || !axis_ok(x, in, axis))
        return NULL;
    if (begin < 0 || end < begin || end > in->shape[axis])
        return sorai_exec_fail(x, SORA_E_INVALID, "slice %lld..%lld of an axis of %lld", (long long)begin, (long long)end,
                               (long long)in->shape[axis]);
    if (begin == 0 && end == in->shape[axis])
        return in;
    sora_tensor *out = sliced(x, in, axis, begin, end - begin);
    sorai_node *node = x->tape && sorai_wants(in) ? sorai_tape_record(x, slice_backward, out) : NULL;
    if (node) {
        node->in[0] = in;
        node->i[0] = axis;
        node->i[1] = begin;
    }
    return out;
}

static void part_backward(sorai_exec *x, const sorai_node *node) {
    const int32_t axis = (int32_t)node->i[0];
    sora_tensor *part = node->in[0];
    sorai_tape_add_grad(x, part, sliced(x, node->out->grad, axis, node->i[1], part->shape[axis]));
}

/* A node for each part that wants its slice of the gradient: any number of parts. */
static void record_part(sorai_exec *x, sora_tensor *out, sora_tensor *part, int32_t axis, int64_t at) {
    sorai_node *node = x->tape && sorai_wants(part) ? sorai_tape_record(x, part_backward, out) : NULL;
    if (node) {
        node->in[0] = part;
        node->i[0] = axis;
        node->i[1] = at;
    }
}

sora_tensor *sorai_concat(sorai_exec *x, sora_tensor *const *parts, int32_t count, int32_t axis) {
    if (count < 1)
        return sorai_exec_fail(x, SORA_E_INVALID, "concat of nothing");
    if (!sorai_ready(x, parts[0]) || !axis_ok(x, parts[0], axis))
        return NULL;
    int64_t shape[SORA_MAX_RANK];
    memcpy(shape, parts[0]->shape, sizeof shape);
    shape[axis] = 0;
    for (int32_t p = 0; p < count; p++) {
        if (!sorai_ready(x, parts[p]))
            return NULL;
        int fits = parts[p]->rank == parts[0]->rank;
        for (int32_t i = 0; fits && i < parts[0]->rank; i++)
            fits = i == axis || parts[p]->shape[i] == shape[i];
        if (!fits)
            return sorai_exec_fail(x, SORA_E_INVALID, "concat along axis %d: other axes differ", (int)axis);
        shape[axis] += parts[p]->shape[axis];
    }
    sora_tensor *out = sorai_temp(x, parts[0]->rank, shape);
    int64_t at = 0;
    for (int32_t p = 0; out && p < count; p++) {
        sorai_copy_range(x, parts[p], 0, out, at, parts[p]->shape[axis], axis);
        record_part(x, out, parts[p], axis, at);
        at += parts[p]->shape[axis];
    }
    return out;
}

sora_tensor *sorai_pad_front(sorai_exec *x, sora_tensor *in, int32_t axis, int64_t zeros) {
    if (!sorai_ready(x, in) || !axis_ok(x, in, axis))
        return NULL;
    if (zeros < 0 || zeros > INT64_C(1) << 40)
        return sorai_exec_fail(x, SORA_E_INVALID, "a padding of %lld", (long long)zeros);
    if (zeros == 0)
        return in;
    int64_t shape[SORA_MAX_RANK];
    memcpy(shape, in->shape, sizeof shape);
    shape[axis] += zeros;
    sora_tensor *out = sorai_temp(x, in->rank, shape);
    if (!out)
        return NULL;
    sorai_copy_range(x, NULL, 0, out, 0, zeros, axis);
    sorai_copy_range(x, in, 0, out, zeros, in->shape[axis], axis);
    record_part(x, out, in, axis, zeros);
    return out;
}

/* ---- repeat, mean ----------------------------------------------------------------------------------------------------------- */

static void repeat_into(sorai_exec *x, const float *src, sora_tensor *out, int64_t places, int64_t times, int64_t inner) {
    sorak_copy_args args = {
        .src = src,
        .dst = out->data,
        .rank = 3,
        .shape = {places, times, inner},
        .src_stride = {inner, 0, 1},
        .dst_stride = {times * inner, inner, 1},
    };
    if (places * times * inner > 0)
        sorai_run_copy(x, &args);
}

static void repeat_backward(sorai_exec *x, const sorai_node *node) {
    sora_tensor *in = node->in[0];
    int64_t outer, inner;
    around(in, (int32_t)node->i[0], &outer, &inner);
    sora_tensor *dx = sorai_sum_middle(x, node->out->grad->data, outer * in->shape[node->i[0]], node->i[1], inner, 1.0);
    sorai_tape_add_grad(x, in, dx ? view(x, dx, in->rank, in->shape) : NULL);
}

sora_tensor *sorai_repeat(sorai_exec *x, sora_tensor *in, int32_t axis, int64_t times) {
    if (!sorai_ready(x, in) || !axis_ok(x, in, axis))
        return NULL;
    if (times < 1 || times > INT64_C(1) << 32)
        return sorai_exec_fail(x, SORA_E_INVALID, "repeat %lld times", (long long)times);
    if (times == 1)
        return in;
    int64_t shape[SORA_MAX_RANK], outer, inner;
    memcpy(shape, in->shape, sizeof shape);
    if (shape[axis] > (INT64_C(1) << 40) / times)
        return sorai_exec_fail(x, SORA_E_LIMIT, "repeat %lld times is too large", (long long)times);
    shape[axis] *= times;
    around(in, axis, &outer, &inner);
    sora_tensor *out = sorai_temp(x, in->rank, shape);
    if (!out)
        return NULL;
    repeat_into(x, in->data, out, outer * in->shape[axis], times, inner);
    sorai_node *node = x->tape && sorai_wants(in) ? sorai_tape_record(x, repeat_backward, out) : NULL;
    if (node) {
        node->in[0] = in;
        node->i[0] = axis;
        node->i[1] = times;
    }
    return out;
}

static void mean_backward(sorai_exec *x, const sorai_node *node) {
    sora_tensor *in = node->in[0], *g = sorai_temp_like(x, node->out), *dx = sorai_temp_like(x, in);
    if (!g || !dx)
        return;
    const int32_t axis = (int32_t)node->i[0];
    int64_t outer, inner;
    around(in, axis, &outer, &inner);
    sorai_run_unary(x, SORAK_UNARY_AFFINE, 1.0 / (double)in->shape[axis], 0, node->out->grad->data, g->data, outer * inner);
    repeat_into(x, g->data, dx, outer, in->shape[axis], inner);
    sorai_tape_add_grad(x, in, dx);
}

sora_tensor *sorai_mean_axis(sorai_exec *x, sora_tensor *in, int32_t axis) {
    if (!sorai_ready(x, in) || !axis_ok(x, in, axis))
        return NULL;
    if (in->shape[axis] < 1)
        return sorai_exec_fail(x, SORA_E_INVALID, "the mean of nothing");
    int64_t shape[SORA_MAX_RANK], outer, inner;
    memcpy(shape, in->shape, sizeof shape);
    shape[axis] = 1;
    around(in, axis, &outer, &inner);
    sora_tensor *sum = sorai_sum_middle(x, in->data, outer, in->shape[axis], inner, 1.0 / (double)in->shape[axis]);
    sora_tensor *out = sum ? view(x, sum, in->rank, shape) : NULL;
    sorai_node *node = out && x->tape && sorai_wants(in) ? sorai_tape_record(x, mean_backward, out) : NULL;
    if (node) {
        node->in[0] = in;
        node->i[0] = axis;
    }
    return out;
}
