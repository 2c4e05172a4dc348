/*
 * The drawing kit of the figures: a small puppet stage that turns 3-D parts (ellipsoids, limbs, boxes, patches on a
 * surface) into a list of 2-D shapes, sorts them by depth and paints them with cairo in two-tone cartoon shading.
 *
 * Space: view space, x to the right, y up, z toward the viewer; lengths in standing heights of the figure. A frame
 * holds an origin and the three axes of a body part: s to the figure's own left, y up, d forward.
 * Everything is emitted into one kit, painted once by fk_paint. No allocation, no globals, no state between calls.
 * A kit that is full drops further shapes (the limits are far above what any figure uses).
 */
#ifndef TOOLS_WORLD_FIGURE_KIT_H
#define TOOLS_WORLD_FIGURE_KIT_H

#include <cairo.h>
#include <stdint.h>

#define FK_PI         3.14159265358979323846
#define FK_MAX_ITEMS  200
#define FK_MAX_POINTS 2600

typedef struct fk_vec {
    double x, y, z;
} fk_vec;

typedef struct fk_tone {
    double r, g, b;
} fk_tone;

typedef struct fk_frame {
    fk_vec o, s, y, d;
} fk_frame;

/* How a shape is painted: flags, or'ed. */
enum {
    FK_FLAT = 0,  /* one colour */
    FK_LINE = 1,  /* soft dark outline around it */
    FK_SHADE = 2, /* base and shadow side */
    FK_GLOSS = 4, /* a highlight as well */
    FK_CEL = FK_LINE | FK_SHADE,
    FK_SHINY = FK_LINE | FK_SHADE | FK_GLOSS
};

typedef struct fk_point {
    double x, y, r;
} fk_point;

typedef struct fk_item {
    double z;
    int kind, flags, first, count;
    double width;     /* line width, corner radius */
    double a, b, rot; /* semi-axes and angle of an ellipse */
    fk_tone tone;
} fk_item;

typedef struct fk_kit {
    double line;   /* outline width */
    double pixels; /* of one unit on the target: shapes of few pixels are painted in one tone */
    int items, points;
    fk_item item[FK_MAX_ITEMS];
    fk_point point[FK_MAX_POINTS];
} fk_kit;

/* An ellipsoid that was drawn, for patches on its surface. */
typedef struct fk_ball {
    fk_vec c, s, y, d; /* centre, axes times their radii */
    double vs, vy, vd; /* direction of the viewer in the ball's own unit space */
    double z;
} fk_ball;

/* Vectors, tones, frames. */
fk_vec fk_add(fk_vec a, fk_vec b);
fk_vec fk_sub(fk_vec a, fk_vec b);
fk_vec fk_mul(fk_vec a, double k);
fk_vec fk_mix(fk_vec a, fk_vec b, double t);
double fk_len(fk_vec a);
double fk_clamp(double x, double lo, double hi);
double fk_smooth(double lo, double hi, double x); /* 0 below lo, 1 above hi, smooth between */
fk_tone fk_rgb(double r, double g, double b);
fk_tone fk_hex(uint32_t rgb);
fk_tone fk_blend(fk_tone a, fk_tone b, double t);
fk_tone fk_darker(fk_tone a, double k); /* k in 0..1 of the way to the shadow tone and past it */
double fk_luma(fk_tone a);
double fk_random(uint64_t seed, unsigned n); /* 0..1, the n-th number of a seed */

fk_frame fk_root(double facing, double tilt); /* figure at the origin, seen from slightly above */
fk_frame fk_move(fk_frame f, double s, double y, double d);
fk_frame fk_pitch(fk_frame f, double angle); /* positive leans forward */
fk_frame fk_yaw(fk_frame f, double angle);   /* positive turns to the figure's own left */
fk_frame fk_roll(fk_frame f, double angle);  /* positive leans to the figure's own left */
fk_frame fk_scale(fk_frame f, double s, double y, double d);
fk_vec fk_at(const fk_frame *f, double s, double y, double d);
fk_vec fk_dir(const fk_frame *f, double s, double y, double d);

/* The middle joint of two bones of lengths l1, l2 from a to *b that bends toward pole; pulls *b into reach. */
fk_vec fk_bend(fk_vec a, fk_vec *b, double l1, double l2, fk_vec pole);

/* Shapes. bias moves a shape toward the viewer in the painting order. */
void fk_begin(fk_kit *k, double pixels);
fk_ball fk_ellipsoid(fk_kit *k, const fk_frame *f, double s, double y, double d, double rs, double ry, double rd,
                     fk_tone tone, int flags, double bias);
fk_ball fk_sphere(fk_kit *k, fk_vec c, double r, fk_tone tone, int flags, double bias);
/* A limb: capsules from point to point, with a radius at each. */
void fk_limb(fk_kit *k, const fk_vec *p, const double *r, int n, fk_tone tone, int flags, double bias);
/* A smooth body along a spine with a half-width at each point and round ends; z from the middle of the spine. */
void fk_spine(fk_kit *k, const fk_vec *p, const double *r, int n, fk_tone tone, int flags, double bias);
/* A lathe in frame f: rings of half-widths rs, rd at heights y; open_end draws a flat, elliptic bottom (skirts). */
typedef struct fk_ring {
    double y, rs, rd, d; /* d: the ring's centre moved forward */
} fk_ring;
void fk_lathe(fk_kit *k, const fk_frame *f, const fk_ring *ring, int n, int skirt, fk_tone tone, int flags,
              double bias);
void fk_polygon(fk_kit *k, const fk_vec *p, int n, double corner, fk_tone tone, int flags, double z);
void fk_curve(fk_kit *k, const fk_vec *p, int n, fk_tone tone, int flags, double z); /* smooth closed */
void fk_stroke(fk_kit *k, const fk_vec *p, int n, double width, fk_tone tone, int flags, double z);
/* Convex hull of projected points, corners rounded. */
void fk_hull(fk_kit *k, const fk_vec *p, int n, double corner, fk_tone tone, int flags, double z);
/* A box with half sizes, faces toward the viewer in tones by their light. z is of its centre plus bias. */
double fk_box(fk_kit *k, const fk_frame *f, double hs, double hy, double hd, double corner, fk_tone tone, double bias);

/* Patches on a ball: azimuth (toward the figure's left) and elevation of the centre, sizes in radians. */
void fk_patch(fk_kit *k, const fk_ball *b, double az, double el, double ra, double re, double rot, fk_tone tone,
              int flags);
void fk_patch_shape(fk_kit *k, const fk_ball *b, double az, double el, const double (*p)[2], int n, int smooth,
                    fk_tone tone, int flags);
void fk_patch_line(fk_kit *k, const fk_ball *b, double az, double el, const double (*p)[2], int n, double width,
                   fk_tone tone);
/* A ring around the forward axis between two angles from it. */
void fk_band(fk_kit *k, const fk_ball *b, double from, double to, fk_tone tone);
fk_vec fk_on_ball(const fk_ball *b, double az, double el, double out); /* out: 1 is on the surface */
double fk_facing_of(const fk_ball *b, double az, double el);           /* 1 toward the viewer, < 0 hidden */

void fk_paint(fk_kit *k, cairo_t *cr);

#endif
