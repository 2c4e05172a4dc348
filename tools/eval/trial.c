#define _GNU_SOURCE /* wait4, scandir */
#include "tools/eval/trial.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/commands.h"
#include "tools/eval/measures.h"

extern char **environ;

int trial_clip(const trial *t, clip *c, int64_t frames) {
    *c = (clip){.width = t->j->width, .height = t->j->height};
    return clip_grow(c, frames, 0);
}

int trial_scene(trial *t, long long i, int attempt, world_scene *scene, char caption[JUDGE_CAPTION]) {
    const uint64_t seed = JUDGE_SEED + (uint64_t)(t->j->seed * 1000000 + i + 10000LL * attempt);
    if (world_scene_make(scene, seed, &t->j->limits) != 0) return complain(EXIT_FAILED, "no held-out scene fits these limits");
    world_caption(scene, seed, i & 1 ? WORLD_LONG : WORLD_SHORT, caption, JUDGE_CAPTION);
    return EXIT_DONE;
}

/* ---- commands -------------------------------------------------------------------------------------------------------------- */

static void remove_folder(const char *path) {
    struct dirent **names = NULL;
    const int n = scandir(path, &names, NULL, NULL);
    for (int i = 0; i < n; i++) {
        char file[512];
        if (names[i]->d_name[0] != '.') {
            snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
            if (unlink(file) != 0) remove_folder(file);
        }
        free(names[i]);
    }
    free(names);
    rmdir(path);
}

/* Word `index` of "default|euler|unipc". */
static void choice(const char *words, long long index, char *to, size_t size) {
    while (index-- > 0 && strchr(words, '|')) words = strchr(words, '|') + 1;
    snprintf(to, size, "%.*s", (int)strcspn(words, "|"), words);
}

void trial_pass(trial *t, const param_options *params) {
    t->steps = t->j->model.default_steps;
    for (int i = 0; i < params->count; i++) {
        const sora_param_desc *d = &params->desc[i];
        char *value = t->passed[t->passes][1];
        const size_t size = sizeof t->passed[0][1];
        if (d->kind == SORA_KIND_TEXT ? !params->text[i] : d->kind == SORA_KIND_F64 ? fabs(params->f[i] - d->initial) <= 0 : params->i[i] == (long long)d->initial) continue;
        if (d->kind == SORA_KIND_TEXT)
            snprintf(value, size, "%s", params->text[i]);
        else if (d->kind == SORA_KIND_F64)
            snprintf(value, size, "%.17g", params->f[i]);
        else if (d->kind == SORA_KIND_ENUM)
            choice(d->values, params->i[i], value, size);
        else
            snprintf(value, size, "%lld", params->i[i]);
        if (d->id == SORA_PARAM_STEPS) t->steps = (int)params->i[i];
        snprintf(t->passed[t->passes++][0], sizeof t->passed[0][0], "--%s", d->name);
    }
}

void trial_clean(trial *t) { remove_folder(t->folder); }

void trial_path(const trial *t, const char *name, char path[160]) { snprintf(path, 160, "%s/%s", t->folder, name); }

int trial_put(trial *t, const clip *c, const char *name, char path[160]) {
    trial_path(t, name, path);
    remove_folder(path);
    return clip_write(c, t->j->s.ctx, path, t->j->fps);
}

/* Waits for the program to end, and gives its exit code. */
static int run_program(trial *t, char *const *argv, int optional) {
    posix_spawn_file_actions_t files;
    struct rusage used;
    pid_t child;
    int status = 0;
    const double begin = clock_seconds();
    if (posix_spawn_file_actions_init(&files) != 0) return complain(EXIT_FAILED, "no memory to run %s", argv[1]);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (optional) posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    const int failed = posix_spawn(&child, "/proc/self/exe", &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    if (failed) return complain(EXIT_FAILED, "%s: %s", argv[1], strerror(failed));
    while (wait4(child, &status, 0, &used) < 0)
        if (errno != EINTR) return complain(EXIT_FAILED, "%s: %s", argv[1], strerror(errno));
    t->last_spent = clock_seconds() - begin;
    t->last_peak = (double)used.ru_maxrss / 1024;
    t->spent += t->last_spent;
    t->peak = fmax(t->peak, t->last_peak);
    t->runs++;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE && optional) return EXIT_USAGE;
    if (WIFEXITED(status)) return WEXITSTATUS(status) == 0 ? EXIT_DONE : EXIT_FAILED; /* it said why */
    return complain(EXIT_FAILED, "%s: ended by signal %d", argv[1], WTERMSIG(status));
}

int trial_run(trial *t, const trial_ask *ask, clip *out) {
    const session_opts *o = t->opts;
    char seed[24], size[32], threads[24], path[160];
    const char *argv[64] = {"sora"};
    int n = 1;
    snprintf(seed, sizeof seed, "%lld", ask->seed);
    snprintf(size, sizeof size, "%dx%d", t->j->width, t->j->height);
    snprintf(threads, sizeof threads, "%lld", o->threads);
    trial_path(t, ask->image ? "made.png" : "made", path);
    remove_folder(path);
    for (int i = 0; ask->words[i]; i++) argv[n++] = ask->words[i];
    const char *const all[][2] = {{"--prompt", ask->prompt}, {"--out", path}, {"--seed", seed}, {"--size", ask->size ? ask->size : size},
                                  {"--model", t->j->s.path}, {"--steps", ask->steps}, {"--threads", o->threads ? threads : NULL},
                                  {"--backend", o->backend}, {"--dtype", o->dtype == 0 ? "f32" : o->dtype == 1 ? "bf16" : NULL}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i][1]) {
            argv[n++] = all[i][0];
            argv[n++] = all[i][1];
        }
    for (int i = 0; i < t->passes; i++)
        if (!ask->steps || strcmp(t->passed[i][0], "--steps") != 0) {
            argv[n++] = t->passed[i][0];
            argv[n++] = t->passed[i][1];
        }
    argv[n++] = "--quiet";
    const int code = run_program(t, (char *const *)(uintptr_t)argv, ask->optional); /* exec changes no words */
    if (code != EXIT_DONE || interrupted()) return interrupted() ? complain(EXIT_FAILED, "interrupted") : code;
    return clip_read(out, path, 0, 0, 0);
}

/* ---- figures ---------------------------------------------------------------------------------------------------------------- */

void trial_add(trial *t, int f, int kind, double sum, double weight) {
    if (isnan(sum)) return;
    t->figures[f].sum[kind] += sum;
    t->figures[f].weight[kind] += weight;
}

void trial_most(trial *t, int f, int kind, double value) {
    if (t->figures[f].weight[kind] > 0 && value <= t->figures[f].sum[kind]) return;
    t->figures[f].sum[kind] = value;
    t->figures[f].weight[kind] = 1;
}

int trial_seam(trial *t, int f, int kind, const clip *c, int64_t at, const motion_step *inside) {
    motion_step step;
    if (motion_step_at(c->rgb, c->frames, c->height, c->width, at, &step) != 0) return complain(EXIT_FAILED, "no memory to follow motion");
    trial_add(t, f, kind, step.difference, inside->difference);
    trial_add(t, f + 1, kind, step.jump, inside->jump);
    return EXIT_DONE;
}

int trial_shows(trial *t, int f, int kind, const clip *c, const world_scene *scene, int attr) {
    opinion o;
    if (!t->j->classify || !world_attr_visible(scene, attr, c->frames > 1)) return EXIT_DONE;
    const int code = judge_ask(t->j, c->rgb, c->frames, c->height, c->width, &o);
    if (code == EXIT_DONE) trial_add(t, f, kind, o.best[attr] == scene->attr[attr] ? 100 : 0, 1);
    return code;
}

void trial_lay(clip *to, int64_t at, const clip *from, int64_t first, int64_t n) {
    memcpy(clip_frame(to, at), from->rgb + (size_t)first * clip_frame_bytes(from), (size_t)n * clip_frame_bytes(to));
}

int trial_round_trip(trial *t, const clip *from, clip *out) {
    int code = trial_clip(t, out, from->frames);
    if (code == EXIT_DONE) code = judge_round_trip(t->j, from->rgb, from->frames, out->rgb);
    return code;
}

int trial_exact(trial *t, const clip *truth, int64_t first, int64_t n, int64_t second, int64_t m, clip *out) {
    uint8_t *given = calloc((size_t)truth->frames, 1);
    int code = given ? trial_clip(t, out, truth->frames) : complain(EXIT_FAILED, "no memory for a clip");
    if (code == EXIT_DONE) {
        memset(given + first, 1, (size_t)n);
        memset(given + second, 1, (size_t)m);
        code = judge_exact(t->j, truth->rgb, truth->frames, given, t->steps, out->rgb);
    }
    free(given);
    return code;
}

double trial_psnr(const clip *a, int64_t at, const clip *b, int64_t bt, int64_t n) {
    const size_t size = clip_frame_bytes(a);
    return measure_psnr(measure_mse(a->rgb + (size_t)at * size, b->rgb + (size_t)bt * size, (int64_t)size * n));
}

int trial_most_apart(const uint8_t *a, const uint8_t *b, size_t bytes) {
    int most = 0;
    for (size_t i = 0; i < bytes; i++) {
        const int d = abs(a[i] - b[i]);
        most = d > most ? d : most;
    }
    return most;
}
