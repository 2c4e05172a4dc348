/* The dressed body of a figure on two legs: legs, torso, arms and what it wears; the subject adds its head and tail. */
#ifndef TOOLS_WORLD_FIGURE_BODY_H
#define TOOLS_WORLD_FIGURE_BODY_H

#include "tools/world/figure_rig.h"

typedef struct body_style {
    double girth;                /* of the torso; 1 is a person */
    double belly;                /* the belly stands out by this much */
    double leg, arm, hand, foot; /* radii of limbs, hand; length factor of the foot */
    fk_tone skin, hand_tone, foot_tone, belly_tone;
    int bare_belly; /* a lighter belly when nothing covers it */
    int stripes;    /* of a tiger, in stripe_tone */
    fk_tone stripe_tone;
} body_style;

void body_draw(const fig *f, const rig *r, const rig_shape *shape, const body_style *style);
/* The hat that belongs to the outfit, if any. r: radius of the head, y: height at which hats sit above its middle. */
void body_hat(const fig *f, const rig *r, double radius, double y);

#endif
