/* The subjects of the world, drawn with cairo.
 *
 * A figure is drawn in its own unit space: origin on the ground under the middle of the body, y UP, x right, the
 * standing figure (hat included) about 1 high. The caller has set up the transformation (flip included), depth order,
 * shadow on the ground, place in the scene and tint; the figure only draws itself, and things it holds: the food it
 * eats, the easel it paints on. Nothing of it depends on global state: the same arguments give the same picture on any
 * thread. */
#ifndef SORA_TOOLS_WORLD_FIGURE_H
#define SORA_TOOLS_WORLD_FIGURE_H

#include <cairo.h>
#include <stdint.h>

#include "tools/world/vocabulary.h"

typedef struct world_pose {
    int action;      /* WORLD_STAND ... ; PASS and RETURN are drawn as STROLL */
    double phase;    /* of the cycle, 0..1: one cycle is two steps, one jump, one wave to and fro, two dance moves */
    double progress; /* over the whole clip, 0..1: bites taken, strokes painted */
    double facing;   /* radians seen from the camera: 0 toward the camera, +pi/2 to the right of the picture, -pi/2 to
                      * the left, +-pi away; any value, so views between must look right while a figure turns */
    double lift; /* feet above the ground, in units: the CALLER has already moved the origin up by it (0 standing) */
    int emotion;
} world_pose;

typedef struct world_look {
    int subject, outfit;
    double r, g, b; /* main colour */
    uint64_t seed;  /* small personal differences: hair, freckles, spots; never anything that a caption would name */
} world_look;

/* Draws the figure. `pixels` is how many pixels one unit is high on the target: what would be smaller than about half a
 * pixel is left out, eyes and mouths are drawn a little larger in small pictures.
 * EAT: the food (a red apple, a melon, a biscuit, by seed) is in the hand and loses a bite at progress .3, .6, .9.
 * PAINT: an easel between x = .25 and .72 on the right of the picture (on the left when the figure faces left, sine of
 * facing < -.05), with a canvas on which a stroke in a strong colour grows with progress.
 * JUMP: crouch at phase 0 and 1, arms up in flight around phase .5 (lift is the caller's).
 * RUN leans and takes long steps, arms bent; STROLL is upright. One cycle of STROLL carries the feet about .4 units, of
 * RUN .7, of a hopping kangaroo .5 and .8.
 * Car: wheels turn with phase. Boat: floats with its waterline at y = 0 (what is below is not drawn), rocks with phase.
 * Fish: the body swims between y = .2 and y = .8.
 * An emotion shows in the face, in small comic marks around the head (heart, tears, steam, rays), and in STAND also in
 * the posture. */
void world_figure_draw(cairo_t *cr, const world_look *look, const world_pose *pose, double pixels);

/* Width of the side view over the height (person about .5, car about 2 ...), and how high the standing figure really
 * is in units (person 1, car .8 ...): the caller sizes the shot by them. */
double world_figure_width(int subject);
double world_figure_height(int subject);

#endif
