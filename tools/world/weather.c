/* What falls, floats and hangs: rain, snow, leaves, confetti, lanterns, bubbles. Drawn once behind the subjects and
 * once in front of them, in planes of different distance. */
#include <math.h>

#include "tools/world/internal.h"

static double wrap(double x, double span) { return x - span * floor(x / span); }

/* One drop's place in a plane: it falls and drifts, and comes in again on the other side. The camera's way shifts it.
 */
static void place(const world_frame *f, uint64_t seed, int i, double fall, double drift, double depth, double *x,
                  double *y) {
    double w = f->width * 1.2, h = f->height * 1.2;
    double shift = -f->focal * (f->cx / depth + tan(f->yaw));
    *x = wrap(world_unit(seed, (uint64_t)(2 * i)) * w + drift * f->time * f->height + shift, w) - .1 * f->width;
    *y = wrap(world_unit(seed, (uint64_t)(2 * i + 1)) * h + fall * f->time * f->height, h) - .1 * f->height;
}

static int count(const world_frame *f, int n) {
    double area = (double)f->width / f->height;
    return (int)(n * fmin(2.5, fmax(.6, area)));
}

static void rain(world_frame *f, bool front) {
    uint64_t seed = world_hash(f->seed, front ? 501 : 502);
    int n = count(f, front ? 34 : 40);
    double len = f->height * (front ? .11 : .07), lean = .18 * (f->scene->sun < 0 ? -1 : 1);
    cairo_set_line_width(f->cr, fmax(.75, f->height * (front ? .0075 : .005)));
    bool plain = f->scene->attr[WORLD_STYLE] == WORLD_CHARCOAL || f->scene->attr[WORLD_STYLE] == WORLD_FILM;
    if (plain) /* no grey of the sky to tell it: the streaks must */
        cairo_set_line_width(f->cr, fmax(1, f->height * (front ? .010 : .007)));
    cairo_set_source_rgba(f->cr, .84, .91, 1, plain ? .85 : front ? .62 : .45);
    for (int i = 0; i < n; i++) {
        double x, y;
        place(f, seed, i, 1.9, 1.9 * lean, front ? 2.5 : 6, &x, &y);
        cairo_move_to(f->cr, x, y);
        cairo_line_to(f->cr, x + lean * len, y + len);
    }
    cairo_stroke(f->cr);
}

static void snow(world_frame *f, bool front) {
    uint64_t seed = world_hash(f->seed, front ? 503 : 504);
    int n = count(f, front ? 44 : 70);
    double drift = .55 * (f->scene->sun < 0 ? -1 : 1);
    bool plain = f->scene->attr[WORLD_STYLE] == WORLD_CHARCOAL || f->scene->attr[WORLD_STYLE] == WORLD_FILM;
    cairo_set_source_rgba(f->cr, 1, 1, 1, .93);
    for (int i = 0; i < n; i++) {
        double x, y,
            s = f->height * (plain ? 1.5 : 1) * (front ? .0105 : .007) *
                world_range(seed, (uint64_t)(900 + i), .6, 1.5);
        place(f, seed, i, .5, drift, front ? 2.5 : 6, &x, &y);
        cairo_new_sub_path(f->cr);
        cairo_arc(f->cr, x, y, fmax(.6, s), 0, 2 * WORLD_PI);
    }
    cairo_fill(f->cr);
}

static void tumble(world_frame *f, bool front, bool leaves) {
    static const double autumn[4][3] = {{.92, .40, .08}, {.98, .70, .12}, {.75, .20, .10}, {.85, .52, .15}};
    static const double party[5][3] = {
        {.98, .25, .40}, {1, .82, .15}, {.20, .75, .95}, {.45, .85, .35}, {.75, .40, .95}};
    uint64_t seed = world_hash(f->seed, front ? 505 : 506);
    int n = count(f, front ? 14 : 20);
    for (int i = 0; i < n; i++) {
        double x, y, s = f->height * (front ? .018 : .013), spin = f->time * 3 + i;
        place(f, seed, i, .28, leaves ? .16 : 0, front ? 2.5 : 6, &x, &y);
        x += f->height * .03 * sin(f->time * 2.2 + i);
        const double *c = leaves ? autumn[i % 4] : party[i % 5];
        cairo_set_source_rgb(f->cr, c[0], c[1], c[2]);
        cairo_save(f->cr);
        cairo_translate(f->cr, x, y);
        cairo_rotate(f->cr, spin);
        if (leaves) {
            cairo_move_to(f->cr, -s * 1.2, 0);
            cairo_curve_to(f->cr, -s * .4, -s, s * .6, -s * .8, s * 1.3, 0);
            cairo_curve_to(f->cr, s * .6, s * .8, -s * .4, s, -s * 1.2, 0);
        } else {
            cairo_rectangle(f->cr, -s * .7, -s * .5 * fabs(cos(spin)) - .2, s * 1.4, s * fabs(cos(spin)) + .4);
        }
        cairo_fill(f->cr);
        cairo_restore(f->cr);
    }
}

/* Strings of pennants and lanterns across the picture, hung in the world at some depth so that they move with the
 * camera. */
static void garlands(world_frame *f) {
    static const double hue[6][3] = {{.95, .20, .28}, {1, .80, .15},   {.15, .65, .90},
                                     {.35, .78, .35}, {.98, .50, .75}, {.60, .35, .85}};
    double unit = f->focal / 5.0, step = fmax(unit * .30, f->width * .085);
    double shift = -f->focal * (f->cx / 5.0 + tan(f->yaw));
    for (int line = 0; line < 2; line++) {
        double y0 = f->height * (line ? .015 : .09), sag = f->height * (line ? .10 : .13), span = step * 6;
        int first = (int)floor((-shift - step) / step), last = (int)ceil((f->width - shift + step) / step);
        cairo_set_line_width(f->cr, fmax(.6, f->height * .005));
        cairo_set_source_rgb(f->cr, .35, .25, .25);
        for (int i = first; i <= last; i++) {
            double a = wrap(i * step + line * span * .5, span) / span, y = y0 + sag * 4 * a * (1 - a);
            if (i == first)
                cairo_move_to(f->cr, i * step + shift, y);
            else
                cairo_line_to(f->cr, i * step + shift, y);
        }
        cairo_stroke(f->cr);
        for (int i = first; i <= last; i++) {
            double a = wrap(i * step + line * span * .5, span) / span, y = y0 + sag * 4 * a * (1 - a),
                   x = i * step + shift;
            const double *c = hue[(((i % 6) + 6) + 2 * line) % 6];
            double s = step * .40;
            if (line == 0) {
                cairo_set_source_rgb(f->cr, c[0], c[1], c[2]);
                double xy[6] = {x - s, y, x + s, y, x + .1 * s * sin(f->time * 4 + i), y + 1.9 * s};
                world_poly(f, 3, xy);
            } else {
                y += s * .8 + .1 * s * sin(f->time * 2 + i);
                cairo_set_source_rgba(f->cr, 1, .75, .35, .30);
                world_oval(f, x, y, s * 1.35, s * 1.35);
                cairo_set_source_rgb(f->cr, c[0], c[1], c[2]);
                world_oval(f, x, y, s * .72, s * .86);
                cairo_set_source_rgba(f->cr, 1, .93, .65, .8);
                world_oval(f, x, y, s * .28, s * .5);
            }
        }
    }
}

static void bubbles(world_frame *f, bool front) {
    uint64_t seed = world_hash(f->seed, front ? 507 : 508);
    int n = count(f, front ? 6 : 14);
    cairo_set_line_width(f->cr, fmax(.6, f->height * .005));
    for (int i = 0; i < n; i++) {
        double x, y, s = f->height * world_range(seed, (uint64_t)(900 + i), .007, .02);
        place(f, seed, i, -.22, 0, front ? 2.5 : 6, &x, &y);
        x += f->height * .015 * sin(f->time * 3 + i);
        cairo_new_sub_path(f->cr);
        cairo_arc(f->cr, x, y, s, 0, 2 * WORLD_PI);
        cairo_set_source_rgba(f->cr, .85, 1, 1, .22);
        cairo_fill_preserve(f->cr);
        cairo_set_source_rgba(f->cr, .9, 1, 1, .7);
        cairo_stroke(f->cr);
    }
}

void world_weather(world_frame *f, bool front) {
    f->hazed = 0;
    if (f->place == WORLD_UNDERWATER || f->place == WORLD_REEF) bubbles(f, front);
    switch (f->condition) {
    case WORLD_RAIN:
        rain(f, front);
        break;
    case WORLD_SNOWSTORM:
        snow(f, front);
        break;
    case WORLD_AUTUMN:
        tumble(f, front, true);
        break;
    case WORLD_FESTIVAL:
        if (!front) garlands(f);
        tumble(f, front, false);
        break;
    default:
        break;
    }
}
