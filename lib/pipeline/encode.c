/* Pixels become latent frames, piece by piece, so that memory does not grow with the length: the first frame alone, then as many as make one latent
 * frame. Under a limit that whole frames do not fit into, the frame is cut into windows: window by window all frames go through the front of the
 * network, then the middle, which sees whole frames, is done for each latent frame. LTX-Video's autoencoder takes clips whole. */
#include <string.h>

#include "lib/ops/ops.h"
#include "lib/pipeline/pipeline.h"

sorai_vae_window sorai_window_of(const int64_t windows[2], int64_t h, int64_t w, int64_t i) {
    const int64_t r = i / windows[1], c = i % windows[1], y = r * h / windows[0], x = c * w / windows[1];
    return (sorai_vae_window){y, x, (r + 1) * h / windows[0] - y, (c + 1) * w / windows[1] - x};
}

static int64_t pieces_of(const sora_model *m, int64_t frames) { return m->has_ltx_vae ? 1 : 1 + (frames - 1) / sorai_model_time_factor(m); }

int64_t sorai_encoding_steps(const sora_model *m, const sorai_plan *plan, int64_t frames) {
    const int64_t windows = plan->encoded_in[0] * plan->encoded_in[1];
    return pieces_of(m, frames) * (windows > 1 ? windows + 1 : 1);
}

int sorai_encoding_begin(sora_pipeline *p, sorai_encoding *e, const sorai_plan *plan, int64_t frames, sorai_fill_fn *fill, void *user,
                         sora_error *err) {
    sora_model *m = p->model;
    memset(e, 0, sizeof *e);
    SORA_TRY(sorai_model_need(m, sorai_model_encoder(m), err));
    const int64_t space = sorai_model_space_factor(m), t = 1 + (frames - 1) / sorai_model_time_factor(m);
    const int64_t h = plan->full_height / space, w = plan->full_width / space;
    e->size[0] = frames;
    e->size[1] = plan->full_height;
    e->size[2] = plan->full_width;
    e->fill = fill;
    e->user = user;
    e->pieces = pieces_of(m, frames);
    e->steps = sorai_encoding_steps(m, plan, frames);
    memcpy(e->windows, plan->encoded_in, sizeof e->windows);
    SORA_TRY(sorai_tensor_new(&e->out, p->mem, SORA_DTYPE_F32, 4, (const int64_t[]){sorai_model_latent_channels(m), t, h, w}, err));
    if (e->steps > e->pieces) {
        const int64_t c = m->encoder.encoder.level[m->encoder.config.levels - 1].in_dim;
        SORA_TRY(sorai_device_tensor(&e->front, p->mem, p->exec.device, SORA_DTYPE_F32, 5, (const int64_t[]){1, t, h, w, c}, err));
    }
    sorai_vae_stream_begin(&p->stream, p->mem);
    return SORA_OK;
}

/* Windows are not of one size, and the middle is of another: what one leaves behind is too small for the next and would stay beside it. Between
 * steps nothing lies there. */
static void begin_anew(sora_pipeline *p) {
    sorai_arena_release(&p->exec.data);
    sorai_vae_stream_release(&p->stream);
    sorai_vae_stream_begin(&p->stream, p->mem);
}

/* Frames [3, n, h, w] -> the same of a window of them, in the same memory. */
static void cut(float *piece, int64_t n, const sorai_encoding *e, const sorai_vae_window *at) {
    for (int64_t row = 0; row < 3 * n * at->h; row++) {
        const int64_t from = (row / at->h * e->size[1] + at->y + row % at->h) * e->size[2] + at->x;
        memmove(piece + row * at->w, piece + from, (size_t)at->w * sizeof *piece);
    }
}

/* What a window gives, [1, 1, h, w, c], to its place in the front of latent frame i. */
static void keep_window(sorai_exec *x, const sorai_encoding *e, int64_t i, const sorai_vae_window *at, const sora_tensor *part) {
    if (!part || x->status != SORA_OK)
        return;
    const int64_t *s = e->front->shape;
    const size_t row = (size_t)(at->w * s[4]) * sizeof(float);
    for (int64_t y = 0; y < at->h && x->status == SORA_OK; y++) {
        float *to = (float *)e->front->data + ((i * s[2] + at->y + y) * s[3] + at->x) * s[4];
        if (x->device->copy(x->device, to, (const char *)part->data + (size_t)y * row, row) != SORA_OK)
            sorai_exec_fail(x, SORA_E_BACKEND, "the device could not copy frames");
    }
}

/* Piece i of the clip, cut to `at` (NULL: all of it), on the device: [1, n, h, w, 3]. */
static sora_tensor *take_piece(sora_pipeline *p, const sorai_encoding *e, int64_t i, const sorai_vae_window *at) {
    sorai_exec *x = &p->exec;
    const int64_t time = sorai_model_time_factor(p->model), first = i ? 1 + (i - 1) * time : 0, n = e->pieces == 1 ? e->size[0] : i ? time : 1;
    sora_error why = {.struct_size = sizeof why};
    sora_tensor *video = NULL;
    float *piece = sorai_alloc(p->mem, (size_t)(3 * n * e->size[1] * e->size[2]) * sizeof *piece);
    const int status = piece ? e->fill(e->user, first, n, piece, &why) : sorai_fail(&why, SORA_E_NOMEM, "no memory for frames");
    if (status != SORA_OK) {
        sorai_exec_fail(x, status, "%s", why.message);
    } else {
        if (at)
            cut(piece, n, e, at);
        video = sorai_upload(x, SORA_DTYPE_F32, 5, (const int64_t[]){1, 3, n, at ? at->h : e->size[1], at ? at->w : e->size[2]}, piece);
    }
    sorai_free(p->mem, piece);
    return sorai_dit_from_planes(x, video);
}

/* Latent frames of a piece, not normalised. */
static sora_tensor *encode_piece(sora_pipeline *p, const sorai_encoding *e, int64_t i) {
    sorai_exec *x = &p->exec;
    const sora_model *m = p->model;
    if (m->has_ltx_vae)
        return sorai_ltx_vae_encode(x, &m->ltx_vae, take_piece(p, e, i, NULL), NULL);
    if (!e->front)
        return sorai_vae_encode(x, &m->encoder, &p->stream, take_piece(p, e, i, NULL), NULL);
    if (i == 0)
        begin_anew(p);
    return sorai_vae_encode_middle(x, &m->encoder, &p->stream, sorai_slice(x, e->front, 1, i, i + 1), NULL);
}

/* Piece i of the next window into the front. */
static void window_step(sora_pipeline *p, sorai_encoding *e, int64_t window, int64_t i) {
    const sorai_vae *vae = &p->model->encoder;
    const int64_t *size = e->out->shape + 2;
    const sorai_vae_window at = sorai_window_of(e->windows, size[0], size[1], window), reach = sorai_vae_encode_reach(vae, size, &at);
    if (i == 0)
        begin_anew(p);
    keep_window(&p->exec, e, i, &at, sorai_vae_encode_window(&p->exec, vae, &p->stream, take_piece(p, e, i, &reach), size, &at));
}

/* The latent frames of piece i to their place. */
static void latent_step(sora_pipeline *p, sorai_encoding *e, int64_t i) {
    sorai_exec *x = &p->exec;
    const sora_model *m = p->model;
    const int64_t *s = e->out->shape, plane = s[1] / e->pieces * s[2] * s[3]; /* of all latent frames, or one */
    sora_tensor *z = encode_piece(p, e, i);
    z = sorai_dit_to_planes(x, m->has_ltx_vae ? sorai_ltx_vae_normalize(x, &m->ltx_vae, z) : sorai_vae_normalize(x, &m->encoder, z));
    float *latent = z ? sorai_alloc(p->mem, sorai_tensor_bytes(z)) : NULL;
    if (!latent)
        sorai_exec_fail(x, SORA_E_NOMEM, "no memory for a latent frame");
    else
        sorai_download(x, z, latent);
    for (int64_t c = 0; c < s[0] && x->status == SORA_OK; c++)
        memcpy((float *)e->out->data + (c * s[1] + i) * s[2] * s[3], latent + c * plane, (size_t)plane * sizeof *latent);
    sorai_free(p->mem, latent);
}

int sorai_encoding_step(sora_pipeline *p, sorai_encoding *e, sora_error *err) {
    sorai_exec *x = &p->exec;
    const sorai_exec_mark mark = sorai_exec_here(x);
    const int64_t front = e->steps - e->pieces; /* steps before the middle's */
    if (e->done < front)
        window_step(p, e, e->done / e->pieces, e->done % e->pieces);
    else
        latent_step(p, e, e->done - front);
    sorai_exec_rewind(x, mark);
    e->done++;
    if (x->status != SORA_OK || e->done == e->steps) {
        sorai_vae_stream_release(&p->stream);
        sorai_tensor_unref(&e->front);
    }
    return sorai_exec_finish(x, err);
}

sora_tensor *sorai_encoding_take(sorai_encoding *e) {
    sora_tensor *out = e->out;
    e->out = NULL;
    return out;
}

void sorai_encoding_end(sora_pipeline *p, sorai_encoding *e) {
    if (e->out)
        sorai_vae_stream_release(&p->stream);
    sorai_tensor_unref(&e->front);
    sorai_tensor_unref(&e->out);
}
