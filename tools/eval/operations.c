/* The table of `sora eval --operations`: rows are run one after the other and printed, as text or as JSON. */
#define _POSIX_C_SOURCE 200809L /* mkdtemp */
#include "tools/eval/operations.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/commands.h"
#include "tools/eval/trial.h"

static const trial_row *const row_lists[] = {trial_rows_clips, trial_rows_sizes};
#define LISTS (sizeof row_lists / sizeof *row_lists)

static const trial_row *row_at(int index) {
    for (size_t l = 0; l < LISTS; l++)
        for (const trial_row *r = row_lists[l]; r->name; r++)
            if (index-- == 0) return r;
    return NULL;
}

/* Whether a word of "animate,loop" is this row's name. */
static int listed(const char *rows, const char *name) {
    const size_t n = strlen(name);
    for (const char *p = rows; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncmp(p, name, n) == 0 && (p[n] == 0 || p[n] == ',')) return 1;
    return rows == NULL;
}

int eval_operations_check(const char *rows) {
    for (const char *p = rows; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        int known = 0;
        for (int i = 0; row_at(i); i++) {
            const size_t n = strlen(row_at(i)->name);
            known |= strncmp(p, row_at(i)->name, n) == 0 && (p[n] == 0 || p[n] == ',');
        }
        if (!known) return complain(EXIT_USAGE, "option --rows: there is no row %.40s; see sora eval --help", p);
    }
    return EXIT_DONE;
}

static double value_of(const trial *t, int f, int kind) {
    const figure *x = &t->figures[f];
    return x->weight[kind] > 0 ? x->sum[kind] / x->weight[kind] : NAN;
}

static int reaches(const figure_def *d, double value) {
    return d->sense > 0 ? value >= d->aim - 1e-9 : value <= d->aim + 1e-9;
}

/* What falls short with the exact answer too is not the model's fault. */
static const char *verdict(const trial *t, int f) {
    const figure_def *d = &t->row->figures[f];
    const double value = value_of(t, f, MADE), exact = value_of(t, f, EXACT);
    if (isnan(value)) return d->probe && !t->j->classify ? "no probe" : "not measured";
    if (!d->sense) return "";
    if (reaches(d, value)) return "met";
    return isnan(exact) ? "short" : reaches(d, exact) ? "short: the model" : "short: not the model";
}

static const char *name_of(const trial *t, int f) { return t->names[f][0] ? t->names[f] : t->row->figures[f].name; }
static int there(const trial *t, int f) { return f < TRIAL_FIGURES && t->row->figures[f].unit; }

static void put_number(double v, int width) {
    if (isnan(v))
        printf(" %*s", width, "-");
    else
        printf(" %*.*f", width, fabs(v) >= 100 ? 0 : 2, v);
}

static void put_row(const trial *t, long long clips) {
    char aim[32];
    if (t->absent) {
        printf("%-8s  %s\n\n", t->row->name, t->absent);
        return;
    }
    for (int f = 0; there(t, f); f++) {
        const figure_def *d = &t->row->figures[f];
        snprintf(aim, sizeof aim, "%s %g", d->sense > 0 ? ">=" : "<=", d->aim);
        printf("%-8s  %-76s %-4s", f ? "" : t->row->name, name_of(t, f), d->unit);
        put_number(value_of(t, f, MADE), 9);
        put_number(value_of(t, f, EXACT), 9);
        printf("  %-8s %s\n", d->sense ? aim : "", verdict(t, f));
    }
    printf("%-8s  %lld %s, %lld %s of %.1f s, at most %.0f MiB\n\n", "", clips, clips == 1 ? "clip" : "clips", t->runs,
           t->runs == 1 ? "command" : "commands", t->runs ? t->spent / (double)t->runs : 0, t->peak);
    fflush(stdout);
}

static json_t *number(double v) { return isnan(v) ? json_null() : json_real(v); }

static json_t *json_row(const trial *t, long long clips) {
    json_t *row = json_object(), *figures = json_array();
    json_object_set_new(row, "operation", json_string(t->row->name));
    if (t->absent) json_object_set_new(row, "absent", json_string(t->absent));
    for (int f = 0; !t->absent && there(t, f); f++) {
        const figure_def *d = &t->row->figures[f];
        json_t *x = json_object();
        json_object_set_new(x, "figure", json_string(name_of(t, f)));
        json_object_set_new(x, "unit", json_string(d->unit));
        json_object_set_new(x, "made", number(value_of(t, f, MADE)));
        json_object_set_new(x, "exact", number(value_of(t, f, EXACT)));
        if (d->sense) json_object_set_new(x, d->sense > 0 ? "at_least" : "at_most", json_real(d->aim));
        json_object_set_new(x, "verdict", json_string(verdict(t, f)));
        json_array_append_new(figures, x);
    }
    json_object_set_new(row, "figures", figures);
    json_object_set_new(row, "clips", json_integer(clips));
    json_object_set_new(row, "commands", json_integer(t->runs));
    json_object_set_new(row, "seconds", json_real(t->spent));
    json_object_set_new(row, "mebibytes", json_real(t->peak));
    return row;
}

static int put_json(const trial *t, json_t *rows) {
    json_t *root = json_object();
    json_object_set_new(root, "model", json_string(t->j->s.path));
    json_object_set_new(root, "frames", json_integer(t->j->frames));
    json_object_set_new(root, "width", json_integer(t->j->width));
    json_object_set_new(root, "height", json_integer(t->j->height));
    json_object_set_new(root, "seed", json_integer(t->j->seed));
    json_object_set_new(root, "probe", json_boolean(t->j->classify != NULL));
    json_object_set(root, "operations", rows);
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(root);
    if (!text) return complain(EXIT_FAILED, "no memory for the report");
    printf("%s\n", text);
    free(text);
    return flush_output();
}

static long long clips_of(const trial_row *r, long long count) {
    return r->clips ? r->clips : r->most && count > r->most ? r->most : count;
}

static int run_row(trial *t, const trial_row *row, long long clips) {
    int code = EXIT_DONE;
    t->row = row;
    t->absent = NULL;
    t->runs = 0;
    t->spent = t->peak = 0;
    memset(t->figures, 0, sizeof t->figures);
    memset(t->names, 0, sizeof t->names);
    for (long long i = 0; i < clips && code == EXIT_DONE && !t->absent; i++) {
        char note[64];
        code = interrupted() ? complain(EXIT_FAILED, "interrupted") : row->run(t, i);
        t->done += row->work;
        snprintf(note, sizeof note, "%s %lld of %lld", row->name, i + 1, clips);
        if (code == EXIT_DONE) progress_show(&t->bar, t->done / t->total, note);
    }
    return code;
}

int eval_operations(judge *j, const session_opts *opts, const operations_opts *o) {
    trial t = {.j = j, .opts = opts, .seconds = o->seconds, .sheet = o->sheet ? sheet_new(9) : NULL};
    json_t *rows = o->json ? json_array() : NULL;
    const char *tmp = getenv("TMPDIR");
    int code = EXIT_DONE;
    snprintf(t.folder, sizeof t.folder, "%.40s/sora-eval-XXXXXX", tmp && strlen(tmp) <= 40 ? tmp : "/tmp");
    if (j->frames < 3) return complain(EXIT_USAGE, "the operations need clips of 3 frames or more");
    if (!mkdtemp(t.folder)) return complain(EXIT_FAILED, "%s: no such folder can be made", t.folder);
    if (o->sheet && !t.sheet) code = complain(EXIT_FAILED, "no memory for a sheet");
    trial_pass(&t, o->params);
    j->limits.max_subjects = 1;
    j->limits.cut_prob = j->limits.game_prob = 0;
    j->limits.allow[WORLD_RELATION] = 1u << WORLD_ALONE;
    j->limits.allow[WORLD_SHOTS] = 1u << WORLD_ONE_SHOT;
    j->limits.allow[WORLD_KIND] = 1u << WORLD_MOVIE;
    for (int i = 0; row_at(i); i++)
        if (listed(o->rows, row_at(i)->name)) t.total += (double)(clips_of(row_at(i), o->count) * row_at(i)->work);
    progress_begin(&t.bar, "measuring", o->quiet || code != EXIT_DONE);
    if (code == EXIT_DONE && !o->json)
        printf("%s: clips of %d frames, %d x %d, held-out combinations, seed %lld%s\n\n%-8s  %-76s %-4s %9s %9s  %s\n\n", j->s.path, (int)j->frames,
               j->width, j->height, j->seed, j->classify ? "" : "; no probe", "", "", "", "made", "exact", "aim");
    for (int i = 0; row_at(i) && code == EXIT_DONE; i++) {
        if (!listed(o->rows, row_at(i)->name)) continue;
        const long long clips = clips_of(row_at(i), o->count);
        code = run_row(&t, row_at(i), clips);
        if (code != EXIT_DONE) break;
        progress_clear(&t.bar);
        if (rows)
            json_array_append_new(rows, json_row(&t, clips));
        else
            put_row(&t, clips);
    }
    if (code == EXIT_DONE) progress_end(&t.bar, "");
    sora_error err = {.struct_size = sizeof err};
    if (code == EXIT_DONE && t.sheet && sheet_write(t.sheet, j->s.ctx, o->sheet, &err) != SORA_OK) code = complain(EXIT_FAILED, "%s", err.message);
    if (code == EXIT_DONE) code = rows ? put_json(&t, rows) : flush_output();
    if (code == EXIT_DONE && !rows) printf("made: by the model. exact: the true answer through the autoencoder, given pixels as they are; what falls short there too is not the "
               "model's fault,\nbut the operation's, the autoencoder's or that of what is measured.\n");
    json_decref(rows);
    sheet_free(t.sheet);
    trial_clean(&t);
    return code;
}
