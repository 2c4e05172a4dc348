/* A small platform game: the player follows a policy (run on; jump when something is in the way; the coins lie on that
 * path) and the picture is what the game would show: blocks, pits, slimes, coins that are gone once taken, and the
 * score. */
#include <math.h>

#include "tools/world/internal.h"

#define GAP  2.5 /* distance between obstacles */
#define LEAP 1.9 /* length of a jump */
#define RISE .62 /* height of a jump */
#define CELL .5  /* side of a block */

enum { BLOCK, PIT, SLIME };

static double obstacle_x(const world_frame *f, int k) {
    return GAP * k + world_range(world_hash(f->scene->seed, 801), (uint64_t)(k + 100000), -.22, .22) + GAP * .5;
}

static int obstacle_kind(const world_frame *f, int k) {
    return (int)(world_hash(world_hash(f->scene->seed, 802), (uint64_t)(k + 100000)) % 3);
}

/* Coins of stretch k: one over the obstacle, two on the way to the next. */
static void coin_place(const world_frame *f, int k, int i, double *x, double *y) {
    double a = obstacle_x(f, k), b = obstacle_x(f, k + 1);
    *x = i == 0 ? a : a + (b - a) * (i == 1 ? .43 : .57);
    *y = i == 0 ? RISE + .45 : .45;
}

/* The level is built to the right; played to the left it is mirrored. */
static double along(const world_frame *f, double x) { return f->direction == WORLD_LEFT ? -x : x; }

void world_game_play(world_frame *f, world_actor *a) {
    double speed = 1.7 * f->scene->speed, x = speed * f->time;
    int k = (int)floor(x / GAP - .5);
    a->x = along(f, x);
    a->y = 0;
    a->pose.action = WORLD_RUN;
    for (int i = k - 1; i <= k + 2; i++) {
        double d = x - obstacle_x(f, i), u = d / LEAP + .5;
        if (u > 0 && u < 1) {
            a->y = RISE * 4 * u * (1 - u);
            a->pose.action = world_action_allowed(a->look.subject, WORLD_JUMP) ? WORLD_JUMP : WORLD_RUN;
            a->pose.phase = .2 + .6 * u;
        }
    }
    a->pose.lift = a->y;
    a->pose.facing = along(f, WORLD_PI / 2);
}

static void at(world_frame *f, double x, double y) {
    double sx, sy, d;
    world_project(f, along(f, x), y, 0, &sx, &sy, &d);
    cairo_save(f->cr);
    cairo_translate(f->cr, sx, sy);
    cairo_scale(f->cr, f->focal / d, -f->focal / d);
}

static void block(world_frame *f, double x, double y, bool brick) {
    at(f, x, y);
    if (brick) {
        world_ink(f, .78, .42, .20);
        world_box(f, 0, 0, CELL, CELL);
        world_ink(f, .96, .66, .34);
        world_box(f, 0, CELL * .86, CELL, CELL * .14);
        world_ink(f, .46, .22, .12);
        world_box(f, 0, CELL * .42, CELL, CELL * .06);
        world_box(f, CELL * .46, CELL * .48, CELL * .07, CELL * .38);
        world_box(f, CELL * .20, 0, CELL * .07, CELL * .42);
        world_box(f, CELL * .70, 0, CELL * .07, CELL * .42);
    } else {
        world_rgb g = f->palette.ground_near;
        world_ink_c(f, world_mix(g, (world_rgb){.25, .15, .12}, .55));
        world_box(f, -.004, 0, CELL + .008, CELL);
        world_ink_c(f, world_mix(g, (world_rgb){.2, .1, .1}, .3));
        world_box(f, CELL * .15, CELL * .2, CELL * .25, CELL * .18);
        world_box(f, CELL * .6, CELL * .5, CELL * .25, CELL * .18);
    }
    cairo_restore(f->cr);
}

static void turf(world_frame *f, double x) {
    at(f, x, -CELL);
    world_ink_c(f, world_mix(f->palette.ground_far, f->palette.leaf, .35));
    world_box(f, -.004, CELL * .72, CELL + .008, CELL * .28);
    cairo_restore(f->cr);
}

static void slime(world_frame *f, double x) {
    double squash = .06 * sin(f->time * 7);
    at(f, x, 0);
    world_ink(f, .45, .85, .25);
    cairo_save(f->cr);
    cairo_scale(f->cr, .28 + squash, .34 - squash);
    cairo_arc(f->cr, 0, 0, 1, 0, WORLD_PI);
    cairo_close_path(f->cr);
    cairo_restore(f->cr);
    cairo_fill(f->cr);
    world_ink(f, .05, .15, .05);
    world_oval(f, -.09, .16, .035, .05);
    world_oval(f, .09, .16, .035, .05);
    cairo_restore(f->cr);
}

static void coin(world_frame *f, double x, double y) {
    double turn = fabs(cos(f->time * 4 + x));
    at(f, x, y);
    world_shine(f, .85, .55, .08, 1);
    world_oval(f, 0, 0, .03 + .10 * turn, .13);
    world_shine(f, 1, .86, .25, 1);
    world_oval(f, 0, 0, .02 + .07 * turn, .10);
    cairo_restore(f->cr);
}

static void score(world_frame *f, int coins) {
    double s = f->height * .035, y = s * 1.7;
    for (int i = 0; i < 3; i++) { /* lives */
        double x = s * (1.6 + 2.4 * i);
        cairo_set_source_rgb(f->cr, .93, .15, .22);
        world_oval(f, x - s * .42, y - s * .2, s * .5, s * .5);
        world_oval(f, x + s * .42, y - s * .2, s * .5, s * .5);
        double xy[6] = {x - s * .88, y, x + s * .88, y, x, y + s};
        world_poly(f, 3, xy);
    }
    for (int i = 0; i < coins && i < 10; i++) {
        cairo_set_source_rgb(f->cr, .85, .55, .08);
        world_oval(f, f->width - s * (1.4 + 1.3 * i), y, s * .72, s * .8);
        cairo_set_source_rgb(f->cr, 1, .86, .25);
        world_oval(f, f->width - s * (1.4 + 1.3 * i), y, s * .5, s * .58);
    }
}

/* Everything of the game but its sky and its player; `front` is what the score shows over it all. */
void world_game(world_frame *f, bool front) {
    double me = along(f, f->actor[0].x), half = .5 * f->width / f->share / f->height + 1;
    int first = (int)floor((me - half) / GAP) - 1, last = (int)ceil((me + half) / GAP) + 1, taken = 0;
    double start = 0;
    f->hazed = 0;
    if (front) {
        for (int k = -1; k <= last; k++)
            for (int i = 0; i < 3; i++) {
                double x, y;
                coin_place(f, k, i, &x, &y);
                taken += x > start && x < me;
            }
        score(f, taken);
        return;
    }
    int c0 = (int)floor((me - half) / CELL), c1 = (int)ceil((me + half) / CELL);
    for (int c = c0; c <= c1; c++) {
        bool pit = false;
        for (int k = first; k <= last; k++)
            pit = pit || (obstacle_kind(f, k) == PIT && fabs((c + .5) * CELL - obstacle_x(f, k)) < CELL * .75);
        if (pit) {
            at(f, c * CELL, -3);
            world_ink(f, .06, .05, .10);
            world_box(f, -.004, 0, CELL + .008, 3 - CELL * .2);
            cairo_restore(f->cr);
            continue;
        }
        for (int r = 1; r <= 3; r++) block(f, c * CELL, -CELL * r, false);
        turf(f, c * CELL);
    }
    for (int k = first; k <= last; k++) {
        double x = obstacle_x(f, k);
        if (obstacle_kind(f, k) == BLOCK)
            block(f, x - CELL / 2, 0, true);
        else if (obstacle_kind(f, k) == SLIME)
            slime(f, x);
        for (int i = 0; i < 3; i++) {
            double cx, cy;
            coin_place(f, k, i, &cx, &cy);
            if (cx > me || cx < start) coin(f, cx, cy);
        }
    }
}
