/* Rows of `sora eval --operations` about sizes, lengths and shots: what they cost, and what stays the same. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/eval/measures.h"
#include "tools/eval/trial.h"
#include "tools/video/scale.h"

static int show(trial *t, const clip *c, const char *what, const char *prompt) {
    char text[JUDGE_CAPTION + 64];
    if (!t->sheet) return EXIT_DONE;
    snprintf(text, sizeof text, "%s: %s", what, prompt);
    return sheet_add(t->sheet, c->rgb, c->frames, c->width, c->height, text) == 0 ? EXIT_DONE : complain(EXIT_FAILED, "no memory for the sheet");
}

/* ---- image ------------------------------------------------------------------------------------------------------------------- */

static const int sizes[][2] = {{256, 256}, {512, 512}, {1024, 1024}, {1920, 1080}, {2048, 2048}};

/* What the library says that a run takes, in MiB. */
static double estimated(trial *t, int width, int height, int64_t frames) {
    sora_memory m = {.struct_size = sizeof m};
    sora_pipeline *p = t->j->s.pipeline;
    sora_pipeline_set_i64(p, SORA_PARAM_WIDTH, width);
    sora_pipeline_set_i64(p, SORA_PARAM_HEIGHT, height);
    sora_pipeline_set_i64(p, SORA_PARAM_FRAMES, frames);
    const int status = sora_pipeline_estimate(p, &m, NULL);
    sora_pipeline_set_i64(p, SORA_PARAM_WIDTH, t->j->width);
    sora_pipeline_set_i64(p, SORA_PARAM_HEIGHT, t->j->height);
    return status == SORA_OK ? (double)m.peak / 1048576 : NAN;
}

/* One size: runs of two steps and of one tell what a step costs. */
static int image(trial *t, long long i) {
    world_scene scene;
    char caption[JUDGE_CAPTION], size[32];
    const char *steps[2] = {"1", "2"};
    double spent[2] = {0, 0};
    int code = trial_scene(t, i, 0, &scene, caption);
    snprintf(size, sizeof size, "%dx%d", sizes[i][0], sizes[i][1]);
    snprintf(t->names[2 * i], sizeof *t->names, "%s: time of %d steps, from runs of 1 and 2", size, t->steps);
    snprintf(t->names[2 * i + 1], sizeof *t->names, "%s: memory, beside the library's estimate", size);
    for (int k = 0; k < 2 && code == EXIT_DONE; k++) {
        clip made = {0};
        code = trial_run(t, &(trial_ask){.prompt = caption, .size = size, .seed = i, .steps = steps[k], .image = 1, .words = {"generate", "--frames", "1"}}, &made);
        if (code == EXIT_DONE && (made.width != sizes[i][0] || made.height != sizes[i][1]))
            code = complain(EXIT_FAILED, "generate made %dx%d in place of %s", made.width, made.height, size);
        spent[k] = t->last_spent;
        clip_free(&made);
    }
    trial_add(t, (int)(2 * i), MADE, spent[0] + (t->steps - 1) * fmax(0, spent[1] - spent[0]), 1);
    trial_add(t, (int)(2 * i) + 1, MADE, t->last_peak, 1);
    trial_add(t, (int)(2 * i) + 1, EXACT, estimated(t, sizes[i][0], sizes[i][1], 1), 1);
    return code;
}

/* ---- preview ------------------------------------------------------------------------------------------------------------------ */

static int preview(trial *t, long long i) {
    world_scene scene;
    char caption[JUDGE_CAPTION], size[32];
    clip small = {0}, full = {0}, down = {0};
    int code = trial_scene(t, i, 0, &scene, caption);
    snprintf(size, sizeof size, "%dx%d", 2 * t->j->width, 2 * t->j->height);
    if (code == EXIT_DONE)
        code = trial_run(t, &(trial_ask){.prompt = caption, .size = size, .seed = i, .optional = 1, .words = {"generate", "--preview"}}, &small);
    if (code == EXIT_DONE)
        code = trial_run(t, &(trial_ask){.prompt = caption, .size = size, .seed = i, .optional = 1, .words = {"generate", "--full"}}, &full);
    if (code == EXIT_USAGE) {
        t->absent = "sora generate has no --preview and --full yet";
        return EXIT_DONE;
    }
    if (code == EXIT_DONE && small.frames != full.frames) code = complain(EXIT_FAILED, "the preview has another number of frames");
    down = (clip){.width = small.width, .height = small.height};
    if (code == EXIT_DONE) code = clip_grow(&down, full.frames, 0);
    for (int64_t f = 0; f < full.frames && code == EXIT_DONE; f++)
        if (video_fit(clip_frame(&full, f), full.width, full.height, clip_frame(&down, f), down.width, down.height) != SORA_OK)
            code = complain(EXIT_FAILED, "no memory for a frame");
    if (code == EXIT_DONE) trial_add(t, 0, MADE, measure_ssim(small.rgb, down.rgb, small.frames, small.height, small.width), 1);
    if (code == EXIT_DONE && t->j->classify) {
        opinion a, b;
        code = judge_ask(t->j, small.rgb, small.frames, small.height, small.width, &a);
        if (code == EXIT_DONE) code = judge_ask(t->j, full.rgb, full.frames, full.height, full.width, &b);
        for (int k = WORLD_SUBJECT; k <= WORLD_STYLE && code == EXIT_DONE; k++) trial_add(t, 1, MADE, a.best[k] == b.best[k] ? 100 : 0, 1);
    }
    clip_free(&small);
    clip_free(&full);
    clip_free(&down);
    return code;
}

/* ---- minute ------------------------------------------------------------------------------------------------------------------- */

static int minute(trial *t, long long i) {
    judge *j = t->j;
    world_scene scene;
    char caption[JUDGE_CAPTION], text[32];
    clip made = {0}, part = {0}, ends[2] = {{0}, {0}};
    const int64_t n = j->frames, total = (int64_t)floor(t->seconds * j->fps + 0.5);
    if (total < 4 * n) {
        t->absent = "--seconds is too short to have a first and a last window";
        return EXIT_DONE;
    }
    int code = trial_scene(t, i, 0, &scene, caption);
    snprintf(text, sizeof text, "%.9g", t->seconds / 4);
    if (code == EXIT_DONE) code = trial_run(t, &(trial_ask){.prompt = caption, .seed = i, .words = {"generate", "--seconds", text}}, &part);
    const double peak = t->last_peak;
    clip_free(&part);
    snprintf(text, sizeof text, "%.9g", t->seconds);
    if (code == EXIT_DONE) code = trial_run(t, &(trial_ask){.prompt = caption, .seed = i, .words = {"generate", "--seconds", text}}, &made);
    if (code == EXIT_DONE && made.frames != total)
        code = complain(EXIT_FAILED, "generate made %lld frames in place of %lld", (long long)made.frames, (long long)total);
    if (code == EXIT_DONE) {
        trial_add(t, 4, MADE, t->last_spent, 1);
        trial_add(t, 3, MADE, t->last_peak, peak);
    }
    for (int kind = MADE; kind <= EXACT && code == EXIT_DONE; kind++) {
        for (int e = 0; e < 2 && code == EXIT_DONE; e++) {
            code = trial_clip(t, &ends[e], n);
            if (code == EXIT_DONE && kind == EXACT) code = judge_render(j, &scene, total, e ? total - n : 0, n, ends[e].rgb);
            if (code == EXIT_DONE && kind == EXACT) code = judge_round_trip(j, ends[e].rgb, n, ends[e].rgb);
            if (code == EXIT_DONE && kind == MADE) trial_lay(&ends[e], 0, &made, e ? total - n : 0, n);
        }
        if (code == EXIT_DONE) {
            trial_add(t, 2, kind, motion_drift(ends[0].rgb, ends[1].rgb, n, j->height, j->width), 1);
            code = trial_shows(t, 1, kind, &ends[1], &scene, WORLD_SUBJECT);
        }
        if (code == EXIT_DONE && j->classify) {
            opinion a, b;
            code = judge_ask(j, ends[0].rgb, n, j->height, j->width, &a);
            if (code == EXIT_DONE) code = judge_ask(j, ends[1].rgb, n, j->height, j->width, &b);
            if (code == EXIT_DONE) trial_add(t, 0, kind, a.best[WORLD_SUBJECT] == b.best[WORLD_SUBJECT] ? 100 : 0, 1);
        }
        for (int e = 0; e < 2; e++) {
            if (kind == MADE && code == EXIT_DONE) code = show(t, &ends[e], e ? "long video, its end" : "long video, its beginning", caption);
            clip_free(&ends[e]);
        }
    }
    clip_free(&made);
    return code;
}

/* ---- shots -------------------------------------------------------------------------------------------------------------------- */

/* One character in two places: a shot for each, cut in the middle. */
static int shots(trial *t, long long i) {
    world_scene scene, other;
    char caption[JUDGE_CAPTION], second[JUDGE_CAPTION], frames[24];
    clip made = {0};
    const int64_t n = t->j->frames;
    int code = trial_scene(t, i, 0, &scene, caption), place = -1;
    for (int k = 1; k < WORLD_PLACES && place < 0 && code == EXIT_DONE; k++) {
        other = scene;
        world_scene_set(&other, WORLD_PLACE, (scene.attr[WORLD_PLACE] + k) % WORLD_PLACES);
        if (world_scene_valid(&other)) place = other.attr[WORLD_PLACE];
    }
    if (code != EXIT_DONE) return code;
    world_caption(&other, scene.seed, i & 1 ? WORLD_LONG : WORLD_SHORT, second, sizeof second);
    snprintf(frames, sizeof frames, "%lld", (long long)(2 * n));
    code = trial_run(t, &(trial_ask){.seed = i, .optional = 1, .words = {"generate", "--shot", caption, "--shot", second, "--frames", frames}}, &made);
    if (code == EXIT_USAGE) {
        t->absent = "sora generate has no --shot yet";
        return EXIT_DONE;
    }
    if (code == EXIT_DONE && made.frames != 2 * n)
        code = complain(EXIT_FAILED, "generate made %lld frames in place of %lld", (long long)made.frames, (long long)(2 * n));
    if (code == EXIT_DONE) {
        const size_t size = clip_frame_bytes(&made);
        motion_step inside = {0, 0};
        double median;
        if (motion_inside(made.rgb, n, made.height, made.width, &inside, &median) != 0) code = complain(EXIT_FAILED, "no memory to follow motion");
        trial_add(t, 2, MADE, motion_difference(made.rgb + (size_t)(n - 1) * size, made.rgb + (size_t)n * size, made.height, made.width), inside.difference);
        if (code == EXIT_DONE && t->j->classify) {
            opinion a, b;
            code = judge_ask(t->j, made.rgb, n, made.height, made.width, &a);
            if (code == EXIT_DONE) code = judge_ask(t->j, made.rgb + (size_t)n * size, n, made.height, made.width, &b);
            for (int k = WORLD_SUBJECT; k <= WORLD_COLOUR && code == EXIT_DONE; k++)
                if (world_attr_visible(&scene, k, 1)) trial_add(t, 0, MADE, a.best[k] == b.best[k] ? 100 : 0, 1);
            if (code == EXIT_DONE) trial_add(t, 1, MADE, b.best[WORLD_PLACE] == other.attr[WORLD_PLACE] ? 100 : 0, 1);
        }
        if (code == EXIT_DONE) code = show(t, &made, "shots", caption);
    }
    if (code == EXIT_DONE && t->j->classify) { /* the two as they are rendered */
        clip both[2] = {{0}, {0}};
        opinion said[2];
        for (int k = 0; k < 2 && code == EXIT_DONE; k++) {
            code = trial_clip(t, &both[k], n);
            if (code == EXIT_DONE) code = judge_render(t->j, k ? &other : &scene, n, 0, n, both[k].rgb);
            if (code == EXIT_DONE) code = judge_round_trip(t->j, both[k].rgb, n, both[k].rgb);
            if (code == EXIT_DONE) code = judge_ask(t->j, both[k].rgb, n, t->j->height, t->j->width, &said[k]);
        }
        for (int k = WORLD_SUBJECT; k <= WORLD_COLOUR && code == EXIT_DONE; k++)
            if (world_attr_visible(&scene, k, 1)) trial_add(t, 0, EXACT, said[0].best[k] == said[1].best[k] ? 100 : 0, 1);
        if (code == EXIT_DONE) trial_add(t, 1, EXACT, said[1].best[WORLD_PLACE] == other.attr[WORLD_PLACE] ? 100 : 0, 1);
        for (int k = 0; k < 2; k++) clip_free(&both[k]);
    }
    clip_free(&made);
    return code;
}

/* ---- shape -------------------------------------------------------------------------------------------------------------------- */

/* As many pixels as the model's own size, 16:9, 9:16 and square. */
static int shape(trial *t, long long i) {
    world_scene scene;
    char caption[JUDGE_CAPTION], size[32];
    static const double ratios[] = {16.0 / 9, 9.0 / 16, 1};
    static const char *const words[] = {"wide", "tall", "square"};
    const int unit = t->j->model.spatial_factor * (t->j->model.patch_w > 0 ? t->j->model.patch_w : 1);
    int code = trial_scene(t, i, 0, &scene, caption);
    for (int k = 0; k < 3 && code == EXIT_DONE; k++) {
        clip made = {0};
        const double area = (double)t->j->width * t->j->height;
        const int w = (int)fmax(1, floor(sqrt(area * ratios[k]) / unit + 0.5)) * unit, h = (int)fmax(1, floor(sqrt(area / ratios[k]) / unit + 0.5)) * unit;
        snprintf(size, sizeof size, "%dx%d", w, h);
        code = trial_run(t, &(trial_ask){.prompt = caption, .size = size, .seed = i, .words = {"generate"}}, &made);
        snprintf(t->names[k], sizeof *t->names, "%s, %s: time", words[k], size);
        snprintf(t->names[k + 3], sizeof *t->names, "%s, %s: memory", words[k], size);
        trial_add(t, k, MADE, t->last_spent, 1);
        trial_add(t, k + 3, MADE, t->last_peak, 1);
        if (code == EXIT_DONE) code = trial_shows(t, 6 + k, MADE, &made, &scene, WORLD_SUBJECT);
        if (code == EXIT_DONE && k == 0) { /* what a model that was trained on squares would have seen of it */
            clip square = {.width = h, .height = h};
            code = clip_grow(&square, made.frames, 0);
            for (int64_t f = 0; f < made.frames && code == EXIT_DONE; f++)
                if (video_fit(clip_frame(&made, f), w, h, clip_frame(&square, f), h, h) != SORA_OK) code = complain(EXIT_FAILED, "no memory for a frame");
            if (code == EXIT_DONE) code = trial_shows(t, 9, MADE, &square, &scene, WORLD_SUBJECT);
            clip_free(&square);
        }
        if (code == EXIT_DONE) code = show(t, &made, words[k], caption);
        clip_free(&made);
    }
    return code;
}

/* ---- the table ---------------------------------------------------------------------------------------------------------------- */

#define COST {"", "s", 0, 0, 0}, {"", "MiB", 0, 0, 0}

const trial_row trial_rows_sizes[] = {
    {"image", image, sizeof sizes / sizeof *sizes, 0, 12, {COST, COST, COST, COST, COST}},
    {"preview", preview, 0, 0, 5,
     {{"layout: structural similarity at the preview's size", "", 1, 0.7, 0}, {"layout: attributes that the probe sees in both", "%", 1, 80, 1}}},
    {"minute", minute, 0, 3, 60,
     {{"subject the same in the first and last window", "%", 1, 80, 1},
      {"subject asked for in the last window", "%", 1, 80, 1},
      {"colours: drift from first to last window", "/255", -1, 10, 0},
      {"memory, of that of a quarter of the length", "x", -1, 1.1, 0},
      {"time", "s", 0, 0, 0}}},
    {"shots", shots, 0, 0, 3,
     {{"subject, outfit and colour the same in both", "%", 1, 90, 1},
      {"second place right", "%", 1, 80, 1},
      {"cut: difference, of that inside", "x", 1, 2, 0}}},
    {"shape", shape, 0, 0, 3,
     {{"", "s", 0, 0, 0}, {"", "s", 0, 0, 0}, {"", "s", 0, 0, 0}, {"", "MiB", 0, 0, 0}, {"", "MiB", 0, 0, 0}, {"", "MiB", 0, 0, 0},
      {"wide: subject seen", "%", 0, 0, 1},
      {"tall: subject seen", "%", 0, 0, 1},
      {"square: subject seen", "%", 0, 0, 1},
      {"square cut from the wide: subject seen", "%", 0, 0, 1}}},
    {0},
};
