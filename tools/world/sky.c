/* Everything at infinity: sky, sun, moon, stars, northern lights, clouds, the line of hills or towers on the horizon.
 */
#include <math.h>

#include "tools/world/internal.h"

/* Column of the picture at which a world azimuth (radians, 0 = +z) is seen. */
static bool column(const world_frame *f, double azimuth, double *x) {
    double a = azimuth - f->yaw;
    if (fabs(a) > 1.2) return false;
    *x = f->px + f->focal * tan(a);
    return true;
}

static double azimuth_at(const world_frame *f, double x) { return f->yaw + atan((x - f->px) / f->focal); }

static void gradient(world_frame *f, world_rgb top, world_rgb low) {
    double horizon = fmax(1, f->py);
    cairo_pattern_t *p = cairo_pattern_create_linear(0, 0, 0, horizon);
    cairo_pattern_add_color_stop_rgb(p, 0, top.r, top.g, top.b);
    if (f->condition == WORLD_SUNSET) {
        cairo_pattern_add_color_stop_rgb(p, .5, .86, .36, .38);
        cairo_pattern_add_color_stop_rgb(p, .8, low.r, low.g, low.b);
        cairo_pattern_add_color_stop_rgb(p, 1, 1, .84, .45);
    } else {
        cairo_pattern_add_color_stop_rgb(p, 1, low.r, low.g, low.b);
    }
    cairo_set_source(f->cr, p);
    cairo_paint(f->cr);
    cairo_pattern_destroy(p);
}

static void disc(world_frame *f, double x, double y, double r, double cr, double cg, double cb, double glow) {
    cairo_pattern_t *p = cairo_pattern_create_radial(x, y, r * .9, x, y, r * glow);
    cairo_pattern_add_color_stop_rgba(p, 0, cr, cg, cb, .55);
    cairo_pattern_add_color_stop_rgba(p, 1, cr, cg, cb, 0);
    cairo_set_source(f->cr, p);
    cairo_rectangle(f->cr, x - r * glow, y - r * glow, 2 * r * glow, 2 * r * glow);
    cairo_fill(f->cr);
    cairo_pattern_destroy(p);
    cairo_set_source_rgb(f->cr, cr, cg, cb);
    cairo_arc(f->cr, x, y, r, 0, 2 * WORLD_PI);
    cairo_fill(f->cr);
}

static void stars(world_frame *f, int count, uint64_t label) {
    double px = fmax(.55, f->height / 150.0);
    for (int i = 0; i < count; i++) {
        double x, az = world_range(label, (uint64_t)(3 * i), -1.0, 1.0);
        if (!column(f, az, &x) || x < -2 || x > f->width + 2) continue;
        double y = f->py - f->focal * world_range(label, (uint64_t)(3 * i + 1), .02, .62);
        double s = world_unit(label, (uint64_t)(3 * i + 2));
        cairo_set_source_rgba(f->cr, 1, .97, .88 + .12 * s, .45 + .55 * s);
        cairo_arc(f->cr, x, y, px * (.5 + s * s), 0, 2 * WORLD_PI);
        cairo_fill(f->cr);
    }
}

static void clouds(world_frame *f) {
    uint64_t seed = world_hash(f->seed, 201);
    bool heavy = f->condition == WORLD_RAIN || f->condition == WORLD_SNOWSTORM;
    world_rgb white = {1, 1, 1},
              c = heavy ? world_mix(f->palette.sky_top, white, -.12) : world_mix(f->palette.sky_low, white, .65);
    double size = f->height * (heavy ? .16 : .075);
    int n = heavy ? 12 : 8;
    for (int i = 0; i < n; i++) {
        double x, az = world_range(seed, (uint64_t)(5 * i), -.85, .85) + .006 * f->time;
        if (!column(f, az, &x)) continue;
        double s = size * world_range(seed, (uint64_t)(5 * i + 1), .6, 1.25);
        if (x < -4 * s || x > f->width + 4 * s) continue;
        double top = fmax(f->py, f->height * .3);
        double y = heavy ? top * world_range(seed, (uint64_t)(5 * i + 2), -.1, .28)
                         : top * world_range(seed, (uint64_t)(5 * i + 2), .08, .62);
        cairo_set_source_rgba(f->cr, c.r, c.g, c.b, heavy ? .75 : .9);
        for (int k = 0; k < 3; k++) {
            double dx = (k - 1) * s * .85, r = s * (k == 1 ? .72 : .5);
            cairo_new_sub_path(f->cr);
            cairo_arc(f->cr, x + dx, y - (k == 1 ? s * .18 : 0), r, WORLD_PI, 2 * WORLD_PI);
        }
        cairo_rectangle(f->cr, x - 1.35 * s, y - .19 * s, 2.7 * s, .2 * s);
        cairo_fill(f->cr);
    }
}

static void aurora(world_frame *f) {
    static const double hue[3][3] = {{.25, 1.0, .55}, {.20, .95, .80}, {.72, .35, .95}};
    double top = fmax(f->py, .25 * f->height);
    for (int k = 0; k < 3; k++) {
        uint64_t seed = world_hash(f->seed, (uint64_t)(210 + k));
        double base = top * (.86 - .22 * k), tall = top * (.62 - .08 * k);
        int n = f->width < 110 ? 22 : f->width < 320 ? f->width / 5 : 64; /* columns of light */
        double prev_x = -1, prev_y = 0;
        for (int i = 0; i <= n; i++) {
            double x = f->width * (double)i / n, az = azimuth_at(f, x);
            double y = base + top * .13 * world_noise(seed, az * 7 + f->time * .22) +
                       top * .05 * world_noise(seed + 1, az * 21 - f->time * .3);
            if (i > 0) {
                double bright = .30 + .34 * (.5 + .5 * world_noise(seed + 2, az * 26 + f->time * .5));
                cairo_pattern_t *p = cairo_pattern_create_linear(0, .5 * (y + prev_y), 0, .5 * (y + prev_y) - tall);
                cairo_pattern_add_color_stop_rgba(p, 0, hue[k][0], hue[k][1], hue[k][2], 0);
                cairo_pattern_add_color_stop_rgba(p, .12, hue[k][0], hue[k][1], hue[k][2], bright * 1.2);
                cairo_pattern_add_color_stop_rgba(p, .5, hue[k][0] * .7 + .15, hue[k][1] * .7, hue[k][2] * .8 + .2,
                                                  bright * .5);
                cairo_pattern_add_color_stop_rgba(p, 1, .5, .2, .8, 0);
                cairo_set_source(f->cr, p);
                cairo_rectangle(f->cr, prev_x, 0, x - prev_x, f->height);
                cairo_save(f->cr);
                cairo_set_antialias(f->cr, CAIRO_ANTIALIAS_NONE);
                cairo_fill(f->cr);
                cairo_restore(f->cr);
                cairo_pattern_destroy(p);
            }
            prev_x = x;
            prev_y = y;
        }
    }
}

/* A line of hills at infinity: height in radians above the horizon, waves a radian, jaggedness 0 soft .. 1 peaks. */
static void hills(world_frame *f, uint64_t label, double tall, double waves, double jag, world_rgb c, bool snowcap) {
    uint64_t seed = world_hash(f->seed, label);
    int n = f->width / 3 + 8;
    if (n > 120) n = 120;
    double line[121];
    for (int i = 0; i <= n; i++) {
        double az = azimuth_at(f, f->width * (double)i / n) * waves + 50;
        double h = .55 + .35 * world_noise(seed, az);
        if (jag > 0) {
            double tri = fabs(fmod(fabs(az * .9 + .6 * world_noise(seed + 3, az * .5)), 1.0) - .5) * 2;
            h = h * (1 - jag) + jag * (.25 + .62 * tri * (.75 + .35 * world_noise(seed + 1, floor(az * .9))) +
                                       .08 * world_noise(seed + 2, az * 6));
        }
        line[i] = f->py - f->focal * tall * h;
    }
    cairo_move_to(f->cr, 0, f->py + 1);
    for (int i = 0; i <= n; i++) cairo_line_to(f->cr, f->width * (double)i / n, line[i]);
    cairo_line_to(f->cr, f->width, f->py + 1);
    cairo_close_path(f->cr);
    world_ink_c(f, c);
    cairo_fill(f->cr);
    if (!snowcap) return;
    /* Snow lies on what rises above a ragged line: the hills are the clip, the line is drawn inside. */
    cairo_save(f->cr);
    cairo_move_to(f->cr, 0, f->py + 1);
    for (int i = 0; i <= n; i++) cairo_line_to(f->cr, f->width * (double)i / n, line[i]);
    cairo_line_to(f->cr, f->width, f->py + 1);
    cairo_close_path(f->cr);
    cairo_clip(f->cr);
    cairo_move_to(f->cr, 0, 0);
    for (int i = 0; i <= n; i++) {
        double az = azimuth_at(f, f->width * (double)i / n) * waves;
        double low = tall * (.40 + .10 * world_noise(seed + 5, az * 5) + .07 * world_noise(seed + 6, az * 13));
        cairo_line_to(f->cr, f->width * (double)i / n, f->py - f->focal * low);
    }
    cairo_line_to(f->cr, f->width, 0);
    cairo_close_path(f->cr);
    world_ink(f, .97, .98, 1);
    cairo_fill(f->cr);
    cairo_restore(f->cr);
}

/* Towers at infinity, cell by cell of azimuth. */
static void skyline(world_frame *f, uint64_t label, double tall, double step, world_rgb c, bool neon) {
    uint64_t seed = world_hash(f->seed, label);
    int first = (int)floor(azimuth_at(f, 0) / step), last = (int)floor(azimuth_at(f, f->width) / step);
    for (int i = first; i <= last && i < first + 60; i++) {
        uint64_t k = world_hash(seed, (uint64_t)(i + 100000));
        double x0, x1;
        if (!column(f, i * step, &x0) || !column(f, (i + world_range(k, 1, .75, 1.02)) * step, &x1)) continue;
        double h = f->focal * tall * world_range(k, 2, .35, 1.0), w = x1 - x0;
        world_ink_c(f, c);
        world_box(f, x0, f->py - h, w, h + 1);
        if (f->palette.dark > .5 || neon) {
            int rows = (int)fmin(7, h / fmax(3, w * .35));
            static const double hues[4][3] = {{1, .85, .45}, {.2, .95, 1}, {1, .25, .75}, {.75, .5, 1}};
            for (int r = 0; r < rows; r++)
                for (int q = 0; q < 2; q++) {
                    uint64_t kk = world_hash(k, (uint64_t)(10 + 2 * r + q));
                    if (kk % 3 == 0) continue;
                    const double *u = hues[neon ? (kk >> 8) % 4 : 0];
                    cairo_set_source_rgba(f->cr, u[0], u[1], u[2], .75);
                    world_box(f, x0 + w * (.18 + .42 * q), f->py - h + h * (r + .3) / rows, w * .24, h * .38 / rows);
                }
        }
    }
}

static void shafts(world_frame *f) {
    uint64_t seed = world_hash(f->seed, 230);
    for (int i = 0; i < 5; i++) {
        double x = f->width * (world_range(seed, (uint64_t)i, -.1, 1.0) + .02 * sin(f->time * .8 + i)),
               w = f->width * world_range(seed, (uint64_t)(9 + i), .05, .13);
        cairo_pattern_t *p = cairo_pattern_create_linear(0, 0, 0, f->height * .85);
        cairo_pattern_add_color_stop_rgba(p, 0, .8, 1, 1, f->condition == WORLD_NIGHT ? .06 : .26);
        cairo_pattern_add_color_stop_rgba(p, 1, .8, 1, 1, 0);
        cairo_set_source(f->cr, p);
        double slant = f->width * .22 * (f->scene->sun < 0 ? 1 : -1);
        double xy[8] = {x, 0, x + w, 0, x + w * 1.6 + slant, f->height * .85, x - w * .4 + slant, f->height * .85};
        world_poly(f, 4, xy);
        cairo_pattern_destroy(p);
    }
}

static void planets(world_frame *f) {
    double x, r = f->height * .11;
    stars(f, 150, world_hash(f->seed, 241));
    if (column(f, .10 + .12 * f->scene->sun, &x)) { /* the blue planet */
        double y = fmax(f->py * .42, r * .6);
        disc(f, x, y, r, .22, .50, .92, 1.5);
        cairo_save(f->cr);
        cairo_arc(f->cr, x, y, r, 0, 2 * WORLD_PI);
        cairo_clip(f->cr);
        cairo_set_source_rgb(f->cr, .30, .70, .36);
        world_oval(f, x - r * .3, y - r * .25, r * .5, r * .32);
        world_oval(f, x + r * .35, y + r * .45, r * .4, r * .3);
        cairo_set_source_rgba(f->cr, 1, 1, 1, .85);
        world_oval(f, x, y - r * .95, r * .6, r * .18);
        world_oval(f, x + r * .2, y + r * .02, r * .55, r * .09);
        cairo_restore(f->cr);
    }
    if (column(f, -.14 + .12 * f->scene->sun, &x)) { /* a ringed one */
        double y = fmax(f->py * .62, r * .8), q = r * .42;
        cairo_set_source_rgb(f->cr, .93, .70, .42);
        world_oval(f, x, y, q, q);
        cairo_save(f->cr);
        cairo_translate(f->cr, x, y);
        cairo_rotate(f->cr, -.35);
        cairo_scale(f->cr, 1.9 * q, .42 * q);
        cairo_arc(f->cr, 0, 0, 1, 0, 2 * WORLD_PI);
        cairo_restore(f->cr);
        cairo_set_source_rgba(f->cr, .98, .86, .66, .9);
        cairo_set_line_width(f->cr, q * .16);
        cairo_stroke(f->cr);
    }
}

static void horizon_of_place(world_frame *f) {
    const world_palette *p = &f->palette;
    world_rgb blue = {.45, .60, .78}, leaf = p->leaf, haze = p->haze;
    f->hazed = .35;
    switch (f->place) {
    case WORLD_CITY:
        skyline(f, 301, .17, .045, world_mix(blue, haze, .35), false);
        break;
    case WORLD_JOHANNESBURG: {
        world_rgb heap = {.90, .72, .36}, grey = {.62, .56, .60};
        hills(f, 302, .060, 5, 0, heap, false);
        skyline(f, 303, .13, .05, grey, false);
        break;
    }
    case WORLD_MUMBAI: {
        world_rgb pale = {.80, .66, .56};
        skyline(f, 304, .10, .05, pale, false);
        break;
    }
    case WORLD_NEON: {
        world_rgb dark = {.14, .06, .30}, near_dark = {.07, .03, .17};
        f->hazed = .1;
        skyline(f, 305, .24, .05, dark, true);
        skyline(f, 306, .15, .065, near_dark, true);
        break;
    }
    case WORLD_MOUNTAINS: {
        world_rgb rock = {.46, .52, .66}, near_rock = {.36, .42, .56};
        f->hazed = .15;
        hills(f, 307, .22, 5.5, .9, rock, true);
        f->hazed = .02;
        hills(f, 308, .115, 7.5, .9, near_rock, true);
        break;
    }
    case WORLD_ANTARCTICA: {
        world_rgb ice = {.62, .84, .93}, white = {.93, .98, 1.0};
        f->hazed = .1;
        hills(f, 309, .075, 4, .25, ice, false);
        hills(f, 310, .045, 6, 0, white, false);
        break;
    }
    case WORLD_DESERT: {
        world_rgb mesa = {.80, .48, .30}, dune = {.96, .76, .48};
        f->hazed = .2;
        hills(f, 311, .11, 3.5, .15, mesa, false);
        f->hazed = .05;
        hills(f, 312, .05, 5, 0, dune, false);
        break;
    }
    case WORLD_JUNGLE: {
        world_rgb deep = {.10, .34, .20};
        f->hazed = .45;
        hills(f, 313, .30, 16, 0, world_mix(leaf, haze, .2), false);
        f->hazed = .15;
        hills(f, 314, .19, 24, 0, world_mix(leaf, deep, .5), false);
        break;
    }
    case WORLD_BEACH: {
        world_rgb island = {.30, .62, .50};
        hills(f, 315, .028, 5, 0, island, false);
        break;
    }
    case WORLD_UNDERWATER: {
        world_rgb rock = {.03, .20, .36};
        f->hazed = .25;
        hills(f, 316, .20, 9, .35, rock, false);
        break;
    }
    case WORLD_REEF: {
        world_rgb coral = {.60, .42, .62}, rock = {.20, .56, .66};
        f->hazed = .45;
        hills(f, 317, .16, 10, .1, rock, false);
        f->hazed = .35;
        hills(f, 318, .08, 18, 0, coral, false);
        break;
    }
    case WORLD_SPACE: {
        world_rgb moon = {.40, .38, .48};
        f->hazed = 0;
        hills(f, 319, .045, 6, .3, moon, false);
        break;
    }
    case WORLD_CASTLE:
    case WORLD_VILLAGE:
    case WORLD_MEADOW:
        hills(f, 320, .10, 4, 0, world_mix(world_mix(leaf, blue, .45), haze, .2), false);
        f->hazed = .2;
        hills(f, 321, .055, 6, 0, world_mix(leaf, p->ground_far, .5), false);
        break;
    default:
        break;
    }
    f->hazed = 0;
}

void world_sky(world_frame *f) {
    const world_palette *p = &f->palette;
    double x;
    gradient(f, p->sky_top, p->sky_low);
    double r = f->height * .065, row = fmax(f->py, .22 * f->height);
    if (f->place == WORLD_UNDERWATER || f->place == WORLD_REEF) {
        horizon_of_place(f);
        shafts(f);
        return;
    }
    if (f->place == WORLD_HALL) return;
    if (f->place == WORLD_SPACE) {
        planets(f);
        horizon_of_place(f);
        return;
    }
    double az = .13 * f->scene->sun + (f->scene->sun < 0 ? -.04 : .04);
    switch (f->condition) {
    case WORLD_CLEAR:
    case WORLD_FESTIVAL:
    case WORLD_AUTUMN:
        if (f->place != WORLD_NEON) {
            if (f->place != WORLD_JUNGLE && column(f, az, &x)) disc(f, x, row * .22, r * .75, 1, .95, .62, 2.2);
            clouds(f);
        } else {
            stars(f, 40, world_hash(f->seed, 240));
        }
        break;
    case WORLD_SUNSET:
        clouds(f);
        if (column(f, az, &x)) disc(f, x, row * .74, r * 1.5, 1, .86, .42, 2.6);
        break;
    case WORLD_NIGHT:
        stars(f, 90, world_hash(f->seed, 240));
        if (column(f, az, &x)) {
            disc(f, x, row * .28, r, .98, .96, .84, 2.0);
            cairo_set_source_rgba(f->cr, .80, .79, .70, .6);
            world_oval(f, x - r * .3, row * .28 - r * .2, r * .2, r * .2);
            world_oval(f, x + r * .3, row * .28 + r * .3, r * .26, r * .26);
        }
        break;
    case WORLD_AURORA:
        stars(f, 60, world_hash(f->seed, 240));
        aurora(f);
        break;
    default:
        clouds(f);
        break;
    }
    horizon_of_place(f);
}
