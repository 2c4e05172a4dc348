/* `sora eval`: what a model gets right on combinations that training never saw, judged by its probe. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/commands.h"
#include "tools/eval/judge.h"
#include "tools/eval/measures.h"
#include "tools/eval/operations.h"
#include "tools/progress.h"
#include "tools/sheet.h"
#include "tools/train/data.h"
#include "tools/world/world.h"

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
    int taken[WORLD_ATTRS][JUDGE_VALUES][JUDGE_VALUES]; /* clips with a value, by what the probe took it for */
    double flicker;
    double *features; /* [count, dim] */
    int clips;
} tally;

typedef struct evaluation {
    judge j;
    opinion said; /* of the last clip */
    int dim, ceiling;
    long long count;
    tally kinds[KINDS];
    double mse, psnr, ssim;
    uint8_t *rgb[3]; /* frames of a clip: made, round trip, rendered */
    sheet *sheet;
    progress bar;
} evaluation;

static size_t clip_bytes(const evaluation *e) { return (size_t)e->j.width * (size_t)e->j.height * 3 * (size_t)e->j.frames; }

/* Asks the probe about a clip of a known scene. */
static int mark(evaluation *e, tally *t, const uint8_t *rgb, const world_scene *scene) {
    const int code = judge_ask(&e->j, rgb, e->j.frames, e->j.height, e->j.width, &e->said);
    if (code != EXIT_DONE) return code;
    if (!t->features) {
        e->dim = e->said.dim;
        t->features = calloc((size_t)e->count * (size_t)e->dim, sizeof *t->features);
        if (!t->features) return complain(EXIT_FAILED, "no memory for features");
    }
    for (int a = 0; a < WORLD_ATTRS; a++)
        if (world_attr_visible(scene, a, e->j.frames > 1)) {
            t->asked[a]++;
            t->right[a] += e->said.best[a] == scene->attr[a];
            t->taken[a][scene->attr[a]][e->said.best[a]]++;
        }
    memcpy(t->features + (size_t)t->clips * (size_t)e->dim, e->said.features, (size_t)e->dim * sizeof *t->features);
    t->flicker += measure_flicker(rgb, e->j.frames, e->j.height, e->j.width);
    t->clips++;
    t->there = 1;
    return EXIT_DONE;
}

static int one_clip(evaluation *e, long long i) {
    world_scene scene, other;
    char caption[JUDGE_CAPTION];
    const uint64_t seed = JUDGE_SEED + (uint64_t)(e->j.seed * 1000000 + i);
    const int64_t frames = e->j.frames;
    if (world_scene_make(&scene, seed, &e->j.limits) != 0 || world_scene_make(&other, seed + 500000, &e->j.limits) != 0)
        return complain(EXIT_FAILED, "no held-out scene fits these limits");
    const int image = frames == 1 ? WORLD_IMAGE : 0;
    world_caption(&scene, seed, (i & 1 ? WORLD_LONG : WORLD_SHORT) | image, caption, sizeof caption);
    int code = judge_render(&e->j, &other, frames, 0, frames, e->rgb[RENDERED]);
    if (code == EXIT_DONE) code = mark(e, &e->kinds[OTHER], e->rgb[RENDERED], &other);
    if (code == EXIT_DONE) code = judge_render(&e->j, &scene, frames, 0, frames, e->rgb[RENDERED]);
    if (code == EXIT_DONE) code = mark(e, &e->kinds[RENDERED], e->rgb[RENDERED], &scene);
    if (code == EXIT_DONE) code = judge_round_trip(&e->j, e->rgb[RENDERED], frames, e->rgb[ROUND]);
    if (code == EXIT_DONE) {
        const double mse = measure_mse(e->rgb[RENDERED], e->rgb[ROUND], (int64_t)clip_bytes(e));
        e->mse += mse;
        e->psnr += measure_psnr(mse);
        e->ssim += measure_ssim(e->rgb[RENDERED], e->rgb[ROUND], frames, e->j.height, e->j.width);
        code = mark(e, &e->kinds[ROUND], e->rgb[ROUND], &scene);
    }
    if (code == EXIT_DONE && !e->ceiling) code = judge_make(&e->j, caption, e->j.seed + i, frames, e->rgb[MADE]);
    if (code == EXIT_DONE && !e->ceiling) code = mark(e, &e->kinds[MADE], e->rgb[MADE], &scene);
    if (code == EXIT_DONE && e->sheet && i < SHEET_CLIPS &&
        sheet_add(e->sheet, e->rgb[e->ceiling ? ROUND : MADE], frames, e->j.width, e->j.height, caption) != 0)
        code = complain(EXIT_FAILED, "no memory for the sheet");
    return code;
}

static double accuracy(const tally *t, int attr) { return t->asked[attr] > 0 ? t->right[attr] / t->asked[attr] : NAN; }

/* Standard error of an accuracy: how much other clips would move it. */
static double doubt(const tally *t, int attr) {
    const double p = accuracy(t, attr);
    return sqrt(p * (1 - p) / t->asked[attr]);
}

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
    put_cell(doubt(e->ceiling ? seen : &e->kinds[MADE], attr), 100, 1);
    printf(" %8.0f %7.1f\n", seen->asked[attr], 100.0 / world_attr_count(attr));
}

static int is_main(int attr) {
    for (int i = 0; i < MAIN_ATTRS; i++)
        if (main_attrs[i] == attr) return 1;
    return 0;
}

static void put_aim(const char *what, double value, double aim) {
    if (!isnan(value)) printf("%-44s %5.1f  >= %g  %s\n", what, 100 * value, aim, 100 * value >= aim ? "met" : "short");
}

/* What a model that ships is held to; the probe and the autoencoder first, since nothing can be told by worse ones. */
static void put_aims(const evaluation *e) {
    const tally *made = &e->kinds[MADE];
    put_aim("the probe on renders, mean", mean_accuracy(&e->kinds[RENDERED]), 98);
    put_aim("round trip, of what it reads off renders", mean_accuracy(&e->kinds[ROUND]) / mean_accuracy(&e->kinds[RENDERED]), 95);
    put_aim("made, mean", mean_accuracy(made), 85);
    put_aim("made, subject", accuracy(made, WORLD_SUBJECT), 75);
    put_aim("made, outfit", accuracy(made, WORLD_OUTFIT), 75);
    put_aim("made, colour", accuracy(made, WORLD_COLOUR), 75);
}

static int put_table(const evaluation *e) {
    printf("%lld clips of %d frames, %d x %d, held-out combinations, seed %lld\n\n", e->count, (int)e->j.frames, e->j.width,
           e->j.height, e->j.seed);
    printf("%-14s %10s %10s %10s %10s %8s %7s\n", "right, %", kind_names[MADE], kind_names[ROUND], kind_names[RENDERED],
           "+-", "asked", "chance");
    for (int i = 0; i < MAIN_ATTRS; i++) put_row(e, main_attrs[i]);
    printf("%-14s", "mean");
    for (int k = MADE; k <= RENDERED; k++) put_cell(mean_accuracy(&e->kinds[k]), 100, 1);
    printf("\n\n");
    put_aims(e);
    printf("\nbesides\n");
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
           e->psnr / n, measure_psnr(e->mse / n), e->ssim / n);
    return flush_output();
}

static json_t *number(double v) { return isnan(v) ? json_null() : json_real(v); }

/* What was taken for what: tells words that are not learnt from pictures that can't be told apart. */
static json_t *mistakes(const tally *t, int attr) {
    json_t *list = json_array();
    for (int asked = 0; asked < world_attr_count(attr); asked++)
        for (int seen = 0; seen < world_attr_count(attr); seen++)
            if (asked != seen && t->taken[attr][asked][seen] > 0)
                json_array_append_new(list, json_pack("{s:s, s:s, s:i}", "asked", world_value_name(attr, asked), "seen",
                                                      world_value_name(attr, seen), "clips", t->taken[attr][asked][seen]));
    return list;
}

static int put_json(const evaluation *e) {
    json_t *root = json_object(), *attrs = json_object();
    const double n = (double)e->count;
    for (int a = 0; a < WORLD_ATTRS; a++) {
        json_t *row = json_object(), *wrong = json_object();
        for (int k = MADE; k <= RENDERED; k++) {
            json_object_set_new(row, kind_names[k], number(accuracy(&e->kinds[k], a)));
            if (e->kinds[k].there) json_object_set_new(wrong, kind_names[k], mistakes(&e->kinds[k], a));
        }
        json_object_set_new(row, "mistakes", wrong);
        json_object_set_new(row, "asked", json_real(e->kinds[RENDERED].asked[a]));
        json_object_set_new(row, "values", json_integer(world_attr_count(a)));
        json_object_set_new(attrs, world_attr_name(a), row);
    }
    json_object_set_new(root, "clips", json_integer(e->count));
    json_object_set_new(root, "frames", json_integer(e->j.frames));
    json_object_set_new(root, "width", json_integer(e->j.width));
    json_object_set_new(root, "height", json_integer(e->j.height));
    json_object_set_new(root, "seed", json_integer(e->j.seed));
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
static int read_recipe(judge *j, const char *path) {
    json_error_t where;
    if (!path) return EXIT_DONE;
    json_t *recipe = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!recipe) return complain(EXIT_FAILED, "%s:%d: %s", path, where.line, where.text);
    const int code = data_limits(&j->limits, json_object_get(json_object_get(recipe, "data"), "world"));
    json_decref(recipe);
    return code;
}

/* The table of attributes. */
static int eval_attributes(evaluation *e, const char *sheet_path, int as_json, int quiet) {
    if (!e->j.classify) return complain(EXIT_FAILED, "%s: has no probe; --probe names a model that has one", e->j.s.path);
    int code = EXIT_DONE;
    for (int i = 0; i < 3; i++)
        if (!(e->rgb[i] = malloc(clip_bytes(e)))) code = complain(EXIT_FAILED, "no memory for clips");
    if (code == EXIT_DONE && sheet_path && !(e->sheet = sheet_new(8))) code = complain(EXIT_FAILED, "no memory for a sheet");
    progress_begin(&e->bar, "evaluating", quiet || code != EXIT_DONE);
    for (long long i = 0; i < e->count && code == EXIT_DONE; i++) {
        char note[64];
        code = interrupted() ? complain(EXIT_FAILED, "interrupted") : one_clip(e, i);
        snprintf(note, sizeof note, "clip %lld of %lld", i + 1, e->count);
        if (code == EXIT_DONE) progress_show(&e->bar, (double)(i + 1) / (double)e->count, note);
    }
    if (code == EXIT_DONE) {
        sora_error err = {.struct_size = sizeof err};
        progress_end(&e->bar, "");
        if (e->sheet && sheet_write(e->sheet, e->j.s.ctx, sheet_path, &err) != SORA_OK)
            code = complain(EXIT_FAILED, "%s", err.message);
    }
    if (code == EXIT_DONE) code = as_json ? put_json(e) : put_table(e);
    sheet_free(e->sheet);
    for (int k = 0; k < KINDS; k++) free(e->kinds[k].features);
    for (int i = 0; i < 3; i++) free(e->rgb[i]);
    return code;
}

int cmd_eval(int argc, char **argv) {
    static evaluation e; /* large */
    session_opts opts = SESSION_DEFAULTS;
    operations_opts operations = {.seconds = 60};
    param_options params;
    option table[PARAM_MAX + 20];
    const char *words[1], *recipe = NULL, *probe = NULL, *sheet_path = NULL;
    long long frames = 0;
    int size[2] = {0, 0}, as_json = 0, quiet = 0, of_operations = 0, count;
    const int n = param_options_list(&params,
                                     1u << SORA_PARAM_STEPS | 1u << SORA_PARAM_GUIDANCE | 1u << SORA_PARAM_GUIDANCE_UNTIL | 1u << SORA_PARAM_SHIFT |
                                         1u << SORA_PARAM_SAMPLER | 1u << SORA_PARAM_NEGATIVE | 1u << SORA_PARAM_STEP_CACHE,
                                     table);
    const option own[] = {
        {"count", OPTION_INT, &e.count, "N", "clips (200; of each operation 8, of minute at most 3)", 1, 100000},
        {"size", OPTION_SIZE, size, "WxH", "size of the clips; the model's own", 0, 0},
        {"frames", OPTION_INT, &frames, "N", "frames of a clip; the model's own", 0, 100000},
        {"seed", OPTION_INT, &e.j.seed, "S", "other scenes and other noise (0)", 0, 1000000},
        {"recipe", OPTION_TEXT, &recipe, "FILE", "scenes within the limits of a recipe's data.world", 0, 0},
        {"probe", OPTION_TEXT, &probe, "MODEL", "another model's probe judges", 0, 0},
        {"ceiling", OPTION_FLAG, &e.ceiling, NULL,
         "only renders and the autoencoder's round trip; nothing is generated", 0, 0},
        {"operations", OPTION_FLAG, &of_operations, NULL, "animate, extend, loop and all the others, in place of attributes", 0, 0},
        {"rows", OPTION_TEXT, &operations.rows, "LIST",
         "of the operations only animate,extend,loop,edit,connect,fill,inpaint,image,preview,minute,shots,shape", 0, 0},
        {"seconds", OPTION_NUMBER, &operations.seconds, "S", "length of the long video among the operations (60)", 0, 36000},
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
                                      "renders themselves, which is the ceiling.\n"
                                      "With --operations: runs every command that takes images or clips on renders whose answer is known, and measures it.",
                                      "Examples:\n  sora eval models/nano.sora --count 200 --sheet held-out.png\n  "
                                      "sora eval build/vae.sora --probe build/probe.sora --ceiling\n  "
                                      "sora eval models/nano.sora --operations --rows animate,extend --count 4"};
    const int parsed = options_parse(table, &help, argc, argv, words, 1, &count);
    if (parsed != OPTIONS_GO_ON) return parsed;
    if (count != 1) return complain(EXIT_USAGE, "eval needs a model; see sora eval --help");
    if (sheet_path && check_output(sheet_path) != EXIT_DONE) return EXIT_FAILED;
    if (eval_operations_check(operations.rows) != EXIT_DONE) return EXIT_USAGE;
    e.count = e.count ? e.count : of_operations ? 8 : 200;
    opts.model = words[0];
    e.j.width = size[0];
    e.j.height = size[1];
    e.j.frames = frames;
    world_limits_default(&e.j.limits);
    int code = read_recipe(&e.j, recipe);
    if (code == EXIT_DONE) code = judge_open(&e.j, &opts, probe);
    if (code == EXIT_DONE) code = param_options_apply(&params, e.j.s.pipeline);
    if (code == EXIT_DONE && of_operations) {
        operations.count = e.count;
        operations.params = &params;
        operations.sheet = sheet_path;
        operations.json = as_json;
        operations.quiet = quiet;
        code = eval_operations(&e.j, &opts, &operations);
    } else if (code == EXIT_DONE) {
        code = eval_attributes(&e, sheet_path, as_json, quiet);
    }
    judge_close(&e.j);
    return code;
}
