/* Trees, rocks, corals and beasts of the background. A prop stands on y = 0 and is about 1 high. */
#include <math.h>

#include "tools/world/internal.h"

static double rnd(const world_item *it, uint64_t k, double lo, double hi) {
    return world_range(it->seed, 100 + k, lo, hi);
}

static world_rgb leaf(const world_frame *f, const world_item *it) {
    world_rgb c = f->palette.leaf, light = {1, 1, .4}, dark = {0, .1, .1};
    double u = rnd(it, 1, -1, 1);
    if (f->condition == WORLD_AUTUMN) {
        static const world_rgb autumn[4] = {{.88, .36, .10}, {.95, .62, .12}, {.78, .22, .12}, {.92, .50, .10}};
        c = autumn[it->seed % 4];
    }
    return world_mix(c, u > 0 ? light : dark, fabs(u) * .16);
}

static world_rgb shade(world_rgb c, double k) {
    world_rgb d = {c.r * k, c.g * k, c.b * k};
    return d;
}

static void trunk(world_frame *f, double w0, double w1, double h) {
    double xy[8] = {-w0, 0, w0, 0, w1, h, -w1, h};
    world_ink(f, .43, .29, .19);
    world_poly(f, 4, xy);
}

static void tree(world_frame *f, const world_item *it) {
    world_rgb c = leaf(f, it);
    trunk(f, .055, .035, .5);
    world_ink_c(f, shade(c, .78));
    world_oval(f, -.13, .58, .20, .19);
    world_oval(f, .15, .56, .19, .17);
    world_ink_c(f, c);
    world_oval(f, 0, .72, .27, .27);
    world_ink_c(f, world_mix(c, (world_rgb){1, 1, .7}, .22));
    world_oval(f, -.07, .80, .15, .13);
    if (f->palette.snow > 0) {
        world_ink(f, .95, .97, 1);
        world_oval(f, 0, .92, .20, .07);
    } else if (f->place == WORLD_MEADOW && f->pixel > 30) {
        world_ink(f, .90, .14, .14); /* apples */
        for (uint64_t i = 0; i < 6; i++) world_oval(f, rnd(it, 10 + i, -.2, .2), rnd(it, 20 + i, .55, .85), .026, .026);
    }
}

static void jacaranda(world_frame *f, const world_item *it) {
    world_rgb c = f->condition == WORLD_AUTUMN
                      ? leaf(f, it)
                      : world_mix((world_rgb){.62, .40, .90}, (world_rgb){1, 1, 1}, f->palette.snow * .5);
    trunk(f, .05, .03, .5);
    world_ink_c(f, shade(c, .8));
    world_oval(f, -.20, .60, .23, .16);
    world_oval(f, .22, .62, .22, .15);
    world_ink_c(f, c);
    world_oval(f, 0, .74, .34, .21);
    world_ink_c(f, world_mix(c, (world_rgb){1, .9, 1}, .3));
    world_oval(f, -.10, .80, .16, .09);
    world_oval(f, .16, .70, .10, .06);
}

static void pine(world_frame *f, const world_item *it) {
    world_rgb c = f->palette.leaf;
    c = world_mix(c, (world_rgb){.1, .2, .3}, rnd(it, 1, 0, .3));
    if (f->condition == WORLD_AUTUMN) c = world_mix(c, (world_rgb){.85, .55, .1}, .75);
    trunk(f, .035, .03, .2);
    for (int i = 0; i < 3; i++) {
        double y = .14 + .25 * i, w = .27 - .065 * i;
        double xy[6] = {-w, y, w, y, 0, y + .40};
        world_ink_c(f, shade(c, .85 + .12 * i));
        world_poly(f, 3, xy);
        if (f->place == WORLD_MOUNTAINS || f->palette.snow > 0) {
            double cap[10] = {-w * .55, y + .18, -w * .15, y + .13, w * .2, y + .19, w * .5, y + .19, 0, y + .40};
            world_ink(f, .96, .98, 1);
            world_poly(f, 5, cap);
        }
    }
}

static void palm(world_frame *f, const world_item *it) {
    double lean = rnd(it, 1, -.16, .16), sway = .015 * sin(f->time * 2 + rnd(it, 2, 0, 6));
    cairo_set_line_width(f->cr, .05);
    cairo_move_to(f->cr, 0, 0);
    cairo_curve_to(f->cr, 0, .3, lean * .3, .55, lean, .80);
    world_ink(f, .60, .44, .28);
    cairo_stroke(f->cr);
    world_rgb c = world_mix(f->palette.leaf, (world_rgb){.2, .7, .3}, .4);
    for (int i = 0; i < 7; i++) {
        double a = -.35 + i * (WORLD_PI + .7) / 6, len = .33, ex = lean + len * cos(a) + sway,
               ey = .80 + len * .62 * sin(a) - .09;
        double mx = lean + len * .55 * cos(a), my = .80 + len * .62 * sin(a) + .05;
        cairo_move_to(f->cr, lean, .82);
        cairo_curve_to(f->cr, mx, my + .06, mx, my + .04, ex, ey);
        cairo_curve_to(f->cr, mx, my - .05, mx, my - .05, lean, .77);
        cairo_close_path(f->cr);
        world_ink_c(f, shade(c, i & 1 ? .85 : 1));
        cairo_fill(f->cr);
    }
    world_ink(f, .40, .25, .14);
    world_oval(f, lean - .03, .77, .03, .03);
    world_oval(f, lean + .035, .765, .03, .03);
}

static void vine_tree(world_frame *f, const world_item *it) {
    world_rgb c = leaf(f, it), bark = {.30, .23, .15};
    double xy[12] = {-.12, 0, -.05, .12, -.05, .7, .05, .7, .05, .12, .12, 0};
    world_ink_c(f, bark);
    world_poly(f, 6, xy);
    world_ink_c(f, shade(c, .62));
    world_oval(f, -.2, .76, .26, .17);
    world_oval(f, .2, .78, .26, .17);
    world_ink_c(f, shade(c, .85));
    world_oval(f, 0, .88, .32, .18);
    world_ink_c(f, c);
    world_oval(f, -.06, .92, .18, .09);
    cairo_set_line_width(f->cr, .016);
    world_ink_c(f, shade(c, 1.1));
    for (int i = 0; i < 3; i++) {
        double x = rnd(it, (uint64_t)(5 + i), -.3, .3), y = rnd(it, (uint64_t)(9 + i), .25, .5),
               sway = .02 * sin(f->time * 1.3 + i);
        cairo_move_to(f->cr, x, .74);
        cairo_curve_to(f->cr, x + .05, .62, x - .05 + sway, .55, x + sway, y);
        cairo_stroke(f->cr);
    }
}

static void blades(world_frame *f, int n, double spread, double droop, world_rgb c) {
    for (int i = 0; i < n; i++) {
        double a = -1 + 2.0 * i / (n - 1), ex = spread * a, ey = 1 - droop * a * a;
        cairo_move_to(f->cr, -.06, 0);
        cairo_curve_to(f->cr, ex * .1 - .05, ey * .6, ex * .5, ey * 1.05, ex, ey);
        cairo_curve_to(f->cr, ex * .55, ey * .8, ex * .2 + .05, ey * .5, .06, 0);
        cairo_close_path(f->cr);
        world_ink_c(f, shade(c, i & 1 ? .8 : 1.05));
        cairo_fill(f->cr);
    }
}

static void flower(world_frame *f, const world_item *it) {
    static const world_rgb heads[5] = {{.98, .30, .40}, {1, .85, .2}, {.95, .95, 1}, {.85, .45, .95}, {1, .55, .2}};
    double sway = .05 * sin(f->time * 2 + rnd(it, 3, 0, 6));
    cairo_set_line_width(f->cr, .07);
    cairo_move_to(f->cr, 0, 0);
    cairo_line_to(f->cr, sway, .75);
    world_ink(f, .25, .55, .2);
    cairo_stroke(f->cr);
    world_ink_c(f, heads[it->seed % 5]);
    if (f->pixel < 16) {
        world_oval(f, sway, .8, .24, .22);
        return;
    }
    for (int i = 0; i < 5; i++) world_oval(f, sway + .15 * cos(i * 1.2566), .8 + .15 * sin(i * 1.2566), .12, .12);
    world_ink(f, 1, .9, .4);
    world_oval(f, sway, .8, .09, .09);
}

static void rock(world_frame *f, const world_item *it, world_rgb c) {
    double k = rnd(it, 1, .85, 1.15);
    double xy[14] = {-.75 * k, 0, -.62, .45 * k, -.25, .88, .2 * k, 1, .55, .66, .72 * k, .25, .78, 0};
    double hi[10] = {-.62, .45 * k, -.25, .88, .2 * k, 1, .05, .62, -.35, .38};
    world_ink_c(f, c);
    world_poly(f, 7, xy);
    world_ink_c(f, world_mix(c, (world_rgb){1, 1, 1}, .25));
    world_poly(f, 5, hi);
    if (f->palette.snow > 0) {
        double cap[8] = {-.45, .66, -.25, .88, .2 * k, 1, .5, .7};
        world_ink(f, .95, .97, 1);
        world_poly(f, 4, cap);
    }
}

static void limb(world_frame *f, double x0, double y0, double x1, double y1, double w) {
    cairo_set_line_cap(f->cr, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_width(f->cr, w);
    cairo_move_to(f->cr, x0, y0);
    cairo_line_to(f->cr, x1, y1);
    cairo_stroke(f->cr);
    cairo_set_line_cap(f->cr, CAIRO_LINE_CAP_BUTT);
}

static void cactus(world_frame *f, const world_item *it) {
    world_rgb c = world_mix((world_rgb){.26, .56, .30}, (world_rgb){.9, .95, .9}, f->palette.snow * .4);
    double a = rnd(it, 1, .3, .5), b = rnd(it, 2, .35, .6);
    world_ink_c(f, c);
    limb(f, 0, 0, 0, .9, .19);
    limb(f, 0, a, -.26, a, .12);
    limb(f, -.26, a, -.26, a + .26, .12);
    limb(f, 0, b, .26, b, .12);
    limb(f, .26, b, .26, b + .22, .12);
    world_ink_c(f, world_mix(c, (world_rgb){1, 1, .6}, .3));
    limb(f, -.04, .05, -.04, .88, .03);
    world_ink(f, .98, .40, .55);
    world_oval(f, 0, 1.0, .06, .05);
}

static void joshua(world_frame *f, const world_item *it) {
    (void)it;
    world_ink(f, .46, .34, .24);
    limb(f, 0, 0, 0, .5, .09);
    limb(f, 0, .45, -.26, .72, .07);
    limb(f, 0, .48, .24, .70, .07);
    limb(f, .10, .57, .05, .88, .06);
    static const double tip[4][2] = {{-.28, .76}, {.26, .74}, {.05, .90}, {-.14, .62}};
    for (int i = 0; i < 4; i++) {
        double xy[20];
        for (int k = 0; k < 10; k++) {
            double a = 2 * WORLD_PI * k / 10, r = k & 1 ? .06 : .15;
            xy[2 * k] = tip[i][0] + r * cos(a);
            xy[2 * k + 1] = tip[i][1] + r * sin(a);
        }
        world_ink(f, .42, .58, .28);
        world_poly(f, 10, xy);
    }
}

static void mesa(world_frame *f, const world_item *it) {
    double w = rnd(it, 1, .7, 1.1);
    double body[12] = {-1.3 * w, 0, -.8 * w, .42, -.68 * w, .96, .66 * w, 1, .78 * w, .4, 1.3 * w, 0};
    double side[8] = {.2 * w, .98, .66 * w, 1, .78 * w, .4, .30 * w, .40};
    world_ink(f, .82, .44, .26);
    world_poly(f, 6, body);
    world_ink(f, .70, .35, .22);
    world_poly(f, 4, side);
    world_ink(f, .92, .58, .36);
    world_box(f, -.70 * w, .70, 1.38 * w, .08);
}

static void snowdrift(world_frame *f) {
    world_ink(f, .78, .86, .95);
    world_oval(f, 0, 0, 1.6, .8);
    world_ink(f, .98, .99, 1);
    world_oval(f, -.15, .12, 1.35, .72);
}

static void iceberg(world_frame *f, const world_item *it) {
    double k = rnd(it, 1, .8, 1.2);
    double body[14] = {-.95, 0, -.78, .5 * k, -.35, .62, -.1, 1, .28, .85, .55 * k, .5, .9, 0};
    double side[8] = {-.1, 1, .28, .85, .2, .35, .05, 0};
    double dark[10] = {.28, .85, .55 * k, .5, .9, 0, .05, 0, .2, .35};
    world_ink(f, .93, .98, 1);
    world_poly(f, 7, body);
    world_ink(f, .74, .90, .97);
    world_poly(f, 4, side);
    world_ink(f, .52, .78, .92);
    world_poly(f, 5, dark);
}

static void penguin(world_frame *f, const world_item *it) {
    double waddle = .06 * sin(f->time * 5 + rnd(it, 1, 0, 6));
    cairo_save(f->cr);
    cairo_rotate(f->cr, waddle);
    world_ink(f, .98, .60, .12);
    world_oval(f, -.1, .03, .11, .045);
    world_oval(f, .1, .03, .11, .045);
    world_ink(f, .12, .13, .20);
    world_oval(f, 0, .42, .27, .40);
    world_oval(f, 0, .80, .18, .18);
    world_ink(f, .98, .98, 1);
    world_oval(f, 0, .38, .19, .32);
    world_oval(f, 0, .77, .12, .11);
    world_ink(f, .98, .60, .12);
    double beak[6] = {-.05, .77, .05, .77, 0, .68};
    world_poly(f, 3, beak);
    if (f->pixel > 24) {
        world_ink(f, .05, .05, .1);
        world_oval(f, -.06, .82, .025, .03);
        world_oval(f, .06, .82, .025, .03);
    }
    cairo_restore(f->cr);
}

static void kelp(world_frame *f, const world_item *it) {
    world_rgb c = world_mix(f->palette.leaf, (world_rgb){.5, .7, .2}, rnd(it, 1, 0, .4));
    for (int s = -1; s <= 1; s++) {
        double ph = f->time * 1.2 + rnd(it, (uint64_t)(3 + s), 0, 6), x0 = .11 * s, h = s ? .75 : 1;
        cairo_set_line_cap(f->cr, CAIRO_LINE_CAP_ROUND);
        cairo_set_line_width(f->cr, .075);
        cairo_move_to(f->cr, x0, 0);
        cairo_curve_to(f->cr, x0 + .08 * sin(ph), h * .35, x0 - .10 * sin(ph + .8), h * .65, x0 + .12 * sin(ph + 1.6),
                       h);
        world_ink_c(f, shade(c, s ? .8 : 1.1));
        cairo_stroke(f->cr);
    }
    cairo_set_line_cap(f->cr, CAIRO_LINE_CAP_BUTT);
}

static world_rgb coral_hue(const world_item *it) {
    static const world_rgb hue[5] = {{.98, .36, .46}, {1, .58, .22}, {.90, .40, .82}, {1, .80, .30}, {.60, .38, .88}};
    return hue[it->seed % 5];
}

static void coral(world_frame *f, const world_item *it) {
    world_rgb c = coral_hue(it);
    world_ink_c(f, c);
    switch (it->kind) {
    case PROP_CORAL_FAN:
        for (int i = 0; i < 7; i++) {
            double a = WORLD_PI * (.12 + .76 * i / 6.0);
            limb(f, 0, 0, .7 * cos(a), .95 * sin(a), .13);
        }
        break;
    case PROP_CORAL_BRANCH:
        limb(f, 0, 0, 0, .5, .17);
        limb(f, 0, .3, -.34, .7, .13);
        limb(f, 0, .4, .30, .80, .13);
        limb(f, -.2, .54, -.16, .95, .11);
        limb(f, 0, .45, .03, .93, .12);
        limb(f, .2, .66, .42, .70, .10);
        break;
    case PROP_CORAL_BRAIN:
        world_oval(f, 0, .3, .62, .52);
        world_ink_c(f, shade(c, .8));
        cairo_set_line_width(f->cr, .06);
        for (int i = 0; i < 3; i++) {
            cairo_new_sub_path(f->cr);
            cairo_arc(f->cr, 0, .12, .18 + .15 * i, .3, WORLD_PI - .3);
            cairo_stroke(f->cr);
        }
        break;
    default:
        for (int i = 0; i < 7; i++) {
            double x = -.3 + .1 * i, sway = .1 * sin(f->time * 2 + i);
            limb(f, x * .6, .2, x * 1.5 + sway, .9 - fabs(x), .09);
        }
        world_ink_c(f, shade(c, .7));
        world_box(f, -.22, 0, .44, .3);
        break;
    }
}

static void small_fish(world_frame *f, const world_item *it) {
    static const world_rgb hue[4] = {{1, .75, .1}, {.98, .5, .2}, {.95, .95, 1}, {.35, .85, .95}};
    world_rgb c = hue[it->seed % 4];
    double dir = it->seed & 16 ? 1 : -1, swim = .6 * sin(f->time * .8 + rnd(it, 1, 0, 6)), y = rnd(it, 2, 2.2, 4.2);
    cairo_save(f->cr);
    cairo_translate(f->cr, swim, y);
    cairo_scale(f->cr, dir, 1);
    world_ink_c(f, c);
    world_oval(f, 0, 0, .42, .24);
    double tail[6] = {-.3, 0, -.62, .24, -.62, -.24};
    world_poly(f, 3, tail);
    world_ink(f, .1, .1, .15);
    world_oval(f, .24, .05, .05, .05);
    cairo_restore(f->cr);
}

static void wreck(world_frame *f) {
    world_ink(f, .22, .30, .32);
    double hull[12] = {-1.5, .42, -1.1, 0, .9, 0, 1.5, .62, .6, .40, -.6, .38};
    cairo_save(f->cr);
    cairo_rotate(f->cr, .08);
    world_poly(f, 6, hull);
    world_box(f, -.25, .35, .07, .65);
    world_box(f, .5, .38, .06, .5);
    world_box(f, -.5, .78, .6, .04);
    world_ink(f, .06, .22, .32);
    for (int i = 0; i < 4; i++) world_oval(f, -.8 + .45 * i, .2, .07, .07);
    cairo_restore(f->cr);
}

static void crater(world_frame *f) {
    world_ink(f, .68, .66, .74);
    world_oval(f, 0, 0, 1.5, .42);
    world_ink(f, .32, .30, .38);
    world_oval(f, 0, -.04, 1.25, .30);
}

static void rocket(world_frame *f) {
    double fin_l[6] = {-.13, .32, -.32, 0, -.12, .12}, fin_r[6] = {.13, .32, .32, 0, .12, .12};
    world_ink(f, .88, .16, .20);
    world_poly(f, 3, fin_l);
    world_poly(f, 3, fin_r);
    world_ink(f, .94, .94, .97);
    cairo_move_to(f->cr, -.14, .10);
    cairo_curve_to(f->cr, -.22, .5, -.16, .82, 0, 1);
    cairo_curve_to(f->cr, .16, .82, .22, .5, .14, .10);
    cairo_close_path(f->cr);
    cairo_fill(f->cr);
    world_ink(f, .88, .16, .20);
    cairo_move_to(f->cr, -.115, .8);
    cairo_curve_to(f->cr, -.08, .9, -.03, .96, 0, 1);
    cairo_curve_to(f->cr, .03, .96, .08, .9, .115, .8);
    cairo_close_path(f->cr);
    cairo_fill(f->cr);
    world_ink(f, .20, .45, .80);
    world_oval(f, 0, .60, .085, .085);
}

static void hay(world_frame *f) {
    world_ink(f, .92, .74, .30);
    cairo_arc(f->cr, 0, .1, .5, 0, WORLD_PI);
    cairo_close_path(f->cr);
    cairo_fill(f->cr);
    world_box(f, -.5, 0, 1, .12);
    world_ink(f, .78, .58, .20);
    world_box(f, -.46, .2, .9, .035);
    world_box(f, -.38, .38, .74, .035);
}

static void shell(world_frame *f) {
    world_ink(f, .98, .72, .66);
    cairo_arc(f->cr, 0, .1, .7, 0, WORLD_PI);
    cairo_close_path(f->cr);
    cairo_fill(f->cr);
    world_ink(f, .90, .52, .50);
    for (int i = 1; i < 4; i++) limb(f, 0, .1, .6 * cos(i * WORLD_PI / 4), .1 + .6 * sin(i * WORLD_PI / 4), .07);
}

bool world_prop_nature(world_frame *f, const world_item *it) {
    const world_rgb grey = {.54, .52, .52}, brown = {.70, .46, .30}, ice = {.70, .86, .94}, deep = {.16, .34, .42},
                    moon = {.50, .48, .56};
    switch (it->kind) {
    case PROP_TREE:
        tree(f, it);
        return true;
    case PROP_PINE:
        pine(f, it);
        return true;
    case PROP_PALM:
        palm(f, it);
        return true;
    case PROP_JACARANDA:
        jacaranda(f, it);
        return true;
    case PROP_VINE_TREE:
        vine_tree(f, it);
        return true;
    case PROP_BUSH:
        world_ink_c(f, shade(leaf(f, it), .8));
        world_oval(f, -.4, .35, .45, .4);
        world_oval(f, .4, .32, .42, .36);
        world_ink_c(f, leaf(f, it));
        world_oval(f, 0, .5, .5, .48);
        return true;
    case PROP_GRASS:
        blades(f, 5, .55, .3, leaf(f, it));
        return true;
    case PROP_FERN:
        blades(f, 7, 1.0, .55, leaf(f, it));
        return true;
    case PROP_FLOWER:
        flower(f, it);
        return true;
    case PROP_ROCK:
        rock(f, it,
             f->place == WORLD_DESERT       ? brown
             : f->place == WORLD_ANTARCTICA ? ice
             : f->place == WORLD_UNDERWATER ? deep
                                            : grey);
        return true;
    case PROP_MOON_ROCK:
        rock(f, it, moon);
        return true;
    case PROP_CACTUS:
        cactus(f, it);
        return true;
    case PROP_JOSHUA:
        joshua(f, it);
        return true;
    case PROP_MESA:
    case PROP_DUNE:
        mesa(f, it);
        return true;
    case PROP_SNOWDRIFT:
        snowdrift(f);
        return true;
    case PROP_ICEBERG:
        iceberg(f, it);
        return true;
    case PROP_PENGUIN:
        penguin(f, it);
        return true;
    case PROP_KELP:
        kelp(f, it);
        return true;
    case PROP_CORAL_FAN:
    case PROP_CORAL_BRANCH:
    case PROP_CORAL_BRAIN:
    case PROP_ANEMONE:
        coral(f, it);
        return true;
    case PROP_SMALL_FISH:
        small_fish(f, it);
        return true;
    case PROP_WRECK:
        wreck(f);
        return true;
    case PROP_CRATER:
        crater(f);
        return true;
    case PROP_ROCKET:
        rocket(f);
        return true;
    case PROP_SHELL:
        shell(f);
        return true;
    case PROP_HAY:
        hay(f);
        return true;
    default:
        return false;
    }
}
