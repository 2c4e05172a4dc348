/* Rows of `sora eval --operations` about operations on images and clips. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/eval/measures.h"
#include "tools/eval/trial.h"

#define SEEDS 4  /* beginnings for one ending */
#define TRIES 40 /* scenes that are looked at for one that fits a row */

/* Clips of a row, freed together. */
typedef struct clips {
    clip truth, made, exact, more;
} clips;

static int done(clips *c, int code) {
    clip_free(&c->truth);
    clip_free(&c->made);
    clip_free(&c->exact);
    clip_free(&c->more);
    return code;
}

static int out_of_memory(void) { return complain(EXIT_FAILED, "no memory to follow motion"); }

static int rendered(trial *t, clip *c, const world_scene *scene, int64_t total) {
    const int code = trial_clip(t, c, total);
    return code == EXIT_DONE ? judge_render(t->j, scene, total, 0, total, c->rgb) : code;
}

static int inside_of(const clip *c, motion_step *mean, double *median) {
    double m;
    return motion_inside(c->rgb, c->frames, c->height, c->width, mean, median ? median : &m) == 0 ? EXIT_DONE : out_of_memory();
}

static int expect(const clip *c, int64_t frames, const char *command) {
    if (c->frames == frames) return EXIT_DONE;
    return complain(EXIT_FAILED, "%s made %lld frames in place of %lld", command, (long long)c->frames, (long long)frames);
}

static int show(trial *t, const clip *c, const char *what, const char *prompt) {
    char text[JUDGE_CAPTION + 64];
    if (!t->sheet) return EXIT_DONE;
    snprintf(text, sizeof text, "%s: %s", what, prompt);
    return sheet_add(t->sheet, c->rgb, c->frames, c->width, c->height, text) == 0 ? EXIT_DONE : complain(EXIT_FAILED, "no memory for the sheet");
}

static const char *seconds_of(const trial *t, int64_t frames, char text[32]) {
    snprintf(text, 32, "%.9g", (double)frames / t->j->fps);
    return text;
}

/* A clip, or its first frames, as the model itself gives it back where it is given: KEEP off, one run under this condition. */
static int given_back(trial *t, const clip *given, int64_t n, const char *prompt, long long seed, clip *out) {
    judge *j = t->j;
    sora_error err = {.struct_size = sizeof err};
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 4, 0, {n, j->height, j->width, 3}};
    sora_condition c;
    sora_condition_init(&c);
    c.fit = SORA_FIT_EXACT;
    int code = trial_clip(t, out, j->frames);
    int status = sora_tensor_wrap(&c.frames, j->s.ctx, &shape, given->rgb, NULL, NULL, &err);
    if (status == SORA_OK) status = sora_pipeline_add_condition(j->s.pipeline, &c, &err);
    if (code == EXIT_DONE && status != SORA_OK) code = complain(EXIT_FAILED, "%s", err.message);
    sora_pipeline_set_i64(j->s.pipeline, SORA_PARAM_KEEP, 0);
    if (code == EXIT_DONE) code = judge_make(j, prompt, seed, j->frames, out->rgb);
    sora_pipeline_set_i64(j->s.pipeline, SORA_PARAM_KEEP, 1);
    (void)sora_pipeline_clear_conditions(j->s.pipeline);
    sora_tensor_unref(&c.frames);
    return code;
}

/* ---- animate ---------------------------------------------------------------------------------------------------------------- */

static int animate(trial *t, long long i) {
    world_scene scene;
    char caption[JUDGE_CAPTION], path[160], seconds[32];
    clips c = {0};
    clip image, back = {0};
    motion_step inside, moved;
    const int64_t n = t->j->frames;
    int code = trial_scene(t, i, 0, &scene, caption);
    if (code == EXIT_DONE) code = rendered(t, &c.truth, &scene, n);
    if (code != EXIT_DONE) return done(&c, code);
    image = c.truth;
    image.frames = 1;
    code = trial_put(t, &image, "image.png", path);
    if (code == EXIT_DONE)
        code = trial_run(t, &(trial_ask){.prompt = caption, .seed = i, .words = {"animate", path, "--seconds", seconds_of(t, n, seconds)}}, &c.made);
    if (code == EXIT_DONE) code = expect(&c.made, n, "animate");
    if (code == EXIT_DONE) code = trial_round_trip(t, &c.truth, &c.exact);
    if (code == EXIT_DONE) code = inside_of(&c.truth, &inside, NULL);
    if (code == EXIT_DONE) {
        trial_most(t, 0, MADE, trial_most_apart(c.made.rgb, image.rgb, clip_frame_bytes(&image)));
        trial_most(t, 0, EXACT, 0);
        code = trial_round_trip(t, &image, &back);
    }
    if (code == EXIT_DONE) code = given_back(t, &c.truth, 1, caption, i, &c.more);
    if (code == EXIT_DONE) {
        trial_add(t, 1, MADE, trial_psnr(&c.more, 0, &back, 0, 1), 1);
        trial_add(t, 1, EXACT, trial_psnr(&c.exact, 0, &back, 0, 1), 1);
        clip_free(&c.exact);
        code = trial_exact(t, &c.truth, 0, 1, 0, 0, &c.exact);
    }
    if (code == EXIT_DONE) code = trial_shows(t, 2, MADE, &c.made, &scene, WORLD_SUBJECT);
    if (code == EXIT_DONE) code = trial_shows(t, 2, EXACT, &c.exact, &scene, WORLD_SUBJECT);
    if (code == EXIT_DONE) code = trial_seam(t, 3, MADE, &c.made, 1, &inside);
    if (code == EXIT_DONE) code = trial_seam(t, 3, EXACT, &c.exact, 1, &inside);
    for (int k = MADE; k <= EXACT && code == EXIT_DONE; k++) {
        code = inside_of(k == MADE ? &c.made : &c.exact, &moved, NULL);
        trial_add(t, 5, k, moved.difference, inside.difference);
    }
    if (code == EXIT_DONE) code = show(t, &c.made, "animate", caption);
    clip_free(&back);
    return done(&c, code);
}

/* ---- extend ----------------------------------------------------------------------------------------------------------------- */

/* The clip in the middle of a rendered one three times as long, made longer on both sides; then its beginning three times more. */
static int extend(trial *t, long long i) {
    world_scene scene;
    char caption[JUDGE_CAPTION], path[160], seconds[32];
    clips c = {0};
    clip given, other[SEEDS] = {{0}};
    motion_step inside;
    const int64_t n = t->j->frames, more = n - 1;
    int code = trial_scene(t, i, 0, &scene, caption);
    seconds_of(t, more, seconds);
    if (code == EXIT_DONE) code = rendered(t, &c.truth, &scene, n + 2 * more);
    if (code != EXIT_DONE) return done(&c, code);
    const size_t size = clip_frame_bytes(&c.truth);
    given = c.truth;
    given.frames = n;
    given.rgb = clip_frame(&c.truth, more);
    code = trial_put(t, &given, "clip", path);
    if (code == EXIT_DONE)
        code = trial_run(t, &(trial_ask){.prompt = caption, .seed = i, .words = {"extend", path, "--before", seconds, "--after", seconds}}, &c.made);
    if (code == EXIT_DONE) code = expect(&c.made, n + 2 * more, "extend");
    if (code == EXIT_DONE) code = trial_exact(t, &c.truth, more, n, 0, 0, &c.exact);
    if (code == EXIT_DONE) {
        trial_most(t, 0, MADE, trial_most_apart(clip_frame(&c.made, more), given.rgb, size * (size_t)n));
        trial_most(t, 0, EXACT, 0);
        code = inside_of(&c.truth, &inside, NULL);
    }
    const int64_t time = t->j->model.temporal_factor > 0 ? t->j->model.temporal_factor : 1, half = 1 + (n - 1) / 2 / time * time;
    if (code == EXIT_DONE) code = given_back(t, &given, half, caption, i, &c.more);
    if (code == EXIT_DONE) code = trial_round_trip(t, &given, &other[0]);
    if (code == EXIT_DONE) { /* whole latent frames: what is given in part is made in part */
        trial_add(t, 1, MADE, trial_psnr(&other[0], 0, &given, 0, half) - trial_psnr(&c.more, 0, &given, 0, half), 1);
        trial_add(t, 1, EXACT, 0, 1);
    }
    clip_free(&other[0]);
    for (int k = MADE; k <= EXACT && code == EXIT_DONE; k++) {
        code = trial_seam(t, 2, k, k == MADE ? &c.made : &c.exact, more, &inside);
        if (code == EXIT_DONE) code = trial_seam(t, 2, k, k == MADE ? &c.made : &c.exact, more + n, &inside);
    }
    for (int s = 1; s < SEEDS && code == EXIT_DONE; s++) {
        code = trial_run(t, &(trial_ask){.prompt = caption, .seed = i + 1000 * s, .words = {"extend", path, "--before", seconds}}, &other[s]);
        if (code == EXIT_DONE) code = expect(&other[s], n + more, "extend");
    }
    for (int a = 0; a < SEEDS && code == EXIT_DONE; a++) {
        const clip *x = a ? &other[a] : &c.made;
        for (int b = 0; b < a; b++)
            trial_add(t, 4, MADE, motion_difference(x->rgb, b ? other[b].rgb : c.made.rgb, x->height, x->width), inside.difference);
        trial_most(t, 5, MADE, trial_most_apart(clip_frame(x, more), given.rgb, size * (size_t)n));
    }
    trial_most(t, 5, EXACT, 0);
    if (code == EXIT_DONE) code = show(t, &c.made, "extend both ways", caption);
    for (int s = 0; s < SEEDS; s++) clip_free(&other[s]);
    return done(&c, code);
}

/* ---- loop ------------------------------------------------------------------------------------------------------------------- */

static int loop(trial *t, long long i) {
    world_scene scene;
    char caption[JUDGE_CAPTION], path[160], seconds[32];
    clips c = {0};
    motion_step inside;
    double median = 0;
    const int64_t n = t->j->frames, back = n > 2 ? n - 2 : 1;
    int code = trial_scene(t, i, 0, &scene, caption);
    if (code == EXIT_DONE) code = rendered(t, &c.truth, &scene, n);
    if (code == EXIT_DONE) code = trial_put(t, &c.truth, "clip", path);
    if (code == EXIT_DONE)
        code = trial_run(t, &(trial_ask){.prompt = caption, .seed = i, .words = {"loop", path, "--seconds", seconds_of(t, back, seconds)}}, &c.made);
    if (code == EXIT_DONE) code = expect(&c.made, n + back, "loop");
    if (code == EXIT_DONE) code = inside_of(&c.truth, &inside, &median);
    if (code == EXIT_DONE) code = trial_clip(t, &c.more, n + back + n);
    if (code == EXIT_DONE) { /* there and back again, and the clip once more, as what is made leads to it: a loop without error */
        trial_lay(&c.more, 0, &c.truth, 0, n);
        for (int64_t f = 0; f < back; f++) trial_lay(&c.more, n + f, &c.truth, back - f, 1);
        trial_lay(&c.more, n + back, &c.truth, 0, n);
        code = trial_exact(t, &c.more, 0, n, n + back, n, &c.exact);
    }
    if (code == EXIT_DONE) {
        c.exact.frames = n + back;
        trial_most(t, 0, MADE, trial_most_apart(c.made.rgb, c.truth.rgb, clip_frame_bytes(&c.truth) * (size_t)n));
        trial_most(t, 0, EXACT, 0);
    }
    for (int k = MADE; k <= EXACT && code == EXIT_DONE; k++) {
        clip *x = k == MADE ? &c.made : &c.exact;
        trial_add(t, 1, k, motion_difference(clip_frame(x, x->frames - 1), x->rgb, x->height, x->width), median);
        trial_add(t, 2, k, motion_difference(clip_frame(x, n - 1), clip_frame(x, n), x->height, x->width), median);
    }
    if (code == EXIT_DONE) code = show(t, &c.made, "loop", caption);
    return done(&c, code);
}

/* ---- edit ------------------------------------------------------------------------------------------------------------------- */

/* The edits of the report, in the words of the world. */
static const struct {
    int attr, value;
} edits[] = {{WORLD_PLACE, WORLD_JUNGLE},       {WORLD_STYLE, WORLD_FILM},     {WORLD_PLACE, WORLD_UNDERWATER},
             {WORLD_CONDITION, WORLD_SNOWSTORM}, {WORLD_PLACE, WORLD_SPACE},    {WORLD_STYLE, WORLD_CLAY},
             {WORLD_PLACE, WORLD_NEON},          {WORLD_STYLE, WORLD_CHARCOAL}, {WORLD_PLACE, WORLD_CASTLE},
             {WORLD_STYLE, WORLD_PIXEL},         {WORLD_CONDITION, WORLD_AUTUMN}};
#define EDITS (int)(sizeof edits / sizeof *edits)

/* From edit i on, the first that is possible. */
static int edit_scene(long long i, const world_scene *from, world_scene *to) {
    for (int k = 0; k < EDITS; k++) {
        const int e = (int)((i + k) % EDITS);
        *to = *from;
        if (from->attr[edits[e].attr] == edits[e].value) continue;
        world_scene_set(to, edits[e].attr, edits[e].value);
        if (world_scene_valid(to) && world_attr_visible(to, edits[e].attr, 1)) return edits[e].attr;
    }
    return -1;
}

/* What stays when one attribute changes, the share of it that the probe sees. */
static int others_kept(trial *t, int f, int kind, const clip *c, const world_scene *scene, int edited) {
    for (int a = WORLD_SUBJECT; a <= WORLD_CAMERA; a++) {
        const int code = a == edited ? EXIT_DONE : trial_shows(t, f, kind, c, scene, a);
        if (code != EXIT_DONE) return code;
    }
    return EXIT_DONE;
}

static int edit(trial *t, long long i) {
    world_scene scene, changed;
    char caption[JUDGE_CAPTION], path[160];
    clips c = {0};
    clip twin = {0};
    int attr = -1, code = EXIT_DONE;
    for (int k = 0; k < TRIES && attr < 0 && code == EXIT_DONE; k++) {
        code = trial_scene(t, i, k, &scene, caption);
        if (code == EXIT_DONE) attr = edit_scene(i, &scene, &changed);
    }
    if (code == EXIT_DONE && attr < 0) code = complain(EXIT_FAILED, "none of the edits fits the scenes within these limits");
    if (code != EXIT_DONE) return code;
    world_caption(&changed, scene.seed, i & 1 ? WORLD_LONG : WORLD_SHORT, caption, sizeof caption);
    code = rendered(t, &c.truth, &scene, t->j->frames);
    if (code == EXIT_DONE) code = trial_put(t, &c.truth, "clip", path);
    if (code == EXIT_DONE) code = trial_run(t, &(trial_ask){.prompt = caption, .seed = i, .words = {"edit", path}}, &c.made);
    if (code == EXIT_DONE) code = expect(&c.made, t->j->frames, "edit");
    if (code == EXIT_DONE) code = rendered(t, &twin, &changed, t->j->frames);
    if (code == EXIT_DONE) code = trial_round_trip(t, &twin, &c.exact);
    for (int k = MADE; k <= EXACT && code == EXIT_DONE; k++) {
        const clip *x = k == MADE ? &c.made : &c.exact;
        code = trial_shows(t, 0, k, x, &changed, attr);
        if (code == EXIT_DONE) code = others_kept(t, 1, k, x, &changed, attr);
        double both, each;
        if (motion_alike(c.truth.rgb, x->rgb, x->frames, x->height, x->width, &both, &each) != 0) code = out_of_memory();
        else trial_add(t, 2, k, both, each);
        /* Nearer to the twin that was rendered with the change than to the clip as it was: needs no probe. */
        const int64_t bytes = (int64_t)clip_frame_bytes(x) * x->frames;
        trial_add(t, 3, k, measure_mse(x->rgb, twin.rgb, bytes) < measure_mse(x->rgb, c.truth.rgb, bytes) ? 100 : 0, 1);
    }
    if (code == EXIT_DONE && i == 0) { /* the same of every clip */
        code = trial_run(t, &(trial_ask){.prompt = caption, .seed = i, .words = {"edit", path, "--strength", "0"}}, &c.more);
        if (code == EXIT_DONE) code = expect(&c.more, t->j->frames, "edit");
        if (code == EXIT_DONE) trial_most(t, 4, MADE, trial_most_apart(c.more.rgb, c.truth.rgb, clip_frame_bytes(&c.truth) * (size_t)c.truth.frames));
        trial_most(t, 4, EXACT, 0);
    }
    if (code == EXIT_DONE) code = show(t, &c.truth, "edit, from", "the clip as it was");
    if (code == EXIT_DONE) code = show(t, &c.made, "edit, to", caption);
    clip_free(&twin);
    return done(&c, code);
}

/* ---- connect ---------------------------------------------------------------------------------------------------------------- */

/* How much more a frame is B than A: to the probe, by the attributes in which they differ; else by distance in pixels. */
static int leaning(trial *t, const clip *c, int64_t f, const world_scene *a, const world_scene *b, double *pixels, double *probe) {
    const size_t size = clip_frame_bytes(c);
    const uint8_t *x = c->rgb + (size_t)f * size;
    const int64_t n = t->j->frames;
    opinion o;
    const double to_a = sqrt(measure_mse(x, c->rgb + (size_t)(n - 1) * size, (int64_t)size)),
                 to_b = sqrt(measure_mse(x, c->rgb + (size_t)(c->frames - n) * size, (int64_t)size));
    *pixels = to_a - to_b;
    *probe = 0;
    if (!t->j->classify) return EXIT_DONE;
    const int code = judge_ask(t->j, x, 1, c->height, c->width, &o);
    for (int k = WORLD_SUBJECT; k <= WORLD_STYLE && code == EXIT_DONE; k++)
        if (a->attr[k] != b->attr[k]) *probe += o.logp[k][b->attr[k]] - o.logp[k][a->attr[k]];
    return code;
}

static int measure_way(trial *t, int kind, const clip *c, const world_scene *a, const world_scene *b, const motion_step *inside) {
    const int64_t n = t->j->frames, between = c->frames - 2 * n, half = n + between / 2;
    const size_t size = clip_frame_bytes(c);
    const uint8_t *first = c->rgb + (size_t)(n - 1) * size, *last = c->rgb + (size_t)(n + between) * size, *mid = c->rgb + (size_t)half * size;
    double pixels[512], probe[512];
    const int64_t steps = between + 2 < 512 ? between + 2 : 512;
    int code = trial_seam(t, 1, kind, c, n, inside);
    if (code == EXIT_DONE) code = trial_seam(t, 1, kind, c, n + between, inside);
    const double apart = sqrt(measure_mse(first, last, (int64_t)size));
    trial_add(t, 3, kind, fmin(sqrt(measure_mse(mid, first, (int64_t)size)), sqrt(measure_mse(mid, last, (int64_t)size))), apart);
    for (int64_t f = 0; f < steps && code == EXIT_DONE; f++) code = leaning(t, c, n - 1 + f, a, b, &pixels[f], &probe[f]);
    if (code == EXIT_DONE) trial_add(t, 4, kind, motion_rising(pixels, (int)steps), 1);
    if (code == EXIT_DONE && t->j->classify) trial_add(t, 5, kind, motion_rising(probe, (int)steps), 1);
    return code;
}

static int connect(trial *t, long long i) {
    world_scene a, b;
    char caption[JUDGE_CAPTION], second[JUDGE_CAPTION], both[2 * JUDGE_CAPTION + 8], paths[2][160], seconds[32];
    clips c = {0};
    clip other = {0};
    motion_step inside_a, inside_b;
    const int64_t n = t->j->frames, between = n - 1;
    int code = trial_scene(t, i, 0, &a, caption);
    if (code == EXIT_DONE) code = trial_scene(t, i, 1, &b, second);
    if (code != EXIT_DONE) return code;
    snprintf(both, sizeof both, "%s. %s", caption, second);
    code = rendered(t, &c.truth, &a, n);
    if (code == EXIT_DONE) code = rendered(t, &other, &b, n);
    if (code == EXIT_DONE) code = trial_put(t, &c.truth, "a", paths[0]);
    if (code == EXIT_DONE) code = trial_put(t, &other, "b", paths[1]);
    if (code == EXIT_DONE)
        code = trial_run(t, &(trial_ask){.prompt = both, .seed = i, .words = {"connect", paths[0], paths[1], "--seconds", seconds_of(t, between, seconds)}},
                         &c.made);
    if (code == EXIT_DONE) code = expect(&c.made, 2 * n + between, "connect");
    if (code == EXIT_DONE) code = inside_of(&c.truth, &inside_a, NULL);
    if (code == EXIT_DONE) code = inside_of(&other, &inside_b, NULL);
    if (code == EXIT_DONE) code = trial_clip(t, &c.more, 2 * n + between);
    if (code == EXIT_DONE) { /* a cross-fade: as gradual as can be */
        const size_t size = clip_frame_bytes(&other);
        trial_lay(&c.more, 0, &c.truth, 0, n);
        trial_lay(&c.more, n + between, &other, 0, n);
        for (int64_t f = 0; f < between; f++)
            for (size_t k = 0; k < size; k++) {
                const double w = (double)(f + 1) / (double)(between + 1);
                clip_frame(&c.more, n + f)[k] = (uint8_t)((1 - w) * clip_frame(&c.truth, n - 1)[k] + w * other.rgb[k] + 0.5);
            }
        code = trial_exact(t, &c.more, 0, n, n + between, n, &c.exact);
    }
    if (code == EXIT_DONE) {
        const motion_step inside = {0.5 * (inside_a.difference + inside_b.difference), 0.5 * (inside_a.jump + inside_b.jump)};
        const size_t bytes = clip_frame_bytes(&other) * (size_t)n;
        trial_most(t, 0, MADE, trial_most_apart(c.made.rgb, c.truth.rgb, bytes));
        trial_most(t, 0, MADE, trial_most_apart(clip_frame(&c.made, n + between), other.rgb, bytes));
        trial_most(t, 0, EXACT, 0);
        code = measure_way(t, MADE, &c.made, &a, &b, &inside);
        if (code == EXIT_DONE) code = measure_way(t, EXACT, &c.exact, &a, &b, &inside);
    }
    if (code == EXIT_DONE) code = show(t, &c.made, "connect", both);
    clip_free(&other);
    return done(&c, code);
}

/* ---- fill ------------------------------------------------------------------------------------------------------------------- */

/* Only clips that move: a still one is filled by any of its frames. */
static int moving_scene(trial *t, long long i, clip *c, world_scene *scene, char caption[JUDGE_CAPTION]) {
    motion_step inside;
    for (int k = 0; k < TRIES; k++) {
        clip_free(c);
        int code = trial_scene(t, i, k, scene, caption);
        if (code == EXIT_DONE) code = rendered(t, c, scene, t->j->frames);
        if (code == EXIT_DONE) code = inside_of(c, &inside, NULL);
        if (code != EXIT_DONE || inside.difference >= 1.0) return code;
    }
    return complain(EXIT_FAILED, "no clip within these limits moves");
}

static int fill(trial *t, long long i) {
    world_scene scene;
    char caption[JUDGE_CAPTION], path[160], missing[48];
    clips c = {0};
    const int64_t n = t->j->frames, first = n / 3, last = n - n / 3 - 1, gap = last - first + 1;
    if (first < 1 || gap < 1 || last + 1 >= n) {
        t->absent = "clips of so few frames have no middle";
        return EXIT_DONE;
    }
    snprintf(missing, sizeof missing, "%lld-%lld", (long long)first, (long long)last);
    int code = moving_scene(t, i, &c.truth, &scene, caption);
    if (code == EXIT_DONE) code = trial_put(t, &c.truth, "clip", path);
    if (code == EXIT_DONE)
        code = trial_run(t, &(trial_ask){.prompt = caption, .seed = i, .words = {"fill", path, "--missing", missing}}, &c.made);
    if (code == EXIT_DONE) code = expect(&c.made, n, "fill");
    if (code == EXIT_DONE) code = trial_exact(t, &c.truth, 0, first, last + 1, n - last - 1, &c.exact);
    if (code == EXIT_DONE) code = trial_clip(t, &c.more, n);
    if (code != EXIT_DONE) return done(&c, code);
    const size_t size = clip_frame_bytes(&c.truth);
    double blend, repeat;
    for (int64_t f = first; f <= last; f++)
        for (size_t k = 0; k < size; k++) {
            const double w = (double)(f - first + 1) / (double)(gap + 1);
            clip_frame(&c.more, f)[k] = (uint8_t)((1 - w) * clip_frame(&c.truth, first - 1)[k] + w * clip_frame(&c.truth, last + 1)[k] + 0.5);
        }
    blend = trial_psnr(&c.more, first, &c.truth, first, gap);
    for (int64_t f = first; f <= last; f++) trial_lay(&c.more, f, &c.truth, f - first < last + 1 - f ? first - 1 : last + 1, 1);
    repeat = trial_psnr(&c.more, first, &c.truth, first, gap);
    for (int k = MADE; k <= EXACT; k++) {
        const double psnr = trial_psnr(k == MADE ? &c.made : &c.exact, first, &c.truth, first, gap);
        trial_add(t, 0, k, psnr, 1);
        trial_add(t, 1, k, psnr - blend, 1);
        trial_add(t, 2, k, psnr - repeat, 1);
    }
    for (int64_t f = 0; f < n; f++)
        if (f < first || f > last) trial_most(t, 3, MADE, trial_most_apart(clip_frame(&c.made, f), clip_frame(&c.truth, f), size));
    trial_most(t, 3, EXACT, 0);
    code = show(t, &c.made, "fill", caption);
    return done(&c, code);
}

/* ---- inpaint ---------------------------------------------------------------------------------------------------------------- */

/* The subject's box, over all frames, is made anew in another colour. */
static int inpaint_scene(trial *t, long long i, world_scene *scene, world_scene *changed, int box[4], char caption[JUDGE_CAPTION]) {
    const int64_t n = t->j->frames;
    for (int k = 0; k < TRIES; k++) {
        double all[4] = {1, 1, 0, 0}, one[4];
        const int code = trial_scene(t, i, k, scene, caption);
        if (code != EXIT_DONE) return code;
        *changed = *scene;
        world_scene_set(changed, WORLD_COLOUR, (scene->attr[WORLD_COLOUR] + 1 + (int)(i % (WORLD_COLOURS - 1))) % WORLD_COLOURS);
        if (!world_attr_visible(scene, WORLD_COLOUR, 1) || !world_scene_valid(changed)) continue;
        for (int64_t f = 0; f < n; f++)
            if (world_bounds(scene, t->j->width, t->j->height, (double)f / t->j->fps, (double)n / t->j->fps, one))
                for (int e = 0; e < 4; e++) all[e] = e < 2 ? fmin(all[e], one[e]) : fmax(all[e], one[e]);
        const int side[2] = {t->j->width, t->j->height};
        for (int e = 0; e < 4; e++) {
            const double v = floor((all[e] + (e < 2 ? -0.04 : 0.04)) * side[e % 2]);
            box[e] = (int)fmax(0, fmin(side[e % 2], v));
        }
        /* Something must lie inside, and something outside. */
        if (box[2] - box[0] >= 8 && box[3] - box[1] >= 8 && (box[2] - box[0]) * (box[3] - box[1]) < side[0] * side[1] * 3 / 4) return EXIT_DONE;
    }
    return complain(EXIT_FAILED, "no scene within these limits shows a colour that can be changed");
}

static int inpaint(trial *t, long long i) {
    world_scene scene, changed;
    char caption[JUDGE_CAPTION], paths[2][160];
    int box[4];
    clips c = {0};
    clip twin = {0}, mask = {0};
    int code = inpaint_scene(t, i, &scene, &changed, box, caption);
    if (code != EXIT_DONE) return code;
    world_caption(&changed, scene.seed, i & 1 ? WORLD_LONG : WORLD_SHORT, caption, sizeof caption);
    code = rendered(t, &c.truth, &scene, t->j->frames);
    if (code == EXIT_DONE) code = rendered(t, &twin, &changed, t->j->frames);
    if (code == EXIT_DONE) code = trial_clip(t, &mask, 1);
    for (int64_t k = 0; code == EXIT_DONE && k < (int64_t)mask.width * mask.height; k++) {
        const int64_t x = k % mask.width, y = k / mask.width;
        memset(mask.rgb + k * 3, x >= box[0] && x < box[2] && y >= box[1] && y < box[3] ? 255 : 0, 3);
    }
    if (code == EXIT_DONE) code = trial_put(t, &c.truth, "clip", paths[0]);
    if (code == EXIT_DONE) code = trial_put(t, &mask, "mask.png", paths[1]);
    if (code == EXIT_DONE)
        code = trial_run(t, &(trial_ask){.prompt = caption, .seed = i, .words = {"inpaint", paths[0], "--mask", paths[1]}}, &c.made);
    if (code == EXIT_DONE) code = expect(&c.made, t->j->frames, "inpaint");
    if (code == EXIT_DONE) code = trial_round_trip(t, &twin, &c.exact);
    const size_t size = clip_frame_bytes(&c.truth);
    for (int k = MADE; k <= EXACT && code == EXIT_DONE; k++) {
        const clip *x = k == MADE ? &c.made : &c.exact;
        double to_new = 0, to_old = 0;
        int outside = 0;
        for (int64_t f = 0; f < x->frames; f++)
            for (size_t p = 0; p < size; p++) {
                uint8_t *v = x->rgb + (size_t)f * size + p;
                const int old = c.truth.rgb[(size_t)f * size + p], new = twin.rgb[(size_t)f * size + p];
                if (mask.rgb[p]) {
                    to_new += (*v - new) * (*v - new);
                    to_old += (*v - old) * (*v - old);
                } else {
                    if (k == EXACT) *v = (uint8_t)old;
                    outside = abs(*v - old) > outside ? abs(*v - old) : outside;
                }
            }
        trial_most(t, 0, k, outside);
        code = trial_shows(t, 1, k, x, &changed, WORLD_COLOUR);
        if (code == EXIT_DONE) code = trial_shows(t, 2, k, x, &changed, WORLD_SUBJECT);
        trial_add(t, 3, k, to_new < to_old ? 100 : 0, 1);
    }
    if (code == EXIT_DONE) code = show(t, &c.truth, "inpaint, from", "the clip as it was");
    if (code == EXIT_DONE) code = show(t, &c.made, "inpaint, to", caption);
    clip_free(&twin);
    clip_free(&mask);
    return done(&c, code);
}

/* ---- the table ---------------------------------------------------------------------------------------------------------------- */

const trial_row trial_rows_clips[] = {
    {"animate", animate, 0, 0, 2,
     {{"first frame: largest difference from the image", "/255", -1, 0, 0},
      {"first frame as the model gives it back: PSNR against the image's round trip", "dB", 1, 30, 0},
      {"subject kept", "%", 1, 80, 1},
      {"step from the image on: difference, of that inside renders", "x", -1, 1.25, 0},
      {"step from the image on: flow jump, of that inside renders", "x", -1, 1.25, 0},
      {"motion, of that of the render", "x", 0, 0, 0}}},
    {"extend", extend, 0, 0, 8,
     {{"given part: largest difference", "/255", -1, 0, 0},
      {"given part as the model gives it back: loss against the round trip", "dB", -1, 0.5, 0},
      {"seams: difference, of that inside renders", "x", -1, 1.25, 0},
      {"seams: flow jump, of that inside renders", "x", -1, 1.25, 0},
      {"four seeds: beginnings apart, in steps of the clip", "x", 1, 1, 0},
      {"four seeds: endings apart, largest difference", "/255", -1, 0, 0}}},
    {"loop", loop, 0, 0, 1,
     {{"given part: largest difference", "/255", -1, 0, 0},
      {"jump from last to first frame, of the median inside", "x", -1, 1.25, 0},
      {"jump from the clip into the way back, of the median inside", "x", -1, 1.25, 0}}},
    {"edit", edit, 0, 0, 1,
     {{"asked attribute right", "%", 1, 80, 1},
      {"others kept", "%", 1, 80, 1},
      {"motion: correlation of flows", "", 1, 0.8, 0},
      {"nearer to the render with the change than to the clip", "%", 1, 80, 0},
      {"strength 0: largest difference from the clip", "/255", -1, 0, 0}}},
    {"connect", connect, 0, 0, 2,
     {{"given parts: largest difference", "/255", -1, 0, 0},
      {"seams: difference, of that inside renders", "x", -1, 1.25, 0},
      {"seams: flow jump, of that inside renders", "x", -1, 1.25, 0},
      {"halfway: distance to the nearer clip, of that between them", "x", 1, 0.25, 0},
      {"gradual: correlation with time of the way from A to B in pixels", "", 1, 0.8, 0},
      {"gradual: the same to the probe", "", 1, 0.8, 1}}},
    {"fill", fill, 0, 0, 1,
     {{"filled frames: PSNR", "dB", 0, 0, 0},
      {"better than a linear blend by", "dB", 1, 0, 0},
      {"better than repeated frames by", "dB", 1, 0, 0},
      {"given frames: largest difference", "/255", -1, 0, 0}}},
    {"inpaint", inpaint, 0, 0, 1,
     {{"outside: largest difference", "/255", -1, 0, 0},
      {"inside: colour asked for right", "%", 1, 80, 1},
      {"inside: subject kept", "%", 1, 80, 1},
      {"inside: nearer to the render in that colour than to the clip", "%", 1, 80, 0}}},
    {0},
};
