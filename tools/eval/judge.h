/* What all measurements of a model share: the model and its probe, renders of known scenes, and what the autoencoder makes of them. Functions that
 * return int print a line and return an exit code on failure. */
#ifndef SORA_TOOLS_EVAL_JUDGE_H
#define SORA_TOOLS_EVAL_JUDGE_H

#include <stdint.h>

#include <sora/sora.h>

#include "tools/session.h"
#include "tools/world/world.h"

#define JUDGE_SEED     UINT64_C(0x5eed00000000) /* of the scenes: far from any that training draws */
#define JUDGE_CAPTION  1024
#define JUDGE_VALUES   16   /* of an attribute, at most */
#define JUDGE_FEATURES 2048 /* of the probe, at most */

typedef struct judge {
    session s, other;        /* the model; another one whose probe judges */
    sora_pipeline *classify; /* of the probe: NULL when there is none */
    const char *classifier;  /* its path */
    sora_model_desc model;
    world_limits limits;     /* held-out combinations */
    int width, height;
    int64_t frames;
    double fps;
    long long seed;
} judge;

/* What the probe says of a clip. */
typedef struct opinion {
    int best[WORLD_ATTRS];
    double logp[WORLD_ATTRS][JUDGE_VALUES];
    double features[JUDGE_FEATURES];
    int dim;
} opinion;

/* Opens the model; probe (may be NULL): a model whose probe judges in place of its own. limits are set by the caller before; width, height and
 * frames of 0 become the model's own, unless that is large. judge_close in any case. */
int judge_open(judge *j, const session_opts *opts, const char *probe);
void judge_close(judge *j);

/* Only with a probe. rgb [frames, height, width, 3]. */
int judge_ask(judge *j, const uint8_t *rgb, int64_t frames, int height, int width, opinion *out);

/* Frames first..first + n - 1 of a scene that is `total` frames long. */
int judge_render(const judge *j, const world_scene *scene, int64_t total, int64_t first, int64_t n, uint8_t *rgb);

/* Encodes and decodes frames of any number (the last one is repeated up to what the autoencoder takes). to may be from. */
int judge_round_trip(judge *j, const uint8_t *from, int64_t frames, uint8_t *to);

/* What the pipeline makes of the true answer: its latent goes through the autoencoder, frames that `given` [frames] names are given. steps: those of the
 * pipeline, which is left with them. */
int judge_exact(judge *j, const uint8_t *truth, int64_t frames, const uint8_t *given, long long steps, uint8_t *to);

/* Runs the model's pipeline, as its parameters and conditions stand, and reads the frames. */
int judge_make(judge *j, const char *prompt, long long seed, int64_t frames, uint8_t *to);

#endif
