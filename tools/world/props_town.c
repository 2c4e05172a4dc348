/* Houses, towers, lamps, vehicles and halls; and the things that subjects pass behind. */
#include <math.h>

#include "tools/world/internal.h"

static double rnd(const world_item *it, uint64_t k, double lo, double hi) {
    return world_range(it->seed, 100 + k, lo, hi);
}

static void window_ink(world_frame *f, uint64_t k) {
    if (f->palette.dark > .5 && k % 4)
        world_shine(f, 1, .84, .42, 1);
    else
        world_ink(f, .36, .52, .68);
}

static void roof_snow(world_frame *f, double x, double y, double w) {
    if (f->palette.snow > 0) {
        world_ink(f, .96, .97, 1);
        world_box(f, x, y, w, .05);
    }
}

static void building(world_frame *f, const world_item *it, double w, int columns, int rows) {
    static const world_rgb walls[6] = {{.80, .52, .42}, {.90, .80, .62}, {.62, .70, .78},
                                       {.74, .62, .66}, {.55, .66, .66}, {.86, .68, .50}};
    world_rgb c = walls[it->seed % 6];
    world_ink_c(f, c);
    world_box(f, -w, 0, 2 * w, 1);
    world_ink(f, c.r * .78, c.g * .78, c.b * .8);
    world_box(f, w * .72, 0, w * .28, 1);
    world_box(f, -w * 1.06, .965, w * 2.12, .035);
    roof_snow(f, -w * 1.06, 1, w * 2.12);
    double cw = 1.55 * w / columns, ch = .82 / rows;
    for (int r = 0; r < rows; r++)
        for (int q = 0; q < columns; q++) {
            window_ink(f, world_hash(it->seed, (uint64_t)(200 + r * 8 + q)));
            world_box(f, -w * .86 + cw * q + cw * .18, .13 + ch * r + ch * .2, cw * .62, ch * .55);
        }
    world_ink(f, .35, .24, .2);
    world_box(f, -.06 - w * .1, 0, .12, .10);
}

static void house(world_frame *f, const world_item *it, bool cottage) {
    static const world_rgb roofs[4] = {{.80, .28, .22}, {.66, .34, .24}, {.85, .45, .25}, {.50, .36, .46}};
    world_rgb roof = roofs[it->seed % 4];
    world_ink(f, .97, .93, .84);
    world_box(f, -.5, 0, 1, .55);
    if (cottage) {
        world_ink(f, .55, .36, .24);
        world_box(f, -.5, .26, 1, .035);
        world_box(f, -.02, 0, .035, .55);
        world_box(f, -.5, 0, .035, .55);
        world_box(f, .465, 0, .035, .55);
    }
    double xy[6] = {-.62, .52, .62, .52, 0, 1};
    world_ink_c(f, world_mix(roof, (world_rgb){.95, .97, 1}, f->palette.snow * .85));
    world_poly(f, 3, xy);
    world_ink(f, .62, .40, .32);
    world_box(f, .26, .72, .11, .25);
    window_ink(f, 1);
    world_box(f, -.36, .24, .2, .17);
    world_box(f, .17, .24, .2, .17);
    world_ink(f, .42, .26, .16);
    world_box(f, -.09, 0, .18, .32);
}

static void neon_tower(world_frame *f, const world_item *it) {
    static const double hue[4][3] = {{.1, .95, 1}, {1, .2, .75}, {.65, .4, 1}, {1, .8, .2}};
    const double *c = hue[it->seed % 4], *d = hue[(it->seed >> 8) % 4];
    double w = rnd(it, 1, .16, .22);
    world_ink(f, .10, .07, .22);
    world_box(f, -w, 0, 2 * w, 1);
    world_shine(f, c[0], c[1], c[2], 1);
    world_box(f, -w, 0, w * .12, 1);
    world_box(f, w * .88, 0, w * .12, 1);
    world_box(f, -w, .985, 2 * w, .015);
    for (int r = 0; r < 9; r++)
        for (int q = 0; q < 3; q++) {
            uint64_t k = world_hash(it->seed, (uint64_t)(200 + r * 4 + q));
            if (k % 3 == 0) continue;
            world_shine(f, d[0], d[1], d[2], .55);
            world_box(f, -w * .68 + q * w * .48, .08 + r * .1, w * .34, .045);
        }
}

static void neon_sign(world_frame *f, const world_item *it) {
    static const double hue[4][3] = {{1, .2, .6}, {.1, .95, 1}, {1, .75, .1}, {.4, 1, .4}};
    const double *c = hue[it->seed % 4];
    world_ink(f, .16, .12, .28);
    world_box(f, -.025, 0, .05, .6);
    world_shine(f, c[0], c[1], c[2], .22);
    world_box(f, -.24, .42, .48, .60);
    world_ink(f, .12, .08, .2);
    world_box(f, -.19, .46, .38, .52);
    cairo_set_line_width(f->cr, .035);
    world_shine(f, c[0], c[1], c[2], 1);
    cairo_rectangle(f->cr, -.18, .47, .36, .50);
    cairo_stroke(f->cr);
    switch (it->seed >> 4 & 3) {
    case 0:
        world_oval(f, 0, .72, .10, .10);
        break;
    case 1:
        world_box(f, -.1, .58, .2, .05);
        world_box(f, -.1, .70, .2, .05);
        world_box(f, -.1, .82, .2, .05);
        break;
    default: {
        double xy[6] = {-.10, .60, .10, .60, 0, .86};
        world_poly(f, 3, xy);
        break;
    }
    }
}

static void lamp(world_frame *f) {
    world_ink(f, .26, .28, .32);
    world_box(f, -.018, 0, .036, .9);
    world_box(f, -.05, 0, .1, .04);
    if (f->palette.dark > .5) {
        world_shine(f, 1, .88, .5, .25);
        world_oval(f, 0, .93, .17, .17);
        world_shine(f, 1, .92, .62, 1);
    } else {
        world_ink(f, .97, .95, .82);
    }
    world_oval(f, 0, .93, .07, .07);
}

static void castle(world_frame *f) {
    world_rgb stone = {.74, .72, .72}, dark = {.60, .58, .60}, roof = {.34, .40, .66};
    roof = world_mix(roof, (world_rgb){.95, .97, 1}, f->palette.snow * .6);
    world_ink_c(f, dark);
    world_box(f, -.34, 0, .68, .62);
    world_ink_c(f, stone);
    world_box(f, -.62, 0, 1.24, .36);
    for (int i = 0; i < 9; i++) world_box(f, -.62 + .145 * i, .36, .075, .05);
    static const double towers[5][3] = {
        {-.62, .56, .12}, {.62, .56, .12}, {-.30, .72, .10}, {.30, .72, .10}, {0, .80, .13}};
    for (int i = 0; i < 5; i++) {
        double x = towers[i][0], h = towers[i][1] * .95, w = towers[i][2];
        world_ink_c(f, i < 2 ? stone : world_mix(stone, dark, .4));
        world_box(f, x - w, 0, 2 * w, h);
        world_ink_c(f, dark);
        world_box(f, x + w * .45, 0, w * .55, h);
        double xy[6] = {x - w * 1.2, h, x + w * 1.2, h, x, h + .24};
        world_ink_c(f, roof);
        world_poly(f, 3, xy);
        world_ink(f, .86, .20, .22);
        double flag[6] = {x, h + .24, x, h + .32, x + .10, h + .28};
        world_poly(f, 3, flag);
        window_ink(f, (uint64_t)i + 1);
        world_box(f, x - .025, h - .16, .05, .08);
    }
    world_ink(f, .30, .20, .16);
    world_box(f, -.09, 0, .18, .16);
    world_oval(f, 0, .16, .09, .09);
}

static void flag(world_frame *f, const world_item *it) {
    static const world_rgb hue[3] = {{.85, .16, .20}, {.20, .36, .75}, {.95, .78, .20}};
    double wave = .04 * sin(f->time * 4 + rnd(it, 1, 0, 6));
    world_ink(f, .50, .38, .26);
    world_box(f, -.018, 0, .036, 1);
    world_ink_c(f, hue[it->seed % 3]);
    cairo_move_to(f->cr, .018, .98);
    cairo_curve_to(f->cr, .15, 1.0 + wave, .25, .92 - wave, .40, .96 + wave);
    cairo_line_to(f->cr, .40, .70 + wave);
    cairo_curve_to(f->cr, .25, .66 - wave, .15, .74 + wave, .018, .72);
    cairo_close_path(f->cr);
    cairo_fill(f->cr);
}

static void gateway(world_frame *f) {
    world_rgb c = {.90, .74, .46}, d = {.74, .58, .36};
    world_ink_c(f, c);
    world_box(f, -.62, 0, 1.24, .68);
    world_box(f, -.30, .6, .60, .18);
    world_ink_c(f, d);
    world_box(f, -.62, .64, 1.24, .05);
    for (int i = 0; i < 4; i++) {
        double x = i < 2 ? (i ? .62 : -.62) : (i == 3 ? .26 : -.26), w = i < 2 ? .07 : .06;
        world_ink_c(f, c);
        world_box(f, x - w, 0, 2 * w, .84);
        world_ink_c(f, d);
        world_oval(f, x, .88, w * 1.15, .08);
    }
    world_ink_c(f, d);
    world_oval(f, 0, .78, .2, .14);
    if (f->palette.dark > .5)
        world_shine(f, 1, .78, .36, 1);
    else
        world_ink(f, .46, .34, .28);
    world_box(f, -.17, 0, .34, .38);
    world_oval(f, 0, .38, .17, .15);
    world_box(f, -.50, 0, .18, .22);
    world_box(f, .32, 0, .18, .22);
    world_oval(f, -.41, .22, .09, .09);
    world_oval(f, .41, .22, .09, .09);
}

static void dome(world_frame *f) {
    world_ink(f, .94, .88, .80);
    world_box(f, -.45, 0, .9, .45);
    world_box(f, -.55, 0, .1, .7);
    world_box(f, .45, 0, .1, .7);
    world_ink(f, .60, .70, .72);
    cairo_move_to(f->cr, -.32, .45);
    cairo_curve_to(f->cr, -.48, .80, -.08, .84, 0, 1);
    cairo_curve_to(f->cr, .08, .84, .48, .80, .32, .45);
    cairo_close_path(f->cr);
    cairo_fill(f->cr);
    world_oval(f, -.5, .72, .07, .09);
    world_oval(f, .5, .72, .07, .09);
    window_ink(f, 1);
    world_box(f, -.3, .12, .12, .2);
    world_box(f, .18, .12, .12, .2);
    world_box(f, -.06, .12, .12, .2);
}

static void stall(world_frame *f, const world_item *it) {
    static const world_rgb hue[3] = {{.90, .22, .30}, {.98, .58, .12}, {.16, .60, .52}};
    world_rgb c = hue[it->seed % 3];
    world_ink(f, .50, .34, .22);
    world_box(f, -.5, 0, .05, .8);
    world_box(f, .45, 0, .05, .8);
    world_box(f, -.52, .22, 1.04, .2);
    static const world_rgb fruit[4] = {{.95, .3, .2}, {1, .75, .2}, {.5, .8, .3}, {1, .55, .15}};
    for (int i = 0; i < 7; i++) {
        world_ink_c(f, fruit[((uint64_t)i + it->seed) % 4]);
        world_oval(f, -.42 + .14 * i, .45, .075, .07);
    }
    for (int i = 0; i < 6; i++) {
        world_ink_c(f, i & 1 ? (world_rgb){.98, .96, .9} : c);
        double x = -.6 + .2 * i, xy[8] = {x, .74, x + .2, .74, x * .85 + .17, 1, x * .85, 1};
        world_poly(f, 4, xy);
    }
}

static void taxi(world_frame *f, const world_item *it) {
    bool mumbai = f->place == WORLD_MUMBAI;
    (void)it;
    world_rgb body = mumbai ? (world_rgb){.13, .13, .15} : (world_rgb){.95, .95, .93};
    world_rgb top = mumbai ? (world_rgb){.98, .80, .12} : (world_rgb){.95, .95, .93};
    world_ink_c(f, top);
    double cab[8] = {-.62, .55, .58, .55, .42, 1, -.5, 1};
    world_poly(f, 4, cab);
    world_ink_c(f, body);
    world_box(f, -.95, .18, 1.9, .42);
    world_ink(f, .55, .75, .85);
    world_box(f, -.45, .60, .38, .27);
    world_box(f, .0, .60, .36, .27);
    if (!mumbai) {
        world_ink(f, .95, .75, .15);
        world_box(f, -.95, .36, 1.9, .08);
    }
    world_ink(f, .10, .10, .12);
    world_oval(f, -.55, .18, .18, .18);
    world_oval(f, .55, .18, .18, .18);
    world_ink(f, .6, .6, .62);
    world_oval(f, -.55, .18, .08, .08);
    world_oval(f, .55, .18, .08, .08);
}

static void telecom(world_frame *f) {
    world_ink(f, .76, .72, .70);
    world_box(f, -.022, 0, .044, .82);
    world_ink(f, .62, .58, .58);
    double cone[8] = {-.03, .56, .03, .56, .075, .66, -.075, .66};
    world_poly(f, 4, cone);
    world_box(f, -.075, .66, .15, .10);
    world_ink(f, .85, .25, .22);
    world_box(f, -.008, .8, .016, .2);
}

static void ponte(world_frame *f, const world_item *it) {
    world_ink(f, .70, .66, .66);
    world_box(f, -.13, 0, .26, .90);
    world_ink(f, .56, .53, .55);
    world_box(f, .04, 0, .09, .90);
    world_ink(f, .88, .16, .18);
    world_box(f, -.14, .90, .28, .09);
    for (int r = 0; r < 9; r++)
        for (int q = 0; q < 3; q++) {
            window_ink(f, world_hash(it->seed, (uint64_t)(r * 3 + q)));
            world_box(f, -.11 + .075 * q, .06 + .09 * r, .045, .045);
        }
}

static void church(world_frame *f) {
    world_ink(f, .93, .90, .84);
    world_box(f, -.10, 0, .20, .62);
    world_box(f, -.1, 0, .5, .32);
    world_rgb roof = world_mix((world_rgb){.46, .34, .40}, (world_rgb){.95, .97, 1}, f->palette.snow * .8);
    world_ink_c(f, roof);
    double spire[6] = {-.13, .62, .13, .62, 0, 1}, nave[8] = {.06, .30, .44, .30, .38, .48, .10, .48};
    world_poly(f, 3, spire);
    world_poly(f, 4, nave);
    window_ink(f, 1);
    world_oval(f, 0, .50, .045, .045);
    world_box(f, .16, .10, .07, .12);
    world_box(f, .28, .10, .07, .12);
}

static void pillar(world_frame *f, double w) {
    world_ink(f, .92, .88, .82);
    world_box(f, -w, 0, 2 * w, 1);
    world_ink(f, .80, .73, .66);
    world_box(f, w * .35, 0, w * .65, 1);
    world_ink(f, .99, .97, .93);
    world_box(f, -w * .65, 0, w * .3, 1);
    world_ink(f, .88, .68, .30);
    world_box(f, -w * 1.35, 0, w * 2.7, .05);
    world_box(f, -w * 1.2, .05, w * 2.4, .025);
    world_box(f, -w * 1.3, .95, w * 2.6, .05);
}

static void arch_window(world_frame *f) {
    world_ink(f, .88, .68, .30);
    world_box(f, -.23, .30, .46, .46);
    world_oval(f, 0, .76, .23, .23);
    bool night = f->palette.dark > .5;
    world_shine(f, night ? .06 : .62, night ? .08 : .84, night ? .26 : .98, 1);
    world_box(f, -.19, .34, .38, .42);
    world_oval(f, 0, .76, .19, .19);
    world_ink(f, .88, .68, .30);
    world_box(f, -.012, .34, .024, .60);
    world_box(f, -.19, .55, .38, .02);
    if (night) {
        world_shine(f, 1, .8, .4, .35);
        world_oval(f, .42, .62, .13, .16);
        world_shine(f, 1, .9, .55, 1);
        world_oval(f, .42, .64, .03, .06);
    }
    world_ink(f, .78, .55, .25);
    world_box(f, .405, .50, .03, .10);
}

static void umbrella(world_frame *f, const world_item *it) {
    static const world_rgb hue[3] = {{.95, .30, .30}, {.20, .55, .90}, {.98, .70, .15}};
    world_rgb c = hue[it->seed % 3];
    world_ink(f, .95, .93, .88);
    world_box(f, -.02, 0, .04, .8);
    for (int i = 0; i < 5; i++) {
        world_ink_c(f, i & 1 ? (world_rgb){1, 1, 1} : c);
        cairo_move_to(f->cr, 0, 1);
        cairo_arc_negative(f->cr, 0, .58, .62, WORLD_PI * (1 - i / 5.0), WORLD_PI * (1 - (i + 1) / 5.0));
        cairo_close_path(f->cr);
        cairo_save(f->cr);
        cairo_fill(f->cr);
        cairo_restore(f->cr);
        double a0 = WORLD_PI * (1 - i / 5.0), a1 = WORLD_PI * (1 - (i + 1) / 5.0);
        double xy[8] = {.62 * cos(a0), .60,
                        .62 * cos(a1), .60,
                        .62 * cos(a1), .58 + .62 * sin(a1) * .66,
                        .62 * cos(a0), .58 + .62 * sin(a0) * .66};
        world_poly(f, 4, xy);
    }
}

static void fence(world_frame *f) {
    world_ink(f, .95, .93, .88);
    world_box(f, -1.5, .28, 3, .12);
    world_box(f, -1.5, .64, 3, .12);
    for (int i = 0; i < 5; i++) {
        double x = -1.3 + .6 * i;
        double xy[10] = {x, 0, x + .22, 0, x + .22, .85, x + .11, 1, x, .85};
        world_poly(f, 5, xy);
    }
}

static void hut(world_frame *f) {
    world_ink(f, .66, .46, .28);
    world_box(f, -.3, 0, .6, .5);
    world_ink(f, .36, .24, .16);
    world_box(f, -.08, 0, .16, .34);
    double xy[6] = {-.48, .44, .48, .44, 0, .86};
    world_ink(f, .86, .70, .40);
    world_poly(f, 3, xy);
}

bool world_prop_town(world_frame *f, const world_item *it) {
    switch (it->kind) {
    case PROP_HOUSE:
        house(f, it, false);
        return true;
    case PROP_COTTAGE:
        house(f, it, true);
        return true;
    case PROP_BUILDING:
        building(f, it, rnd(it, 1, .26, .36), 3, 4);
        return true;
    case PROP_SKYSCRAPER:
        building(f, it, rnd(it, 1, .17, .22), 3, 7);
        return true;
    case PROP_NEON_TOWER:
        neon_tower(f, it);
        return true;
    case PROP_NEON_SIGN:
        neon_sign(f, it);
        return true;
    case PROP_LAMP:
        lamp(f);
        return true;
    case PROP_FENCE:
        fence(f);
        return true;
    case PROP_HUT:
        hut(f);
        return true;
    case PROP_UMBRELLA:
        umbrella(f, it);
        return true;
    case PROP_CASTLE:
        castle(f);
        return true;
    case PROP_FLAG:
        flag(f, it);
        return true;
    case PROP_GATEWAY:
        gateway(f);
        return true;
    case PROP_STALL:
        stall(f, it);
        return true;
    case PROP_TAXI:
        taxi(f, it);
        return true;
    case PROP_TELECOM:
        telecom(f);
        return true;
    case PROP_PONTE:
        ponte(f, it);
        return true;
    case PROP_PILLAR:
        pillar(f, .10);
        return true;
    case PROP_ARCH_WINDOW:
        arch_window(f);
        return true;
    case PROP_CHURCH:
        church(f);
        return true;
    case PROP_DOME:
        dome(f);
        return true;
    default:
        return false;
    }
}

void world_prop(world_frame *f, const world_item *it) {
    if (it->kind < PROP_TOWN)
        world_prop_nature(f, it);
    else
        world_prop_town(f, it);
}

/* What a subject passes behind: wide and high enough to hide it, in the material of the place. Units are world units.
 */
void world_cover(world_frame *f, double w, double h) {
    cairo_t *cr = f->cr;
    double r = w / 2;
    world_rgb c, hi;
    bool round = true;
    switch (f->place) {
    case WORLD_ANTARCTICA:
    case WORLD_MOUNTAINS:
        c = (world_rgb){.60, .82, .94};
        hi = (world_rgb){.95, .99, 1};
        break;
    case WORLD_DESERT:
        c = (world_rgb){.66, .38, .24};
        hi = (world_rgb){.80, .52, .34};
        break;
    case WORLD_BEACH:
    case WORLD_UNDERWATER:
        c = (world_rgb){.40, .40, .46};
        hi = (world_rgb){.58, .58, .62};
        break;
    case WORLD_REEF:
        c = (world_rgb){.72, .34, .56};
        hi = (world_rgb){.94, .52, .66};
        break;
    case WORLD_SPACE:
        c = (world_rgb){.36, .34, .44};
        hi = (world_rgb){.58, .56, .66};
        break;
    case WORLD_JUNGLE:
    case WORLD_MEADOW:
    case WORLD_JOHANNESBURG:
        c = (world_rgb){.36, .25, .16};
        hi = (world_rgb){.50, .36, .24};
        round = false;
        break;
    default:
        c = (world_rgb){.64, .58, .54};
        hi = (world_rgb){.78, .72, .66};
        round = false;
        break;
    }
    world_ink_a(f, 0, 0, .08, .25);
    world_oval(f, 0, 0, r * 1.25, .06);
    world_ink_c(f, c);
    if (round) {
        double xy[16] = {-r * 1.12, 0,        -r * 1.04, h * .55, -r * .7,  h * .95, -r * .15, h * 1.08,
                         r * .45,   h * 1.02, r * .92,   h * .72, r * 1.08, h * .3,  r * 1.14, 0};
        double top[12] = {-r * 1.04, h * .55,  -r * .7, h * .95, -r * .15, h * 1.08,
                          r * .45,   h * 1.02, r * .15, h * .74, -r * .5,  h * .60};
        world_poly(f, 8, xy);
        world_ink_c(f, hi);
        world_poly(f, 6, top);
    } else if (f->place == WORLD_JUNGLE || f->place == WORLD_MEADOW || f->place == WORLD_JOHANNESBURG) {
        double xy[12] = {-r * 1.35, 0,     -r, .16, -r * .95, h * 3,
                         r * .95,   h * 3, r,  .16, r * 1.35, 0}; /* a great trunk out of the picture */
        world_poly(f, 6, xy);
        world_ink_c(f, hi);
        world_box(f, -r * .7, .1, r * .22, h * 3);
        world_box(f, r * .05, .2, r * .16, h * 3);
    } else if (f->place == WORLD_HALL || f->place == WORLD_CASTLE) {
        cairo_save(cr);
        cairo_scale(cr, 1, h * 3);
        pillar(f, r);
        cairo_restore(cr);
    } else {
        world_box(f, -r, 0, 2 * r, h * 1.05); /* a wall of brick */
        world_ink_c(f, hi);
        int rows = 8;
        for (int j = 0; j < rows; j++)
            for (int i = 0; i < 4; i++) {
                double x = -r + 2 * r * (i + (j & 1 ? .5 : 0)) / 4 + .012, y = h * 1.05 * j / rows + .012;
                double bw = fmin(2 * r / 4 - .024, r - x - .012);
                world_box(f, x, y, bw, h * 1.05 / rows - .024);
            }
        world_ink(f, .46, .40, .38);
        world_box(f, -r * 1.06, h * 1.05, r * 2.12, .05);
        if (f->place == WORLD_NEON) {
            world_shine(f, .1, .95, 1, 1);
            world_box(f, -r * 1.06, h * 1.05, r * 2.12, .035);
        }
    }
}
