/* The ground: a plane to the horizon, with roads, water's edge, tiles, ripples and patches drawn in perspective. */
#include <math.h>

#include "tools/world/internal.h"

/* A flat oval lying on the ground. */
static void patch(world_frame *f, double x, double z, double rx, double rz) {
    double sx, sy, d;
    if (!world_project(f, x, 0, z, &sx, &sy, &d) || d < .6) return;
    double s = f->focal / d;
    if (sx + rx * s < 0 || sx - rx * s > f->width || sy > f->height * 1.2) return;
    world_oval(f, sx, sy, rx * s, fmax(.4, rz * s * f->cy / d));
}

static void patches(world_frame *f, uint64_t label, int n, double zmin, double zmax, double size, double flat) {
    uint64_t seed = world_hash(f->seed, label);
    double span = 7;
    for (int i = 0; i < n; i++) {
        uint64_t k = (uint64_t)(4 * i);
        double x = world_range(seed, k, -span, span);
        x += 2 * span * floor((f->cx - x) / (2 * span) + .5); /* repeats, so that a tracking shot never runs out */
        double r = size * world_range(seed, k + 1, .5, 1.3), u = world_unit(seed, k + 2);
        patch(f, x, zmin + (zmax - zmin) * u * u, r, r * flat);
    }
}

static void water(world_frame *f, double z0, double z1, double r, double g, double b) {
    world_ink(f, r, g, b);
    world_strip(f, z0, z1);
}

static void ripples(world_frame *f, double zmin, double zmax, int n) {
    uint64_t seed = world_hash(f->seed, 450);
    double span = 6;
    for (int i = 0; i < n; i++) {
        uint64_t k = (uint64_t)(3 * i);
        double x = world_range(seed, k, -span, span) + .12 * sin(f->time * 1.4 + i);
        x += 2 * span * floor((f->cx - x) / (2 * span) + .5);
        double u = world_unit(seed, k + 1), z = zmin + (zmax - zmin) * u * u;
        double r = world_range(seed, k + 2, .12, .45);
        world_shine(f, 1, 1, 1, f->palette.dark > .5 ? .16 : .34);
        patch(f, x, z, r, .035);
    }
}

static void road(world_frame *f, double z0, double z1, world_rgb c, bool line) {
    world_ink_c(f, c);
    world_strip(f, z0, z1);
    world_rgb pale = world_mix(c, (world_rgb){1, 1, .95}, .55);
    world_ink_c(f, pale);
    world_strip(f, z1, z1 + .10);
    if (!line) return;
    double z = .5 * (z0 + z1) + .3;
    world_ink(f, 1, .98, .85);
    int first = (int)floor(f->cx - 7), last = first + 14;
    for (int i = first; i <= last; i++) {
        double xz[8] = {i * 1.0, z - .05, i + .5, z - .05, i + .5, z + .05, i * 1.0, z + .05};
        world_ground_poly(f, 4, xz);
    }
}

static void neon_grid(world_frame *f) {
    int first = (int)floor(f->cx - 8);
    for (int i = first; i <= first + 16; i++) {
        world_shine(f, .95, .2, .8, .6);
        double xz[8] = {i - .022, -3, i + .022, -3, i + .022, 7, i - .022, 7};
        world_ground_poly(f, 4, xz);
    }
    for (int j = -2; j < 7; j++) {
        world_shine(f, .15, .85, 1, .5);
        world_strip(f, j - .025, j + .025);
    }
}

static void tiles(world_frame *f) {
    int first = (int)floor(f->cx - 6);
    world_ink(f, .62, .46, .36);
    for (int j = -3; j < 7; j++)
        for (int i = first; i <= first + 12; i++) {
            if ((i + j) & 1) continue;
            double xz[8] = {i * .9, j * .9, (i + 1) * .9, j * .9, (i + 1) * .9, (j + 1) * .9, i * .9, (j + 1) * .9};
            world_ground_poly(f, 4, xz);
        }
    world_ink(f, .70, .10, .14); /* the carpet */
    world_strip(f, -.55, .75);
    world_ink(f, .92, .74, .28);
    world_strip(f, -.62, -.55);
    world_strip(f, .75, .82);
}

static void wall_of_hall(world_frame *f) {
    double z = 6.2, x0 = f->cx - 30, x1 = f->cx + 30, sx, sy, d, sx1, sy1, d1;
    if (!world_project(f, x0, 0, z, &sx, &sy, &d) || !world_project(f, x1, 0, z, &sx1, &sy1, &d1)) return;
    double left = f->yaw == 0 ? sy : sy, right = sy1; /* base of the wall at the ends */
    (void)right;
    (void)left;
    world_ink(f, .66, .28, .22);
    double dado[8] = {sx, sy, sx1, sy1, sx1, sy1 - f->focal * .35 / d1, sx, sy - f->focal * .35 / d};
    world_poly(f, 4, dado);
    world_ink(f, .90, .72, .34);
    double rail[8] = {sx,  sy - f->focal * .35 / d,   sx1, sy1 - f->focal * .35 / d1,
                      sx1, sy1 - f->focal * .42 / d1, sx,  sy - f->focal * .42 / d};
    world_poly(f, 4, rail);
}

void world_ground(world_frame *f) {
    const world_palette *p = &f->palette;
    double top = f->py;
    world_rgb lit_far = {p->ground_far.r * p->light.r, p->ground_far.g * p->light.g, p->ground_far.b * p->light.b};
    world_rgb lit_near = {p->ground_near.r * p->light.r, p->ground_near.g * p->light.g, p->ground_near.b * p->light.b};
    lit_far = world_mix(lit_far, p->haze, .25);
    if (f->place == WORLD_HALL) { /* the floor ends at the wall */
        double x, d;
        world_project(f, f->cx, 0, 6.2, &x, &top, &d);
    }
    cairo_pattern_t *g = cairo_pattern_create_linear(0, top, 0, fmax(top + 4, f->height));
    cairo_pattern_add_color_stop_rgb(g, 0, lit_far.r, lit_far.g, lit_far.b);
    cairo_pattern_add_color_stop_rgb(g, .55, lit_near.r, lit_near.g, lit_near.b);
    cairo_pattern_add_color_stop_rgb(g, 1, lit_near.r * .94, lit_near.g * .94, lit_near.b * .94);
    cairo_set_source(f->cr, g);
    cairo_rectangle(f->cr, 0, top, f->width, fmax(1, f->height - top));
    cairo_fill(f->cr);
    cairo_pattern_destroy(g);
    f->hazed = 0;
    double s = p->snow;
    world_rgb white = {.93, .95, .98};
    if (f->water) {
        if (f->place != WORLD_NEON) {
            world_ink_c(f, world_mix(world_mix(p->leaf, (world_rgb){.8, .75, .55}, .5), white,
                                     f->place == WORLD_MOUNTAINS || f->place == WORLD_ANTARCTICA ? .9 : s * .8));
            world_strip(f, 3.9, 60); /* the far bank */
        }
        if (f->condition == WORLD_SUNSET) {
            world_shine(f, 1, .72, .38, .35);
            patch(f, f->cx + f->scene->sun, 2.2, .5, 3);
        }
        ripples(f, -1.6, 3.6, 46);
        return;
    }
    switch (f->place) {
    case WORLD_CITY:
        road(f, -2.5, 1.4, world_mix((world_rgb){.36, .37, .42}, white, s * .7), true);
        break;
    case WORLD_JOHANNESBURG:
        road(f, -.9, 1.3, world_mix((world_rgb){.46, .36, .36}, white, s * .7), true);
        world_ink_a(f, .66, .45, .90, .7 * (1 - s)); /* fallen blossom */
        patches(f, 461, 40, -1.2, 4, .12, .5);
        break;
    case WORLD_MUMBAI:
        road(f, -.9, 1.3, world_mix((world_rgb){.60, .52, .46}, white, s * .7), false);
        break;
    case WORLD_BEACH:
        water(f, 5.0, 60, .10, .60, .78);
        world_ink(f, .96, .99, 1.0);
        world_strip(f, 4.75 + .15 * sin(f->time * 1.6), 5.05 + .15 * sin(f->time * 1.6));
        world_ink_a(f, .84, .70, .44, .5);
        patches(f, 462, 22, -1.5, 4, .25, .35);
        break;
    case WORLD_JUNGLE:
        world_ink(f, .44, .36, .20); /* a path of earth */
        patches(f, 463, 20, -.5, .9, .9, .5);
        break;
    case WORLD_DESERT:
        world_ink_a(f, .78, .50, .27, .45);
        patches(f, 464, 26, -1.5, 6, .5, .14);
        break;
    case WORLD_MOUNTAINS:
        world_ink_a(f, .70, .80, .93, .6);
        patches(f, 465, 24, -1.5, 6, .55, .16);
        break;
    case WORLD_ANTARCTICA:
        water(f, 3.3, 60, .16, .42, .62);
        world_ink_a(f, .52, .76, .88, .7);
        patches(f, 466, 22, -1.5, 3, .45, .16);
        world_ink(f, .96, .99, 1);
        world_strip(f, 3.15, 3.35);
        break;
    case WORLD_UNDERWATER:
    case WORLD_REEF:
        world_shine(f, .85, 1, .95, f->condition == WORLD_NIGHT ? .05 : .16); /* light that the waves throw */
        patches(f, 467 + (uint64_t)(f->time * 3), 14, -1.4, 3.5, .4, .2);
        break;
    case WORLD_SPACE:
        world_ink_a(f, .34, .32, .42, .8);
        patches(f, 468, 20, -1.4, 7, .35, .35);
        break;
    case WORLD_CASTLE: {
        world_ink_c(f, world_mix((world_rgb){.80, .70, .52}, white, s * .7));
        world_strip(f, -.5, .6);
        double way[8] = {-.5, .5, .5, .5, .35, 11, -.35, 11};
        world_ground_poly(f, 4, way);
        break;
    }
    case WORLD_VILLAGE:
        world_ink_c(f, world_mix((world_rgb){.84, .74, .54}, white, s * .7));
        world_strip(f, -.7, .7);
        world_ink_a(f, .70, .60, .42, .5 * (1 - s));
        patches(f, 469, 16, -.6, .6, .16, .4);
        break;
    case WORLD_MEADOW:
        world_ink_a(f, .36, .62, .20, .5 * (1 - s));
        patches(f, 470, 30, -1.5, 6, .4, .25);
        break;
    case WORLD_NEON:
        neon_grid(f);
        break;
    case WORLD_HALL:
        wall_of_hall(f);
        tiles(f);
        break;
    default:
        break;
    }
    if (f->condition == WORLD_RAIN) { /* puddles */
        world_shine(f, p->sky_low.r, p->sky_low.g, p->sky_low.b, .55);
        patches(f, 480, 16, -1.5, 3.5, .35, .3);
    }
    if (f->condition == WORLD_AUTUMN) {
        for (int i = 0; i < 3; i++) {
            world_ink(f, i == 0 ? .90 : i == 1 ? .78 : .95, i == 0 ? .42 : i == 1 ? .20 : .70, .12);
            patches(f, 490 + (uint64_t)i, 24, -1.5, 4, .055, .6);
        }
    }
    if (f->condition == WORLD_SUNSET) {
        cairo_pattern_t *w = cairo_pattern_create_linear(0, f->py, 0, f->height);
        cairo_pattern_add_color_stop_rgba(w, 0, 1, .62, .25, .45);
        cairo_pattern_add_color_stop_rgba(w, 1, 1, .5, .3, 0);
        cairo_set_source(f->cr, w);
        cairo_rectangle(f->cr, 0, f->py, f->width, f->height - f->py);
        cairo_fill(f->cr);
        cairo_pattern_destroy(w);
    }
}
