/* `sora train`: drives the library's trainer from a recipe, with checkpoints, logs and measurements on held-out scenes. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/commands.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/train/curve.h"
#include "tools/train/data.h"
#include "tools/train/measure.h"

typedef struct run {
    const char *recipe_path, *out, *with, *export_path;
    long long threads, stop_after, save_every, measure_every, export_every;
    int fresh, quiet;
    char path[5][1024]; /* checkpoint, log, measures, model, curve */
} run;

enum { CHECKPOINT, LOG, MEASURES, MODEL, CURVE };

static char *read_file(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    char *text = malloc(1 << 20);
    *size = text ? fread(text, 1, 1 << 20, f) : 0;
    fclose(f);
    if (*size == 1 << 20) {
        free(text);
        return NULL;
    }
    return text;
}

static int export_model(sora_trainer *t, const run *r, const char *with, sora_error *err) {
    return sora_trainer_export(t, r->path[MODEL], r->with ? r->with : with, 0, err);
}

static void log_step(FILE *log, const sora_train_stats *s) {
    fprintf(log, "%llu,%llu,%.6g,%.6g,%.6g,%.6g,%.6g,%.4g,%.4g,%.3f\n", (unsigned long long)s->step, (unsigned long long)s->samples,
            s->loss, s->parts[0], s->parts[1], s->parts[2], s->parts[3], s->grad_norm, s->rate, s->seconds);
}

static FILE *open_log(const char *path, const char *head) {
    struct stat st;
    const int old = stat(path, &st) == 0 && st.st_size > 0;
    FILE *f = fopen(path, "a");
    if (f)
        (void)setvbuf(f, NULL, _IOLBF, 0); /* it is watched while it grows */
    if (f && !old)
        fprintf(f, "%s\n", head);
    return f;
}

/* Steps until the recipe's end, --stop-after, or Ctrl-C. */
static int train(sora_trainer *t, data *d, const run *r, const char *with, sora_error *err) {
    FILE *log = open_log(r->path[LOG], "step,samples,loss,part0,part1,part2,part3,grad_norm,rate,seconds");
    FILE *measures = open_log(r->path[MEASURES], "step,samples,name,value");
    progress bar;
    sora_train_stats s = {.struct_size = sizeof s};
    if (!log || !measures)
        return complain(EXIT_FAILED, "%s: cannot be written", r->path[LOG]);
    sora_trainer_stats(t, &s);
    const uint64_t first = s.step, first_samples = s.samples;
    double saved = clock_seconds(), smooth = 0.0;
    const double begin = saved;
    int status = s.step < s.steps ? SORA_MORE : SORA_OK;
    progress_begin(&bar, "training", r->quiet);
    while (status == SORA_MORE) {
        status = sora_trainer_step(t, err);
        if (status < 0)
            break;
        sora_trainer_stats(t, &s);
        log_step(log, &s);
        smooth = s.step == first + 1 ? s.loss : 0.98 * smooth + 0.02 * s.loss;
        char note[128];
        snprintf(note, sizeof note, "step %llu  loss %.4f  %.1f samples/s  %.0f MiB", (unsigned long long)s.step, smooth,
                 (double)(s.samples - first_samples) / (clock_seconds() - begin), (double)s.memory / 1048576.0);
        const double end = r->stop_after ? (double)r->stop_after : (double)s.steps;
        progress_show(&bar, ((double)s.step - (double)first) / (end > (double)first ? end - (double)first : 1.0), note);
        const int last = status == SORA_OK || interrupted() || (r->stop_after && s.step >= (uint64_t)r->stop_after);
        if (last || (r->measure_every && s.step % (uint64_t)r->measure_every == 0)) {
            fflush(log);
            if (!interrupted())
                measure(t, d, s.step, s.samples, measures, r->out);
            fflush(measures);
            curve_draw(r->path[LOG], r->path[CURVE]);
        }
        if (last || clock_seconds() - saved > (double)r->save_every) {
            const int code = sora_trainer_save(t, r->path[CHECKPOINT], err);
            if (code != SORA_OK) {
                status = code;
                break;
            }
            saved = clock_seconds();
        }
        if (!last && r->export_every && s.step % (uint64_t)r->export_every == 0) {
            const int code = export_model(t, r, with, err);
            if (code != SORA_OK) {
                status = code;
                break;
            }
        }
        if (last)
            break;
    }
    progress_end(&bar, status < 0 ? "failed" : interrupted() ? "stopped, checkpoint saved" : "done");
    fclose(log);
    fclose(measures);
    if (status >= 0 && !interrupted())
        status = export_model(t, r, with, err);
    return status < 0 ? complain(EXIT_FAILED, "%s", err->message) : interrupted() ? EXIT_FAILED : EXIT_DONE;
}

int cmd_train(int argc, char **argv) {
    run r = {.save_every = 300, .measure_every = 1000};
    const option table[] = {
        {"out", OPTION_TEXT, &r.out, "DIR", "folder for checkpoint, logs, pictures and the model (required)", 0, 0},
        {"with", OPTION_TEXT, &r.with, "MODEL", "model whose other parts the exported model takes over", 0, 0},
        {"export", OPTION_TEXT, &r.export_path, "FILE", "where the model goes (DIR/model.sora)", 0, 0},
        {"fresh", OPTION_FLAG, &r.fresh, NULL, "begin anew even when DIR holds a checkpoint", 0, 0},
        {"stop-after", OPTION_INT, &r.stop_after, "STEP", "stop at this step, as if it were the last, without changing the schedule", 0, 1e15},
        {"save-every", OPTION_INT, &r.save_every, "SECONDS", "seconds between checkpoints (300)", 0, 1e15},
        {"measure-every", OPTION_INT, &r.measure_every, "STEPS", "steps between measurements on held-out scenes (1000); 0: only at the end", 0, 1e15},
        {"export-every", OPTION_INT, &r.export_every, "STEPS", "steps between exports of the model (0: at the end)", 0, 1e15},
        {"threads", OPTION_INT, &r.threads, "N", "threads (one per core)", 0, 1024},
        {"quiet", OPTION_FLAG, &r.quiet, NULL, "no progress bar", 0, 0},
        OPTIONS_END,
    };
    static const command_help help = {
        "sora train RECIPE.json --out DIR [options]",
        "Trains an autoencoder, a transformer with its text encoder, or a probe. Run again, it goes on from the last checkpoint;\n"
        "Ctrl-C saves one and stops. DIR gets log.csv, measures.csv, loss.png, samples.png, checkpoint.safetensors, model.sora.",
        "Examples:\n  sora train recipes/vae.json --out build/vae\n  sora train recipes/nano.json --out build/nano --with build/vae/model.sora"};
    const char *words[1];
    int count;
    const int parsed = options_parse(table, &help, argc, argv, words, 1, &count);
    if (parsed != OPTIONS_GO_ON)
        return parsed;
    if (count != 1 || !r.out)
        return complain(EXIT_USAGE, "train needs a recipe and --out DIR; see sora train --help");
    r.recipe_path = words[0];
    static const char *const names[5] = {"checkpoint.safetensors", "log.csv", "measures.csv", "model.sora", "loss.png"};
    for (int i = 0; i < 5; i++)
        snprintf(r.path[i], sizeof r.path[i], "%s/%s", r.out, names[i]);
    if (r.export_path)
        snprintf(r.path[MODEL], sizeof r.path[MODEL], "%s", r.export_path);
    if (mkdir(r.out, 0777) != 0 && errno != EEXIST)
        return complain(EXIT_FAILED, "%s: %s", r.out, strerror(errno));

    size_t size = 0;
    char *text = read_file(r.recipe_path, &size);
    json_error_t where;
    json_t *recipe = text ? json_loadb(text, size, JSON_REJECT_DUPLICATES, &where) : NULL;
    if (!recipe) {
        const int code = text ? complain(EXIT_FAILED, "%s:%d: %s", r.recipe_path, where.line, where.text)
                              : complain(EXIT_FAILED, "%s: cannot be read", r.recipe_path);
        free(text);
        return code;
    }
    sora_error err = {.struct_size = sizeof err};
    sora_context *ctx = NULL;
    sora_trainer *trainer = NULL;
    data d = {0};
    sora_context_opts opts;
    sora_context_opts_init(&opts);
    opts.threads = (int32_t)r.threads;
    int code = EXIT_FAILED;
    if (sora_context_create(&ctx, &opts, &err) != SORA_OK) {
        complain(code, "%s", err.message);
    } else if ((code = data_open(&d, ctx, recipe)) == 0) {
        int status = sora_trainer_create(&trainer, ctx, text, size, &err);
        if (status == SORA_OK)
            status = sora_trainer_set_data(trainer, data_batch, &d);
        struct stat st;
        if (status == SORA_OK && !r.fresh && stat(r.path[CHECKPOINT], &st) == 0)
            status = sora_trainer_load(trainer, r.path[CHECKPOINT], &err);
        const char *with = json_string_value(json_object_get(json_object_get(recipe, "data"), "model"));
        code = status == SORA_OK ? train(trainer, &d, &r, with, &err) : complain(EXIT_FAILED, "%s", err.message);
    }
    sora_trainer_destroy(&trainer);
    data_close(&d);
    sora_context_unref(&ctx);
    json_decref(recipe);
    free(text);
    return code;
}
