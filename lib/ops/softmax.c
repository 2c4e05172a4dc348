#include <string.h>

#include "kernels/softmax/softmax.h"
#include "lib/ops/ops.h"

static void softmax_backward(sorai_exec *x, const sorai_node *node) {
    sora_tensor *const dx = sorai_temp_like(x, node->out);
    if (!dx)
        return;
    sorak_softmax_bwd_args a;
    memset(&a, 0, sizeof a);
    a.y = node->out->data;
    a.dy = node->out->grad->data;
    a.dx = dx->data;
    a.cols = node->out->shape[node->out->rank - 1];
    a.rows = sorai_tensor_count(node->out) / a.cols;
    sorai_run(x, SK_OP_softmax_bwd, SK_DT_f32, &a, sorak_softmax_bwd_units(&a));
    sorai_tape_add_grad(x, node->in[0], dx);
}

sora_tensor *sorai_softmax(sorai_exec *x, sora_tensor *in) {
    if (x->status != SORA_OK || !in)
        return NULL;
    if (in->rank < 1 || in->dtype != SORA_DTYPE_F32 || in->shape[in->rank - 1] < 1)
        return sorai_exec_fail(x, SORA_E_INVALID, "softmax: the input has no columns or is not f32");
    sora_tensor *const out = sorai_temp_like(x, in);
    if (!out)
        return NULL;
    sorak_softmax_args a;
    memset(&a, 0, sizeof a);
    a.x = in->data;
    a.y = out->data;
    a.cols = in->shape[in->rank - 1];
    a.rows = sorai_tensor_count(in) / a.cols;
    sorai_run(x, SK_OP_softmax, SK_DT_f32, &a, sorak_softmax_units(&a));
    if (x->tape && in->needs_grad) {
        sorai_node *const node = sorai_tape_record(x, softmax_backward, out);
        if (!node)
            return NULL;
        node->in[0] = in;
    }
    return x->status == SORA_OK ? out : NULL;
}

enum { LOGITS, PROBABILITIES, LABELS };

static void cross_entropy_backward(sorai_exec *x, const sorai_node *node) {
    sora_tensor *const logits = node->in[LOGITS], *const dx = sorai_temp_like(x, logits);
    if (!dx)
        return;
    sorak_softmax_bwd_args a;
    memset(&a, 0, sizeof a);
    a.y = node->in[PROBABILITIES]->data;
    a.labels = node->in[LABELS]->data;
    a.grad = node->out->grad->data;
    a.scale = (float)node->f[0];
    a.dx = dx->data;
    a.cols = logits->shape[logits->rank - 1];
    a.rows = sorai_tensor_count(logits) / a.cols;
    sorai_run(x, SK_OP_softmax_bwd, SK_DT_f32, &a, sorak_softmax_bwd_units(&a));
    sorai_tape_add_grad(x, logits, dx);
}

/* The mean of the losses of the labelled rows, as a tensor [1]. The sum is taken on the host: there are few rows, and so it is in
 * double and in order. */
static sora_tensor *mean_of_rows(sorai_exec *x, const sora_tensor *losses, int64_t rows, int64_t labelled) {
    float *const host = sorai_calloc(x->mem, (size_t)rows, sizeof *host);
    if (!host)
        return sorai_exec_fail(x, SORA_E_NOMEM, "cross entropy: no memory");
    double sum = 0;
    if (sorai_download(x, losses, host) == SORA_OK)
        for (int64_t r = 0; r < rows; r++)
            sum += (double)host[r];
    sorai_free(x->mem, host);
    const float mean = labelled > 0 ? (float)(sum / (double)labelled) : 0.0f;
    const int64_t one = 1;
    return sorai_upload(x, SORA_DTYPE_F32, 1, &one, &mean);
}

sora_tensor *sorai_cross_entropy(sorai_exec *x, sora_tensor *logits, const int32_t *labels) {
    if (x->status != SORA_OK || !logits)
        return NULL;
    if (!labels || logits->rank < 1 || logits->dtype != SORA_DTYPE_F32 || logits->shape[logits->rank - 1] < 1)
        return sorai_exec_fail(x, SORA_E_INVALID, "cross entropy: no labels, or logits without columns");
    const int64_t cols = logits->shape[logits->rank - 1], rows = sorai_tensor_count(logits) / cols;
    int64_t labelled = 0;
    for (int64_t r = 0; r < rows; r++) {
        if (labels[r] >= cols)
            return sorai_exec_fail(x, SORA_E_INVALID, "cross entropy: label %d of %lld classes", labels[r], (long long)cols);
        labelled += labels[r] >= 0;
    }
    sora_tensor *const index = sorai_upload(x, SORA_DTYPE_I32, 1, &rows, labels);
    sora_tensor *const losses = sorai_temp(x, 1, &rows), *const y = sorai_temp_like(x, logits);
    if (x->status != SORA_OK)
        return NULL;
    sorak_softmax_args a;
    memset(&a, 0, sizeof a);
    a.x = logits->data;
    a.y = y->data;
    a.labels = index->data;
    a.row_loss = losses->data;
    a.rows = rows;
    a.cols = cols;
    sorai_run(x, SK_OP_softmax, SK_DT_f32, &a, sorak_softmax_units(&a));
    sora_tensor *const out = mean_of_rows(x, losses, rows, labelled);
    if (out && x->tape && logits->needs_grad) {
        sorai_node *const node = sorai_tape_record(x, cross_entropy_backward, out);
        if (!node)
            return NULL;
        node->in[LOGITS] = logits;
        node->in[PROBABILITIES] = y;
        node->in[LABELS] = index;
        node->f[0] = labelled > 0 ? 1.0 / (double)labelled : 0.0;
    }
    return out;
}
