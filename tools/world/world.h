/* The world: a deterministic renderer of captioned clips.
 *
 * A scene is plain data made from a seed. It can be rendered at any size, aspect ratio, duration and frame rate,
 * described by a caption (short or long, with synonyms drawn from a seed) and as JSON. All functions are pure: no
 * globals, no locale, safe from any thread, and the same arguments always give the same bytes.
 *
 * How a trainer uses it:
 *     world_limits lim; world_limits_default(&lim);            full breadth, training split; narrow it for a curriculum
 *     world_scene s;    world_scene_make(&s, seed, &lim);
 *     for each frame i: world_render(&s, w, h, i / fps, frames / fps, rgb);
 *     world_caption(&s, caption_seed, WORLD_SHORT, text, sizeof text);
 *     world_scene wrong = s; world_scene_set(&wrong, WORLD_COLOUR, other);  and the same caption_seed: a caption with
 * one wrong word (caption-swap test). */
#ifndef SORA_TOOLS_WORLD_WORLD_H
#define SORA_TOOLS_WORLD_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/world/vocabulary.h"

enum { WORLD_TRAIN, WORLD_HELDOUT, WORLD_ANY }; /* world_limits.split */

/* Caption styles; WORLD_IMAGE may be or-ed in when only one frame is shown: then nothing is said that needs motion. */
enum { WORLD_SHORT = 0, WORLD_LONG = 1, WORLD_IMAGE = 16 };

typedef struct world_scene {
    uint64_t seed;
    uint64_t decor;         /* seed of the scenery: furniture, clouds */
    int attr[WORLD_ATTRS];  /* one value per attribute */
    double height;          /* of the first subject, share of the frame's height */
    double offset;          /* where it stands or passes, -1..1 of the free half width */
    double speed;           /* 1 = usual tempo */
    double eye;             /* height of the camera above the ground, in heights of a person */
    double sun;             /* -1..1, side from which the light comes */
    double cut;             /* share of the clip at which the second shot begins, if there is one */
    int place2, condition2; /* of the second shot */
    bool image; /* made for one frame: world_render shows a good moment whatever the time, captions are as with
                   WORLD_IMAGE */
} world_scene;

typedef struct world_limits {
    uint32_t allow[WORLD_ATTRS];   /* bit v: value v may be drawn. At least one bit of each must be set */
    double height_min, height_max; /* of the first subject, share of the frame's height; default .5 to .8 */
    double offset_max;             /* 0: always in the middle; default .6 */
    int max_subjects;              /* 1 or 2 */
    int split;                     /* WORLD_TRAIN, WORLD_HELDOUT or WORLD_ANY */
    double second_prob;            /* a second subject, where allowed */
    double cut_prob;               /* a clip of two shots */
    double game_prob;              /* a video game */
    double emotion_prob;           /* a face that shows something */
    double style_prob;             /* another style than flat colour */
    double move_prob;              /* another camera than a still one */
    double vary; /* 0: furniture, light and height of the camera are always the same; 1: free. For binding tests */
    bool image; /* scenes for images: only what one frame can show (nobody hidden, no cut, a still camera); set
                 * it whenever a clip has one frame */
} world_limits;

/* Full breadth, training split. */
void world_limits_default(world_limits *limits);

/* Allows exactly one value of an attribute. */
void world_limits_only(world_limits *limits, int attr, int value);

/* Makes a scene. Returns 0, or -1 if nothing that the limits allow was found in many tries (then *scene is zeroed). */
int world_scene_make(world_scene *scene, uint64_t seed, const world_limits *limits);

/* Applies "subject=toy robot,colour=red,place=beach" to a scene from this seed; attributes not named are still-camera,
 * flat-colour, alone defaults. Values may be written as in captions or as numbers. Returns 0, -1 for an unknown word
 * or an impossible combination (message says which; message may be NULL). */
int world_scene_parse(world_scene *scene, uint64_t seed, const char *spec, char *message, size_t capacity);

/* Sets one value without asking whether it fits: for wrong captions, not for rendering. */
void world_scene_set(world_scene *scene, int attr, int value);

/* Whether all the values can stand together (a boat in the desert cannot). */
bool world_scene_valid(const world_scene *scene);

/* Whether the combination belongs to the held-out tenth. Two hashes decide: one triple (subject, colour, place) in 25
 * is held out whatever else happens in it, and one in 16 of the full combinations of subject, outfit, colour, place,
 * action and style. Every value and nearly every pair of values is in training; the combination never. Colour counts
 * only where it shows. Scenes made for the held-out split also have seeds of their own, never drawn for training. */
bool world_scene_heldout(const world_scene *scene);

/* Whether an attribute can be seen in the clip (moving: more than one frame), and so may be asked of a probe, counted
 * in a table and named in a caption. Colour cannot in charcoal, direction not in a dance, a camera move not in an
 * image. */
bool world_attr_visible(const world_scene *scene, int attr, bool moving);

/* Renders the frame at t of a clip of this duration (seconds) to width*height*3 bytes RGB, top row first.
 * Sides 16..4096. Returns 0, -1 for bad arguments or no memory. */
int world_render(const world_scene *scene, int width, int height, double t, double duration, uint8_t *rgb);

/* Where the first subject is in that frame: x0 y0 x1 y1 in 0..1 of the picture (may reach outside). False: not in view.
 */
bool world_bounds(const world_scene *scene, int width, int height, double t, double duration, double box[4]);

/* Writes a caption, always terminated; returns its length (as snprintf: what it would need). */
size_t world_caption(const world_scene *scene, uint64_t seed, int style, char *buffer, size_t capacity);

/* The whole description as one JSON object; returns its length as above. */
size_t world_json(const world_scene *scene, char *buffer, size_t capacity);

#endif
