/* The end of a run: latent frames become pictures, one after the other. Under a limit that whole frames do not fit into, the frame is cut into
 * windows: the middle of the network is done for all latent frames, then window by window everything behind it; frames are complete, and
 * leave, with the last window. LTX-Video's decoder looks both ways in time, so its clips are cut in time first. */
#include <math.h>
#include <string.h>

#include "lib/ops/ops.h"
#include "lib/pipeline/pipeline.h"

/* Latent frame i of [z, t, h, w]. */
static sora_tensor *latent_frame(sora_pipeline *p, const sora_tensor *all, int64_t i) {
    const int64_t *s = all->shape, plane = s[2] * s[3], shape[5] = {1, s[0], 1, s[2], s[3]};
    float *values = sorai_alloc(p->mem, (size_t)(s[0] * plane) * sizeof *values);
    if (!values)
        return sorai_exec_fail(&p->exec, SORA_E_NOMEM, "no memory for a latent frame");
    for (int64_t c = 0; c < s[0]; c++)
        memcpy(values + c * plane, (const float *)all->data + (c * s[1] + i) * plane, (size_t)plane * sizeof *values);
    sora_tensor *one = sorai_upload(&p->exec, SORA_DTYPE_F32, 5, shape, values);
    sorai_free(p->mem, values);
    return sorai_dit_from_planes(&p->exec, one);
}

sorai_vae_window sorai_plan_window(const sorai_plan *plan, int64_t i) { return sorai_window_of(plan->windows, plan->latent[2], plan->latent[3], i); }

sorai_ltx_box sorai_plan_box(const sorai_plan *plan, int64_t step) {
    const int64_t windows = plan->windows[0] * plan->windows[1], span = step / windows, t = plan->latent[1];
    const sorai_vae_window w = sorai_plan_window(plan, step % windows);
    return (sorai_ltx_box){{span * t / plan->spans, w.y, w.x}, {(span + 1) * t / plan->spans, w.y + w.h, w.x + w.w}};
}

/* Frames [n, h, w, 3] in -1..1 that lie at (top, left) of the full frame -> bytes of the picture asked for, which is cut out of the middle. */
static void put_frames(sora_pipeline *p, int64_t first, int64_t n, const float *values, int64_t top, int64_t left, int64_t h, int64_t w) {
    const sorai_plan *plan = &p->plan;
    const int64_t x0 = left - (plan->full_width - plan->width) / 2, y0 = top - (plan->full_height - plan->height) / 2;
    const int64_t begin = x0 < 0 ? -x0 : 0, end = x0 + w < plan->width ? w : plan->width - x0;
    for (int64_t f = 0; f < n && first + f < plan->frames; f++)
        for (int64_t y = 0; y < h; y++) {
            if (y0 + y < 0 || y0 + y >= plan->height)
                continue;
            const float *in = values + (f * h + y) * w * 3;
            uint8_t *out = p->rgb + (((first + f) * plan->height + y0 + y) * plan->width + x0) * 3;
            for (int64_t i = begin * 3; i < end * 3; i++) {
                const float v = in[i] < -1.0f ? -1.0f : in[i] > 1.0f ? 1.0f : in[i];
                out[i] = (uint8_t)lrintf((v + 1.0f) * 127.5f);
            }
        }
}

/* Frames up to `end` are decoded. */
static int give_frames(sora_pipeline *p, int64_t end, sora_error *err) {
    const sorai_plan *plan = &p->plan;
    for (; p->ready < plan->frames && sorai_held_needs(p->held, p->ready) <= end; p->ready++) {
        uint8_t *out = p->rgb + (size_t)p->ready * (size_t)plan->width * (size_t)plan->height * 3;
        sorai_held_keep(p->held, p->rgb, p->ready);
        if (p->frame && p->frame(p->frame_user, p->ready, out, plan->width, plan->height) != 0)
            return sorai_fail(err, SORA_E_CANCELLED, "stopped by the frame callback");
    }
    return SORA_OK;
}

/* Takes a decoded piece, frames first.. of a place of the full frame, and gives the scope's memory back. last: what is there now is whole. */
static int take(sora_pipeline *p, sora_tensor *video, int64_t first, int64_t top, int64_t left, int last, sora_error *err) {
    sorai_exec *x = &p->exec;
    float *values = video && x->status == SORA_OK ? sorai_alloc(p->mem, sorai_tensor_bytes(video)) : NULL;
    if (values)
        sorai_download(x, video, values);
    else
        sorai_exec_fail(x, SORA_E_NOMEM, "no memory for frames");
    int status = sorai_exec_finish(x, err);
    if (status == SORA_OK) {
        put_frames(p, first, video->shape[1], values, top, left, video->shape[2], video->shape[3]);
        status = last ? give_frames(p, first + video->shape[1], err) : SORA_OK;
    }
    sorai_free(p->mem, values);
    sorai_exec_rewind(x, p->mark);
    return status;
}

static void finish(sora_pipeline *p) {
    sorai_held_release(&p->held);
    sorai_decode_end(p);
    p->state = SORAI_RUN_DONE;
}

/* The middle of latent frame i, into p->middle. */
static int keep_middle(sora_pipeline *p, sora_tensor *one, int64_t i, int64_t frames, sora_error *err) {
    sorai_exec *x = &p->exec;
    const sora_tensor *h = sorai_vae_decode_middle(x, &p->model->decoder, &p->stream, one);
    SORA_TRY(sorai_exec_finish(x, err));
    if (!p->middle)
        SORA_TRY(sorai_device_tensor(&p->middle, p->mem, x->device, SORA_DTYPE_F32, 5,
                                     (const int64_t[]){1, frames, h->shape[2], h->shape[3], h->shape[4]}, err));
    const size_t bytes = sorai_tensor_bytes(h);
    if (x->device->copy(x->device, (char *)p->middle->data + (size_t)i * bytes, h->data, bytes) != SORA_OK)
        return sorai_fail(err, SORA_E_BACKEND, "the device could not copy frames");
    if (i + 1 == frames)
        sorai_vae_stream_release(&p->stream);
    return SORA_OK;
}

int64_t sorai_decode_steps(const sorai_plan *plan) {
    const int64_t frames = plan->latent[1] - plan->references, windows = plan->windows[0] * plan->windows[1];
    return plan->whole ? plan->spans * windows : windows > 1 ? frames + windows * frames : frames;
}

/* Of a decoder that looks both ways in time. */
static int decode_box(sora_pipeline *p, const sorai_plan *plan, const sora_tensor *latent, int64_t step, sorai_piece *out, sora_error *err) {
    static const float clean[1] = {0.0f}; /* the decoder's timestep: nothing is left to take away */
    sorai_exec *x = &p->exec;
    const sorai_ltx_vae *vae = &p->model->ltx_vae;
    const int64_t windows = plan->windows[0] * plan->windows[1], space = sorai_model_decoded_space(p->model);
    const sorai_ltx_box at = sorai_plan_box(plan, step);
    sora_tensor *z = sorai_ltx_vae_denormalize(x, vae, sorai_dit_from_planes(x, sorai_stage_upload(p, latent)));
    *out = (sorai_piece){.video = sorai_ltx_vae_decode(x, vae, z, vae->config.timestep_conditioning ? clean : NULL, &at),
                         .first = at.begin[0] ? 1 + (at.begin[0] - 1) * sorai_model_decoded_time(p->model) : 0,
                         .top = at.begin[1] * space,
                         .left = at.begin[2] * space,
                         .last = (step + 1) % windows == 0};
    return sorai_exec_finish(x, err);
}

int sorai_decode_piece(sora_pipeline *p, const sorai_plan *plan, const sora_tensor *latent, int64_t step, sorai_piece *out, sora_error *err) {
    sorai_exec *x = &p->exec;
    if (plan->whole)
        return decode_box(p, plan, latent, step, out, err);
    const sorai_vae *vae = &p->model->decoder;
    const int64_t skipped = plan->references, frames = plan->latent[1] - skipped, windows = plan->windows[0] * plan->windows[1];
    const int64_t before = windows > 1 ? frames : 0, i = step % frames, space = sorai_vae_space_factor(&vae->config);
    sora_tensor *one = step < frames ? sorai_vae_denormalize(x, vae, latent_frame(p, latent, skipped + i)) : NULL;
    *out = (sorai_piece){.first = i ? 1 + (i - 1) * sorai_vae_time_factor(&vae->config) : 0};
    if (step < before)
        return keep_middle(p, one, i, frames, err);
    const int64_t window = (step - before) / frames;
    const sorai_vae_window at = sorai_plan_window(plan, window);
    out->top = at.y * space;
    out->left = at.x * space;
    out->last = window + 1 == windows;
    if (windows > 1 && i == 0)
        sorai_vae_stream_begin(&p->stream, p->mem);
    out->video = windows > 1 ? sorai_vae_decode_window(x, vae, &p->stream, sorai_slice(x, p->middle, 1, i, i + 1), &at)
                             : sorai_vae_decode(x, vae, &p->stream, one);
    return sorai_exec_finish(x, err);
}

void sorai_decode_end(sora_pipeline *p) {
    sorai_vae_stream_release(&p->stream);
    sorai_tensor_unref(&p->middle);
}

int sorai_decode_step(sora_pipeline *p, sora_error *err) {
    sorai_piece piece;
    SORA_TRY(sorai_decode_piece(p, &p->plan, p->made[SORA_SLOT_LATENT], p->decoded, &piece, err));
    if (piece.video)
        SORA_TRY(take(p, piece.video, piece.first, piece.top, piece.left, piece.last, err));
    sorai_exec_rewind(&p->exec, p->mark);
    p->decoded++;
    const int64_t steps = sorai_decode_steps(&p->plan);
    SORA_TRY(sorai_run_report(p, SORA_PHASE_DECODE, (int32_t)p->decoded, (int32_t)steps, err));
    if (p->decoded == steps)
        finish(p);
    return SORA_OK;
}
