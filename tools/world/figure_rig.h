/*
 * What figures share: the skeleton of two-legged figures posed for an action, faces that show an emotion, and the
 * things a figure holds or wears. All lengths in standing heights. See figure_kit.h for spaces and the painting order.
 */
#ifndef TOOLS_WORLD_FIGURE_RIG_H
#define TOOLS_WORLD_FIGURE_RIG_H

#include "tools/world/figure.h"
#include "tools/world/figure_kit.h"

#define FK_TILT 0.15 /* figures are seen from slightly above */

/* One figure being drawn. */
typedef struct fig {
    fk_kit *kit;
    const world_look *look;
    const world_pose *pose;
    fk_tone main; /* the main colour */
    double pixels;
    int fine; /* large enough for small details */
} fig;

/* Proportions of a two-legged figure. */
typedef struct rig_shape {
    double hip, hip_w;        /* height of the hips, half distance between the legs */
    double torso, shoulder_w; /* hips to shoulders, half distance between the arms */
    double arm;               /* length of one arm bone */
    double neck;              /* shoulders to the middle of the head */
    double stride, lift;      /* half a step, height of the foot in it */
    double lean;              /* forward lean of the body at rest, radians */
    double splay;             /* feet turned outward, radians */
    int hop;                  /* both legs together */
} rig_shape;

typedef struct rig {
    fk_frame root, chest, head, foot[2]; /* chest: origin between the hips; head: origin in the middle of the head */
    fk_vec hip[2], knee[2], ankle[2], shoulder[2], elbow[2], hand[2]; /* [0] is the figure's own left */
    double chew;                                                      /* 0..1, mouth open for a bite */
    int busy;                                                         /* the hand that waves, eats, paints; -1 none */
    int blink;
} rig;

void rig_biped(rig *r, const fig *f, const rig_shape *shape);
/* Whatever turned the body: the head looks a little toward the viewer, so that its face can be read in side views. */
fk_frame rig_look(fk_frame head, double facing, const world_pose *pose);
int rig_near_hand(double facing); /* the hand on the viewer's side; the right one from the front */
double rig_bite(double progress); /* 0..1, how near the food is to the mouth */

/* A face on a ball. Eyes at (+-eye_az, eye_el), the mouth on its own ball (the muzzle) or the same. */
typedef struct face_style {
    const fk_ball *ball, *muzzle;
    double eye_az, eye_el, eye; /* angles and radius in radians */
    double mouth_el, mouth;     /* elevation, half-width in radians, on the muzzle */
    double brow;                /* line width of the brows, 0 none */
    fk_tone skin, brow_tone, iris;
    int white; /* eyes with a white; else dark shiny eyes */
    int blush, lashes, teeth;
    int coat_muzzle; /* the muzzle has the colour of the face */
} face_style;

void face_draw(const fig *f, const rig *r, const face_style *style);
/* Marks around a head of this half-width that reaches this high over its middle, hat and ears included. */
void face_marks(const fig *f, const fk_frame *head, double wide, double high);

/* Walls of a lathe, for belts, bibs and buttons. */
typedef struct fk_drum {
    fk_frame f;
    const fk_ring *ring;
    int n;
    double z, view; /* painting depth; azimuth of the viewer in the frame */
} fk_drum;

fk_drum drum_draw(const fig *f, const fk_frame *at, const fk_ring *ring, int n, int skirt, fk_tone tone, double bias);
fk_vec drum_at(const fk_drum *d, double az, double y, double out);
double drum_facing(const fk_drum *d, double az);
/* A patch between azimuths and heights; wraps at the outline, nothing when it is all behind. */
void drum_patch(const fig *f, const fk_drum *d, double az0, double az1, double y0, double y1, fk_tone tone, int flags);
/* A round patch; az, ra in radians. */
void drum_oval(const fig *f, const fk_drum *d, double az, double ra, double y0, double y1, fk_tone tone);
void drum_spot(const fig *f, const fk_drum *d, double az, double y, double r, fk_tone tone);

/* Held and worn things. */
void prop_food(const fig *f, fk_vec hand, double size);
void prop_easel(const fig *f, fk_vec hand, double reach_z);
fk_vec prop_brush_tip(const fig *f); /* where the stroke is growing, in view space */
double prop_side(double facing);     /* +1: the easel stands to the right of the picture, -1 to the left */
void wear_beret(const fig *f, const fk_frame *head, double r, double y, double bias);
void wear_sun_hat(const fig *f, const fk_frame *head, double r, double y, double bias);
void wear_wool_hat(const fig *f, const fk_frame *head, double r, double y, double bias);
void wear_scarf(const fig *f, const fk_frame *neck, double r, double y, double drop, double bias);
fk_tone wear_beret_tone(const fig *f);

/* Draws one limb darker when it is on the far side of the body. */
fk_tone rig_far(fk_tone t, double z, double body_z);

/* The kinds of subjects, each emits its shapes into the kit. */
void figure_person(const fig *f);
void figure_robot(const fig *f);
void figure_monster(const fig *f);
void figure_four_legs(const fig *f); /* cat, tiger, Shiba Inu */
void figure_kangaroo(const fig *f);
void figure_dinosaur(const fig *f);
void figure_car(const fig *f);
void figure_boat(const fig *f);
void figure_fish(const fig *f);

#endif
