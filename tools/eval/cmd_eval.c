/* `sora eval`: what a model gets right on combinations that training never saw, judged by its probe. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/eval/measures.h"
#include "tools/progress.h"
#include "tools/session.h"
#include "tools/sheet.h"
#include "tools/train/data.h"
#include "tools/world/world.h"

#define SEED        UINT64_C(0x5eed00000000) /* of the scenes: far from any that training draws */
#define CAPTION     1024
#define SHEET_CLIPS 32

/* The three kinds of clips that are compared; `other` are renders of other scenes: what a perfect model would score. */
enum { MADE, ROUND, RENDERED, OTHER, KINDS };
static const char *const kind_names[KINDS] = {"made", "round trip", "rendered", "other renders"};

/* The attributes that the mean is over; the rest are listed below it. */
static const int main_attrs[] = {WORLD_SUBJECT, WORLD_OUTFIT, WORLD_COLOUR,    WORLD_PLACE, WORLD_CONDITION,
                                 WORLD_STYLE,   WORLD_ACTION, WORLD_DIRECTION, WORLD_CAMERA};
#define MAIN_ATTRS (int)(sizeof main_attrs / sizeof *main_attrs)

typedef struct tally {
    int there; /* whether this kind was looked at */
    double asked[WORLD_ATTRS], right[WORLD_ATTRS];
    double flicker;
    double *features; /* [count, dim] */
    int clips;
} tally;

typedef struct evaluation {
    session s, judge; /* the judge's pipeline classifies; often the model's own */
    sora_pipeline *classify;
    world_limits limits;
    int width, height, dim, ceiling;
    int64_t frames;
    double fps;
    long long count, seed;
    tally kinds[KINDS];
    double mse, psnr, ssim;
    uint8_t *rgb[3]; /* frames of a clip: made, round trip, rendered */
    sheet *sheet;
    progress bar;
} evaluation;

static size_t clip_bytes(const evaluation *e) { return (size_t)e->width * (size_t)e->height * 3 * (size_t)e->frames; }

static int fail(const sora_error *err) {
    return interrupted() ? complain(EXIT_FAILED, "interrupted") : complain(EXIT_FAILED, "%s", err->message);
}

/* Asks the probe about a clip of a known scene. */
static int judge(evaluation *e, tally *t, uint8_t *rgb, const world_scene *scene) {
    sora_error err = {.struct_size = sizeof err};
    sora_tensor *frames = NULL, *logits = NULL, *features = NULL;
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_U8, 4, 0, {e->frames, e->height, e->width, 3}};
    sora_tensor_desc table = {.struct_size = sizeof table};
    int status = sora_tensor_wrap(&frames, e->s.ctx, &shape, rgb, NULL, NULL, &err);
    if (status == SORA_OK) status = sora_classify(e->classify, frames, &logits, &features, &err);
    if (status == SORA_OK) status = sora_tensor_info(logits, &table);
    const int dim = features ? (int)(sora_tensor_bytes(features) / sizeof(float)) : 0;
    int code = status == SORA_OK ? EXIT_DONE : fail(&err);
    if (code == EXIT_DONE && table.shape[0] != WORLD_ATTRS)
        code = complain(EXIT_FAILED, "%s: its probe knows %lld attributes, the world has %d", e->judge.path,
                        (long long)table.shape[0], (int)WORLD_ATTRS);
    if (code == EXIT_DONE && !t->features) {
        e->dim = dim;
        t->features = calloc((size_t)e->count * (size_t)dim, sizeof *t->features);
        if (!t->features) code = complain(EXIT_FAILED, "no memory for features");
    }
    for (int a = 0; code == EXIT_DONE && a < WORLD_ATTRS; a++) {
        const float *p = (const float *)sora_tensor_data(logits) + a * table.shape[1];
        int best = 0;
        for (int v = 1; v < (int)table.shape[1]; v++) best = p[v] > p[best] ? v : best;
        if (world_attr_visible(scene, a, e->frames > 1)) {
            t->asked[a]++;
            t->right[a] += best == scene->attr[a];
        }
    }
    for (int k = 0; code == EXIT_DONE && k < dim; k++)
        t->features[(size_t)t->clips * (size_t)dim + (size_t)k] =
            (double)((const float *)sora_tensor_data(features))[k];
    t->flicker += measure_flicker(rgb, e->frames, e->height, e->width);
    t->clips++;
    t->there = 1;
    sora_tensor_unref(&frames);
    sora_tensor_unref(&logits);
    sora_tensor_unref(&features);
    return code;
}

static int render(const evaluation *e, const world_scene *scene, uint8_t *rgb) {
    const double duration = (double)e->frames / e->fps;
    const size_t size = (size_t)e->width * (size_t)e->height * 3;
    for (int64_t f = 0; f < e->frames; f++)
        if (world_render(scene, e->width, e->height, (double)f / e->fps, duration, rgb + size * (size_t)f) != 0)
            return complain(EXIT_FAILED, "no memory to render");
    return EXIT_DONE;
}

/* Encodes and decodes a clip: bytes to planes in -1..1 and back. */
static int round_trip(evaluation *e, const uint8_t *from, uint8_t *to) {
    sora_error err = {.struct_size = sizeof err};
    sora_tensor *video = NULL, *latent = NULL, *back = NULL;
    const int64_t plane = (int64_t)e->width * e->height;
    const sora_tensor_desc shape = {sizeof shape, SORA_DTYPE_F32, 4, 0, {3, e->frames, e->height, e->width}};
    int status = sora_tensor_create(&video, e->s.ctx, &shape, &err);
    if (status == SORA_OK) {
        float *v = sora_tensor_data(video);
        for (int64_t c = 0; c < 3; c++)
            for (int64_t i = 0; i < e->frames * plane; i++)
                v[c * e->frames * plane + i] = (float)from[i * 3 + c] / 127.5f - 1.0f;
        status = sora_encode_video(e->s.pipeline, video, &latent, &err);
    }
    if (status == SORA_OK) status = sora_decode_video(e->s.pipeline, latent, &back, &err);
    if (status == SORA_OK) {
        const float *v = sora_tensor_data(back);
        for (int64_t c = 0; c < 3; c++)
            for (int64_t i = 0; i < e->frames * plane; i++)
                to[i * 3 + c] = (uint8_t)lrintf((v[c * e->frames * plane + i] + 1.0f) * 127.5f);
    }
    sora_tensor_unref(&video);
    sora_tensor_unref(&latent);
    sora_tensor_unref(&back);
    return status == SORA_OK ? EXIT_DONE : fail(&err);
}

static int make(evaluation *e, const char *caption, uint64_t seed, uint8_t *to) {
    sora_error err = {.struct_size = sizeof err};
    sora_pipeline *p = e->s.pipeline;
    sora_pipeline_set_i64(p, SORA_PARAM_SEED, (int64_t)seed);
    int status = sora_pipeline_set_text(p, SORA_PARAM_PROMPT, caption, (size_t)-1);
    if (status == SORA_OK) {
        interrupt_watch(p);
        status = sora_pipeline_run(p, &err);
        interrupt_watch(NULL);
    }
    if (status == SORA_OK) status = sora_pipeline_read_frames(p, 0, e->frames, to, clip_bytes(e));
    return status == SORA_OK ? EXIT_DONE : fail(&err);
}

static int one_clip(evaluation *e, long long i) {
    world_scene scene, other;
    char caption[CAPTION];
    const uint64_t seed = SEED + (uint64_t)(e->seed * 1000000 + i);
    if (world_scene_make(&scene, seed, &e->limits) != 0 || world_scene_make(&other, seed + 500000, &e->limits) != 0)
        return complain(EXIT_FAILED, "no held-out scene fits these limits");
    const int image = e->frames == 1 ? WORLD_IMAGE : 0;
    world_caption(&scene, seed, (i & 1 ? WORLD_LONG : WORLD_SHORT) | image, caption, sizeof caption);
    int code = render(e, &other, e->rgb[RENDERED]);
    if (code == EXIT_DONE) code = judge(e, &e->kinds[OTHER], e->rgb[RENDERED], &other);
    if (code == EXIT_DONE) code = render(e, &scene, e->rgb[RENDERED]);
    if (code == EXIT_DONE) code = judge(e, &e->kinds[RENDERED], e->rgb[RENDERED], &scene);
    if (code == EXIT_DONE) code = round_trip(e, e->rgb[RENDERED], e->rgb[ROUND]);
    if (code == EXIT_DONE) {
        const double mse = measure_mse(e->rgb[RENDERED], e->rgb[ROUND], (int64_t)clip_bytes(e));
        e->mse += mse;
        e->psnr += 10 * log10(255.0 * 255.0 / fmax(mse, 1e-6));
        e->ssim += measure_ssim(e->rgb[RENDERED], e->rgb[ROUND], e->frames, e->height, e->width);
        code = judge(e, &e->kinds[ROUND], e->rgb[ROUND], &scene);
    }
    if (code == EXIT_DONE && !e->ceiling) code = make(e, caption, (uint64_t)(e->seed + i), e->rgb[MADE]);
    if (code == EXIT_DONE && !e->ceiling) code = judge(e, &e->kinds[MADE], e->rgb[MADE], &scene);
    if (code == EXIT_DONE && e->sheet && i < SHEET_CLIPS &&
        sheet_add(e->sheet, e->rgb[e->ceiling ? ROUND : MADE], e->frames, e->width, e->height, caption) != 0)
        code = complain(EXIT_FAILED, "no memory for the sheet");
    return code;
}

static double accuracy(const tally *t, int attr) { return t->asked[attr] > 0 ? t->right[attr] / t->asked[attr] : NAN; }

/* Over the attributes that were asked for at all. */
static double mean_accuracy(const tally *t) {
    double sum = 0.0;
    int n = 0;
    for (int i = 0; i < MAIN_ATTRS; i++)
        if (t->asked[main_attrs[i]] > 0) {
            sum += accuracy(t, main_attrs[i]);
            n++;
        }
    return n ? sum / n : NAN;
}

static double frechet(const evaluation *e, int kind) {
    const tally *a = &e->kinds[kind], *b = &e->kinds[RENDERED];
    return a->there && b->there ? measure_frechet(a->features, a->clips, b->features, b->clips, e->dim) : NAN;
}

static void put_cell(double value, double scale, int digits) {
    if (isnan(value))
        printf(" %10s", "-");
    else
        printf(" %10.*f", digits, value * scale);
}

static void put_row(const evaluation *e, int attr) {
    const tally *seen = &e->kinds[RENDERED];
    if (seen->asked[attr] <= 0) return;
    printf("%-14s", world_attr_name(attr));
    for (int k = MADE; k <= RENDERED; k++) put_cell(accuracy(&e->kinds[k], attr), 100, 1);
    printf(" %8.0f %7.1f\n", seen->asked[attr], 100.0 / world_attr_count(attr));
}

static int is_main(int attr) {
    for (int i = 0; i < MAIN_ATTRS; i++)
        if (main_attrs[i] == attr) return 1;
    return 0;
}

static int put_table(const evaluation *e) {
    printf("%lld clips of %d frames, %d x %d, held-out combinations, seed %lld\n\n", e->count, (int)e->frames, e->width,
           e->height, e->seed);
    printf("%-14s %10s %10s %10s %8s %7s\n", "right, %", kind_names[MADE], kind_names[ROUND], kind_names[RENDERED],
           "asked", "chance");
    for (int i = 0; i < MAIN_ATTRS; i++) put_row(e, main_attrs[i]);
    printf("%-14s", "mean");
    for (int k = MADE; k <= RENDERED; k++) put_cell(mean_accuracy(&e->kinds[k]), 100, 1);
    printf("\n\nbesides\n");
    for (int a = 0; a < WORLD_ATTRS; a++)
        if (!is_main(a)) put_row(e, a);
    printf("\n%-14s %10s %10s %10s   %s\n%-14s", "", kind_names[MADE], kind_names[ROUND], kind_names[RENDERED],
           kind_names[OTHER], "Frechet");
    put_cell(frechet(e, MADE), 1, 3);
    put_cell(frechet(e, ROUND), 1, 3);
    put_cell(0, 1, 3);
    put_cell(frechet(e, OTHER), 1, 3);
    printf("   distance of the probe's features to those of renders\n%-14s", "flicker");
    for (int k = 0; k < KINDS; k++) put_cell(e->kinds[k].there ? e->kinds[k].flicker / e->kinds[k].clips : NAN, 1, 3);
    const double n = (double)e->count;
    printf("   of 255\n\nautoencoder: PSNR %.2f dB (mean over clips; %.2f dB of the mean error), SSIM %.4f\n",
           e->psnr / n, 10 * log10(255.0 * 255.0 / fmax(e->mse / n, 1e-6)), e->ssim / n);
    return flush_output();
}

static json_t *number(double v) { return isnan(v) ? json_null() : json_real(v); }

static int put_json(const evaluation *e) {
    json_t *root = json_object(), *attrs = json_object();
    const double n = (double)e->count;
    for (int a = 0; a < WORLD_ATTRS; a++) {
        json_t *row = json_object();
        for (int k = MADE; k <= RENDERED; k++)
            json_object_set_new(row, kind_names[k], number(accuracy(&e->kinds[k], a)));
        json_object_set_new(row, "asked", json_real(e->kinds[RENDERED].asked[a]));
        json_object_set_new(row, "values", json_integer(world_attr_count(a)));
        json_object_set_new(attrs, world_attr_name(a), row);
    }
    json_object_set_new(root, "clips", json_integer(e->count));
    json_object_set_new(root, "frames", json_integer(e->frames));
    json_object_set_new(root, "width", json_integer(e->width));
    json_object_set_new(root, "height", json_integer(e->height));
    json_object_set_new(root, "seed", json_integer(e->seed));
    json_object_set_new(root, "attributes", attrs);
    json_t *means = json_object(), *distances = json_object(), *flicker = json_object();
    for (int k = 0; k < KINDS; k++) {
        if (k != OTHER) json_object_set_new(means, kind_names[k], number(mean_accuracy(&e->kinds[k])));
        if (k != RENDERED) json_object_set_new(distances, kind_names[k], number(frechet(e, k)));
        json_object_set_new(flicker, kind_names[k],
                            number(e->kinds[k].there ? e->kinds[k].flicker / e->kinds[k].clips : NAN));
    }
    json_object_set_new(root, "mean", means);
    json_object_set_new(root, "frechet", distances);
    json_object_set_new(root, "flicker", flicker);
    json_object_set_new(root, "psnr", json_real(e->psnr / n));
    json_object_set_new(root, "ssim", json_real(e->ssim / n));
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(root);
    if (!text) return complain(EXIT_FAILED, "no memory for the report");
    printf("%s\n", text);
    free(text);
    return flush_output();
}

/* The world as the model's training saw it: a recipe's data.world. */
static int read_recipe(evaluation *e, const char *path) {
    json_error_t where;
    if (!path) return EXIT_DONE;
    json_t *recipe = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!recipe) return complain(EXIT_FAILED, "%s:%d: %s", path, where.line, where.text);
    const int code = data_limits(&e->limits, json_object_get(json_object_get(recipe, "data"), "world"));
    json_decref(recipe);
    return code;
}

static int prepare(evaluation *e, const char *probe) {
    sora_model_desc d = {.struct_size = sizeof d};
    sora_error err = {.struct_size = sizeof err};
    e->classify = e->s.pipeline;
    snprintf(e->judge.path, sizeof e->judge.path, "%s", e->s.path);
    sora_model_info(e->s.model, &d);
    if (probe) {
        if (sora_model_open(&e->judge.model, e->s.ctx, probe, NULL, &err) != SORA_OK ||
            sora_pipeline_create(&e->judge.pipeline, e->judge.model, &err) != SORA_OK)
            return complain(EXIT_FAILED, "%s", err.message);
        snprintf(e->judge.path, sizeof e->judge.path, "%s", probe);
        e->classify = e->judge.pipeline;
    }
    e->width = e->width ? e->width : d.default_width;
    e->height = e->height ? e->height : d.default_height;
    e->frames = e->frames ? e->frames : d.default_frames;
    e->fps = d.default_fps;
    e->limits.split = WORLD_HELDOUT;
    e->limits.image = e->frames == 1;
    for (int i = 0; i < 3; i++)
        if (!(e->rgb[i] = malloc(clip_bytes(e)))) return complain(EXIT_FAILED, "no memory for clips");
    sora_pipeline_set_i64(e->s.pipeline, SORA_PARAM_WIDTH, e->width);
    sora_pipeline_set_i64(e->s.pipeline, SORA_PARAM_HEIGHT, e->height);
    sora_pipeline_set_i64(e->s.pipeline, SORA_PARAM_FRAMES, e->frames);
    return EXIT_DONE;
}

int cmd_eval(int argc, char **argv) {
    static evaluation e; /* large */
    session_opts opts = SESSION_DEFAULTS;
    param_options params;
    option table[PARAM_MAX + 16];
    const char *words[1], *recipe = NULL, *probe = NULL, *sheet_path = NULL;
    long long frames = 0;
    int size[2] = {0, 0}, as_json = 0, quiet = 0, count;
    e.count = 200;
    const int n = param_options_list(&params,
                                     1u << SORA_PARAM_STEPS | 1u << SORA_PARAM_GUIDANCE | 1u << SORA_PARAM_SHIFT |
                                         1u << SORA_PARAM_SAMPLER | 1u << SORA_PARAM_NEGATIVE,
                                     table);
    const option own[] = {
        {"count", OPTION_INT, &e.count, "N", "clips (200)", 2, 100000},
        {"size", OPTION_SIZE, size, "WxH", "size of the clips; the model's own", 0, 0},
        {"frames", OPTION_INT, &frames, "N", "frames of a clip; the model's own", 0, 100000},
        {"seed", OPTION_INT, &e.seed, "S", "other scenes and other noise (0)", 0, 1000000},
        {"recipe", OPTION_TEXT, &recipe, "FILE", "scenes within the limits of a recipe's data.world", 0, 0},
        {"probe", OPTION_TEXT, &probe, "MODEL", "another model's probe judges", 0, 0},
        {"ceiling", OPTION_FLAG, &e.ceiling, NULL,
         "only renders and the autoencoder's round trip; nothing is generated", 0, 0},
        {"json", OPTION_FLAG, &as_json, NULL, "the table as JSON", 0, 0},
        {"sheet", OPTION_TEXT, &sheet_path, "FILE", "a PNG with the first clips", 0, 0},
        SESSION_OPTIONS(opts),
        {"quiet", OPTION_FLAG, &quiet, NULL, "no progress bar", 0, 0},
        OPTIONS_END,
    };
    memcpy(table + n, own, sizeof own);
    static const command_help help = {"sora eval MODEL [options]",
                                      "Generates combinations that training never saw, with fixed seeds, and lets the "
                                      "model's probe say what it sees: the share that is\n"
                                      "right, per attribute, beside that of the autoencoder's round trip and of the "
                                      "renders themselves, which is the ceiling.",
                                      "Examples:\n  sora eval models/nano.sora --count 200 --sheet held-out.png\n  "
                                      "sora eval build/vae.sora --probe build/probe.sora --ceiling"};
    const int parsed = options_parse(table, &help, argc, argv, words, 1, &count);
    if (parsed != OPTIONS_GO_ON) return parsed;
    if (count != 1) return complain(EXIT_USAGE, "eval needs a model; see sora eval --help");
    if (sheet_path && check_output(sheet_path) != EXIT_DONE) return EXIT_FAILED;
    opts.model = words[0];
    e.width = size[0];
    e.height = size[1];
    e.frames = frames;
    world_limits_default(&e.limits);
    int code = read_recipe(&e, recipe);
    if (code == EXIT_DONE) code = session_open(&e.s, &opts, 0);
    if (code == EXIT_DONE) code = param_options_apply(&params, e.s.pipeline);
    if (code == EXIT_DONE) code = prepare(&e, probe);
    if (code == EXIT_DONE && sheet_path && !(e.sheet = sheet_new(8)))
        code = complain(EXIT_FAILED, "no memory for a sheet");
    progress_begin(&e.bar, "evaluating", quiet || code != EXIT_DONE);
    for (long long i = 0; i < e.count && code == EXIT_DONE; i++) {
        char note[64];
        code = interrupted() ? complain(EXIT_FAILED, "interrupted") : one_clip(&e, i);
        snprintf(note, sizeof note, "clip %lld of %lld", i + 1, e.count);
        if (code == EXIT_DONE) progress_show(&e.bar, (double)(i + 1) / (double)e.count, note);
    }
    if (code == EXIT_DONE) {
        sora_error err = {.struct_size = sizeof err};
        progress_end(&e.bar, "");
        if (e.sheet && sheet_write(e.sheet, e.s.ctx, sheet_path, &err) != SORA_OK)
            code = complain(EXIT_FAILED, "%s", err.message);
    }
    if (code == EXIT_DONE) code = as_json ? put_json(&e) : put_table(&e);
    sheet_free(e.sheet);
    for (int k = 0; k < KINDS; k++) free(e.kinds[k].features);
    for (int i = 0; i < 3; i++) free(e.rgb[i]);
    session_close(&e.judge);
    session_close(&e.s);
    return code;
}
