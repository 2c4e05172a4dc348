/* What the rows of `sora eval --operations` share. A row runs commands of this very program, as a user would, on clips whose answer is known, and adds to
 * its figures: what was made, and beside it the same measure of what a model without error would make (the true answer through the
 * autoencoder, given frames as they are). A figure that falls short there too is not the model's fault. Functions that return int print a line and
 * return an exit code on failure. */
#ifndef SORA_TOOLS_EVAL_TRIAL_H
#define SORA_TOOLS_EVAL_TRIAL_H

#include "tools/eval/judge.h"
#include "tools/eval/motion.h"
#include "tools/operations/clip.h"
#include "tools/progress.h"
#include "tools/sheet.h"

#define TRIAL_FIGURES 12 /* of a row, at most */

enum { MADE, EXACT };

typedef struct figure_def {
    const char *name, *unit;
    int sense;  /* 1: the aim is the least, -1: the most, 0: there is no aim */
    double aim;
    int probe;  /* needs one */
} figure_def;

typedef struct figure {
    double sum[2], weight[2]; /* of MADE and EXACT: the value is sum / weight */
} figure;

typedef struct trial trial;
typedef struct trial_row {
    const char *name;
    int (*run)(trial *t, long long clip);
    long long clips; /* this many; 0: as many as asked for */
    long long most;  /* of those that are asked for; 0: all */
    int work;       /* of a clip, in generations of the model's own size: for the progress bar */
    figure_def figures[TRIAL_FIGURES];
} trial_row;

/* Ended by a NULL name. */
extern const trial_row trial_rows_clips[], trial_rows_sizes[];

struct trial {
    judge *j;
    const session_opts *opts;
    char folder[64]; /* for what goes in and out of commands */
    int steps;       /* of the sampler */
    char passed[PARAM_MAX][2][512]; /* options for every command, and their values */
    int passes;
    double seconds;  /* of the long video */
    const trial_row *row;
    figure figures[TRIAL_FIGURES];
    char names[TRIAL_FIGURES][96]; /* when the row's own are not enough; "": those */
    const char *absent;            /* why the row has no figures */
    long long runs;                /* commands of this row */
    double spent, peak;            /* their seconds, and MiB of the largest */
    double last_spent, last_peak;  /* of the last command */
    sheet *sheet;
    progress bar;
    double done, total;
};

void trial_pass(trial *t, const param_options *params); /* what was set goes to every command */
void trial_clean(trial *t);                             /* takes the folder away */
/* A clip of the model's size. */
int trial_clip(const trial *t, clip *c, int64_t frames);
/* The scene of clip i and its caption; `attempt` gives others in its place. */
int trial_scene(trial *t, long long i, int attempt, world_scene *scene, char caption[JUDGE_CAPTION]);
void trial_path(const trial *t, const char *name, char path[160]);
int trial_put(trial *t, const clip *c, const char *name, char path[160]);

/* Runs `sora` with these words (up to NULL), prompt and seed, at the size of the model (size NULL) or another, and reads what it made. An unknown option is EXIT_USAGE
 * without a line when optional is set. */
typedef struct trial_ask {
    const char *prompt, *size, *steps; /* NULL: as for all */
    long long seed;
    int optional, image;
    const char *words[16];
} trial_ask;
int trial_run(trial *t, const trial_ask *ask, clip *out);

void trial_add(trial *t, int f, int kind, double sum, double weight);
/* The largest so far. */
void trial_most(trial *t, int f, int kind, double value);
/* Two figures, of the step to frame `at`, against the steps inside a real clip. */
int trial_seam(trial *t, int f, int kind, const clip *c, int64_t at, const motion_step *inside);
/* Asks the probe, where there is one, whether an attribute shows: adds 1 or 0. */
int trial_shows(trial *t, int f, int kind, const clip *c, const world_scene *scene, int attr);
/* Frames from..from + n - 1 of `from` laid over those at `at`. */
void trial_lay(clip *to, int64_t at, const clip *from, int64_t first, int64_t n);
/* A copy that went through the autoencoder. */
int trial_round_trip(trial *t, const clip *from, clip *out);
/* The true answer as a model without error would have made it, with `n` frames from `first` on given, and `m` from `second`. */
int trial_exact(trial *t, const clip *truth, int64_t first, int64_t n, int64_t second, int64_t m, clip *out);
double trial_psnr(const clip *a, int64_t at, const clip *b, int64_t bt, int64_t n);
int trial_most_apart(const uint8_t *a, const uint8_t *b, size_t bytes); /* the largest difference of two bytes */

#endif
