#include "tools/eval/judge.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/commands.h"

#define MOST_PIXELS 4e6 /* of a clip that nobody asked for */

static int fail(const sora_error *err) {
    return interrupted() ? complain(EXIT_FAILED, "interrupted") : complain(EXIT_FAILED, "%s", err->message);
}

int judge_open(judge *j, const session_opts *opts, const char *probe) {
    sora_error err = {.struct_size = sizeof err};
    const int code = session_open(&j->s, opts, 0);
    if (code != EXIT_DONE) return code;
    j->model.struct_size = sizeof j->model;
    sora_model_info(j->s.model, &j->model);
    j->classify = j->model.parts & SORA_PART_PROBE ? j->s.pipeline : NULL;
    j->classifier = j->s.path;
    if (probe) {
        sora_model_desc d = {.struct_size = sizeof d};
        if (sora_model_open(&j->other.model, j->s.ctx, probe, NULL, &err) != SORA_OK ||
            sora_pipeline_create(&j->other.pipeline, j->other.model, &err) != SORA_OK)
            return fail(&err);
        sora_model_info(j->other.model, &d);
        if (!(d.parts & SORA_PART_PROBE)) return complain(EXIT_FAILED, "%s: has no probe", probe);
        j->classify = j->other.pipeline;
        j->classifier = probe;
    }
    const int asked = j->width && j->frames;
    j->width = j->width ? j->width : j->model.default_width;
    j->height = j->height ? j->height : j->model.default_height;
    j->frames = j->frames ? j->frames : j->model.default_frames;
    if (!asked && (double)j->width * j->height * (double)j->frames > MOST_PIXELS)
        return complain(EXIT_USAGE, "%s: clips of its own %dx%d with %lld frames would take hours; name them with --size and --frames, such as 128x128 and 17",
                        j->s.path, j->width, j->height, (long long)j->frames);
    j->fps = j->model.default_fps;
    j->limits.split = WORLD_HELDOUT;
    j->limits.image = j->frames == 1;
    sora_pipeline_set_i64(j->s.pipeline, SORA_PARAM_WIDTH, j->width);
    sora_pipeline_set_i64(j->s.pipeline, SORA_PARAM_HEIGHT, j->height);
    return EXIT_DONE;
}

void judge_close(judge *j) {
    session_close(&j->other);
    session_close(&j->s);
}

/* A probe that was trained on another vocabulary would be marked by the wrong words. */
static int read_row(const judge *j, int attr, const float *p, int most, opinion *out) {
    int values = 0;
    for (int v = 0; v < most; v++) values += isfinite(p[v]) ? 1 : 0;
    if (values != world_attr_count(attr) || values > JUDGE_VALUES)
        return complain(EXIT_FAILED, "%s: its probe knows %d values of %s, the world has %d", j->classifier, values, world_attr_name(attr),
                        world_attr_count(attr));
    out->best[attr] = 0;
    for (int v = 0; v < values; v++) {
        out->logp[attr][v] = (double)p[v];
        if (p[v] > p[out->best[attr]]) out->best[attr] = v;
    }
    return EXIT_DONE;
}

int judge_ask(judge *j, const uint8_t *rgb, int64_t frames, int height, int width, opinion *out) {
    sora_error err = {.struct_size = sizeof err};
    sora_tensor *video = NULL, *logits = NULL, *features = NULL;
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 4, 0, {frames, height, width, 3}};
    sora_tensor_desc table = {.struct_size = sizeof table};
    int status = sora_tensor_wrap(&video, j->s.ctx, &shape, (void *)(uintptr_t)rgb, NULL, NULL, &err); /* only read */
    if (status == SORA_OK) status = sora_classify(j->classify, video, &logits, &features, &err);
    if (status == SORA_OK) status = sora_tensor_info(logits, &table);
    int code = status == SORA_OK ? EXIT_DONE : fail(&err);
    if (code == EXIT_DONE && table.shape[0] != WORLD_ATTRS)
        code = complain(EXIT_FAILED, "%s: its probe knows %lld attributes, the world has %d", j->classifier, (long long)table.shape[0],
                        (int)WORLD_ATTRS);
    for (int a = 0; code == EXIT_DONE && a < WORLD_ATTRS; a++)
        code = read_row(j, a, (const float *)sora_tensor_data(logits) + a * table.shape[1], (int)table.shape[1], out);
    out->dim = code == EXIT_DONE ? (int)(sora_tensor_bytes(features) / sizeof(float)) : 0;
    if (out->dim > JUDGE_FEATURES) code = complain(EXIT_FAILED, "%s: its probe is wider than %d", j->classifier, JUDGE_FEATURES);
    for (int k = 0; code == EXIT_DONE && k < out->dim; k++) out->features[k] = (double)((const float *)sora_tensor_data(features))[k];
    sora_tensor_unref(&video);
    sora_tensor_unref(&logits);
    sora_tensor_unref(&features);
    return code;
}

int judge_render(const judge *j, const world_scene *scene, int64_t total, int64_t first, int64_t n, uint8_t *rgb) {
    const size_t size = (size_t)j->width * (size_t)j->height * 3;
    for (int64_t f = 0; f < n; f++)
        if (world_render(scene, j->width, j->height, (double)(first + f) / j->fps, (double)total / j->fps, rgb + size * (size_t)f) != 0)
            return complain(EXIT_FAILED, "no memory to render");
    return EXIT_DONE;
}

/* The latent of frames of any number: the last one is repeated up to what the autoencoder takes. */
static int encode(judge *j, const uint8_t *from, int64_t frames, sora_tensor **latent, sora_error *err) {
    sora_tensor *video = NULL;
    const int64_t plane = (int64_t)j->width * j->height, step = j->model.temporal_factor > 0 ? j->model.temporal_factor : 1;
    const int64_t full = 1 + (frames - 1 + step - 1) / step * step;
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_F32, 4, 0, {3, full, j->height, j->width}};
    int status = sora_tensor_create(&video, j->s.ctx, &shape, err);
    if (status == SORA_OK) {
        float *v = sora_tensor_data(video);
        for (int64_t c = 0; c < 3; c++)
            for (int64_t f = 0; f < full; f++)
                for (int64_t i = 0; i < plane; i++)
                    v[(c * full + f) * plane + i] = (float)from[((f < frames ? f : frames - 1) * plane + i) * 3 + c] / 127.5f - 1.0f;
        status = sora_encode_video(j->s.pipeline, video, latent, err);
    }
    sora_tensor_unref(&video);
    return status;
}

int judge_round_trip(judge *j, const uint8_t *from, int64_t frames, uint8_t *to) {
    sora_error err = {.struct_size = sizeof err};
    sora_tensor *latent = NULL, *back = NULL;
    sora_tensor_desc shape = {.struct_size = sizeof shape};
    const int64_t plane = (int64_t)j->width * j->height;
    int status = encode(j, from, frames, &latent, &err);
    if (status == SORA_OK) status = sora_decode_video(j->s.pipeline, latent, &back, &err);
    if (status == SORA_OK) status = sora_tensor_info(back, &shape);
    if (status == SORA_OK) {
        const float *v = sora_tensor_data(back);
        for (int64_t c = 0; c < 3; c++)
            for (int64_t i = 0; i < frames * plane; i++) to[i * 3 + c] = (uint8_t)lrintf((v[c * shape.shape[1] * plane + i] + 1.0f) * 127.5f);
    }
    sora_tensor_unref(&latent);
    sora_tensor_unref(&back);
    return status == SORA_OK ? EXIT_DONE : fail(&err);
}

/* The latent is given whole, so that the network changes nothing, and over it the given frames as they are. */
int judge_exact(judge *j, const uint8_t *truth, int64_t frames, const uint8_t *given, long long steps, uint8_t *to) {
    sora_error err = {.struct_size = sizeof err};
    sora_pipeline *p = j->s.pipeline;
    const size_t size = (size_t)j->width * (size_t)j->height * 3;
    sora_condition whole, part;
    sora_condition_init(&whole);
    int status = encode(j, truth, frames, &whole.latent, &err);
    if (status == SORA_OK) status = sora_pipeline_add_condition(p, &whole, &err);
    for (int64_t f = 0, end; f < frames && status == SORA_OK; f = end) {
        for (end = f; end < frames && given[end];) end++;
        if (end == f) {
            end++;
            continue;
        }
        const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 4, 0, {end - f, j->height, j->width, 3}};
        sora_condition_init(&part);
        part.fit = SORA_FIT_EXACT;
        part.at_frame = f;
        status = sora_tensor_wrap(&part.frames, j->s.ctx, &shape, (void *)(uintptr_t)(truth + (size_t)f * size), NULL, NULL, &err); /* only read */
        if (status == SORA_OK) status = sora_pipeline_add_condition(p, &part, &err);
        sora_tensor_unref(&part.frames);
    }
    int code = status == SORA_OK ? EXIT_DONE : fail(&err);
    sora_pipeline_set_i64(p, SORA_PARAM_STEPS, 1);
    if (code == EXIT_DONE) code = judge_make(j, "", 0, frames, to);
    sora_pipeline_set_i64(p, SORA_PARAM_STEPS, steps);
    (void)sora_pipeline_clear_conditions(p);
    sora_tensor_unref(&whole.latent);
    return code;
}

int judge_make(judge *j, const char *prompt, long long seed, int64_t frames, uint8_t *to) {
    sora_error err = {.struct_size = sizeof err};
    sora_pipeline *p = j->s.pipeline;
    sora_pipeline_set_i64(p, SORA_PARAM_SEED, seed);
    sora_pipeline_set_i64(p, SORA_PARAM_FRAMES, frames);
    int status = sora_pipeline_set_text(p, SORA_PARAM_PROMPT, prompt, (size_t)-1);
    if (status == SORA_OK) {
        interrupt_watch(p);
        status = sora_pipeline_run(p, &err);
        interrupt_watch(NULL);
    }
    if (status == SORA_OK)
        status = sora_pipeline_read_frames(p, 0, frames, to, (size_t)j->width * (size_t)j->height * 3 * (size_t)frames);
    return status == SORA_OK ? EXIT_DONE : fail(&err);
}
